/* The cycle of expiry: how long is a slice of it, what does it cost, and how many dead keys does it leave?
 *
 *     expiry [KEYS]          default 10 million
 *
 * The engine alone, driven as the server drives it: calls of engine_cycle() with its budget until a slice of a
 * millisecond is over or few keys are dead, then a rest. Time is this thread's CPU time, so that a busy machine does not
 * show. First a tenth of the keys live a minute each, and come and go evenly: printed are the greatest share of dead ones, looked
 * at before each cycle, and what the cycle costs. Then nine keys of ten die in the same second: printed are the longest
 * single call and slice, and every half second how many of the keys that expire are dead. Exit status 1: a slice took more than
 * 2 ms, or more than a tenth were dead. */
#include <stdio.h>
#include <stdlib.h>

#include "common/keyspace.h"
#include "tests/bench/slices.h"

enum { LASTING_SHARE = 10, REPORT_NS = 500000000 };
enum { CYCLE_MS = 100, LIFE_MS = 60000, STEADY_MS = 3 * LIFE_MS };

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

static void report(const struct result *r)
{
    printf("longest call %.3f ms, longest slice %.3f ms, %llu slices, %.2f s of CPU, %.0f MB of log\n",
           (double)r->longest_call / 1e6, (double)r->longest_slice / 1e6, (unsigned long long)r->slices,
           (double)r->cpu / 1e9, (double)r->log_bytes / 1e6);
}

static struct result expire_all(struct engine *e, uint64_t lasting, struct buf *log)
{
    struct result r = {0};
    bool more = true;
    for (int64_t next = 0; more;) {
        const uint64_t expires = engine_expires(e, 0);
        if (r.cpu + r.rest >= next) {
            printf("%5.1f s: %.1f %% dead\n", (double)(r.cpu + r.rest) / 1e9,
                   100 * (double)(expires - lasting) / (double)expires);
            next += REPORT_NS;
        }
        more = slice(e, 2000, log, &r);
    }
    printf("%5.1f s: %.1f %% dead, with a millisecond between slices\n", (double)(r.cpu + r.rest) / 1e9,
           100 * (double)(engine_expires(e, 0) - lasting) / (double)engine_expires(e, 0));
    report(&r);
    return r;
}

/* Keys @from to @to, which all die at @expiry. */
static void put_some(struct engine *e, uint64_t from, uint64_t to, int64_t expiry)
{
    const struct value v = {.type = TYPE_STRING, .string = SPAN("a value of thirty-two bytes, yes")};
    for (uint64_t i = from; i < to; i++) {
        char key[32];
        const int n = snprintf(key, sizeof key, "key:%012llu", (unsigned long long)i);
        (void)db_put(engine_db(e, 0), span_of(key, (size_t)n), &v, expiry);
    }
}

/* Greatest share of dead keys in percent while @keys of them live at a time. */
static double steady(struct engine *e, uint64_t keys, struct buf *log, struct result *r)
{
    const uint64_t each = keys * CYCLE_MS / LIFE_MS;
    uint64_t made = 0, died = 0;
    double most = 0;
    for (int64_t now = CYCLE_MS; now <= STEADY_MS; now += CYCLE_MS) {
        put_some(e, made, made + each, now + LIFE_MS);
        made += each;
        if (now > LIFE_MS) died += each; /* those of a moment ago, LIFE_MS before */
        const uint64_t dead = died - engine_stats(e)->expired_keys;
        const double share = 100 * (double)dead / (double)engine_expires(e, 0);
        if (share > most) most = share;
        for (int64_t left = CYCLE_MS; left > 0 && slice(e, now + 1, log, r);) left -= 2;
    }
    return most;
}

int main(int argc, char **argv)
{
    const uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct buf log = {0};
    struct engine *e = engine_new(&options);
    struct result r = {0};
    printf("%llu keys that live a minute, dying evenly\n", (unsigned long long)(keys / 10));
    const double share = steady(e, keys / 10, &log, &r);
    printf("at most %.1f %% dead; %.2f %% of a core\n", share, (double)r.cpu / STEADY_MS / 1e4);
    report(&r);
    engine_free(e);
    e = engine_new(&options);
    fill(e, keys, 1000);
    printf("%llu keys, 9 of 10 die at once\n", (unsigned long long)keys);
    const struct result all = expire_all(e, (keys + LASTING_SHARE - 1) / LASTING_SHARE, &log);
    engine_free(e);
    buf_free(&log);
    return all.longest_slice > MOST_SLICE_NS || r.longest_slice > MOST_SLICE_NS || share > MOST_DEAD_PERCENT;
}
