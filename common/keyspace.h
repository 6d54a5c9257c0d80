/* The keyspace: databases of entries, an entry being one key with its value and its expiry time.
 *
 * An entry is one allocation: a header, the expiry time if there is one, the key, and a string value that is short
 * enough (an integer as an integer); longer strings and collections hang on it by a pointer. So an entry may move in
 * memory when its value or expiry changes: functions that change one return its new place.
 *
 * What stands here is for command handlers (through common/call.h, which does expiry, statistics and effects), for
 * the codec and for the digest. The layout is keyspace.c's own. */
#pragma once

#include "common/buf.h"
#include "common/htable.h"
#include "common/num.h"

enum type { TYPE_STRING, TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH, TYPE_COUNT };

#define NO_EXPIRY INT64_C(-1)

struct list;
struct set;
struct zset;
struct hash;

/* A value on its way into or out of the keyspace; a collection is owned by whoever holds the struct. */
struct value {
    enum type type;
    union {
        struct span string; /* borrowed; copied on the way in */
        struct list *list;
        struct set *set;
        struct zset *zset;
        struct hash *hash;
        void *object; /* any of the four */
    };
};

struct entry;

/* "string", "list", ... as TYPE answers. */
const char *type_name(enum type t);

enum type entry_type(const struct entry *e);
struct span entry_key(const struct entry *e);         /* borrowed */
int64_t entry_expiry(const struct entry *e);          /* Unix time in ms, or NO_EXPIRY */
void *entry_object(const struct entry *e);            /* the collection; never for a string */
/* A string's bytes: borrowed, or formatted into @scratch (NUM_I64_MAX_TEXT bytes) if it is kept as an integer. */
struct span entry_string(const struct entry *e, char *scratch);
bool entry_int(const struct entry *e, int64_t *v);    /* a string that is kept as an integer */
size_t entry_bytes(const struct entry *e);            /* memory of the entry and all that hangs on it */
const char *entry_encoding(const struct entry *e);    /* as OBJECT ENCODING answers */

/* A collection's pieces by type; the codec and COPY use them. */
void value_free(struct value *v);

/* One database. */
struct db;

struct db *db_new(unsigned id, const uint8_t *hash_key);
void db_free(struct db *d);
void db_clear(struct db *d);
uint64_t db_size(const struct db *d);
uint64_t db_expires(const struct db *d);
const struct htable *db_table(const struct db *d); /* items are struct entry; the mark says "has an expiry time" */

struct entry *db_find(const struct db *d, struct span key);

/* Add or overwrite; @expiry as entry_expiry(). Takes the collection of @v. Returns the entry's place. */
struct entry *db_put(struct db *d, struct span key, const struct value *v, int64_t expiry);

/* Change only the expiry time; the entry may move. */
struct entry *db_set_expiry(struct db *d, struct entry *e, int64_t expiry);

/* Remove and free. False if there was none. */
bool db_remove(struct db *d, struct span key);

/* Take the value out of the keyspace without freeing its collection (a string is copied into @string, which the
 * caller frees), and remove the key. */
bool db_take(struct db *d, struct span key, struct value *v, int64_t *expiry, struct buf *string);

/* Exchange the data of two databases made with the same hash key; each keeps its number. O(1). */
void db_swap(struct db *a, struct db *b);

void db_check(const struct db *d);
