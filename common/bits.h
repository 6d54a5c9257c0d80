/* Bits in a run of bytes, as Redis counts them: bit 0 is the highest of the first byte.
 *
 * Positions and lengths are in bits. Nothing is read or written outside of what a caller names. */
#pragma once

#include "common/span.h"

/* How many bits of [first, end) are set; the range lies within the bytes. */
uint64_t bits_count(const void *bytes, uint64_t first, uint64_t end);

/* The first bit of [first, end) that is @bit; @end if there is none. The range lies within the bytes. */
uint64_t bits_find(const void *bytes, uint64_t first, uint64_t end, bool bit);

enum { BITS_FIELD_MAX = 64 };

/* The field of @width (1 .. BITS_FIELD_MAX) bits at @at as an unsigned number, its first bit the most significant.
 * Bits behind the end of @s count as 0. */
uint64_t bits_get(struct span s, uint64_t at, unsigned width);

/* Write the lowest @width bits of @v as the field at @at, which lies within the bytes. */
void bits_put(void *bytes, uint64_t at, unsigned width, uint64_t v);

enum bits_op { BITS_AND, BITS_OR, BITS_XOR };

/* Combine @n bytes of @from into those of @to. */
void bits_combine(enum bits_op op, void *to, const void *from, size_t n);

/* Turn each bit of @n bytes. */
void bits_invert(void *bytes, size_t n);
