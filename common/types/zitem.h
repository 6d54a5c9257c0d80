/* One member of a large sorted set with its score: a single small allocation that the set's table and tree share.
 *
 *     | score: double | length of the member: 7 bits a byte, low first, bit 7 says "more" | the member's bytes |
 *
 * A member of 16 bytes takes 25, which fits an allocator's class of 32. Owned by the sorted set. */
#pragma once

#include "common/span.h"

struct zitem {
    double score; /* never NaN */
    unsigned char tail[];
};

/* Ends by mem_free(). */
struct zitem *zitem_new(struct span member, double score);

/* The member's bytes, borrowed from the item. */
static inline struct span zitem_member(const struct zitem *item)
{
    const unsigned char *p = item->tail;
    size_t n = *p & 0x7f;
    for (unsigned shift = 7; *p & 0x80; shift += 7) n |= (size_t)(*++p & 0x7f) << shift;
    return span_of(p + 1, n);
}
