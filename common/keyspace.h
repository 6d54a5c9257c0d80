/* The keyspace: databases of entries, an entry being one key with its value and its expiry time.
 *
 * An entry is one allocation: a header of 8 bytes, the expiry time if there is one, the key, and a string value that is
 * short enough (an integer as an integer); longer strings and collections hang on it by a pointer. So an entry may move in
 * memory when its value or expiry changes: functions that change one return its new place.
 *
 * What stands here is for command handlers (through common/call.h, which does expiry, statistics and effects), for
 * the codec and for the digest. The layout is entry.c's own. */
#pragma once

#include "common/buf.h"
#include "common/htable.h"
#include "common/num.h"

/* Redis's own type numbers, which its DEBUG DIGEST takes in; 5 are its modules'. */
enum type { TYPE_STRING, TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH, TYPE_STREAM = 6, TYPE_COUNT };

#define NO_EXPIRY INT64_C(-1)

struct list;
struct set;
struct zset;
struct hash;
struct stream;

/* A value on its way into or out of the keyspace; a collection is owned by whoever holds the struct. */
struct value {
    enum type type;
    union {
        struct span string; /* borrowed; copied on the way in */
        struct list *list;
        struct set *set;
        struct zset *zset;
        struct hash *hash;
        struct stream *stream;
        void *object; /* any of them */
    };
};

struct entry;

/* "string", "list", ... as TYPE answers. */
const char *type_name(enum type t);

enum type entry_type(const struct entry *e);
struct span entry_key(const struct entry *e); /* borrowed */
int64_t entry_expiry(const struct entry *e);  /* Unix time in ms, or NO_EXPIRY */
void *entry_object(const struct entry *e);    /* the collection; never for a string */
/* A string's bytes: borrowed, or formatted into @scratch (NUM_I64_MAX_TEXT bytes) if it is kept as an integer. */
struct span entry_string(const struct entry *e, char *scratch);
bool entry_int(const struct entry *e, int64_t *v); /* a string that is kept as an integer */
size_t entry_bytes(const struct entry *e,
                   uint64_t samples);              /* memory with all that hangs on it; see object_bytes() */
const char *entry_encoding(const struct entry *e); /* as OBJECT ENCODING answers */

/* Keep a string's bytes as they are, whatever becomes of the entry, until they are let go: what edits it gets a copy, what
 * removes it leaves them. Not twice at a time. NULL: the string is so short that it has no memory of its own. */
struct blob;
struct blob *entry_hold_string(const struct entry *e, struct span *bytes);
void entry_let_go(struct blob *b);

/* 24 bits that belong to eviction: when the key was last used, in whatever unit the policy keeps. */
enum { ENTRY_CLOCK_BITS = 24, ENTRY_CLOCK_MASK = (1 << ENTRY_CLOCK_BITS) - 1 };
uint32_t entry_clock(const struct entry *e);
void entry_set_clock(struct entry *e, uint32_t clock);

/* Free the collection, if it is one. */
void value_free(struct value *v);

/* What differs between the collections, by type; COPY, the digest and memory figures use it. @object is never that of
 * a string. */
void object_free(enum type type, void *object);
void *object_dup(enum type type, const void *object);
uint64_t object_size(enum type type, const void *object); /* elements */
/* Memory of the collection and all that hangs on it. In a large one @samples of its elements stand for the others; 0: each
 * is looked at. */
size_t object_bytes(enum type type, const void *object, uint64_t samples);
enum { OBJECT_SAMPLES = 64 };
const char *object_encoding(enum type type, const void *object);
/* The table that a large set, hash or sorted set consists of; else NULL. */
struct htable *object_table(enum type type, const void *object);
/* Its owner is done with the collection. True: whoever watches it (watch.h) has it now. False: it is still to be freed. */
bool object_leave(enum type type, void *object);
void object_check(enum type type, const void *object); /* asserts every invariant; slow, for tests */

/* One database. */
struct db;
struct graveyard;

struct db *db_new(unsigned id, const uint8_t *hash_key);
void db_free(struct db *d);
void db_clear(struct db *d);
/* Where large values go that are removed while it is open, instead of being freed; NULL: nowhere. Borrowed. */
void db_set_graveyard(struct db *d, struct graveyard *g);
/* Empty the database in constant time: its data becomes garbage as a whole. Needs a graveyard. */
void db_bury(struct db *d);
unsigned db_id(const struct db *d);
uint64_t db_size(const struct db *d);
uint64_t db_expires(const struct db *d);
/* How long keys that expire have still to live, in ms on average, as far as db_learn_ttl() was told by samples; 0 if none
 * expires. Later samples count for more. */
int64_t db_mean_ttl(const struct db *d);
void db_learn_ttl(struct db *d, int64_t sample_ms);
struct expiry_map;
const struct expiry_map *db_expiry_map(const struct db *d); /* where those are that have an expiry time */
const struct htable *db_table(const struct db *d); /* items are struct entry; the mark says "has an expiry time" */

/* Size for @keys at once (loading); a hint. */
void db_expect(struct db *d, uint64_t keys);
/* At most @steps moves of a pending resize; true while one is pending. */
bool db_resize_step(struct db *d, unsigned steps);

/* The functions with _at take the key's hash, for callers that use it twice. */
uint64_t db_hash(const struct db *d, struct span key);

struct entry *db_find(const struct db *d, struct span key);
struct entry *db_find_at(const struct db *d, uint64_t hash, struct span key);

/* Add or overwrite; @expiry as entry_expiry(). Takes the collection of @v. A string in @v may lie in the entry that is
 * overwritten. Returns the entry's place. */
struct entry *db_put(struct db *d, struct span key, const struct value *v, int64_t expiry);
struct entry *db_put_at(struct db *d, uint64_t hash, struct span key, const struct value *v, int64_t expiry);

/* Change only the expiry time; the entry may move. */
struct entry *db_set_expiry(struct db *d, struct entry *e, int64_t expiry);

/* Overwrite a string that is kept as an integer by another; the entry stays where it is. */
void entry_set_int(struct entry *e, int64_t v);

/* Make a string @n bytes long, with zeros at the end where it grows, and give its bytes to be changed in place until
 * the next change of the keyspace; the entry may move. @n is at least 1. */
struct entry *db_edit_string(struct db *d, struct entry *e, size_t n, char **bytes);

/* Remove and free. False if there was none. */
bool db_remove(struct db *d, struct span key);
bool db_remove_at(struct db *d, uint64_t hash, struct span key);

/* Give the entry another key, in the same database or another, with its value and expiry time; what stood there is
 * overwritten. Collections and long strings are not copied. @key exists and is not @to_key in the same database. */
struct entry *db_move(struct db *d, struct span key, struct db *to, struct span to_key);

/* Hashes with fields that expire are found by the time when the first of them does: db_settle_fields() after any change of
 * such times, or of fields that have them, in a hash that is in the database. What else happens to an entry is kept
 * track of here. */
void db_settle_fields(struct db *d, struct entry *e);
uint64_t db_timed_hashes(const struct db *d); /* hashes that have fields with an expiry time */
/* The hash that is due first, if it is before @now_ms; NULL: none is. */
struct entry *db_due_hash(const struct db *d, int64_t now_ms);
/* Let other hashes go first until @until_ms; the next db_settle_fields() ends that. */
void db_put_off(struct db *d, struct entry *e, int64_t until_ms);

/* Exchange the data of two databases made with the same hash key; each keeps its number. O(1). */
void db_swap(struct db *a, struct db *b);

/* Assert every invariant of the database and of all that is in it. Slow; for tests. */
void db_check(const struct db *d);
