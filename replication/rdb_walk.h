/* An RDB file looked through key by key, in the memory of its largest key. */
#pragma once

#include "common/rdb.h"
#include "replication/file_source.h"

/* What is found, in order; any member may be NULL. Any error that one returns ends the walk. */
struct rdb_walk {
    void *context;
    enum err (*aux)(void *context, struct span name, struct span value, struct errmsg *m);
    enum err (*function)(void *context, struct span code, struct errmsg *m);
    /* One key of database @db, whole. */
    enum err (*key)(void *context, uint64_t db, const struct entry *e, struct errmsg *m);
    void (*progress)(void *context, uint64_t bytes); /* so many more were read */
};

/* From the source's place on; it then stands behind the file's checksum. @loaded says how far it came, also on an error.
 * Errors: as rdb_load(); but a key that stands there twice is not noticed. */
MUST_USE enum err rdb_walk_file(struct file_source *f, const struct rdb_walk *walk, struct rdb_loaded *loaded,
                                struct errmsg *m);
