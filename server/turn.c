#include "server/turn.h"

#include <sys/resource.h>

enum { LONG_US = 200 }; /* a shorter turn counts as it is by the wall */

static struct turn_use use_now(void)
{
    struct timespec cpu;
    struct rusage use;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    (void)getrusage(RUSAGE_THREAD, &use);
    return (struct turn_use){.cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000,
                             .waits = (uint64_t)use.ru_nvcsw};
}

void turn_init(struct turn *t)
{
    *t = (struct turn){0};
    ticks_init(&t->ticks);
}

void turn_reset(struct turn *t) { t->figures = (struct turn_figures){0}; }

void turn_begin_slowly(struct turn *t, uint64_t now)
{
    t->begin = now;
    t->use = use_now();
}

uint64_t turn_own_us(uint64_t wall_us, struct turn_use before, struct turn_use after)
{
    const uint64_t cpu_us = after.cpu_us - before.cpu_us;
    return after.waits != before.waits || cpu_us > wall_us ? wall_us : cpu_us;
}

static void note_longest(struct turn *t, uint64_t own_us)
{
    struct turn_figures *f = &t->figures;
    const uint64_t by_wall_us = ticks_us(&t->ticks, t->longest),
                   command_us = by_wall_us < own_us ? by_wall_us : own_us;
    if (own_us > f->longest_us) f->longest_us = own_us;
    if (t->command && (!f->command || command_us > f->command_us)) {
        f->command_us = command_us;
        f->command = t->command;
    }
}

void turn_end(struct turn *t)
{
    if (!t->begin) return;
    if (t->ticks.us == 0) ticks_measure(&t->ticks);
    const uint64_t wall = ticks_between(t->begin, ticks_now(&t->ticks)), wall_us = ticks_us(&t->ticks, wall);
    t->figures.turns++;
    t->figures.wall += wall;
    note_longest(t, wall_us > LONG_US ? turn_own_us(wall_us, t->use, use_now()) : wall_us);
    t->begin = t->longest = 0;
    t->command = NULL;
}
