/* A counted B+ tree of zitems in the order of (score, member): what a large sorted set keeps its order in.
 *
 *     inner   | first item of each child, its score as an integer key | children | items below each child |
 *     leaf    | prev, next | base, shift | slots: | tag 16 | pointer to the item 48 | ... |
 *
 * A score is ordered as an unsigned integer (the usual trick on the bits of an IEEE double: flip all bits of a negative
 * number, the sign bit of any other; both zeros are one key). A leaf does not repeat its items' scores; each slot has a
 * tag of 16 bits, (key - base) >> shift, which grows with the key, so a search follows pointers only among slots of
 * equal tags: mostly one. Base and shift belong to the leaf and are widened, without a look at the items, whenever a
 * key falls outside. The counts give rank and select in O(log N).
 *
 * A leaf is 1 KB (a lone one grows up to that); at a fill of 70 % a member costs 12 bytes here. Members that arrive in
 * ascending or descending order leave full leaves behind. The tree borrows the items and frees none; while one is in
 * the tree, only btree_move() may change its score. Addresses must fit 48 bits, as those of user space do on x86-64
 * and arm64. Not thread-safe. */
#pragma once

#include "common/types/zitem.h"

struct btree {
    void *root;      /* a leaf if levels is 0; NULL while nothing was ever inserted */
    unsigned levels; /* of inner nodes */
    uint64_t count;
    size_t bytes; /* of the nodes */
};

void btree_init(struct btree *t);
void btree_free(struct btree *t); /* frees the nodes; the items are the caller's */

/* No item of the same member may be in the tree. */
void btree_insert(struct btree *t, struct zitem *item);

/* The item must be in the tree. */
void btree_remove(struct btree *t, const struct zitem *item);

/* Take out the item of rank @rank < count and give it back to the caller. */
struct zitem *btree_remove_at(struct btree *t, uint64_t rank);

/* Set the item's score and put it where it belongs then. */
void btree_move(struct btree *t, struct zitem *item, double score);

/* How many items stand before this one, which is in the tree. */
uint64_t btree_rank(const struct btree *t, const struct zitem *item);

/* How many items have a score below @score, or with @inclusive at most @score. */
uint64_t btree_count_below(const struct btree *t, double score, bool inclusive);

/* As above by member alone; meaningful where all scores are equal. */
uint64_t btree_count_before(const struct btree *t, struct span member, bool inclusive);

/* A place in the tree; dies with its next change. */
struct btree_place {
    const void *leaf; /* NULL: outside */
    unsigned at;
};
struct btree_place btree_seek(const struct btree *t, uint64_t rank); /* outside if rank >= count */
struct zitem *btree_item(struct btree_place place);
struct btree_place btree_step(struct btree_place place, bool backwards);

/* Assert every invariant: order, tags, counts, first items, links, no empty node. Slow; for tests. */
void btree_check(const struct btree *t);
