#include "server/turn.h"

#include <sys/resource.h>

enum {
    LONG_US = 200, /* what is shorter counts as it is by the wall */
    FRESH_US =
        250 /* a reading of the CPU time is good for turns that begin so soon after it: it costs a system call */
};

static uint64_t waits_now(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_THREAD, &use);
    return (uint64_t)use.ru_nvcsw;
}

static uint64_t cpu_us_now(void)
{
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
}

static struct turn_use use_now(void) { return (struct turn_use){.cpu_us = cpu_us_now(), .waits = waits_now()}; }

static void choose_what_to_note(struct turn *t)
{
    const struct turn_figures *f = &t->figures;
    t->note_above =
        t->ticks.us > 0 ? (uint64_t)((double)(f->command_us < LONG_US ? f->command_us : LONG_US) / t->ticks.us) : 0;
}

void turn_init(struct turn *t)
{
    *t = (struct turn){.full_after = UINT64_MAX};
    ticks_init(&t->ticks);
}

void turn_reset(struct turn *t)
{
    t->figures = (struct turn_figures){0};
    t->commands = 0;
    choose_what_to_note(t);
}

void turn_measure(struct turn *t)
{
    ticks_measure(&t->ticks);
    choose_what_to_note(t);
    if (t->ticks.us > 0) t->full_after = (uint64_t)(TURN_FULL_US / t->ticks.us);
}

void turn_begin_slowly(struct turn *t)
{
    t->begin = ticks_now(&t->ticks);
    if (!t->read_at || ticks_us(&t->ticks, ticks_between(t->read_at, t->begin)) >= FRESH_US) {
        t->begin_use.cpu_us = t->use.cpu_us = cpu_us_now();
        t->commands = t->figures.commands;
        t->read_at = ticks_now(&t->ticks);
    }
    t->begin_use.waits = t->use.waits = waits_now();
}

uint64_t turn_own_us(uint64_t wall_us, uint64_t rest_us, struct turn_use before, struct turn_use after)
{
    const uint64_t cpu_us = after.cpu_us - before.cpu_us, own_us = cpu_us > rest_us ? cpu_us - rest_us : 0;
    return after.waits != before.waits || own_us > wall_us ? wall_us : own_us;
}

void turn_note_command(struct turn *t, const struct command_entry *command, uint64_t took)
{
    struct turn_figures *f = &t->figures;
    uint64_t us = ticks_us(&t->ticks, took);
    if (us > LONG_US) {
        const struct turn_use now = use_now();
        us = turn_own_us(us, ticks_us(&t->ticks, f->commands - took - t->commands), t->use, now);
        t->use = now;
        t->commands = f->commands;
    }
    if (f->command && us <= f->command_us) return;
    f->command_us = us;
    f->command = command;
    choose_what_to_note(t);
}

void turn_end(struct turn *t)
{
    if (!t->begin) return;
    if (t->ticks.us <= 0) turn_measure(t);
    const uint64_t wall = ticks_between(t->begin, ticks_now(&t->ticks));
    uint64_t us = ticks_us(&t->ticks, wall);
    if (us > LONG_US) {
        us = turn_own_us(us, 0, t->begin_use, use_now());
        t->read_at = 0;
    }
    t->figures.turns++;
    t->figures.wall += wall;
    if (us > t->figures.longest_us) t->figures.longest_us = us;
    t->begin = t->heard_at = 0;
}
