/* Loading what a Redis wrote: an append-only directory, a single append-only file, a dump, or the tail that it appended
 * to a segment of ours. */
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/rdb.h"
#include "replication/log_impl.h"
#include "replication/scan.h"

void load_progress(struct load *l, uint64_t bytes)
{
    enum { STEP = 4 << 20 };
    l->done += bytes;
    if (!l->loader->progress || (l->done < l->shown + STEP && l->done != l->total)) return;
    l->shown = l->done;
    l->loader->progress(l->loader->context, l->done, l->total);
}

struct rdb_feed {
    struct load *load;
    struct scan *scan;
};

static enum err feed(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    const struct rdb_feed *f = context;
    const enum err e = file_source_take(&f->scan->file, to, n, got, m);
    if (!e) load_progress(f->load, *got);
    return e;
}

enum err load_rdb(struct load *l, struct scan *s, struct errmsg *m)
{
    struct rdb_feed f = {l, s};
    const struct rdb_source source = {.context = &f, .read = feed, .size = s->file.size - s->file.at};
    const uint64_t begin = s->file.at;
    uint64_t used = 0;
    const enum err e = l->loader->rdb(l->loader->context, &source, &used, m);
    if (e) return err_wrap(m, e, "cannot load %s", s->file.path);
    file_source_seek(&s->file, begin + used);
    return ERR_OK;
}

/* Commands between MULTI and EXEC take effect together or, where the file ends before EXEC, not at all. */
struct transaction {
    bool open;
    uint64_t begin; /* position in the file */
    struct buf held;
};

static enum err replay(struct load *l, const struct span *argv, size_t argc, struct errmsg *m)
{
    l->report->commands++;
    return l->loader->command(l->loader->context, argv, argc, m);
}

static enum err replay_held(struct load *l, struct transaction *t, struct errmsg *m)
{
    struct batch_commands commands = {.rest = buf_span(&t->held)};
    const struct span *argv;
    size_t argc;
    enum err e;
    while (!(e = batch_next_command(&commands, &argv, &argc, m)))
        if ((e = replay(l, argv, argc, m))) break;
    batch_commands_free(&commands);
    t->open = false;
    buf_reset(&t->held, 1 << 20);
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err one_command(struct load *l, struct transaction *t, uint64_t at, const struct span *argv, size_t argc,
                            struct errmsg *m)
{
    if (argc == 1 && span_is(argv[0], "multi")) {
        if (t->open) return err_set(m, ERR_CORRUPT, "a transaction within a transaction");
        t->open = true;
        t->begin = at;
        return ERR_OK;
    }
    if (argc == 1 && span_is(argv[0], "exec"))
        return t->open ? replay_held(l, t, m) : err_set(m, ERR_CORRUPT, "EXEC without MULTI");
    if (!t->open) return replay(l, argv, argc, m);
    resp_encode(&t->held, argv, argc);
    return ERR_OK;
}

/* The file ends within a command or a transaction that began at position @at. */
static enum err cut_off(struct load *l, struct scan *s, uint64_t at, bool last, struct errmsg *m)
{
    if (!last || !l->log->o.load_truncated)
        return err_set(m, ERR_TRUNCATED,
                       "%s ends in the middle of a command at byte %" PRIu64
                       " (aof-load-truncated yes loads what comes before it, if it is the last file)",
                       s->file.path, at);
    l->report->cut_bytes += s->file.size - at;
    log_say(l->log, LOG_SAY_WARNING, "%s ends in the middle of a command: its last %" PRIu64 " bytes were not loaded",
            s->file.path, s->file.size - at);
    return ERR_OK;
}

enum err load_plain(struct load *l, struct scan *s, bool last, struct errmsg *m)
{
    struct transaction t = {.open = false};
    const struct span *argv;
    size_t argc;
    uint64_t at = s->file.at;
    enum err e;
    while (!(e = scan_command(s, &argv, &argc, m)) && !(e = one_command(l, &t, at, argv, argc, m))) {
        load_progress(l, s->file.at - at);
        at = s->file.at;
    }
    if (e == ERR_TRUNCATED || (e == ERR_MISSING && t.open)) e = cut_off(l, s, t.open ? t.begin : at, last, m);
    else if (e == ERR_MISSING) e = ERR_OK;
    else
        e = err_wrap(m, e, "cannot load %s, at byte %" PRIu64 " (redis-check-aof can cut it there)", s->file.path,
                     at);
    buf_free(&t.held);
    return e;
}

static enum err load_file(struct load *l, const char *dir, const char *name, bool last, struct errmsg *m)
{
    struct scan s = {0};
    struct span head;
    char *path = path_join(dir, name);
    enum err e = scan_open(&s, l->log->io, path, 0, UINT64_MAX, m);
    if (!e) e = file_source_want(&s.file, 6, &head, m);
    /* A dump is to be nothing else: the codec says what it is instead. */
    if (!e && (l->log->found == LOG_FOUND_DUMP || rdb_is_head(head))) e = load_rdb(l, &s, m);
    if (!e) e = load_plain(l, &s, last, m);
    scan_close(&s);
    mem_free(path);
    return e;
}

static void add_size(struct load *l, const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    const int64_t size = file_size(l->log->io, path);
    if (size > 0) l->total += (uint64_t)size;
    mem_free(path);
}

/* The last file that has a say: only that may be cut off. */
static enum err load_aof_dir(struct load *l, struct errmsg *m)
{
    const struct aof_manifest *a = &l->log->aof;
    static const char order[] = {'b', 'i'};
    size_t last = 0;
    for (size_t i = 0; i < a->count; i++) {
        if (a->files[i].type != 'h') add_size(l, l->log->path, a->files[i].name);
        if (a->files[i].type == 'i') last = i;
    }
    enum err e = ERR_OK;
    for (size_t k = 0; k < sizeof order; k++)
        for (size_t i = 0; i < a->count && !e; i++)
            if (a->files[i].type == order[k]) e = load_file(l, l->log->path, a->files[i].name, i == last, m);
    (void)snprintf(l->report->source, sizeof l->report->source, "%s as Redis left it", l->log->path);
    return e;
}

enum err load_foreign(struct load *l, struct errmsg *m)
{
    if (l->log->found == LOG_FOUND_AOF_DIR) return load_aof_dir(l, m);
    const char *name = l->log->found == LOG_FOUND_DUMP ? l->log->o.dump_name : l->log->o.append_name;
    add_size(l, l->log->o.dir, name);
    (void)snprintf(l->report->source, sizeof l->report->source, "%s/%s", l->log->o.dir, name);
    return load_file(l, l->log->o.dir, name, true, m);
}
