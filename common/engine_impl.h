/* What an engine consists of, for the files that are the engine; command handlers go through common/call.h. */
#pragma once

#include "common/engine.h"
#include "common/functions.h"
#include "common/graveyard.h"
#include "common/keyspace.h"
#include "common/leases.h"
#include "common/ready.h"
#include "common/traversal.h"

/* All databases with the secret that their tables are hashed by, and the libraries of functions: what engine_swap()
 * exchanges. */
struct dataset {
    uint8_t hash_key[HTABLE_KEY_BYTES];
    struct functions functions;
    unsigned count;
    struct db *dbs[];
};

/* Where the walk in search of dead keys stands. */
struct expire_cursor {
    unsigned db;
    uint64_t position;
};

/* How many of the keys that it looked at lately were dead; older looks count for less. */
struct expire_share {
    uint64_t looked_at, dead;
};

struct engine {
    struct dataset *data;
    struct engine_options options; /* the hash key in it is the first data set's */
    struct traversal *traversal;   /* NULL: none is under way */
    enum engine_role role;
    bool keeps_dead; /* reads find expired keys absent, and leave them */
    struct engine_observer observer;
    struct ready_table *ready; /* NULL: nobody ever waited for a key */
    struct leases *leases;     /* NULL: nobody ever took one */
    struct engine_stats stats;
    uint64_t random; /* state of the generator */
    int64_t now_ms;  /* the latest time that came in; replay has none of its own */
    struct expire_cursor expire;
    struct expire_share expire_share;
    unsigned fields_db; /* where the next dead hash fields are searched */
    struct eviction_pool *pool;
    struct graveyard graveyard;   /* the databases know it; open outside of special cases as lazy.server_del says */
    struct command_set *commands; /* for replay */
    struct buf unread;            /* what replayed commands reply */
};

/* Delete a key that no command deletes. The caller logs that, before. */
enum drop_reason { DROP_EXPIRED, DROP_EVICTED };
void engine_drop(struct engine *e, struct db *d, uint64_t hash, struct entry *entry, enum drop_reason why);

/* Delete dead fields of a hash, and list that to be logged: those that a search finds which looks at no more than @looks
 * timed fields (in a large hash; all, in a small one) and passes no more than @buckets of its table. True: that was all of
 * the hash, and the key is gone. */
struct field_search {
    int64_t now_ms;
    uint64_t looks, buckets;
};
struct field_harvest {
    uint64_t looked_at, passed, dead;
};
bool engine_reap_fields(struct engine *e, struct db *d, struct entry *entry, const struct field_search *search,
                        struct effects *effects, struct field_harvest *harvest);
/* Delete one field, which is dead; @effects may be NULL. True: the key is gone. */
bool engine_expire_field(struct engine *e, struct db *d, struct entry *entry, struct span field,
                         struct effects *effects);
/* The part of engine_cycle() that deletes dead hash fields. */
bool engine_expire_fields(struct engine *e, int64_t now_ms, unsigned budget, struct effects *effects);

/* 64 random bits; splitmix64 (Steele, Lea, Flood 2014): any seed is a good one. */
static inline uint64_t engine_random(struct engine *e)
{
    uint64_t z = e->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline bool entry_is_dead(const struct entry *e, int64_t now_ms)
{
    const int64_t expiry = entry_expiry(e);
    return expiry != NO_EXPIRY && expiry < now_ms;
}

/* To be called before any part of a key changes, or it appears or goes. */
static inline void engine_before_change(const struct engine *e, unsigned db, struct span key)
{
    if (e->traversal) traversal_before_change(e->traversal, db, db_hash(e->data->dbs[db], key));
}

static inline void engine_touched(const struct engine *e, unsigned db, struct span key)
{
    if (e->observer.touched) e->observer.touched(e->observer.context, db, key);
}

/* The same, and whoever waits for the key may have something to get. */
static inline void engine_touched_and_ready(const struct engine *e, unsigned db, struct span key)
{
    engine_touched(e, db, key);
    if (e->ready) ready_touched(e, db, key);
}

/* All keys of @db (-1: of every database) go now, and those of @other (-1: none) take their place. */
static inline void engine_flushed(const struct engine *e, int db, int other)
{
    if (e->observer.flushed) e->observer.flushed(e->observer.context, db, other);
    if (e->ready) ready_flushed(e->ready, db);
    if (e->leases) leases_void_all(e->leases);
}

static inline void engine_event(const struct engine *e, unsigned db, char event_class, const char *name,
                                struct span key)
{
    if (e->observer.event) e->observer.event(e->observer.context, db, event_class, name, key);
}
