#include "tests/sim/sim.h"

#include <assert.h>

#include "common/mem.h"

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t sim_random(struct world *w, uint64_t bound)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % bound;
}

bool sim_chance(struct world *w, unsigned percent) { return sim_random(w, 100) < percent; }

static bool before(const struct happening *a, const struct happening *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct happening *a, struct happening *b)
{
    const struct happening c = *a;
    *a = *b;
    *b = c;
}

void sim_later(struct world *w, int64_t delay_ms, void (*run)(struct world *, void *), void (*drop)(void *),
               void *what)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 256;
        w->queue = mem_realloc(w->queue, w->cap * sizeof *w->queue);
    }
    size_t at = w->count++;
    w->queue[at] = (struct happening){w->now_ms + delay_ms, w->order++, run, drop, what};
    while (at && before(&w->queue[at], &w->queue[(at - 1) / 2])) {
        swap(&w->queue[at], &w->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct happening take_first(struct world *w)
{
    const struct happening first = w->queue[0];
    w->queue[0] = w->queue[--w->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < w->count && before(&w->queue[child], &w->queue[least])) least = child;
        if (least == at) return first;
        swap(&w->queue[at], &w->queue[least]);
        at = least;
    }
}

void sim_run(struct world *w, int64_t until_ms)
{
    while (w->count && w->queue[0].at_ms <= until_ms) {
        const struct happening h = take_first(w);
        assert(h.at_ms >= w->now_ms);
        w->now_ms = h.at_ms;
        h.run(w, h.what);
    }
    w->now_ms = until_ms;
}
