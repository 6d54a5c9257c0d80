/* The following end of a link: how a node joins the one that it follows, and stays with it.
 *
 *      idle -> dialing -> joining -> streaming
 *                 ^          |           ^
 *                 |          +-> receiving -> storing -> loading
 *              waiting (pause with backoff and jitter, after any failure)
 *
 * Rules, in this order, when the other end has said what it is and has:
 *   - no data of ours is replaced by another lineage's, unless an operator said so;
 *   - no node is followed whose epoch is of a lower rank than ours, or of our rank and lower, unless ...;
 *   - none whose log is shorter than ours while ours is not its beginning, unless ... (or it was promoted: a higher rank);
 *   - else the log is continued where ours is a beginning of its, and replaced by a snapshot where it is not. */
#pragma once

#include "replication/assembler.h"
#include "replication/facts.h"

struct core;
struct core_event;

enum replica_state {
    REPLICA_IDLE,
    REPLICA_WAITING,
    REPLICA_DIALING,
    REPLICA_JOINING,
    REPLICA_RECEIVING, /* a snapshot */
    REPLICA_STORING,   /* all is received, not yet fsynced */
    REPLICA_LOADING,   /* the main thread loads it; the link may break meanwhile */
    REPLICA_STREAMING,
};

struct replica {
    unsigned state;          /* enum replica_state */
    struct node_peer target; /* whom we follow; its id is known once it was met */
    bool take_any;           /* an operator said so; until it was used */
    bool loading;            /* the main thread was asked to load and has not answered */
    bool need_base;          /* the log that came did not fit ours although the epochs said so */
    bool paused;
    bool ack_due;
    bool salvage;  /* what the snapshot replaces is to be kept */
    uint32_t conn; /* 0: none */
    unsigned tries;
    int64_t retry_at_ms, heard_ms, acked_ms, down_since_ms;
    struct facts upstream;
    struct position base; /* of the snapshot that comes */
    uint64_t base_size, base_got;
    uint32_t base_crc;
    struct assembler *assembler;
    struct buf bulletin; /* as far as it has come */
    uint64_t primary_end, primary_committed, primary_time_ms;
    uint64_t fetch_until; /* not 0: follow only up to there */
    char error[256];      /* why the link is not up */
};

void replica_free(struct replica *r);

/* Follow host:port from now on, whatever we did before. */
void replica_follow(struct core *c, const char *host, uint16_t port, bool take_any);
void replica_unfollow(struct core *c);

/* Events of our connection, and of the snapshot that is received. */
bool replica_owns(const struct core *c, uint32_t conn);
void replica_event(struct core *c, const struct core_event *ev);
void replica_tick(struct core *c);
int64_t replica_deadline(const struct core *c);

bool replica_linked(const struct replica *r); /* streaming */
const char *replica_state_name(const struct replica *r);
