/* CLIENT TRACKING: what clients keep in caches of their own, and are told of when it changes.
 *
 *     by key:     a read of a tracking client -> its keys, with who has them;   a change -> those are told, and forgotten
 *     broadcast:  prefix -> its clients;    changes of a turn are gathered by prefix and told when it ends
 *
 * The table of keys is bounded (tracking-table-max-keys): beyond it a key is taken out, and told as if it had changed. Names
 * count, whatever the database, as in Redis. What is told waits for the log as the reply to the write does. A server
 * where nobody tracks pays one comparison a command, and none a change. Main thread. */
#pragma once

#include "common/buf.h"
#include "common/htable.h"
#include "common/reply.h"
#include "common/resp.h"

struct client;
struct command_entry;
struct server;
struct tracked_key;
struct tracking_prefix;

enum tracking_option {
    TRACKING_BCAST = 1 << 0,
    TRACKING_OPTIN = 1 << 1,
    TRACKING_OPTOUT = 1 << 2,
    TRACKING_NOLOOP = 1 << 3,
};

/* What a client said; client.tracking, NULL: it does not track. */
struct tracking_state {
    unsigned options;
    uint64_t redirect;                 /* id of the client that is told instead; 0: none */
    bool redirect_broken;              /* it is gone, and that was told */
    bool caching;                      /* CLIENT CACHING was said for the next command */
    struct tracking_prefix **prefixes; /* under TRACKING_BCAST; the empty one stands for all keys */
    size_t prefix_count;
};

struct tracking {
    struct htable keys;     /* struct tracked_key */
    uint64_t items;         /* pairs of a key and a client */
    uint64_t evict_at;      /* where in the table the next key is taken that is too much */
    struct htable prefixes; /* struct tracking_prefix */
    size_t *lengths;        /* how many prefixes there are of each length */
    size_t longest;         /* `lengths` goes as far as this */
    struct htable changed;  /* struct changed_key: of this turn, for broadcasts */
    uint64_t changed_position;
    size_t clients;
    uint8_t hash_key[HTABLE_KEY_BYTES];
};

void tracking_init(struct tracking *t);
void tracking_free(struct tracking *t);

/* Track with these options, added to what was said before; @prefixes are copied. */
void tracking_start(struct client *c, unsigned options, uint64_t redirect, const struct span *prefixes, size_t n);
/* Stop; also when it is closed. No-op if it does not track. */
void tracking_stop(struct client *c);
/* A prefix of @c that begins with @prefix, or the other way round; false: there is none. */
bool tracking_overlaps(const struct client *c, struct span prefix, struct span *other);
struct span tracking_prefix_name(const struct tracking_prefix *p);

/* A command was executed for a client that tracks: what it read is remembered. */
void tracking_read(struct client *c, const struct command_entry *e, const struct request *r);
/* A request of its is done with: CLIENT CACHING was for that one. */
void tracking_end_request(struct client *c, const struct command_entry *e);

/* From the observer of the engine. */
void tracking_touched(struct server *s, struct span key);
void tracking_flushed(struct server *s);
static inline bool tracking_any(const struct tracking *t) { return t->clients > 0; }

/* The turn ends: tell what was gathered. */
void tracking_end_turn(struct server *s);
