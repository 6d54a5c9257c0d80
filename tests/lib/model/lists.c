/* Lists. */
#include "tests/lib/model/model.h"

static void push(struct model_call *c, bool head, bool make)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    if (k || make) {
        k = model_make(c->model, c->argv[1], TYPE_LIST);
        for (size_t i = 2; i < c->argc; i++) (void)model_insert(k, head ? 0 : k->count, c->argv[i]);
    }
    model_reply_int(c, k ? (int64_t)k->count : 0);
}

static void lpush(struct model_call *c) { push(c, true, true); }
static void rpush(struct model_call *c) { push(c, false, true); }
static void lpushx(struct model_call *c) { push(c, true, false); }
static void rpushx(struct model_call *c) { push(c, false, false); }

static void pop(struct model_call *c, bool head)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    if (!k) {
        if (c->argc > 2) buf_add_span(c->out, SPAN("*-1\r\n"));
        else model_reply_nil(c);
        return;
    }
    size_t n = c->argc > 2 ? (size_t)model_int(c->argv[2]) : 1;
    if (n > k->count) n = k->count;
    if (c->argc > 2) model_reply_array(c, n);
    while (n--) {
        const size_t at = head ? 0 : k->count - 1;
        model_reply_bulk(c, model_name(&k->items[at]));
        model_remove(k, at);
    }
    model_drop_if_empty(c->model, k);
}

static void lpop(struct model_call *c) { pop(c, true); }
static void rpop(struct model_call *c) { pop(c, false); }

static void length(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_LIST, &k)) model_reply_int(c, k ? (int64_t)k->count : 0);
}

static void range(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    model_range(model_int(c->argv[2]), model_int(c->argv[3]), k ? k->count : 0, &begin, &end);
    model_reply_array(c, end - begin);
    for (; begin < end; begin++) model_reply_bulk(c, model_name(&k->items[begin]));
}

static void trim(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    model_reply_ok(c);
    if (!k) return;
    model_range(model_int(c->argv[2]), model_int(c->argv[3]), k->count, &begin, &end);
    while (k->count > end) model_remove(k, k->count - 1);
    while (begin--) model_remove(k, 0);
    model_drop_if_empty(c->model, k);
}

/* The place that an index means; the count if none. */
static size_t place(const struct model_key *k, int64_t index)
{
    if (index < 0) index += (int64_t)k->count;
    return index < 0 || index > (int64_t)k->count ? k->count : (size_t)index;
}

static void lindex(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    const size_t at = k ? place(k, model_int(c->argv[2])) : 0;
    if (k && at < k->count) model_reply_bulk(c, model_name(&k->items[at]));
    else model_reply_nil(c);
}

static void lset(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    const size_t at = k ? place(k, model_int(c->argv[2])) : 0;
    if (!k || at == k->count) {
        model_reply_error(c, "ERR");
        return;
    }
    model_set_text(&k->items[at].name, c->argv[3]);
    model_reply_ok(c);
}

static void linsert(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    const size_t at = k ? model_index(k, c->argv[3]) : 0;
    if (!k || at == k->count) {
        model_reply_int(c, k ? -1 : 0);
        return;
    }
    (void)model_insert(k, at + (c->argv[2].p[0] == 'A'), c->argv[4]);
    model_reply_int(c, (int64_t)k->count);
}

static void lrem(struct model_call *c)
{
    struct model_key *k;
    int64_t wanted = model_int(c->argv[2]), n = 0;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    const size_t count = k ? k->count : 0;
    const bool backwards = wanted < 0;
    if (backwards) wanted = -wanted;
    for (size_t i = 0, at = backwards ? count - 1 : 0; i < count && (!wanted || n < wanted); i++) {
        const bool same = span_eq(model_name(&k->items[at]), c->argv[3]);
        if (same) model_remove(k, at);
        n += same;
        at = backwards ? at - 1 : at + !same;
    }
    model_reply_int(c, n);
    if (k) model_drop_if_empty(c->model, k);
}

static void lpos(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_LIST, &k)) return;
    const size_t at = k ? model_index(k, c->argv[2]) : 0;
    if (k && at < k->count) model_reply_int(c, (int64_t)at);
    else model_reply_nil(c);
}

static void lmove(struct model_call *c)
{
    struct model_key *from, *to;
    if (!model_get(c, 1, TYPE_LIST, &from)) return;
    if (!from) {
        model_reply_nil(c);
        return;
    }
    if (!model_get(c, 2, TYPE_LIST, &to)) return;
    from = model_find(c->model, c->argv[1]); /* looking for the other may have moved it */
    struct buf text = {0};
    const size_t at = c->argv[3].p[0] == 'L' ? 0 : from->count - 1;
    model_set_text(&text, model_name(&from->items[at]));
    model_remove(from, at);
    to = model_make(c->model, c->argv[2], TYPE_LIST); /* may move `from` */
    (void)model_insert(to, c->argv[4].p[0] == 'L' ? 0 : to->count, buf_span(&text));
    model_drop_if_empty(c->model, model_find(c->model, c->argv[1]));
    model_reply_bulk(c, buf_span(&text));
    buf_free(&text);
}

const struct model_command model_lists[] = {
    {"LPUSH", "k {v}", lpush},
    {"RPUSH", "k {v}", rpush},
    {"RPUSH", "k {v}", rpush},
    {"LPUSHX", "k {v}", lpushx},
    {"RPUSHX", "k {v}", rpushx},
    {"LPOP", "k", lpop},
    {"RPOP", "k", rpop},
    {"LPOP", "k c", lpop},
    {"RPOP", "k c", rpop},
    {"LLEN", "k", length},
    {"LRANGE", "k n n", range},
    {"LTRIM", "k n n", trim},
    {"LINDEX", "k n", lindex},
    {"LSET", "k n v", lset},
    {"LINSERT", "k BEFORE v v", linsert},
    {"LINSERT", "k AFTER v v", linsert},
    {"LREM", "k n v", lrem},
    {"LPOS", "k v", lpos},
    {"LMOVE", "k k LEFT RIGHT", lmove},
    {"LMOVE", "k k RIGHT LEFT", lmove},
    {"LMOVE", "k k LEFT LEFT", lmove},
    {NULL, NULL, NULL},
};
