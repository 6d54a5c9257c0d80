/* Clients that wait for a key: BLPOP and its sisters, BZPOPMIN, XREAD BLOCK, XREADGROUP BLOCK.
 *
 *     the command finds nothing -> call_wait() -> its request is kept, the client queues at each of its keys
 *     one of them becomes ready -> blocked_serve(): those who wait for a value of its type are served in the order in
 *                                  which they came, each by executing its request again, until nothing is left
 *     its time is over, CLIENT UNBLOCK, the role changes -> it is answered so
 *
 * Served is after each outermost command, transaction or script, and when a turn ends (what a replica was sent, what has
 * expired): so whoever serves another by being served (BLMOVE) does it in the same turn, and nobody is served in the middle of
 * a transaction. Queueing, leaving and being served are O(1) per key, a deadline O(log n). Main thread. */
#pragma once

#include "common/engine.h"

struct blocked;
struct blocked_link;
struct client;
struct server;

struct blocking {
    size_t count;              /* clients */
    struct waiting waiting;    /* of the command at hand, while it may wait */
    struct blocked_link *next; /* to be looked at, while a key's clients are served */
};

void blocked_init(struct server *s);

/* Serve those whose keys became ready; blocked_serve() is for between two commands. */
void blocked_serve_ready(struct server *s);
void blocked_end_turn(struct server *s);
#define blocked_serve(s) ((s)->blocking.count ? blocked_serve_ready(s) : (void)0)

/* Answer as if its time were over, or (@error) that it was unblocked. False: it does not wait for keys. */
MUST_USE bool blocked_unblock(struct client *c, bool error);
/* This node became a replica, or follows another primary: all are told so, and closed. */
void blocked_role_changed(struct server *s);
/* The client is being closed. */
void blocked_forget(struct client *c);

/* Clients whose time will be over. */
size_t blocked_timed(const struct server *s);
/* Memory that the client's waiting takes. */
size_t blocked_bytes(const struct client *c);
