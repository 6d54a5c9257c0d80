/* Streams; their groups stand in groups.c. An entry has one field, whose name is the item's name and whose value is its value. */
#include <stdio.h>

#include "tests/lib/model/model.h"

struct model_id model_id(struct span s, uint64_t missing_seq)
{
    struct model_id id = {0, missing_seq};
    size_t i = 0;
    for (; i < s.n && s.p[i] != '-'; i++) id.ms = 10 * id.ms + (uint64_t)(s.p[i] - '0');
    if (i < s.n) id.seq = 0;
    for (i++; i < s.n; i++) id.seq = 10 * id.seq + (uint64_t)(s.p[i] - '0');
    return id;
}

bool model_id_below(uint64_t ms, uint64_t seq, struct model_id id) { return ms != id.ms ? ms < id.ms : seq < id.seq; }

void model_reply_id(struct model_call *c, uint64_t ms, uint64_t seq)
{
    char text[50];
    const int n = snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)ms, (unsigned long long)seq);
    model_reply_bulk(c, span_of(text, (size_t)n));
}

static void add(struct model_call *c)
{
    struct model_key *k;
    const struct model_id id = model_id(c->argv[2], 0);
    if (id.ms == 0 && id.seq == 0) {
        model_reply_error(c, "ERR");
        return;
    }
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    if (k && !model_id_below(k->last_ms, k->last_seq, id)) {
        model_reply_error(c, "ERR");
        return;
    }
    k = model_make(c->model, c->argv[1], TYPE_STREAM);
    struct model_item *i = model_insert(k, k->count, c->argv[3]);
    model_set_text(&i->value, c->argv[4]);
    i->ms = k->last_ms = id.ms;
    i->seq = k->last_seq = id.seq;
    model_reply_id(c, id.ms, id.seq);
}

static void length(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STREAM, &k)) model_reply_int(c, k ? (int64_t)k->count : 0);
}

void model_reply_entry(struct model_call *c, const struct model_item *i)
{
    model_reply_array(c, 2);
    model_reply_id(c, i->ms, i->seq);
    model_reply_array(c, 2);
    model_reply_bulk(c, model_name(i));
    model_reply_bulk(c, model_value(i));
}

static void range_of(struct model_call *c, size_t start, size_t end, bool backwards)
{
    struct model_key *k;
    const struct model_id from = model_id(c->argv[start], 0), to = model_id(c->argv[end], UINT64_MAX);
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    size_t first = 0, behind;
    while (k && first < k->count && model_id_below(k->items[first].ms, k->items[first].seq, from)) first++;
    behind = first;
    while (k && behind < k->count &&
           !model_id_below(to.ms, to.seq, (struct model_id){k->items[behind].ms, k->items[behind].seq}))
        behind++;
    model_reply_array(c, behind - first);
    for (size_t i = first; i < behind; i++) model_reply_entry(c, &k->items[backwards ? behind - 1 - (i - first) : i]);
}

static void range(struct model_call *c) { range_of(c, 2, 3, false); }
static void revrange(struct model_call *c) { range_of(c, 3, 2, true); }

static void del(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    for (size_t i = 2; k && i < c->argc; i++) {
        const struct model_id id = model_id(c->argv[i], 0);
        for (size_t at = 0; at < k->count; at++) {
            if (k->items[at].ms != id.ms || k->items[at].seq != id.seq) continue;
            model_remove(k, at);
            n++;
        }
    }
    model_reply_int(c, n);
}

static void trim(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    for (; k && k->count > (size_t)model_int(c->argv[3]); n++) model_remove(k, 0);
    model_reply_int(c, n);
}

static void trim_before(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    const struct model_id id = model_id(c->argv[3], 0);
    if (!model_get(c, 1, TYPE_STREAM, &k)) return;
    for (; k && k->count && model_id_below(k->items[0].ms, k->items[0].seq, id); n++) model_remove(k, 0);
    model_reply_int(c, n);
}

const struct model_command model_streams[] = {
    {"XADD", "k q f v", add},
    {"XADD", "k q f v", add},
    {"XADD", "k q f v", add},
    {"XADD", "k e f v", add},
    {"XLEN", "k", length},
    {"XRANGE", "k e e", range},
    {"XREVRANGE", "k e e", revrange},
    {"XDEL", "k {e}", del},
    {"XTRIM", "k MAXLEN c", trim},
    {"XTRIM", "k MINID e", trim_before},
    {NULL, NULL, NULL},
};
