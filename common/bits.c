#include "common/bits.h"

#include <assert.h>

enum { WORD = sizeof(uint64_t) };

static uint64_t load(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* In each byte of the word: how many of its bits are set (Warren, Hacker's Delight, 5-1). */
static uint64_t counts_by_byte(uint64_t v)
{
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    return (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

static uint64_t count_bytes(const unsigned char *p, size_t n)
{
    enum { WORDS_AT_ONCE = 31 }; /* as many as sums of 8 fit into a byte */
    uint64_t total = 0;
    while (n >= WORD) {
        const size_t words = n / WORD < WORDS_AT_ONCE ? n / WORD : WORDS_AT_ONCE;
        uint64_t sums = 0;
        for (size_t i = 0; i < words; i++) sums += counts_by_byte(load(p + i * WORD));
        /* Pairs first: the sum of eight bytes does not fit into one. */
        sums = (sums & UINT64_C(0x00ff00ff00ff00ff)) + (sums >> 8 & UINT64_C(0x00ff00ff00ff00ff));
        total += sums * UINT64_C(0x0001000100010001) >> 48;
        p += words * WORD;
        n -= words * WORD;
    }
    for (; n > 0; n--, p++) total += counts_by_byte(*p);
    return total;
}

/* The bits of byte @at that lie in [first, end), the others 0. */
static unsigned byte_within(const unsigned char *p, uint64_t at, uint64_t first, uint64_t end, unsigned invert)
{
    unsigned v = p[at] ^ invert;
    if (first > at * 8) v &= 0xffu >> (first - at * 8);
    if (end < at * 8 + 8) v &= 0xffu << (at * 8 + 8 - end);
    return v & 0xff;
}

uint64_t bits_count(const void *bytes, uint64_t first, uint64_t end)
{
    const unsigned char *p = bytes;
    if (first >= end) return 0;
    const uint64_t from = (first + 7) / 8, to = end / 8; /* whole bytes */
    if (from > to) return counts_by_byte(byte_within(p, to, first, end, 0));
    uint64_t total = count_bytes(p + from, to - from);
    if (first % 8) total += counts_by_byte(byte_within(p, from - 1, first, end, 0));
    if (end % 8) total += counts_by_byte(byte_within(p, to, first, end, 0));
    return total;
}

/* The first byte from @at on, four words at a time, that lies in words which are not all @passed; @end or less. */
static uint64_t skip_words(const unsigned char *p, uint64_t at, uint64_t end, uint64_t passed)
{
    enum { STRIDE = 4 * WORD };
    for (; at + STRIDE <= end; at += STRIDE) {
        const uint64_t low = (load(p + at) ^ passed) | (load(p + at + WORD) ^ passed);
        const uint64_t high = (load(p + at + 2 * WORD) ^ passed) | (load(p + at + 3 * WORD) ^ passed);
        if (low | high) break;
    }
    return at;
}

uint64_t bits_find(const void *bytes, uint64_t first, uint64_t end, bool bit)
{
    const unsigned char *p = bytes;
    const unsigned invert = bit ? 0 : 0xff;
    const uint64_t passed = bit ? 0 : UINT64_MAX; /* words without such a bit */
    for (uint64_t at = first / 8; at * 8 < end;) {
        if (at * 8 >= first && at + WORD <= end / 8 && load(p + at) == passed) {
            at = skip_words(p, at + WORD, end / 8, passed);
            continue;
        }
        const unsigned v = byte_within(p, at, first, end, invert);
        if (v) return at * 8 + (uint64_t)(__builtin_clz(v) - 24);
        at++;
    }
    return end;
}

/* The part of a field that lies in one byte: how many bits, and how far from the byte's lowest. */
static unsigned part_of_byte(uint64_t at, unsigned left, unsigned *shift)
{
    const unsigned room = 8 - (unsigned)(at % 8), take = left < room ? left : room;
    *shift = room - take;
    return take;
}

uint64_t bits_get(struct span s, uint64_t at, unsigned width)
{
    assert(width > 0 && width <= BITS_FIELD_MAX);
    uint64_t v = 0;
    for (unsigned left = width, take, shift; left > 0; left -= take, at += take) {
        take = part_of_byte(at, left, &shift);
        const unsigned byte = at / 8 < s.n ? (unsigned char)s.p[at / 8] : 0;
        v = v << take | (byte >> shift & ((1u << take) - 1));
    }
    return v;
}

void bits_put(void *bytes, uint64_t at, unsigned width, uint64_t v)
{
    assert(width > 0 && width <= BITS_FIELD_MAX);
    unsigned char *p = bytes;
    for (unsigned left = width, take, shift; left > 0; at += take) {
        take = part_of_byte(at, left, &shift);
        left -= take;
        const unsigned mask = ((1u << take) - 1) << shift, part = (unsigned)(v >> left) << shift & mask;
        p[at / 8] = (unsigned char)((p[at / 8] & ~mask) | part);
    }
}

static void combine_bytes(enum bits_op op, unsigned char *to, const unsigned char *from, size_t n)
{
    switch (op) {
    case BITS_AND:
        for (size_t i = 0; i < n; i++) to[i] &= from[i];
        break;
    case BITS_OR:
        for (size_t i = 0; i < n; i++) to[i] |= from[i];
        break;
    case BITS_XOR:
        for (size_t i = 0; i < n; i++) to[i] ^= from[i];
        break;
    }
}

void bits_combine(enum bits_op op, void *to, const void *from, size_t n)
{
    enum { BLOCK = 64 }; /* of a fixed size, which compilers turn into a few wide instructions */
    unsigned char *a = to;
    const unsigned char *b = from;
    for (; n >= BLOCK; n -= BLOCK, a += BLOCK, b += BLOCK) combine_bytes(op, a, b, BLOCK);
    combine_bytes(op, a, b, n);
}

void bits_invert(void *bytes, size_t n)
{
    unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)~p[i];
}
