#include "server/reaper.h"

#include "common/graveyard.h"
#include "common/mem.h"
#include "server/server.h"

struct burial {
    uv_work_t work;
    struct server *server;
    struct garbage *garbage;
    uint64_t objects;
};

static void free_garbage(uv_work_t *w) { garbage_free(((struct burial *)w->data)->garbage); }

static void on_freed(uv_work_t *w, int status)
{
    struct burial *b = w->data;
    struct server *s = b->server;
    turn_begin(&s->stats.turn);
    if (status) free_garbage(w); /* the loop ended before its turn came */
    s->reaper.pending -= b->objects;
    s->reaper.freed += b->objects;
    limits_look(s);
    mem_free(b);
}

bool reaper_collect(struct server *s)
{
    uint64_t objects;
    struct garbage *garbage = engine_take_garbage(s->engine, &objects);
    if (!garbage) return s->reaper.pending > 0;
    struct burial *b = MEM_NEW(struct burial);
    *b = (struct burial){.server = s, .garbage = garbage, .objects = objects};
    b->work.data = b;
    s->reaper.pending += objects;
    if (uv_queue_work(&s->loop, &b->work, free_garbage, on_freed) != 0) on_freed(&b->work, UV_ECANCELED);
    return s->reaper.pending > 0;
}
