#include "replication/hex.h"

#include <assert.h>

static const char digits_of[] = "0123456789abcdef";

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

void hex_write_fixed(char *to, uint64_t v, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        to[i - 1] = digits_of[v & 15];
        v >>= 4;
    }
}

size_t hex_write(char *to, uint64_t v)
{
    const unsigned digits = v ? (unsigned)(67 - __builtin_clzll(v)) / 4 : 1;
    hex_write_fixed(to, v, digits);
    return digits;
}

void hex_write_bytes(char *to, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) hex_write_fixed(to + 2 * i, p[i], 2);
}

void hex_add(struct buf *b, uint64_t v) { b->len += hex_write(buf_room(b, HEX_MAX_TEXT), v); }

void hex_add_fixed(struct buf *b, uint64_t v, unsigned digits)
{
    hex_write_fixed(buf_room(b, digits), v, digits);
    b->len += digits;
}

bool hex_parse(struct span s, uint64_t *v)
{
    if (s.n == 0 || s.n > HEX_MAX_TEXT || (s.p[0] == '0' && s.n > 1)) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        const int digit = digit_value(s.p[i]);
        if (digit < 0) return false;
        sum = sum << 4 | (unsigned)digit;
    }
    *v = sum;
    return true;
}

bool hex_parse_fixed(struct span s, unsigned digits, uint64_t *v)
{
    struct cursor c = cursor_of(s);
    return s.n == digits && hex_take_fixed(&c, digits, v);
}

bool hex_parse_bytes(struct span s, uint8_t *p, size_t n)
{
    if (s.n != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t byte;
        if (!hex_parse_fixed(span_of(s.p + 2 * i, 2), 2, &byte)) return false;
        p[i] = (uint8_t)byte;
    }
    return true;
}

bool hex_take(struct cursor *c, char end, uint64_t *v)
{
    const size_t left = cursor_left(c);
    size_t n = 0;
    while (n < left && n <= HEX_MAX_TEXT && c->at[n] != end) n++;
    if (n == left || n > HEX_MAX_TEXT || !hex_parse(span_of(c->at, n), v)) return false;
    c->at += n + 1;
    return true;
}

bool hex_take_fixed(struct cursor *c, unsigned digits, uint64_t *v)
{
    assert(digits <= HEX_MAX_TEXT);
    if (cursor_left(c) < digits) return false;
    uint64_t sum = 0;
    for (unsigned i = 0; i < digits; i++) {
        const int digit = digit_value(c->at[i]);
        if (digit < 0) return false;
        sum = sum << 4 | (unsigned)digit;
    }
    c->at += digits;
    *v = sum;
    return true;
}
