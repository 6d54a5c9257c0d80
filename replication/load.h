/* What is on disk, into an engine: the usual log_loader. */
#pragma once

#include "common/engine.h"
#include "replication/log.h"

struct engine_load {
    struct engine *engine; /* empty, in the role of a replica or a primary; nothing expires by the clock */
    struct session session;
    uint64_t keys;                                                              /* that came out of a base */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes); /* may be NULL */
    void *context;
};

/* A loader that fills @load->engine; @load must outlive it. */
struct log_loader log_loader_engine(struct engine_load *load);
