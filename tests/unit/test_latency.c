#include "server/latency.h"

#include <criterion/criterion.h>

static struct latency *l;
static struct buf text;

static void setup(void) { l = latency_new(); }

static void teardown(void)
{
    latency_free(l);
    buf_free(&text);
}

TestSuite(latency, .init = setup, .fini = teardown);

static bool says(const char *what) { return memmem(text.p, text.len, what, strlen(what)); }

Test(latency, keeps_the_longest_of_a_second_and_of_ever)
{
    latency_add(l, "command", 30, 100);
    latency_add(l, "command", 50, 100);
    latency_add(l, "command", 40, 100);
    latency_add(l, "command", 10, 103);
    const struct latency_event *e = latency_find(l, SPAN("command"));
    cr_assert_eq(e->count, 2);
    cr_expect_eq(latency_sample_at(e, 0)->ms, 50);
    cr_expect_eq(latency_sample_at(e, 1)->at_s, 103);
    cr_expect_eq(e->longest_ms, 50);
    cr_expect_null(latency_find(l, SPAN("expire-cycle")));
    cr_expect_eq(latency_at(l, 0), e);
    cr_expect_null(latency_at(l, 1));
}

Test(latency, keeps_the_last_samples)
{
    for (int64_t i = 0; i < LATENCY_SAMPLES + 7; i++) latency_add(l, "command", (uint64_t)i, 1000 + i);
    const struct latency_event *e = latency_find(l, SPAN("command"));
    cr_expect_eq(e->count, LATENCY_SAMPLES);
    cr_expect_eq(latency_sample_at(e, 0)->ms, 7);
    cr_expect_eq(latency_sample_at(e, LATENCY_SAMPLES - 1)->ms, LATENCY_SAMPLES + 6);
}

Test(latency, forgets_one_event_or_all)
{
    latency_add(l, "command", 30, 100);
    latency_add(l, "expire-cycle", 30, 100);
    latency_add(l, "fast-command", 30, 100);
    cr_expect(latency_reset(l, SPAN("command")));
    cr_expect(!latency_reset(l, SPAN("command")));
    cr_expect_eq(latency_reset_all(l), 2);
    cr_expect_eq(latency_reset_all(l), 0);
    latency_add(l, "command", 5, 200);
    cr_expect_eq(latency_find(l, SPAN("command"))->longest_ms, 5);
}

Test(latency, draws_a_column_for_each_sample_with_its_age)
{
    latency_add(l, "command", 1, 100);
    latency_add(l, "command", 4, 3640);
    latency_graph(latency_find(l, SPAN("command")), 3700, &text);
    buf_add_char(&text, '\0');
    const char *lines = strstr(text.p, "--\n");
    cr_assert_not_null(lines);
    cr_expect(says("command - high 4 ms, low 1 ms (all time high 4 ms)\n"));
    cr_expect_str_eq(lines + 3, " #\n #\n #\n##\n11\nhm\n  \n  \n  \n");
}

Test(latency, reports_what_there_is_and_what_may_help)
{
    latency_report(l, 0, &text);
    cr_expect(says("Nothing is watched."));
    text.len = 0;
    latency_report(l, 100, &text);
    cr_expect(says("all is well"));
    text.len = 0;
    latency_add(l, "command", 100, 10);
    latency_add(l, "command", 300, 20);
    latency_report(l, 100, &text);
    cr_expect(says(
        "1. command: 2 spikes, 200 ms on average (mean deviation 100 ms), one in 5.0 s; the longest ever 300 ms."));
    cr_expect(says("SLOWLOG GET"));
    cr_expect(!says("maxmemory"));
}
