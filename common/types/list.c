#include "common/types/list.h"

#include <assert.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "common/types/list_flat.h"

/*     list: head -> [node] <-> [node] <-> [node] <-> [node] <- tail
 *                     |          |          |          |
 *                 listpack   one large   listpack   strings of
 *                             element               one length
 *
 * No node is empty. A node that an insertion splits is joined with a neighbour again if both fit into one. A long list
 * to whose end strings of one length come one after the other keeps them in flat runs, which an insertion into their
 * middle turns into listpacks. */
struct node {
    struct node *prev, *next;
    unsigned char *data; /* a listpack, the bytes of one element, or a struct flat */
    uint64_t size; /* elements of the listpack; PLAIN and the bytes of the element; FLAT and the elements; a stamp */
};

#define PLAIN (UINT64_C(1) << 63)
#define FLAT  (UINT64_C(1) << 62)

struct list {
    struct node *head, *tail;
    uint64_t count; /* elements */
    uint64_t shape; /* number of nodes, stamp, MIXED; or WATCHED and the address of the watch, which has these */
};

/* Who watches a list must know of each node whether it was there at the beginning and is yet to be given. So every node
 * bears a stamp of 14 bits: the list's. A watch gives the list another, which the nodes get when they are given, kept
 * or made. If it ends before all have it, the stamps are mixed, and the next watch takes a higher one. */
#define COUNT_BITS 48
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define STAMP_MAX  UINT64_C(0x3fff)
#define STAMP_MASK (STAMP_MAX << COUNT_BITS)
#define MIXED      (UINT64_C(1) << 62)
#define WATCHED    (UINT64_C(1) << 63)

enum {
    SAFE_NODE_BYTES = 8192, /* a node with a limit in elements must not grow beyond this either */
    ELEMENT_OVERHEAD = 8,
    LONG_LIST = 8,        /* from so many nodes on a new one gets its room at once */
    FLAT_WIDTH_MAX = 512, /* beyond, two bytes an element are nothing */
};

static bool is_plain(const struct node *n) { return (n->size & PLAIN) != 0; }
static bool is_flat(const struct node *n) { return (n->size & (PLAIN | FLAT)) == FLAT; }
static bool is_pack(const struct node *n) { return (n->size & (PLAIN | FLAT)) == 0; }
static struct flat *flat_of(const struct node *n) { return (struct flat *)(void *)n->data; }
static uint64_t node_count(const struct node *n) { return is_plain(n) ? 1 : n->size & COUNT_MASK; }
static struct span plain_bytes(const struct node *n) { return span_of(n->data, (size_t)(n->size & COUNT_MASK)); }

/* --- The watch ------------------------------------------------------------------------------------------------- */

static struct list_watch *watch_of(const struct list *l)
{
    return l->shape & WATCHED ? (struct list_watch *)(uintptr_t)(l->shape & COUNT_MASK) : NULL;
}

static uint64_t *shape_of(struct list *l)
{
    struct list_watch *w = watch_of(l);
    return w ? &w->shape : &l->shape;
}

static uint64_t shape(const struct list *l)
{
    const struct list_watch *w = watch_of(l);
    return w ? w->shape : l->shape;
}

uint64_t list_nodes(const struct list *l) { return shape(l) & COUNT_MASK; }

/* Give the node the list's stamp; false if it has it. */
static bool stamp(struct node *n, uint64_t shape)
{
    if (((n->size ^ shape) & STAMP_MASK) == 0) return false;
    n->size = (n->size & ~STAMP_MASK) | (shape & STAMP_MASK);
    return true;
}

/* To be called before the elements of a node change. */
static void before_change(const struct list *l, struct node *n)
{
    struct list_watch *w = watch_of(l);
    if (w && stamp(n, w->shape)) w->keep(w, n);
}

struct watch *list_watched(const struct list *l)
{
    struct list_watch *w = watch_of(l);
    return w ? &w->watch : NULL;
}

void list_begin_watch(struct list *l, struct list_watch *w)
{
    assert(!watch_of(l));
    uint64_t next = (l->shape & STAMP_MASK) >> COUNT_BITS;
    if (l->shape & MIXED && next == STAMP_MAX) {
        next = 0;
        for (struct node *n = l->head; n; n = n->next) (void)stamp(n, 0);
    }
    next = l->shape & MIXED ? next + 1 : !next;
    w->shape = (l->shape & COUNT_MASK) | next << COUNT_BITS;
    l->shape = WATCHED | (uint64_t)(uintptr_t)w;
}

