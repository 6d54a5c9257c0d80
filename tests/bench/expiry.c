/* Keys that all expire in the same second: how long is a slice of the cycle, and how many slices until few are left?
 *
 *     expiry [KEYS]          default 10 million
 *
 * The engine alone, driven as the server drives it: calls of engine_cycle() with its budget until a slice of a
 * millisecond is over, then a millisecond for others. Time is this thread's CPU time, so that a busy machine does not
 * show. Printed are the longest single call and slice, and how long it takes until few dead keys are left. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/engine.h"
#include "common/keyspace.h"

enum { BUDGET = 256, SLICE_NS = 1000000, REST_NS = 1000000, LASTING_SHARE = 10 };

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One key in LASTING_SHARE does not expire. */
static void fill(struct engine *e, uint64_t keys, int64_t expiry)
{
    struct db *d = engine_db(e, 0);
    for (uint64_t i = 0; i < keys; i++) {
        char key[32];
        const int n = snprintf(key, sizeof key, "key:%012llu", (unsigned long long)i);
        const struct value v = {.type = TYPE_STRING, .string = SPAN("a value of thirty-two bytes, yes")};
        (void)db_put(d, span_of(key, (size_t)n), &v, i % LASTING_SHARE ? expiry : expiry + 1000000);
    }
}

struct result {
    int64_t longest_call, longest_slice, total;
    uint64_t slices, log_bytes;
};

static struct result expire_all(struct engine *e, uint64_t lasting)
{
    struct result r = {0};
    struct buf log = {0};
    bool more = true;
    while (more) {
        struct effects effects;
        buf_reset(&log, SIZE_MAX);
        effects_begin(&effects, &log);
        const int64_t begin = now_ns();
        while (more && now_ns() - begin < SLICE_NS) {
            const int64_t call = now_ns();
            more = engine_cycle(e, 2000, BUDGET, &effects);
            if (now_ns() - call > r.longest_call) r.longest_call = now_ns() - call;
        }
        effects_end(&effects);
        const int64_t took = now_ns() - begin;
        if (took > r.longest_slice) r.longest_slice = took;
        r.total += took + REST_NS;
        r.slices++;
        r.log_bytes += log.len;
    }
    buf_free(&log);
    printf("left: %llu keys, of which %llu dead\n", (unsigned long long)engine_keys(e, 0),
           (unsigned long long)(engine_keys(e, 0) - lasting));
    return r;
}

int main(int argc, char **argv)
{
    const uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = engine_new(&options);
    fill(e, keys, 1000);
    printf("%llu keys, 9 of 10 die at once\n", (unsigned long long)keys);
    const struct result r = expire_all(e, (keys + LASTING_SHARE - 1) / LASTING_SHARE);
    printf("longest call %.3f ms, longest slice %.3f ms, %llu slices, %.1f s with a millisecond between them, "
           "%.0f MB of log\n",
           (double)r.longest_call / 1e6, (double)r.longest_slice / 1e6, (unsigned long long)r.slices,
           (double)r.total / 1e9, (double)r.log_bytes / 1e6);
    engine_free(e);
    return 0;
}
