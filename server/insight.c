#include "server/insight.h"

#include <time.h>

#include "replication/log.h"
#include "server/client.h"
#include "server/server.h"

void insight_init(struct server *s)
{
    s->insight.slowlog = slowlog_new();
    s->insight.latency = latency_new();
    insight_configure(s);
}

void insight_free(struct server *s)
{
    slowlog_free(s->insight.slowlog);
    latency_free(s->insight.latency);
}

/* Microseconds from which on a command is notable; -1: never. */
static int64_t notable_us(const struct server *s)
{
    const int64_t slow_us = config_number(s->config, SET_SLOWLOG_SLOWER_THAN),
                  watch_ms = config_number(s->config, SET_LATENCY_THRESHOLD);
    const int64_t watch_us = watch_ms <= 0 ? -1 : watch_ms < INT64_MAX / 1000 ? watch_ms * 1000 : INT64_MAX;
    if (slow_us < 0 || (watch_us >= 0 && watch_us < slow_us)) return watch_us;
    return slow_us;
}

void insight_configure(struct server *s)
{
    struct insight *i = &s->insight;
    const int64_t us = notable_us(s);
    const double ticks = s->stats.turn.ticks.us > 0 ? (double)us / s->stats.turn.ticks.us : 0;
    i->tracking = config_number(s->config, SET_LATENCY_TRACKING);
    i->notable = us < 0 || ticks >= (double)INT64_MAX ? UINT64_MAX : (uint64_t)ticks;
    slowlog_trim(i->slowlog, (size_t)config_number(s->config, SET_SLOWLOG_MAX_LEN));
}

static void add_event(struct server *s, const char *event, uint64_t us)
{
    const int64_t threshold_ms = config_number(s->config, SET_LATENCY_THRESHOLD);
    if (threshold_ms > 0 && us / 1000 >= (uint64_t)threshold_ms)
        latency_add(s->insight.latency, event, us / 1000, (int64_t)time(NULL));
}

void insight_note(struct client *c, const struct command_entry *e, const struct request *r, uint64_t took)
{
    struct server *s = c->server;
    const uint64_t us = ticks_us(&s->stats.turn.ticks, took);
    const int64_t slow_us = config_number(s->config, SET_SLOWLOG_SLOWER_THAN);
    add_event(s, e->flags & CMD_FAST ? "fast-command" : "command", us);
    if (slow_us < 0 || us < (uint64_t)slow_us || e->flags & CMD_SKIP_SLOWLOG) return;
    slowlog_add(s->insight.slowlog, e, r->argv, r->argc, span_str(c->addr), span_str(c->name ? c->name : ""),
                (int64_t)time(NULL), (int64_t)us, (size_t)config_number(s->config, SET_SLOWLOG_MAX_LEN));
}

void insight_event(struct server *s, const char *event, int64_t begin_ns)
{
    const int64_t ns = clock_ticks_ns() - begin_ns;
    if (ns > 0) add_event(s, event, (uint64_t)ns / 1000);
}

/* The log's thread syncs, so nobody here waits for it; what waits is the answers to writes. */
static void look_at_disk(struct server *s)
{
    struct log_stats log;
    if (!s->journal.log) return;
    log_get_stats(s->journal.log, &log);
    if (log.syncs == s->insight.syncs_seen) return;
    s->insight.syncs_seen = log.syncs;
    if (log.last_sync_us > 0) add_event(s, "aof-fsync", (uint64_t)log.last_sync_us);
}

void insight_tend(struct server *s)
{
    insight_configure(s);
    if (config_number(s->config, SET_LATENCY_THRESHOLD) > 0) look_at_disk(s);
}
