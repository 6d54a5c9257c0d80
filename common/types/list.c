#include "common/types/list.h"

#include <assert.h>

#include "common/listpack.h"
#include "common/mem.h"

/*     list: head -> [node] <-> [node] <-> [node] <- tail
 *                     |          |          |
 *                 listpack   one large   listpack
 *                             element
 *
 * No node is empty. A node that an insertion splits is joined with a neighbour again if both fit into one. */
struct node {
    struct node *prev, *next;
    unsigned char *data; /* a listpack, or the bytes of one element */
    uint64_t size;       /* elements of the listpack; or PLAIN and the bytes of the element */
};

#define PLAIN (UINT64_C(1) << 63)

struct list {
    struct node *head, *tail;
    uint64_t count; /* elements */
    uint64_t nodes;
};

/* A node with a limit in elements must not grow beyond this either. */
enum { SAFE_NODE_BYTES = 8192, ELEMENT_OVERHEAD = 8 };

static bool is_plain(const struct node *n) { return (n->size & PLAIN) != 0; }
static uint64_t node_count(const struct node *n) { return is_plain(n) ? 1 : n->size; }
static struct span plain_bytes(const struct node *n) { return span_of(n->data, (size_t)(n->size & ~PLAIN)); }

static size_t node_byte_limit(const struct encoding_limits *limits)
{
    static const size_t levels[] = {4096, 8192, 16384, 32768, 65536};
    const int64_t setting = limits->list_max_listpack_size;
    if (setting >= 0) return SAFE_NODE_BYTES;
    return levels[setting < -5 ? 4 : -setting - 1];
}

static uint64_t node_count_limit(const struct encoding_limits *limits)
{
    const int64_t setting = limits->list_max_listpack_size;
    return setting < 0 ? UINT64_MAX : setting == 0 ? 1 : (uint64_t)setting;
}

static bool is_large(struct span s, const struct encoding_limits *limits) { return s.n > node_byte_limit(limits); }

/* May a listpack of this size stand in one node? */
static bool node_may_be(size_t bytes, uint64_t count, const struct encoding_limits *limits)
{
    return bytes <= node_byte_limit(limits) && count <= node_count_limit(limits);
}

static bool node_takes(const struct node *n, struct span s, const struct encoding_limits *limits)
{
    return n && !is_plain(n) && !is_large(s, limits) &&
           node_may_be(lp_bytes(n->data) + s.n + ELEMENT_OVERHEAD, n->size + 1, limits);
}

/* Put a node that takes @data behind @after (NULL: at the head). Counts its elements. */
static struct node *link_node(struct list *l, struct node *after, unsigned char *data, uint64_t size)
{
    struct node *n = mem_alloc(sizeof *n);
    *n = (struct node){.prev = after, .next = after ? after->next : l->head, .data = data, .size = size};
    *(n->prev ? &n->prev->next : &l->head) = n;
    *(n->next ? &n->next->prev : &l->tail) = n;
    l->nodes++;
    l->count += node_count(n);
    return n;
}

static void unlink_node(struct list *l, struct node *n)
{
    *(n->prev ? &n->prev->next : &l->head) = n->next;
    *(n->next ? &n->next->prev : &l->tail) = n->prev;
    l->nodes--;
    l->count -= node_count(n);
    mem_free(n->data);
    mem_free(n);
}

/* A new node for one element, as large or small as it is. */
static void link_element(struct list *l, struct node *after, struct span s, const struct encoding_limits *limits)
{
    if (is_large(s, limits)) link_node(l, after, mem_dup(s.p, s.n), s.n | PLAIN);
    else link_node(l, after, lp_append(lp_new(), s), 1);
}

struct list *list_new(void) { return MEM_NEW(struct list); }

void list_free(struct list *l)
{
    if (!l) return;
    for (struct node *n = l->head, *next; n; n = next) {
        next = n->next;
        mem_free(n->data);
        mem_free(n);
    }
    mem_free(l);
}

