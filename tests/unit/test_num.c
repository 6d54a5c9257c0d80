#include <criterion/criterion.h>
#include <math.h>

#include "common/num.h"

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
