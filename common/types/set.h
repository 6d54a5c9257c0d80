/* A set of distinct byte strings: an intset, a listpack, or a hash table, whichever is smallest for its content.
 *
 * Usable without the keyspace. Not thread-safe. */
#pragma once

#include "common/engine.h"
#include "common/htable.h"

struct set;

/* @hash_key as for htable_init(). */
struct set *set_new(const uint8_t *hash_key);
void set_free(struct set *s);
struct set *set_dup(const struct set *s);

uint64_t set_size(const struct set *s);
bool set_has(const struct set *s, struct span member);
bool set_add(struct set *s, struct span member, const struct encoding_limits *limits); /* false: it was there */
bool set_remove(struct set *s, struct span member);                                    /* false: it was not there */

/* Visit members from position @from on, about one bucket of them, or all of a small encoding; returns the position
 * to go on from, 0 at the end. Members are borrowed until the set changes, integers until @visit returns. */
typedef void set_visit(void *context, struct span member);
uint64_t set_scan(const struct set *s, uint64_t from, set_visit *visit, void *context);
/* Visit the chosen members (htable.h) of the large encoding. */
struct htable_choice;
void set_visit_chosen(const struct set *s, const struct htable_choice *c, set_visit *visit, void *context);
void set_each(const struct set *s, set_visit *visit, void *context);

/* A member, each with equal probability, appended to @to; the set is not empty. */
void set_random(const struct set *s, uint64_t (*random)(void *context), void *context, struct buf *to);

const char *set_encoding(const struct set *s); /* "intset", "listpack", "hashtable" */
size_t set_bytes(const struct set *s, uint64_t samples);
void set_check(const struct set *s);

/* The table of the large encoding, else NULL: for who watches it (watch.h). */
struct htable *set_table(const struct set *s);

/* For the RDB codec: the intset as it stands in memory, if that is the encoding (else an empty span). */
struct span set_intset(const struct set *s);
/* Make a set of an intset_t that intset_valid() approved; takes it. */
struct set *set_of_intset(void *intset, const uint8_t *hash_key, const struct encoding_limits *limits);
