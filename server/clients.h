/* All clients, and what they share: the buffer that is read into, limits, and the list of those with unsent replies. */
#pragma once

#include <uv.h>

#include "common/buf.h"
#include "common/htable.h"
#include "common/resp.h"
#include "server/config.h"

struct client;
struct server;

enum { CLIENTS_READ_BYTES = 64 * 1024 };

struct clients {
    struct client *first, *last;       /* in the order of their ids */
    struct client *dirty;              /* have replies that were not offered to the socket yet */
    struct client *resumed, *resuming; /* may go on with requests that waited: in a turn to come, in this one */
    uv_idle_t idle;                    /* active while there are any */
    size_t count;
    struct htable by_id;
    uint8_t hash_key[HTABLE_KEY_BYTES];
    uint64_t next_id;
    uint64_t round;   /* counted from 1; in each, every client is heard once that has something to say */
    bool passed_over; /* somebody must wait for another turn of this round: this one is full */
    struct resp_limits limits, limits_before_auth;
    struct output_limit output[OUTPUT_CLASSES];
    unsigned writes_held; /* reasons: bits of enum hold_writes */
    uv_timer_t pause;     /* until CLIENT PAUSE is over */
    int64_t pause_end_ms; /* of uv_now() */
    size_t memory;        /* of all clients, as far as they were counted (maxmemory-clients) */
    size_t memory_max;    /* 0: no limit */
    size_t pending_max;   /* replies of one client above which no more of its requests are executed */
    size_t query_max;
    struct client *executing; /* whose reply is being made; NULL: nobody's */
    struct buf pushed;        /* messages for it that came meanwhile */
    uint64_t pushed_position; /* that the last of them depends on */
    char *read_buffer;        /* CLIENTS_READ_BYTES */
    char *sealed_buffer;      /* the same for what comes by TLS */
    struct resp_argv argv;    /* of the request at hand, while the one behind it is parsed already */
};

void clients_init(struct server *s);
void clients_free(struct server *s);

/* Take over limits from the settings. */
void clients_configure(struct server *s);

/* May requests of this client be executed now? Not if it was heard in this round, nor when the turn has taken long already
 * (turn_is_full()): then the round goes on in the next turn, with those that were passed over. */
bool clients_may_hear(const struct client *c);
/* Its requests were. */
void clients_heard(struct client *c);

/* Send what became ready in this turn; clients that are done or too slow are closed. */
void clients_flush(struct server *s);

/* Periodic: idle clients, slow readers, buffers larger than needed. */
void clients_tend(struct server *s);

/* Let commands that write wait, and what their clients send behind them, until all reasons are gone. */
enum hold_writes {
    HOLD_FOR_REPLICAS = 1 << 0, /* a stop waits for them */
    HOLD_FOR_DISK = 1 << 1,     /* too much of the log waits for it */
    HOLD_FOR_SNAPSHOT = 1 << 2, /* too much of a snapshot waits for it */
    HOLD_FOR_PAUSE = 1 << 3,    /* CLIENT PAUSE */
    HOLD_ALL = 1 << 4,          /* CLIENT PAUSE ALL: beside it, the other commands wait too */
};
void clients_hold_writes(struct server *s, unsigned why, bool held); /* bits of enum hold_writes */

/* CLIENT PAUSE: writes, or @all commands, wait for @ms; a pause under way is only ever extended. Nothing expires and nothing is
 * evicted meanwhile. */
void clients_pause(struct server *s, int64_t ms, bool all);
void clients_unpause(struct server *s);
static inline bool clients_are_paused(const struct clients *all) { return all->writes_held & HOLD_FOR_PAUSE; }

/* Count the memory of a client whose buffers may have changed; with maxmemory-clients, in time for the end of the turn, when
 * clients_flush() closes the largest ones while all together are above it. */
void clients_count_memory(struct client *c);

/* The client may execute again: it goes on in a turn to come. */
void clients_resume_later(struct client *c);
/* It is being closed. */
void clients_forget(struct client *c);

/* What clients.by_id finds a client by. */
struct span clients_id_of(const void *client);
struct client *clients_find(struct server *s, uint64_t id);
/* Nothing more is executed; what is answered is still sent. */
void clients_stop(struct server *s);
void clients_close_all(struct server *s);
size_t clients_blocked(const struct server *s);
