/* Reading the arguments of commands: numbers, times, and what the SCAN family takes. */
#include <math.h>

#include "common/call.h"

bool call_int(struct call *c, struct span s, int64_t *v)
{
    if (num_parse_i64(s, v)) return true;
    reply_not_an_integer(c->reply);
    return false;
}

bool call_int_in(struct call *c, struct span s, int64_t min, int64_t max, int64_t *v, const char *error)
{
    if (num_parse_i64(s, v) && *v >= min && *v <= max) return true;
    if (error) reply_error(c->reply, "%s", error);
    else reply_not_an_integer(c->reply);
    return false;
}

bool call_double(struct call *c, struct span s, double *v)
{
    if (num_parse_double(s, v)) return true;
    reply_not_a_float(c->reply);
    return false;
}

static bool is_timeout(struct call *c, int64_t ms)
{
    if (ms >= 0) return true;
    reply_error(c->reply, "ERR timeout is negative");
    return false;
}

bool call_timeout_s(struct call *c, struct span seconds, int64_t *timeout_ms)
{
    long double s;
    if (!num_parse_long_double(seconds, &s)) {
        reply_error(c->reply, "ERR timeout is not a float or out of range");
        return false;
    }
    s = ceill(s * 1000);
    *timeout_ms = s >= 0 && s < 0x1p63L ? (int64_t)s : -1; /* what is too long is "negative" in Redis */
    return is_timeout(c, *timeout_ms);
}

bool call_timeout_ms(struct call *c, struct span ms, int64_t *timeout_ms)
{
    return call_int_in(c, ms, INT64_MIN, INT64_MAX, timeout_ms, "ERR timeout is not an integer or out of range") &&
           is_timeout(c, *timeout_ms);
}

/* A cursor is read as strtoul() does, which Redis uses: signs and zeros in front are taken, a zero byte ends it, and
 * nothing at all is 0. */
static bool parse_cursor(struct span s, uint64_t *v)
{
    const bool minus = s.n > 0 && s.p[0] == '-', sign = minus || (s.n > 0 && s.p[0] == '+');
    const char *zero = s.n ? memchr(s.p, '\0', s.n) : NULL;
    if (zero) s.n = (size_t)(zero - s.p);
    *v = 0;
    if (s.n == 0) return true;
    if (sign && s.n == 1) return false;
    s = span_of(s.p + sign, s.n - sign);
    while (s.n > 1 && s.p[0] == '0') s = span_of(s.p + 1, s.n - 1);
    if (!num_parse_u64(s, v)) return false;
    if (minus) *v = 0 - *v;
    return true;
}

bool call_scan_options(struct call *c, size_t cursor_at, bool with_type, struct scan_options *o)
{
    *o = (struct scan_options){.count = 10};
    if (!parse_cursor(c->argv[cursor_at], &o->cursor)) {
        reply_error(c->reply, "ERR invalid cursor");
        return false;
    }
    for (size_t i = cursor_at + 1; i < c->argc; i += 2) {
        const bool has_value = i + 1 < c->argc;
        int64_t count;
        if (has_value && span_is(c->argv[i], "COUNT")) {
            if (!call_int(c, c->argv[i + 1], &count)) return false;
            if (count > 0) {
                o->count = (uint64_t)count;
                continue;
            }
        } else if (has_value && span_is(c->argv[i], "MATCH")) {
            o->match = c->argv[i + 1];
            continue;
        } else if (has_value && with_type && span_is(c->argv[i], "TYPE")) {
            o->type = c->argv[i + 1];
            continue;
        }
        reply_syntax_error(c->reply);
        return false;
    }
    return true;
}
