/* SORT: elements of a list, set or sorted set in order, or what other keys hold for them. */
#include <math.h>
#include <stdlib.h>

#include "common/mem.h"
#include "tests/lib/model/model.h"

struct element {
    struct span name;
    struct buf weight;
    bool weighed;
    double score;
};

struct sorting {
    struct model_call *call;
    struct span by;
    bool descending, alpha, by_names;
};

/* What the pattern "key*" or "key*->m1" leads to; false: nothing. */
static bool look_up(struct model_call *c, struct span pattern, struct span name, struct buf *value)
{
    struct buf key = {0};
    if (model_is(pattern, "#")) {
        model_set_text(value, name);
        return true;
    }
    const bool field = pattern.n > 4;
    buf_printf(&key, "key");
    buf_add_span(&key, name);
    const struct model_key *k = model_find(c->model, buf_span(&key));
    buf_free(&key);
    if (!k || k->type != (field ? TYPE_HASH : TYPE_STRING)) return false;
    const size_t at = field ? model_index(k, SPAN("m1")) : 0;
    if (at == k->count || (field && k->items[at].time_ms != NO_EXPIRY && k->items[at].time_ms < c->model->now_ms))
        return false;
    model_set_text(value, field ? model_value(&k->items[at]) : model_name(&k->items[at]));
    return true;
}

static int three_way(double a, double b) { return (a > b) - (a < b); }

static int compare(const struct sorting *s, const struct element *a, const struct element *b)
{
    int order;
    if (!s->alpha) order = three_way(a->score, b->score);
    else if (!a->weighed || !b->weighed) order = a->weighed - b->weighed;
    else order = span_cmp(buf_span(&a->weight), buf_span(&b->weight));
    /* What compares equal is told apart by its bytes, except in a list that another key's text sorts. */
    if (order == 0 && (!s->alpha || s->by_names)) order = span_cmp(a->name, b->name);
    return s->descending ? -order : order;
}

/* False: something is no number. */
static bool weigh(const struct sorting *s, struct element *e)
{
    char *end, text[128];
    if (s->by.p) e->weighed = look_up(s->call, s->by, e->name, &e->weight);
    else e->weighed = look_up(s->call, SPAN("#"), e->name, &e->weight);
    if (s->alpha || !e->weighed) return true;
    memcpy(text, e->weight.p ? e->weight.p : "", e->weight.len);
    text[e->weight.len] = 0;
    e->score = strtod(text, &end);
    return *end == 0 && !isnan(e->score);
}

/* By insertion, which leaves equal ones as they are. */
static bool put_in_order(const struct sorting *s, struct element *list, size_t n)
{
    bool numbers = true;
    for (size_t i = 0; i < n; i++) numbers &= weigh(s, &list[i]);
    for (size_t i = 1; numbers && i < n; i++) {
        const struct element e = list[i];
        size_t at = i;
        for (; at > 0 && compare(s, &list[at - 1], &e) > 0; at--) list[at] = list[at - 1];
        list[at] = e;
    }
    if (!numbers) model_reply_error(s->call, "ERR");
    return numbers;
}

static void reply_all(struct model_call *c, const struct element *list, size_t n)
{
    size_t gets = 0;
    for (size_t i = 2; i < c->argc; i++) gets += model_is(c->argv[i], "GET");
    model_reply_array(c, n * (gets ? gets : 1));
    for (size_t e = 0; e < n; e++) {
        if (gets == 0) model_reply_bulk(c, list[e].name);
        for (size_t i = 2; i < c->argc; i++) {
            struct buf value = {0};
            if (!model_is(c->argv[i], "GET")) continue;
            if (look_up(c, c->argv[i + 1], list[e].name, &value)) model_reply_bulk(c, buf_span(&value));
            else model_reply_nil(c);
            buf_free(&value);
        }
    }
}

static void give(struct model_call *c, const struct element *list, size_t n)
{
    const size_t limit = model_behind(c, "LIMIT"), to = model_behind(c, "STORE");
    if (limit < c->argc) {
        const size_t skip = (size_t)model_int(c->argv[limit]), most = (size_t)model_int(c->argv[limit + 1]);
        list += skip < n ? skip : n;
        n -= skip < n ? skip : n;
        n = most < n ? most : n;
    }
    if (to == c->argc) {
        reply_all(c, list, n);
        return;
    }
    struct model_key result = {.type = TYPE_LIST, .expiry = NO_EXPIRY};
    for (size_t i = 0; i < n; i++) (void)model_insert(&result, i, list[i].name);
    model_store(c, c->argv[to], &result);
}

static void sort(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    struct sorting s = {.call = c};
    const size_t by = model_behind(c, "BY");
    struct model_key copy = {.type = TYPE_LIST};
    if (k && k->type != TYPE_LIST && k->type != TYPE_SET && k->type != TYPE_ZSET) {
        model_reply_error(c, "WRONGTYPE");
        return;
    }
    for (size_t i = 2; i < c->argc; i++) {
        s.alpha |= model_is(c->argv[i], "ALPHA");
        s.descending |= model_is(c->argv[i], "DESC");
    }
    if (by < c->argc) s.by = c->argv[by];
    s.by_names = !k || k->type != TYPE_LIST;
    /* Looking for other keys may move this one. */
    for (size_t i = 0; k && i < k->count; i++) (void)model_insert(&copy, i, model_name(&k->items[i]));
    struct element *list = mem_zalloc(copy.count + 1, sizeof *list);
    for (size_t i = 0; i < copy.count; i++) list[i].name = model_name(&copy.items[i]);
    if (put_in_order(&s, list, copy.count)) give(c, list, copy.count);
    for (size_t i = 0; i < copy.count; i++) buf_free(&list[i].weight);
    mem_free(list);
    model_clear_items(&copy);
}

const struct model_command model_sorts[] = {
    {"SORT", "k", sort},
    {"SORT_RO", "k DESC", sort},
    {"SORT", "k ALPHA", sort},
    {"SORT", "k ALPHA DESC LIMIT c c", sort},
    {"SORT", "k LIMIT c c", sort},
    {"SORT", "k BY key*", sort},
    {"SORT", "k BY key* ALPHA", sort},
    {"SORT", "k BY key*->m1 ALPHA DESC", sort},
    {"SORT", "k ALPHA GET # GET key*", sort},
    {"SORT_RO", "k ALPHA GET key*->m1", sort},
    {"SORT", "k STORE k", sort},
    {"SORT", "k ALPHA STORE k", sort},
    {"SORT", "k DESC LIMIT c c STORE k", sort},
    {NULL, NULL, NULL},
};
