#include "replication/load.h"

#include "common/rdb.h"

static enum err load_base(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    struct engine_load *l = context;
    const struct rdb_target target = rdb_target_engine(l->engine);
    struct rdb_loaded loaded = {0};
    const enum err e = rdb_load(source, &target, &loaded, m);
    l->keys += loaded.keys;
    *used = loaded.bytes;
    return e;
}

static enum err load_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct engine_load *l = context;
    return engine_replay(l->engine, &l->session, argv, argc, m);
}

static void show(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    const struct engine_load *l = context;
    if (l->progress) l->progress(l->context, done_bytes, total_bytes);
}

struct log_loader log_loader_engine(struct engine_load *load)
{
    return (struct log_loader){.context = load, .rdb = load_base, .command = load_command, .progress = show};
}
