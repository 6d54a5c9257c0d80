/* Writing one large key of an RDB file in parts: what comes before its elements, and some of them at a time. The whole of a
 * key, and of a file, is rdb.h's. */
#pragma once

#include "common/rdb.h"

/* A key up to its value: expiry time, kind, name. */
void rdb_put_key(struct buf *out, const struct entry *e);

/* A number of elements, as it stands before them. */
void rdb_put_length(struct buf *out, uint64_t n);

/* The elements of a set, hash or sorted set in a table whose hashes lie in [@from, @to) (htable.h); returns how many. */
uint64_t rdb_put_elements(struct buf *out, enum type type, const void *object, uint64_t from, uint64_t to);
