/* The sorted-set commands' handlers, by the file that they live in, and what these files share. Only for zset*.c. */
#pragma once

#include "common/call.h"
#include "common/types/zset.h"

/* zset.c has the rows of the family, and the commands about single members. */

/* zset_range.c: ranges by rank, score and member. */
void zset_range_count(struct call *c);
void zset_range_lexcount(struct call *c);
void zset_range_range(struct call *c);
void zset_range_revrange(struct call *c);
void zset_range_byscore(struct call *c);
void zset_range_revbyscore(struct call *c);
void zset_range_bylex(struct call *c);
void zset_range_revbylex(struct call *c);
void zset_range_store(struct call *c);
void zset_range_remove_by_rank(struct call *c);
void zset_range_remove_by_score(struct call *c);
void zset_range_remove_by_lex(struct call *c);

/* zset_pop.c: the lowest, the highest, or any. */
void zset_pop_min(struct call *c);
void zset_pop_max(struct call *c);
void zset_pop_multi(struct call *c);
void zset_pop_min_or_wait(struct call *c);
void zset_pop_max_or_wait(struct call *c);
void zset_pop_multi_or_wait(struct call *c);
void zset_pop_random(struct call *c);

/* zset_combine.c: union, intersection and difference. */
void zset_combine_union(struct call *c);
void zset_combine_inter(struct call *c);
void zset_combine_diff(struct call *c);
void zset_combine_unionstore(struct call *c);
void zset_combine_interstore(struct call *c);
void zset_combine_diffstore(struct call *c);
void zset_combine_intercard(struct call *c);

/* The sorted set at @key; *z is NULL if there is none. False: another type, the error was replied. */
static inline MUST_USE bool zset_find(struct call *c, struct span key, enum intent intent, struct zset **z)
{
    struct entry *e;
    if (!call_find(c, key, TYPE_ZSET, intent, &e)) return false;
    *z = e ? entry_object(e) : NULL;
    return true;
}

static inline void zset_reply_pair(struct reply *r, struct span member, double score)
{
    reply_bulk(r, member);
    reply_double(r, score);
}

/* Put @z, which is taken, in place of whatever @key holds; an empty one only removes it. Replies the size. */
void zset_store_result(struct call *c, struct span key, struct zset *z, const char *event);
