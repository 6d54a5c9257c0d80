/* Commands by choice, to the engine and to the model, whose replies must be the same. */
#pragma once

#include "common/engine.h"
#include "tests/lib/model/model.h"

/* Where choices come from: random numbers in a test, the input in a fuzz target. */
struct model_choice {
    uint64_t (*below)(void *context, uint64_t bound);
    void *context;
};

struct model_run {
    struct model model;
    struct engine *engine;
    struct command_set *commands;
    struct session session;
    struct model_choice choice;
    const struct model_command *const *families; /* ended by NULL */
    uint64_t next_ms;                            /* of the next stream entry */
    struct buf line, words, log, reply, expected;
    struct effects effects;
};

/* @small_limits: collections turn large at three elements. */
void model_run_init(struct model_run *r, const struct model_command *const *families, struct model_choice choice,
                    bool small_limits);
void model_run_free(struct model_run *r);

/* Do one command. False: the replies differ; model_run_describe() says how. */
MUST_USE bool model_run_step(struct model_run *r);
/* Does replaying all effects give what the engine holds? */
MUST_USE bool model_run_replays(struct model_run *r);

/* The last command, what came and what was expected, as text; valid until the next call. */
const char *model_run_describe(struct model_run *r);

/* All families together, ended by NULL. */
extern const struct model_command *const model_all[];
