#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/num.h"
#include "tests/unit/rand.h"

Test(num, an_integer_is_read_only_in_its_canonical_form)
{
    static const char *const refused[] = {"", "-", "+1", "01", "-0", " 1", "1 ", "1x", "9223372036854775808", "-01"};
    int64_t v;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_not(num_parse_i64(span_str(refused[i]), &v), "%s", refused[i]);
    cr_expect(num_parse_i64(SPAN("-9223372036854775808"), &v) && v == INT64_MIN);
    cr_expect(num_parse_i64(SPAN("9223372036854775807"), &v) && v == INT64_MAX);
}

Test(num, every_integer_is_written_as_it_is_read)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, 12345, 10000, 99999, -123456789, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[NUM_I64_MAX_TEXT];
        int64_t back;
        cr_expect(num_parse_i64(span_of(text, num_format_i64(text, values[i])), &back) && back == values[i]);
    }
}

Test(num, a_double_is_read_whole_or_not_at_all)
{
    double v;
    cr_expect(num_parse_double(SPAN("-1.5e3"), &v) && v == -1500);
    cr_expect(num_parse_double(SPAN("inf"), &v) && isinf(v));
    cr_expect_not(num_parse_double(SPAN("nan"), &v));
    cr_expect_not(num_parse_double(SPAN("1.5x"), &v));
    cr_expect_not(num_parse_double(SPAN(" 1.5"), &v));
    cr_expect_not(num_parse_double(span_of("1\0", 2), &v));
}

Test(num, a_double_is_written_as_redis_writes_it)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {{3, "3"},        {-0.0, "-0"},      {0.1, "0.10000000000000001"},
                {1e20, "1e+20"}, {INFINITY, "inf"}, {-17, "-17"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[NUM_DOUBLE_MAX_TEXT];
        cr_expect(span_eq(span_of(text, num_format_double(text, rows[i].v)), span_str(rows[i].text)), "%s",
                  rows[i].text);
    }
}

Test(num, random_numbers_are_written_and_read_as_the_c_library_does)
{
    struct rand r = {1};
    for (unsigned i = 0; i < 100000; i++) {
        char text[64], own[NUM_DOUBLE_MAX_TEXT > NUM_I64_MAX_TEXT ? NUM_DOUBLE_MAX_TEXT : NUM_I64_MAX_TEXT];
        const int64_t v = (int64_t)rand_next(&r) >> rand_below(&r, 64);
        int n = snprintf(text, sizeof text, "%lld", (long long)v);
        int64_t back;
        cr_assert(span_eq(span_of(own, num_format_i64(own, v)), span_of(text, (size_t)n)), "%s", text);
        cr_assert(num_parse_i64(span_of(text, (size_t)n), &back) && back == v, "%s", text);

        double d, again;
        const uint64_t bits = rand_next(&r);
        memcpy(&d, &bits, sizeof d);
        if (i % 2) d = (double)v / 8;
        if (isnan(d)) continue;
        n = snprintf(text, sizeof text, "%.17g", d);
        cr_assert(span_eq(span_of(own, num_format_double(own, d)), span_of(text, (size_t)n)), "%s", text);
        cr_assert(num_parse_double(span_of(text, (size_t)n), &again) && again == d, "%s", text);
    }
}

/* One digit put in, taken out or changed: an integer is read if and only if it is written so. */
Test(num, a_text_near_an_integer_is_read_only_if_it_is_one)
{
    struct rand r = {2};
    for (unsigned i = 0; i < 100000; i++) {
        char text[64], canonical[64];
        const int64_t near = rand_below(&r, 2) ? INT64_MAX : (int64_t)rand_next(&r) >> rand_below(&r, 64);
        int n = snprintf(text, sizeof text, "%lld", (long long)near);
        text[rand_below(&r, (uint64_t)n)] = "0123456789- "[rand_below(&r, 12)];
        if (rand_below(&r, 3) == 0) text[n++] = (char)('0' + rand_below(&r, 10));
        text[n] = 0;
        int64_t v = 0;
        const long long c = strtoll(text, NULL, 10);
        (void)snprintf(canonical, sizeof canonical, "%lld", c);
        const bool expected = strcmp(text, canonical) == 0;
        cr_assert_eq(num_parse_i64(span_of(text, (size_t)n), &v), expected, "%s", text);
        if (expected) cr_assert_eq(v, c, "%s", text);
    }
}
