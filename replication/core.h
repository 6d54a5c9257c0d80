/* A node's core: everything that it decides towards other nodes. Events and the time go in, a todo list comes out; no
 * socket, no file, no clock. The same core runs in the server (uv_node.c) and in the simulator (tests/sim).
 *
 *      core.c     roles: who is primary, who steps down, who follows whom; visitors (connections that have not said yet
 *                 what they want)
 *      replica.c  our link to the node that we follow
 *      primary.c  the nodes that follow us (a replica can be followed too)
 *      herald.c   the peers that we know of, and telling them who is primary */
#pragma once

#include "common/fsm.h"
#include "replication/facts.h"
#include "replication/herald.h"
#include "replication/primary.h"
#include "replication/replica.h"
#include "replication/todo.h"
#include "replication/window.h"

struct core_settings {
    uint32_t heartbeat_ms;
    uint32_t timeout_ms;   /* without a word from the other end; and for a dial, a greeting, an answer */
    uint32_t retry_min_ms; /* first pause before dialing again; doubles, with jitter, up to: */
    uint32_t retry_max_ms;
    uint32_t probe_ms; /* a primary that starts asks its peers for no longer */
    size_t window_bytes;
    size_t backlog_bytes; /* received and not applied: above it reading pauses */
    size_t queue_bytes;   /* sent to one follower and not yet taken by the network: above it sending pauses */
    uint64_t seed;        /* for jitter */
    bool forgets;         /* the log is kept in no files: a replica reports nothing durable */
};

enum event_kind {
    EVENT_TICK, /* time has passed, or the events of one turn of the loop are over: timers, sending, acknowledging */

    /* From the main thread. */
    EVENT_FOLLOW, /* text:port; flag: take any data */
    EVENT_UNFOLLOW,
    EVENT_PROMOTED, /* facts: history and end of our log, which has a new epoch; the first event of a primary */
    EVENT_SUBMIT,   /* chunk: a closed batch (the core takes a reference of its own) */
    EVENT_PUBLISH, /* bulletin: for all who follow; its position was submitted (the core takes a reference of its own) */
    EVENT_ADVANCE,  /* position: batches were closed up to there, and are not kept in memory: see core_is_alone() */
    EVENT_PROGRESS, /* applied, durable */
    EVENT_LOADED,   /* flag: it succeeded, and facts are our log's now */
    EVENT_BASE_READY,
    EVENT_BASE_FAILED, /* text */
    EVENT_STEPPED_DOWN,

    /* Connections. */
    EVENT_OPENED,  /* the handshake is over: peer_id is what the other node claimed, text where it is */
    EVENT_MESSAGE, /* message, payload */
    EVENT_QUEUE,   /* size: bytes that the network has not yet taken */
    EVENT_CLOSED,  /* text: why; also a dial that failed */

    /* Files. */
    EVENT_LOG_OPENED,      /* error: OK, STALE, DIVERGED, ... */
    EVENT_LOG_READ,        /* error; payload of at least one byte, or none if no more is written yet */
    EVENT_BASE_OPENED,     /* error; size, position, */
    EVENT_BASE_READ,       /* error; payload */
    EVENT_SNAPSHOT_STORED, /* error, text */
};

struct core_event {
    enum event_kind kind;
    uint32_t conn;
    enum err error;
    bool flag;
    uint16_t port;
    uint64_t size, applied, durable;
    struct position position;
    const char *text;
    struct node_id peer_id;
    const struct facts *facts; /* only history, end and end_crc are read */
    struct chunk *chunk;
    struct bulletin *bulletin;
    const Relevo__Message *message;
    struct span payload;
};

enum { CORE_VISITORS = 64 };

struct visitor {
    uint32_t conn; /* 0: free */
    struct node_id id;
    char host[NODE_HOST_MAX + 1];
    int64_t since_ms;
};

/* Whom we met that outranks us. */
struct superior {
    struct node_peer peer;
    struct facts facts;
};

enum core_state {
    CORE_PROBING,  /* primary, asking its peers whether it still is */
    CORE_FETCHING, /* primary, getting from a peer what our log lost */
    CORE_PRIMARY,
    CORE_STEPPING, /* a higher epoch was met; the main thread closes its last batch */
    CORE_REPLICA,  /* follows, or has stopped following and was not promoted */
    CORE_FENCED,
};

struct core {
    struct core_settings set;
    unsigned state; /* enum core_state */
    struct facts self;
    uint64_t epoch_seen; /* the highest number heard of */
    uint64_t applied, durable;
    struct window *window;
    struct replica replica;
    struct primary primary;
    struct herald herald;
    struct visitor visitors[CORE_VISITORS];
    struct superior superior;
    bool standing;    /* the main thread is about to promote us: we follow nobody, and step down before nobody */
    bool needs_epoch; /* a fetch took our log behind the epoch that we opened at the start */
    unsigned fetches;
    uint64_t probe_until_ms;
    uint32_t last_conn;
    uint64_t random;
    int64_t now_ms;    /* of the step */
    struct todo *todo; /* of the step */
};

/* @self: who we are and what our log holds; its role says how we begin (EVENT_PROMOTED or EVENT_FOLLOW follows).
 * Copied. @peers are known from before. */
struct core *core_new(const struct core_settings *set, const struct facts *self, const struct node_peer *peers,
                      size_t peer_count);
void core_free(struct core *c);

/* A number for a connection that somebody opened to us. */
uint32_t core_visitor(struct core *c);

void core_step(struct core *c, int64_t now_ms, const struct core_event *ev, struct todo *todo);

/* EVENT_TICK is due at this time at the latest. */
int64_t core_deadline(const struct core *c);

const char *core_state_name(const struct core *c);
enum node_role core_role(const struct core *c);

/* We are primary and nobody is known who could want the log: a window in memory would serve nobody. */
bool core_is_alone(const struct core *c);

/* Least number for log_open_epoch() at a promotion. */
uint64_t core_next_epoch(const struct core *c);

/* For the parts of the core. */
Relevo__Message core_message(const struct core *c);    /* with our epoch, without a body */
uint64_t core_random(struct core *c, uint64_t bound);  /* below @bound (not 0) */
int64_t core_retry_at(struct core *c, unsigned tries); /* backoff with jitter */
void core_heard_epoch(struct core *c, const Relevo__Message *m);
void core_refuse(struct core *c, uint32_t conn, Relevo__Reason reason, const char *text); /* and close */
void core_set_log(struct core *c, const struct facts *log);                               /* history, end, checksum */
void core_met_superior(struct core *c, const struct facts *facts, const char *host, uint16_t port);
bool core_is_rejoin(const struct core *c, const struct facts *other); /* other's log is ours, or continues it */
