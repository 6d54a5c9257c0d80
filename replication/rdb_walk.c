#include "replication/rdb_walk.h"

struct walking {
    struct file_source *file;
    const struct rdb_walk *walk;
    struct db *db; /* holds one key at a time, whichever database it is of */
    uint64_t id;
};

static enum err feed(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    const struct walking *w = context;
    const enum err e = file_source_take(w->file, to, n, got, m);
    if (!e && w->walk->progress) w->walk->progress(w->walk->context, *got);
    return e;
}

static struct db *any_db(void *context, uint64_t id)
{
    struct walking *w = context;
    w->id = id;
    return w->db;
}

static enum err take_key(void *context, struct db *db, struct entry *entry, struct errmsg *m)
{
    struct walking *w = context;
    const enum err e = w->walk->key ? w->walk->key(w->walk->context, w->id, entry, m) : ERR_OK;
    (void)db_remove(db, entry_key(entry));
    return e;
}

enum err rdb_walk_file(struct file_source *f, const struct rdb_walk *walk, struct rdb_loaded *loaded,
                       struct errmsg *m)
{
    static const uint8_t hash_key[HTABLE_KEY_BYTES];
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    struct walking w = {.file = f, .walk = walk, .db = db_new(0, hash_key)};
    const uint64_t begin = f->at;
    const struct rdb_source source = {.context = &w, .read = feed, .size = f->size - f->at};
    const struct rdb_target target = {.db = any_db,
                                      .db_context = &w,
                                      .aux = walk->aux,
                                      .aux_context = walk->context,
                                      .function = walk->function,
                                      .function_context = walk->context,
                                      .key = take_key,
                                      .key_context = &w,
                                      .hash_key = hash_key,
                                      .limits = &limits,
                                      .max_string = SIZE_MAX};
    const enum err e = rdb_load(&source, &target, loaded, m);
    if (!e) file_source_seek(f, begin + loaded->bytes);
    db_free(w.db);
    return e;
}
