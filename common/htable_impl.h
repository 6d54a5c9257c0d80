/* How the words of htable.h's head comment become code: the layout of a bucket, and where a position lies. Only for
 * htable.c, which changes tables, and htable_walk.c, which reads them.
 *
 *     word of a slot = | tag: bits 63-50 | seen: bit 49 | mark: bit 48 | pointer: bits 47-0 |       0: the slot is empty
 *     word of a link =  pointer to a chained bucket, bit 0 set (only ever in a bucket's last slot)
 *
 * Items and chained buckets come from an allocator, so bit 0 of their addresses is free. Allocators with size classes
 * (jemalloc) put blocks of a multiple of 64 bytes at such addresses, so a bucket does not straddle cache lines.
 *
 * A chain is packed: every bucket but its last holds seven items and the link, the last holds two to eight (an
 * unchained one none to eight), from slot 0 on without a hole. So a look-up may stop at the last bucket, and a removal
 * leaves no empty bucket.
 *
 * A resize moves live bucket 0, 1, 2 ... and puts `boundary` at the first position of the live bucket that is next.
 * Segments of the larger or smaller `next` are there for every position below the boundary; segments of `live` are gone
 * behind it. What stands in live buckets behind the boundary, within a segment that is not gone yet, is stale. */
#pragma once

#include <assert.h>

#include "common/htable.h"

enum {
    SLOTS = 8,
    LINK = SLOTS - 1,  /* the slot that may be a link */
    SEGMENT_BITS = 10, /* 1024 buckets are 64 KB */
    SEGMENT_BUCKETS = 1 << SEGMENT_BITS,
};

#define POSITIONS    (UINT64_C(1) << HTABLE_POSITION_BITS)
#define POINTER_MASK (POSITIONS - 1)
#define LINKED       UINT64_C(1)
#define MARK         POSITIONS
#define SEEN         (MARK << 1)
#define TAG_SHIFT    50

typedef unsigned __int128 wide;

struct htable_slot {
    uint64_t word;
};

struct htable_bucket {
    struct htable_slot slots[SLOTS];
};

_Static_assert(sizeof(struct htable_bucket) == 64, "a bucket is a cache line");

static inline void *item_of(uint64_t word) { return (void *)(uintptr_t)(word & POINTER_MASK); }

static inline uint64_t word_of(uint64_t hash, const void *item)
{
    const uint64_t address = (uint64_t)(uintptr_t)item;
    assert(item && (address & ~POINTER_MASK) == 0 && (address & LINKED) == 0);
    return (hash << HTABLE_POSITION_BITS & ~MARK) | SEEN | address;
}

static inline bool tag_fits(uint64_t word, uint64_t hash)
{
    return (word ^ hash << HTABLE_POSITION_BITS) >> TAG_SHIFT == 0;
}

/* The bucket behind @b in its chain, or NULL. */
static inline struct htable_bucket *linked(const struct htable_bucket *b)
{
    const uint64_t word = b->slots[LINK].word;
    return word & LINKED ? (struct htable_bucket *)(uintptr_t)(word - LINKED) : NULL;
}

static inline void link_to(struct htable_bucket *b, const struct htable_bucket *next)
{
    b->slots[LINK].word = (uint64_t)(uintptr_t)next | LINKED;
}

/* Items in the bucket itself. */
static inline unsigned bucket_items(const struct htable_bucket *b)
{
    if (linked(b)) return LINK;
    unsigned n = 0;
    while (n < SLOTS && b->slots[n].word) n++;
    return n;
}

/* Geometry. */

static inline uint64_t index_of(const struct htable_half *h, uint64_t position)
{
    return (uint64_t)((wide)position * h->buckets >> HTABLE_POSITION_BITS);
}

/* The first position of bucket @index; POSITIONS for the index behind the last bucket. */
static inline uint64_t start_of(const struct htable_half *h, uint64_t index)
{
    return (uint64_t)((((wide)index << HTABLE_POSITION_BITS) + h->buckets - 1) / h->buckets);
}

static inline struct htable_bucket *bucket_at(const struct htable_half *h, uint64_t index)
{
    return &h->segments[index >> SEGMENT_BITS][index & (SEGMENT_BUCKETS - 1)];
}

static inline struct htable_bucket *bucket_for(const struct htable *t, uint64_t position)
{
    const struct htable_half *h = position < t->boundary ? &t->next : &t->live;
    return bucket_at(h, index_of(h, position));
}

static inline uint64_t segments_of(uint64_t buckets) { return (buckets + SEGMENT_BUCKETS - 1) >> SEGMENT_BITS; }

static inline uint64_t segment_buckets(const struct htable_half *h, uint64_t segment)
{
    const uint64_t rest = h->buckets - (segment << SEGMENT_BITS);
    return rest < SEGMENT_BUCKETS ? rest : SEGMENT_BUCKETS;
}

static inline bool resizing(const struct htable *t) { return t->next.segments != NULL; }

static inline uint64_t position_of(const struct htable *t, uint64_t word)
{
    return htable_position(htable_hash(t, t->kind->key(item_of(word))));
}

/* Ask for the items of a bucket that will be read soon, so many cache lines of each, all at once instead of one miss after
 * the other. */
static inline void prefetch_lines(const struct htable_bucket *b, unsigned lines)
{
    for (unsigned i = 0; i < SLOTS; i++)
        for (unsigned line = 0; line < lines; line++)
            __builtin_prefetch((const char *)item_of(b->slots[i].word) + line * sizeof *b);
}

/* The same where only their keys will be, to be hashed. */
static inline void prefetch_items(const struct htable_bucket *b) { prefetch_lines(b, 1); }
