/* XREAD and XREADGROUP. */
#include <assert.h>

#include "common/commands/streams.h"
#include "common/mem.h"

struct read {
    bool grouped, no_ack, blocks;
    int64_t count; /* 0: all */
    int64_t timeout_ms;
    struct span group, consumer;
    size_t keys_at, streams;
};

/* What one stream is asked for. */
struct source {
    struct span key;
    struct stream *stream; /* NULL: there is none */
    struct stream_group *group;
    struct stream_id after;
    bool only_new; /* ">" */
};

static bool only_grouped(struct call *c, const struct read *r, const char *option)
{
    if (r->grouped) return true;
    reply_error(c->reply, "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.", option);
    return false;
}

static bool take_streams(struct call *c, struct read *r, size_t at)
{
    const size_t left = c->argc - at;
    if (left % 2) {
        reply_error(c->reply,
                    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
        return false;
    }
    r->keys_at = at;
    r->streams = left / 2;
    return true;
}

/* The options at argv[*at], which is left at the last word. */
static bool take_option(struct call *c, struct read *r, size_t *at)
{
    const struct span word = c->argv[*at];
    const size_t more = c->argc - *at - 1;
    if (more && span_is(word, "BLOCK")) {
        r->blocks = true;
        return call_timeout_ms(c, c->argv[++*at], &r->timeout_ms);
    }
    if (more && span_is(word, "COUNT")) {
        if (!call_int(c, c->argv[++*at], &r->count)) return false;
        if (r->count < 0) r->count = 0;
        return true;
    }
    if (more && span_is(word, "STREAMS")) return take_streams(c, r, *at + 1);
    if (more >= 2 && span_is(word, "GROUP")) {
        if (!only_grouped(c, r, "GROUP")) return false;
        r->group = c->argv[*at + 1];
        r->consumer = c->argv[*at + 2];
        *at += 2;
        return true;
    }
    if (span_is(word, "NOACK")) {
        r->no_ack = true;
        return only_grouped(c, r, "NOACK");
    }
    reply_syntax_error(c->reply);
    return false;
}

static bool take_options(struct call *c, struct read *r)
{
    for (size_t i = 1; i < c->argc && !r->keys_at; i++)
        if (!take_option(c, r, &i)) return false;
    if (!r->keys_at) {
        reply_syntax_error(c->reply);
        return false;
    }
    if (!r->grouped || r->group.p) return true;
    reply_error(c->reply, "ERR Missing GROUP option for XREADGROUP");
    return false;
}

static bool take_source(struct call *c, const struct read *r, size_t i, struct source *s)
{
    const struct span id = c->argv[r->keys_at + r->streams + i];
    *s = (struct source){.key = c->argv[r->keys_at + i]};
    if (!stream_find(c, s->key, r->grouped ? FOR_WRITE : FOR_READ, &s->stream)) return false;
    if (r->grouped) {
        s->group = s->stream ? stream_groups_find(stream_groups(s->stream), r->group) : NULL;
        if (!s->group) {
            reply_error(c->reply,
                        "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP option",
                        (int)s->key.n, s->key.p, (int)r->group.n, r->group.p);
            return false;
        }
    }
    if (span_eq(id, SPAN("$"))) {
        if (s->stream) s->after = stream_marks(s->stream)->last;
        if (!r->grouped) return true;
        reply_error(c->reply,
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history "
                    "of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ "
                    "ID would just return an empty result set.");
        return false;
    }
    if (span_eq(id, SPAN(">"))) {
        s->only_new = true;
        s->after = STREAM_ID_MAX;
        if (r->grouped) return true;
        reply_error(c->reply, "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
                              "<consumer> option.");
        return false;
    }
    if (!stream_take_id(c, id, 0, &s->after, NULL)) return false;
    s->only_new = r->grouped && stream_id_cmp(s->after, STREAM_ID_MAX) == 0;
    return true;
}

static void move_group(const struct stream *s, struct stream_group *g, struct stream_id id)
{
    if (g->read != STREAM_READ_UNKNOWN && !stream_has_gaps(s, id)) g->read += g->read < INT64_MAX;
    else if (stream_marks(s)->added) g->read = stream_position(s, id);
    g->last = id;
}

/* New entries, which become pending unless nobody wants to acknowledge them. */
static void reply_new(struct call *c, const struct read *r, struct source *s, struct stream_consumer *consumer)
{
    struct stream_iter i;
    struct stream_id id, start = s->after;
    uint64_t fields;
    int64_t n = 0;
    bool moved = false;
    const size_t mark = reply_begin(c->reply);
    if (stream_id_increment(&start)) stream_iter_begin(&i, s->stream, start, STREAM_ID_MAX, false);
    else stream_iter_begin(&i, s->stream, STREAM_ID_MAX, STREAM_ID_ZERO, false);
    while ((!r->count || n < r->count) && stream_iter_next(&i, &id, &fields)) {
        n++;
        stream_reply_entry(c->reply, &i, id, fields);
        if (!s->group) continue;
        if (stream_id_cmp(id, s->group->last) > 0) {
            move_group(s->stream, s->group, id);
            moved = true;
        }
        if (r->no_ack) continue;
        struct stream_pending *p = stream_pending_assign(s->group, id, consumer);
        p->delivered_ms = c->now_ms;
        p->deliveries = 1;
        stream_effect_claim(c, s->key, s->group, id, p);
    }
    reply_end_array(c->reply, mark, (size_t)n);
    if (moved) stream_effect_group(c, s->key, s->group);
}

/* What the consumer has pending, once more. */
static void reply_history(struct call *c, const struct read *r, struct source *s, struct stream_consumer *consumer)
{
    struct stream_id id = s->after;
    struct stream_pending *p;
    int64_t n = 0;
    const size_t mark = reply_begin(c->reply);
    while ((!r->count || n < r->count) && stream_id_increment(&id) &&
           (p = stream_pending_from(&consumer->pending, &id))) {
        n++;
        if (!stream_reply_one(c->reply, s->stream, id)) {
            reply_array(c->reply, 2);
            stream_reply_id(c->reply, id);
            reply_null_array(c->reply);
            continue;
        }
        stream_pending_before_change(s->group, id, p);
        p->delivered_ms = c->now_ms;
        stream_pending_count(p);
        stream_effect_claim(c, s->key, s->group, id, p);
    }
    reply_end_array(c->reply, mark, (size_t)n);
}

static struct stream_consumer *consumer_of(struct call *c, const struct read *r, const struct source *s)
{
    struct stream_consumer *consumer = stream_consumer_find(s->group, r->consumer);
    if (!consumer) {
        consumer = stream_consumer_add(s->group, r->consumer, c->now_ms);
        call_changed(c, EVENT_STREAM, "xgroup-createconsumer", s->key, 0);
        stream_effect_consumer(c, s->key, s->group, r->consumer);
    }
    consumer->seen_ms = c->now_ms;
    return consumer;
}

/* True if the stream had something to answer. */
static bool serve(struct call *c, const struct read *r, struct source *s)
{
    if (!s->stream) return false;
    const bool history = r->grouped && !s->only_new;
    if (s->only_new) s->after = s->group->last;
    const bool fresh = stream_size(s->stream) > 0 && stream_id_cmp(stream_last(s->stream), s->after) > 0;
    if (!history && !fresh) return false;
    struct stream_consumer *consumer = r->grouped ? consumer_of(c, r, s) : NULL;
    if (c->reply->resp == 2) reply_array(c->reply, 2);
    reply_bulk(c->reply, s->key);
    if (history) reply_history(c, r, s, consumer);
    else reply_new(c, r, s, consumer);
    return true;
}

/* The head of the reply is written when it is known how many streams answer. False: none has, and nothing was replied. */
static bool serve_all(struct call *c, const struct read *r, struct source *sources, size_t count)
{
    struct buf served = {0}, *out = c->reply->out;
    size_t n = 0;
    c->reply->out = &served;
    for (size_t i = 0; i < count; i++) n += serve(c, r, sources + i);
    c->reply->out = out;
    if (n && c->reply->resp == 2) reply_array(c->reply, n);
    else if (n) reply_map(c->reply, n);
    buf_add_span(c->reply->out, buf_span(&served));
    buf_free(&served);
    return n > 0;
}

/* Wait for entries behind those that are there now: what "$" means is settled with the first look. */
static bool wait_for_entries(struct call *c, const struct read *r, const struct source *sources)
{
    const size_t ids_at = r->keys_at + r->streams;
    struct span *argv = mem_alloc(c->argc * sizeof *argv);
    char(*texts)[STREAM_ID_TEXT] = mem_alloc(r->streams * sizeof *texts);
    memcpy(argv, c->argv, c->argc * sizeof *argv);
    for (size_t i = 0; i < r->streams; i++)
        if (span_eq(argv[ids_at + i], SPAN("$"))) argv[ids_at + i] = stream_id_text(sources[i].after, texts[i]);
    const bool waits = call_wait(c, TYPE_STREAM, r->keys_at, r->streams, r->timeout_ms, argv);
    mem_free(texts);
    mem_free(argv);
    return waits;
}

static void read_streams(struct call *c, const struct read *r)
{
    struct source *sources = mem_alloc(r->streams * sizeof *sources);
    size_t n = 0;
    while (n < r->streams && take_source(c, r, n, sources + n)) n++;
    if (n == r->streams && !serve_all(c, r, sources, n) && !(r->blocks && wait_for_entries(c, r, sources)))
        reply_null_array(c->reply);
    mem_free(sources);
}

/* What somebody waits for was changed. A reader of a group hears when that is gone; one without goes on waiting. */
static void read_again(struct call *c, const struct read *r)
{
    size_t i = 0;
    while (!call_regards(c, c->argv[r->keys_at + i])) i++;
    struct source s = {.key = c->argv[r->keys_at + i]};
    struct entry *e = call_find_any(c, s.key, r->grouped ? FOR_WRITE : FOR_READ);
    if (e && entry_type(e) == TYPE_STREAM) s.stream = entry_object(e);
    if (r->grouped) {
        s.group = s.stream ? stream_groups_find(stream_groups(s.stream), r->group) : NULL;
        s.only_new = true;
    } else {
        const bool good = stream_parse_id(c->argv[r->keys_at + r->streams + i], 0, &s.after);
        assert(good);
    }
    if (r->grouped && !s.stream) reply_error(c->reply, "UNBLOCKED the stream key no longer exists");
    else if (r->grouped && !s.group)
        reply_error(c->reply, "NOGROUP the consumer group this client was blocked on no longer exists");
    else if (!serve_all(c, r, &s, 1) && !call_wait(c, TYPE_STREAM, r->keys_at, r->streams, r->timeout_ms, NULL))
        reply_null_array(c->reply);
}

static void read_or_wait(struct call *c, bool grouped)
{
    const struct waiting *w = c->session->waiting;
    struct read r = {.grouped = grouped};
    if (!take_options(c, &r)) return;
    if (w && w->again) read_again(c, &r);
    else read_streams(c, &r);
}

void stream_xread(struct call *c) { read_or_wait(c, false); }
void stream_xreadgroup(struct call *c) { read_or_wait(c, true); }
