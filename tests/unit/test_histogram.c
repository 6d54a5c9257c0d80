#include "server/histogram.h"

#include <criterion/criterion.h>

#include "common/mem.h"
#include "tests/unit/rand.h"

static struct histogram *h;

static void setup(void) { h = MEM_NEW(struct histogram); }
static void teardown(void) { histogram_free(h); }

TestSuite(histogram, .init = setup, .fini = teardown);

Test(histogram, of_nothing_has_no_percentiles_and_no_bounds)
{
    unsigned at = 0;
    uint64_t sum = 0;
    cr_expect_eq(histogram_percentile(h, 50), 0);
    cr_expect_eq(histogram_next_bound(h, &at, &sum), 0);
}

/* As redis-server shows a command that took 11, 8 and 458 us: p50=11.007, 8.031, 458.751. */
Test(histogram, counts_as_the_one_of_redis)
{
    histogram_add(h, 11000);
    cr_expect_eq(histogram_percentile(h, 50), 11007);
    histogram_add(h, 8000);
    cr_expect_eq(histogram_percentile(h, 50), 8031);
    histogram_add(h, 458000);
    cr_expect_eq(histogram_percentile(h, 100), 458751);
}

Test(histogram, sums_up_to_bounds_that_double_where_the_sum_grows)
{
    static const struct {
        uint64_t us, sum;
    } expected[] = {{2, 1}, {8, 4}, {132, 5}, {528, 6}};
    static const uint64_t values[] = {1500, 5000, 6000, 7000, 132000, 500000};
    unsigned at = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) histogram_add(h, values[i]);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cr_expect_eq(histogram_next_bound(h, &at, &sum) / 1000, expected[i].us);
        cr_expect_eq(sum, expected[i].sum);
    }
    cr_expect_eq(histogram_next_bound(h, &at, &sum), 0);
}

Test(histogram, is_off_by_less_than_one_percent_whatever_the_value)
{
    struct rand random = {3};
    for (unsigned i = 0; i < 100000; i++) {
        const uint64_t ns = rand_next(&random) >> (34 + rand_below(&random, 30));
        struct histogram one = {0};
        histogram_add(&one, ns);
        const uint64_t told = histogram_percentile(&one, 50);
        cr_assert(told >= ns && told - ns <= ns / 128, "%lu told as %lu", (unsigned long)ns, (unsigned long)told);
        for (unsigned row = 0; row < HISTOGRAM_ROWS; row++) mem_free(one.rows[row]);
    }
}

Test(histogram, takes_what_is_longer_than_a_second_for_a_second_and_stays_small)
{
    unsigned at = 0;
    uint64_t sum = 0;
    histogram_add(h, UINT64_MAX);
    cr_expect_eq(histogram_percentile(h, 50), (UINT64_C(1) << 30) - 1);
    cr_expect_eq(histogram_next_bound(h, &at, &sum), (UINT64_C(1) << 30) - 1);
    cr_expect_eq(sum, 1);
    for (unsigned bits = 0; bits < 64; bits++) histogram_add(h, UINT64_C(1) << bits);
    cr_expect_eq(h->total, 65);
    cr_expect_leq(histogram_bytes(h), 26 * 1024);
}
