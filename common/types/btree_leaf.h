/* A leaf of the counted B+ tree: a sorted run of tagged pointers to items. Only for btree.c.
 *
 *     slot = | tag: 16 bits | pointer to a zitem: 48 bits |        tag = (key - base) >> shift
 *
 * Tags are exact, never clamped: base <= every key, and (the highest key - base) >> shift <= 65535. So a wider shift is
 * (tag >> d), and a lower base that is a multiple of 1 << shift away is (tag + m): both without touching an item. Only
 * a narrower shift reads the scores again; that is done after a split or a merge, when it pays. */
#pragma once

#include <assert.h>

#include "common/types/zitem.h"

/* Room is 12, 28, 60 or 124 slots: 128 to 1024 bytes in all. */
enum { LEAF_MIN_SLOTS = 12, LEAF_SLOTS = 124 };

struct leaf {
    struct leaf *prev, *next;
    uint64_t base; /* a key */
    uint16_t n, room;
    uint8_t shift; /* 0 .. 48 */
    uint64_t slots[];
};

/* Scores in their order as integers; both zeros are equal. */
static inline uint64_t key_of(double score)
{
    const double same = score == 0 ? 0.0 : score;
    uint64_t bits;
    memcpy(&bits, &same, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* What is searched for: a place in the order of (key, member). */
struct probe {
    uint64_t key;
    struct span member;
    int tie;  /* not 0: where items of the same key stand to the probe, whatever their member: -1 before, 1 behind */
    int same; /* where an item that is equal in all stands: -1 before, 0 it is the one, 1 behind */
    bool any_key; /* compare members alone */
};

/* Below 0: the item stands before the probe; 0: it is what is searched for; above 0: it stands behind. */
static inline int probe_order(const struct probe *p, uint64_t key, const struct zitem *item)
{
    if (!p->any_key) {
        if (key != p->key) return key < p->key ? -1 : 1;
        if (p->tie) return p->tie;
    }
    const int order = span_cmp(zitem_member(item), p->member);
    return order ? order : p->same;
}

static inline struct zitem *slot_item(uint64_t slot)
{
    return (struct zitem *)(uintptr_t)(slot & ((UINT64_C(1) << 48) - 1));
}

static inline uint64_t slot_tag(uint64_t slot) { return slot >> 48; }

static inline size_t leaf_size(unsigned room) { return sizeof(struct leaf) + room * sizeof(uint64_t); }

struct leaf *leaf_new(unsigned room);

/* How many of the leaf's items stand before the probe. */
unsigned leaf_find(const struct leaf *l, const struct probe *p);

/* Put the item at @at; there must be room, and it must be in order there. */
void leaf_put(struct leaf *l, unsigned at, struct zitem *item);
void leaf_cut(struct leaf *l, unsigned at);

/* The score of the item at @at was changed, without leaving its place in the order. */
void leaf_touch(struct leaf *l, unsigned at);

/* Move the items from @from on to the empty leaf @to. */
void leaf_split(struct leaf *l, unsigned from, struct leaf *to);

/* Append all of @right's items to @l, which has the room. */
void leaf_merge(struct leaf *l, const struct leaf *right);

void leaf_check(const struct leaf *l);
