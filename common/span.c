#include "common/span.h"

bool span_case_eq(struct span a, struct span b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

bool span_is(struct span a, const char *text) { return span_case_eq(a, span_str(text)); }

/* Read @width bytes as an unsigned number; @little says in which order they stand. */
static bool take_number(struct cursor *c, unsigned width, bool little, uint64_t *v)
{
    if (cursor_left(c) < width) return false;
    uint64_t x = 0;
    for (unsigned i = 0; i < width; i++) x = x << 8 | (uint8_t)c->at[little ? width - 1 - i : i];
    c->at += width;
    *v = x;
    return true;
}

#define TAKE(name, type, width, little)                       \
    bool name(struct cursor *c, type *v)                      \
    {                                                         \
        uint64_t x;                                           \
        if (!take_number(c, width, little, &x)) return false; \
        *v = (type)x;                                         \
        return true;                                          \
    }

TAKE(take_u16le, uint16_t, 2, true)
TAKE(take_u32le, uint32_t, 4, true)
TAKE(take_u64le, uint64_t, 8, true)
TAKE(take_u32be, uint32_t, 4, false)
TAKE(take_u64be, uint64_t, 8, false)

bool take_line(struct cursor *c, struct span *line)
{
    const size_t left = cursor_left(c);
    const char *nl = left ? memchr(c->at, '\n', left) : NULL;
    if (!nl) return false;
    size_t n = (size_t)(nl - c->at);
    if (n && c->at[n - 1] == '\r') n--;
    *line = span_of(c->at, n);
    c->at = nl + 1;
    return true;
}
