/* A part of the log, fetched from a node that has it: what `relevo check --fix --from` puts where damage was.
 *
 * The asking end follows, as a replica whose log ends where the damage begins: the other node verifies that by the epochs
 * and the checksum there, and goes on with its log; its bytes are verified here, batch by batch. So no second protocol is
 * needed, and nothing comes from another history. It carries an id of its own and no address: nobody remembers it.
 *
 * Blocking, with a deadline for each step. */
#pragma once

#include "replication/history.h"
#include "replication/seal_keys.h"

struct fetch_options {
    const char *host;
    uint16_t port;
    const struct seal_keys *keys;
    int timeout_ms; /* of silence */
};

/* The log from @chain's offset up to @end, whole batches of @history; the chain moves to @end. Each piece is given to
 * @take, verified. Errors: ERR_DIVERGED  the other end has another history; ERR_STALE  it no longer has that part;
 * ERR_TIMEOUT, ERR_AUTH, ERR_IO ...; and what @take says. */
MUST_USE enum err fetch_log(const struct fetch_options *options, const struct history *history,
                            struct batch_chain *chain, uint64_t end,
                            enum err (*take)(void *context, struct span batches, struct errmsg *m), void *context,
                            struct errmsg *m);
