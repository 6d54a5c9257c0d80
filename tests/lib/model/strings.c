/* Strings, and strings as runs of bits. */
#include <stdio.h>

#include "tests/lib/model/model.h"

static struct span text_of(const struct model_key *k) { return k ? model_name(&k->items[0]) : SPAN(""); }

/* The key becomes a string, whatever it was; its expiry time goes. */
static void put(struct model_call *c, struct span key, struct span value)
{
    struct buf copy = {0};
    model_set_text(&copy, value);
    struct model_key *k = model_find(c->model, key);
    if (k) model_drop(c->model, k);
    (void)model_insert(model_make(c->model, key, TYPE_STRING), 0, buf_span(&copy));
    buf_free(&copy);
}

/* The same, but the expiry time stays. */
static void edit(struct model_call *c, struct span key, struct span value)
{
    struct model_key *k = model_find(c->model, key);
    if (k) model_set_text(&k->items[0].name, value);
    else put(c, key, value);
}

static void reply_text(struct model_call *c, const struct model_key *k)
{
    if (k) model_reply_bulk(c, text_of(k));
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
    put(c, c->argv[1], c->argv[2]);
    model_find(c->model, c->argv[1])->expiry = expiry;
    model_reply_ok(c);
}

static void setnx(struct model_call *c)
{
    const bool there = model_find(c->model, c->argv[1]) != NULL;
    if (!there) put(c, c->argv[1], c->argv[2]);
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
    put(c, c->argv[1], c->argv[2]);
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
    for (size_t i = 1; i < c->argc; i += 2) put(c, c->argv[i], c->argv[i + 1]);
    model_reply_ok(c);
}

static void append(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    buf_add_span(&b, text_of(k));
    buf_add_span(&b, c->argv[2]);
    edit(c, c->argv[1], buf_span(&b));
    model_reply_int(c, (int64_t)b.len);
    buf_free(&b);
}

static void length(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STRING, &k)) model_reply_int(c, (int64_t)text_of(k).n);
}

/* As model_range(), but both places before the beginning stand for the first byte, unless they are the wrong way round. */
static void byte_range(int64_t first, int64_t last, size_t n, size_t *begin, size_t *end)
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
    const struct span text = text_of(k);
    const int64_t first = model_int(c->argv[2]), last = model_int(c->argv[3]);
    byte_range(first, last, text.n, &begin, &end);
    model_reply_bulk(c, span_of(text.p + begin, end - begin));
}

static void setrange(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    const size_t at = (size_t)model_int(c->argv[2]);
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    buf_add_span(&b, text_of(k));
    if (c->argv[3].n) {
        while (b.len < at + c->argv[3].n) buf_add_char(&b, 0);
        memcpy(b.p + at, c->argv[3].p, c->argv[3].n);
        edit(c, c->argv[1], buf_span(&b));
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
    if ((k && !model_text_int(text_of(k), &v)) || __builtin_add_overflow(v, by, &sum)) {
        model_reply_error(c, "ERR");
        return;
    }
    edit(c, c->argv[1], span_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)sum)));
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

/* ---- Bits ---- */

static bool bit_at(struct span s, size_t at)
{
    return at / 8 < s.n && (unsigned char)s.p[at / 8] >> (7 - at % 8) & 1;
}

static void getbit(struct model_call *c)
{
    struct model_key *k;
    if (model_get(c, 1, TYPE_STRING, &k)) model_reply_int(c, bit_at(text_of(k), (size_t)model_int(c->argv[2])));
}

static void setbit(struct model_call *c)
{
    struct model_key *k;
    struct buf b = {0};
    const size_t at = (size_t)model_int(c->argv[2]);
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    model_reply_int(c, bit_at(text_of(k), at));
    buf_add_span(&b, text_of(k));
    while (b.len <= at / 8) buf_add_char(&b, 0);
    const unsigned mask = 0x80u >> at % 8, old = (unsigned char)b.p[at / 8];
    b.p[at / 8] = (char)(model_int(c->argv[3]) ? old | mask : old & ~mask);
    edit(c, c->argv[1], buf_span(&b));
    buf_free(&b);
}

static void bitcount(struct model_call *c)
{
    struct model_key *k;
    size_t begin = 0, end;
    int64_t n = 0;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = text_of(k);
    const bool by_bit = c->argc > 4;
    end = 8 * text.n;
    if (c->argc > 2) {
        byte_range(model_int(c->argv[2]), model_int(c->argv[3]), by_bit ? end : text.n, &begin, &end);
        begin *= by_bit ? 1 : 8;
        end *= by_bit ? 1 : 8;
    }
    for (size_t i = begin; i < end; i++) n += bit_at(text, i);
    model_reply_int(c, n);
}

static void bitpos(struct model_call *c)
{
    struct model_key *k;
    const bool wanted = model_int(c->argv[2]) != 0;
    if (!model_get(c, 1, TYPE_STRING, &k)) return;
    const struct span text = text_of(k);
    size_t at = 0;
    while (at < 8 * text.n && bit_at(text, at) != wanted) at++;
    /* Behind the end all is zero; but a string that is there and empty has no bit at all. */
    model_reply_int(c, at < 8 * text.n || (!wanted && !(k && text.n == 0)) ? (int64_t)at : -1);
}

static void bitop(struct model_call *c)
{
    struct buf b = {0};
    size_t longest = 0;
    const char how = c->argv[1].p[0];
    for (size_t i = 3; i < c->argc; i++) {
        struct model_key *k;
        if (!model_get(c, i, TYPE_STRING, &k)) return;
        if (text_of(k).n > longest) longest = text_of(k).n;
    }
    for (size_t at = 0; at < longest; at++) {
        unsigned v = how == 'A' ? 0xff : 0;
        for (size_t i = 3; i < c->argc; i++) {
            const struct span s = text_of(model_find(c->model, c->argv[i]));
            const unsigned byte = at < s.n ? (unsigned char)s.p[at] : 0;
            v = how == 'A' ? v & byte : how == 'O' ? v | byte : how == 'X' ? v ^ byte : ~byte;
        }
        buf_add_char(&b, (char)v);
    }
    struct model_key *old = model_find(c->model, c->argv[2]);
    if (longest) put(c, c->argv[2], buf_span(&b));
    else if (old) model_drop(c->model, old);
    model_reply_int(c, (int64_t)longest);
    buf_free(&b);
}

const struct model_command model_bitmaps[] = {
    {"SETBIT", "k b d", setbit},   {"SETBIT", "k b d", setbit},     {"GETBIT", "k b", getbit},
    {"BITCOUNT", "k", bitcount},   {"BITCOUNT", "k n n", bitcount}, {"BITCOUNT", "k n n BIT", bitcount},
    {"BITPOS", "k d", bitpos},     {"BITOP", "AND k {k}", bitop},   {"BITOP", "OR k {k}", bitop},
    {"BITOP", "XOR k {k}", bitop}, {"BITOP", "NOT k k", bitop},     {NULL, NULL, NULL},
};
