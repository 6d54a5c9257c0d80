/* Groups of a stream's consumers, and reading with and without them. */
#include "common/mem.h"
#include "tests/lib/model/model.h"

static struct model_group *group_of(struct model_key *k, struct span name)
{
    for (size_t i = 0; k && i < k->group_count; i++)
        if (span_eq(buf_span(&k->groups[i].name), name)) return &k->groups[i];
    return NULL;
}

/* The group of arguments @key and @key + 1. False: the error was replied; of a key that is not there it is @without. */
static bool find(struct model_call *c, size_t key, const char *without, struct model_key **k, struct model_group **g)
{
    if (!model_get(c, key, TYPE_STREAM, k)) return false;
    *g = group_of(*k, c->argv[key + 1]);
    if (!*g) model_reply_error(c, *k ? "NOGROUP" : without);
    return *g != NULL;
}

static void add_consumer(struct model_group *g, struct span name)
{
    const bool there = model_index(&g->consumers, name) < g->consumers.count;
    if (!there) (void)model_insert(&g->consumers, g->consumers.count, name);
}

static size_t pending_at(const struct model_group *g, uint64_t ms, uint64_t seq)
{
    size_t at = 0;
    while (at < g->pending.count && (g->pending.items[at].ms != ms || g->pending.items[at].seq != seq)) at++;
    return at;
}

/* The entry, now pending for @consumer, whoever had it. */
static struct model_item *assign(struct model_group *g, uint64_t ms, uint64_t seq, struct span consumer)
{
    const struct model_id id = {ms, seq};
    size_t at = 0;
    while (at < g->pending.count && model_id_below(g->pending.items[at].ms, g->pending.items[at].seq, id)) at++;
    if (at == pending_at(g, ms, seq) && at < g->pending.count) {
        model_set_text(&g->pending.items[at].name, consumer);
        return &g->pending.items[at];
    }
    struct model_item *p = model_insert(&g->pending, at, consumer);
    p->ms = ms;
    p->seq = seq;
    return p;
}

static const struct model_item *entry_at(const struct model_key *k, uint64_t ms, uint64_t seq)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->items[i].ms == ms && k->items[i].seq == seq) return &k->items[i];
    return NULL;
}

/* ---- XGROUP ---- */

static void create(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 2, TYPE_STREAM, &k)) return;
    if (!k && c->argc < 6) {
        model_reply_error(c, "ERR");
        return;
    }
    k = model_make(c->model, c->argv[2], TYPE_STREAM);
    if (group_of(k, c->argv[3])) {
        model_reply_error(c, "BUSYGROUP");
        return;
    }
    k->groups = mem_realloc(k->groups, (k->group_count + 1) * sizeof *k->groups);
    struct model_group *g = &k->groups[k->group_count++];
    const bool at_end = model_is(c->argv[4], "$");
    const struct model_id id = at_end ? (struct model_id){k->last_ms, k->last_seq} : model_id(c->argv[4], 0);
    *g = (struct model_group){.last_ms = id.ms, .last_seq = id.seq};
    model_set_text(&g->name, c->argv[3]);
    model_reply_ok(c);
}

static void set_id(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    if (!find(c, 2, "ERR", &k, &g)) return;
    const struct model_id id = model_id(c->argv[4], 0);
    g->last_ms = id.ms;
    g->last_seq = id.seq;
    model_reply_ok(c);
}

static void destroy(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 2, TYPE_STREAM, &k)) return;
    struct model_group *g = group_of(k, c->argv[3]);
    if (!k) model_reply_error(c, "ERR");
    else model_reply_int(c, g != NULL);
    if (!g) return;
    model_clear_items(&g->consumers);
    model_clear_items(&g->pending);
    buf_free(&g->name);
    *g = k->groups[--k->group_count];
}

static void create_consumer(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    if (!find(c, 2, "ERR", &k, &g)) return;
    model_reply_int(c, model_index(&g->consumers, c->argv[4]) == g->consumers.count);
    add_consumer(g, c->argv[4]);
}

static void delete_consumer(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    int64_t n = 0;
    if (!find(c, 2, "ERR", &k, &g)) return;
    const size_t at = model_index(&g->consumers, c->argv[4]);
    for (size_t i = g->pending.count; i-- > 0;) {
        if (!span_eq(model_name(&g->pending.items[i]), c->argv[4])) continue;
        model_remove(&g->pending, i);
        n++;
    }
    if (at < g->consumers.count) model_remove(&g->consumers, at);
    model_reply_int(c, n);
}