void list_end_watch(struct list *l, bool whole)
{
    assert(watch_of(l));
    l->shape = watch_of(l)->shape | (whole ? 0 : MIXED);
}

const void *list_first_node(const struct list *l) { return l->head; }
const void *list_next_node(const void *node) { return ((const struct node *)node)->next; }
bool list_take_node(const struct list *l, const void *node)
{
    return stamp((struct node *)(uintptr_t)node, shape(l));
}

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
    return n && is_pack(n) && !is_large(s, limits) &&
           node_may_be(lp_bytes(n->data) + s.n + ELEMENT_OVERHEAD, node_count(n) + 1, limits);
}

/* Put a node that takes @data behind @after (NULL: at the head). Counts its elements. */
static struct node *link_node(struct list *l, struct node *after, unsigned char *data, uint64_t size)
{
    struct node *n = mem_alloc(sizeof *n);
    *n = (struct node){.prev = after, .next = after ? after->next : l->head, .data = data, .size = size};
    (void)stamp(n, shape(l));
    *(n->prev ? &n->prev->next : &l->head) = n;
    *(n->next ? &n->next->prev : &l->tail) = n;
    ++*shape_of(l);
    l->count += node_count(n);
    return n;
}

static void unlink_node(struct list *l, struct node *n)
{
    struct list_watch *w = watch_of(l);
    before_change(l, n);
    if (w) w->gone(w, n, n->next);
    *(n->prev ? &n->prev->next : &l->head) = n->next;
    *(n->next ? &n->next->prev : &l->tail) = n->prev;
    --*shape_of(l);
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
    assert(!watch_of(l));
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
        unsigned char *data;
        if (is_flat(n)) data = (unsigned char *)flat_dup(flat_of(n));
        else data = is_plain(n) ? mem_dup(n->data, plain_bytes(n).n) : lp_dup(n->data);
        link_node(copy, copy->tail, data, n->size);
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
    if (is_plain(n)) *at = n->data;
    else if (is_pack(n)) *at = lp_seek(n->data, backwards ? -(int64_t)left - 1 : (int64_t)left);
    else *at = flat_at(flat_of(n), backwards ? flat_count(flat_of(n)) - 1 - left : left);
    return n;
}

/* --- Elements of a node of any form ---------------------------------------------------------------------------- */

static struct span element_at(const struct node *n, const lp_t *at, char *scratch)
{
    if (is_pack(n)) return lp_get(at, scratch);
    return is_plain(n) ? plain_bytes(n) : flat_get(flat_of(n), at);
}

static const lp_t *first_of(const struct node *n)
{
    if (is_pack(n)) return lp_first(n->data);
    return is_plain(n) ? n->data : flat_at(flat_of(n), 0);
}

static const lp_t *last_of(const struct node *n)
{
    if (is_pack(n)) return lp_last(n->data);
    return is_plain(n) ? n->data : flat_at(flat_of(n), flat_count(flat_of(n)) - 1);
}

static const lp_t *after(const struct node *n, const lp_t *at)
{
    if (is_pack(n)) return lp_next(n->data, at);
    return is_plain(n) ? NULL : flat_next(flat_of(n), at);
}

static const lp_t *before(const struct node *n, const lp_t *at)
{
    if (is_pack(n)) return lp_prev(n->data, at);
    return is_plain(n) ? NULL : flat_prev(flat_of(n), at);
}

/* The first element at or behind @from (NULL: none) that equals @s. */
static const lp_t *find_in(const struct node *n, const lp_t *from, struct span s)
{
    if (is_pack(n)) return lp_find(n->data, from, s, 0);
    if (is_flat(n)) return flat_find(flat_of(n), from, s);
    return from && span_eq(plain_bytes(n), s) ? from : NULL;
}

static bool equals(const struct node *n, const lp_t *at, struct span s)
{
    if (is_pack(n)) return lp_equal(at, s);
    return span_eq(is_plain(n) ? plain_bytes(n) : flat_get(flat_of(n), at), s);
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
    before_change(l, node);
    if (is_flat(node)) flat_delete(flat_of(node), at, (size_t)n);
    else node->data = lp_delete(node->data, at, (size_t)n);
    node->size -= n;
    l->count -= n;
}

/* --- Flat runs at the ends ------------------------------------------------------------------------------------- */

