/* Union, intersection and difference of sorted sets and sets. */
#include <math.h>

#include "tests/lib/model/model.h"

enum { KEYS_MAX = 4 };

struct sum {
    struct model_call *call;
    size_t first, keys; /* arguments */
    size_t order[KEYS_MAX];
    size_t weights; /* argument, or 0 */
    char how, aggregate;
    struct model_key result;
};

static struct model_key *source(const struct sum *s, size_t i)
{
    return model_find(s->call->model, s->call->argv[s->first + i]);
}

static size_t size_of(const struct sum *s, size_t i)
{
    const struct model_key *k = source(s, i);
    return k ? k->count : 0;
}

static bool has(const struct sum *s, size_t i, struct span member)
{
    const struct model_key *k = source(s, i);
    return k && model_index(k, member) < k->count;
}

/* The smallest comes first, as the order of adding shows where infinities meet. */
static void put_in_order(struct sum *s)
{
    for (size_t i = 0; i < s->keys; i++) {
        size_t at = i;
        for (; at > 0 && size_of(s, s->order[at - 1]) > size_of(s, i); at--) s->order[at] = s->order[at - 1];
        s->order[at] = i;
    }
}

/* Nothing times infinity, and infinities that cancel out. (An intersection's products are another matter in Redis, so no
 * row below has an infinite weight for one.) */
static double no_nan(double v) { return isnan(v) ? 0 : v; }

static double score_in(const struct sum *s, size_t i, struct span member)
{
    const struct model_key *k = source(s, i);
    const double score = k->type == TYPE_SET ? 1 : k->items[model_index(k, member)].score;
    return s->weights ? no_nan(model_double(s->call->argv[s->weights + i]) * score) : score;
}

static double score_of(const struct sum *s, struct span member)
{
    double sum = 0;
    bool some = false;
    if (s->how == 'D') return score_in(s, 0, member);
    for (size_t n = 0; n < s->keys; n++) {
        if (!has(s, s->order[n], member)) continue;
        const double v = score_in(s, s->order[n], member);
        if (!some) sum = v;
        else if (s->aggregate == 'S') sum = no_nan(sum + v);
        else sum = s->aggregate == 'A' ? fmax(sum, v) : fmin(sum, v);
        some = true;
    }
    return sum;
}

static bool belongs(const struct sum *s, struct span member)
{
    size_t in = 0;
    for (size_t i = 0; i < s->keys; i++) in += has(s, i, member);
    if (s->how == 'D') return has(s, 0, member) && in == 1;
    return s->how == 'I' ? in == s->keys : in > 0;
}

/* The number of keys stands at @count_at. False: WRONGTYPE was replied. */
static bool add_up(struct model_call *c, char how, size_t count_at, struct sum *s)
{
    const size_t weights = model_behind(c, "WEIGHTS"), aggregate = model_behind(c, "AGGREGATE");
    *s = (struct sum){.call = c, .how = how, .first = count_at + 1, .result.type = TYPE_ZSET, .aggregate = 'S'};
    s->keys = (size_t)model_int(c->argv[count_at]);
    s->weights = weights < c->argc ? weights : 0;
    if (aggregate < c->argc) s->aggregate = c->argv[aggregate].p[1] == 'A' ? 'A' : c->argv[aggregate].p[0];
    s->result.expiry = NO_EXPIRY;
    for (size_t i = 0; i < s->keys; i++) {
        const struct model_key *k = source(s, i);
        if (!k || k->type == TYPE_ZSET || k->type == TYPE_SET) continue;
        model_reply_error(c, "WRONGTYPE");
        return false;
    }
    put_in_order(s);
    for (size_t i = 0; i < s->keys; i++) {
        const struct model_key *k = source(s, i);
        for (size_t at = 0; k && at < k->count; at++) {
            const struct span member = model_name(&k->items[at]);
            if (belongs(s, member)) (void)model_put_score(&s->result, member, score_of(s, member));
        }
    }
    return true;
}

static void answer(struct model_call *c, char how)
{
    struct sum s;
    if (!add_up(c, how, 1, &s)) return;
    model_reply_scored(c, &s.result, 0, s.result.count, model_is(c->argv[c->argc - 1], "WITHSCORES"), false);
    model_clear_items(&s.result);
}

static void store(struct model_call *c, char how)
{
    struct sum s;
    if (add_up(c, how, 2, &s)) model_store(c, c->argv[1], &s.result);
}

static void zunion(struct model_call *c) { answer(c, 'U'); }
static void zinter(struct model_call *c) { answer(c, 'I'); }
static void zdiff(struct model_call *c) { answer(c, 'D'); }
static void zunionstore(struct model_call *c) { store(c, 'U'); }
static void zinterstore(struct model_call *c) { store(c, 'I'); }
static void zdiffstore(struct model_call *c) { store(c, 'D'); }

static void zintercard(struct model_call *c)
{
    struct sum s;
    const size_t at = model_behind(c, "LIMIT");
    const int64_t limit = at < c->argc ? model_int(c->argv[at]) : 0;
    if (!add_up(c, 'I', 1, &s)) return;
    const int64_t n = (int64_t)s.result.count;
    model_reply_int(c, limit && limit < n ? limit : n);
    model_clear_items(&s.result);
}

const struct model_command model_zset_sums[] = {
    {"ZUNION", "2 k k WITHSCORES", zunion},
    {"ZUNION", "3 k k k WEIGHTS w w w WITHSCORES", zunion},
    {"ZUNION", "2 k k WEIGHTS inf w WITHSCORES", zunion},
    {"ZUNION", "2 k k AGGREGATE MAX WITHSCORES", zunion},
    {"ZINTER", "1 k", zinter},
    {"ZINTER", "2 k k WEIGHTS w w AGGREGATE MIN WITHSCORES", zinter},
    {"ZINTER", "3 k k k WITHSCORES", zinter},
    {"ZDIFF", "1 k WITHSCORES", zdiff},
    {"ZDIFF", "2 k k WITHSCORES", zdiff},
    {"ZDIFF", "3 k k k WITHSCORES", zdiff},
    {"ZUNIONSTORE", "k 2 k k", zunionstore},
    {"ZUNIONSTORE", "k 3 k k k WEIGHTS w w w AGGREGATE MIN", zunionstore},
    {"ZINTERSTORE", "k 2 k k AGGREGATE SUM", zinterstore},
    {"ZINTERSTORE", "k 2 k k WEIGHTS w w AGGREGATE MAX", zinterstore},
    {"ZDIFFSTORE", "k 2 k k", zdiffstore},
    {"ZINTERCARD", "2 k k", zintercard},
    {"ZINTERCARD", "2 k k LIMIT c", zintercard},
    {NULL, NULL, NULL},
};
