/* The small form of a sorted set: a listpack of member, score, member, score ... in ascending order. For zset.c.
 *
 * Byte for byte Redis's form: a score that is a whole number stands there as an integer (so -0 becomes 0), any other
 * as the text of 17 significant digits. */
#pragma once

#include "common/listpack.h"

/* Position of @member, or NULL. */
const lp_t *zlp_find(const lp_t *lp, struct span member);

double zlp_score(const lp_t *lp, const lp_t *member_at);

/* Step to the next or previous member; NULL at the end. */
const lp_t *zlp_next(const lp_t *lp, const lp_t *member_at);
const lp_t *zlp_prev(const lp_t *lp, const lp_t *member_at);

static inline size_t zlp_count(const lp_t *lp) { return lp_count(lp) / 2; }

/* Add a member that is not there. */
MUST_USE lp_t *zlp_insert(lp_t *lp, struct span member, double score);

/* Remove @n members from rank @rank on. */
MUST_USE lp_t *zlp_remove(lp_t *lp, const lp_t *member_at, size_t n);

uint64_t zlp_rank(const lp_t *lp, const lp_t *member_at);
uint64_t zlp_count_below(const lp_t *lp, double score, bool inclusive);
uint64_t zlp_count_before(const lp_t *lp, struct span member, bool inclusive);

/* Are the scores of a listpack that lp_valid() approved numbers, and its pairs in ascending order? */
bool zlp_in_order(const lp_t *lp);

/* Does no member stand in it twice? Takes the square of the count. */
bool zlp_distinct(const lp_t *lp);
