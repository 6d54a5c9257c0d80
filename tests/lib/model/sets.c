/* Sets. */
#include "tests/lib/model/model.h"

static bool has(const struct model_key *k, struct span member) { return k && model_index(k, member) < k->count; }

static void add(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_SET, &k)) return;
    k = model_make(c->model, c->argv[1], TYPE_SET);
    for (size_t i = 2; i < c->argc; i++) {
        if (has(k, c->argv[i])) continue;
        (void)model_insert(k, k->count, c->argv[i]);
        n++;
    }
    model_reply_int(c, n);
}

static void rem(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_SET, &k)) return;
    for (size_t i = 2; i < c->argc; i++) {
        if (!has(k, c->argv[i])) continue;
        model_remove(k, model_index(k, c->argv[i]));
        n++;
    }
    if (k) model_drop_if_empty(c->model, k);
    model_reply_int(c, n);
}

static void is_member(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_SET, &k)) model_reply_int(c, has(k, c->argv[2]));
}

static void are_members(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_SET, &k)) return;
    model_reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) model_reply_int(c, has(k, c->argv[i]));
}

static void card(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_SET, &k)) model_reply_int(c, k ? (int64_t)k->count : 0);
}

static void smove(struct model_call *c)
{
    struct model_key *from, *to;
    if (!model_get(c, 1, TYPE_SET, &from)) return;
    if (!from) {
        model_reply_int(c, 0);
        return;
    }
    if (!model_get(c, 2, TYPE_SET, &to)) return;
    from = model_find(c->model, c->argv[1]); /* looking for the other may have moved it */
    const bool there = has(from, c->argv[3]);
    model_reply_int(c, there);
    if (!there || span_eq(c->argv[1], c->argv[2])) return;
    model_remove(from, model_index(from, c->argv[3]));
    to = model_make(c->model, c->argv[2], TYPE_SET); /* may move `from` */
    if (!has(to, c->argv[3])) (void)model_insert(to, to->count, c->argv[3]);
    model_drop_if_empty(c->model, model_find(c->model, c->argv[1]));
}

/* ---- Algebra: over arguments [first, argc) ---- */

/* Does the member of some set belong to the result? */
static bool belongs(struct model_call *c, size_t first, char how, struct span member)
{
    size_t in = 0;
    for (size_t i = first; i < c->argc; i++) in += has(model_find(c->model, c->argv[i]), member);
    if (how == 'I') return in == c->argc - first;
    if (how == 'D') return has(model_find(c->model, c->argv[first]), member) && in == 1;
    return in > 0;
}

/* A key without a name; false: WRONGTYPE was replied. */
static bool combine(struct model_call *c, size_t first, char how, struct model_key *result)
{
    struct model_key *k;
    *result = (struct model_key){.type = TYPE_SET, .expiry = NO_EXPIRY};
    for (size_t i = first; i < c->argc; i++)
        if (!model_get(c, i, TYPE_SET, &k)) return false;
    for (size_t i = first; i < c->argc; i++) {
        k = model_find(c->model, c->argv[i]);
        for (size_t at = 0; k && at < k->count; at++) {
            const struct span member = model_name(&k->items[at]);
            if (!has(result, member) && belongs(c, first, how, member))
                (void)model_insert(result, result->count, member);
        }
    }
    /* The same key named twice is subtracted from itself. */
    for (size_t i = first + 1; how == 'D' && i < c->argc; i++)
        while (span_eq(c->argv[i], c->argv[first]) && result->count) model_remove(result, 0);
    return true;
}

static void algebra(struct model_call *c, char how)
{
    struct model_key result;
    if (!combine(c, 1, how, &result)) return;
    c->any_order = true;
    c->stride = 1;
    model_reply_array(c, result.count);
    for (size_t i = 0; i < result.count; i++) model_reply_bulk(c, model_name(&result.items[i]));
    model_clear_items(&result);
}

static void store(struct model_call *c, char how)
{
    struct model_key result;
    if (!combine(c, 2, how, &result)) return;
    model_store(c, c->argv[1], &result);
}

static void members(struct model_call *c) { algebra(c, 'U'); }
static void sinter(struct model_call *c) { algebra(c, 'I'); }
static void sunion(struct model_call *c) { algebra(c, 'U'); }
static void sdiff(struct model_call *c) { algebra(c, 'D'); }
static void sinterstore(struct model_call *c) { store(c, 'I'); }
static void sunionstore(struct model_call *c) { store(c, 'U'); }
static void sdiffstore(struct model_call *c) { store(c, 'D'); }

const struct model_command model_sets[] = {
    {"SADD", "k {f}", add},
    {"SADD", "k {f}", add},
    {"SREM", "k {f}", rem},
    {"SISMEMBER", "k f", is_member},
    {"SMISMEMBER", "k {f}", are_members},
    {"SCARD", "k", card},
    {"SMOVE", "k k f", smove},
    {"SMEMBERS", "k", members},
    {"SINTER", "{k}", sinter},
    {"SUNION", "{k}", sunion},
    {"SDIFF", "{k}", sdiff},
    {"SINTERSTORE", "k {k}", sinterstore},
    {"SUNIONSTORE", "k {k}", sunionstore},
    {"SDIFFSTORE", "k {k}", sdiffstore},
    {NULL, NULL, NULL},
};
