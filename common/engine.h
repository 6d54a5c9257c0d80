/* The engine: data sets, and the one door through which every change and every read of them comes.
 *
 *     clients, log replay, replicas, fuzzers, tests
 *                     |
 *          engine_execute(engine, session, now_ms, request, reply, effects)
 *
 * The engine has no socket, no file, no clock and no thread of its own: the time comes in as a number, and what is to
 * be logged goes out as effects, which are commands themselves, made exact (absolute expiry times, SPOP as SREM), so
 * that replaying them needs neither clock nor chance. One thread at a time. */
#pragma once

#include "common/command.h"
#include "common/eviction.h"
#include "common/reply.h"
#include "common/resp.h"

struct engine;
struct db;

/* When a small encoding gives way to a large one; Redis's settings by the same names. May change at run time. */
struct encoding_limits {
    size_t hash_max_listpack_entries, hash_max_listpack_value;
    size_t set_max_intset_entries, set_max_listpack_entries, set_max_listpack_value;
    size_t zset_max_listpack_entries, zset_max_listpack_value;
    int64_t list_max_listpack_size; /* positive: elements; -1 .. -5: 4, 8, 16, 32, 64 KB per node */
    size_t stream_node_max_bytes, stream_node_max_entries; /* 0: no limit */
    size_t hll_sparse_max_bytes;                           /* of a HyperLogLog's string */
};
#define ENCODING_LIMITS_DEFAULT                                                                          \
    {                                                                                                    \
        .hash_max_listpack_entries = 512, .hash_max_listpack_value = 64, .set_max_intset_entries = 512,  \
        .set_max_listpack_entries = 128, .set_max_listpack_value = 64, .zset_max_listpack_entries = 128, \
        .zset_max_listpack_value = 64, .list_max_listpack_size = -2, .stream_node_max_bytes = 4096,      \
        .stream_node_max_entries = 100, .hll_sparse_max_bytes = 3000                                     \
    }

/* When large values are freed in the background instead of at once; Redis's settings lazyfree-lazy-*. May change at run
 * time. */
struct lazy_settings {
    bool eviction, expire; /* of keys that are evicted, or expire */
    bool server_del;       /* of values that a command overwrites or removes on its way */
    bool user_del;         /* DEL as UNLINK */
    bool user_flush;       /* FLUSHALL and FLUSHDB that say neither SYNC nor ASYNC */
};

struct engine_options {
    unsigned databases;
    uint8_t hash_key[16]; /* secret, random per process; fixed in tests */
    uint64_t random_seed; /* SPOP, RANDOMKEY and the like */
    size_t max_bulk;      /* proto-max-bulk-len: the longest string value that a client may make */
    size_t max_effect; /* bytes that one command may list to be logged beyond its request; a batch must hold them */
    int64_t now_ms;    /* Unix time of the making: that keys which are loaded count as last used at */
    struct encoding_limits limits;
    struct eviction_settings eviction;
    struct lazy_settings lazy;
};
#define ENGINE_OPTIONS_DEFAULT                                                               \
    {                                                                                        \
        .databases = 16, .random_seed = 1, .max_bulk = 512u << 20, .max_effect = 256u << 20, \
        .limits = ENCODING_LIMITS_DEFAULT, .eviction = EVICTION_DEFAULT                      \
    }

struct call;
/* What a blocking command that found nothing asks for: to be executed again when one of its keys is ready (ready.h). */
struct session;
struct wait_wish {
    const struct command_entry *command;
    struct request request; /* as it is to be executed again; borrowed */
    unsigned type;          /* enum type of the values that it waits for */
    size_t first, count;    /* its keys among the arguments */
    int64_t timeout_ms;     /* 0: none */
};

/* How a session waits. Its owner keeps the wish, and executes it again with @again and the key set: then the command looks
 * at no other key, and where that has nothing to give, it sets @goes_on and writes no reply. */
struct waiting {
    void (*begin)(struct session *s, const struct wait_wish *wish);
    bool again, goes_on;
    struct span key; /* that is ready */
};

/* What a connection carries into the engine. */
struct session {
    unsigned db;
    bool no_touch; /* CLIENT NO-TOUCH: what it looks at does not count as used, but for TOUCH's word */
    /* May this call look at keys that stand in none of its arguments (BY and GET of SORT)? NULL: yes. */
    bool (*reads_all_keys)(const struct call *call);
    struct waiting *waiting; /* NULL: it must not wait (a transaction, a script, replay) */
};

