#include <criterion/criterion.h>

#include "server/held.h"
#include "server/touched.h"

Test(held, nothing_waits_when_nothing_was_held)
{
    struct held h = {0};
    cr_expect_eq(held_release(&h, 0, 100), 100);
    held_add(&h, 10, 0); /* depends on nothing */
    cr_expect_not(held_any(&h));
    held_free(&h);
}

Test(held, a_reply_leaves_when_its_position_is_committed)
{
    struct held h = {0};
    held_add(&h, 40, 700);
    cr_expect_eq(held_release(&h, 699, 90), 40);
    cr_expect_eq(held_release(&h, 700, 90), 90);
    cr_expect_not(held_any(&h));
    held_free(&h);
}

Test(held, a_later_reply_never_overtakes_an_earlier_one)
{
    struct held h = {0};
    held_add(&h, 10, 700);
    held_add(&h, 20, 0);   /* ready, but behind the first */
    held_add(&h, 30, 500); /* ready earlier, but behind the first */
    held_add(&h, 40, 900);
    cr_expect_eq(held_release(&h, 600, 50), 10);
    cr_expect_eq(held_release(&h, 700, 50), 40);
    cr_expect_eq(held_release(&h, 900, 50), 50);
    held_free(&h);
}

Test(held, many_replies_are_released_in_order_step_by_step)
{
    struct held h = {0};
    for (uint64_t i = 0; i < 1000; i++) held_add(&h, i * 10, 1000 + i);
    for (uint64_t i = 0; i < 999; i++) cr_assert_eq(held_release(&h, 1000 + i, 10000), (i + 1) * 10);
    /* The ring has turned by now. */
    for (uint64_t i = 0; i < 100; i++) held_add(&h, 10000 + i, 5000 + i);
    cr_expect_eq(held_release(&h, 1998, 20000), 9990);
    cr_expect_eq(held_release(&h, 1999, 20000), 10000);
    cr_expect_eq(held_release(&h, 5099, 20000), 20000);
    held_free(&h);
}

static const uint8_t key[16] = {1, 2, 3};

Test(touched, a_key_is_remembered_until_its_position_is_committed)
{
    struct touched *t = touched_new(key);
    touched_add(t, 0, SPAN("a"), 100);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 100);
    cr_expect_eq(touched_find(t, 1, SPAN("a")), 0, "another database");
    cr_expect_eq(touched_find(t, 0, SPAN("b")), 0);
    touched_forget(t, 99);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 100);
    touched_forget(t, 100);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 0);
    touched_free(t);
}

Test(touched, the_last_position_of_a_key_counts)
{
    struct touched *t = touched_new(key);
    touched_add(t, 0, SPAN("a"), 100);
    touched_forget(t, 50);
    touched_add(t, 0, SPAN("a"), 200);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 200);
    touched_forget(t, 150);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 200);
    touched_free(t);
}

Test(touched, a_flush_touches_every_key)
{
    struct touched *t = touched_new(key);
    touched_add(t, 0, SPAN("a"), 100);
    touched_add_all(t, 150);
    cr_expect_eq(touched_find(t, 3, SPAN("never seen")), 150);
    touched_forget(t, 150);
    cr_expect_eq(touched_find(t, 0, SPAN("a")), 0);
    touched_free(t);
}

Test(touched, memory_stays_bounded_while_commits_lag_by_a_batch)
{
    struct touched *t = touched_new(key);
    for (uint64_t batch = 1; batch < 2000; batch++) {
        for (uint64_t i = 0; i < 10; i++) {
            const uint64_t name[2] = {batch, i};
            touched_add(t, 0, span_of(name, sizeof name), batch * 10);
        }
        touched_forget(t, (batch - 1) * 10);
        const uint64_t name[2] = {batch, 3};
        cr_assert_eq(touched_find(t, 0, span_of(name, sizeof name)), batch * 10);
        cr_assert_lt(touched_count(t), 100);
    }
    touched_free(t);
}
