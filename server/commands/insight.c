/* SLOWLOG, LATENCY and MONITOR. */
#include <time.h>

#include "common/num.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

static struct insight *insight_of(struct call *c) { return &client_of(c)->server->insight; }

/* ---- SLOWLOG ---- */

static void reply_slow(struct reply *r, const struct slow_entry *e)
{
    reply_array(r, 6);
    reply_int(r, (int64_t)e->id);
    reply_int(r, e->at_s);
    reply_int(r, e->took_us);
    reply_array(r, e->argc);
    for (size_t i = 0; i < e->argc; i++) reply_bulk(r, e->argv[i]);
    reply_bulk(r, e->client);
    reply_bulk(r, e->name);
}

void slowlog_command_get(struct call *c)
{
    const struct slowlog *log = insight_of(c)->slowlog;
    int64_t count = 10;
    if (c->argc > 2 &&
        !call_int_in(c, c->argv[2], -1, INT64_MAX, &count, "ERR count should be greater than or equal to -1"))
        return;
    const size_t length = slowlog_length(log), n = count < 0 || (uint64_t)count > length ? length : (size_t)count;
    reply_array(c->reply, n);
    const struct slow_entry *e = slowlog_newest(log);
    for (size_t i = 0; i < n; i++, e = e->older) reply_slow(c->reply, e);
}

void slowlog_command_len(struct call *c) { reply_int(c->reply, (int64_t)slowlog_length(insight_of(c)->slowlog)); }

void slowlog_command_reset(struct call *c)
{
    slowlog_trim(insight_of(c)->slowlog, 0);
    reply_ok(c->reply);
}

/* ---- LATENCY ---- */

void latency_command_latest(struct call *c)
{
    const struct latency *l = insight_of(c)->latency;
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (const struct latency_event *e; (e = latency_at(l, n)); n++) {
        const struct latency_sample *last = latency_sample_at(e, e->count - 1);
        reply_array(c->reply, 4);
        reply_bulk(c->reply, span_str(e->name));
        reply_int(c->reply, last->at_s);
        reply_int(c->reply, (int64_t)last->ms);
        reply_int(c->reply, (int64_t)e->longest_ms);
    }
    reply_end_array(c->reply, mark, n);
}

void latency_command_history(struct call *c)
{
    const struct latency_event *e = latency_find(insight_of(c)->latency, c->argv[2]);
    const size_t n = e ? e->count : 0;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) {
        reply_array(c->reply, 2);
        reply_int(c->reply, latency_sample_at(e, i)->at_s);
        reply_int(c->reply, (int64_t)latency_sample_at(e, i)->ms);
    }
}

void latency_command_reset(struct call *c)
{
    struct latency *l = insight_of(c)->latency;
    size_t n = 0;
    if (c->argc == 2) n = latency_reset_all(l);
    for (size_t i = 2; i < c->argc; i++) n += latency_reset(l, c->argv[i]);
    reply_int(c->reply, (int64_t)n);
}

void latency_command_graph(struct call *c)
{
    const struct latency_event *e = latency_find(insight_of(c)->latency, c->argv[2]);
    if (!e) {
        reply_error(c->reply, "ERR No samples available for event '%.*s'",
                    (int)(c->argv[2].n < 128 ? c->argv[2].n : 128), c->argv[2].p);
        return;
    }
    struct buf text = {0};
    latency_graph(e, (int64_t)time(NULL), &text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

void latency_command_doctor(struct call *c)
{
    struct buf text = {0};
    latency_report(insight_of(c)->latency, config_number(client_of(c)->server->config, SET_LATENCY_THRESHOLD), &text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

/* One command's row of LATENCY HISTOGRAM; false if it was never executed. */
static bool reply_histogram(struct call *c, const struct command_entry *e)
{
    const struct histogram *h = client_of(c)->server->stats.by_command[e->id].latency;
    unsigned at = 0;
    uint64_t sum = 0, bound;
    size_t n = 0;
    if (!h || h->total == 0) return false;
    reply_bulk(c->reply, span_str(e->name));
    reply_map(c->reply, 2);
    reply_bulk(c->reply, SPAN("calls"));
    reply_int(c->reply, (int64_t)h->total);
    reply_bulk(c->reply, SPAN("histogram_usec"));
    const size_t mark = reply_begin(c->reply);
    for (; (bound = histogram_next_bound(h, &at, &sum)); n++) {
        reply_int(c->reply, (int64_t)(bound / 1000));
        reply_int(c->reply, (int64_t)sum);
    }
    reply_end_map(c->reply, mark, n);
    return true;
}

/* A command, or all subcommands of a container. */
static size_t reply_histograms(struct call *c, const struct command_entry *e)
{
    size_t n = reply_histogram(c, e);
    for (size_t i = 0; i < e->sub_count; i++) n += reply_histogram(c, e->subs[i]);
    return n;
}

/* "config|get" as "config" and "get". */
static const struct command_entry *find_command(const struct command_set *set, struct span name)
{
    const char *bar = memchr(name.p, '|', name.n);
    if (!bar) return command_find(set, name, SPAN(""));
    const size_t head = (size_t)(bar - name.p);
    const struct command_entry *e = command_find(set, span_of(name.p, head), span_of(bar + 1, name.n - head - 1));
    return e && e->parent ? e : NULL;
}

void latency_command_histogram(struct call *c)
{
    const struct command_set *set = client_of(c)->server->commands;
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    if (c->argc == 2)
        for (size_t i = 0; i < command_count(set); i++) n += reply_histograms(c, command_at(set, i));
    for (size_t i = 2; i < c->argc; i++) {
        const struct command_entry *e = find_command(set, c->argv[i]);
        if (e) n += reply_histograms(c, e);
    }
    reply_end_map(c->reply, mark, n);
}

/* ---- MONITOR ---- */

void monitor_command(struct call *c)
{
    struct client *client = client_of(c);
    if (client->flags & CLIENT_MUST_NOT_BLOCK) {
        reply_error(c->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    monitors_add(client);
    reply_ok(c->reply);
}