/* ---- Reading ---- */

static void begin_stream(struct model_call *c, size_t key, size_t entries)
{
    model_reply_array(c, 1);
    model_reply_array(c, 2);
    model_reply_bulk(c, c->argv[key]);
    model_reply_array(c, entries);
}

static void reply_no_array(struct model_call *c) { buf_printf(c->out, "*-1\r\n"); }

/* Entries above @after, @most of them (0: all), are at [*first, result). */
static size_t entries_above(const struct model_key *k, struct model_id after, size_t most, size_t *first)
{
    *first = 0;
    while (*first < k->count) {
        const struct model_item *i = &k->items[*first];
        if (!model_id_below(i->ms, i->seq, after) && (i->ms != after.ms || i->seq != after.seq)) break;
        ++*first;
    }
    return most && k->count - *first > most ? *first + most : k->count;
}

static void xread(struct model_call *c)
{
    struct model_key *k;
    size_t first = 0, end = 0;
    if (!model_get(c, 4, TYPE_STREAM, &k)) return;
    if (k) end = entries_above(k, model_id(c->argv[5], 0), (size_t)model_int(c->argv[2]), &first);
    if (first == end) reply_no_array(c);
    else begin_stream(c, 4, end - first);
    for (; first < end; first++) model_reply_entry(c, &k->items[first]);
}

static void read_new(struct model_call *c, struct model_key *k, struct model_group *g, size_t most)
{
    size_t first;
    const size_t end = entries_above(k, (struct model_id){g->last_ms, g->last_seq}, most, &first);
    const bool no_ack = model_behind(c, "NOACK") < c->argc;
    if (first == end) {
        reply_no_array(c);
        return;
    }
    add_consumer(g, c->argv[3]);
    begin_stream(c, c->argc - 2, end - first);
    for (; first < end; first++) {
        const struct model_item *entry = &k->items[first];
        model_reply_entry(c, entry);
        g->last_ms = entry->ms;
        g->last_seq = entry->seq;
        if (no_ack) continue;
        struct model_item *p = assign(g, entry->ms, entry->seq, c->argv[3]);
        p->time_ms = c->model->now_ms;
        p->score = 1;
    }
}

static void read_again(struct model_call *c, const struct model_key *k, struct model_group *g, size_t most)
{
    const struct model_id after = model_id(c->argv[c->argc - 1], 0);
    size_t mine[64], n = 0;
    add_consumer(g, c->argv[3]);
    for (size_t i = 0; i < g->pending.count && n < 64 && (most == 0 || n < most); i++) {
        const struct model_item *p = &g->pending.items[i];
        const bool behind = !model_id_below(p->ms, p->seq, after) && (p->ms != after.ms || p->seq != after.seq);
        if (behind && span_eq(model_name(p), c->argv[3])) mine[n++] = i;
    }
    begin_stream(c, c->argc - 2, n);
    for (size_t i = 0; i < n; i++) {
        struct model_item *p = &g->pending.items[mine[i]];
        const struct model_item *entry = entry_at(k, p->ms, p->seq);
        if (entry) {
            model_reply_entry(c, entry);
            p->time_ms = c->model->now_ms;
            p->score++;
        } else {
            model_reply_array(c, 2);
            model_reply_id(c, p->ms, p->seq);
            reply_no_array(c);
        }
    }
}

static void xreadgroup(struct model_call *c)
{
    struct model_key *k;
    const size_t key = c->argc - 2;
    const size_t most = (size_t)model_int(c->argv[5]);
    if (!model_get(c, key, TYPE_STREAM, &k)) return;
    struct model_group *g = group_of(k, c->argv[2]);
    if (!g) model_reply_error(c, "NOGROUP");
    else if (model_is(c->argv[key + 1], ">")) read_new(c, k, g, most);
    else read_again(c, k, g, most);
}

/* ---- What is pending ---- */

