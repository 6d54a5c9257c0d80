/* The time, read at most once per turn of the loop: every command of a turn sees the same. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct clock {
    int64_t now_ms; /* Unix time */
    bool fresh;     /* read in this turn */
    int64_t started_ms;
};

static inline int64_t clock_wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For durations. */
static inline int64_t clock_ticks_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_now(struct clock *c)
{
    if (!c->fresh) {
        c->now_ms = clock_wall_ms();
        c->fresh = true;
    }
    return c->now_ms;
}

/* A new turn begins. */
static inline void clock_turn(struct clock *c) { c->fresh = false; }
