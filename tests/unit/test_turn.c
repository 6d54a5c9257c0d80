#include <criterion/criterion.h>

#include "server/turn.h"

Test(turn, the_own_time_of_what_did_not_wait_is_its_cpu_time)
{
    cr_expect_eq(turn_own_us(9000, 0, (struct turn_use){100, 7}, (struct turn_use){400, 7}), 300);
}

Test(turn, what_short_commands_used_is_not_the_long_ones)
{
    cr_expect_eq(turn_own_us(9000, 120, (struct turn_use){100, 7}, (struct turn_use){400, 7}), 180);
    cr_expect_eq(turn_own_us(9000, 310, (struct turn_use){100, 7}, (struct turn_use){400, 7}), 0);
}

Test(turn, a_wait_counts_as_own_time)
{
    cr_expect_eq(turn_own_us(9000, 120, (struct turn_use){100, 7}, (struct turn_use){400, 8}), 9000);
}

Test(turn, the_own_time_is_never_more_than_by_the_wall)
{
    cr_expect_eq(turn_own_us(200, 0, (struct turn_use){100, 7}, (struct turn_use){400, 7}), 200);
}

/* A turn of @t in which the machine took a second away: it is moved into the past. */
static void lose_a_second(struct turn *t, const struct command_entry *command)
{
    t->ticks = (struct ticks){.us = 0.001}; /* nanoseconds */
    turn_begin_commands(t);
    t->begin -= 1000000000;
    t->command_end -= 1000000000;
    cr_expect_geq(turn_end_command(t, command), 1000000000);
    turn_end(t);
}

Test(turn, what_the_machine_took_away_is_not_the_commands)
{
    const struct command_entry command = {.name = "get"};
    struct turn t;
    turn_init(&t);
    lose_a_second(&t, &command);
    cr_expect_eq(t.figures.turns, 1);
    cr_expect_eq(t.figures.command, &command);
    cr_expect_eq(t.commands, t.figures.commands); /* it was long: the CPU time was read */
    cr_expect_lt(t.figures.command_us, 1000000);
    cr_expect_lt(t.figures.longest_us, 1000000);
    cr_expect_geq(ticks_us(&t.ticks, t.figures.wall), 1000000);
    cr_expect_geq(ticks_us(&t.ticks, t.figures.commands), 1000000);
    turn_reset(&t);
    cr_expect_eq(t.figures.turns, 0);
    cr_expect_null(t.figures.command);
}

Test(turn, a_turn_in_which_nothing_happened_is_none)
{
    struct turn t;
    turn_init(&t);
    turn_end(&t);
    cr_expect_eq(t.figures.turns, 0);
}

Test(turn, a_tick_has_the_length_that_the_systems_clock_says)
{
    struct ticks t;
    ticks_init(&t);
    t.begin_ns -= 2000000000; /* two seconds and a little for 4,000 million ticks and a few */
    t.begin = ticks_now(&t) - UINT64_C(4000000000);
    ticks_measure(&t);
    cr_expect_float_eq(t.us, 0.0005, 0.0001);
    cr_expect_eq(ticks_between(7, 6), 0);
}

Test(turn, it_is_full_when_its_requests_have_taken_long_whatever_came_before_them)
{
    const struct command_entry command = {.name = "get"};
    struct turn t;
    turn_init(&t);
    turn_begin_commands(&t);
    cr_expect_not(turn_is_full(&t), "a tick has no length yet");
    turn_end(&t);
    t.ticks = (struct ticks){.us = 0.001};
    t.full_after = TURN_FULL_US * 1000;
    turn_begin(&t);
    t.begin -= 1000000000; /* something else took a second */
    turn_begin_commands(&t);
    t.heard_at -= TURN_FULL_US * 1000 / 2;
    (void)turn_end_command(&t, &command);
    cr_expect_geq(turn_us(&t), 1000000);
    t.heard_at -= TURN_FULL_US * 1000;
    turn_begin_commands(&t);
    (void)turn_end_command(&t, &command);
    cr_expect(turn_is_full(&t));
    turn_end(&t);
    turn_begin_commands(&t);
    cr_expect_not(turn_is_full(&t), "the next begins anew");
}
