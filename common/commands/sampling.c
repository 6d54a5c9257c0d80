#include "common/commands/sampling.h"

bool sampling_count(struct call *c, struct span argument, int64_t *count)
{
    /* A negative count is a promise of so many elements, however small the collection is: bound it. */
    enum { MOST_DRAWS = 1 << 27 };
    if (!call_int(c, argument, count)) return false;
    if (*count == INT64_MIN) {
        reply_error(c->reply, "ERR value is out of range, value must between %ld and %ld", -INT64_MAX, INT64_MAX);
        return false;
    }
    if (*count < -MOST_DRAWS) {
        reply_error(c->reply, "ERR value is out of range");
        return false;
    }
    return true;
}
