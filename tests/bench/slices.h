/* Slices of the expiry cycle as the server takes them, and what they cost. Times are this thread's CPU time in
 * nanoseconds, so that a busy machine does not show. For the programs here that measure the cycle. */
#pragma once

#include <time.h>

#include "common/engine.h"

enum { BUDGET = 256, SLICE_NS = 1000000, REST_NS = 1000000 };
enum { MOST_SLICE_NS = 2000000, MOST_DEAD_PERCENT = 10 }; /* the targets */

static inline int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct result {
    int64_t longest_call, longest_slice, cpu, rest; /* rest: what was left to others between slices */
    uint64_t slices, log_bytes;
};

/* One slice; true if there is more to do at once. */
static inline bool slice(struct engine *e, int64_t now_ms, struct buf *log, struct result *r)
{
    struct effects effects;
    bool more = true;
    buf_reset(log, SIZE_MAX);
    effects_begin(&effects, log);
    const int64_t begin = now_ns();
    for (int64_t call = begin; more && call - begin < SLICE_NS;) {
        more = engine_cycle(e, now_ms, BUDGET, &effects);
        const int64_t end = now_ns();
        if (end - call > r->longest_call) r->longest_call = end - call;
        call = end;
    }
    effects_end(&effects);
    const int64_t took = now_ns() - begin;
    if (took > r->longest_slice) r->longest_slice = took;
    r->cpu += took;
    r->rest += REST_NS;
    r->slices++;
    r->log_bytes += log->len;
    return more;
}
