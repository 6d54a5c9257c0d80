/* How a hash lies in memory: for hash.c, and for hash_expiry.c, which knows of fields that expire.
 *
 *     struct hash | body | -> listpack of field, value, field, value ...
 *                          -> table of pairs (IN_TABLE)
 *                          -> struct hash_times (TIMED) | body | -> listpack of field, value, time, field ...
 *                                                                -> table of pairs, some of which are marked
 *
 * The low bits of a pointer say what it leads to. A hash gets its struct hash_times when the first of its fields gets an
 * expiry time, and keeps it; one that never had such a field pays nothing for it. In a listpack the time is Unix time
 * in milliseconds, 0 for a field that stays; in a table the marked pairs have it behind their value. */
#pragma once

#include <assert.h>

#include "common/le.h"
#include "common/listpack.h"
#include "common/mem.h"
#include "common/types/hash_expiry.h"
#include "common/types/member.h"

enum { IN_TABLE = 1, TIMED = 2 };

struct hash {
    uintptr_t body;
    const uint8_t *hash_key;
};

struct hash_times {
    uintptr_t body;
    uint64_t count;  /* fields with a time */
    int64_t next_ms; /* no field expires before; INT64_MAX: none does at all */
    uint64_t sweep;  /* where the search for dead fields stands in the table */
    int64_t seen_ms; /* the earliest time of those that the search left alive so far */
    uint64_t place;  /* hash_place() */
};

static inline bool is_timed(const struct hash *h) { return h->body & TIMED; }
static inline struct hash_times *times_of(const struct hash *h) { return (struct hash_times *)(h->body - TIMED); }
static inline uintptr_t body_of(const struct hash *h) { return is_timed(h) ? times_of(h)->body : h->body; }
static inline bool in_table(const struct hash *h) { return body_of(h) & IN_TABLE; }
static inline struct htable *table_of(const struct hash *h) { return (struct htable *)(body_of(h) - IN_TABLE); }
static inline lp_t *pack_of(const struct hash *h) { return (lp_t *)body_of(h); }

/* Elements of the listpack that belong to one field. */
static inline unsigned pack_stride(const struct hash *h) { return is_timed(h) ? 3 : 2; }

static inline void put_body(struct hash *h, uintptr_t body)
{
    if (is_timed(h)) times_of(h)->body = body;
    else h->body = body;
}

static inline void put_pack(struct hash *h, lp_t *lp)
{
    put_body(h, (uintptr_t)lp);
    assert(!in_table(h));
}

static inline void put_table(struct hash *h, struct htable *t) { put_body(h, (uintptr_t)t | IN_TABLE); }

/* A field of the table. */
struct pair {
    struct span field, value;
};

static inline struct pair pair_of(const void *item)
{
    const unsigned char *at = item;
    const size_t field = member_take_length(&at), value = member_take_length(&at);
    return (struct pair){span_of(at, field), span_of(at + field, value)};
}

/* The expiry time of a marked pair. */
static inline int64_t pair_expiry(const void *item)
{
    const struct pair p = pair_of(item);
    return (int64_t)le_get_u64(p.value.p + p.value.n);
}

/* What the two files need of each other. */
void *hash_pair_new(struct span field, struct span value, int64_t expiry);
struct htable *hash_table_new(const uint8_t *hash_key, uint64_t expect);
void hash_table_free(struct htable *t);
/* Room for one more field without going over what a listpack may hold, or what the limits want to be in one. */
bool hash_pack_fits(const struct hash *h, bool known, struct span field, struct span value,
                    const struct encoding_limits *limits);
/* The element of @field in the listpack, or NULL. */
const lp_t *hash_pack_find(const struct hash *h, struct span field);
bool hash_times_remove(struct hash *h, struct span field); /* hash_remove() of one with times */
void hash_times_check(const struct hash *h);
struct hash *hash_times_dup(const struct hash *h);
