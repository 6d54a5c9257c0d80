/* The hash table under the keyspace, sets, hashes and sorted sets: cache-line buckets in the order of the hash.
 *
 *     hash (64 bit) = | position: 48 bits | tag: 14 bits | unused: 2 |
 *
 *     bucket of position h in a table of n buckets = floor(h * n / 2^48)
 *
 *     bucket (64 bytes) = 8 slots of | tag 14 | seen 1 | mark 1 | pointer 48 |
 *
 * A slot holds a pointer to an item of the user, 14 bits of the item's hash, so that a look-up hardly ever follows a
 * wrong pointer, one mark bit that belongs to the user (the keyspace marks keys that expire), and one of a walk that goes on
 * while the table changes. A full bucket's last slot leads to a chained one.
 *
 * Because the bucket number grows with the hash whatever n is, everything that walks the table walks it in hash
 * order: a resize moves items from bucket 0 upward, so one boundary in hash space says which of the two tables holds
 * an item (a look-up never searches both); a SCAN cursor and a checkpoint are a position in hash space and survive
 * any number of resizes; and "was it visited" is one comparison. Buckets lie in segments of at most 64 KB, which are
 * allocated and freed one by one while a resize proceeds, so no step is longer than a few microseconds and memory
 * does not double. A table grows by a quarter to a third, not by two, so that it is never half empty.
 *
 * The hash is SipHash-2-4 (libsodium's crypto_shorthash) under a secret key: keys cannot be chosen to collide.
 * Not thread-safe. Items are the user's; the table frees none unless told to. */
#pragma once

#include "common/span.h"

enum { HTABLE_KEY_BYTES = 16, HTABLE_POSITION_BITS = 48 };

struct watch;

/* What the table must know of its items. */
struct htable_kind {
    struct span (*key)(const void *item); /* borrowed from the item */
    void (*free)(void *item);             /* for htable_free() and htable_clear(); may be NULL */
};

struct htable_half {
    struct htable_bucket **segments;
    uint64_t buckets;
};

/* Only its owner's functions look inside; it is public to be embedded. */
struct htable {
    const struct htable_kind *kind;
    const uint8_t *hash_key;       /* HTABLE_KEY_BYTES, borrowed, outlives the table */
    uint64_t count;                /* items */
    uint64_t chained;              /* buckets that hang behind others */
    struct htable_half live, next; /* next is in use during a resize: positions below `boundary` are there */
    uint64_t boundary;             /* a position; 0 when no resize is under way */
    struct watch *watch;           /* NULL, or who is told before items come, go or change (watch.h); borrowed */
};

/* A place in the table; valid until the next insert or remove. */
struct htable_slot;

void htable_init(struct htable *t, const struct htable_kind *kind, const uint8_t *hash_key);
void htable_free(
    struct htable *t); /* zero-initialised: nothing is done, so a start that fails early can end like any */
void htable_clear(struct htable *t); /* free the items, keep the table usable */

uint64_t htable_hash(const struct htable *t, struct span key);
static inline uint64_t htable_position(uint64_t hash) { return hash >> (64 - HTABLE_POSITION_BITS); }

/* The item with this key, or NULL. @hash is htable_hash() of @key. */
void *htable_find(const struct htable *t, uint64_t hash, struct span key);
struct htable_slot *htable_find_slot(struct htable *t, uint64_t hash, struct span key);

/* Have the memory that a look-up of @hash reads on its way before it is needed: the bucket; and later, when that is likely
 * to be here, the item. */
void htable_prefetch_bucket(const struct htable *t, uint64_t hash);
void htable_prefetch_item(const struct htable *t, uint64_t hash);

/* Add an item whose key is not in the table, without a mark or with @mark. Does a bounded step of a resize, as removal
 * does. */
void htable_insert(struct htable *t, uint64_t hash, void *item);
void htable_insert_marked(struct htable *t, uint64_t hash, void *item, bool mark);

/* Take the item out and give it to the caller; NULL if there is none. */
void *htable_remove(struct htable *t, uint64_t hash, struct span key);

void *htable_slot_item(const struct htable_slot *s);
void htable_slot_set(struct htable_slot *s, void *item); /* same key, same mark: the item moved in memory */
bool htable_slot_marked(const struct htable_slot *s);
void htable_slot_mark(struct htable_slot *s, bool mark);

/* Size for @items at once (loading); a hint. */
void htable_expect(struct htable *t, uint64_t items);

/* Do at most @steps bucket moves of a pending resize (grow or shrink); true while one is pending. For idle time. */
bool htable_resize_step(struct htable *t, unsigned steps);

/* Visit every item of one bucket: the one that holds position @from, and only items at or behind @from. Returns the
 * position behind that bucket, 0 at the end of the table. @visit may be called with up to some dozens of items and
 * must not change the table. With @marked_only, unmarked items are passed over without being touched. */
typedef void htable_visit(void *context, void *item, bool marked);
uint64_t htable_scan(const struct htable *t, uint64_t from, bool marked_only, htable_visit *visit, void *context);

/* One of @of equal parts of all hashes, as buckets are. While a table has @of buckets, parts and buckets are the same, and
 * nothing is hashed to tell what belongs to which. */
struct htable_part {
    uint64_t number, of;
};

static inline uint64_t htable_part_of(uint64_t hash, uint64_t of)
{
    return (uint64_t)((unsigned __int128)htable_position(hash) * of >> HTABLE_POSITION_BITS);
}

/* A slot has room for the mark of one walk too: "seen". It stays with its item wherever that is moved to, and an item that
 * is inserted is seen. What it says of others is arbitrary until it is taken from a part. It is no part of what a table holds. */
void htable_unsee(const struct htable *t, struct htable_part part);

/* Items of a part: all; or those that were not seen; or of these the one whose hash is said, and hardly ever another, which
 * are seen from then on. */
enum htable_which { HTABLE_ALL, HTABLE_UNSEEN, HTABLE_ONE };
struct htable_choice {
    struct htable_part part;
    enum htable_which which;
    uint64_t hash; /* in the part */
};
void htable_visit_chosen(const struct htable *t, const struct htable_choice *c, htable_visit *visit, void *context);

/* A part will be visited soon: have the memory of its items. */
void htable_prefetch_part(const struct htable *t, struct htable_part part);

/* To be called before an item is changed in place; insertion and removal tell the watch themselves. */
void htable_before_change(const struct htable *t, uint64_t hash);

/* One item, each with equal probability; NULL if empty. @random gives 64 uniformly random bits. */
void *htable_random(const struct htable *t, uint64_t (*random)(void *context), void *context);

/* Bytes of the table itself, without the items. */
size_t htable_bytes(const struct htable *t);

/* Assert every invariant: each item where its hash belongs, counts, chain shape. Slow; for tests. */
void htable_check(const struct htable *t);
