/* Ranges of sorted sets: by name, where all scores are equal, as nothing is promised elsewhere (so the keys are this
 * family's own), and ZRANGESTORE. */
#include "tests/lib/model/model.h"

/* Is @name on the inner side of the bound? */
static bool above(struct span name, struct span bound)
{
    if (bound.p[0] == '-' || bound.p[0] == '+') return bound.p[0] == '-';
    const int order = span_cmp(name, span_of(bound.p + 1, bound.n - 1));
    return bound.p[0] == '[' ? order >= 0 : order > 0;
}

static bool below(struct span name, struct span bound)
{
    if (bound.p[0] == '-' || bound.p[0] == '+') return bound.p[0] == '+';
    const int order = span_cmp(name, span_of(bound.p + 1, bound.n - 1));
    return bound.p[0] == '[' ? order <= 0 : order < 0;
}

/* The places between two bounds of names; nothing: *begin equals *end. */
static void between(const struct model_key *k, struct span min, struct span max, size_t *begin, size_t *end)
{
    *begin = 0;
    while (k && *begin < k->count && !above(model_name(&k->items[*begin]), min)) ++*begin;
    *end = *begin;
    while (k && *end < k->count && below(model_name(&k->items[*end]), max)) ++*end;
}

/* LIMIT, whose words stand at the end. */
static void cut(const struct model_call *c, bool backwards, size_t *begin, size_t *end)
{
    const size_t at = model_behind(c, "LIMIT");
    if (at == c->argc) return;
    const int64_t offset = model_int(c->argv[at]), count = model_int(c->argv[at + 1]);
    const size_t n = *end - *begin, skip = offset < 0 || (size_t)offset > n ? n : (size_t)offset;
    const size_t take = count < 0 || (size_t)count > n - skip ? n - skip : (size_t)count;
    if (backwards) {
        *end -= skip;
        *begin = *end - take;
    } else {
        *begin += skip;
        *end = *begin + take;
    }
}

static void range_between(struct model_call *c, bool backwards)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    between(k, c->argv[backwards ? 3 : 2], c->argv[backwards ? 2 : 3], &begin, &end);
    cut(c, backwards, &begin, &end);
    model_reply_scored(c, k, begin, end, false, backwards);
}

static void range(struct model_call *c) { range_between(c, false); }
static void revrange(struct model_call *c) { range_between(c, true); }

static void count(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    between(k, c->argv[2], c->argv[3], &begin, &end);
    model_reply_int(c, (int64_t)(end - begin));
}

static void remove_between(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    between(k, c->argv[2], c->argv[3], &begin, &end);
    model_reply_int(c, (int64_t)(end - begin));
    for (; end > begin; end--) model_remove(k, end - 1);
    if (k) model_drop_if_empty(c->model, k);
}

static void add(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_ZSET, &k)) return;
    k = model_make(c->model, c->argv[1], TYPE_ZSET);
    for (size_t i = 2; i < c->argc; i += 2) n += model_put_score(k, c->argv[i + 1], model_double(c->argv[i]));
    model_reply_int(c, n);
}

/* The members at [begin, end) of a key become another. */
static void store(struct model_call *c, const struct model_key *k, size_t begin, size_t end)
{
    struct model_key result = {.type = TYPE_ZSET, .expiry = NO_EXPIRY};
    for (size_t i = begin; i < end; i++) (void)model_put_score(&result, model_name(&k->items[i]), k->items[i].score);
    model_store(c, c->argv[1], &result);
}

static void store_ranks(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 2, TYPE_ZSET, &k)) return;
    const size_t n = k ? k->count : 0;
    const bool backwards = c->argc > 5;
    model_range(model_int(c->argv[3]), model_int(c->argv[4]), n, &begin, &end);
    if (backwards && end > begin) store(c, k, n - end, n - begin);
    else store(c, k, begin, end);
}

static void store_scores(struct model_call *c)
{
    struct model_key *k;
    const bool backwards = model_behind(c, "REV") < c->argc;
    const double low = model_double(c->argv[backwards ? 4 : 3]), high = model_double(c->argv[backwards ? 3 : 4]);
    size_t begin = 0, end;
    if (!model_get(c, 2, TYPE_ZSET, &k)) return;
    while (k && begin < k->count && k->items[begin].score < low) begin++;
    end = begin;
    while (k && end < k->count && k->items[end].score <= high) end++;
    cut(c, backwards, &begin, &end);
    store(c, k, begin, end);
}

static void store_names(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 2, TYPE_ZSET, &k)) return;
    between(k, c->argv[3], c->argv[4], &begin, &end);
    cut(c, false, &begin, &end);
    store(c, k, begin, end);
}

const struct model_command model_zset_names[] = {
    {"ZADD", "names {0 f}", add},
    {"ZADD", "names {0 f}", add},
    {"ZRANGEBYLEX", "names l l", range},
    {"ZRANGEBYLEX", "names l l LIMIT n n", range},
    {"ZREVRANGEBYLEX", "names l l", revrange},
    {"ZREVRANGEBYLEX", "names l l LIMIT c c", revrange},
    {"ZRANGE", "names l l BYLEX", range},
    {"ZRANGE", "names l l BYLEX REV LIMIT c c", revrange},
    {"ZLEXCOUNT", "names l l", count},
    {"ZREMRANGEBYLEX", "names l l", remove_between},
    {"ZRANGESTORE", "names names l l BYLEX", store_names},
    {"ZRANGESTORE", "k names l l BYLEX LIMIT c c", store_names},
    {"ZRANGESTORE", "k k n n", store_ranks},
    {"ZRANGESTORE", "k k n n REV", store_ranks},
    {"ZRANGESTORE", "k k s s BYSCORE", store_scores},
    {"ZRANGESTORE", "k k s s BYSCORE LIMIT n n", store_scores},
    {"ZRANGESTORE", "k k s s BYSCORE REV LIMIT c c", store_scores},
    {NULL, NULL, NULL},
};