/* Where a request comes from. */
enum origin {
    ORIGIN_CLIENT, /* expired keys are removed on touch, and that is logged */
    ORIGIN_LOG,    /* replay: nothing expires by the clock, nothing is evicted, no reply is wanted */
};

/* Whether expired keys are deleted here (a primary), or only hidden until the primary's log deletes them. */
enum engine_role { ENGINE_PRIMARY, ENGINE_REPLICA };

/* The stream of effects of one batch: requests in the protocol's form, appended to @out. A batch begins and ends in
 * database 0; effects_add() puts a SELECT where the database changes, effects_end() the last one. */
struct effects {
    struct buf *out;
    unsigned db;          /* the database in which the stream stands */
    uint64_t count;       /* effects so far, SELECTs not counted */
    unsigned frames;      /* effects_frame() that were not ended yet */
    uint64_t frame_count; /* `count` when the outermost began */
    size_t frame_at;      /* where in @out its first effect begins */
    bool framed;          /* its MULTI stands there */
};
void effects_begin(struct effects *fx, struct buf *out);
void effects_add(struct effects *fx, unsigned db, const struct span *argv, size_t argc);
void effects_add_raw(struct effects *fx, unsigned db, struct span raw); /* an encoded request, copied once */
void effects_end(struct effects *fx);
/* What is added until effects_unframe() belongs together: MULTI and EXEC stand around it in the log, if it is more than one
 * effect, so that a Redis that loads or follows the log takes all of it or nothing. Ours do anyway: a frame is never cut by
 * the end of a batch. Frames in a frame are part of it. */
void effects_frame(struct effects *fx);
void effects_unframe(struct effects *fx);

/* Who wants to know what changed; any member may be NULL. Called during engine_execute() and engine_cycle(). */
struct engine_observer {
    void *context;
    /* @key in @db is about to be, or was, changed by the running command. */
    void (*touched)(void *context, unsigned db, struct span key);
    /* All keys of @db (-1: of every database) are about to go, and those of @other (-1: none) to take their place. When
     * another data set comes, this is told before and after. */
    void (*flushed)(void *context, int db, int other);
    /* What keyspace notifications tell: a class by Redis's letter (enum event_class) and a name such as "lpush". */
    void (*event)(void *context, unsigned db, char event_class, const char *name, struct span key);
};

struct engine_stats {
    uint64_t keyspace_hits, keyspace_misses, expired_keys, evicted_keys;
    uint64_t expired_fields;             /* of hashes */
    uint64_t eviction_buckets;           /* of tables, that searches for keys to evict looked into */
    uint64_t cache_loads, cache_waits;   /* CACHE.GET: leases given; answers to those who found one held */
    uint64_t cache_fills, cache_refused; /* CACHE.FILL: stored; refused, for the lease was over */
    uint64_t dirty;                      /* changes since the engine was made */
};

struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *e);

/* Add the rows of all commands that the engine itself executes. */
void engine_add_commands(struct command_set *s);

/* Execute one command of engine_add_commands(). @command was found by the caller, who checked the arity and whatever else
 * a server checks (authentication, read-only replica, memory). Exactly one reply is appended. What is to be logged is
 * appended to @effects, whose count tells whether anything is; NULL: nothing is logged, and expired keys are hidden
 * instead of deleted. */
void engine_execute(struct engine *e, struct session *s, int64_t now_ms, const struct command_entry *command,
                    const struct request *request, struct reply *reply, struct effects *effects);

/* This request of @command is going to be executed behind the one at hand: hash its first key, and have the memory that it
 * will read on its way meanwhile. Once before the request at hand is executed, and once after. Neither changes anything,
 * and the data may change before its turn comes; only engine_swap() must not come between. */
void engine_foresee(const struct engine *e, const struct session *s, const struct command_entry *command,
                    struct request *request);
void engine_foresee_more(const struct engine *e, const struct session *s, const struct request *request);

/* Replay one effect. MULTI and EXEC, which Redis's own logs have around transactions, are passed over: whoever reads
 * the log hands over whole transactions only. FUNCTION changes engine_functions(). Errors: ERR_CORRUPT  unknown command, wrong arity, or the command
 * answered with an error: the log does not fit the data; @m says which. */
MUST_USE enum err engine_replay(struct engine *e, struct session *s, const struct span *argv, size_t argc,
                                struct errmsg *m);

void engine_set_role(struct engine *e, enum engine_role role);
void engine_keep_dead(struct engine *e,
                      bool keep); /* while nothing may change: reads hide what expired, and delete nothing */
