#include "server/held.h"

#include <assert.h>

#include "common/mem.h"

enum { FIRST_ROOM = 4, KEPT_ROOM = 64 };

static struct held_part *part_at(const struct held *h, size_t i) { return &h->parts[(h->head + i) & (h->room - 1)]; }

static void grow(struct held *h)
{
    const size_t room = h->room ? h->room * 2 : FIRST_ROOM;
    struct held_part *parts = mem_zalloc(room, sizeof *parts);
    for (size_t i = 0; i < h->count; i++) parts[i] = *part_at(h, i);
    mem_free(h->parts);
    h->parts = parts;
    h->head = 0;
    h->room = room;
}

void held_add(struct held *h, uint64_t from, uint64_t position)
{
    if (h->count) {
        const struct held_part *last = part_at(h, h->count - 1);
        assert(from >= last->from);
        /* It goes out behind the last one anyway: only a later position is something new. */
        if (position <= last->position) return;
    }
    if (position == 0) return;
    if (h->count == h->room) grow(h);
    h->count++;
    *part_at(h, h->count - 1) = (struct held_part){from, position};
}

uint64_t held_release(struct held *h, uint64_t committed, uint64_t made)
{
    while (h->count && part_at(h, 0)->position <= committed) {
        h->head = (h->head + 1) & (h->room - 1);
        h->count--;
    }
    if (h->count == 0) {
        if (h->room > KEPT_ROOM) held_free(h);
        return made;
    }
    assert(part_at(h, 0)->from <= made);
    return part_at(h, 0)->from;
}

void held_free(struct held *h)
{
    mem_free(h->parts);
    *h = (struct held){0};
}
