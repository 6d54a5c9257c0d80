#include "common/types/stream_groups.h"

#include <assert.h>

#include "common/mem.h"

/* Arrays of pointers sorted by name. */

static struct span group_name(const void *item) { return ((const struct stream_group *)item)->name; }
static struct span consumer_name(const void *item) { return ((const struct stream_consumer *)item)->name; }

/* Index of the first item whose name is not below @name; *there: it is that name. */
static size_t place(void *const *items, size_t count, struct span (*name_of)(const void *), struct span name,
                    bool *there)
{
    size_t low = 0, high = count;
    *there = false;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        const int order = span_cmp(name_of(items[mid]), name);
        if (order < 0) low = mid + 1;
        else high = mid;
        if (order == 0) *there = true;
    }
    return low;
}

static void *insert_at(void *items, size_t *count, size_t at, void *item)
{
    void **list = mem_realloc(items, (*count + 1) * sizeof *list);
    memmove(list + at + 1, list + at, (*count - at) * sizeof *list);
    list[at] = item;
    ++*count;
    return list;
}

static void remove_at(void **list, size_t *count, size_t at)
{
    --*count;
    memmove(list + at, list + at + 1, (*count - at) * sizeof *list);
}

/* @size bytes of a zeroed struct with @name behind it. */
static void *named_new(size_t size, struct span name, struct span *stored)
{
    char *p = mem_zalloc(1, size + name.n);
    if (name.n) memcpy(p + size, name.p, name.n);
    *stored = span_of(p + size, name.n);
    return p;
}

static void free_pending(void *pending) { mem_free(pending); }

static void consumer_free(struct stream_consumer *c)
{
    radix_clear(&c->pending, NULL);
    mem_free(c);
}

void stream_group_free(struct stream_group *g)
{
    assert(!g->watch);
    for (size_t i = 0; i < g->consumer_count; i++) consumer_free(g->consumers[i]);
    mem_free(g->consumers);
    radix_clear(&g->pending, free_pending);
    mem_free(g);
}

void stream_groups_clear(struct stream_groups *g)
{
    for (size_t i = 0; i < g->count; i++) stream_group_free(g->list[i]);
    mem_free(g->list);
    *g = (struct stream_groups){0};
}

struct stream_group *stream_groups_find(const struct stream_groups *g, struct span name)
{
    bool there;
    const size_t at = place((void *const *)g->list, g->count, group_name, name, &there);
    return there ? g->list[at] : NULL;
}

struct stream_group *stream_groups_add(struct stream_groups *g, struct span name, struct stream_id last, int64_t read)
{
    bool there;
    const size_t at = place((void *const *)g->list, g->count, group_name, name, &there);
    if (there) return NULL;
    struct span stored;
    struct stream_group *group = named_new(sizeof *group, name, &stored);
    group->name = stored;
    group->last = last;
    group->read = read;
    g->list = insert_at(g->list, &g->count, at, group);
    return group;
}

bool stream_groups_remove(struct stream_groups *g, struct span name)
{
    bool there;
    const size_t at = place((void *const *)g->list, g->count, group_name, name, &there);
    if (!there) return false;
    struct stream_group *group = g->list[at];
    if (group->watch) group->watch->left = true;
    else stream_group_free(group);
    remove_at((void **)g->list, &g->count, at);
    return true;
}

struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct span name)
{
    bool there;
    const size_t at = place((void *const *)g->consumers, g->consumer_count, consumer_name, name, &there);
    return there ? g->consumers[at] : NULL;
}

struct stream_consumer *stream_consumer_add(struct stream_group *g, struct span name, int64_t seen_ms)
{
    bool there;
    const size_t at = place((void *const *)g->consumers, g->consumer_count, consumer_name, name, &there);
    if (there) return NULL;
    struct span stored;
    struct stream_consumer *c = named_new(sizeof *c, name, &stored);
    c->name = stored;
    c->seen_ms = seen_ms;
    g->consumers = insert_at(g->consumers, &g->consumer_count, at, c);
    return c;
}

uint64_t stream_consumer_remove(struct stream_group *g, struct stream_consumer *c)
{
    const uint64_t pending = c->pending.size;
    struct stream_id id = STREAM_ID_ZERO;
    while (stream_pending_from(&c->pending, &id)) {
        struct stream_pending *p = radix_take(&g->pending, stream_id_key(id));
        stream_pending_before_change(g, id, p);
        mem_free(p);
        if (!stream_id_increment(&id)) break;
    }
    bool there;
    const size_t at = place((void *const *)g->consumers, g->consumer_count, consumer_name, c->name, &there);
    assert(there);
    remove_at((void **)g->consumers, &g->consumer_count, at);
    consumer_free(c);
    return pending;
}

