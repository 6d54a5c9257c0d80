/* Members of sorted sets that are chosen for the client: the lowest, the highest, or any. */
#include <stdlib.h>

#include "common/commands/first_key.h"
#include "common/commands/sampling.h"
#include "common/commands/zset_handlers.h"
#include "common/mem.h"

enum pop_end { POP_MIN, POP_MAX };

/* How the popped members are answered. */
enum pop_form {
    POP_FLAT,  /* [member, score, member, score] */
    POP_PAIRS, /* [[member, score], [member, score]] */
    POP_BARE,  /* as POP_FLAT, in an array that the caller has begun */
};

/* Pop up to @count members of a set that is not empty: answer them, remove them, report the change. */
static uint64_t pop(struct call *c, struct span key, struct entry *e, enum pop_end end, uint64_t count,
                    enum pop_form form)
{
    struct zset *z = entry_object(e);
    const uint64_t size = zset_size(z), n = count < size ? count : size;
    struct zset_iter i;
    zset_iter_begin(&i, z, end == POP_MAX ? size - 1 : 0, end == POP_MAX);
    if (form != POP_BARE) reply_array(c->reply, form == POP_FLAT ? 2 * n : n);
    for (uint64_t left = n; left--;) {
        struct span member;
        double score;
        char scratch[NUM_I64_MAX_TEXT];
        if (!zset_iter_next(&i, &member, &score, scratch)) break;
        if (form == POP_PAIRS) reply_array(c->reply, 2);
        zset_reply_pair(c->reply, member, score);
    }
    zset_remove_ranks(z, end == POP_MAX ? size - n : 0, end == POP_MAX ? size : n);
    call_changed(c, EVENT_ZSET, end == POP_MAX ? "zpopmax" : "zpopmin", key, n);
    call_remove_if_empty(c, key, e);
    return n;
}

static void pop_one_key(struct call *c, enum pop_end end)
{
    int64_t count = 1;
    struct entry *e;
    if (c->argc > 3) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc == 3 &&
        !call_int_in(c, c->argv[2], 0, INT64_MAX, &count, "ERR value is out of range, must be positive"))
        return;
    if (!call_find(c, c->argv[1], TYPE_ZSET, FOR_WRITE, &e)) return;
    if (!e || count == 0) reply_array(c->reply, 0);
    else pop(c, c->argv[1], e, end, (uint64_t)count, c->argc == 3 && c->reply->resp > 2 ? POP_PAIRS : POP_FLAT);
}

void zset_pop_min(struct call *c) { pop_one_key(c, POP_MIN); }
void zset_pop_max(struct call *c) { pop_one_key(c, POP_MAX); }

/* What ZMPOP and BZMPOP take behind the timeout. */
struct pop_multi {
    size_t first, keys;
    enum pop_end end;
    int64_t count;
};

/* The words behind the keys. */
static bool parse_end(struct call *c, size_t at, struct pop_multi *p)
{
    if (at >= c->argc || !(span_is(c->argv[at], "MIN") || span_is(c->argv[at], "MAX"))) {
        reply_syntax_error(c->reply);
        return false;
    }
    p->end = span_is(c->argv[at], "MIN") ? POP_MIN : POP_MAX;
    if (at + 1 == c->argc) return true;
    if (!span_is(c->argv[at + 1], "COUNT") || at + 2 == c->argc) {
        reply_syntax_error(c->reply);
        return false;
    }
    if (!call_int_in(c, c->argv[at + 2], 1, INT64_MAX, &p->count, "ERR count should be greater than 0")) return false;
    if (at + 3 == c->argc) return true;
    reply_syntax_error(c->reply);
    return false;
}

/* From the number of keys at argv[@at] on. */
static bool parse_multi(struct call *c, size_t at, struct pop_multi *p)
{
    int64_t keys;
    *p = (struct pop_multi){.first = at + 1, .count = 1};
    if (!call_int_in(c, c->argv[at], 1, INT64_MAX, &keys, "ERR numkeys should be greater than 0")) return false;
    if ((uint64_t)keys > c->argc) {
        reply_syntax_error(c->reply);
        return false;
    }
    p->keys = (size_t)keys;
    return parse_end(c, p->first + p->keys, p);
}

/* The log names the key that was popped from, and how many members it gave. */
static void pop_effect(struct call *c, struct span key, enum pop_end end, uint64_t n)
{
    char text[NUM_I64_MAX_TEXT];
    const struct span effect[] = {
        end == POP_MAX ? SPAN("ZPOPMAX") : SPAN("ZPOPMIN"), key, {text, num_format_u64(text, n)}};
    call_effect(c, effect, sizeof effect / sizeof *effect);
}

/* False: none of the keys has anything. */
static bool pop_multi(struct call *c, const struct pop_multi *p)
{
    struct entry *e;
    bool failed;
    const size_t at = first_key(c, TYPE_ZSET, p->first, p->keys, &e, &failed);
    if (!at) return failed;
    const struct span key = c->argv[at];
    reply_array(c->reply, 2);
    reply_bulk(c->reply, key);
    pop_effect(c, key, p->end, pop(c, key, e, p->end, (uint64_t)p->count, POP_PAIRS));
    return true;
}

