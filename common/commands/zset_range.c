/* Ranges of sorted sets, by rank, by score and by member: counted, read, stored and removed. */
#include <math.h>
#include <stdlib.h>

#include "common/commands/zset_handlers.h"
#include "common/mem.h"

enum range_by { BY_RANK, BY_SCORE, BY_LEX };

/* Bounds as the client gave them; the ranks that they mean are known when the sorted set is. */
struct bounds {
    enum range_by by;
    int64_t start, stop;
    struct zset_score_range scores;
    struct zset_lex_range lex;
    bool none; /* the lower bound is "+" or the upper "-" */
};

/* strtod() as Redis uses it for bounds: leading space is skipped, nothing at all is 0, text ends at a zero byte. */
static bool parse_lax_double(struct span s, double *v)
{
    char few[128];
    char *text = s.n < sizeof few ? few : mem_alloc(s.n + 1), *end;
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *v = strtod(text, &end);
    const bool ok = *end == 0 && !isnan(*v);
    if (text != few) mem_free(text);
    return ok;
}

static bool parse_score_bound(struct span s, double *v, bool *open)
{
    *open = s.n && s.p[0] == '(';
    return parse_lax_double(*open ? span_of(s.p + 1, s.n - 1) : s, v);
}

/* One bound by member. *side is -1 for "-", 1 for "+", else 0. */
static bool parse_lex_bound(struct span s, struct span *bound, bool *open, int *side)
{
    *bound = span_of(NULL, 0);
    *open = false;
    *side = 0;
    if (s.n == 0) return false;
    const bool alone = s.n == 1 || s.p[1] == 0;
    if (alone && (s.p[0] == '-' || s.p[0] == '+')) {
        *side = s.p[0] == '-' ? -1 : 1;
        return true;
    }
    if (s.p[0] != '(' && s.p[0] != '[') return false;
    *open = s.p[0] == '(';
    *bound = span_of(s.p + 1, s.n - 1);
    return true;
}

static bool parse_lex(struct span min, struct span max, struct bounds *b)
{
    int min_side, max_side;
    if (!parse_lex_bound(min, &b->lex.min, &b->lex.min_open, &min_side)) return false;
    if (!parse_lex_bound(max, &b->lex.max, &b->lex.max_open, &max_side)) return false;
    b->none = min_side > 0 || max_side < 0;
    return true;
}

static bool parse_bounds(struct call *c, enum range_by by, struct span min, struct span max, struct bounds *b)
{
    *b = (struct bounds){.by = by};
    if (by == BY_RANK) return call_int(c, min, &b->start) && call_int(c, max, &b->stop);
    if (by == BY_SCORE) {
        if (parse_score_bound(min, &b->scores.min, &b->scores.min_open) &&
            parse_score_bound(max, &b->scores.max, &b->scores.max_open))
            return true;
        reply_error(c->reply, "ERR min or max is not a float");
        return false;
    }
    if (parse_lex(min, max, b)) return true;
    reply_error(c->reply, "ERR min or max not valid string range item");
    return false;
}

static void ranks_of_indexes(int64_t size, int64_t start, int64_t stop, uint64_t *first, uint64_t *last)
{
    if (start < 0) start = start + size < 0 ? 0 : start + size;
    if (stop < 0) stop += size;
    if (stop >= size) stop = size - 1;
    const bool none = start > stop || start >= size;
    *first = none ? 0 : (uint64_t)start;
    *last = none ? 0 : (uint64_t)stop + 1;
}

/* The ranks [*first, *last) that the bounds mean; @reverse: indexes count from the highest. */
static void find_ranks(const struct bounds *b, const struct zset *z, bool reverse, uint64_t *first, uint64_t *last)
{
    const uint64_t size = zset_size(z);
    *first = *last = 0;
    if (b->none) return;
    if (b->by == BY_SCORE) zset_find_scores(z, &b->scores, first, last);
    if (b->by == BY_LEX) zset_find_lex(z, &b->lex, first, last);
    if (b->by != BY_RANK) return;
    ranks_of_indexes((int64_t)size, b->start, b->stop, first, last);
    if (!reverse || *first == *last) return;
    const uint64_t lowest = size - *last;
    *last = size - *first;
    *first = lowest;
}

/* What is read: the members with ranks [first, last), from the lowest or from the highest on. */
struct selection {
    enum range_by by;
    bool reverse, with_scores;
    int64_t offset, limit; /* limit below 0: none */
    uint64_t first, last;
};

