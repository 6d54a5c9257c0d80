/* Which parts of a hash table a walk has given: the hash is divided into equal ranges, about a bucket each, with a bit for
 * each that says "was given".
 *
 * The walk gives one after the other. What is about to change in one that was not given gives it first, as it is; from then
 * on anything may happen there. So nothing is given twice, and the memory is one bit for each bucket, whatever changes. The
 * ranges stay as they are when the table is resized. */
#pragma once

#include "common/htable.h"
#include "common/mem.h"

struct granules {
    uint64_t count;
    uint64_t next; /* those below were given */
    uint8_t *bits; /* of those from there on: set if it was */
};

/* For a table with so many buckets. */
static inline void granules_init(struct granules *g, uint64_t buckets)
{
    *g = (struct granules){.count = buckets, .bits = mem_zalloc(buckets / 8 + 1, 1)};
}

static inline void granules_free(struct granules *g)
{
    mem_free(g->bits);
    *g = (struct granules){0};
}

static inline size_t granules_bytes(const struct granules *g) { return mem_size(g->bits); }

/* The first position of granule @n (htable.h); of the one behind the last, the end of all positions. */
static inline uint64_t granules_begin(const struct granules *g, uint64_t n)
{
    const unsigned __int128 scaled = (unsigned __int128)n << HTABLE_POSITION_BITS;
    return (uint64_t)((scaled + g->count - 1) / g->count);
}

static inline uint64_t granules_of(const struct granules *g, uint64_t hash)
{
    return (uint64_t)((unsigned __int128)htable_position(hash) * g->count >> HTABLE_POSITION_BITS);
}

static inline bool granules_given(const struct granules *g, uint64_t n)
{
    return n < g->next || g->bits[n / 8] >> n % 8 & 1;
}

static inline void granules_mark(struct granules *g, uint64_t n)
{
    g->bits[n / 8] = (uint8_t)(g->bits[n / 8] | 1u << n % 8);
}

static inline bool granules_left(const struct granules *g) { return g->next < g->count; }
