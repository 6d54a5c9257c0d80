#include <criterion/criterion.h>

#include "server/cohort.h"

enum { MANY = 60 };

/* All of @n clients join the flush @number in turn, beginning with @first; returns how many had come when it was enough, or
 * 0: it never was. */
static unsigned join_all(struct cohort *h, uint64_t last[MANY], unsigned first, unsigned n, uint64_t number)
{
    for (unsigned i = 0; i < n; i++)
        if (cohort_join(h, number, &last[(first + i) % MANY])) return i + 1;
    return 0;
}

/* Clients 0 to @n - 1 write all the time; flushes take @each of them, one after the other, for so long that the average
 * settles. */
static void write_in_turn(struct cohort *h, uint64_t last[MANY], unsigned n, unsigned each, uint64_t *number)
{
    unsigned next = 0;
    for (unsigned flush = 0; flush < 200; flush++, ++*number)
        for (unsigned i = 0; i < each; i++, next = (next + 1) % n) (void)cohort_join(h, *number, &last[next]);
}

Test(cohort, a_client_that_writes_alone_is_always_enough)
{
    struct cohort h = {0};
    uint64_t last = 0;
    for (uint64_t flush = 1; flush < 100; flush++) cr_expect(cohort_join(&h, flush, &last));
}

Test(cohort, two_clients_do_not_wait_for_each_other)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 2, 2, &number);
    cr_expect_eq(join_all(&h, last, 0, 2, number), 1);
}

Test(cohort, half_of_those_who_write_are_enough)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 50, &number);
    cr_expect_eq(join_all(&h, last, 0, 50, number), 25);
}

Test(cohort, writers_are_counted_although_few_of_them_ride_in_one_flush)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 5, &number);
    cr_expect_eq(join_all(&h, last, 0, 50, number), 25);
}

Test(cohort, a_client_counts_once_however_much_it_writes)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 10, 10, &number);
    for (unsigned i = 0; i < 20; i++) cr_expect_not(cohort_join(&h, number, &last[0]));
    cr_expect_eq(join_all(&h, last, 1, 9, number), 4);
}

Test(cohort, the_other_half_that_comes_before_the_flush_begins_is_enough_again)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 50, &number);
    cr_expect_eq(join_all(&h, last, 0, 50, number), 25);
    cohort_hand_over(&h);
    cr_expect_eq(join_all(&h, last, 25, 25, number), 25);
}

Test(cohort, those_who_come_behind_a_hand_over_count_for_the_next_flush)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 50, &number);
    cr_expect_eq(join_all(&h, last, 0, 50, number), 25);
    cohort_hand_over(&h);
    cr_expect_eq(join_all(&h, last, 25, 10, number), 0);
    cr_expect_eq(join_all(&h, last, 35, 25, number + 1), 14); /* 24 of 48: the average follows the 35 */
}

Test(cohort, what_the_log_takes_unasked_counts_no_more)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 50, &number);
    cr_expect_eq(join_all(&h, last, 0, 20, number), 0);
    cr_expect_eq(join_all(&h, last, 20, 22, number + 1), 0); /* 23 of 46: the average follows the 20 */
}

Test(cohort, clients_that_leave_are_forgotten)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 50, &number);
    write_in_turn(&h, last, 1, 1, &number);
    cr_expect(cohort_join(&h, number, &last[0]));
}

Test(cohort, clients_that_write_rarely_are_not_waited_for)
{
    struct cohort h = {0};
    uint64_t last[MANY] = {0}, number = 1;
    write_in_turn(&h, last, 50, 1, &number); /* each returns after 50 flushes */
    cr_expect(cohort_join(&h, number, &last[0]));
}
