/* A temporary file for what does not fit into memory: bytes are appended, and read back by their place. It has no name
 * once it is open, so nothing of it outlives the process. One thread at a time. */
#pragma once

#include "replication/files.h"

struct spill;

/* @path is where it is made, on the first use; copied. @io is borrowed. */
struct spill *spill_new(const struct io_ops *io, const char *path);
void spill_free(struct spill *s); /* NULL is a no-op */

/* Append; *at says where. */
MUST_USE enum err spill_put(struct spill *s, struct span bytes, uint64_t *at, struct errmsg *m);
/* Read exactly @n bytes that were put. */
MUST_USE enum err spill_get(struct spill *s, uint64_t at, void *to, size_t n, struct errmsg *m);
/* Nothing of it is needed any more: its room on the disk is given back. */
MUST_USE enum err spill_clear(struct spill *s, struct errmsg *m);
