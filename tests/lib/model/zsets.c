/* Sorted sets. */
#include <math.h>

#include "tests/lib/model/model.h"

static bool before(const struct model_item *a, double score, struct span name)
{
    return a->score != score ? a->score < score : span_cmp(model_name(a), name) < 0;
}

/* True if the member is new. */
bool model_put_score(struct model_key *k, struct span name, double score)
{
    const size_t old = model_index(k, name);
    const bool made = old == k->count;
    size_t at = 0;
    if (!made) model_remove(k, old);
    while (at < k->count && before(&k->items[at], score, name)) at++;
    model_insert(k, at, name)->score = score;
    return made;
}

/* ZADD with at most one of its words. */
static void add(struct model_call *c)
{
    struct model_key *k;
    int64_t added = 0, changed = 0;
    const struct span word = c->argv[2];
    const bool nx = model_is(word, "NX"), xx = model_is(word, "XX"), gt = model_is(word, "GT"),
               lt = model_is(word, "LT"), ch = model_is(word, "CH");
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    if (!k && xx) {
        model_reply_int(c, 0);
        return;
    }
    k = model_make(c->model, c->argv[1], TYPE_ZSET);
    for (size_t i = nx || xx || gt || lt || ch ? 3 : 2; i < c->argc; i += 2) {
        const size_t at = model_index(k, c->argv[i + 1]);
        const bool there = at < k->count;
        const double score = model_double(c->argv[i]), old = there ? k->items[at].score : 0;
        if (there ? nx || (gt && score <= old) || (lt && score >= old) : xx) continue;
        added += model_put_score(k, c->argv[i + 1], score);
        changed += there && score != old;
    }
    model_reply_int(c, ch ? added + changed : added);
}

static void incrby(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    const size_t at = k ? model_index(k, c->argv[3]) : 0;
    const double sum = model_double(c->argv[2]) + (k && at < k->count ? k->items[at].score : 0);
    if (isnan(sum)) {
        model_reply_error(c, "ERR");
        return;
    }
    (void)model_put_score(model_make(c->model, c->argv[1], TYPE_ZSET), c->argv[3], sum);
    model_reply_double(c, sum);
}

static void rem(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    for (size_t i = 2; k && i < c->argc; i++) {
        const size_t at = model_index(k, c->argv[i]);
        if (at == k->count) continue;
        model_remove(k, at);
        n++;
    }
    if (k) model_drop_if_empty(c->model, k);
    model_reply_int(c, n);
}

static void score(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    const size_t at = k ? model_index(k, c->argv[2]) : 0;
    if (k && at < k->count) model_reply_double(c, k->items[at].score);
    else model_reply_nil(c);
}

static void rank_of(struct model_call *c, bool from_top)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    const size_t at = k ? model_index(k, c->argv[2]) : 0;
    if (k && at < k->count) model_reply_int(c, (int64_t)(from_top ? k->count - 1 - at : at));
    else model_reply_nil(c);
}

static void rank(struct model_call *c) { rank_of(c, false); }
static void revrank(struct model_call *c) { rank_of(c, true); }

static void card(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_ZSET, &k)) model_reply_int(c, k ? (int64_t)k->count : 0);
}

void model_reply_scored(struct model_call *c, const struct model_key *k, size_t begin, size_t end, bool scores,
                        bool backwards)
{
    model_reply_array(c, (end - begin) * (scores ? 2 : 1));
    for (size_t i = begin; i < end; i++) {
        const struct model_item *item = &k->items[backwards ? end - 1 - (i - begin) : i];
        model_reply_bulk(c, model_name(item));
        if (scores) model_reply_double(c, item->score);
    }
}

static void range_by_rank(struct model_call *c, bool backwards)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    const size_t n = k ? k->count : 0;
    model_range(model_int(c->argv[2]), model_int(c->argv[3]), n, &begin, &end);
    /* Counted from the top: the same places seen from the other side. */
    if (backwards && end > begin) model_reply_scored(c, k, n - end, n - begin, c->argc > 4, true);
    else model_reply_scored(c, k, begin, end, c->argc > 4, false);
}

