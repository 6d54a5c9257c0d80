/* One member of a large sorted set with its score: a single small allocation that the set's table and tree share.
 *
 *     | score: double | length of the member, as member.h has it | the member's bytes |
 *
 * A member of 16 bytes takes 25, which fits an allocator's class of 32. Owned by the sorted set. */
#pragma once

#include "common/types/member.h"

struct zitem {
    double score; /* never NaN */
    unsigned char tail[];
};

/* Ends by mem_free(). */
struct zitem *zitem_new(struct span member, double score);

/* The member's bytes, borrowed from the item. */
static inline struct span zitem_member(const struct zitem *item)
{
    const unsigned char *at = item->tail;
    const size_t length = member_take_length(&at);
    return span_of(at, length);
}