/* Apply LIMIT. A negative offset selects nothing. */
static void cut(struct selection *s)
{
    const uint64_t n = s->last - s->first;
    const uint64_t skip = s->offset < 0 || (uint64_t)s->offset > n ? n : (uint64_t)s->offset;
    const uint64_t take = s->limit < 0 || (uint64_t)s->limit > n - skip ? n - skip : (uint64_t)s->limit;
    if (s->reverse) {
        s->last -= skip;
        s->first = s->last - take;
    } else {
        s->first += skip;
        s->last = s->first + take;
    }
}

/* ZRANGE and its relatives: which words they take. */
struct form {
    enum range_by by;
    bool reverse;
    bool any; /* BYSCORE, BYLEX and REV may be given */
    bool store;
};

static bool parse_word(struct call *c, const struct form *f, size_t *i, struct selection *s, bool *syntax_ok)
{
    const struct span word = c->argv[*i];
    *syntax_ok = true;
    if (!f->store && span_is(word, "WITHSCORES")) {
        s->with_scores = true;
    } else if (span_is(word, "LIMIT") && c->argc - *i > 2) {
        if (!call_int(c, c->argv[*i + 1], &s->offset) || !call_int(c, c->argv[*i + 2], &s->limit)) return false;
        *i += 2;
    } else if (f->any && span_is(word, "REV")) {
        s->reverse = true;
    } else if (f->any && s->by == BY_RANK && span_is(word, "BYSCORE")) {
        s->by = BY_SCORE;
    } else if (f->any && s->by == BY_RANK && span_is(word, "BYLEX")) {
        s->by = BY_LEX;
    } else {
        *syntax_ok = false;
        return false;
    }
    return true;
}