static void range(struct model_call *c) { range_by_rank(c, false); }
static void revrange(struct model_call *c) { range_by_rank(c, true); }

/* The members with scores in [argument @min, argument @max]. */
static void within(struct model_call *c, const struct model_key *k, size_t min, size_t max, size_t *begin,
                   size_t *end)
{
    const double low = model_double(c->argv[min]), high = model_double(c->argv[max]);
    *begin = 0;
    while (k && *begin < k->count && k->items[*begin].score < low) ++*begin;
    *end = *begin;
    while (k && *end < k->count && k->items[*end].score <= high) ++*end;
}

static void count(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    within(c, k, 2, 3, &begin, &end);
    model_reply_int(c, (int64_t)(end - begin));
}

static void range_by_score(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    within(c, k, 2, 3, &begin, &end);
    model_reply_scored(c, k, begin, end, c->argc > 4, false);
}

static void revrange_by_score(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    within(c, k, 3, 2, &begin, &end);
    model_reply_scored(c, k, begin, end, false, true);
}

static void remove_places(struct model_call *c, struct model_key *k, size_t begin, size_t end)
{
    model_reply_int(c, (int64_t)(end - begin));
    for (; end > begin; end--) model_remove(k, end - 1);
    if (k) model_drop_if_empty(c->model, k);
}

static void remove_by_rank(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    model_range(model_int(c->argv[2]), model_int(c->argv[3]), k ? k->count : 0, &begin, &end);
    remove_places(c, k, begin, end);
}

static void remove_by_score(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    within(c, k, 2, 3, &begin, &end);
    remove_places(c, k, begin, end);
}

static void pop(struct model_call *c, bool top)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    size_t n = k ? k->count : 0;
    if (c->argc > 2 && (size_t)model_int(c->argv[2]) < n) n = (size_t)model_int(c->argv[2]);
    if (c->argc == 2 && n > 1) n = 1;
    model_reply_array(c, 2 * n);
    while (n--) {
        const size_t at = top ? k->count - 1 : 0;
        model_reply_bulk(c, model_name(&k->items[at]));
        model_reply_double(c, k->items[at].score);
        model_remove(k, at);
    }
    if (k) model_drop_if_empty(c->model, k);
}

static void popmin(struct model_call *c) { pop(c, false); }
static void popmax(struct model_call *c) { pop(c, true); }

const struct model_command model_zsets[] = {
    {"ZADD", "k {s f}", add},
    {"ZADD", "k {s f}", add},
    {"ZADD", "k NX {s f}", add},
    {"ZADD", "k XX {s f}", add},
    {"ZADD", "k GT {s f}", add},
    {"ZADD", "k LT {s f}", add},
    {"ZADD", "k CH {s f}", add},
    {"ZINCRBY", "k s f", incrby},
    {"ZREM", "k {f}", rem},
    {"ZSCORE", "k f", score},
    {"ZRANK", "k f", rank},
    {"ZREVRANK", "k f", revrank},
    {"ZCARD", "k", card},
    {"ZRANGE", "k n n", range},
    {"ZRANGE", "k n n WITHSCORES", range},
    {"ZREVRANGE", "k n n WITHSCORES", revrange},
    {"ZCOUNT", "k s s", count},
    {"ZRANGEBYSCORE", "k s s", range_by_score},
    {"ZRANGEBYSCORE", "k s s WITHSCORES", range_by_score},
    {"ZREVRANGEBYSCORE", "k s s", revrange_by_score},
    {"ZREMRANGEBYRANK", "k n n", remove_by_rank},
    {"ZREMRANGEBYSCORE", "k s s", remove_by_score},
    {"ZPOPMIN", "k", popmin},
    {"ZPOPMAX", "k c", popmax},
    {NULL, NULL, NULL},
};
