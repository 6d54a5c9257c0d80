/* Eviction: what an entry's 24-bit clock means, and the search for the key that is least worth keeping.
 *
 *     LRU and all other policies:  | seconds of the last use, modulo 2^24: 194 days |
 *     LFU:                         | minutes of the last decay, modulo 2^16 | counter 8 |
 *
 * The LFU counter is logarithmic: a use raises it with a probability that falls as it grows, and it loses one for each
 * lfu-decay-time without a use (Morris 1978, with Redis's constants).
 *
 * A search looks at some keys of each database, and remembers the best candidates of earlier searches; so with few
 * looked at each time, what is removed comes close to what an exact order would choose. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* In the order of the words of `maxmemory-policy`. */
enum eviction_policy {
    EVICT_VOLATILE_LRU,
    EVICT_VOLATILE_LFU,
    EVICT_VOLATILE_RANDOM,
    EVICT_VOLATILE_TTL,
    EVICT_ALLKEYS_LRU,
    EVICT_ALLKEYS_LFU,
    EVICT_ALLKEYS_RANDOM,
    EVICT_NOTHING,
};
#define EVICTION_POLICY_WORDS \
    "volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|allkeys-random|noeviction"

/* Redis's settings by the same names (maxmemory-policy, maxmemory-samples, lfu-log-factor, lfu-decay-time). */
struct eviction_settings {
    enum eviction_policy policy;
    unsigned samples;           /* keys of a database to look at in a search */
    unsigned lfu_log_factor;    /* how slowly the counter grows */
    unsigned lfu_decay_minutes; /* 0: it never falls */
};
#define EVICTION_DEFAULT                                                                    \
    {                                                                                       \
        .policy = EVICT_NOTHING, .samples = 5, .lfu_log_factor = 10, .lfu_decay_minutes = 1 \
    }

static inline bool eviction_is_lfu(const struct eviction_settings *s)
{
    return s->policy == EVICT_VOLATILE_LFU || s->policy == EVICT_ALLKEYS_LFU;
}

/* Only keys with an expiry time are evicted. */
static inline bool eviction_is_volatile(const struct eviction_settings *s) { return s->policy <= EVICT_VOLATILE_TTL; }

/* The clock of a key that has just come into being. */
uint32_t eviction_clock_new(const struct eviction_settings *s, int64_t now_ms);
/* The clock after one more use; @random: 64 random bits. For LFU only: otherwise it is that of a new key. */
uint32_t eviction_clock_used(const struct eviction_settings *s, uint32_t clock, int64_t now_ms, uint64_t random);

/* That of a key that another server knew, of which it said how long the key was idle or how often it was used (negative: it
 * did not); as far as the policy asks for it. */
uint32_t eviction_clock_told(const struct eviction_settings *s, int64_t idle_s, int64_t frequency, int64_t now_ms);

/* What OBJECT IDLETIME and OBJECT FREQ tell. */
uint32_t eviction_idle_seconds(uint32_t clock, int64_t now_ms);
unsigned eviction_frequency(const struct eviction_settings *s, uint32_t clock, int64_t now_ms);

/* The candidates that are remembered. */
struct eviction_pool;
struct eviction_pool *eviction_pool_new(void);
void eviction_pool_free(struct eviction_pool *p);
void eviction_pool_clear(struct eviction_pool *p); /* the data or the policy became another */
