/* Hashes. */
#include <stdio.h>

#include "tests/lib/model/model.h"

static struct model_item *field_of(const struct model_key *k, struct span field)
{
    const size_t at = k ? model_index(k, field) : 0;
    return k && at < k->count ? &k->items[at] : NULL;
}

/* True if the field is new. */
static bool put(struct model_key *k, struct span field, struct span value)
{
    struct model_item *i = field_of(k, field);
    const bool made = i == NULL;
    if (made) i = model_insert(k, k->count, field);
    model_set_text(&i->value, value);
    return made;
}

static void set(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    k = model_make(c->model, c->argv[1], TYPE_HASH);
    for (size_t i = 2; i < c->argc; i += 2) {
        n += put(k, c->argv[i], c->argv[i + 1]);
        field_of(k, c->argv[i])->time_ms = NO_EXPIRY;
    }
    model_reply_int(c, n);
}

static void setnx(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    const bool there = field_of(k, c->argv[2]) != NULL;
    if (!there) (void)put(model_make(c->model, c->argv[1], TYPE_HASH), c->argv[2], c->argv[3]);
    model_reply_int(c, !there);
}

static void reply_field(struct model_call *c, const struct model_key *k, struct span field)
{
    const struct model_item *i = field_of(k, field);
    if (i) model_reply_bulk(c, model_value(i));
    else model_reply_nil(c);
}

static void get(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_HASH, &k)) reply_field(c, k, c->argv[2]);
}

static void mget(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    model_reply_array(c, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_field(c, k, c->argv[i]);
}

static void del(struct model_call *c)
{
    struct model_key *k;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    for (size_t i = 2; i < c->argc; i++) {
        if (!field_of(k, c->argv[i])) continue;
        model_remove(k, model_index(k, c->argv[i]));
        n++;
    }
    if (k) model_drop_if_empty(c->model, k);
    model_reply_int(c, n);
}

static void exists(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_HASH, &k)) model_reply_int(c, field_of(k, c->argv[2]) != NULL);
}

static void length(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_HASH, &k)) model_reply_int(c, k ? (int64_t)k->count : 0);
}

static void value_length(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    const struct model_item *i = field_of(k, c->argv[2]);
    model_reply_int(c, i ? (int64_t)i->value.len : 0);
}

static void list(struct model_call *c, bool names, bool values)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    const size_t n = k ? k->count : 0;
    c->any_order = true;
    c->stride = (unsigned)names + (unsigned)values;
    model_reply_array(c, n * c->stride);
    for (size_t i = 0; i < n; i++) {
        if (names) model_reply_bulk(c, model_name(&k->items[i]));
        if (values) model_reply_bulk(c, model_value(&k->items[i]));
    }
}

static void keys(struct model_call *c) { list(c, true, false); }
static void values(struct model_call *c) { list(c, false, true); }
static void all(struct model_call *c) { list(c, true, true); }

static void incrby(struct model_call *c)
{
    struct model_key *k;
    int64_t v = 0, sum;
    char text[32];
    if (!model_get(c, 1, TYPE_HASH, &k)) return;
    const struct model_item *i = field_of(k, c->argv[2]);
    if ((i && !model_text_int(model_value(i), &v)) || __builtin_add_overflow(v, model_int(c->argv[3]), &sum)) {
        model_reply_error(c, "ERR");
        return;
    }
    (void)put(model_make(c->model, c->argv[1], TYPE_HASH), c->argv[2],
              span_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)sum)));
    model_reply_int(c, sum);
}

const struct model_command model_hashes[] = {
    {"HSET", "k {f v}", set},         {"HSET", "k {f v}", set}, {"HSETNX", "k f v", setnx}, {"HGET", "k f", get},
    {"HMGET", "k {f}", mget},         {"HDEL", "k {f}", del},   {"HEXISTS", "k f", exists}, {"HLEN", "k", length},
    {"HSTRLEN", "k f", value_length}, {"HKEYS", "k", keys},     {"HVALS", "k", values},     {"HGETALL", "k", all},
    {"HINCRBY", "k f i", incrby},     {NULL, NULL, NULL},
};
