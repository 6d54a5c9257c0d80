#include <criterion/criterion.h>

#include "replication/moment.h"

static int64_t time_of(const char *text)
{
    int64_t ms;
    return moment_parse_time(span_str(text), &ms) ? ms : -1;
}

Test(moment, a_time_is_read_in_every_form_that_people_write)
{
    cr_expect_eq(time_of("2026-11-22T16:30:00Z"), 1795365000000);
    cr_expect_eq(time_of("2026-11-22T16:30:00.250Z"), 1795365000250);
    cr_expect_eq(time_of("2026-11-22 16:30:00.25"), 1795365000250);
    cr_expect_eq(time_of("2026-11-22t16:30z"), 1795365000000);
    cr_expect_eq(time_of("2026-11-22"), 1795305600000);
    cr_expect_eq(time_of("2024-02-29T23:59:59Z"), 1709251199000);
    cr_expect_eq(time_of("1970-01-01T00:00:00Z"), 0);
    cr_expect_eq(time_of("1795365000"), 1795365000000);
    cr_expect_eq(time_of("1795365000.2504"), 1795365000250);
    cr_expect_eq(time_of("0"), 0);
}

Test(moment, what_is_no_time_is_refused)
{
    static const char *const wrong[] = {"",
                                        "yesterday",
                                        "2026-11-31T00:00:00Z",
                                        "2026-13-01",
                                        "2026-00-01",
                                        "2026-11-00",
                                        "2026-11-22T24:00:00Z",
                                        "2026-11-22T16:60:00Z",
                                        "2026-11-22T16:00:60Z",
                                        "2026-11-22T16:30:00+01:00",
                                        "2026-11-22T16:30:00.Z",
                                        "2026-11-22T",
                                        "1969-12-31T00:00:00Z",
                                        "-5",
                                        "1.",
                                        "1.5.5",
                                        "99999999999999999999",
                                        "9223372036854775807"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) cr_expect_eq(time_of(wrong[i]), -1, "%s", wrong[i]);
}

Test(moment, what_is_written_is_read_again)
{
    char text[MOMENT_MAX_TEXT];
    static const int64_t times[] = {0, 1, 999, 1795365000250, 4102444800123, 253402300799999};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        (void)moment_format(times[i], text);
        cr_expect_eq(time_of(text), times[i], "%s", text);
    }
    (void)moment_format(1795365000250, text);
    cr_expect_str_eq(text, "2026-11-22T16:30:00.250Z");
    cr_expect_eq(moment_format(INT64_MAX, text), strlen(text));
}

Test(moment, a_position_has_a_mark_of_its_own)
{
    struct moment at;
    struct errmsg m;
    cr_expect_eq(moment_parse(SPAN("3:4096"), &at, &m), ERR_OK);
    cr_expect(!at.is_time && at.epoch == 3 && at.offset == 4096);
    cr_expect_eq(moment_parse(SPAN("@77"), &at, &m), ERR_OK);
    cr_expect(!at.is_time && at.epoch == 0 && at.offset == 77);
    cr_expect_eq(moment_parse(SPAN("77"), &at, &m), ERR_OK);
    cr_expect(at.is_time && at.time_ms == 77000);
    static const char *const wrong[] = {"0:5", "1:", ":5", "@", "@x", "1:2:3", "-1:5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(moment_parse(span_str(wrong[i]), &at, &m), ERR_INVALID, "%s", wrong[i]);
        cr_expect(strstr(m.text, "is no moment"), "%s", m.text);
    }
}