struct list *list_dup(const struct list *l)
{
    struct list *copy = list_new();
    for (const struct node *n = l->head; n; n = n->next) {
        const struct span bytes = is_plain(n) ? plain_bytes(n) : span_of(n->data, lp_bytes(n->data));
        link_node(copy, copy->tail, mem_dup(bytes.p, bytes.n), n->size);
    }
    return copy;
}

uint64_t list_size(const struct list *l) { return l->count; }

/* The node of @index, counted from 0 or from -1 backwards, and the place in it: *at is the element in a listpack, the
 * data of a plain node. NULL if there is no such element. */
static struct node *seek(const struct list *l, int64_t index, const lp_t **at)
{
    uint64_t left = index < 0 ? (uint64_t) - (index + 1) : (uint64_t)index; /* elements to pass over */
    if (left >= l->count) return NULL;
    bool backwards = index < 0;
    if (left > l->count / 2) {
        left = l->count - 1 - left;
        backwards = !backwards;
    }
    struct node *n = backwards ? l->tail : l->head;
    for (; left >= node_count(n); n = backwards ? n->prev : n->next) left -= node_count(n);
    *at = is_plain(n) ? n->data : lp_seek(n->data, backwards ? -(int64_t)left - 1 : (int64_t)left);
    return n;
}

static struct span element_at(const struct node *n, const lp_t *at, char *scratch)
{
    return is_plain(n) ? plain_bytes(n) : lp_get(at, scratch);
}

/* Remove @n elements from @at on, all in this node; frees the node if nothing is left. *at moves to what follows, or
 * NULL at the node's end. */
static void remove_in_node(struct list *l, struct node *node, const lp_t **at, uint64_t n)
{
    if (n >= node_count(node)) {
        unlink_node(l, node);
        *at = NULL;
        return;
    }
    node->data = lp_delete(node->data, at, (size_t)n);
    node->size -= n;
    l->count -= n;
}

void list_push(struct list *l, enum list_end end, struct span element, const struct encoding_limits *limits)
{
    struct node *n = end == LIST_HEAD ? l->head : l->tail;
    if (!node_takes(n, element, limits)) {
        link_element(l, end == LIST_HEAD ? NULL : l->tail, element, limits);
        return;
    }
    n->data = end == LIST_HEAD ? lp_prepend(n->data, element) : lp_append(n->data, element);
    n->size++;
    l->count++;
}

bool list_pop(struct list *l, enum list_end end, struct buf *to)
{
    const lp_t *at;
    struct node *n = seek(l, end == LIST_HEAD ? 0 : -1, &at);
    if (!n) return false;
    char scratch[NUM_I64_MAX_TEXT];
    if (to) buf_add_span(to, element_at(n, at, scratch));
    remove_in_node(l, n, &at, 1);
    return true;
}

bool list_get(const struct list *l, int64_t index, struct span *element, char *scratch)
{
    const lp_t *at;
    const struct node *n = seek(l, index, &at);
    if (!n) return false;
    *element = element_at(n, at, scratch);
    return true;
}

/* Join @n with the node behind it if they fit into one. */
static void join_with_next(struct list *l, struct node *n, const struct encoding_limits *limits)
{
    struct node *next = n ? n->next : NULL;
    if (!next || is_plain(n) || is_plain(next)) return;
    const size_t bytes = lp_bytes(n->data) + lp_bytes(next->data) - LP_HEADER_BYTES - 1;
    if (!node_may_be(bytes, n->size + next->size, limits)) return;
    char scratch[NUM_I64_MAX_TEXT];
    for (const lp_t *at = lp_first(next->data); at; at = lp_next(next->data, at))
        n->data = lp_append(n->data, lp_get(at, scratch));
    n->size += next->size;
    l->count += next->size; /* unlink_node() takes them off */
    unlink_node(l, next);
}

