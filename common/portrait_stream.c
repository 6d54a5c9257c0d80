/* The portrait of a stream: nodes in the order of their IDs, then the groups with what is pending in them.
 *
 * Nodes must come out in their order. One that is changed before its turn goes to a stream of pieces of its own at once, as
 * it was, and is inserted at its turn; `touched` says so. A node that comes into being is put there too, as nothing.
 *
 * Of a group with many pending entries only the names and numbers are taken at the beginning. Its pending entries stand in
 * the file twice, in the group's list and as an ID in their consumer's; both are given at once, the second to a stream of
 * pieces of the consumer's that is inserted behind the group's list. */
#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/portrait_impl.h"
#include "common/rdb_write.h"
#include "common/types/stream.h"

/* What is pending in a smaller group is taken at once. */
enum { PENDING_AT_ONCE = 256 };

struct consumer_view {
    const struct stream_consumer *consumer; /* never followed: it may be gone */
    struct buf head;
    uint64_t stream;
    bool waits;
};

struct group_view {
    struct pending_watch watch;
    struct stream_group *group; /* NULL: all of it stands in the head */
    struct piece_writer *pieces;
    struct buf head;
    uint64_t stream; /* pending entries go here: one of its own, at its turn 0 */
    bool waits;
    struct stream_id next; /* pending entries below were given */
    struct radix touched;  /* from there on, those that were given, or were not there */
    uint64_t left;
    struct consumer_view *consumers; /* sorted by address */
    size_t consumer_count;
};

enum phase { NODES, MARKS, GROUPS };

struct stream_portrait {
    struct portrait base;
    struct stream_watch watch;
    struct stream *stream;
    enum phase phase;
    struct stream_id next; /* nodes that begin below were given */
    struct radix touched;  /* node's ID -> its stream of pieces, and 1 */
    uint64_t left;         /* nodes to be given */
    struct buf marks;
    struct group_view *groups;
    size_t group_count, group; /* the one whose turn it is */
};

/* Nodes. */

static void *touch_of(uint64_t stream) { return (void *)(uintptr_t)(stream + 1); }
static uint64_t stream_of(const void *touch) { return (uint64_t)(uintptr_t)touch - 1; }

/* A node is about to change or go; @node is NULL where it is about to come. */
static void before_node(struct stream_watch *w, struct stream_id id, const lp_t *node)
{
    struct stream_portrait *s = PORTRAIT_OF(w, struct stream_portrait, watch);
    uint64_t stream = 0;
    if (s->phase != NODES || stream_id_cmp(id, s->next) < 0 || radix_find(&s->touched, stream_id_key(id))) return;
    if (node) {
        stream = piece_stream(s->base.pieces);
        rdb_put_stream_node(piece_to(s->base.pieces, stream), id, span_of(node, lp_bytes(node)));
    }
    (void)radix_put(&s->touched, stream_id_key(id), touch_of(stream));
}

/* Give the next node; false if there is none. */
static bool give_node(struct stream_portrait *s)
{
    struct piece_writer *w = s->base.pieces;
    struct stream_id id;
    struct radix_key key;
    const lp_t *node = stream_node_near(s->stream, s->next, false, &id);
    const void *touch = radix_at_or_after(&s->touched, stream_id_key(s->next), &key);
    const bool kept = touch && (!node || stream_id_cmp(stream_id_of_key(key), id) <= 0);
    if (!node && !touch) return false;
    if (kept) {
        id = stream_id_of_key(key);
        (void)radix_take(&s->touched, key);
        if (stream_of(touch)) piece_insert(w, stream_of(touch));
    } else {
        rdb_put_stream_node(piece_to(w, 0), id, span_of(node, lp_bytes(node)));
    }
    if (!kept || stream_of(touch)) s->left--;
    s->next = id;
    return stream_id_increment(&s->next);
}

static void step_nodes(struct stream_portrait *s)
{
    if (give_node(s)) return;
    assert(s->left == 0);
    radix_clear(&s->touched, NULL);
    s->phase = MARKS;
}

/* Pending entries. */

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)((const struct consumer_view *)a)->consumer;
    const uintptr_t y = (uintptr_t)((const struct consumer_view *)b)->consumer;
    return (x > y) - (x < y);
}

/* As its entries were not changed since the beginning, their consumer is one of those of that time. */
static struct consumer_view *view_of(const struct group_view *g, const struct stream_consumer *consumer)
{
    const struct consumer_view wanted = {.consumer = consumer};
    struct consumer_view *v = bsearch(&wanted, g->consumers, g->consumer_count, sizeof wanted, by_address);
    assert(v);
    return v;
}

static void give_pending(struct group_view *g, struct stream_id id, const struct stream_pending *p)
{
    struct consumer_view *v = view_of(g, p->consumer);
    rdb_put_pending(piece_to(g->pieces, g->stream), id, p);
    rdb_put_raw_id(piece_to(g->pieces, v->stream), id);
    v->waits = true;
    assert(g->left > 0);
    g->left--;
}