static void xack(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    struct model_group *g = group_of(k, c->argv[2]);
    for (size_t i = 3; g && i < c->argc; i++) {
        const struct model_id id = model_id(c->argv[i], 0);
        const size_t at = pending_at(g, id.ms, id.seq);
        if (at == g->pending.count) continue;
        model_remove(&g->pending, at);
        n++;
    }
    model_reply_int(c, n);
}

static size_t pending_of(const struct model_group *g, struct span consumer)
{
    size_t n = 0;
    for (size_t i = 0; i < g->pending.count; i++) n += span_eq(model_name(&g->pending.items[i]), consumer);
    return n;
}

/* Consumers by name, those with something. */
static void reply_consumers(struct model_call *c, const struct model_group *g)
{
    static const char *const names[] = {"u0", "u1", "u2"};
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) n += pending_of(g, span_str(names[i])) > 0;
    model_reply_array(c, n);
    for (size_t i = 0; i < 3; i++) {
        const size_t has = pending_of(g, span_str(names[i]));
        if (has == 0) continue;
        model_reply_array(c, 2);
        model_reply_bulk(c, span_str(names[i]));
        buf_printf(c->out, "$%d\r\n%zu\r\n", has < 10 ? 1 : has < 100 ? 2 : 3, has);
    }
}

static void summary(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    if (!find(c, 1, "NOGROUP", &k, &g)) return;
    const size_t n = g->pending.count;
    model_reply_array(c, 4);
    model_reply_int(c, (int64_t)n);
    if (n) {
        model_reply_id(c, g->pending.items[0].ms, g->pending.items[0].seq);
        model_reply_id(c, g->pending.items[n - 1].ms, g->pending.items[n - 1].seq);
        reply_consumers(c, g);
    } else {
        model_reply_nil(c);
        model_reply_nil(c);
        reply_no_array(c);
    }
}

/* XPENDING k g [IDLE ms] start end count [consumer]; the bounds are IDs. */
static void rows(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    struct buf all = {0}, *out = c->out;
    size_t n = 0;
    const size_t idle_at = model_behind(c, "IDLE"), at = idle_at < c->argc ? idle_at + 1 : 3;
    const int64_t idle = idle_at < c->argc ? model_int(c->argv[idle_at]) : 0;
    const struct model_id from = model_id(c->argv[at], 0), to = model_id(c->argv[at + 1], UINT64_MAX);
    if (!find(c, 1, "NOGROUP", &k, &g)) return;
    c->out = &all;
    for (size_t i = 0; i < g->pending.count && n < (size_t)model_int(c->argv[at + 2]); i++) {
        const struct model_item *p = &g->pending.items[i];
        const bool below = model_id_below(p->ms, p->seq, from),
                   above = model_id_below(to.ms, to.seq, (struct model_id){p->ms, p->seq});
        if (below || above || c->model->now_ms - p->time_ms < idle) continue;
        if (at + 3 < c->argc && !span_eq(model_name(p), c->argv[at + 3])) continue;
        model_reply_array(c, 4);
        model_reply_id(c, p->ms, p->seq);
        model_reply_bulk(c, model_name(p));
        model_reply_int(c, c->model->now_ms - p->time_ms);
        model_reply_int(c, (int64_t)p->score);
        n++;
    }
    c->out = out;
    model_reply_array(c, n);
    buf_add_span(out, buf_span(&all));
    buf_free(&all);
}

/* ---- Claiming ---- */

static bool says(const struct model_call *c, const char *word)
{
    return model_is(c->argv[c->argc - 1], word) || model_is(c->argv[c->argc - 2], word);
}

/* One entry changes hands; what is gone is not pending either. Returns what happened. */
enum claimed { NOTHING, GONE, CLAIMED };

static enum claimed claim(struct model_call *c, const struct model_key *k, struct model_group *g, struct model_id id)
{
    const bool only_ids = says(c, "JUSTID"), force = says(c, "FORCE");
    const size_t at = pending_at(g, id.ms, id.seq);
    const bool pending = at < g->pending.count;
    const struct model_item *entry = entry_at(k, id.ms, id.seq);
    if (!entry) {
        if (pending) model_remove(&g->pending, at);
        return pending ? GONE : NOTHING;
    }
    if (pending ? c->model->now_ms - g->pending.items[at].time_ms < model_int(c->argv[4]) : !force) return NOTHING;
    add_consumer(g, c->argv[3]);
    struct model_item *p = assign(g, id.ms, id.seq, c->argv[3]);
    if (!pending) p->score = 1;
    p->time_ms = c->model->now_ms;
    p->score += !only_ids;
    if (only_ids) model_reply_id(c, id.ms, id.seq);
    else model_reply_entry(c, entry);
    return CLAIMED;
}

