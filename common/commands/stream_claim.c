/* XCLAIM and XAUTOCLAIM: pending entries change hands. What comes of it is logged as one XCLAIM for each entry, with
 * the time and the number of deliveries. */
#include "common/commands/streams.h"

struct claim {
    int64_t min_idle_ms;
    int64_t delivered_ms; /* -1: not given */
    int64_t deliveries;   /* -1: not given */
    bool force, only_ids;
    struct stream_id last;
    struct stream_group *group;
    struct stream *stream;
    struct stream_consumer *consumer; /* NULL: not looked up yet */
};

/* The consumer is made only when it gets something. */
static struct stream_consumer *claimer(struct call *c, struct claim *k)
{
    if (!k->consumer) k->consumer = stream_consumer_find(k->group, c->argv[3]);
    if (!k->consumer) {
        k->consumer = stream_consumer_add(k->group, c->argv[3], c->now_ms);
        call_changed(c, EVENT_STREAM, "xgroup-createconsumer", c->argv[1], 0);
    }
    k->consumer->seen_ms = c->now_ms;
    return k->consumer;
}

/* An entry that is not there any more is not pending either. */
static bool drop_deleted(struct call *c, const struct claim *k, struct stream_id id)
{
    const struct stream_pending *p = stream_pending_find(k->group, id);
    if (!p) return false;
    stream_effect_claim(c, c->argv[1], k->group, id, p);
    (void)stream_pending_remove(k->group, id);
    return true;
}

/* How long ago, in wrapping arithmetic: times may be anything that was given. */
static int64_t time_since(const struct call *c, int64_t then)
{
    return (int64_t)((uint64_t)c->now_ms - (uint64_t)then);
}

/* Hand one entry that is there over, and answer it; false if it was not idle for long enough. */
static bool hand_over(struct call *c, struct claim *k, struct stream_id id, const struct stream_pending *old)
{
    if (old && k->min_idle_ms && time_since(c, old->delivered_ms) < k->min_idle_ms) return false;
    struct stream_pending *p = stream_pending_assign(k->group, id, claimer(c, k));
    if (!old) p->deliveries = 1;
    p->delivered_ms = k->delivered_ms;
    if (k->deliveries >= 0) p->deliveries = (uint64_t)k->deliveries;
    else if (!k->only_ids) stream_pending_count(p);
    if (k->only_ids) stream_reply_id(c->reply, id);
    else (void)stream_reply_one(c->reply, k->stream, id);
    stream_effect_claim(c, c->argv[1], k->group, id, p);
    return true;
}

static bool take_option(struct call *c, struct claim *k, size_t *at)
{
    const struct span word = c->argv[*at];
    const bool more = *at + 1 < c->argc;
    const struct span value = more ? c->argv[*at + 1] : word;
    if (span_is(word, "FORCE") || span_is(word, "JUSTID")) {
        if (span_is(word, "FORCE")) k->force = true;
        else k->only_ids = true;
        return true;
    }
    ++*at;
    if (more && span_is(word, "IDLE")) {
        if (!call_int_in(c, value, INT64_MIN, INT64_MAX, &k->delivered_ms,
                         "ERR Invalid IDLE option argument for XCLAIM"))
            return false;
        k->delivered_ms = time_since(c, k->delivered_ms);
        return true;
    }
    if (more && span_is(word, "TIME"))
        return call_int_in(c, value, INT64_MIN, INT64_MAX, &k->delivered_ms,
                           "ERR Invalid TIME option argument for XCLAIM");
    if (more && span_is(word, "RETRYCOUNT"))
        return call_int_in(c, value, INT64_MIN, INT64_MAX, &k->deliveries,
                           "ERR Invalid RETRYCOUNT option argument for XCLAIM");
    if (more && span_is(word, "LASTID")) return stream_take_id(c, value, 0, &k->last, NULL);
    reply_error(c->reply, "ERR Unrecognized XCLAIM option '%.*s'", (int)word.n, word.p);
    return false;
}

static bool take_min_idle(struct call *c, struct claim *k, const char *error)
{
    *k = (struct claim){.delivered_ms = -1, .deliveries = -1};
    if (!call_int_in(c, c->argv[4], INT64_MIN, INT64_MAX, &k->min_idle_ms, error)) return false;
    if (k->min_idle_ms < 0) k->min_idle_ms = 0;
    return true;
}

/* A time that makes no sense is now; but the log says what it says. */
static void settle_time(const struct call *c, struct claim *k)
{
    if (c->origin == ORIGIN_LOG && k->delivered_ms != -1) return;
    if (k->delivered_ms < 0 || k->delivered_ms > c->now_ms) k->delivered_ms = c->now_ms;
}

