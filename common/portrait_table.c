/* The portrait of a set, a hash or a sorted set in a hash table: granule after granule of the hash. */
#include <assert.h>

#include "common/granules.h"
#include "common/portrait_impl.h"
#include "common/rdb_write.h"
#include "common/watch.h"

struct table_portrait {
    struct portrait base;
    struct watch watch;
    struct htable *table;
    int64_t first_ms; /* of a hash with fields that expire: what their times are counted from (rdb_write.h) */
    uint64_t left;    /* elements to be given */
    struct granules granules;
};

static uint64_t give(struct table_portrait *t, const struct htable_choice *c)
{
    const struct portrait *p = &t->base;
    struct buf *out = piece_to(p->pieces, p->stream);
    const uint64_t n = rdb_put_elements(out, p->type, p->object, t->first_ms, c);
    assert(n <= t->left);
    t->left -= n;
    return n;
}

static void before_change(struct watch *w, uint64_t hash)
{
    struct table_portrait *t = PORTRAIT_OF(w, struct table_portrait, watch);
    struct htable_choice c;
    if (granules_change(&t->granules, t->table, hash, &c) && give(t, &c)) t->base.waits = true;
}

static bool step(struct portrait *p, struct portion *portion)
{
    struct table_portrait *t = (struct table_portrait *)p;
    struct granules *g = &t->granules;
    for (; granules_left(g) && portion_left(portion, p->pieces->out); portion->places--) {
        const struct htable_choice c = granules_walk(g, t->table);
        (void)give(t, &c);
        g->next++;
    }
    assert(granules_left(g) || t->left == 0);
    return granules_left(g);
}

static bool end(struct portrait *p)
{
    struct table_portrait *t = (struct table_portrait *)p;
    assert(t->table->watch == &t->watch);
    t->table->watch = NULL;
    granules_free(&t->granules);
    return t->watch.left;
}

static size_t bytes(const struct portrait *p)
{
    return granules_bytes(&((const struct table_portrait *)p)->granules);
}

struct portrait *portrait_new_table(const struct entry *e, struct htable *table, struct span head,
                                    struct piece_writer *w)
{
    static const struct portrait_kind kind = {.step = step, .end = end, .bytes = bytes};
    struct table_portrait *t = portrait_make(sizeof(struct table_portrait), &kind, e, head, w);
    t->watch.before = before_change;
    t->table = table;
    granules_init(&t->granules, table->live.buckets);
    t->left = table->count;
    t->first_ms = rdb_put_first_time(&t->base.head, e);
    rdb_put_length(&t->base.head, t->left);
    assert(!table->watch);
    table->watch = &t->watch;
    return &t->base;
}
