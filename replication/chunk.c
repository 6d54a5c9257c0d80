#include "replication/chunk.h"

#include <assert.h>

#include "common/mem.h"

struct chunk *chunk_copy(struct span bytes)
{
    assert(bytes.n > 0);
    struct chunk *c = mem_alloc(sizeof *c + bytes.n);
    *c = (struct chunk){.len = bytes.n};
    atomic_init(&c->refs, 1);
    memcpy(c->tail, bytes.p, bytes.n);
    c->bytes = c->tail;
    return c;
}

struct chunk *chunk_take(struct buf *b, size_t skip)
{
    assert(skip < b->len);
    /* A buffer that grew by half holds up to a third of air; chunks may live long, in the window. */
    if (b->cap - b->len > b->len / 8) b->p = mem_realloc(b->p, b->len);
    struct chunk *c = mem_alloc(sizeof *c);
    *c = (struct chunk){.len = b->len - skip, .owned = b->p, .bytes = b->p + skip};
    atomic_init(&c->refs, 1);
    *b = (struct buf){0};
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (!c) return;
    const unsigned before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1) return;
    mem_free(c->owned);
    mem_free(c);
}

size_t chunk_memory(const struct chunk *c) { return sizeof *c + c->len; }
