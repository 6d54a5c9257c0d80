/* Puts pieces (piece.h) into their order: runs of them go in, the bytes of stream 0 come out as one run.
 *
 * Stream 0 passes through. Other streams are kept until they are inserted: in memory up to a bound, beyond it in a
 * store of the caller's, such as a temporary file. Which thread, and what a store is, is the caller's matter. */
#pragma once

#include "common/piece.h"

/* Calls return errors that end the whole. */
struct collate_ops {
    void *context;
    /* The next bytes of the result. */
    enum err (*write)(void *context, struct span bytes, struct errmsg *m);
    /* Append to the store; *at says where. NULL: there is none, and memory has no bound. */
    enum err (*store)(void *context, struct span bytes, uint64_t *at, struct errmsg *m);
    enum err (*fetch)(void *context, uint64_t at, void *to, size_t n, struct errmsg *m);
    /* Nothing that is stored is needed any more. */
    enum err (*forget)(void *context, struct errmsg *m);
};

struct collate;

/* Keep at most about @most_bytes in memory. @ops is copied. */
struct collate *collate_new(const struct collate_ops *ops, size_t most_bytes);
void collate_free(struct collate *c); /* NULL is a no-op */

/* Take a run of whole pieces. Errors: ERR_CORRUPT  it is none, or names a stream that holds nothing; and those of the
 * calls. After an error only collate_free() may follow. */
MUST_USE enum err collate_take(struct collate *c, struct span run, struct errmsg *m);

/* Is anything kept that was not inserted? Not at the end of a whole data set. */
bool collate_pending(const struct collate *c);

/* Bytes that are kept in memory, and in the store. */
size_t collate_bytes(const struct collate *c);
uint64_t collate_stored(const struct collate *c);
