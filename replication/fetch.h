/* What another node has of this data, for `relevo check --fix --from`: a part of the log, a base, the epochs.
 *
 * The asking end speaks as a replica does: one whose log ends where the damage begins, so that the other node verifies that
 * place by the epochs and the checksum there, and goes on with its log, whose bytes are verified here, batch by batch; or one
 * that needs a snapshot; or, to learn the epochs, one of a lineage that nobody has, which is refused with the facts of who
 * refuses. So no second protocol is needed. It carries an id of its own and no address: nobody remembers it, and it never
 * acknowledges anything.
 *
 * Blocking, with a deadline for each step. */
#pragma once

#include "replication/history.h"
#include "replication/seal_keys.h"

/* Where bytes go, in order. */
struct fetch_sink {
    enum err (*take)(void *context, struct span bytes, struct errmsg *m);
    void *context;
};

/* What the one who was asked said of a base: where in the log it stands, and what the epochs of its own log are. */
struct fetch_base {
    struct position position;
    struct history history; /* owned by whoever gets this */
    uint64_t end;           /* of its log */
};

/* Somebody who can be asked: a node, or what a test has in its place.
 * Errors of all: ERR_DIVERGED  the other end has another history; ERR_TIMEOUT, ERR_AUTH, ERR_IO ...; and what a sink says. */
struct fetch_from {
    const char *name; /* for people */
    void *context;
    /* The log from @chain's offset up to @end, whole batches of @history; the chain moves to @end. Each piece is given to
     * @to, verified. Errors: ERR_STALE  it no longer has that part; ERR_RANGE  its log ends before. */
    enum err (*log)(void *context, const struct history *history, struct batch_chain *chain, uint64_t end,
                    const struct fetch_sink *to, struct errmsg *m);
    /* A base of the data whose log is @history up to @at at least; the whole file goes to @to. It may stand anywhere in
     * the other's log. Its checksum of transport is verified, its content is not. */
    enum err (*base)(void *context, const struct history *history, const struct position *at, struct fetch_base *got,
                     const struct fetch_sink *to, struct errmsg *m);
    /* Lineage and epochs of the data that it has. */
    enum err (*epochs)(void *context, struct history *history, struct errmsg *m);
};

struct fetch_options {
    const char *name; /* "host:port" */
    const char *host;
    uint16_t port;
    const struct seal_keys *keys;
    int timeout_ms; /* of silence */
};

/* A node. Borrows all. */
struct fetch_from fetch_from_node(const struct fetch_options *options);
