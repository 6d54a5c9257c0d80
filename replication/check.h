/* `relevo check PATH`: is what lies on disk whole, and what of it?
 *
 * Nothing is changed unless `fix` is set; then a damaged or torn tail is cut off at the last whole batch
 * before the damage, after what is cut was copied to a salvage file beside it. A damage that whole batches
 * follow loses those as well, so the report says how many. */
#pragma once

#include "common/err.h"
#include "replication/files.h"

struct check_options {
    bool fix;
    const struct io_ops *io;                                                    /* NULL: the real ones */
    void (*line)(void *context, const char *text);                              /* one line of the report */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL */
    void *context;
};

struct check_result {
    uint64_t problems, fixed;
};

/* @path is a working directory, an appendonlydir, a segment, an AOF, or an RDB file.
 * Errors: ERR_MISSING and the like where nothing could be checked at all; damage found is in @result. */
MUST_USE enum err check_path(const char *path, const struct check_options *options, struct check_result *result,
                             struct errmsg *m);
