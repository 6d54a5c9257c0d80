/* Walking over the entries of a stream, and checking it. */
#include <assert.h>

#include "common/types/stream.h"

/* Enter the node at or behind @from, or at or before it; false if there is none. */
static bool enter(struct stream_iter *i, struct stream_id from)
{
    i->node = stream_node_near(i->stream, from, i->backwards, &i->node_id);
    if (!i->node) return false;
    stream_node_head(i->node, &i->head);
    i->at = i->backwards ? stream_node_last(i->node) : i->head.first;
    return true;
}

void stream_iter_begin(struct stream_iter *i, const struct stream *s, struct stream_id start, struct stream_id end,
                       bool backwards)
{
    *i = (struct stream_iter){.stream = s, .start = start, .end = end, .backwards = backwards};
    if (stream_id_cmp(start, end) > 0) return;
    if (backwards) {
        (void)enter(i, end);
        return;
    }
    /* The range may begin inside the node before. */
    i->backwards = true;
    const bool inside = enter(i, start);
    i->backwards = false;
    if (inside) i->at = i->head.first;
    else (void)enter(i, start);
}

/* The entry at i->at, and step on. */
static void take_entry(struct stream_iter *i)
{
    stream_node_entry(i->node, &i->head, i->node_id, i->at, &i->entry);
    i->at = i->backwards ? stream_node_before(i->node, i->at) : stream_node_after(i->node, &i->entry);
}

static bool next_node(struct stream_iter *i)
{
    struct stream_id from = i->node_id;
    return (i->backwards ? stream_id_decrement(&from) : stream_id_increment(&from)) && enter(i, from);
}

bool stream_iter_next(struct stream_iter *i, struct stream_id *id, uint64_t *fields)
{
    while (i->node) {
        if (!i->at) {
            if (!next_node(i)) i->node = NULL;
            continue;
        }
        take_entry(i);
        const bool below = stream_id_cmp(i->entry.id, i->start)<0, above = stream_id_cmp(i->entry.id, i->end)> 0;
        if (i->backwards ? below : above) {
            i->node = NULL;
            break;
        }
        if (below || above || i->entry.flags & STREAM_ENTRY_DELETED) continue;
        *id = i->entry.id;
        *fields = i->fields_left = i->entry.fields;
        i->field = i->entry.flags & STREAM_ENTRY_SAME_FIELDS ? i->head.fields_at : NULL;
        i->value = i->entry.values;
        return true;
    }
    return false;
}

bool stream_iter_field(struct stream_iter *i, struct span *field, struct span *value, char *scratch, char *scratch2)
{
    if (i->fields_left == 0) return false;
    i->fields_left--;
    if (i->field) {
        *field = lp_get(i->field, scratch);
        i->field = lp_next(i->node, i->field);
    } else {
        *field = lp_get(i->value, scratch);
        i->value = lp_next(i->node, i->value);
    }
    *value = lp_get(i->value, scratch2);
    i->value = lp_next(i->node, i->value);
    return true;
}

struct checked {
    uint64_t live;
    struct stream_id last;
    bool any;
};

static void check_node(void *context, struct stream_id id, struct span listpack)
{
    struct checked *c = context;
    const lp_t *node = (const lp_t *)listpack.p;
    struct stream_head h;
    struct stream_id last;
    assert(lp_valid(node, listpack.n));
    const bool valid = stream_node_valid(node, id, &last);
    assert(valid);
    assert(!c->any || stream_id_cmp(c->last, id) < 0);
    stream_node_head(node, &h);
    assert(h.live > 0);
    c->live += h.live;
    c->last = last;
    c->any = true;
}

void stream_check(const struct stream *s)
{
    struct checked c = {0};
    stream_each_node(s, check_node, &c);
    assert(c.live == stream_size(s));
    const struct stream_marks *m = stream_marks(s);
    assert(stream_id_cmp(m->first, stream_first(s, false)) == 0);
    assert(stream_id_cmp(stream_last(s), m->last) <= 0);
    assert(m->added >= stream_size(s) && m->added <= INT64_MAX);
    stream_groups_check(stream_groups_of(s));
}
