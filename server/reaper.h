/* Frees in the background what the engine has taken out of its data: the values of UNLINK, whole databases of FLUSHALL
 * ASYNC.
 *
 * Happy path: engine_take_garbage() -> a worker thread frees it -> it is counted.
 * Failures:   no worker can be had -> it is freed on the spot.
 * At the end of the process the loop runs until all work is done. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct server;

struct reaper {
    uint64_t pending; /* objects that are yet to be freed */
    uint64_t freed;   /* objects, since the start or CONFIG RESETSTAT */
};

/* Have freed what there is by now; once per turn. True if anything is under way. */
bool reaper_collect(struct server *s);
