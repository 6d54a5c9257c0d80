#include "replication/window.h"

#include <assert.h>

#include "common/mem.h"
#include "replication/batch.h"

struct window {
    struct chunk **row; /* a ring of `room` (a power of two) places; the oldest is at `first` */
    size_t room, first, count;
    uint64_t begin, end;
    size_t memory, limit, pinned_limit;
    struct window_pin *pins;
};

static struct chunk *chunk_at(const struct window *w, size_t i) { return w->row[(w->first + i) & (w->room - 1)]; }

struct window *window_new(uint64_t begin, size_t limit, size_t pinned_limit)
{
    struct window *w = MEM_NEW(struct window);
    w->begin = w->end = begin;
    window_set_limits(w, limit, pinned_limit);
    return w;
}

static void drop_oldest(struct window *w)
{
    struct chunk *c = chunk_at(w, 0);
    w->first = (w->first + 1) & (w->room - 1);
    w->count--;
    w->memory -= chunk_memory(c);
    w->begin = chunk_end(c);
    chunk_unref(c);
}

void window_free(struct window *w)
{
    if (!w) return;
    while (w->count) drop_oldest(w);
    mem_free(w->row);
    mem_free(w);
}

uint64_t window_begin(const struct window *w) { return w->begin; }
uint64_t window_end(const struct window *w) { return w->end; }
size_t window_memory(const struct window *w) { return w->memory; }

/* The lowest offset that a living pin holds; the end if none does. */
static uint64_t pinned(const struct window *w)
{
    uint64_t lowest = w->end;
    for (const struct window_pin *p = w->pins; p; p = p->next)
        if (p->offset >= w->begin && p->offset < lowest) lowest = p->offset;
    return lowest;
}

static void trim(struct window *w)
{
    if (w->memory <= w->limit) return;
    const uint64_t hold = pinned(w);
    while (w->count && w->memory > w->limit) {
        if (chunk_end(chunk_at(w, 0)) > hold && w->memory <= w->pinned_limit) break;
        drop_oldest(w);
    }
}

void window_set_limits(struct window *w, size_t limit, size_t pinned_limit)
{
    assert(limit <= pinned_limit);
    w->limit = limit;
    w->pinned_limit = pinned_limit;
    trim(w);
}

void window_reset(struct window *w, uint64_t offset)
{
    while (w->count) drop_oldest(w);
    w->begin = w->end = offset;
}

static void grow(struct window *w)
{
    const size_t room = w->room ? w->room * 2 : 64;
    struct chunk **row = mem_alloc(room * sizeof(struct chunk *));
    for (size_t i = 0; i < w->count; i++) row[i] = chunk_at(w, i);
    mem_free(w->row);
    w->row = row;
    w->room = room;
    w->first = 0;
}

void window_append(struct window *w, struct chunk *c)
{
    assert(c->offset == w->end);
    if (w->count == w->room) grow(w);
    w->row[(w->first + w->count) & (w->room - 1)] = c;
    w->count++;
    w->memory += chunk_memory(c);
    w->end = chunk_end(c);
    trim(w);
}

/* The chunk that holds @offset, which lies in [begin, end). */
static struct chunk *find(const struct window *w, uint64_t offset)
{
    size_t low = 0, high = w->count - 1;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (chunk_end(chunk_at(w, mid)) > offset) high = mid;
        else low = mid + 1;
    }
    return chunk_at(w, low);
}

enum err window_read(struct window *w, uint64_t offset, size_t max, struct chunk **c, struct span *bytes)
{
    *c = NULL;
    *bytes = span_of(NULL, 0);
    if (offset > w->end) return ERR_RANGE;
    if (offset < w->begin) return ERR_STALE;
    if (offset == w->end) return ERR_OK;
    *c = find(w, offset);
    const size_t skip = (size_t)(offset - (*c)->offset), left = (*c)->len - skip;
    *bytes = span_of((*c)->bytes + skip, left < max ? left : max);
    return ERR_OK;
}

enum err window_verify(struct window *w, uint64_t offset, uint32_t crc, uint32_t seed)
{
    struct chunk *c;
    struct span bytes;
    const enum err e = window_read(w, offset, SIZE_MAX, &c, &bytes);
    if (e) return e;
    if (!c) return w->count == 0 ? ERR_STALE : chunk_at(w, w->count - 1)->crc == crc ? ERR_OK : ERR_DIVERGED;
    struct batch b;
    if (batch_read_line(bytes, BATCH_MAX, &b)) return ERR_DIVERGED;
    /* The seed is given, so the chain's epoch start lies elsewhere. */
    struct batch_chain chain = {.offset = offset, .crc = seed, .epoch = b.epoch, .epoch_start = offset + 1};
    size_t need;
    return batch_take(bytes, BATCH_MAX, &chain, &b, &need, NULL) ? ERR_DIVERGED : ERR_OK;
}

enum err window_pin(struct window *w, uint64_t offset, struct window_pin *pin)
{
    if (offset < w->begin) return ERR_STALE;
    *pin = (struct window_pin){.next = w->pins, .offset = offset};
    if (w->pins) w->pins->prev = pin;
    w->pins = pin;
    return ERR_OK;
}

void window_pin_move(struct window *w, struct window_pin *pin, uint64_t offset)
{
    assert(offset >= pin->offset);
    pin->offset = offset;
    trim(w);
}

void window_unpin(struct window *w, struct window_pin *pin)
{
    if (pin->prev) pin->prev->next = pin->next;
    else if (w->pins == pin) w->pins = pin->next;
    else return;
    if (pin->next) pin->next->prev = pin->prev;
    *pin = (struct window_pin){0};
    trim(w);
}
