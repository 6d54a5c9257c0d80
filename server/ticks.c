#include "server/ticks.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum { ENOUGH_NS = 1000000 }; /* shorter than this, the reading of the clocks itself would count */

static bool counter_is_steady(void)
{
#ifdef __x86_64__
    enum { LEAF_POWER = (int)0x80000007, BIT_INVARIANT = 1 << 8 };
    unsigned a, b, c, d;
    return __get_cpuid((unsigned)LEAF_POWER, &a, &b, &c, &d) && d & BIT_INVARIANT;
#else
    return false;
#endif
}

void ticks_init(struct ticks *t)
{
    *t = (struct ticks){.counter = counter_is_steady()};
    t->begin_ns = clock_ticks_ns();
    t->begin = ticks_now(t);
}

void ticks_measure(struct ticks *t)
{
    const int64_t ns = clock_ticks_ns() - t->begin_ns;
    const uint64_t n = ticks_between(t->begin, ticks_now(t));
    if (ns < ENOUGH_NS || !n) return;
    t->us = (double)ns / 1000 / (double)n;
    t->ns_65536ths = (uint64_t)(t->us * 1000 * 65536);
}
