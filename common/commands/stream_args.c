/* What the stream commands take and answer: IDs, entries, trimming; and their effects. */
#include <errno.h>
#include <stdlib.h>

#include "common/commands/streams.h"

static const char invalid_id[] = "ERR Invalid stream ID specified as stream command argument";

/* As Redis reads it: what strtoull() takes whole, but for a sign that makes it negative. */
static bool parse_part(const char *text, uint64_t *v)
{
    char *end;
    if (*text == '\0' || *text == '-') return false;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end != '\0') return false;
    *v = n;
    return true;
}

/* As stream_parse_id(); @auto_seq: "ms-*" is taken, and sets it. */
static bool parse_id(struct span s, uint64_t seq, struct stream_id *id, bool *auto_seq)
{
    char text[128];
    if (s.n >= sizeof text) return false;
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *dash = strchr(text, '-');
    if (dash) *dash++ = '\0';
    *id = (struct stream_id){0, seq};
    if (!parse_part(text, &id->ms)) return false;
    if (!dash) return true;
    if (auto_seq && strcmp(dash, "*") == 0) {
        *auto_seq = true;
        id->seq = 0;
        return true;
    }
    return parse_part(dash, &id->seq);
}

bool stream_parse_id(struct span s, uint64_t seq, struct stream_id *id) { return parse_id(s, seq, id, NULL); }

bool stream_take_id(struct call *c, struct span s, uint64_t seq, struct stream_id *id, bool *auto_seq)
{
    if (auto_seq) *auto_seq = false;
    if (parse_id(s, seq, id, auto_seq)) return true;
    reply_error(c->reply, "%s", invalid_id);
    return false;
}

bool stream_take_any_id(struct call *c, struct span s, uint64_t seq, struct stream_id *id)
{
    if (span_eq(s, SPAN("-"))) *id = STREAM_ID_ZERO;
    else if (span_eq(s, SPAN("+"))) *id = STREAM_ID_MAX;
    else return stream_take_id(c, s, seq, id, NULL);
    return true;
}

/* The "(" in front is taken off. */
static bool take_open(struct span *s)
{
    if (s->n < 2 || *s->p != '(') return false;
    *s = span_of(s->p + 1, s->n - 1);
    return true;
}

bool stream_take_start(struct call *c, struct span s, struct stream_id *id)
{
    if (!take_open(&s)) return stream_take_any_id(c, s, 0, id);
    if (!stream_take_id(c, s, 0, id, NULL)) return false;
    if (stream_id_increment(id)) return true;
    reply_error(c->reply, "ERR invalid start ID for the interval");
    return false;
}

bool stream_take_end(struct call *c, struct span s, struct stream_id *id)
{
    if (!take_open(&s)) return stream_take_any_id(c, s, UINT64_MAX, id);
    if (!stream_take_id(c, s, UINT64_MAX, id, NULL)) return false;
    if (stream_id_decrement(id)) return true;
    reply_error(c->reply, "ERR invalid end ID for the interval");
    return false;
}

struct span stream_id_text(struct stream_id id, char text[STREAM_ID_TEXT])
{
    size_t n = num_format_u64(text, id.ms);
    text[n++] = '-';
    n += num_format_u64(text + n, id.seq);
    return span_of(text, n);
}

void stream_reply_id(struct reply *r, struct stream_id id)
{
    char text[STREAM_ID_TEXT];
    reply_bulk(r, stream_id_text(id, text));
}

void stream_reply_entry(struct reply *r, struct stream_iter *i, struct stream_id id, uint64_t fields)
{
    struct span field, value;
    char scratch[NUM_I64_MAX_TEXT], scratch2[NUM_I64_MAX_TEXT];
    reply_array(r, 2);
    stream_reply_id(r, id);
    reply_array(r, fields * 2);
    while (stream_iter_field(i, &field, &value, scratch, scratch2)) {
        reply_bulk(r, field);
        reply_bulk(r, value);
    }
}

bool stream_reply_one(struct reply *r, const struct stream *s, struct stream_id id)
{
    struct stream_iter i;
    struct stream_id found;
    uint64_t fields;
    stream_iter_begin(&i, s, id, id, false);
    if (!stream_iter_next(&i, &found, &fields)) return false;
    stream_reply_entry(r, &i, found, fields);
    return true;
}

bool stream_find(struct call *c, struct span key, enum intent intent, struct stream **s)
{
    struct entry *e;
    *s = NULL;
    if (!call_find(c, key, TYPE_STREAM, intent, &e)) return false;
    if (e) *s = entry_object(e);
    return true;
}

bool stream_find_group(struct call *c, struct span key, struct span name, enum intent intent, struct stream **s,
                       struct stream_group **g)
{
    if (!stream_find(c, key, intent, s)) return false;
    *g = *s ? stream_groups_find(stream_groups(*s), name) : NULL;
    if (*g) return true;
    reply_error(c->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'", (int)key.n, key.p, (int)name.n,
                name.p);
    return false;
}

