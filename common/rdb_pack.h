/* Compresses the long strings of an RDB file while it goes by.
 *
 * The bytes that rdb.h writes come in, in pieces of any size; the same file comes out, with strings of PACK_LEAST bytes or
 * more in LZF where that makes them shorter. So whoever makes the bytes need not spend the time: another thread does. What
 * it does not understand passes unchanged from there on. Pure. */
#pragma once

#include "common/buf.h"

enum {
    RDB_PACK_LEAST = 128,    /* a shorter string costs more time than it saves room */
    RDB_PACK_MOST = 8 << 20, /* a longer one passes as it is: it would have to be kept whole */
};

struct rdb_packer;

struct rdb_packer *rdb_packer_new(void);
void rdb_packer_free(struct rdb_packer *p); /* NULL is a no-op */

/* Take @bytes; what can go on is appended to @out. */
void rdb_packer_take(struct rdb_packer *p, struct span bytes, struct buf *out);
/* The file is over, or goes on by other means: what was held back goes on as it is. */
void rdb_packer_end(struct rdb_packer *p, struct buf *out);