/* Move what stands from @at on, which is not the first element, into a node of its own behind @n. */
static void split(struct list *l, struct node *n, const lp_t *at)
{
    lp_t *rest = lp_new();
    char scratch[NUM_I64_MAX_TEXT];
    uint64_t moved = 0;
    for (const lp_t *from = at; from; from = lp_next(n->data, from), moved++)
        rest = lp_append(rest, lp_get(from, scratch));
    remove_in_node(l, n, &at, moved);
    link_node(l, n, rest, moved);
}

/* Insert before the element @at of @n, or at the node's end if @at is NULL. */
static void insert_at(struct list *l, struct node *n, const lp_t *at, struct span s,
                      const struct encoding_limits *limits)
{
    const bool first = is_plain(n) ? at != NULL : at == lp_first(n->data);
    if (node_takes(n, s, limits)) {
        n->data = lp_insert(n->data, at, s, NULL);
        n->size++;
        l->count++;
    } else if (first && node_takes(n->prev, s, limits)) {
        n->prev->data = lp_append(n->prev->data, s);
        n->prev->size++;
        l->count++;
    } else if (!at && node_takes(n->next, s, limits)) {
        n->next->data = lp_prepend(n->next->data, s);
        n->next->size++;
        l->count++;
    } else if (first || !at) {
        link_element(l, first ? n->prev : n, s, limits);
    } else {
        split(l, n, at);
        struct node *rest = n->next;
        insert_at(l, n, NULL, s, limits); /* into one of the halves, or between them */
        join_with_next(l, rest, limits);
        join_with_next(l, n->prev, limits);
    }
}

bool list_set(struct list *l, int64_t index, struct span element, const struct encoding_limits *limits)
{
    const lp_t *at;
    struct node *n = seek(l, index, &at);
    if (!n) return false;
    const bool fits = !is_plain(n) && !is_large(element, limits) &&
                      node_may_be(lp_bytes(n->data) + element.n + ELEMENT_OVERHEAD, 0, limits);
    if (fits) {
        n->data = lp_replace(n->data, &at, element);
    } else if (node_count(n) == 1) {
        link_element(l, n, element, limits);
        unlink_node(l, n);
    } else {
        remove_in_node(l, n, &at, 1);
        insert_at(l, n, at, element, limits);
    }
    return true;
}

bool list_insert(struct list *l, struct span pivot, bool after, struct span element,
                 const struct encoding_limits *limits)
{
    for (struct node *n = l->head; n; n = n->next) {
        const lp_t *at = NULL;
        if (!is_plain(n)) at = lp_find(n->data, lp_first(n->data), pivot, 0);
        else if (span_eq(plain_bytes(n), pivot)) at = n->data;
        if (!at) continue;
        if (after) at = is_plain(n) ? NULL : lp_next(n->data, at);
        insert_at(l, n, at, element, limits);
        return true;
    }
    return false;
}

void list_remove_range(struct list *l, uint64_t from, uint64_t n)
{
    assert(from <= l->count);
    if (n > l->count - from) n = l->count - from;
    if (n == 0) return;
    const lp_t *at;
    struct node *node = seek(l, (int64_t)from, &at);
    uint64_t inside = 0; /* elements of the node before @at */
    if (!is_plain(node))
        for (const lp_t *p = lp_first(node->data); p != at; p = lp_next(node->data, p)) inside++;
    for (struct node *next; n > 0; node = next) {
        next = node->next;
        const uint64_t here = node_count(node) - inside < n ? node_count(node) - inside : n;
        if (inside == 0 && !is_plain(node)) at = lp_first(node->data);
        remove_in_node(l, node, &at, here);
        n -= here;
        inside = 0;
    }
}

/* Remove up to @most of the elements of one node that equal @s. */
static uint64_t remove_equal_forwards(struct list *l, struct node *n, struct span s, uint64_t most)
{
    uint64_t removed = 0;
    const lp_t *at = lp_find(n->data, lp_first(n->data), s, 0);
    while (at && removed < most) {
        removed++;
        const bool last = n->size == 1; /* the node goes with it */
        remove_in_node(l, n, &at, 1);
        if (last) break;
        at = lp_find(n->data, at, s, 0);
    }
    return removed;
}

