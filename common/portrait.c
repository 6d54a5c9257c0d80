#include "common/portrait.h"

#include <assert.h>

#include "common/mem.h"
#include "common/rdb_write.h"
#include "common/types/hash.h"
#include "common/types/set.h"
#include "common/types/zset.h"
#include "common/watch.h"

struct portrait {
    struct watch watch; /* first: the watch is the portrait */
    enum type type;
    void *object;
    struct htable *table;
    struct piece_writer *pieces;
    struct buf head;   /* the record up to its elements; empty when it is out */
    uint64_t stream;   /* where what is given goes: one of its own, then 0 */
    bool waits;        /* something stands in its own stream */
    uint64_t left;     /* elements to be given */
    uint64_t granules; /* the hash is divided into so many equal ranges */
    uint64_t next;     /* those below were given */
    uint8_t bits[];    /* of those from there on: set if it was */
};

static struct htable *table_of(enum type type, void *object)
{
    switch (type) {
    case TYPE_SET: return set_table(object);
    case TYPE_HASH: return hash_table(object);
    case TYPE_ZSET: return zset_table(object);
    default: return NULL;
    }
}

bool portrait_is_due(const struct entry *e, const struct portrait_bounds *bounds)
{
    const enum type type = entry_type(e);
    if (type == TYPE_STRING || !table_of(type, entry_object(e))) return false;
    const uint64_t size = object_size(type, entry_object(e));
    return size > bounds->elements || (size > 1 && object_bytes(type, entry_object(e)) > bounds->bytes);
}

/* Granules. */

static bool was_given(const struct portrait *p, uint64_t granule)
{
    return granule < p->next || p->bits[granule / 8] >> granule % 8 & 1;
}

/* The first position of a granule. */
static uint64_t begin_of(const struct portrait *p, uint64_t granule)
{
    const unsigned __int128 scaled = (unsigned __int128)granule << HTABLE_POSITION_BITS;
    return (uint64_t)((scaled + p->granules - 1) / p->granules);
}

static uint64_t granule_of(const struct portrait *p, uint64_t hash)
{
    return (uint64_t)((unsigned __int128)htable_position(hash) * p->granules >> HTABLE_POSITION_BITS);
}

static void give(struct portrait *p, uint64_t granule)
{
    struct buf *out = piece_to(p->pieces, p->stream);
    const uint64_t n = rdb_put_elements(out, p->type, p->object, begin_of(p, granule), begin_of(p, granule + 1));
    assert(n <= p->left);
    p->left -= n;
}

static void before_change(struct watch *w, uint64_t hash)
{
    struct portrait *p = (struct portrait *)w;
    const uint64_t granule = granule_of(p, hash);
    if (was_given(p, granule)) return;
    give(p, granule);
    p->waits = true;
    p->bits[granule / 8] = (uint8_t)(p->bits[granule / 8] | 1u << granule % 8);
}

/* The whole. */

struct portrait *portrait_new(const struct entry *e, struct span head, struct piece_writer *w)
{
    const enum type type = entry_type(e);
    void *object = entry_object(e);
    struct htable *table = table_of(type, object);
    const uint64_t granules = table->live.buckets;
    struct portrait *p = mem_zalloc(1, sizeof *p + granules / 8 + 1);
    p->watch.before = before_change;
    p->type = type;
    p->object = object;
    p->table = table;
    p->pieces = w;
    p->granules = granules;
    p->left = table->count;
    p->stream = piece_stream(w);
    buf_add_span(&p->head, head);
    rdb_put_key(&p->head, e);
    rdb_put_length(&p->head, p->left);
    assert(!table->watch);
    table->watch = &p->watch;
    return p;
}

void portrait_come(struct portrait *p)
{
    buf_add_span(piece_to(p->pieces, 0), buf_span(&p->head));
    buf_free(&p->head);
    if (p->waits) piece_insert(p->pieces, p->stream);
    p->stream = 0;
}

bool portrait_step(struct portrait *p, struct portion *portion)
{
    assert(p->stream == 0);
    for (; p->next < p->granules && portion_left(portion, p->pieces->out); portion->places--) {
        if (!was_given(p, p->next)) give(p, p->next);
        p->next++;
    }
    assert(p->next < p->granules || p->left == 0);
    return p->next < p->granules;
}

enum type portrait_free(struct portrait *p, void **object)
{
    const enum type type = p->type;
    assert(p->table->watch == &p->watch);
    p->table->watch = NULL;
    *object = p->watch.left ? p->object : NULL;
    buf_free(&p->head);
    mem_free(p);
    return type;
}

size_t portrait_bytes(const struct portrait *p) { return mem_size(p) + p->head.cap; }
