#include "common/commands/sampling.h"

bool sampling_count(struct call *c, struct span argument, int64_t *count)
{
    if (!call_int(c, argument, count)) return false;
    if (*count == INT64_MIN) {
        reply_error(c->reply, "ERR value is out of range, value must between %ld and %ld", -INT64_MAX, INT64_MAX);
        return false;
    }
    return true;
}

bool sampling_of_pairs(struct call *c, int64_t count)
{
    if (count >= -INT64_MAX / 2 && count <= INT64_MAX / 2) return true;
    reply_error(c->reply, "ERR value is out of range");
    return false;
}

bool sampling_fits(struct call *c, int64_t count)
{
    enum { MOST_DRAWS = 1 << 27 };
    if (count >= -MOST_DRAWS) return true;
    reply_error(c->reply, "ERR value is out of range");
    return false;
}

bool sampling_overflows(struct call *c, size_t mark)
{
    enum { MOST_BYTES = 512 << 20 };
    if (c->reply->out->len - mark <= MOST_BYTES) return false;
    c->reply->out->len = mark;
    reply_error(c->reply, "ERR value is out of range");
    return true;
}