void stream_effect_claim(struct call *c, struct span key, const struct stream_group *g, struct stream_id id,
                         const struct stream_pending *p)
{
    char text[STREAM_ID_TEXT], last[STREAM_ID_TEXT], time[NUM_I64_MAX_TEXT], count[NUM_I64_MAX_TEXT];
    const struct span time_text = span_of(time, num_format_i64(time, p->delivered_ms));
    const struct span count_text = span_of(count, num_format_u64(count, p->deliveries));
    CALL_EFFECT(c, SPAN("XCLAIM"), key, g->name, p->consumer->name, SPAN("0"), stream_id_text(id, text), SPAN("TIME"),
                time_text, SPAN("RETRYCOUNT"), count_text, SPAN("FORCE"), SPAN("JUSTID"), SPAN("LASTID"),
                stream_id_text(g->last, last));
    c->changes++;
}

void stream_effect_group(struct call *c, struct span key, const struct stream_group *g)
{
    char last[STREAM_ID_TEXT], read[NUM_I64_MAX_TEXT];
    const struct span read_text = span_of(read, num_format_i64(read, g->read));
    CALL_EFFECT(c, SPAN("XGROUP"), SPAN("SETID"), key, g->name, stream_id_text(g->last, last), SPAN("ENTRIESREAD"),
                read_text);
    c->changes++;
}

void stream_effect_consumer(struct call *c, struct span key, const struct stream_group *g, struct span name)
{
    CALL_EFFECT(c, SPAN("XGROUP"), SPAN("CREATECONSUMER"), key, g->name, name);
    c->changes++;
}

/* Trimming. */

/* MAXLEN or MINID at argv[*at]; *at is left at its value. */
static bool take_strategy(struct call *c, size_t *at, bool by_id, struct stream_trim_args *a)
{
    if (a->given) {
        reply_error(c->reply, "ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
        return false;
    }
    ++*at;
    a->approximate = false;
    if (*at + 1 < c->argc && (span_eq(c->argv[*at], SPAN("~")) || span_eq(c->argv[*at], SPAN("=")))) {
        a->approximate = *c->argv[*at].p == '~';
        ++*at;
    }
    a->given = true;
    a->trim.by_id = by_id;
    if (by_id) return stream_take_id(c, c->argv[*at], 0, &a->trim.min, NULL);
    int64_t length;
    if (!call_int(c, c->argv[*at], &length)) return false;
    a->trim.max_length = (uint64_t)length;
    if (length >= 0) return true;
    reply_error(c->reply, "ERR The MAXLEN argument must be >= 0.");
    return false;
}

static bool take_limit(struct call *c, struct span s, int64_t *limit)
{
    if (!call_int(c, s, limit)) return false;
    if (*limit >= 0) return true;
    reply_error(c->reply, "ERR The LIMIT argument must be >= 0.");
    return false;
}

/* How many entries approximate trimming may remove if nobody said: a hundred nodes. */
static int64_t usual_limit(const struct call *c)
{
    enum { NODES = 100, WITHOUT_NODES = 10000, MOST = 1000000 };
    const size_t entries = call_limits(c)->stream_node_max_entries;
    if (entries == 0) return WITHOUT_NODES;
    return entries > MOST / NODES ? MOST : (int64_t)entries * NODES;
}

/* @limit: -1 if it was not given. */
static bool settle(struct call *c, bool adds, int64_t limit, struct stream_trim_args *a)
{
    const char *wrong = NULL;
    if (limit > 0 && !a->given) wrong = "LIMIT cannot be used without specifying a trimming strategy";
    else if (!adds && !a->given) wrong = "XTRIM must be called with a trimming strategy";
    else if (c->origin == ORIGIN_CLIENT && limit >= 0 && !a->approximate)
        wrong = "LIMIT cannot be used without the special ~ option";
    if (wrong) {
        reply_error(c->reply, "ERR syntax error, %s", wrong);
        return false;
    }
    if (limit < 0) limit = a->approximate ? usual_limit(c) : 0;
    a->trim.approximate = a->approximate;
    a->trim.limit = c->origin == ORIGIN_CLIENT ? (uint64_t)limit : 0;
    return true;
}

bool stream_take_trim(struct call *c, size_t at, size_t *id_at, struct stream_trim_args *a)
{
    int64_t limit = -1;
    *a = (struct stream_trim_args){.create = true};
    for (; at < c->argc; at++) {
        const struct span word = c->argv[at];
        const bool more = at + 1 < c->argc;
        if (id_at && span_eq(word, SPAN("*"))) break;
        if (more && (span_is(word, "MAXLEN") || span_is(word, "MINID"))) {
            if (!take_strategy(c, &at, span_is(word, "MINID"), a)) return false;
        } else if (more && span_is(word, "LIMIT")) {
            if (!take_limit(c, c->argv[++at], &limit)) return false;
        } else if (id_at && span_is(word, "NOMKSTREAM")) {
            a->create = false;
        } else if (id_at) {
            struct stream_id id;
            bool auto_seq;
            if (!stream_take_id(c, word, 0, &id, &auto_seq)) return false;
            a->id_given = true;
            break;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    if (id_at) *id_at = at;
    return settle(c, id_at != NULL, limit, a);
}
