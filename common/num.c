#include "common/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool num_parse_u64(struct span s, uint64_t *v)
{
    if (s.n == 0 || s.n > NUM_I64_MAX_TEXT || (s.p[0] == '0' && s.n > 1)) return false;
    uint64_t x = 0;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9 || x > (UINT64_MAX - digit) / 10) return false;
        x = x * 10 + digit;
    }
    *v = x;
    return true;
}

bool num_parse_i64(struct span s, int64_t *v)
{
    const bool negative = s.n > 0 && s.p[0] == '-';
    if (negative) s = span_of(s.p + 1, s.n - 1);
    uint64_t x;
    if (!num_parse_u64(s, &x)) return false;
    if (negative) {
        if (x == 0 || x > (uint64_t)INT64_MAX + 1) return false;
        *v = (int64_t)(0 - x);
        return true;
    }
    if (x > INT64_MAX) return false;
    *v = (int64_t)x;
    return true;
}

/* strtod() wants a terminated string, and takes leading space, which we do not. */
static bool number_text(struct span s, char *text, size_t room)
{
    if (s.n == 0 || s.n >= room || memchr(s.p, 0, s.n)) return false;
    if (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r')) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    return true;
}

bool num_parse_double(struct span s, double *v)
{
    char text[256], *end;
    if (!number_text(s, text, sizeof text)) return false;
    errno = 0;
    const double x = strtod(text, &end);
    if (*end || isnan(x) || (errno == ERANGE && (isinf(x) || fpclassify(x) == FP_ZERO))) return false;
    *v = x;
    return true;
}

bool num_parse_long_double(struct span s, long double *v)
{
    char text[NUM_LONG_DOUBLE_MAX_TEXT], *end;
    if (!number_text(s, text, sizeof text)) return false;
    errno = 0;
    const long double x = strtold(text, &end);
    if (*end || isnan(x) || (errno == ERANGE && (isinf(x) || fpclassify(x) == FP_ZERO))) return false;
    *v = x;
    return true;
}

/* How many digits @v has. */
static unsigned digits_of(uint64_t v)
{
    unsigned n = 1;
    for (; v >= 10000; v /= 10000) n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

size_t num_format_u64(char *to, uint64_t v)
{
    const size_t n = digits_of(v);
    for (size_t i = n; i-- > 0; v /= 10) to[i] = (char)('0' + v % 10);
    return n;
}

size_t num_format_i64(char *to, int64_t v)
{
    if (v >= 0) return num_format_u64(to, (uint64_t)v);
    *to = '-';
    return 1 + num_format_u64(to + 1, 0 - (uint64_t)v);
}

size_t num_format_double(char *to, double v)
{
    /* Whole numbers that a double holds exactly need no printf; a negative zero keeps its sign. */
    if (v > -1e15 && v < 1e15 && v == (double)(int64_t)v && !(v == 0 && signbit(v)))
        return num_format_i64(to, (int64_t)v);
    if (isinf(v)) {
        const struct span text = v > 0 ? SPAN("inf") : SPAN("-inf");
        memcpy(to, text.p, text.n);
        return text.n;
    }
    if (isnan(v)) {
        memcpy(to, "nan", 3);
        return 3;
    }
    return (size_t)snprintf(to, NUM_DOUBLE_MAX_TEXT, "%.17g", v);
}

size_t num_format_long_double(char *to, long double v)
{
    size_t n = (size_t)snprintf(to, NUM_LONG_DOUBLE_MAX_TEXT, "%.17Lf", v);
    if (memchr(to, '.', n)) {
        while (to[n - 1] == '0') n--;
        if (to[n - 1] == '.') n--;
    }
    if (n == 2 && to[0] == '-' && to[1] == '0') {
        to[0] = '0';
        n = 1;
    }
    return n;
}
