#include "server/deadlines.h"

#include <criterion/criterion.h>

#include "tests/unit/rand.h"

enum { MANY = 300 };

static struct deadlines all;
static struct deadline some[MANY];

static void teardown(void) { deadlines_free(&all); }

TestSuite(deadlines, .fini = teardown);

Test(deadlines, the_nearest_comes_first_whatever_the_order_of_setting)
{
    const int64_t times[] = {50, 20, 70, 20, 10, 60};
    for (size_t i = 0; i < 6; i++) deadlines_set(&all, &some[i], times[i]);
    int64_t before = 0;
    for (size_t i = 0; i < 6; i++) {
        struct deadline *d = deadlines_first(&all);
        cr_assert(d->at_ms >= before);
        before = d->at_ms;
        deadlines_clear(&all, d);
        cr_expect_eq(d->place, 0);
    }
    cr_expect_null(deadlines_first(&all));
}

Test(deadlines, clearing_what_is_not_set_is_nothing)
{
    deadlines_clear(&all, &some[0]);
    deadlines_set(&all, &some[1], 5);
    deadlines_clear(&all, &some[0]);
    cr_expect_eq(deadlines_first(&all), &some[1]);
}

/* The nearest by looking at all. */
static int64_t nearest(void)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < MANY; i++)
        if (some[i].place && some[i].at_ms < at) at = some[i].at_ms;
    return at;
}

Test(deadlines, any_order_of_setting_and_clearing_keeps_the_nearest_in_front)
{
    struct rand r = {1};
    size_t set = 0;
    for (unsigned round = 0; round < 30000; round++) {
        struct deadline *d = &some[rand_below(&r, MANY)];
        if (d->place) {
            deadlines_clear(&all, d);
            set--;
        } else if (rand_below(&r, 3000) < (round / 3000 % 2 ? 300 : 3000)) { /* it fills, and nearly empties */
            deadlines_set(&all, d, (int64_t)rand_below(&r, 1000));
            set++;
        }
        cr_assert_eq(all.count, set);
        cr_assert_eq(set ? deadlines_first(&all)->at_ms : INT64_MAX, nearest());
    }
}
