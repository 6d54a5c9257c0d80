#include "server/latency.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"

struct latency {
    struct latency_event events[LATENCY_EVENTS];
};

struct latency *latency_new(void) { return MEM_NEW(struct latency); }
void latency_free(struct latency *l) { mem_free(l); }

static struct latency_event *find(const struct latency *l, struct span name)
{
    for (size_t i = 0; i < LATENCY_EVENTS; i++)
        if (l->events[i].name && span_eq(span_str(l->events[i].name), name))
            return (struct latency_event *)(uintptr_t)&l->events[i];
    return NULL;
}

static struct latency_event *find_or_make(struct latency *l, const char *name)
{
    struct latency_event *e = find(l, span_str(name));
    for (size_t i = 0; i < LATENCY_EVENTS && !e; i++)
        if (!l->events[i].name) {
            e = &l->events[i];
            e->name = name;
        }
    return e;
}

static struct latency_sample *newest(struct latency_event *e)
{
    return &e->samples[(e->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
}

void latency_add(struct latency *l, const char *event, uint64_t ms, int64_t at_s)
{
    struct latency_event *e = find_or_make(l, event);
    assert(e); /* our own names: there is room for all */
    if (ms > e->longest_ms) e->longest_ms = ms;
    if (e->count && newest(e)->at_s == at_s) {
        if (ms > newest(e)->ms) newest(e)->ms = ms;
        return;
    }
    e->samples[e->next] = (struct latency_sample){at_s, ms};
    e->next = (e->next + 1) % LATENCY_SAMPLES;
    if (e->count < LATENCY_SAMPLES) e->count++;
}

const struct latency_event *latency_find(const struct latency *l, struct span name) { return find(l, name); }

const struct latency_event *latency_at(const struct latency *l, size_t n)
{
    for (size_t i = 0; i < LATENCY_EVENTS; i++)
        if (l->events[i].name && n-- == 0) return &l->events[i];
    return NULL;
}

const struct latency_sample *latency_sample_at(const struct latency_event *e, size_t i)
{
    return &e->samples[(e->next + LATENCY_SAMPLES - e->count + i) % LATENCY_SAMPLES];
}

bool latency_reset(struct latency *l, struct span name)
{
    struct latency_event *e = find(l, name);
    if (e) *e = (struct latency_event){0};
    return e;
}

size_t latency_reset_all(struct latency *l)
{
    size_t n = 0;
    while (latency_at(l, n)) n++;
    *l = (struct latency){0};
    return n;
}

/* ---- For people ---- */

struct summary {
    uint64_t least_ms, most_ms, mean_ms, deviation_ms; /* of the samples; mean distance from the mean */
    int64_t span_s;                                    /* from the first to the last */
};

static struct summary summarize(const struct latency_event *e)
{
    struct summary s = {.least_ms = UINT64_MAX};
    uint64_t sum = 0;
    for (size_t i = 0; i < e->count; i++) {
        const uint64_t ms = latency_sample_at(e, i)->ms;
        if (ms < s.least_ms) s.least_ms = ms;
        if (ms > s.most_ms) s.most_ms = ms;
        sum += ms;
    }
    s.mean_ms = sum / e->count;
    sum = 0;
    for (size_t i = 0; i < e->count; i++) {
        const uint64_t ms = latency_sample_at(e, i)->ms;
        sum += ms > s.mean_ms ? ms - s.mean_ms : s.mean_ms - ms;
    }
    s.deviation_ms = sum / e->count;
    s.span_s = latency_sample_at(e, e->count - 1)->at_s - latency_sample_at(e, 0)->at_s;
    return s;
}

/* "42s", "7m", "3h", "2d": at most three characters for some months. */
static void format_age(int64_t seconds, char to[8])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;
    if (seconds < 0) seconds = 0;
    while (i + 1 < sizeof units / sizeof *units && seconds < units[i].seconds) i++;
    (void)snprintf(to, 8, "%lld%c", (long long)(seconds / units[i].seconds % 10000), units[i].unit);
}

void latency_graph(const struct latency_event *e, int64_t now_s, struct buf *to)
{
    enum { COLUMNS = 80, HEIGHT = 4, AGE_ROWS = 5 };
    const size_t first = e->count > COLUMNS ? e->count - COLUMNS : 0;
    const struct summary s = summarize(e);
    buf_printf(to, "%s - high %" PRIu64 " ms, low %" PRIu64 " ms (all time high %" PRIu64 " ms)\n", e->name,
               s.most_ms, s.least_ms, e->longest_ms);
    for (size_t i = 0; i < COLUMNS; i++) buf_add_char(to, '-');
    buf_add_char(to, '\n');
    for (uint64_t row = HEIGHT; row > 0; row--) {
        for (size_t i = first; i < e->count; i++) {
            const uint64_t ms = latency_sample_at(e, i)->ms,
                           height = s.most_ms ? (ms * HEIGHT + s.most_ms - 1) / s.most_ms : 0;
            buf_add_char(to, height >= row ? '#' : row == 1 ? '_' : ' ');
        }
        buf_add_char(to, '\n');
    }
    /* The age of each column, written downwards. */
    for (size_t row = 0; row < AGE_ROWS; row++) {
        for (size_t i = first; i < e->count; i++) {
            char age[8];
            format_age(now_s - latency_sample_at(e, i)->at_s, age);
            buf_add_char(to, row < strlen(age) ? age[row] : ' ');
        }
        buf_add_char(to, '\n');
    }
}

/* What may be done about an event, beside looking at it. */
static const struct advice {
    const char *event, *text;
} advices[] = {
    {"command",
     "SLOWLOG GET names the commands that take long; INFO commandstats and LATENCY HISTOGRAM show how often."},
    {"command",
     "A command on a large collection takes as long as the collection is large: read it in parts (HSCAN, SSCAN, "
     "ZSCAN, LRANGE), and remove it by UNLINK."},
    {"fast-command",
     "A fast command that takes long waited for the processor or for memory: look at the load of the machine, "
     "at swapping, and at transparent huge pages."},
    {"expire-cycle",
     "Many keys expire at once. Spread their times (CACHE.FILL does so with JITTER), and let large values go in "
     "the background: lazyfree-lazy-expire yes."},
    {"eviction-cycle", "Room has to be made for what is written: let large values go in the background "
                       "(lazyfree-lazy-eviction yes), or raise maxmemory."},
    {"aof-fsync",
     "The disk takes long to make the log durable. Commands do not wait for it; under appendfsync always replies "
     "do. A disk of its own for the log helps."},
};

static void report_event(const struct latency_event *e, size_t number, struct buf *to)
{
    const struct summary s = summarize(e);
    buf_printf(to,
               "%zu. %s: %zu spikes, %" PRIu64 " ms on average (mean deviation %" PRIu64
               " ms), one in %.1f s; the longest ever %" PRIu64 " ms.\n",
               number, e->name, e->count, s.mean_ms, s.deviation_ms, (double)s.span_s / (double)e->count,
               e->longest_ms);
}

void latency_report(const struct latency *l, int64_t threshold_ms, struct buf *to)
{
    size_t n = 0;
    if (threshold_ms <= 0)
        buf_printf(
            to,
            "Nothing is watched. CONFIG SET latency-monitor-threshold MILLISECONDS makes what takes at least so long "
            "known.\n");
    for (const struct latency_event *e; (e = latency_at(l, n)); n++) {
        if (n == 0) buf_printf(to, "What kept others waiting:\n\n");
        report_event(e, n + 1, to);
    }
    if (n == 0 && threshold_ms > 0)
        buf_printf(to, "Nothing has lasted %lld ms or longer: all is well.\n", (long long)threshold_ms);
    if (n == 0) return;
    buf_printf(to, "\nWhat may help:\n\n");
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (find(l, span_str(advices[i].event))) buf_printf(to, "- %s\n", advices[i].text);
}