static void xclaim(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    struct buf all = {0}, *out = c->out;
    size_t n = 0;
    if (!find(c, 1, "NOGROUP", &k, &g)) return;
    c->out = &all;
    for (size_t i = 5; i < c->argc && c->argv[i].p[0] < 'A'; i++)
        n += claim(c, k, g, model_id(c->argv[i], 0)) == CLAIMED;
    c->out = out;
    model_reply_array(c, n);
    buf_add_span(out, buf_span(&all));
    buf_free(&all);
}

/* XAUTOCLAIM ... COUNT n: looks at ten times as many. */
static void xautoclaim(struct model_call *c)
{
    struct model_key *k;
    struct model_group *g;
    struct buf claimed = {0}, gone = {0}, *out = c->out;
    size_t at = 0, n = 0, gone_count = 0;
    const size_t most = (size_t)model_int(c->argv[7]);
    const struct model_id from = model_id(c->argv[5], 0);
    if (!find(c, 1, "NOGROUP", &k, &g)) return;
    while (at < g->pending.count && model_id_below(g->pending.items[at].ms, g->pending.items[at].seq, from)) at++;
    for (size_t looks = 10 * most; at < g->pending.count && looks > 0 && n + gone_count < most; looks--) {
        const struct model_id id = {g->pending.items[at].ms, g->pending.items[at].seq};
        c->out = &claimed;
        const enum claimed how = claim(c, k, g, id);
        c->out = &gone;
        if (how == GONE) model_reply_id(c, id.ms, id.seq);
        n += how == CLAIMED;
        gone_count += how == GONE;
        at += how != GONE;
    }
    c->out = out;
    model_reply_array(c, 3);
    if (at < g->pending.count) model_reply_id(c, g->pending.items[at].ms, g->pending.items[at].seq);
    else model_reply_id(c, 0, 0);
    model_reply_array(c, n);
    buf_add_span(out, buf_span(&claimed));
    model_reply_array(c, gone_count);
    buf_add_span(out, buf_span(&gone));
    buf_free(&claimed);
    buf_free(&gone);
}

const struct model_command model_groups[] = {
    {"XGROUP", "CREATE k g e", create},
    {"XGROUP", "CREATE k g 0 MKSTREAM", create},
    {"XGROUP", "CREATE k g $ MKSTREAM", create},
    {"XGROUP", "SETID k g e", set_id},
    {"XGROUP", "DESTROY k g", destroy},
    {"XGROUP", "CREATECONSUMER k g u", create_consumer},
    {"XGROUP", "DELCONSUMER k g u", delete_consumer},
    {"XREAD", "COUNT c STREAMS k e", xread},
    {"XREADGROUP", "GROUP g u COUNT c STREAMS k >", xreadgroup},
    {"XREADGROUP", "GROUP g u COUNT c STREAMS k >", xreadgroup},
    {"XREADGROUP", "GROUP g u COUNT c NOACK STREAMS k >", xreadgroup},
    {"XREADGROUP", "GROUP g u COUNT c STREAMS k e", xreadgroup},
    {"XREADGROUP", "GROUP g u COUNT c STREAMS k 0", xreadgroup},
    {"XACK", "k g {e}", xack},
    {"XPENDING", "k g", summary},
    {"XPENDING", "k g e e c", rows},
    {"XPENDING", "k g e e c u", rows},
    {"XPENDING", "k g IDLE 300 0 99999 c", rows},
    {"XCLAIM", "k g u 0 {e}", xclaim},
    {"XCLAIM", "k g u 300 e e JUSTID", xclaim},
    {"XCLAIM", "k g u 0 e e FORCE", xclaim},
    {"XCLAIM", "k g u 0 e FORCE JUSTID", xclaim},
    {"XAUTOCLAIM", "k g u 0 0 COUNT 2", xautoclaim},
    {"XAUTOCLAIM", "k g u 300 e COUNT 3 JUSTID", xautoclaim},
    {NULL, NULL, NULL},
};
