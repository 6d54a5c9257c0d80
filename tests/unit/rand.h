/* Reproducible chance for tests: splitmix64 (Steele, Lea, Flood 2014). A failing test prints its seed. */
#pragma once

#include <stdint.h>

struct rand {
    uint64_t state;
};

static inline uint64_t rand_next(struct rand *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* 0 .. @bound-1 */
static inline uint64_t rand_below(struct rand *r, uint64_t bound) { return rand_next(r) % bound; }
