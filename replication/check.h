/* `relevo check PATH`: is what lies on disk whole, and what of it?
 *
 * Nothing is changed unless `fix` is set. Then
 *
 *     a log with a damage     is cut at the last whole batch before it, and what lies behind goes aside; or, with `from`,
 *                             gets the damaged range from a node that has it
 *     a missing segment       likewise
 *     a base with a damage    gives way to an older one that is kept (or to the log, where that is there from its
 *     or a missing one        beginning); or, with `from`, to one from a node that has it, wherever in its log it stands
 *     a manifest              is written anew out of the files, if these leave no doubt; with `from`, ids that only the
 *                             damaged one knew are learned from a node
 *
 * What is cut off or replaced lies beside it then, under a name with ".salvage-" in it. A damage that whole batches
 * follow loses those as well when it is cut, so the report says how many. */
#pragma once

#include "common/err.h"
#include "replication/fetch.h"
#include "replication/files.h"

struct check_options {
    bool fix;
    const struct fetch_from *from;                 /* NULL: nobody is asked */
    const struct io_ops *io;                       /* NULL: the real ones. Of others the directory is not locked */
    void (*line)(void *context, const char *text); /* one line of the report */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL */
    void *context;
};

struct check_result {
    uint64_t problems, fixed;
};

/* @path is a working directory, an appendonlydir, a segment, an AOF, or an RDB file.
 * Errors: ERR_BUSY  to be fixed, but a process uses the directory; ERR_MISSING and the like where nothing could be
 * checked at all; damage found is in @result. */
MUST_USE enum err check_path(const char *path, const struct check_options *options, struct check_result *result,
                             struct errmsg *m);
