/* A table of leases by the hash of their key, and a heap of them by the moment of their end. */
#include "common/leases.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "common/htable.h"
#include "common/mem.h"

enum {
    NAME_BYTES = crypto_shorthash_siphashx24_BYTES,
    FIRST_ROOM = 64,
    TEND_MOST = 64, /* leases that one call forgets because they are over */
};

struct lease {
    char name[NAME_BYTES];
    uint64_t serial;
    int64_t end_ms, length_ms;
    size_t place; /* in the heap */
};

struct leases {
    struct htable table;
    struct lease **heap; /* of table.count; none ends before the one above it, at (place - 1) / 2 */
    size_t room;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    uint64_t incarnation, serial;
};

static struct span lease_name(const void *item) { return span_of(((const struct lease *)item)->name, NAME_BYTES); }

struct leases *leases_new(const uint8_t secret[16], uint64_t incarnation)
{
    static const struct htable_kind kind = {.key = lease_name, .free = mem_free};
    struct leases *l = MEM_NEW(struct leases);
    memcpy(l->secret, secret, sizeof l->secret);
    l->incarnation = incarnation;
    htable_init(&l->table, &kind, l->secret);
    return l;
}

void leases_free(struct leases *l)
{
    if (!l) return;
    htable_free(&l->table);
    mem_free(l->heap);
    mem_free(l);
}

/* ---- The heap ---- */

static void heap_put(struct leases *l, struct lease *e, size_t place)
{
    l->heap[place] = e;
    e->place = place;
}

/* Move @e, for which there is a gap at @place, to where it belongs in a heap of @count. */
static void heap_settle(struct leases *l, struct lease *e, size_t place, size_t count)
{
    while (place > 0 && e->end_ms < l->heap[(place - 1) / 2]->end_ms) {
        heap_put(l, l->heap[(place - 1) / 2], place);
        place = (place - 1) / 2;
    }
    for (size_t below = 2 * place + 1; below < count; below = 2 * place + 1) {
        if (below + 1 < count && l->heap[below + 1]->end_ms < l->heap[below]->end_ms) below++;
        if (l->heap[below]->end_ms >= e->end_ms) break;
        heap_put(l, l->heap[below], place);
        place = below;
    }
    heap_put(l, e, place);
}

static void heap_grow(struct leases *l)
{
    l->room = l->room ? 2 * l->room : FIRST_ROOM;
    l->heap = mem_realloc(l->heap, l->room * sizeof(struct lease *));
}

/* ---- Leases ---- */

struct place {
    char name[NAME_BYTES];
    uint64_t hash;
};

static struct place place_of(const struct leases *l, unsigned db, struct span key)
{
    struct place p;
    const uint64_t mix = (uint64_t)db * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t front;
    (void)crypto_shorthash_siphashx24((unsigned char *)p.name, (const unsigned char *)key.p, key.n, l->secret);
    memcpy(&front, p.name, sizeof front);
    front ^= mix;
    memcpy(p.name, &front, sizeof front);
    p.hash = htable_hash(&l->table, span_of(p.name, NAME_BYTES));
    return p;
}

static struct lease *find(const struct leases *l, const struct place *p)
{
    return l->table.count ? htable_find(&l->table, p->hash, span_of(p->name, NAME_BYTES)) : NULL;
}

static void drop(struct leases *l, struct lease *e)
{
    const struct span name = lease_name(e);
    const struct lease *removed = htable_remove(&l->table, htable_hash(&l->table, name), name);
    assert(removed == e);
    struct lease *last = l->heap[l->table.count];
    if (last != e) heap_settle(l, last, e->place, l->table.count);
    mem_free(e);
}

/* A clock that was put back must not make a lease longer: one with more to go than it had is over. */
static bool is_over(const struct lease *e, int64_t now_ms)
{
    return e->end_ms <= now_ms || e->end_ms - now_ms > e->length_ms;
}

/* The lease that is held now. */
static struct lease *held(struct leases *l, const struct place *p, int64_t now_ms)
{
    struct lease *e = find(l, p);
    if (!e || !is_over(e, now_ms)) return e;
    drop(l, e);
    return NULL;
}

static void format_token(const struct leases *l, const struct lease *e, char token[LEASE_TOKEN_CHARS])
{
    char text[LEASE_TOKEN_CHARS + 1];
    (void)snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, l->incarnation, e->serial);
    memcpy(token, text, LEASE_TOKEN_CHARS);
}

void leases_tend(struct leases *l, int64_t now_ms)
{
    for (unsigned i = 0; i < TEND_MOST && l->table.count && is_over(l->heap[0], now_ms); i++) drop(l, l->heap[0]);
}

bool leases_take(struct leases *l, unsigned db, struct span key, int64_t now_ms, int64_t length_ms,
                 char token[LEASE_TOKEN_CHARS])
{
    assert(length_ms > 0 && length_ms < INT64_MAX - now_ms);
    const struct place p = place_of(l, db, key);
    if (held(l, &p, now_ms)) return false;
    leases_tend(l, now_ms);
    if (l->table.count == LEASES_MAX) drop(l, l->heap[0]);
    if (l->table.count == l->room) heap_grow(l);
    struct lease *e = MEM_NEW(struct lease);
    memcpy(e->name, p.name, NAME_BYTES);
    e->serial = ++l->serial;
    e->length_ms = length_ms;
    e->end_ms = now_ms + length_ms;
    heap_settle(l, e, l->table.count, l->table.count);
    htable_insert(&l->table, p.hash, e);
    format_token(l, e, token);
    return true;
}

int64_t leases_left_ms(struct leases *l, unsigned db, struct span key, int64_t now_ms)
{
    const struct place p = place_of(l, db, key);
    const struct lease *e = held(l, &p, now_ms);
    return e ? e->end_ms - now_ms : 0;
}

bool leases_end(struct leases *l, unsigned db, struct span key, int64_t now_ms, struct span token)
{
    char good[LEASE_TOKEN_CHARS];
    const struct place p = place_of(l, db, key);
    struct lease *e = held(l, &p, now_ms);
    if (!e) return false;
    format_token(l, e, good);
    if (!span_eq(token, span_of(good, sizeof good))) return false;
    drop(l, e);
    return true;
}

void leases_void(struct leases *l, unsigned db, struct span key)
{
    if (l->table.count == 0) return;
    const struct place p = place_of(l, db, key);
    struct lease *e = find(l, &p);
    if (e) drop(l, e);
}

void leases_void_all(struct leases *l)
{
    htable_clear(&l->table);
    mem_free(l->heap);
    l->heap = NULL;
    l->room = 0;
}

size_t leases_count(const struct leases *l) { return l->table.count; }

void leases_check(const struct leases *l)
{
    htable_check(&l->table);
    assert(l->table.count <= l->room && l->table.count <= LEASES_MAX);
    for (size_t i = 0; i < l->table.count; i++) {
        const struct lease *e = l->heap[i];
        const struct span name = lease_name(e);
        assert(e->place == i && (i == 0 || l->heap[(i - 1) / 2]->end_ms <= e->end_ms));
        assert(htable_find(&l->table, htable_hash(&l->table, name), name) == e);
    }
}
