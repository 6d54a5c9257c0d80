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

/* Read a count argument; what Redis refuses whatever the key holds is refused here. False: the error was replied. */
MUST_USE bool sampling_count(struct call *c, struct span argument, int64_t *count);
/* The same for a count of which each element is replied with its value or score. */
MUST_USE bool sampling_of_pairs(struct call *c, int64_t count);

/* A negative count is a promise of so many elements, however small the collection is: one that no reply could hold is
 * refused. To be asked when there is a collection; without one any count draws nothing. */
MUST_USE bool sampling_fits(struct call *c, int64_t count);

/* And one whose reply, which began at length @mark of what is out, came to more than 512 MB, is taken back and refused:
 * a few large members would come to terabytes. False: it did not. */
MUST_USE bool sampling_overflows(struct call *c, size_t mark);
