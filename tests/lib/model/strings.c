/* Strings. */
#include <stdio.h>

#include "tests/lib/model/model.h"

struct span model_text(const struct model_key *k) { return k ? model_name(&k->items[0]) : SPAN(""); }

/* The key becomes a string, whatever it was; its expiry time goes. */
void model_put_text(struct model_call *c, struct span key, struct span value)
{
    struct buf copy = {0};
    model_set_text(&copy, value);
    struct model_key *k = model_find(c->model, key);
    if (k) model_drop(c->model, k);
    (void)model_insert(model_make(c->model, key, TYPE_STRING), 0, buf_span(&copy));
    buf_free(&copy);
}

/* The same, but the expiry time stays. */
void model_edit_text(struct model_call *c, struct span key, struct span value)
{
    struct model_key *k = model_find(c->model, key);
    if (k) model_set_text(&k->items[0].name, value);
    else model_put_text(c, key, value);
}

static void reply_text(struct model_call *c, const struct model_key *k)
{
    if (k) model_reply_bulk(c, model_text(k));
    else model_reply_nil(c);
}

static void set(struct model_call *c)
{
    const struct model_key *k = model_find(c->model, c->argv[1]);
    const bool nx = c->argc > 3 && span_eq(c->argv[3], SPAN("NX")),
               xx = c->argc > 3 && span_eq(c->argv[3], SPAN("XX"));
    const bool keep = c->argc > 3 && span_eq(c->argv[3], SPAN("KEEPTTL"));
    if ((nx && k) || (xx && !k)) {
        model_reply_nil(c);
        return;
    }
    const int64_t expiry = keep && k ? k->expiry : NO_EXPIRY;
    model_put_text(c, c->argv[1], c->argv[2]);
    model_find(c->model, c->argv[1])->expiry = expiry;
    model_reply_ok(c);
}

static void setnx(struct model_call *c)
{
    const bool there = model_find(c->model, c->argv[1]) != NULL;
    if (!there) model_put_text(c, c->argv[1], c->argv[2]);
    model_reply_int(c, !there);
}

static void get(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STRING, &k)) reply_text(c, k);
}

static void getset(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    reply_text(c, k);
    model_put_text(c, c->argv[1], c->argv[2]);
}

static void getdel(struct model_call *c)
{
    struct model_key *k;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    reply_text(c, k);
    if (k) model_drop(c->model, k);
}

static void mget(struct model_call *c)
{
    model_reply_array(c, c->argc - 1);
    for (size_t i = 1; i < c->argc; i++) {
        const struct model_key *k = model_find(c->model, c->argv[i]);
        reply_text(c, k && k->type == TYPE_STRING ? k : NULL);
    }
}

static void mset(struct model_call *c)
{
    for (size_t i = 1; i < c->argc; i += 2) model_put_text(c, c->argv[i], c->argv[i + 1]);
    model_reply_ok(c);
}

static void append(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    buf_add_span(&b, model_text(k));
    buf_add_span(&b, c->argv[2]);
    model_edit_text(c, c->argv[1], buf_span(&b));
    model_reply_int(c, (int64_t)b.len);
    buf_free(&b);
}

static void length(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STRING, &k)) model_reply_int(c, (int64_t)model_text(k).n);
}

/* As model_range(), but both places before the beginning stand for the first byte, unless they are the wrong way round. */
void model_byte_range(int64_t first, int64_t last, size_t n, size_t *begin, size_t *end)
{
    const int64_t size = (int64_t)n;
    const bool crossed = first < 0 && last < 0 && first > last;
    first = first < 0 ? first + size : first;
    last = last < 0 ? last + size : last;
    *begin = *end = 0;
    if (!crossed) model_range(first < 0 ? 0 : first, last < 0 ? 0 : last, n, begin, end);
}

static void getrange(struct model_call *c)
{
    struct model_key *k;
    size_t begin, end;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = model_text(k);
    const int64_t first = model_int(c->argv[2]), last = model_int(c->argv[3]);
    model_byte_range(first, last, text.n, &begin, &end);
    model_reply_bulk(c, span_of(text.p + begin, end - begin));
}

static void setrange(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    const size_t at = (size_t)model_int(c->argv[2]);
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    buf_add_span(&b, model_text(k));
    if (c->argv[3].n) {
        while (b.len < at + c->argv[3].n) buf_add_char(&b, 0);
        memcpy(b.p + at, c->argv[3].p, c->argv[3].n);
        model_edit_text(c, c->argv[1], buf_span(&b));
    }
    model_reply_int(c, (int64_t)b.len);
    buf_free(&b);
}

static void add(struct model_call *c, int64_t by)
{
    struct model_key *k;
    int64_t v = 0, sum;
    char text[32];
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    if ((k && !model_text_int(model_text(k), &v)) || __builtin_add_overflow(v, by, &sum)) {
        model_reply_error(c, "ERR");
        return;
    }
    model_edit_text(c, c->argv[1], span_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)sum)));
    model_reply_int(c, sum);
}

static void incr(struct model_call *c) { add(c, 1); }
static void decr(struct model_call *c) { add(c, -1); }
static void incrby(struct model_call *c) { add(c, model_int(c->argv[2])); }
static void decrby(struct model_call *c) { add(c, -model_int(c->argv[2])); }

const struct model_command model_strings[] = {
    {"SET", "k v", set},
    {"SET", "k v NX", set},
    {"SET", "k v XX", set},
    {"SET", "k v KEEPTTL", set},
    {"SETNX", "k v", setnx},
    {"GET", "k", get},
    {"GETSET", "k v", getset},
    {"GETDEL", "k", getdel},
    {"MGET", "{k}", mget},
    {"MSET", "{k v}", mset},
    {"APPEND", "k v", append},
    {"STRLEN", "k", length},
    {"GETRANGE", "k n n", getrange},
    {"SETRANGE", "k c v", setrange},
    {"INCR", "k", incr},
    {"DECR", "k", decr},
    {"INCRBY", "k i", incrby},
    {"DECRBY", "k i", decrby},
    {NULL, NULL, NULL},
};
