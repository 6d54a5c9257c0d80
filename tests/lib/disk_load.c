#include "tests/lib/disk_load.h"

#include "common/rdb.h"

static int no_sync(void *context, int fd)
{
    (void)context;
    (void)fd;
    return 0;
}

struct io_ops disk_load_io(void)
{
    struct io_ops io = io_posix;
    io.fdatasync = io.fsync = no_sync;
    return io;
}

struct target {
    struct engine *engine;
    struct session session;
};

static enum err take_rdb(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    const struct target *t = context;
    const struct rdb_target target = rdb_target_engine(t->engine);
    struct rdb_loaded loaded = {0};
    const enum err e = rdb_load(source, &target, &loaded, m);
    *used = loaded.bytes;
    return e;
}

static enum err take_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct target *t = context;
    return engine_replay(t->engine, &t->session, argv, argc, m);
}

enum err disk_load(const char *dir, struct engine *into, struct log_report *report, struct errmsg *m)
{
    const struct io_ops io = disk_load_io();
    struct log_options options = LOG_OPTIONS_DEFAULT;
    struct target target = {.engine = into};
    const struct log_loader loader = {.context = &target, .rdb = take_rdb, .command = take_command};
    struct log *log = NULL;
    options.dir = dir;
    options.io = &io;
    options.sync = LOG_SYNC_NO;
    enum err e = log_open(&options, &log, m);
    if (!e) e = log_load(log, &loader, report, m);
    log_close(log);
    return e;
}