/* Turn a flat node into a listpack; *at (which may be NULL) goes on naming its element. */
static void unflatten(struct node *n, const lp_t **at)
{
    struct flat *f = flat_of(n);
    const size_t index = *at ? (size_t)(*at - flat_at(f, 0)) / f->width : 0;
    n->data = flat_to_listpack(f);
    n->size &= ~FLAT;
    mem_free(f);
    if (*at) *at = lp_seek(n->data, (int64_t)index);
}

/* Is an end with node @n about to grow by strings of @s's length? */
static bool goes_on_flat(const struct list *l, const struct node *n, struct span s)
{
    int64_t v;
    if (list_nodes(l) < LONG_LIST || s.n == 0 || s.n > FLAT_WIDTH_MAX || is_plain(n)) return false;
    if (is_flat(n)) return flat_of(n)->width == s.n;
    const lp_t *first = lp_first(n->data), *last = lp_last(n->data);
    char scratch[NUM_I64_MAX_TEXT];
    return !lp_get_int(first, &v) && !lp_get_int(last, &v) && lp_get(first, scratch).n == s.n &&
           lp_get(last, scratch).n == s.n && !(s.n <= NUM_I64_MAX_TEXT && num_parse_i64(s, &v));
}

/* What was an end is to be followed by another node: it gives back the room that it has left. */
static void close_end(struct node *n)
{
    if (is_flat(n)) n->data = (unsigned char *)flat_trim(flat_of(n));
    else if (is_pack(n) && lp_bytes(n->data) < mem_size(n->data) / 8 * 7)
        n->data = mem_realloc(n->data, lp_bytes(n->data));
}

static void push_new_node(struct list *l, enum list_end end, struct span s, const struct encoding_limits *limits)
{
    struct node *old = end == LIST_HEAD ? l->head : l->tail, *behind = end == LIST_HEAD ? NULL : l->tail;
    if (!old || !goes_on_flat(l, old, s)) {
        if (old) close_end(old);
        link_element(l, behind, s, limits);
        return;
    }
    const uint64_t fit = (node_byte_limit(limits) - sizeof(struct flat)) / s.n, most = node_count_limit(limits);
    struct flat *f = flat_new(sizeof *f + (fit < most ? fit : most) * s.n, s.n);
    const bool pushed = flat_push(f, end == LIST_HEAD, s);
    assert(pushed);
    close_end(old);
    link_node(l, behind, (unsigned char *)f, FLAT | 1);
}

/* Push to a flat end; false if that needs another node. */
static bool push_flat(struct list *l, struct node *n, enum list_end end, struct span s)
{
    const struct flat *f = flat_of(n);
    before_change(l, n);
    if (flat_push(flat_of(n), end == LIST_HEAD, s)) {
        n->size++;
        l->count++;
        return true;
    }
    /* A run that was just begun, or is nearly used up, is no reason for a small node beside it. */
    const lp_t *none = NULL;
    if (s.n != f->width && f->end - f->begin < f->room / 2) unflatten(n, &none);
    return false;
}