static bool parse_words(struct call *c, const struct form *f, size_t from, struct selection *s)
{
    *s = (struct selection){.by = f->by, .reverse = f->reverse, .limit = -1};
    for (size_t i = from; i < c->argc; i++) {
        bool syntax_ok;
        if (parse_word(c, f, &i, s, &syntax_ok)) continue;
        if (!syntax_ok) reply_syntax_error(c->reply);
        return false;
    }
    if (s->limit != -1 && s->by == BY_RANK)
        reply_error(c->reply,
                    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    else if (s->with_scores && s->by == BY_LEX)
        reply_error(c->reply, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    else return true;
    return false;
}

/* Parse everything and look @key up. False: an error was replied. */
static bool select_range(struct call *c, const struct form *f, struct span key, size_t min_at, struct selection *s,
                         struct zset **z)
{
    struct bounds b;
    if (!parse_words(c, f, min_at + 2, s)) return false;
    const bool swapped = s->reverse && s->by != BY_RANK;
    if (!parse_bounds(c, s->by, c->argv[min_at + swapped], c->argv[min_at + !swapped], &b)) return false;
    if (!zset_find(c, key, FOR_READ, z)) return false;
    if (!*z) return true;
    find_ranks(&b, *z, s->reverse, &s->first, &s->last);
    if (s->by != BY_RANK) cut(s);
    return true;
}

static void reply_range(struct call *c, const struct form *f)
{
    struct selection s;
    struct zset *z;
    if (!select_range(c, f, c->argv[1], 2, &s, &z)) return;
    const uint64_t n = s.last - s.first;
    const bool flat = c->reply->resp == 2;
    reply_array(c->reply, s.with_scores && flat ? 2 * n : n);
    if (n == 0) return;
    struct zset_iter i;
    zset_iter_begin(&i, z, s.reverse ? s.last - 1 : s.first, s.reverse);
    for (uint64_t left = n; left--;) {
        struct span member;
        double score;
        char scratch[NUM_I64_MAX_TEXT];
        if (!zset_iter_next(&i, &member, &score, scratch)) break;
        if (s.with_scores && !flat) reply_array(c->reply, 2);
        reply_bulk(c->reply, member);
        if (s.with_scores) reply_double(c->reply, score);
    }
}

void zset_range_range(struct call *c) { reply_range(c, &(struct form){.by = BY_RANK, .any = true}); }
void zset_range_revrange(struct call *c) { reply_range(c, &(struct form){.by = BY_RANK, .reverse = true}); }
void zset_range_byscore(struct call *c) { reply_range(c, &(struct form){.by = BY_SCORE}); }
void zset_range_revbyscore(struct call *c) { reply_range(c, &(struct form){.by = BY_SCORE, .reverse = true}); }
void zset_range_bylex(struct call *c) { reply_range(c, &(struct form){.by = BY_LEX}); }
void zset_range_revbylex(struct call *c) { reply_range(c, &(struct form){.by = BY_LEX, .reverse = true}); }

void zset_store_result(struct call *c, struct span key, struct zset *z, const char *event)
{
    const uint64_t size = zset_size(z);
    if (size) {
        call_put(c, key, &(struct value){.type = TYPE_ZSET, .zset = z}, NO_EXPIRY);
        call_changed(c, EVENT_ZSET, event, key, 1);
    } else {
        zset_free(z);
        if (call_delete(c, key)) call_changed(c, EVENT_GENERIC, "del", key, 1);
    }
    reply_int(c->reply, (int64_t)size);
}

/* A range of names means something only where all scores are equal; elsewhere, what a search finds hangs on how the
 * members came in. The ranks that were found are exact. */
static void effect_by_ranks(struct call *c, struct span name, struct span to, struct span key, uint64_t first,
                            uint64_t last)
{
    char from[NUM_I64_MAX_TEXT], until[NUM_I64_MAX_TEXT];
    const struct span effect[] = {
        name, to, key, {from, num_format_u64(from, first)}, {until, num_format_u64(until, last - 1)}};
    const size_t n = sizeof effect / sizeof *effect;
    if (to.p) call_effect(c, effect, n);
    else call_effect(c, (const struct span[]){name, key, effect[3], effect[4]}, n - 1);
}

void zset_range_store(struct call *c)
{
    struct selection s;
    struct zset *z;
    if (!select_range(c, &(struct form){.by = BY_RANK, .any = true, .store = true}, c->argv[2], 3, &s, &z)) return;
    struct zset *result = zset_new(call_hash_key(c));
    struct zset_iter i;
    if (s.by == BY_RANK) zset_expect(result, s.last - s.first, 0, call_limits(c));
    /* In the order of the range: a member with the score -0 keeps its sign if the set was large by then, as in Redis. */
    if (s.last > s.first) zset_iter_begin(&i, z, s.reverse ? s.last - 1 : s.first, s.reverse);
    for (uint64_t left = s.last - s.first; left--;) {
        struct span member;
        double score;
        char scratch[NUM_I64_MAX_TEXT];
        if (!zset_iter_next(&i, &member, &score, scratch)) break;
        zset_set(result, member, score, call_limits(c));
    }
    const uint64_t changes = c->changes;
    zset_store_result(c, c->argv[1], result, "zrangestore");
    if (s.by != BY_LEX || c->changes == changes) return;
    if (s.first < s.last) effect_by_ranks(c, SPAN("ZRANGESTORE"), c->argv[1], c->argv[2], s.first, s.last);
    else CALL_EFFECT(c, SPAN("DEL"), c->argv[1]);
}

static void reply_count(struct call *c, enum range_by by)
{
    struct bounds b;
    struct zset *z;
    uint64_t first = 0, last = 0;
    if (!parse_bounds(c, by, c->argv[2], c->argv[3], &b) || !zset_find(c, c->argv[1], FOR_READ, &z)) return;
    if (z) find_ranks(&b, z, false, &first, &last);
    reply_int(c->reply, (int64_t)(last - first));
}

void zset_range_count(struct call *c) { reply_count(c, BY_SCORE); }
void zset_range_lexcount(struct call *c) { reply_count(c, BY_LEX); }

static void remove_range(struct call *c, enum range_by by, const char *event)
{
    struct bounds b;
    struct entry *e;
    uint64_t first = 0, last = 0;
    if (!parse_bounds(c, by, c->argv[2], c->argv[3], &b)) return;
    if (!call_find(c, c->argv[1], TYPE_ZSET, FOR_WRITE, &e)) return;
    if (e) find_ranks(&b, entry_object(e), false, &first, &last);
    if (first < last) {
        zset_remove_ranks(entry_object(e), first, last);
        call_changed(c, EVENT_ZSET, event, c->argv[1], last - first);
        if (by == BY_LEX) effect_by_ranks(c, SPAN("ZREMRANGEBYRANK"), span_of(NULL, 0), c->argv[1], first, last);
        call_remove_if_empty(c, c->argv[1], e);
    }
    reply_int(c->reply, (int64_t)(last - first));
}

void zset_range_remove_by_rank(struct call *c) { remove_range(c, BY_RANK, "zremrangebyrank"); }
void zset_range_remove_by_score(struct call *c) { remove_range(c, BY_SCORE, "zremrangebyscore"); }
void zset_range_remove_by_lex(struct call *c) { remove_range(c, BY_LEX, "zremrangebylex"); }
