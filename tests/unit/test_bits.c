#include <criterion/criterion.h>

#include "common/bits.h"
#include "tests/unit/rand.h"

enum { BYTES = 300, BITS = BYTES * 8 };

static bool bit_of(const unsigned char *p, uint64_t at) { return p[at / 8] >> (7 - at % 8) & 1; }

/* Mostly runs of equal bytes, so that searches pass over whole words. */
static void fill(struct rand *r, unsigned char *p)
{
    for (size_t i = 0; i < BYTES;) {
        const size_t n = 1 + (size_t)rand_below(r, 40);
        const unsigned char v = (unsigned char)(rand_below(r, 3) ? (rand_below(r, 2) ? 0xff : 0) : rand_next(r));
        for (size_t k = 0; k < n && i < BYTES; k++) p[i++] = v;
    }
}

Test(bits, are_counted_and_found_as_one_by_one)
{
    struct rand r = {1};
    unsigned char p[BYTES];
    for (unsigned round = 0; round < 3000; round++) {
        fill(&r, p);
        const uint64_t first = rand_below(&r, BITS + 1), end = first + rand_below(&r, BITS + 1 - first);
        const bool wanted = rand_below(&r, 2);
        uint64_t count = 0, found = end;
        for (uint64_t at = first; at < end; at++) {
            count += bit_of(p, at);
            if (found == end && bit_of(p, at) == wanted) found = at;
        }
        cr_assert_eq(bits_count(p, first, end), count, "round %u: [%lu, %lu)", round, first, end);
        cr_assert_eq(bits_find(p, first, end, wanted), found, "round %u: [%lu, %lu)", round, first, end);
    }
}

Test(bits, of_a_long_string_are_all_counted)
{
    enum { LONG = 10007 };
    static unsigned char p[LONG];
    memset(p, 0xff, sizeof p);
    cr_expect_eq(bits_count(p, 0, LONG * 8), LONG * 8);
    cr_expect_eq(bits_count(p, 3, LONG * 8 - 2), LONG * 8 - 5);
    cr_expect_eq(bits_find(p, 0, LONG * 8, false), LONG * 8);
}

Test(bits, the_only_bit_of_its_kind_is_found_wherever_it_is)
{
    char p[BYTES];
    for (unsigned at = 0; at < BYTES * 8; at++)
        for (unsigned bit = 0; bit < 2; bit++) {
            memset(p, bit ? 0 : 0xff, sizeof p);
            bits_put(p, at, 1, bit);
            cr_assert_eq(bits_find(p, 0, sizeof p * 8, bit), at, "bit %u", at);
            cr_assert_eq(bits_find(p, 3, at, bit), at, "none before bit %u", at);
        }
}

Test(bits, fields_of_any_width_keep_what_was_put_and_touch_nothing_else)
{
    struct rand r = {2};
    unsigned char p[BYTES], before[BYTES];
    for (unsigned round = 0; round < 3000; round++) {
        fill(&r, p);
        memcpy(before, p, sizeof p);
        const unsigned width = 1 + (unsigned)rand_below(&r, BITS_FIELD_MAX);
        const uint64_t at = rand_below(&r, BITS - width + 1), v = rand_next(&r);
        bits_put(p, at, width, v);
        cr_assert_eq(bits_get(span_of(p, sizeof p), at, width), v & UINT64_MAX >> (64 - width));
        for (uint64_t i = 0; i < BITS; i++)
            if (i < at || i >= at + width) cr_assert_eq(bit_of(p, i), bit_of(before, i));
    }
}

Test(bits, behind_the_end_are_zeros)
{
    cr_expect_eq(bits_get(SPAN("\xff"), 4, 8), 0xf0);
    cr_expect_eq(bits_get(SPAN("\xff"), 1000, 64), 0);
    cr_expect_eq(bits_get(span_of(NULL, 0), 0, 1), 0);
}

Test(bits, are_combined_byte_by_byte)
{
    struct rand r = {3};
    unsigned char a[BYTES], b[BYTES], c[BYTES];
    for (unsigned op = BITS_AND; op <= BITS_XOR; op++) {
        fill(&r, a);
        fill(&r, b);
        memcpy(c, a, sizeof a);
        bits_combine((enum bits_op)op, c, b, sizeof c);
        for (size_t i = 0; i < BYTES; i++)
            cr_assert_eq(c[i], op == BITS_AND ? a[i] & b[i] : op == BITS_OR ? a[i] | b[i] : a[i] ^ b[i]);
        bits_invert(c, sizeof c);
        bits_invert(c, 0);
        for (size_t i = 0; i < BYTES; i++)
            cr_assert_eq(c[i] ^ 0xff, op == BITS_AND ? a[i] & b[i] : op == BITS_OR ? a[i] | b[i] : a[i] ^ b[i]);
    }
}