void zset_pop_multi(struct call *c)
{
    struct pop_multi p;
    if (parse_multi(c, 1, &p) && !pop_multi(c, &p)) reply_null_array(c->reply);
}

void zset_pop_multi_or_wait(struct call *c)
{
    struct pop_multi p;
    int64_t timeout_ms;
    if (!call_timeout_s(c, c->argv[1], &timeout_ms) || !parse_multi(c, 2, &p) || pop_multi(c, &p)) return;
    if (!call_wait(c, TYPE_ZSET, p.first, p.keys, timeout_ms, NULL)) reply_null_array(c->reply);
}

/* The answer is [key, member, score]. */
static void pop_or_wait(struct call *c, enum pop_end end)
{
    struct entry *e;
    const size_t at = first_key_or_wait(c, TYPE_ZSET, &e);
    if (!at) return;
    reply_array(c->reply, 3);
    reply_bulk(c->reply, c->argv[at]);
    pop_effect(c, c->argv[at], end, pop(c, c->argv[at], e, end, 1, POP_BARE));
}

void zset_pop_min_or_wait(struct call *c) { pop_or_wait(c, POP_MIN); }
void zset_pop_max_or_wait(struct call *c) { pop_or_wait(c, POP_MAX); }

/* ZRANDMEMBER. */

struct draw {
    int64_t count; /* negative: members may repeat */
    bool with_scores;
};

static bool parse_draw(struct call *c, struct draw *d)
{
    *d = (struct draw){0};
    if (!sampling_count(c, c->argv[2], &d->count)) return false;
    if (c->argc > 4 || (c->argc == 4 && !span_is(c->argv[3], "WITHSCORES"))) {
        reply_syntax_error(c->reply);
        return false;
    }
    d->with_scores = c->argc == 4;
    return !d->with_scores || sampling_of_pairs(c, d->count);
}

static void reply_rank(struct call *c, const struct zset *z, uint64_t rank, bool with_scores)
{
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT];
    zset_iter_begin(&i, z, rank, false);
    if (!zset_iter_next(&i, &member, &score, scratch)) return;
    if (with_scores && c->reply->resp > 2) reply_array(c->reply, 2);
    reply_bulk(c->reply, member);
    if (with_scores) reply_double(c->reply, score);
}

static int compare_ranks(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t drop_repeated(uint64_t *ranks, size_t n)
{
    size_t kept = 0;
    qsort(ranks, n, sizeof *ranks, compare_ranks);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || ranks[kept - 1] != ranks[i]) ranks[kept++] = ranks[i];
    return kept;
}

/* A few of many: draw ranks, and again what came out twice. */
static void draw_few(struct call *c, const struct zset *z, size_t count, bool with_scores)
{
    uint64_t *ranks = mem_alloc(count * sizeof *ranks);
    for (size_t n = 0; n < count; n = drop_repeated(ranks, count))
        while (n < count) ranks[n++] = call_random_below(c, zset_size(z));
    for (size_t i = 0; i < count; i++) reply_rank(c, z, ranks[i], with_scores);
    mem_free(ranks);
}

/* Many of all: one walk. */
static void draw_many(struct call *c, const struct zset *z, uint64_t count, bool with_scores)
{
    struct sampler sampler = {c, count, zset_size(z)};
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT];
    zset_iter_begin(&i, z, 0, false);
    while (zset_iter_next(&i, &member, &score, scratch)) {
        if (!sampler_takes(&sampler)) continue;
        if (with_scores && c->reply->resp > 2) reply_array(c->reply, 2);
        reply_bulk(c->reply, member);
        if (with_scores) reply_double(c->reply, score);
    }
}

static void reply_draw(struct call *c, const struct zset *z, const struct draw *d)
{
    const uint64_t size = zset_size(z);
    const uint64_t wanted = d->count < 0 ? 0 - (uint64_t)d->count : (uint64_t)d->count;
    const uint64_t n = d->count < 0 || wanted < size ? wanted : size;
    const size_t mark = c->reply->out->len;
    reply_array(c->reply, d->with_scores && c->reply->resp == 2 ? 2 * n : n);
    if (d->count < 0)
        for (uint64_t left = n; left > 0 && !sampling_overflows(c, mark); left--)
            reply_rank(c, z, call_random_below(c, size), d->with_scores);
    else if (sampling_walks(n, size)) draw_many(c, z, n, d->with_scores);
    else draw_few(c, z, n, d->with_scores);
}

void zset_pop_random(struct call *c)
{
    struct draw d;
    struct zset *z;
    if (c->argc > 2 && !parse_draw(c, &d)) return;
    if (!zset_find(c, c->argv[1], FOR_READ, &z)) return;
    if (c->argc == 2 && z) reply_rank(c, z, call_random_below(c, zset_size(z)), false);
    else if (c->argc == 2) reply_null(c->reply);
    else if (!z || d.count == 0) reply_array(c->reply, 0);
    else if (sampling_fits(c, d.count)) reply_draw(c, z, &d);
}
