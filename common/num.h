/* Numbers as Redis reads and writes them.
 *
 * Reading is strict, so that text and number correspond one to one: no space, no plus sign, no leading zero, nothing
 * behind the number. Writing never depends on the locale. */
#pragma once

#include "common/span.h"

enum { NUM_I64_MAX_TEXT = 20, NUM_DOUBLE_MAX_TEXT = 32, NUM_LONG_DOUBLE_MAX_TEXT = 5 * 1024 };

/* The signed decimal @s, if its canonical text is exactly @s ("-0", "+1" and "01" are none). */
bool num_parse_i64(struct span s, int64_t *v);

/* As above for 0 .. 2^64-1. */
bool num_parse_u64(struct span s, uint64_t *v);

/* Any text that strtod() takes whole, "inf" and hex included, but no NaN, no leading space, and no overflow. */
bool num_parse_double(struct span s, double *v);
bool num_parse_long_double(struct span s, long double *v);

/* Decimal text of @v without a terminating zero; returns its length (at most NUM_I64_MAX_TEXT). */
size_t num_format_i64(char *to, int64_t v);
size_t num_format_u64(char *to, uint64_t v);

/* The form of a double in a reply and in the log: integers without a fraction, else 17 significant digits ("%.17g"),
 * "inf", "-inf", "nan"; returns the length (at most NUM_DOUBLE_MAX_TEXT). */
size_t num_format_double(char *to, double v);

/* The form that INCRBYFLOAT and HINCRBYFLOAT store: fixed point, 17 decimals, zeros at the end removed. @to has room
 * for NUM_LONG_DOUBLE_MAX_TEXT bytes. */
size_t num_format_long_double(char *to, long double v);
