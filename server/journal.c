#include "server/journal.h"

#include "server/server.h"

enum { KEPT_BATCH = 1 << 20 };

void journal_init(struct server *s) { effects_begin(&s->journal.effects, &s->journal.batch); }

void journal_free(struct server *s) { buf_free(&s->journal.batch); }

void journal_close_batch(struct server *s)
{
    struct journal *j = &s->journal;
    if (j->effects.count == 0) return;
    effects_end(&j->effects);
    buf_reset(&j->batch, KEPT_BATCH);
    effects_begin(&j->effects, &j->batch);
}
