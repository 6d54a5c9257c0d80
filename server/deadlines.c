#include "server/deadlines.h"

#include <assert.h>

#include "common/mem.h"

enum { FIRST_ROOM = 16 };

static void put(struct deadlines *all, size_t place, struct deadline *d)
{
    all->heap[place - 1] = d;
    d->place = place;
}

/* The place @place is free: @d goes there or further up. */
static void rise(struct deadlines *all, size_t place, struct deadline *d)
{
    for (; place > 1; place /= 2) {
        struct deadline *above = all->heap[place / 2 - 1];
        if (above->at_ms <= d->at_ms) break;
        put(all, place, above);
    }
    put(all, place, d);
}

/* The same, further down. */
static void sink(struct deadlines *all, size_t place, struct deadline *d)
{
    for (size_t below = place * 2; below <= all->count; below = place * 2) {
        if (below < all->count && all->heap[below]->at_ms < all->heap[below - 1]->at_ms) below++;
        if (all->heap[below - 1]->at_ms >= d->at_ms) break;
        put(all, place, all->heap[below - 1]);
        place = below;
    }
    put(all, place, d);
}

void deadlines_set(struct deadlines *all, struct deadline *d, int64_t at_ms)
{
    assert(!d->place);
    if (all->count == all->room) {
        all->room = all->room ? all->room * 2 : FIRST_ROOM;
        all->heap = mem_realloc(all->heap, all->room * sizeof(struct deadline *));
    }
    d->at_ms = at_ms;
    rise(all, ++all->count, d);
}

void deadlines_clear(struct deadlines *all, struct deadline *d)
{
    const size_t place = d->place;
    if (!place) return;
    assert(all->heap[place - 1] == d);
    struct deadline *last = all->heap[--all->count];
    d->place = 0;
    if (last == d) return;
    if (place > 1 && all->heap[place / 2 - 1]->at_ms > last->at_ms) rise(all, place, last);
    else sink(all, place, last);
    if (all->room > FIRST_ROOM && all->count < all->room / 4) {
        all->room /= 2;
        all->heap = mem_realloc(all->heap, all->room * sizeof(struct deadline *));
    }
}

struct deadline *deadlines_first(const struct deadlines *all) { return all->count ? all->heap[0] : NULL; }

void deadlines_free(struct deadlines *all)
{
    mem_free(all->heap);
    *all = (struct deadlines){0};
}
