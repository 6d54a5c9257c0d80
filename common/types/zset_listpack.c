#include "common/types/zset_listpack.h"

#include <assert.h>
#include <math.h>

const lp_t *zlp_find(const lp_t *lp, struct span member)
{
    const lp_t *first = lp_first(lp);
    return first ? lp_find(lp, first, member, 1) : NULL;
}

/* The score element at @at; false if it is no number. */
static bool score_at(const lp_t *at, double *score)
{
    int64_t whole;
    if (lp_get_int(at, &whole)) {
        *score = (double)whole;
        return true;
    }
    char scratch[NUM_I64_MAX_TEXT];
    return num_parse_double(lp_get(at, scratch), score);
}

double zlp_score(const lp_t *lp, const lp_t *member_at)
{
    double score = 0;
    const bool ok = score_at(lp_next(lp, member_at), &score);
    assert(ok);
    return score;
}

const lp_t *zlp_next(const lp_t *lp, const lp_t *member_at) { return lp_next(lp, lp_next(lp, member_at)); }

const lp_t *zlp_prev(const lp_t *lp, const lp_t *member_at)
{
    const lp_t *score = lp_prev(lp, member_at);
    return score ? lp_prev(lp, score) : NULL;
}

static size_t format_score(char *to, double score)
{
    const double whole_below = 4611686018427387904.0; /* 2^62 */
    if (fabs(score) < whole_below && score == trunc(score)) return num_format_i64(to, (int64_t)score);
    return num_format_double(to, score);
}

/* Order of the member at @at with its score against another. */
static int order(const lp_t *lp, const lp_t *at, struct span member, double score)
{
    const double mine = zlp_score(lp, at);
    if (mine != score) return mine < score ? -1 : 1;
    char scratch[NUM_I64_MAX_TEXT];
    return span_cmp(lp_get(at, scratch), member);
}

lp_t *zlp_insert(lp_t *lp, struct span member, double score)
{
    char text[NUM_DOUBLE_MAX_TEXT];
    const struct span score_text = span_of(text, format_score(text, score));
    const lp_t *at = lp_first(lp);
    while (at && order(lp, at, member, score) < 0) at = zlp_next(lp, at);
    if (!at) return lp_append(lp_append(lp, member), score_text);
    lp = lp_insert(lp, at, member, &at);
    at = lp_next(lp, at);
    return lp_insert(lp, at, score_text, NULL);
}

lp_t *zlp_remove(lp_t *lp, const lp_t *member_at, size_t n) { return lp_delete(lp, &member_at, 2 * n); }

uint64_t zlp_rank(const lp_t *lp, const lp_t *member_at)
{
    uint64_t rank = 0;
    for (const lp_t *at = lp_first(lp); at != member_at; at = zlp_next(lp, at)) rank++;
    return rank;
}

uint64_t zlp_count_below(const lp_t *lp, double score, bool inclusive)
{
    uint64_t count = 0;
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at), count++) {
        const double mine = zlp_score(lp, at);
        if (inclusive ? mine > score : mine >= score) break;
    }
    return count;
}

uint64_t zlp_count_before(const lp_t *lp, struct span member, bool inclusive)
{
    uint64_t count = 0;
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at), count++) {
        char scratch[NUM_I64_MAX_TEXT];
        const int mine = span_cmp(lp_get(at, scratch), member);
        if (inclusive ? mine > 0 : mine >= 0) break;
    }
    return count;
}

bool zlp_in_order(const lp_t *lp)
{
    const lp_t *before = NULL;
    double before_score = 0;
    for (const lp_t *at = lp_first(lp); at; before = at, at = zlp_next(lp, at)) {
        double score;
        if (!lp_next(lp, at) || !score_at(lp_next(lp, at), &score)) return false;
        if (before && before_score > score) return false;
        char scratch[NUM_I64_MAX_TEXT];
        if (before && before_score == score && order(lp, before, lp_get(at, scratch), score) >= 0) return false;
        before_score = score;
    }
    return true;
}

bool zlp_distinct(const lp_t *lp)
{
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at)) {
        const lp_t *next = zlp_next(lp, at);
        char scratch[NUM_I64_MAX_TEXT];
        if (next && lp_find(lp, next, lp_get(at, scratch), 1)) return false;
    }
    return true;
}