static uint64_t remove_equal_backwards(struct list *l, struct node *n, struct span s, uint64_t most)
{
    uint64_t removed = 0;
    const lp_t *at = lp_last(n->data);
    while (at && removed < most) {
        const lp_t *before = lp_prev(n->data, at);
        if (lp_equal(at, s)) {
            const size_t offset = before ? (size_t)(before - n->data) : 0;
            removed++;
            remove_in_node(l, n, &at, 1);
            if (before) before = n->data + offset;
            /* With nothing before and nothing behind it the node is gone, and this was the end anyway. */
        }
        at = before;
    }
    return removed;
}

uint64_t list_remove_equal(struct list *l, struct span element, enum list_end end, uint64_t most)
{
    uint64_t removed = 0;
    if (most == 0) most = UINT64_MAX;
    for (struct node *n = end == LIST_HEAD ? l->head : l->tail, *next; n && removed < most; n = next) {
        next = end == LIST_HEAD ? n->next : n->prev;
        if (is_plain(n)) {
            if (!span_eq(plain_bytes(n), element)) continue;
            unlink_node(l, n);
            removed++;
        } else if (end == LIST_HEAD) {
            removed += remove_equal_forwards(l, n, element, most - removed);
        } else {
            removed += remove_equal_backwards(l, n, element, most - removed);
        }
    }
    return removed;
}

void list_iter_begin(struct list_iter *i, const struct list *l, int64_t index, bool backwards)
{
    *i = (struct list_iter){.list = l, .backwards = backwards};
    i->node = seek(l, index, &i->at);
}

bool list_iter_next(struct list_iter *i, struct span *element, char *scratch)
{
    const struct node *n = i->node;
    if (!n) return false;
    *element = element_at(n, i->at, scratch);
    if (is_plain(n)) i->at = NULL;
    else i->at = i->backwards ? lp_prev(n->data, i->at) : lp_next(n->data, i->at);
    if (i->at) return true;
    i->node = n = i->backwards ? n->prev : n->next;
    if (n) i->at = is_plain(n) ? n->data : i->backwards ? lp_last(n->data) : lp_first(n->data);
    return true;
}

const char *list_encoding(const struct list *l)
{
    return l->nodes > 1 || (l->head && is_plain(l->head)) ? "quicklist" : "listpack";
}

size_t list_bytes(const struct list *l)
{
    size_t bytes = mem_size(l);
    for (const struct node *n = l->head; n; n = n->next) bytes += mem_size(n) + mem_size(n->data);
    return bytes;
}

uint64_t list_nodes(const struct list *l) { return l->nodes; }

void list_each_node(const struct list *l, list_visit_node *visit, void *context)
{
    for (const struct node *n = l->head; n; n = n->next) {
        if (is_plain(n)) visit(context, plain_bytes(n), true);
        else visit(context, span_of(n->data, lp_bytes(n->data)), false);
    }
}

void list_append_listpack(struct list *l, void *listpack)
{
    const size_t count = lp_count(listpack);
    assert(count > 0);
    link_node(l, l->tail, listpack, count);
}

void list_append_plain(struct list *l, struct span element)
{
    link_node(l, l->tail, mem_dup(element.p, element.n), element.n | PLAIN);
}

void list_check(const struct list *l)
{
    uint64_t count = 0, nodes = 0;
    const struct node *prev = NULL;
    for (const struct node *n = l->head; n; prev = n, n = n->next) {
        assert(n->prev == prev);
        assert(is_plain(n) || lp_valid(n->data, lp_bytes(n->data)));
        assert(is_plain(n) || (n->size > 0 && n->size == lp_count(n->data)));
        count += node_count(n);
        nodes++;
    }
    assert(l->tail == prev);
    assert(l->count == count && l->nodes == nodes);
}
