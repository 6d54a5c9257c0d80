#include "common/types/stream.h"

#include <assert.h>

#include "common/mem.h"

enum { ELEMENT_OVERHEAD = 11, ENTRY_OVERHEAD = 100 }; /* what a listpack adds at most to a string, to an entry */

struct stream {
    struct radix nodes; /* of lp_t, by the IDs they begin with */
    uint64_t size;
    struct stream_marks marks;
    struct stream_groups groups;
    struct stream_watch *watch;
};

struct stream *stream_new(void) { return MEM_NEW(struct stream); }

static void free_node(void *node) { lp_free(node); }

void stream_free(struct stream *s)
{
    if (!s) return;
    assert(!s->watch);
    radix_clear(&s->nodes, free_node);
    stream_groups_clear(&s->groups);
    mem_free(s);
}

uint64_t stream_size(const struct stream *s) { return s->size; }
const struct stream_marks *stream_marks(const struct stream *s) { return &s->marks; }

void stream_set_marks(struct stream *s, const struct stream_marks *m)
{
    const struct stream_id first = s->marks.first;
    s->marks = *m;
    s->marks.first = first;
}

struct stream_groups *stream_groups(struct stream *s) { return &s->groups; }
const struct stream_groups *stream_groups_of(const struct stream *s) { return &s->groups; }

void stream_set_watch(struct stream *s, struct stream_watch *w)
{
    assert(!s->watch || !w);
    s->watch = w;
}

struct watch *stream_watched(const struct stream *s) { return s->watch ? &s->watch->watch : NULL; }

static void before_change(const struct stream *s, struct stream_id id, const lp_t *node)
{
    if (s->watch) s->watch->node(s->watch, id, node);
}

static lp_t *node_from(const struct stream *s, struct stream_id from, struct stream_id *id)
{
    struct radix_key key;
    lp_t *node = radix_at_or_after(&s->nodes, stream_id_key(from), &key);
    if (node) *id = stream_id_of_key(key);
    return node;
}

static lp_t *node_up_to(const struct stream *s, struct stream_id to, struct stream_id *id)
{
    struct radix_key key;
    lp_t *node = radix_at_or_before(&s->nodes, stream_id_key(to), &key);
    if (node) *id = stream_id_of_key(key);
    return node;
}

const lp_t *stream_node_near(const struct stream *s, struct stream_id id, bool before, struct stream_id *node_id)
{
    return before ? node_up_to(s, id, node_id) : node_from(s, id, node_id);
}

static void put_node(struct stream *s, struct stream_id id, lp_t *node)
{
    (void)radix_put(&s->nodes, stream_id_key(id), node);
}

static void drop_node(struct stream *s, struct stream_id id) { lp_free(radix_take(&s->nodes, stream_id_key(id))); }

void stream_each_node(const struct stream *s, stream_visit_node *visit, void *context)
{
    struct stream_id id, from = STREAM_ID_ZERO;
    const lp_t *node;
    while ((node = node_from(s, from, &id))) {
        visit(context, id, span_of(node, lp_bytes(node)));
        from = id;
        if (!stream_id_increment(&from)) break;
    }
}

static void dup_node(void *context, struct stream_id id, struct span listpack)
{
    put_node(context, id, lp_dup((const lp_t *)listpack.p));
}

struct stream *stream_dup(const struct stream *s)
{
    struct stream *copy = stream_new();
    stream_each_node(s, dup_node, copy);
    copy->size = s->size;
    copy->marks = s->marks;
    stream_groups_dup(&copy->groups, &s->groups);
    return copy;
}

bool stream_fits(const struct span *pairs, size_t count)
{
    size_t bytes = ENTRY_OVERHEAD;
    for (size_t i = 0; i < 2 * count; i++) {
        if (pairs[i].n > LP_MAX_BYTES) return false;
        bytes += pairs[i].n + ELEMENT_OVERHEAD;
        if (bytes > LP_MAX_BYTES) return false;
    }
    return true;
}

static size_t pairs_bytes(const struct span *pairs, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < 2 * count; i++) bytes += pairs[i].n;
    return bytes;
}