static size_t claim_each(struct call *c, struct claim *k, size_t end, bool *logged)
{
    size_t n = 0;
    for (size_t i = 5; i < end; i++) {
        struct stream_id id;
        if (!stream_parse_id(c->argv[i], 0, &id)) continue;
        const struct stream_pending *p = stream_pending_find(k->group, id);
        if (!stream_has(k->stream, id)) {
            *logged |= drop_deleted(c, k, id);
            continue;
        }
        if (!p && !k->force) continue;
        if (!hand_over(c, k, id, p)) continue;
        *logged = true;
        n++;
    }
    return n;
}

void stream_xclaim(struct call *c)
{
    struct claim k;
    struct stream *s;
    struct stream_group *g;
    struct stream_id id;
    size_t end = 5;
    bool moved = false, logged = false;
    if (!stream_find_group(c, c->argv[1], c->argv[2], FOR_WRITE, &s, &g)) return;
    if (!take_min_idle(c, &k, "ERR Invalid min-idle-time argument for XCLAIM")) return;
    while (end < c->argc && stream_parse_id(c->argv[end], 0, &id)) end++;
    for (size_t i = end; i < c->argc; i++)
        if (!take_option(c, &k, &i)) return;
    k.stream = s;
    k.group = g;
    if (stream_id_cmp(k.last, g->last) > 0) {
        g->last = k.last;
        moved = true;
    }
    settle_time(c, &k);
    const size_t mark = reply_begin(c->reply);
    const size_t n = claim_each(c, &k, end, &logged);
    reply_end_array(c->reply, mark, n);
    if (moved && !logged) stream_effect_group(c, c->argv[1], g);
}

static bool take_auto(struct call *c, struct claim *k, struct stream_id *start, int64_t *count)
{
    *count = 100;
    if (!take_min_idle(c, k, "ERR Invalid min-idle-time argument for XAUTOCLAIM")) return false;
    if (!stream_take_start(c, c->argv[5], start)) return false;
    for (size_t i = 6; i < c->argc; i++) {
        if (i + 1 < c->argc && span_is(c->argv[i], "COUNT")) {
            if (!call_int_in(c, c->argv[++i], 1, INT64_MAX / STREAM_ID_BYTES, count, "ERR COUNT must be > 0"))
                return false;
        } else if (span_is(c->argv[i], "JUSTID")) {
            k->only_ids = true;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    return true;
}

/* Entries are looked at up to ten times the count. Returns how many were answered; *at is where the next call goes on,
 * the IDs of entries that are gone are appended to @deleted as replies. */
static size_t claim_some(struct call *c, struct claim *k, int64_t count, struct stream_id *at, struct reply *deleted,
                         size_t *deleted_count)
{
    enum { LOOKS_PER_ENTRY = 10 };
    size_t n = 0;
    const struct stream_pending *p = stream_pending_from(&k->group->pending, at);
    for (int64_t looks = count > INT64_MAX / LOOKS_PER_ENTRY ? INT64_MAX : count * LOOKS_PER_ENTRY;
         p && looks > 0 && count > 0; looks--) {
        if (!stream_has(k->stream, *at)) {
            (void)drop_deleted(c, k, *at);
            stream_reply_id(deleted, *at);
            ++*deleted_count;
            count--;
        } else if (hand_over(c, k, *at, p)) {
            n++;
            count--;
        }
        p = stream_id_increment(at) ? stream_pending_from(&k->group->pending, at) : NULL;
    }
    if (!p) *at = STREAM_ID_ZERO;
    return n;
}

void stream_xautoclaim(struct call *c)
{
    struct claim k;
    struct stream_id at;
    int64_t count;
    struct stream *s;
    struct stream_group *g;
    if (!take_auto(c, &k, &at, &count)) return;
    if (!stream_find_group(c, c->argv[1], c->argv[2], FOR_WRITE, &s, &g)) return;
    k.stream = s;
    k.group = g;
    k.delivered_ms = c->now_ms;
    struct buf claimed = {0}, gone = {0}, *out = c->reply->out;
    struct reply deleted = *c->reply;
    size_t deleted_count = 0;
    c->reply->out = &claimed;
    deleted.out = &gone;
    const size_t n = claim_some(c, &k, count, &at, &deleted, &deleted_count);
    c->reply->out = out;
    reply_array(c->reply, 3);
    stream_reply_id(c->reply, at);
    reply_array(c->reply, n);
    buf_add_span(out, buf_span(&claimed));
    reply_array(c->reply, deleted_count);
    buf_add_span(out, buf_span(&gone));
    buf_free(&claimed);
    buf_free(&gone);
}
