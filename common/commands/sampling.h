/* What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER have in common: their count, and drawing some elements of many.
 *
 * A positive count asks for that many different elements. If that is a good part of all, each element is taken or
 * passed over in one walk, such that every choice of that many is equally likely (Knuth, volume 2, algorithm S);
 * if it is few of many, elements are drawn one by one, and drawn again if they came before. A negative count asks for
 * elements one by one without regard to what came before. */
#pragma once

#include "common/call.h"

struct sampler {
    struct call *call;
    uint64_t wanted, left; /* elements still to be taken, and still to come */
};

/* The next element of the walk: is it taken? */
static inline bool sampler_takes(struct sampler *s)
{
    const bool takes = s->wanted > 0 && call_random_below(s->call, s->left) < s->wanted;
    s->wanted -= takes;
    s->left--;
    return takes;
}

/* Is one walk over @size elements the better way to draw @count of them? */
static inline bool sampling_walks(uint64_t count, uint64_t size) { return size <= 1024 || count > size / 3; }

/* Read a count argument. Numbers that no reply could hold are refused. */
MUST_USE bool sampling_count(struct call *c, struct span argument, int64_t *count);