/* May the node take another entry? */
static bool has_room(const lp_t *node, const struct span *pairs, size_t count, const struct encoding_limits *limits)
{
    struct stream_head h;
    const size_t bytes = pairs_bytes(pairs, count), most = limits->stream_node_max_bytes;
    const size_t limit = most && most < LP_MAX_BYTES ? most : LP_MAX_BYTES;
    if (lp_bytes(node) + bytes >= limit) return false;
    if (lp_bytes(node) + bytes + 2 * count * ELEMENT_OVERHEAD + ENTRY_OVERHEAD > LP_MAX_BYTES) return false;
    stream_node_head(node, &h);
    return !limits->stream_node_max_entries || h.live + h.deleted < limits->stream_node_max_entries;
}

void stream_append(struct stream *s, struct stream_id id, const struct span *pairs, size_t count,
                   const struct encoding_limits *limits)
{
    assert(stream_id_cmp(id, s->marks.last) > 0);
    struct stream_id node_id;
    lp_t *node = node_up_to(s, STREAM_ID_MAX, &node_id);
    if (!node || !has_room(node, pairs, count, limits)) {
        before_change(s, id, NULL);
        node = stream_node_new(pairs, count);
        node_id = id;
    } else {
        before_change(s, node_id, node);
    }
    put_node(s, node_id, stream_node_append(node, node_id, id, pairs, count));
    s->size++;
    s->marks.added += s->marks.added < INT64_MAX;
    s->marks.last = id;
    if (s->size == 1) s->marks.first = id;
}

bool stream_append_node(struct stream *s, struct stream_id id, lp_t *node)
{
    struct stream_id last, last_id, end;
    struct stream_entry e;
    struct stream_head h;
    const lp_t *before = node_up_to(s, STREAM_ID_MAX, &last_id);
    if (!stream_node_valid(node, id, &last)) return false;
    if (before) {
        stream_node_head(before, &h);
        stream_node_entry(before, &h, last_id, stream_node_last(before), &e);
        end = e.id;
        if (stream_id_cmp(end, id) >= 0) return false;
    }
    stream_node_head(node, &h);
    put_node(s, id, node);
    s->size += h.live;
    s->marks.added += h.live;
    if (!before) s->marks.first = stream_first(s, false);
    if (stream_id_cmp(last, s->marks.last) > 0) s->marks.last = last;
    return true;
}

/* The node that @id would be in, and the entry; false if it is not there or deleted. */
static bool find(const struct stream *s, struct stream_id id, struct stream_id *node_id, struct stream_entry *e)
{
    struct stream_head h;
    const lp_t *node = node_up_to(s, id, node_id);
    if (!node) return false;
    stream_node_head(node, &h);
    for (const lp_t *at = h.first; at; at = stream_node_after(node, e)) {
        stream_node_entry(node, &h, *node_id, at, e);
        const int order = stream_id_cmp(e->id, id);
        if (order >= 0) return order == 0 && !(e->flags & STREAM_ENTRY_DELETED);
    }
    return false;
}

bool stream_has(const struct stream *s, struct stream_id id)
{
    struct stream_id node_id;
    struct stream_entry e;
    return find(s, id, &node_id, &e);
}

static void settle_first(struct stream *s) { s->marks.first = stream_first(s, false); }

bool stream_delete(struct stream *s, struct stream_id id)
{
    struct stream_id node_id;
    struct stream_entry e;
    struct stream_head h;
    if (!find(s, id, &node_id, &e)) return false;
    lp_t *node = radix_find(&s->nodes, stream_id_key(node_id));
    before_change(s, node_id, node);
    stream_node_head(node, &h);
    if (h.live == 1) drop_node(s, node_id);
    else put_node(s, node_id, stream_node_delete(node, e.at));
    s->size--;
    if (stream_id_cmp(id, s->marks.max_deleted) > 0) s->marks.max_deleted = id;
    if (stream_id_cmp(id, s->marks.first) == 0) settle_first(s);
    return true;
}

/* May the whole node go? */
static bool node_expendable(const struct stream *s, const struct stream_trim *t, const lp_t *node,
                            const struct stream_head *h, struct stream_id node_id)
{
    if (!t->by_id) return s->size - h->live >= t->max_length;
    struct stream_entry last;
    stream_node_entry(node, h, node_id, stream_node_last(node), &last);
    return stream_id_cmp(last.id, t->min) < 0;
}

