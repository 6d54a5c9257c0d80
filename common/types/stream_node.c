#include "common/types/stream_node.h"

#include <assert.h>

static int64_t int_at(const lp_t *at)
{
    int64_t v = 0;
    const bool is_int = lp_get_int(at, &v);
    assert(is_int);
    return v;
}

static const lp_t *skip(const lp_t *node, const lp_t *at, uint64_t n)
{
    while (at && n--) at = lp_next(node, at);
    return at;
}

void stream_node_head(const lp_t *node, struct stream_head *h)
{
    h->live_at = lp_first(node);
    h->deleted_at = lp_next(node, h->live_at);
    const lp_t *fields = lp_next(node, h->deleted_at);
    h->live = (uint64_t)int_at(h->live_at);
    h->deleted = (uint64_t)int_at(h->deleted_at);
    h->fields = (uint64_t)int_at(fields);
    h->fields_at = lp_next(node, fields);
    h->first = lp_next(node, skip(node, h->fields_at, h->fields));
}

void stream_node_entry(const lp_t *node, const struct stream_head *h, struct stream_id node_id, const lp_t *at,
                       struct stream_entry *e)
{
    e->at = at;
    e->flags = (unsigned)int_at(at);
    at = lp_next(node, at);
    e->id.ms = node_id.ms + (uint64_t)int_at(at);
    at = lp_next(node, at);
    e->id.seq = node_id.seq + (uint64_t)int_at(at);
    at = lp_next(node, at);
    e->fields = h->fields;
    if (!(e->flags & STREAM_ENTRY_SAME_FIELDS)) {
        e->fields = (uint64_t)int_at(at);
        at = lp_next(node, at);
    }
    e->values = at;
}

const lp_t *stream_node_after(const lp_t *node, const struct stream_entry *e)
{
    const uint64_t elements = e->flags & STREAM_ENTRY_SAME_FIELDS ? e->fields : 2 * e->fields;
    return lp_next(node, skip(node, e->values, elements));
}

/* The entry whose last element, the number of those before it, is at @at. */
static const lp_t *begin_of(const lp_t *node, const lp_t *at)
{
    int64_t n = int_at(at);
    if (n == 0) return NULL;
    while (n-- > 0) at = lp_prev(node, at);
    return at;
}

const lp_t *stream_node_before(const lp_t *node, const lp_t *at) { return begin_of(node, lp_prev(node, at)); }
const lp_t *stream_node_last(const lp_t *node) { return begin_of(node, lp_last(node)); }

lp_t *stream_node_new(const struct span *pairs, size_t count)
{
    lp_t *node = lp_append_int(lp_append_int(lp_new(), 0), 0);
    node = lp_append_int(node, (int64_t)count);
    for (size_t i = 0; i < count; i++) node = lp_append(node, pairs[2 * i]);
    return lp_append_int(node, 0);
}

static bool same_fields(const lp_t *node, const struct stream_head *h, const struct span *pairs, size_t count)
{
    if (h->fields != count) return false;
    const lp_t *at = h->fields_at;
    for (size_t i = 0; i < count; i++, at = lp_next(node, at))
        if (!lp_equal(at, pairs[2 * i])) return false;
    return true;
}

lp_t *stream_node_append(lp_t *node, struct stream_id node_id, struct stream_id id, const struct span *pairs,
                         size_t count)
{
    enum { FIXED_ELEMENTS = 3 }; /* flags and the two parts of the ID */
    struct stream_head h;
    stream_node_head(node, &h);
    const bool same = same_fields(node, &h, pairs, count);
    node = lp_replace_int(node, &h.live_at, (int64_t)h.live + 1);
    node = lp_append_int(node, same ? STREAM_ENTRY_SAME_FIELDS : 0);
    node = lp_append_int(node, (int64_t)(id.ms - node_id.ms));
    node = lp_append_int(node, (int64_t)(id.seq - node_id.seq));
    if (!same) node = lp_append_int(node, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        if (!same) node = lp_append(node, pairs[2 * i]);
        node = lp_append(node, pairs[2 * i + 1]);
    }
    return lp_append_int(node, (int64_t)(FIXED_ELEMENTS + (same ? count : 2 * count + 1)));
}

lp_t *stream_node_delete(lp_t *node, const lp_t *at)
{
    struct stream_head h;
    node = lp_replace_int(node, &at, int_at(at) | STREAM_ENTRY_DELETED);
    stream_node_head(node, &h);
    node = lp_replace_int(node, &h.live_at, (int64_t)h.live - 1);
    stream_node_head(node, &h);
    return lp_replace_int(node, &h.deleted_at, (int64_t)h.deleted + 1);
}

/* Take an integer of @min or more; false if there is none. */
static bool take(const lp_t *node, const lp_t **at, int64_t min, int64_t *v)
{
    if (!*at || !lp_get_int(*at, v) || *v < min) return false;
    *at = lp_next(node, *at);
    return true;
}

static bool take_strings(const lp_t *node, const lp_t **at, int64_t n)
{
    for (; n > 0 && *at; n--) *at = lp_next(node, *at);
    return n == 0;
}

static bool entry_valid(const lp_t *node, const lp_t **at, int64_t head_fields, struct stream_id node_id,
                        int64_t *flags, struct stream_id *id)
{
    const int64_t most = (int64_t)lp_bytes(node);
    int64_t ms, seq, fields = head_fields, elements;
    if (!take(node, at, 0, flags) || *flags > (STREAM_ENTRY_DELETED | STREAM_ENTRY_SAME_FIELDS)) return false;
    /* Differences of unsigned numbers, modulo 2^64. */
    if (!take(node, at, INT64_MIN, &ms) || !take(node, at, INT64_MIN, &seq)) return false;
    const bool same = *flags & STREAM_ENTRY_SAME_FIELDS;
    if (!same && (!take(node, at, 0, &fields) || fields > most)) return false;
    if (!take_strings(node, at, same ? fields : 2 * fields) || !take(node, at, 1, &elements)) return false;
    *id = (struct stream_id){node_id.ms + (uint64_t)ms, node_id.seq + (uint64_t)seq};
    return elements == 3 + (same ? fields : 2 * fields + 1) && id->ms >= node_id.ms;
}

bool stream_node_valid(const lp_t *node, struct stream_id node_id, struct stream_id *last)
{
    const lp_t *at = lp_first(node);
    int64_t live, deleted, fields, end, flags;
    if (!take(node, &at, 1, &live) || !take(node, &at, 0, &deleted) || !take(node, &at, 0, &fields)) return false;
    if (fields > (int64_t)lp_bytes(node) || !take_strings(node, &at, fields)) return false;
    if (!take(node, &at, 0, &end) || end != 0) return false;
    for (bool first = true; at; first = false) {
        struct stream_id id;
        if (!entry_valid(node, &at, fields, node_id, &flags, &id)) return false;
        if (first ? stream_id_cmp(id, node_id) < 0 : stream_id_cmp(id, *last) <= 0) return false;
        *last = id;
        if (flags & STREAM_ENTRY_DELETED) deleted--;
        else live--;
    }
    return live == 0 && deleted == 0;
}
