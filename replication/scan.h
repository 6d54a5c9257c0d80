/* Reading a file of the log from its front: our batches, verified; or plain commands, as a Redis writes them.
 *
 * Where our batches end before the file does, scan_classify() says why. */
#pragma once

#include "replication/file_source.h"
#include "replication/history.h"

struct scan {
    struct file_source file;
    uint64_t start; /* offset in the log of the file's first byte */
    struct resp_parser parser;
};

/* Open the segment @path that holds the log from @start on, up to the offset @end at most. */
MUST_USE enum err scan_open(struct scan *s, const struct io_ops *io, const char *path, uint64_t start, uint64_t end,
                            struct errmsg *m);
void scan_close(struct scan *s);

/* The next batch, verified; the chain moves. Its payload is borrowed until the next call.
 * Errors: ERR_MISSING    the end of the file, right behind a batch
 *         ERR_TRUNCATED  the file ends within a batch
 *         ERR_CORRUPT    what is there is not the batch that must follow; *m says why
 *         ERR_DIVERGED   the history does not fit what was read so far */
MUST_USE enum err scan_batch(struct scan *s, const struct history *history, struct batch_chain *chain,
                             struct batch *b, struct errmsg *m);

enum scan_end {
    SCAN_TORN,    /* the rest is what a power cut leaves of an unfinished batch */
    SCAN_FOREIGN, /* commands of a Redis follow */
    SCAN_DAMAGED, /* whole batches of ours follow behind the damage */
};

/* Why batches ended where the scan stands, after ERR_TRUNCATED or ERR_CORRUPT. For SCAN_DAMAGED *resume is the offset of
 * the first whole batch behind. Moves the scan. */
MUST_USE enum err scan_classify(struct scan *s, enum scan_end *end, uint64_t *resume, struct errmsg *m);

/* Pass over the line at the front, which begins with '#'. Errors: ERR_TRUNCATED, ERR_CORRUPT. */
MUST_USE enum err scan_comment(struct scan *s, struct errmsg *m);

/* The next plain command; lines that begin with '#' are passed over. *argv is valid until the next call.
 * Errors: ERR_MISSING, ERR_TRUNCATED, ERR_CORRUPT as above; the scan then stands behind the last whole command. */
MUST_USE enum err scan_command(struct scan *s, const struct span **argv, size_t *argc, struct errmsg *m);
