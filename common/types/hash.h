/* A map from field to value, both byte strings: a listpack while small, then a hash table.
 *
 * Usable without the keyspace. Not thread-safe. */
#pragma once

#include "common/engine.h"
#include "common/htable.h"

struct hash;

struct hash *hash_new(const uint8_t *hash_key);
void hash_free(struct hash *h);
struct hash *hash_dup(const struct hash *h);

uint64_t hash_size(const struct hash *h);

/* The value of @field; borrowed until the hash changes, or formatted into @scratch (NUM_I64_MAX_TEXT bytes). */
bool hash_get(const struct hash *h, struct span field, struct span *value, char *scratch);
/* True if the field is new. */
bool hash_set(struct hash *h, struct span field, struct span value, const struct encoding_limits *limits);
bool hash_remove(struct hash *h, struct span field);

/* As set_scan(), for pairs. */
typedef void hash_visit(void *context, struct span field, struct span value);
uint64_t hash_scan(const struct hash *h, uint64_t from, hash_visit *visit, void *context);
/* Visit the chosen pairs (htable.h) of the large encoding. */
struct htable_choice;
void hash_visit_chosen(const struct hash *h, const struct htable_choice *c, hash_visit *visit, void *context);
void hash_each(const struct hash *h, hash_visit *visit, void *context);

/* A pair, each with equal probability; the hash is not empty. @value may be NULL. */
void hash_random(const struct hash *h, uint64_t (*random)(void *context), void *context, struct buf *field,
                 struct buf *value);

const char *hash_encoding(const struct hash *h); /* "listpack", "listpackex", "hashtable" */
size_t hash_bytes(const struct hash *h, uint64_t samples);
void hash_check(const struct hash *h);

/* The table of the large encoding, else NULL: for who watches it (watch.h). */
struct htable *hash_table(const struct hash *h);

/* For the RDB codec: the listpack (field, value, field, value ...) as it stands in memory, if that is the encoding. */
struct span hash_listpack(const struct hash *h);
/* Make a hash of a listpack that lp_valid() approved, of an even count; takes it. False: a field stands in it twice. */
MUST_USE bool hash_of_listpack(void *listpack, const uint8_t *hash_key, const struct encoding_limits *limits,
                               struct hash **h);
