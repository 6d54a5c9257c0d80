/* The processor's counter of time, for the durations of single commands.
 *
 * A read costs less than half of what clock_gettime() does, and does not make the processor wait until all that stands
 * before it is done: neighbouring commands overlap. Used where the counter runs at one rate on all cores (x86 says so);
 * elsewhere the system's monotonic clock takes its place, in nanoseconds. The length of a tick is measured against that
 * clock. For the calendar and for whole turns see clock.h. */
#pragma once

#include "server/clock.h"

struct ticks {
    bool counter;   /* the processor's own; false: nanoseconds of the system */
    uint64_t begin; /* at ticks_init(), for the measure of a tick */
    int64_t begin_ns;
    double us;            /* microseconds of a tick; 0: not measured yet */
    uint64_t ns_65536ths; /* nanoseconds of 65536 ticks, for ticks_ns() */
};

void ticks_init(struct ticks *t);

/* Measure a tick over all the time since ticks_init(). Some time after the start, and then now and again. */
void ticks_measure(struct ticks *t);

static inline uint64_t ticks_now(const struct ticks *t)
{
#ifdef __x86_64__
    if (t->counter) return __builtin_ia32_rdtsc();
#endif
    return (uint64_t)clock_ticks_ns();
}

/* From one reading to a later one; 0 if cores disagree about which was the later one. */
static inline uint64_t ticks_between(uint64_t from, uint64_t to) { return to > from ? to - from : 0; }

/* So many ticks (of a few hours at most) in nanoseconds: to a hundredth of a percent, and cheaply. */
static inline uint64_t ticks_ns(const struct ticks *t, uint64_t n) { return n * t->ns_65536ths >> 16; }

/* So many ticks in microseconds. */
static inline uint64_t ticks_us(const struct ticks *t, uint64_t n) { return (uint64_t)((double)n * t->us); }
