#include "server/install.h"

#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/log.h"
#include "server/loader.h"
#include "server/saver.h"
#include "server/server.h"

struct install {
    uv_work_t work; /* load; then free the old data */
    struct server *server;
    char path[4096];
    struct position position;
    struct position before; /* the end of our log; it does not move meanwhile, unless the operator changes his mind */
    struct history history;
    bool salvage;
    struct engine *engine; /* the fresh one; later the old one */
    enum err error;
    struct errmsg why;
};

static void free_old(uv_work_t *w) { engine_free(((struct install *)w->data)->engine); }

static void on_freed(uv_work_t *w, int status)
{
    struct install *i = w->data;
    (void)status;
    history_free(&i->history);
    mem_free(i);
}

static void load(uv_work_t *w)
{
    struct install *i = w->data;
    struct loaded_place place = {0};
    i->error = loader_read_file(i->path, i->engine, &place, &i->why);
    history_free(&place.history);
}

/* A promotion while the snapshot was read opened an epoch, and then this node's data must not go unasked. */
static bool still_there(const struct server *s, const struct position *before)
{
    const struct position now = log_position(s->journal.log);
    return now.epoch == before->epoch && now.offset == before->offset && now.crc == before->crc;
}

static void on_loaded(uv_work_t *w, int status)
{
    struct install *i = w->data;
    struct server *s = i->server;
    enum err e = status ? err_set(&i->why, ERR_CANCELED, "told to stop") : i->error;
    if (!e && (!s->read_only || !still_there(s, &i->before)))
        e = err_set(&i->why, ERR_CANCELED, "this node went on without it meanwhile");
    if (!e) {
        saver_abort(s); /* it would be of the old data */
        e = log_install_base(s->journal.log, i->path, &i->position, &i->history, i->salvage, &i->why);
    }
    if (!e) {
        engine_swap(s->engine, i->engine);
        logger_line(s->logger, LOGGER_NOTICE, "MASTER <-> REPLICA sync: loaded the snapshot at offset %llu",
                    (unsigned long long)i->position.offset);
    } else {
        logger_line(s->logger, LOGGER_WARNING, "A received snapshot was not taken over: %s", i->why.text);
        (void)unlink(i->path);
    }
    nodes_installed(s, !e);
    if (uv_queue_work(&s->loop, w, free_old, on_freed) != 0) {
        free_old(w);
        on_freed(w, 0);
    }
}

void install_start(struct server *s, const char *path, const struct position *position, const struct history *h,
                   bool salvage)
{
    struct install *i = MEM_NEW(struct install);
    i->work.data = i;
    i->server = s;
    (void)snprintf(i->path, sizeof i->path, "%s", path);
    i->position = *position;
    i->before = log_position(s->journal.log);
    history_copy(&i->history, h);
    i->salvage = salvage;
    i->engine = server_make_engine(s);
    if (uv_queue_work(&s->loop, &i->work, load, on_loaded) != 0) on_loaded(&i->work, UV_ECANCELED);
}
