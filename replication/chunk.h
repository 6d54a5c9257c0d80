/* A run of whole batches of the log, immutable and shared.
 *
 * The main thread seals a batch into a chunk (or a replica receives one); from then on nobody changes it, and
 * the main, log and link threads each hold a reference for as long as they need the bytes. The bytes are
 * exactly those of the log at [offset, offset + len): annotation lines included. All batches of a chunk
 * belong to one epoch. */
#pragma once

#include <stdatomic.h>

#include "common/buf.h"

struct chunk {
    atomic_uint refs;
    uint64_t offset; /* of the first byte */
    uint64_t epoch;
    int64_t time_ms; /* of the last batch */
    uint32_t crc;    /* of the last batch: the chain's value at chunk_end() */
    size_t len;      /* bytes, never 0 */
    const char *bytes;
    char *owned; /* an allocation of its own that `bytes` point into, or NULL */
    char tail[]; /* the bytes of a chunk that is one allocation */
};

/* A chunk of a copy of @bytes, with one reference, which the caller gets. The other members are the caller's
 * to set before anybody else sees the chunk. */
struct chunk *chunk_copy(struct span bytes);

/* The same without a copy: takes the allocation of @b, whose first @skip bytes are not part of the chunk; @b
 * is empty afterwards. */
struct chunk *chunk_take(struct buf *b, size_t skip);

static inline struct chunk *chunk_ref(struct chunk *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

/* Give back a reference; the last one frees. NULL is a no-op. Any thread. */
void chunk_unref(struct chunk *c);

static inline uint64_t chunk_end(const struct chunk *c) { return c->offset + c->len; }
static inline struct span chunk_span(const struct chunk *c) { return span_of(c->bytes, c->len); }

/* Memory that the chunk holds, for budgets. */
size_t chunk_memory(const struct chunk *c);
