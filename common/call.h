/* One command at work: what a handler in common/commands/ sees, and all that it may do.
 *
 * A handler looks keys up here (never in the keyspace directly), changes what it found, says what it changed, and
 * writes exactly one reply:
 *
 *     static void sadd(struct call *c)
 *     {
 *         struct entry *e;
 *         if (!call_find(c, c->argv[1], TYPE_SET, FOR_WRITE, &e)) return;          // WRONGTYPE was replied
 *         if (!e) e = call_put(c, c->argv[1], &(struct value){.type = TYPE_SET, .set = set_new(call_hash_key(c))}, NO_EXPIRY);
 *         ... set_add(entry_object(e), ...) ...
 *         if (added) call_changed(c, EVENT_SET, "sadd", c->argv[1], added);
 *         reply_int(c->reply, added);
 *     }
 *
 * If a handler reports a change and lists no effect of its own, its request is logged as it came. A handler whose
 * request is not exact (relative times, chance, floats) lists its effects with call_effect(). */
#pragma once

#include "common/engine.h"
#include "common/keyspace.h"

struct call {
    struct engine *engine;
    struct session *session;
    struct db *db; /* the session's, when the command began */
    const struct command_entry *command;
    const struct span *argv;
    size_t argc;
    struct span raw; /* the request's own bytes, if it came as an array */
    int64_t now_ms;
    enum origin origin;
    struct reply *reply;
    struct effects *effects;
    uint64_t changes;    /* reported by call_changed() */
    bool effects_listed; /* the handler listed its own */
    bool hash_known;     /* of argv[1] */
    uint64_t hash;
    bool explicit_use; /* the command is there to use keys */
    const char *used;  /* a key that was looked up for a write: to put it then is the same use */
};

enum intent {
    FOR_READ,
    FOR_LOOK,   /* as FOR_READ, but it does not count as a use of the key */
    FOR_GLANCE, /* as FOR_LOOK, and no notification tells that there is none */
    FOR_WRITE,
};

/* Classes of keyspace events, by Redis's letters. */
enum event_class {
    EVENT_GENERIC = 'g',
    EVENT_STRING = '$',
    EVENT_LIST = 'l',
    EVENT_SET = 's',
    EVENT_HASH = 'h',
    EVENT_ZSET = 'z',
    EVENT_STREAM = 't',
    EVENT_EXPIRED = 'x',
    EVENT_EVICTED = 'e',
    EVENT_NEW = 'n',
    EVENT_MISS = 'm',
};

/* Look @key up in the session's database. *e is NULL if there is none (an expired one is none). With FOR_WRITE the
 * entry may be changed afterwards: a checkpoint under way has kept its image. False: the type is another and the
 * error was replied. The entry is valid until the next call_put(), call_delete() or call_find() FOR_WRITE. */
MUST_USE bool call_find(struct call *c, struct span key, enum type type, enum intent intent, struct entry **e);

/* As call_find() for any type. */
struct entry *call_find_any(struct call *c, struct span key, enum intent intent);

/* As call_find_any() FOR_LOOK in any database, without counting a hit or miss. */
struct entry *call_peek(struct call *c, unsigned db, struct span key);

/* It was used after all: for eviction. */
void call_use(struct call *c, struct entry *e);

/* Add or overwrite a key of the session's database. Takes the collection. */
struct entry *call_put(struct call *c, struct span key, const struct value *v, int64_t expiry);
struct entry *call_put_in(struct call *c, unsigned db, struct span key, const struct value *v, int64_t expiry);

/* Remove a key; false if there was none. */
bool call_delete(struct call *c, struct span key);
/* The same; @lazy: what is large is freed in the background. */
bool call_unlink(struct call *c, struct span key, bool lazy);

/* Give a key that exists another name, in the session's database or in @to, with value and expiry time. What stands
 * there is overwritten. The two are not the same. */
struct entry *call_move(struct call *c, struct span key, unsigned to, struct span to_key);

/* Store an integer in a string that was found FOR_WRITE, or (@e is NULL) in a new key; its expiry time stays. */
struct entry *call_put_int(struct call *c, struct span key, struct entry *e, int64_t v);

/* Make the string at @key (@e: found FOR_WRITE, or NULL) @n > 0 bytes long and give its bytes to be changed in place. */
struct entry *call_edit_string(struct call *c, struct span key, struct entry *e, size_t n, char **bytes);

/* Exchange the data of two databases. */
void call_swap(struct call *c, unsigned a, unsigned b);

/* Remove all keys of one database, or (-1) of all; returns how many there were. @lazy: in constant time, they are freed
 * in the background. */
uint64_t call_flush(struct call *c, int db, bool lazy);

/* Set or (NO_EXPIRY) clear the expiry time of an entry that was found FOR_WRITE. */
struct entry *call_set_expiry(struct call *c, struct entry *e, int64_t expiry);