void stream_pending_before_change(const struct stream_group *g, struct stream_id id, const struct stream_pending *p)
{
    if (g->watch) g->watch->before(g->watch, id, p);
}

struct stream_pending *stream_pending_find(const struct stream_group *g, struct stream_id id)
{
    return radix_find(&g->pending, stream_id_key(id));
}

struct stream_pending *stream_pending_assign(struct stream_group *g, struct stream_id id, struct stream_consumer *c)
{
    const struct radix_key key = stream_id_key(id);
    struct stream_pending *p = radix_find(&g->pending, key);
    stream_pending_before_change(g, id, p);
    if (!p) {
        p = MEM_NEW(struct stream_pending);
        (void)radix_put(&g->pending, key, p);
    } else if (p->consumer != c) {
        (void)radix_take(&p->consumer->pending, key);
    }
    if (p->consumer != c) (void)radix_put(&c->pending, key, p);
    p->consumer = c;
    return p;
}

bool stream_pending_remove(struct stream_group *g, struct stream_id id)
{
    struct stream_pending *p = radix_take(&g->pending, stream_id_key(id));
    if (!p) return false;
    stream_pending_before_change(g, id, p);
    (void)radix_take(&p->consumer->pending, stream_id_key(id));
    mem_free(p);
    return true;
}

struct stream_pending *stream_pending_from(const struct radix *pending, struct stream_id *id)
{
    struct radix_key found;
    struct stream_pending *p = radix_at_or_after(pending, stream_id_key(*id), &found);
    if (p) *id = stream_id_of_key(found);
    return p;
}

static void group_dup(struct stream_group *to, const struct stream_group *from)
{
    for (size_t i = 0; i < from->consumer_count; i++) {
        const struct stream_consumer *c = from->consumers[i];
        struct stream_consumer *copy = stream_consumer_add(to, c->name, c->seen_ms);
        struct stream_id id = STREAM_ID_ZERO;
        const struct stream_pending *p;
        while ((p = stream_pending_from(&c->pending, &id))) {
            struct stream_pending *mine = stream_pending_assign(to, id, copy);
            mine->delivered_ms = p->delivered_ms;
            mine->deliveries = p->deliveries;
            if (!stream_id_increment(&id)) break;
        }
    }
}

void stream_groups_dup(struct stream_groups *to, const struct stream_groups *from)
{
    assert(to->count == 0);
    for (size_t i = 0; i < from->count; i++) {
        const struct stream_group *g = from->list[i];
        group_dup(stream_groups_add(to, g->name, g->last, g->read), g);
    }
}

static size_t group_bytes(const struct stream_group *g)
{
    struct radix_key at;
    size_t bytes = mem_size(g) + mem_size(g->consumers) + radix_bytes(&g->pending);
    const void *first = radix_at_or_after(&g->pending, (struct radix_key){0, 0}, &at);
    bytes += g->pending.size * mem_size(first);
    for (size_t i = 0; i < g->consumer_count; i++)
        bytes += mem_size(g->consumers[i]) + radix_bytes(&g->consumers[i]->pending);
    return bytes;
}

size_t stream_groups_bytes(const struct stream_groups *g)
{
    size_t bytes = mem_size(g->list);
    for (size_t i = 0; i < g->count; i++) bytes += group_bytes(g->list[i]);
    return bytes;
}

static void check_group(const struct stream_group *g)
{
    uint64_t pending = 0;
    radix_check(&g->pending);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct stream_consumer *c = g->consumers[i];
        assert(i == 0 || span_cmp(g->consumers[i - 1]->name, c->name) < 0);
        radix_check(&c->pending);
        pending += c->pending.size;
        struct stream_id id = STREAM_ID_ZERO;
        const struct stream_pending *p;
        while ((p = stream_pending_from(&c->pending, &id))) {
            assert(p->consumer == c && stream_pending_find(g, id) == p && p->deliveries <= INT64_MAX);
            if (!stream_id_increment(&id)) break;
        }
    }
    assert(pending == g->pending.size);
    assert(g->read >= STREAM_READ_UNKNOWN);
}

void stream_groups_check(const struct stream_groups *g)
{
    for (size_t i = 0; i < g->count; i++) {
        assert(i == 0 || span_cmp(g->list[i - 1]->name, g->list[i]->name) < 0);
        check_group(g->list[i]);
    }
}
