#include "server/loader.h"

#include <errno.h>
#include <stdio.h>

#include "common/rdb.h"
#include "replication/batch.h"
#include "replication/log.h"
#include "server/lifecycle.h"
#include "server/server.h"

enum { SAY_EVERY_NS = 2000000000 };

/* A load at the start, with clients around it. */
struct loading {
    struct server *server;
    struct session session;
    const struct rdb_source *source; /* of the base, below ours */
    struct loaded_place *place;
    int64_t said_ns;
    bool stopped; /* told to stop; looked at as often as the loop turns */
};

static enum err keep_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct loaded_place *place = context;
    if (span_eq(name, SPAN(RDB_AUX_POSITION))) {
        if (!position_decode(value, &place->position))
            return err_set(m, ERR_CORRUPT, "the position in the log is no position");
        place->known = true;
    } else if (span_eq(name, SPAN(RDB_AUX_HISTORY))) {
        return history_decode(value, &place->history, m);
    }
    return ERR_OK;
}

static enum err load_rdb(const struct rdb_source *source, struct engine *e, struct loaded_place *place,
                         struct rdb_loaded *loaded, struct errmsg *m)
{
    struct rdb_target target = rdb_target_engine(e);
    target.aux = keep_aux;
    target.aux_context = place;
    return rdb_load(source, &target, loaded, m);
}

static enum err read_base(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    const struct loading *l = context;
    if (l->stopped) return err_set(m, ERR_CANCELED, "told to stop while loading");
    return l->source->read(l->source->context, to, n, got, m);
}

static enum err on_rdb(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    struct loading *l = context;
    l->source = source;
    const struct rdb_source own = {.context = l, .read = read_base, .size = source->size};
    struct rdb_loaded loaded;
    const enum err e = load_rdb(&own, l->server->engine, l->place, &loaded, m);
    if (!e) *used = loaded.bytes;
    return e;
}

static enum err on_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct loading *l = context;
    if (l->stopped) return err_set(m, ERR_CANCELED, "told to stop while loading");
    return engine_replay(l->server->engine, &l->session, argv, argc, m);
}

static void on_progress(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct loading *l = context;
    struct server *s = l->server;
    const int64_t now = clock_ticks_ns();
    s->loading_done = done_bytes;
    s->loading_total = total_bytes;
    if (now - l->said_ns > SAY_EVERY_NS && total_bytes) {
        l->said_ns = now;
        logger_line(s->logger, LOGGER_NOTICE, "Loading: %llu of %llu MB (%llu %%)",
                    (unsigned long long)done_bytes >> 20, (unsigned long long)total_bytes >> 20,
                    (unsigned long long)(done_bytes * 100 / total_bytes));
    }
    (void)uv_run(&s->loop, UV_RUN_NOWAIT);
    l->stopped = lifecycle_is_stopping(s);
}

enum err loader_run(struct server *s, const struct moment *until, struct log_report *report,
                    struct loaded_place *place, struct errmsg *m)
{
    struct loading l = {.server = s, .place = place, .said_ns = clock_ticks_ns()};
    const struct log_loader loader = {.context = &l, .rdb = on_rdb, .command = on_command, .progress = on_progress};
    const int64_t began = clock_ticks_ns();
    const enum err e =
        until ? log_restore(s->journal.log, until, &loader, report, m) : log_load(s->journal.log, &loader, report, m);
    if (l.stopped) return err_set(m, ERR_CANCELED, "told to stop while loading");
    if (e) return e;
    if (lifecycle_is_stopping(s)) return err_set(m, ERR_CANCELED, "told to stop while loading");
    if (!report->fresh)
        logger_line(s->logger, LOGGER_NOTICE, "DB loaded from %s: %.3f seconds", report->source,
                    (double)(clock_ticks_ns() - began) / 1e9);
    if (report->cut_bytes)
        logger_line(s->logger, LOGGER_WARNING,
                    "The log ended in the middle of a batch: its last %llu bytes were cut off",
                    (unsigned long long)report->cut_bytes);
    return ERR_OK;
}

static enum err read_stdio(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    FILE *f = context;
    *got = fread(to, 1, n, f);
    return *got == 0 && ferror(f) ? err_errno(m, "read") : ERR_OK;
}

enum err loader_read_file(const char *path, struct engine *e, struct loaded_place *place, struct errmsg *m)
{
    FILE *f = fopen(path, "re");
    if (!f) return err_errno(m, "cannot open %s", path);
    (void)setvbuf(f, NULL, _IOFBF, 1 << 20);
    (void)fseeko(f, 0, SEEK_END);
    const off_t size = ftello(f);
    (void)fseeko(f, 0, SEEK_SET);
    const struct rdb_source source = {.context = f, .read = read_stdio, .size = size > 0 ? (uint64_t)size : 0};
    struct rdb_loaded loaded;
    const enum err result = load_rdb(&source, e, place, &loaded, m);
    (void)fclose(f);
    return result ? err_wrap(m, result, "%s", path) : ERR_OK;
}

enum err loader_replay_batch(struct engine *e, struct session *session, struct span payload, struct errmsg *m)
{
    struct batch_commands commands = {.rest = payload};
    const struct span *argv;
    size_t argc;
    enum err result;
    while ((result = batch_next_command(&commands, &argv, &argc, m)) == ERR_OK) {
        result = engine_replay(e, session, argv, argc, m);
        if (result) break;
    }
    batch_commands_free(&commands);
    return result == ERR_MISSING ? ERR_OK : result;
}
