/* The portrait of a set, a hash or a sorted set in a hash table: granule after granule of the hash. */
#include <assert.h>

#include "common/mem.h"
#include "common/portrait_impl.h"
#include "common/rdb_write.h"
#include "common/watch.h"

struct table_portrait {
    struct portrait base;
    struct watch watch;
    struct htable *table;
    int64_t first_ms;  /* of a hash with fields that expire: what their times are counted from (rdb_write.h) */
    uint64_t left;     /* elements to be given */
    uint64_t granules; /* the hash is divided into so many equal ranges */
    uint64_t next;     /* those below were given */
    uint8_t bits[];    /* of those from there on: set if it was */
};

static bool was_given(const struct table_portrait *t, uint64_t granule)
{
    return granule < t->next || t->bits[granule / 8] >> granule % 8 & 1;
}

/* The first position of a granule. */
static uint64_t begin_of(const struct table_portrait *t, uint64_t granule)
{
    const unsigned __int128 scaled = (unsigned __int128)granule << HTABLE_POSITION_BITS;
    return (uint64_t)((scaled + t->granules - 1) / t->granules);
}

static uint64_t granule_of(const struct table_portrait *t, uint64_t hash)
{
    return (uint64_t)((unsigned __int128)htable_position(hash) * t->granules >> HTABLE_POSITION_BITS);
}

static void give(struct table_portrait *t, uint64_t granule)
{
    const struct portrait *p = &t->base;
    struct buf *out = piece_to(p->pieces, p->stream);
    const uint64_t n =
        rdb_put_elements(out, p->type, p->object, t->first_ms, begin_of(t, granule), begin_of(t, granule + 1));
    assert(n <= t->left);
    t->left -= n;
}

static void before_change(struct watch *w, uint64_t hash)
{
    struct table_portrait *t = PORTRAIT_OF(w, struct table_portrait, watch);
    const uint64_t granule = granule_of(t, hash);
    if (was_given(t, granule)) return;
    give(t, granule);
    t->base.waits = true;
    t->bits[granule / 8] = (uint8_t)(t->bits[granule / 8] | 1u << granule % 8);
}

static bool step(struct portrait *p, struct portion *portion)
{
    struct table_portrait *t = (struct table_portrait *)p;
    for (; t->next < t->granules && portion_left(portion, p->pieces->out); portion->places--) {
        if (!was_given(t, t->next)) give(t, t->next);
        t->next++;
    }
    assert(t->next < t->granules || t->left == 0);
    return t->next < t->granules;
}

static bool end(struct portrait *p)
{
    struct table_portrait *t = (struct table_portrait *)p;
    assert(t->table->watch == &t->watch);
    t->table->watch = NULL;
    return t->watch.left;
}

struct portrait *portrait_new_table(const struct entry *e, struct htable *table, struct span head,
                                    struct piece_writer *w)
{
    static const struct portrait_kind kind = {.step = step, .end = end};
    const uint64_t granules = table->live.buckets;
    struct table_portrait *t = portrait_make(sizeof(struct table_portrait) + granules / 8 + 1, &kind, e, head, w);
    t->watch.before = before_change;
    t->table = table;
    t->granules = granules;
    t->left = table->count;
    t->first_ms = rdb_put_first_time(&t->base.head, e);
    rdb_put_length(&t->base.head, t->left);
    assert(!table->watch);
    table->watch = &t->watch;
    return &t->base;
}