void list_push(struct list *l, enum list_end end, struct span element, const struct encoding_limits *limits)
{
    struct node *n = end == LIST_HEAD ? l->head : l->tail;
    if (n && is_flat(n) && push_flat(l, n, end, element)) return;
    if (!node_takes(n, element, limits)) {
        push_new_node(l, end, element, limits);
        return;
    }
    before_change(l, n);
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
    if (!next || !is_pack(n) || !is_pack(next)) return;
    const size_t bytes = lp_bytes(n->data) + lp_bytes(next->data) - LP_HEADER_BYTES - 1;
    const uint64_t moved = node_count(next);
    if (!node_may_be(bytes, node_count(n) + moved, limits)) return;
    before_change(l, n);
    char scratch[NUM_I64_MAX_TEXT];
    for (const lp_t *at = lp_first(next->data); at; at = lp_next(next->data, at))
        n->data = lp_append(n->data, lp_get(at, scratch));
    n->size += moved;
    l->count += moved; /* unlink_node() takes them off */
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
    if (is_flat(n)) unflatten(n, &at);
    const bool first = is_plain(n) ? at != NULL : at == lp_first(n->data);
    if (node_takes(n, s, limits)) {
        before_change(l, n);
        n->data = lp_insert(n->data, at, s, NULL);
        n->size++;
        l->count++;
    } else if (first && node_takes(n->prev, s, limits)) {
        before_change(l, n->prev);
        n->prev->data = lp_append(n->prev->data, s);
        n->prev->size++;
        l->count++;
    } else if (!at && node_takes(n->next, s, limits)) {
        before_change(l, n->next);
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
    if (is_flat(n)) {
        before_change(l, n);
        if (flat_set(flat_of(n), at, element)) return true;
        unflatten(n, &at);
    }
    const bool fits = !is_plain(n) && !is_large(element, limits) &&
                      node_may_be(lp_bytes(n->data) + element.n + ELEMENT_OVERHEAD, 0, limits);
    if (fits) {
        before_change(l, n);
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

bool list_insert(struct list *l, struct span pivot, bool behind, struct span element,
                 const struct encoding_limits *limits)
{
    for (struct node *n = l->head; n; n = n->next) {
        const lp_t *at = find_in(n, first_of(n), pivot);
        if (!at) continue;
        if (behind) at = after(n, at);
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
    for (const lp_t *p = first_of(node); p != at; p = after(node, p)) inside++;
    for (struct node *next; n > 0; node = next) {
        next = node->next;
        const uint64_t here = node_count(node) - inside < n ? node_count(node) - inside : n;
        if (inside == 0) at = first_of(node);
        remove_in_node(l, node, &at, here);
        n -= here;
        inside = 0;
    }
}

/* Remove up to @most of the elements of one node that equal @s. */
static uint64_t remove_equal_forwards(struct list *l, struct node *n, struct span s, uint64_t most)
{
    uint64_t removed = 0;
    const lp_t *at = find_in(n, first_of(n), s);
    while (at && removed < most) {
        removed++;
        const bool last = node_count(n) == 1; /* the node goes with it */
        remove_in_node(l, n, &at, 1);
        if (last) break;
        at = find_in(n, at, s);
    }
    return removed;
}

static uint64_t remove_equal_backwards(struct list *l, struct node *n, struct span s, uint64_t most)
{
    uint64_t removed = 0;
    const lp_t *at = last_of(n);
    while (at && removed < most) {
        const lp_t *prev = before(n, at);
        if (equals(n, at, s)) {
            const size_t offset = prev ? (size_t)(prev - n->data) : 0;
            removed++;
            remove_in_node(l, n, &at, 1);
            if (prev) prev = n->data + offset;
            /* With nothing before and nothing behind it the node is gone, and this was the end anyway. */
        }
        at = prev;
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
    i->at = i->backwards ? before(n, i->at) : after(n, i->at);
    if (i->at) return true;
    i->node = n = i->backwards ? n->prev : n->next;
    if (n) i->at = i->backwards ? last_of(n) : first_of(n);
    return true;
}

const char *list_encoding(const struct list *l)
{
    return list_nodes(l) > 1 || (l->head && is_plain(l->head)) ? "quicklist" : "listpack";
}

size_t list_bytes(const struct list *l, uint64_t samples)
{
    /* Nodes from both ends on, by turns: what is alike lies together. */
    const struct node *head = l->head, *tail = l->tail;
    const uint64_t most = samples && samples < list_nodes(l) ? samples : list_nodes(l);
    size_t bytes = 0;
    for (uint64_t i = 0; i < most; i++) {
        const struct node *n = i % 2 ? tail : head;
        bytes += mem_size(n) + mem_size(n->data);
        if (i % 2) tail = tail->prev;
        else head = head->next;
    }
    return mem_size(l) + (most ? (size_t)((double)bytes / (double)most * (double)list_nodes(l)) : 0);
}

void list_show_node(const void *node, list_visit_node *visit, void *context)
{
    const struct node *n = node;
    lp_t *packed = is_flat(n) ? flat_to_listpack(flat_of(n)) : NULL;
    const lp_t *lp = packed ? packed : n->data;
    if (is_plain(n)) visit(context, plain_bytes(n), true);
    else visit(context, span_of(lp, lp_bytes(lp)), false);
    lp_free(packed);
}

void list_each_node(const struct list *l, list_visit_node *visit, void *context)
{
    for (const struct node *n = l->head; n; n = n->next) list_show_node(n, visit, context);
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
        assert(!is_pack(n) || (lp_valid(n->data, lp_bytes(n->data)) && node_count(n) == lp_count(n->data)));
        assert(node_count(n) > 0 && (shape(l) & MIXED || watch_of(l) || ((n->size ^ l->shape) & STAMP_MASK) == 0));
        if (is_flat(n)) flat_check(flat_of(n));
        assert(!is_flat(n) || flat_count(flat_of(n)) == node_count(n));
        count += node_count(n);
        nodes++;
    }
    assert(l->tail == prev);
    assert(l->count == count && list_nodes(l) == nodes);
}
