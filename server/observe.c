#include "server/observe.h"

#include "server/server.h"

static void on_touched(void *context, unsigned db, struct span key)
{
    struct server *s = context;
    if (s->journal.strict) journal_touched(s, db, key);
    if (watches_any(&s->watches)) watches_touched(s, db, key);
    if (tracking_any(&s->tracking)) tracking_touched(s, key);
}

static void on_flushed(void *context, int db, int other)
{
    struct server *s = context;
    if (s->journal.strict) journal_flushed(s);
    if (watches_any(&s->watches)) watches_flushed(s, db, other);
    if (tracking_any(&s->tracking)) tracking_flushed(s);
}

static void on_event(void *context, unsigned db, char event_class, const char *name, struct span key)
{
    pubsub_event(context, db, event_class, name, key);
}

void observe_configure(struct server *s)
{
    struct engine_observer observer = {.context = s};
    if (s->journal.strict || watches_any(&s->watches) || tracking_any(&s->tracking)) {
        observer.touched = on_touched;
        observer.flushed = on_flushed;
    }
    if (pubsub_notifies(s)) observer.event = on_event;
    engine_set_observer(s->engine, &observer);
}