/* Remove entries from the front of a node of which some stay. */
static uint64_t trim_node(struct stream *s, const struct stream_trim *t, lp_t *node, struct stream_id node_id)
{
    struct stream_head h;
    struct stream_entry e;
    uint64_t removed = 0;
    before_change(s, node_id, node);
    stream_node_head(node, &h);
    for (const lp_t *at = h.first; at; at = stream_node_after(node, &e)) {
        stream_node_entry(node, &h, node_id, at, &e);
        if (t->by_id ? stream_id_cmp(e.id, t->min) >= 0 : s->size <= t->max_length) break;
        if (e.flags & STREAM_ENTRY_DELETED) continue;
        const size_t offset = (size_t)(at - node), bytes = lp_bytes(node);
        node = stream_node_delete(node, at);
        /* The counters of the head may have changed their width, and so moved all that is behind them. */
        at = node + (offset + lp_bytes(node) - bytes);
        stream_node_head(node, &h);
        stream_node_entry(node, &h, node_id, at, &e);
        s->size--;
        removed++;
    }
    if (h.live == 0) {
        /* All that is left are entries that were deleted by name. */
        put_node(s, node_id, node);
        drop_node(s, node_id);
        return removed;
    }
    put_node(s, node_id, node);
    return removed;
}

uint64_t stream_trim(struct stream *s, const struct stream_trim *t)
{
    struct stream_id id;
    struct stream_head h;
    uint64_t removed = 0;
    lp_t *node;
    while ((t->by_id || s->size > t->max_length) && (node = node_from(s, STREAM_ID_ZERO, &id))) {
        stream_node_head(node, &h);
        if (t->limit && removed + h.live > t->limit) break;
        if (!node_expendable(s, t, node, &h, id)) {
            if (!t->approximate) removed += trim_node(s, t, node, id);
            break;
        }
        before_change(s, id, node);
        s->size -= h.live;
        removed += h.live;
        drop_node(s, id);
    }
    if (removed) settle_first(s);
    return removed;
}

struct stream_id stream_first(const struct stream *s, bool deleted_too)
{
    struct stream_id id = STREAM_ID_ZERO;
    if (deleted_too) {
        struct stream_head h;
        struct stream_entry e;
        const lp_t *node = node_from(s, STREAM_ID_ZERO, &id);
        if (!node) return STREAM_ID_ZERO;
        stream_node_head(node, &h);
        stream_node_entry(node, &h, id, h.first, &e);
        return e.id;
    }
    struct stream_iter i;
    uint64_t fields;
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, false);
    return stream_iter_next(&i, &id, &fields) ? id : STREAM_ID_ZERO;
}

struct stream_id stream_last(const struct stream *s)
{
    struct stream_iter i;
    struct stream_id id;
    uint64_t fields;
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, true);
    return stream_iter_next(&i, &id, &fields) ? id : STREAM_ID_ZERO;
}

int64_t stream_position(const struct stream *s, struct stream_id id)
{
    const struct stream_marks *m = &s->marks;
    const int to_last = stream_id_cmp(id, m->last), to_first = stream_id_cmp(id, m->first);
    if (m->added == 0) return 0;
    if (s->size == 0 && to_last <= 0) return (int64_t)m->added;
    if (to_last == 0) return (int64_t)m->added;
    if (to_last > 0) return -1;
    if (!stream_id_is_zero(m->max_deleted) && stream_id_cmp(m->max_deleted, m->first) >= 0) return -1;
    if (to_first < 0) return (int64_t)(m->added - s->size);
    return to_first == 0 ? (int64_t)(m->added - s->size + 1) : -1;
}

bool stream_has_gaps(const struct stream *s, struct stream_id from)
{
    const struct stream_id deleted = s->marks.max_deleted;
    if (s->size == 0 || stream_id_is_zero(deleted)) return false;
    return stream_id_cmp(s->marks.first, deleted) <= 0 && stream_id_cmp(from, deleted) <= 0;
}

uint64_t stream_nodes(const struct stream *s) { return s->nodes.size; }
uint64_t stream_tree_nodes(const struct stream *s) { return radix_plain_nodes(&s->nodes); }

size_t stream_bytes(const struct stream *s, uint64_t samples)
{
    const uint64_t most = samples && samples < s->nodes.size ? samples : s->nodes.size;
    struct stream_id id, from = STREAM_ID_ZERO;
    size_t bytes = 0;
    uint64_t seen = 0;
    for (const lp_t *node; seen < most && (node = node_from(s, from, &id)); seen++) {
        bytes += mem_size(node);
        from = id;
        if (!stream_id_increment(&from)) break;
    }
    const double nodes = seen ? (double)bytes / (double)most * (double)s->nodes.size : 0;
    return mem_size(s) + radix_bytes(&s->nodes) + stream_groups_bytes(&s->groups) + (size_t)nodes;
}