/* A pending entry is about to change or go; @p is NULL where it is about to come. */
static void before_pending(struct pending_watch *w, struct stream_id id, const struct stream_pending *p)
{
    struct group_view *g = PORTRAIT_OF(w, struct group_view, watch);
    if (stream_id_cmp(id, g->next) < 0 || radix_find(&g->touched, stream_id_key(id))) return;
    if (p) {
        give_pending(g, id, p);
        g->waits = true;
    }
    (void)radix_put(&g->touched, stream_id_key(id), g);
}

/* Its turn has come. */
static void open_group(struct group_view *g)
{
    buf_add_span(piece_to(g->pieces, 0), buf_span(&g->head));
    buf_free(&g->head);
    if (g->waits) piece_insert(g->pieces, g->stream);
    g->stream = 0;
}

/* Stop watching. */
static void leave_group(struct group_view *g)
{
    if (!g->group) return;
    g->group->watch = NULL;
    if (g->watch.left) stream_group_free(g->group);
    g->group = NULL;
    radix_clear(&g->touched, NULL);
}

/* All that was pending was given: the consumers follow. */
static void close_group(struct group_view *g)
{
    assert(g->left == 0);
    leave_group(g);
    rdb_put_length(piece_to(g->pieces, 0), g->consumer_count);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct consumer_view *v = g->consumers + i;
        buf_add_span(piece_to(g->pieces, 0), buf_span(&v->head));
        if (v->waits) piece_insert(g->pieces, v->stream);
    }
}

/* Give something of the group; false when it is complete. */
static bool step_group(struct group_view *g)
{
    if (g->stream) {
        open_group(g);
        return g->group != NULL;
    }
    struct stream_id id = g->next;
    const struct stream_pending *p = stream_pending_from(&g->group->pending, &id);
    if (p && !radix_take(&g->touched, stream_id_key(id))) give_pending(g, id, p);
    g->next = id;
    if (p && stream_id_increment(&g->next)) return true;
    close_group(g);
    return false;
}

static void view_group(struct group_view *g, struct stream_group *group, struct piece_writer *w)
{
    *g = (struct group_view){.pieces = w, .stream = piece_stream(w), .left = group->pending.size};
    if (g->left <= PENDING_AT_ONCE) {
        rdb_put_group(&g->head, group);
        return;
    }
    g->watch.before = before_pending;
    g->group = group;
    assert(!group->watch);
    group->watch = &g->watch;
    rdb_put_group_head(&g->head, group);
    g->consumer_count = group->consumer_count;
    g->consumers = mem_zalloc(g->consumer_count, sizeof *g->consumers);
    for (size_t i = 0; i < g->consumer_count; i++) {
        struct consumer_view *v = g->consumers + i;
        v->consumer = group->consumers[i];
        v->stream = piece_stream(w);
        rdb_put_consumer_head(&v->head, v->consumer);
    }
    qsort(g->consumers, g->consumer_count, sizeof *g->consumers, by_address);
}

static void free_view(struct group_view *g)
{
    leave_group(g);
    buf_free(&g->head);
    for (size_t i = 0; i < g->consumer_count; i++) buf_free(&g->consumers[i].head);
    mem_free(g->consumers);
}

/* The whole. */

static void step_once(struct stream_portrait *s)
{
    switch (s->phase) {
    case NODES: step_nodes(s); break;
    case MARKS:
        buf_add_span(piece_to(s->base.pieces, 0), buf_span(&s->marks));
        s->phase = GROUPS;
        break;
    case GROUPS:
        if (!step_group(s->groups + s->group)) s->group++;
        break;
    }
}

static bool step(struct portrait *p, struct portion *portion)
{
    struct stream_portrait *s = (struct stream_portrait *)p;
    for (; portion_left(portion, p->pieces->out); portion->places--) {
        if (s->phase == GROUPS && s->group == s->group_count) return false;
        step_once(s);
    }
    return true;
}

static bool end(struct portrait *p)
{
    struct stream_portrait *s = (struct stream_portrait *)p;
    stream_set_watch(s->stream, NULL);
    for (size_t i = 0; i < s->group_count; i++) free_view(s->groups + i);
    mem_free(s->groups);
    radix_clear(&s->touched, NULL);
    buf_free(&s->marks);
    return s->watch.watch.left;
}

static size_t bytes(const struct portrait *p)
{
    const struct stream_portrait *s = (const struct stream_portrait *)p;
    size_t n = s->marks.cap + mem_size(s->groups);
    for (size_t i = 0; i < s->group_count; i++) n += s->groups[i].head.cap + mem_size(s->groups[i].consumers);
    return n;
}

struct portrait *portrait_new_stream(const struct entry *e, struct span head, struct piece_writer *w)
{
    static const struct portrait_kind kind = {.step = step, .end = end, .bytes = bytes};
    struct stream_portrait *s = portrait_make(sizeof(struct stream_portrait), &kind, e, head, w);
    s->stream = entry_object(e);
    s->left = stream_nodes(s->stream);
    rdb_put_length(&s->base.head, s->left);
    rdb_put_stream_marks(&s->marks, s->stream);
    const struct stream_groups *groups = stream_groups_of(s->stream);
    s->group_count = groups->count;
    s->groups = mem_zalloc(groups->count, sizeof *s->groups);
    for (size_t i = 0; i < groups->count; i++) view_group(s->groups + i, groups->list[i], w);
    s->watch.node = before_node;
    stream_set_watch(s->stream, &s->watch);
    return &s->base;
}
