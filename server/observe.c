#include "server/observe.h"

#include "server/server.h"

static void on_touched(void *context, unsigned db, struct span key)
{
    struct server *s = context;
    if (s->journal.strict) journal_touched(s, db, key);
    if (watches_any(&s->watches)) watches_touched(s, db, key);
}

static void on_flushed(void *context, int db, int other)
{
    struct server *s = context;
    if (s->journal.strict) journal_flushed(s);
    if (watches_any(&s->watches)) watches_flushed(s, db, other);
}

void observe_configure(struct server *s)
{
    struct engine_observer observer = {.context = s};
    if (s->journal.strict || watches_any(&s->watches)) {
        observer.touched = on_touched;
        observer.flushed = on_flushed;
    }
    engine_set_observer(s->engine, &observer);
}
