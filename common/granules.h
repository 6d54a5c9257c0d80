/* What of a hash table a walk has given, while the table changes.
 *
 * The hash is divided into equal parts, a bucket each at the beginning. The walk gives one after the other. What is about to
 * change in a part that was not reached yet is given first, as it is, and marked in its slot as seen (htable.h); so is what
 * comes new. A bit for each part says that the marks in it were set in order since the walk began; before the first of them
 * all are taken away. When the walk comes, it passes over what is marked. So nothing is given twice, a change costs one element,
 * and the memory is one bit for each bucket, whatever changes. The parts stay as they are when the table is resized. */
#pragma once

#include "common/htable.h"
#include "common/mem.h"

struct granules {
    uint64_t count;
    uint64_t next; /* those below were given */
    uint8_t *bits; /* of those from there on: set if marks count */
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

static inline bool granules_left(const struct granules *g) { return g->next < g->count; }

static inline bool granules_marked(const struct granules *g, uint64_t n) { return g->bits[n / 8] >> n % 8 & 1; }

/* The walk: what is to be given of the next part. The items of one that comes soon are fetched meanwhile. */
enum { GRANULES_AHEAD = 2 };
static inline struct htable_choice granules_walk(const struct granules *g, const struct htable *t)
{
    htable_prefetch_part(t, (struct htable_part){g->next + GRANULES_AHEAD, g->count});
    return (struct htable_choice){.part = {g->next, g->count},
                                  .which = granules_marked(g, g->next) ? HTABLE_UNSEEN : HTABLE_ALL};
}

/* The item with @hash is about to come, to go or to change: is there something to be given first? It must be then. */
static inline bool granules_change(struct granules *g, const struct htable *t, uint64_t hash, struct htable_choice *c)
{
    const uint64_t n = htable_part_of(hash, g->count);
    if (n < g->next) return false;
    *c = (struct htable_choice){.part = {n, g->count}, .which = HTABLE_ONE, .hash = hash};
    if (granules_marked(g, n)) return true;
    htable_unsee(t, c->part);
    g->bits[n / 8] = (uint8_t)(g->bits[n / 8] | 1u << n % 8);
    return true;
}
