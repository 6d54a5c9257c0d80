/* Fields of hashes that all expire in the same second: how long is a slice of the cycle, and when are few dead ones left?
 *
 *     expiry_fields [FIELDS]          default 10 million
 *
 * The engine alone, driven as the server drives it: calls of engine_cycle() with its budget until a slice of a millisecond
 * is over or few fields are dead, then a millisecond for others. Time is this thread's CPU time, so that a busy machine
 * does not show. The fields lie in one hash, in hashes of a thousand, and in hashes of ten; nine of ten die at once.
 * Printed are the longest call and slice, and when less than a tenth was dead; then half a minute in which
 * fields die evenly, with the greatest share of dead ones that a cycle leaves. Exit status 1: a slice took more than 2 ms,
 * or more than a tenth stayed dead. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/keyspace.h"
#include "common/types/hash_expiry.h"
#include "tests/bench/slices.h"

enum { LASTING_SHARE = 10, LASTING_MS = 100000000, CYCLE_MS = 100, STEADY_MS = 30000, BURST_MS = 1000 };

struct findings {
    struct result cost;
    int64_t few_after_ns; /* -1: not yet */
    double most_dead;     /* percent, of what a cycle left */
};

/* When field @i dies: at once, or evenly over a while; one in LASTING_SHARE does not. */
static int64_t time_of(uint64_t i, uint64_t fields, bool evenly)
{
    if (i % LASTING_SHARE == 0) return LASTING_MS;
    return evenly ? 1 + (int64_t)(i * 7919 % fields * STEADY_MS / fields) : BURST_MS;
}

static void fill(struct engine *e, uint64_t fields, uint64_t per_hash, bool evenly)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    for (uint64_t i = 0; i < fields;) {
        char text[32];
        struct hash *h = hash_new(engine_hash_key(e));
        for (const uint64_t end = i + per_hash; i < end && i < fields; i++) {
            const struct span field =
                span_of(text, (size_t)snprintf(text, sizeof text, "f%llu", (unsigned long long)i));
            (void)hash_set(h, field, SPAN("a short value"), &options.limits);
            hash_set_expiry(h, field, time_of(i, fields, evenly));
        }
        const struct span key = span_of(text, (size_t)snprintf(text, sizeof text, "h%llu", (unsigned long long)i));
        const struct value v = {.type = TYPE_HASH, .hash = h};
        db_settle_fields(engine_db(e, 0), db_put(engine_db(e, 0), key, &v, NO_EXPIRY));
    }
}

/* How many of the fields that are there are dead, if @died of @fields did so far. */
static double dead_percent(const struct engine *e, uint64_t fields, uint64_t died)
{
    const uint64_t deleted = engine_stats(e)->expired_fields;
    return 100 * (double)(died - deleted) / (double)(fields - deleted);
}

static struct findings burst(uint64_t fields, uint64_t per_hash, struct buf *log)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = engine_new(&options);
    struct findings r = {.few_after_ns = -1};
    const uint64_t died = fields - (fields + LASTING_SHARE - 1) / LASTING_SHARE;
    fill(e, fields, per_hash, false);
    /* Hashes in which few were dead rest for a moment: the clock goes on. */
    for (int64_t now_ms = BURST_MS + 1; now_ms < BURST_MS + 1000; now_ms += CYCLE_MS)
        for (bool more = true; more;) {
            more = slice(e, now_ms, log, &r.cost);
            if (r.few_after_ns < 0 && dead_percent(e, fields, died) < MOST_DEAD_PERCENT)
                r.few_after_ns = r.cost.cpu + r.cost.rest;
        }
    r.most_dead = dead_percent(e, fields, died);
    engine_free(e);
    return r;
}

static uint64_t died_until(uint64_t fields, int64_t now_ms)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < fields; i++) n += time_of(i, fields, true) < now_ms;
    return n;
}

static struct findings evenly(uint64_t fields, uint64_t per_hash, struct buf *log)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = engine_new(&options);
    struct findings r = {.few_after_ns = 0};
    fill(e, fields, per_hash, true);
    for (int64_t now_ms = CYCLE_MS; now_ms < STEADY_MS; now_ms += CYCLE_MS) {
        /* A rest between slices is a millisecond, and the next cycle begins on time. */
        for (unsigned slices = 0; slices < CYCLE_MS / 2 && slice(e, now_ms, log, &r.cost);) slices++;
        if (now_ms % (10 * CYCLE_MS)) continue;
        const double dead = dead_percent(e, fields, died_until(fields, now_ms));
        if (dead > r.most_dead) r.most_dead = dead;
    }
    engine_free(e);
    return r;
}

static bool report(const char *what, uint64_t per_hash, const struct findings *r)
{
    const bool met =
        r->cost.longest_slice <= MOST_SLICE_NS && r->most_dead <= MOST_DEAD_PERCENT && r->few_after_ns >= 0;
    printf("%-7s %9llu to a hash: longest call %.3f ms, longest slice %.3f ms, %.2f s of CPU, ", what,
           (unsigned long long)per_hash, (double)r->cost.longest_call / 1e6, (double)r->cost.longest_slice / 1e6,
           (double)r->cost.cpu / 1e9);
    if (r->few_after_ns > 0) printf("a tenth dead after %.2f s, ", (double)r->few_after_ns / 1e9);
    printf("at most %.1f %% left dead%s\n", r->most_dead, met ? "" : "   MISSED");
    (void)fflush(stdout);
    return met;
}

/* In a process of its own, so that the allocator does not give back in one what it got in another. */
static bool measure(bool at_once, uint64_t fields, uint64_t per_hash)
{
    const pid_t child = fork();
    if (child == 0) {
        struct buf log = {0};
        const struct findings r = at_once ? burst(fields, per_hash, &log) : evenly(fields, per_hash, &log);
        buf_free(&log);
        _exit(!report(at_once ? "at once" : "evenly", per_hash, &r));
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
    const uint64_t fields = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    const uint64_t sizes[] = {fields, 1000, 10};
    bool met = true;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        met &= measure(true, fields, sizes[i]);
        met &= measure(false, fields / 10, i ? sizes[i] : fields / 10);
    }
    return !met;
}