void engine_set_observer(struct engine *e, const struct engine_observer *observer); /* copied */
struct encoding_limits *engine_limits(struct engine *e);
void engine_set_max_bulk(struct engine *e, size_t max_bulk);
const struct engine_stats *engine_stats(const struct engine *e);
void engine_reset_stats(struct engine *e);
double engine_stale_percent(
    const struct engine *e); /* of the keys that engine_cycle() looked at lately, those that had expired */
unsigned engine_databases(const struct engine *e);
uint64_t engine_keys(const struct engine *e, unsigned db);
uint64_t engine_expires(const struct engine *e, unsigned db); /* keys with an expiry time */
int64_t engine_mean_ttl(const struct engine *e, unsigned db); /* what those have to live, as engine_cycle() saw; ms */
uint64_t engine_timed_hashes(const struct engine *e, unsigned db); /* hashes with fields that have one */

/* Is there such a key? Changes nothing, and counts as no use. */
enum key_state {
    KEY_ABSENT,
    KEY_ALIVE,
    KEY_DEAD, /* its time is over, but it was not deleted yet */
};
enum key_state engine_key_state(const struct engine *e, unsigned db, struct span key, int64_t now_ms);
/* The type of its value (enum type); -1 if there is none that is alive. */
int engine_key_type(const struct engine *e, unsigned db, struct span key, int64_t now_ms);

/* Work for idle and periodic time: delete expired keys and fields of hashes (primary only), step pending resizes. Touches at
 * most about @budget keys and as many fields; returns true if there is more to do at once. Effects as of engine_execute(). */
bool engine_cycle(struct engine *e, int64_t now_ms, unsigned budget, struct effects *effects);

/* Remove the key that the policy finds least worth keeping, among those it may choose from; false if there is none, or
 * this is a replica: there the primary's log decides. How much memory that frees is for the caller to measure. Effects as
 * of engine_execute(). */
bool engine_evict(struct engine *e, int64_t now_ms, struct effects *effects);
void engine_set_eviction(struct engine *e, const struct eviction_settings *s); /* copied */
const struct eviction_settings *engine_eviction(const struct engine *e);

/* What is to be freed in the background by now, in constant time: the caller owns it and calls garbage_free()
 * (graveyard.h) on any thread. NULL if there is nothing. @objects: how many keys' values are in it. */
struct garbage;
struct garbage *engine_take_garbage(struct engine *e, uint64_t *objects);
void engine_set_lazy(struct engine *e, const struct lazy_settings *s); /* copied */

/* Redis's DEBUG DIGEST (SHA-1 based, without expiry times): equal data gives equal bytes, in Redis too. */
enum { ENGINE_DIGEST_BYTES = 20 };
void engine_digest(const struct engine *e, uint8_t digest[ENGINE_DIGEST_BYTES]);

/* The same with expiry times, and with zero scores that have no sign, to compare replicas and replays of ours. */
void engine_digest_full(const struct engine *e, uint8_t digest[ENGINE_DIGEST_BYTES]);

/* Redis's DEBUG DIGEST-VALUE of one key; zeros if there is none. */
void engine_digest_value(const struct engine *e, unsigned db, struct span key, uint8_t digest[ENGINE_DIGEST_BYTES]);

/* Assert every invariant of the data. Slow; for tests. */
void engine_check(const struct engine *e);

/* Exchange the data of two engines with the same number of databases: how a loaded snapshot takes the place of old
 * data. Hash keys go with their data; settings, statistics and observers stay, and the observers hear of a flush. */
void engine_swap(struct engine *a, struct engine *b);

/* For the codec (rdb.h) and the traversal (traversal.h): a database (NULL if there is none of that number), the secret
 * key of its tables, its time, and the traversal that is to be told of every change before it happens (NULL: none).
 * An engine with a traversal must be neither freed nor swapped. */
struct traversal;
struct functions; /* common/functions.h */
struct db *engine_db(struct engine *e, unsigned id);
const uint8_t *engine_hash_key(const struct engine *e);
/* The libraries of functions that belong to the data; they go with it in engine_swap(). */
struct functions *engine_functions(struct engine *e);
/* A command of the server's has changed the data: the functions. */
void engine_count_change(struct engine *e);
int64_t engine_now_ms(const struct engine *e); /* the latest time that came in */
void engine_set_traversal(struct engine *e, struct traversal *t);
/* Where goes what belongs to nobody any more. */
struct graveyard;
struct graveyard *engine_graveyard(struct engine *e);
