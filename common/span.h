/* A range of bytes that somebody else owns, and a cursor that reads one from its front.
 *
 * A span borrows: it is valid as long as its owner says. A cursor cannot run over its end: a take that does not fit
 * returns false, takes nothing and leaves the cursor where it was, so parsers read like schemas:
 *
 *     if (!take_u8(&c, &kind) || !take_u32be(&c, &length) || !take_span(&c, length, &payload)) return ERR_TRUNCATED;
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline struct span span_of(const void *p, size_t n) { return (struct span){(const char *)p, n}; }

static inline struct span span_str(const char *text) { return span_of(text, strlen(text)); }

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order as memcmp() has it, a prefix before what it begins. */
static inline int span_cmp(struct span a, struct span b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Equal but for the case of ASCII letters; locale plays no part. */
bool span_case_eq(struct span a, struct span b);

/* span_case_eq() with a C string: for options in commands, as in span_is(argv[3], "NX"). */
bool span_is(struct span a, const char *text);

/* ASCII lower case of one byte. */
static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

struct cursor {
    const char *at, *end;
};

static inline struct cursor cursor_of(struct span s) { return (struct cursor){s.p, s.p ? s.p + s.n : s.p}; }
static inline size_t cursor_left(const struct cursor *c) { return (size_t)(c->end - c->at); }

static inline bool take_bytes(struct cursor *c, void *to, size_t n)
{
    if (cursor_left(c) < n) return false;
    if (n) memcpy(to, c->at, n);
    c->at += n;
    return true;
}

/* Borrow the next @n bytes. */
static inline bool take_span(struct cursor *c, size_t n, struct span *s)
{
    if (cursor_left(c) < n) return false;
    *s = span_of(c->at, n);
    c->at += n;
    return true;
}

static inline bool take_u8(struct cursor *c, uint8_t *v) { return take_bytes(c, v, 1); }

bool take_u16le(struct cursor *c, uint16_t *v);
bool take_u32le(struct cursor *c, uint32_t *v);
bool take_u64le(struct cursor *c, uint64_t *v);
bool take_u32be(struct cursor *c, uint32_t *v);
bool take_u64be(struct cursor *c, uint64_t *v);

/* Borrow up to and without the next "\n" (a "\r" before it is dropped too) and step over both. */
bool take_line(struct cursor *c, struct span *line);
