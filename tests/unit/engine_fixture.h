/* An engine on the bench: commands as lines of words, replies as text, and the log of their effects. */
#pragma once

#include "common/engine.h"

struct fixture {
    struct engine *engine;
    struct command_set *commands;
    struct session session;
    int64_t now_ms;
    struct buf reply, log, text;
    struct effects effects;
    struct resp_parser parser;
    bool foresee; /* this request was looked at before its turn */
};

void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);

/* Execute a line ("SET key value", quotes as in redis-cli); the reply in the protocol's form, valid until the next
 * call. */
const char *fixture_do(struct fixture *f, const char *format, ...) PRINTF(2, 3);

/* The effects since the last call of this, one a line; valid until the next call. */
const char *fixture_log(struct fixture *f);

/* Replay everything that was logged since the start into a fresh engine; the caller frees it. */
struct engine *fixture_replay(struct fixture *f);

/* Are the data of two engines equal, expiry times included? */
bool engines_equal(const struct engine *a, const struct engine *b);
/* Does replaying what was logged since the start give equal data? */
bool fixture_replays(struct fixture *f);
