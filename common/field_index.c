#include "common/field_index.h"

#include <assert.h>

#include "common/mem.h"
#include "common/types/hash_expiry.h"

struct field_due {
    int64_t when_ms;
    struct entry *entry;
};

enum { ARITY = 4, FIRST_ROOM = 4 };

/* Where the entry stands; NULL: it is no hash, or none of its fields ever had a time. */
static uint64_t *place_of(const struct entry *e)
{
    return entry_type(e) == TYPE_HASH ? hash_place(entry_object(e)) : NULL;
}

static void put(struct field_index *x, uint64_t at, struct field_due due)
{
    x->heap[at] = due;
    *place_of(due.entry) = at;
}

static void rise(struct field_index *x, uint64_t at, struct field_due due)
{
    for (uint64_t up; at > 0 && x->heap[up = (at - 1) / ARITY].when_ms > due.when_ms; at = up)
        put(x, at, x->heap[up]);
    put(x, at, due);
}

static void sink(struct field_index *x, uint64_t at, struct field_due due)
{
    for (;;) {
        uint64_t least = at * ARITY + 1;
        if (least >= x->count) break;
        const uint64_t end = least + ARITY < x->count ? least + ARITY : x->count;
        for (uint64_t i = least + 1; i < end; i++)
            if (x->heap[i].when_ms < x->heap[least].when_ms) least = i;
        if (x->heap[least].when_ms >= due.when_ms) break;
        put(x, at, x->heap[least]);
        at = least;
    }
    put(x, at, due);
}

/* Give what stands at @at another time. */
static void place(struct field_index *x, uint64_t at, struct field_due due)
{
    if (due.when_ms < x->heap[at].when_ms) rise(x, at, due);
    else sink(x, at, due);
}

static void add(struct field_index *x, struct field_due due)
{
    if (x->count == x->room) {
        x->room = x->room ? 2 * x->room : FIRST_ROOM;
        x->heap = mem_realloc(x->heap, x->room * sizeof *x->heap);
    }
    rise(x, x->count++, due);
}

void field_index_clear(struct field_index *x)
{
    mem_free(x->heap);
    *x = (struct field_index){0};
}

void field_index_settle(struct field_index *x, struct entry *e)
{
    const uint64_t *at = place_of(e);
    if (!at) return;
    const struct hash *h = entry_object(e);
    const struct field_due due = {hash_next_expiry(h), e};
    if (hash_timed_fields(h) == 0) field_index_remove(x, e);
    else if (*at == HASH_NOWHERE) add(x, due);
    else place(x, *at, due);
}

void field_index_remove(struct field_index *x, const struct entry *e)
{
    uint64_t *at = place_of(e);
    if (!at || *at == HASH_NOWHERE) return;
    const uint64_t hole = *at;
    *at = HASH_NOWHERE;
    const struct field_due last = x->heap[--x->count];
    if (hole < x->count) place(x, hole, last);
    if (x->count == 0) field_index_clear(x);
}

bool field_index_has(const struct entry *e)
{
    const uint64_t *at = place_of(e);
    return at && *at != HASH_NOWHERE;
}

struct entry *field_index_due(const struct field_index *x, int64_t now_ms)
{
    return x->count > 0 && x->heap[0].when_ms < now_ms ? x->heap[0].entry : NULL;
}

void field_index_put_off(struct field_index *x, struct entry *e, int64_t until_ms)
{
    const uint64_t *at = place_of(e);
    if (at && *at != HASH_NOWHERE) place(x, *at, (struct field_due){until_ms, e});
}

void field_index_check(const struct field_index *x)
{
    assert(x->count <= x->room);
    for (uint64_t i = 0; i < x->count; i++) {
        const struct entry *e = x->heap[i].entry;
        const uint64_t *at = place_of(e);
        assert(at && *at == i);
        assert(hash_timed_fields(entry_object(e)) > 0);
        assert(i == 0 || x->heap[(i - 1) / ARITY].when_ms <= x->heap[i].when_ms);
        assert(hash_next_expiry(entry_object(e)) <= x->heap[i].when_ms);
    }
}