/* The time by which a command tells dead fields of hashes: never, in replay. */
int64_t call_fields_now(const struct call *c);
/* A hash was found at @key in the session's database: delete dead fields of it, all of a small one, where this is a
 * primary. Returns the entry, or NULL if that was all of the hash. */
struct entry *call_reap_fields(struct call *c, struct entry *e);
/* Delete a field that is dead, before a command writes to it. Returns as above. */
struct entry *call_expire_field(struct call *c, struct entry *e, struct span field);
/* To be called after a change of a hash that has, or had, fields with expiry times. */
void call_settle_fields(struct call *c, struct entry *e);

/* Report that @key was changed @changes times, under the event's name in keyspace notifications. A collection that
 * this leaves empty must be removed by call_remove_if_empty(). */
void call_changed(struct call *c, enum event_class event_class, const char *event, struct span key, uint64_t changes);

/* As call_changed() for a change of which keyspace notifications say nothing. */
void call_touched(struct call *c, struct span key, uint64_t changes);

/* Remove the key if its collection is empty (reporting "del"); true if it was. */
bool call_remove_if_empty(struct call *c, struct span key, struct entry *e);

/* List an effect in place of the request itself. May be called several times. */
void call_effect(struct call *c, const struct span *argv, size_t argc);
#define CALL_EFFECT(c, ...)                            \
    call_effect(c, (const struct span[]){__VA_ARGS__}, \
                sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

/* A blocking command found nothing at its @count keys from argv[@first] on. True: its session waits for one of them to be
 * ready with a value of @type, and no reply is to be written. False: it must not wait; the command answers as if its time
 * were over. @argv: what is to be executed again, if not the request as it came (as many arguments), or NULL. */
MUST_USE bool call_wait(struct call *c, enum type type, size_t first, size_t count, int64_t timeout_ms,
                        const struct span *argv);
/* Does this key count? When a command is executed again, only the one that is ready. */
static inline bool call_regards(const struct call *c, struct span key)
{
    const struct waiting *w = c->session->waiting;
    return !w || !w->again || span_eq(w->key, key);
}
/* How long a blocking command waits, in milliseconds, rounded up; 0: for ever. */
MUST_USE bool call_timeout_s(struct call *c, struct span seconds, int64_t *timeout_ms);
MUST_USE bool call_timeout_ms(struct call *c, struct span ms, int64_t *timeout_ms);

/* Leases of keys (leases.h); NULL where none are given: on a replica. */
struct leases *call_leases(struct call *c);
struct engine_stats *call_count(struct call *c);

/* 64 random bits from the engine's seeded generator. */
uint64_t call_random(void *call);
uint64_t call_random_below(struct call *c, uint64_t bound);

/* As call_changed() for a key of another database; the caller has reported the change itself. */
void call_changed_in(struct call *c, unsigned db, enum event_class event_class, const char *event, struct span key);

/* Has the entry's time come, so that the command must not show it? (call_find() never gives such a one.) */
bool call_is_dead(const struct call *c, const struct entry *e);

/* Is a key with this expiry time dead at once? Never so in replay, nor on a replica: there the log decides. */
bool call_is_past(const struct call *c, int64_t expiry);

/* The longest string that may come into being. Replay has no limit: what was logged was allowed where it was done. */
size_t call_max_bulk(const struct call *c);
size_t call_max_effect(const struct call *c); /* bytes that a command may list as effects beyond its request */
const struct encoding_limits *call_limits(const struct call *c);
const struct lazy_settings *call_lazy(const struct call *c);
struct db *call_db(struct call *c, unsigned id);    /* NULL if there is no such database */
const uint8_t *call_hash_key(const struct call *c); /* for the tables of new collections */

/* Arguments. On failure the usual error has been replied. */
MUST_USE bool call_int(struct call *c, struct span s, int64_t *v);
/* @error: the reply where it is out of the range ("ERR ..."); NULL: the usual one. */
MUST_USE bool call_int_in(struct call *c, struct span s, int64_t min, int64_t max, int64_t *v, const char *error);
MUST_USE bool call_double(struct call *c, struct span s, double *v);

/* MATCH patterns of KEYS and the SCAN family: *, ?, [a-z], [^x], backslash. Cost is bounded by |pattern| x |text|. */
bool glob_match(struct span pattern, struct span text);

/* What SCAN, SSCAN, HSCAN and ZSCAN take after the cursor. */
struct scan_options {
    uint64_t cursor;
    uint64_t count;
    struct span match; /* p is NULL: everything */
    struct span type;  /* only SCAN; p is NULL: every type */
};
MUST_USE bool call_scan_options(struct call *c, size_t cursor_at, bool with_type, struct scan_options *o);
