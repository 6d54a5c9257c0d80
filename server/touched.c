#include "server/touched.h"

#include <sodium.h>

#include "common/mem.h"

enum { FIRST_SLOTS = 256 };

struct slot {
    uint64_t hash; /* 0: empty */
    uint64_t position;
};

struct generation {
    struct slot *slots; /* open addressing, a power of two, at most half full */
    size_t room, count;
    uint64_t last; /* the highest position in it */
};

struct touched {
    struct generation young, old;
    uint64_t all;
    uint8_t key[crypto_shorthash_KEYBYTES];
};

struct touched *touched_new(const uint8_t hash_key[16])
{
    struct touched *t = MEM_NEW(struct touched);
    memcpy(t->key, hash_key, sizeof t->key);
    return t;
}

void touched_free(struct touched *t)
{
    if (!t) return;
    mem_free(t->young.slots);
    mem_free(t->old.slots);
    mem_free(t);
}

static uint64_t hash_of(const struct touched *t, unsigned db, struct span key)
{
    uint64_t h;
    (void)crypto_shorthash((unsigned char *)&h, (const unsigned char *)key.p, key.n, t->key);
    h ^= (uint64_t)db * UINT64_C(0x9e3779b97f4a7c15);
    return h ? h : 1;
}

static struct slot *slot_of(const struct generation *g, uint64_t hash)
{
    size_t i = hash & (g->room - 1);
    while (g->slots[i].hash && g->slots[i].hash != hash) i = (i + 1) & (g->room - 1);
    return &g->slots[i];
}

static void grow(struct generation *g)
{
    struct generation next = {.room = g->room ? g->room * 2 : FIRST_SLOTS, .count = g->count, .last = g->last};
    next.slots = mem_zalloc(next.room, sizeof *next.slots);
    for (size_t i = 0; i < g->room; i++)
        if (g->slots[i].hash) *slot_of(&next, g->slots[i].hash) = g->slots[i];
    mem_free(g->slots);
    *g = next;
}

void touched_add(struct touched *t, unsigned db, struct span key, uint64_t position)
{
    struct generation *g = &t->young;
    if (g->count * 2 >= g->room) grow(g);
    const uint64_t hash = hash_of(t, db, key);
    struct slot *s = slot_of(g, hash);
    if (!s->hash) g->count++;
    *s = (struct slot){hash, position};
    g->last = position;
}

void touched_add_all(struct touched *t, uint64_t position) { t->all = position; }

static uint64_t find_in(const struct generation *g, uint64_t hash)
{
    return g->count ? slot_of(g, hash)->position : 0;
}

uint64_t touched_find(const struct touched *t, unsigned db, struct span key)
{
    uint64_t position = 0;
    if (t->young.count || t->old.count) {
        const uint64_t hash = hash_of(t, db, key);
        position = find_in(&t->young, hash);
        if (!position) position = find_in(&t->old, hash);
    }
    return position > t->all ? position : t->all;
}

static void clear(struct generation *g)
{
    if (g->room > FIRST_SLOTS) {
        mem_free(g->slots);
        *g = (struct generation){0};
    } else if (g->count) {
        memset(g->slots, 0, g->room * sizeof *g->slots);
        g->count = 0;
    }
}

void touched_forget(struct touched *t, uint64_t committed)
{
    if (t->all <= committed) t->all = 0;
    if (t->old.count && t->old.last > committed) return;
    clear(&t->old);
    const struct generation spare = t->old;
    t->old = t->young;
    t->young = spare;
    if (t->old.count && t->old.last <= committed) clear(&t->old);
}

size_t touched_count(const struct touched *t) { return t->young.count + t->old.count; }
