#include "common/radix.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "common/mem.h"

enum { KEY_BYTES = 16, MAX_SHARED = KEY_BYTES - 1, MAX_CHILDREN = 256 };

/* One allocation: the head, `room` pointers, `room` bytes. A node at depth d branches at byte d + shared; where that is the
 * last one, the children are values. Nodes above have at least two children, those of values at least one. */
struct radix_node {
    uint16_t count, room;
    uint8_t shared_bytes;
    uint8_t shared[MAX_SHARED];
    void *child[];
};

static uint8_t *labels(const struct radix_node *n) { return (uint8_t *)(n->child + n->room); }

static bool has_values(const struct radix_node *n, unsigned depth)
{
    return depth + n->shared_bytes == KEY_BYTES - 1;
}

static void key_to_bytes(struct radix_key key, uint8_t *to)
{
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (uint8_t)(key.hi >> (56 - 8 * i));
        to[8 + i] = (uint8_t)(key.lo >> (56 - 8 * i));
    }
}

static struct radix_key key_of_bytes(const uint8_t *p)
{
    struct radix_key key = {0, 0};
    for (unsigned i = 0; i < 8; i++) {
        key.hi = key.hi << 8 | p[i];
        key.lo = key.lo << 8 | p[8 + i];
    }
    return key;
}

static size_t node_bytes(unsigned room) { return sizeof(struct radix_node) + room * (sizeof(void *) + 1); }

static struct radix_node *node_new(const uint8_t *shared, unsigned n, unsigned room)
{
    struct radix_node *node = mem_alloc(node_bytes(room));
    node->count = 0;
    node->room = (uint16_t)room;
    node->shared_bytes = (uint8_t)n;
    if (n) memcpy(node->shared, shared, n);
    return node;
}

/* Change the room; the labels stand behind the pointers and move with it. */
static struct radix_node *resize(struct radix_node *n, unsigned room)
{
    uint8_t kept[MAX_CHILDREN];
    memcpy(kept, labels(n), n->count);
    n = mem_realloc(n, node_bytes(room));
    n->room = (uint16_t)room;
    memcpy(labels(n), kept, n->count);
    return n;
}

/* Index of the first label that is not below @byte. */
static unsigned position(const struct radix_node *n, unsigned byte)
{
    const uint8_t *label = labels(n);
    unsigned low = 0, high = n->count;
    if (high && label[high - 1] < byte) return high; /* numbers mostly grow */
    while (low < high) {
        const unsigned mid = (low + high) / 2;
        if (label[mid] < byte) low = mid + 1;
        else high = mid;
    }
    return low;
}

static struct radix_node *add_child(struct radix_node *n, unsigned byte, void *child)
{
    if (n->count == n->room) n = resize(n, n->room < 2 ? 2 : n->room < 128 ? n->room + n->room / 2u : MAX_CHILDREN);
    const unsigned at = position(n, byte), behind = n->count - at;
    uint8_t *label = labels(n);
    memmove(label + at + 1, label + at, behind);
    memmove(n->child + at + 1, n->child + at, behind * sizeof *n->child);
    label[at] = (uint8_t)byte;
    n->child[at] = child;
    n->count++;
    return n;
}

static struct radix_node *drop_child(struct radix_node *n, unsigned at)
{
    const unsigned behind = n->count - at - 1u;
    uint8_t *label = labels(n);
    memmove(label + at, label + at + 1, behind);
    memmove(n->child + at, n->child + at + 1, behind * sizeof *n->child);
    n->count--;
    return n->count && n->count <= n->room / 4 ? resize(n, n->count * 2u) : n;
}

/* How many of the node's shared bytes are those of @key. */
static unsigned match(const struct radix_node *n, const uint8_t *key)
{
    unsigned i = 0;
    while (i < n->shared_bytes && n->shared[i] == key[i]) i++;
    return i;
}

void *radix_find(const struct radix *r, struct radix_key wanted)
{
    uint8_t key[KEY_BYTES];
    key_to_bytes(wanted, key);
    const struct radix_node *n = r->root;
    for (unsigned depth = 0; n;) {
        if (match(n, key + depth) < n->shared_bytes) return NULL;
        const bool last = has_values(n, depth);
        depth += n->shared_bytes;
        const unsigned at = position(n, key[depth]);
        if (at == n->count || labels(n)[at] != key[depth]) return NULL;
        if (last) return n->child[at];
        n = n->child[at];
        depth++;
    }
    return NULL;
}

/* A node for one key from @depth on. */
static struct radix_node *leaf_new(const uint8_t *key, unsigned depth, void *value)
{
    return add_child(node_new(key + depth, KEY_BYTES - 1 - depth, 1), key[KEY_BYTES - 1], value);
}

/* The node's first @same shared bytes go into a new node above it, which takes in @key as well. */
static struct radix_node *split(struct radix_node *n, unsigned same, const uint8_t *key, unsigned depth, void *value)
{
    struct radix_node *above = node_new(n->shared, same, 2);
    const unsigned byte = n->shared[same];
    n->shared_bytes = (uint8_t)(n->shared_bytes - same - 1);
    memmove(n->shared, n->shared + same + 1, n->shared_bytes);
    above = add_child(above, byte, n);
    depth += same;
    return add_child(above, key[depth], leaf_new(key, depth + 1, value));
}

void *radix_put(struct radix *r, struct radix_key wanted, void *value)
{
    assert(value);
    uint8_t key[KEY_BYTES];
    key_to_bytes(wanted, key);
    struct radix_node **link = &r->root;
    unsigned depth = 0;
    for (;;) {
        struct radix_node *n = *link;
        const unsigned same = n ? match(n, key + depth) : 0;
        if (!n || same < n->shared_bytes) {
            *link = n ? split(n, same, key, depth, value) : leaf_new(key, depth, value);
            break;
        }
        const bool last = has_values(n, depth);
        depth += n->shared_bytes;
        const unsigned at = position(n, key[depth]);
        const bool there = at < n->count && labels(n)[at] == key[depth];
        if (there && last) {
            void *old = n->child[at];
            n->child[at] = value;
            return old;
        }
        if (!there) {
            *link = add_child(n, key[depth], last ? value : leaf_new(key, depth + 1, value));
            break;
        }
        link = (struct radix_node **)&n->child[at];
        depth++;
    }
    r->size++;
    return NULL;
}

/* A node with a single child that is a node: the child takes its place, with all the bytes that led to it. */
static struct radix_node *join(struct radix_node *n)
{
    struct radix_node *child = n->child[0];
    const unsigned before = n->shared_bytes + 1u;
    assert(before + child->shared_bytes <= MAX_SHARED);
    memmove(child->shared + before, child->shared, child->shared_bytes);
    memcpy(child->shared, n->shared, n->shared_bytes);
    child->shared[n->shared_bytes] = labels(n)[0];
    child->shared_bytes = (uint8_t)(child->shared_bytes + before);
    mem_free(n);
    return child;
}

/* What is left of the node at @depth without @key; *value is what was taken. */
static struct radix_node *take_below(struct radix_node *n, const uint8_t *key, unsigned depth, void **value)
{
    if (match(n, key + depth) < n->shared_bytes) return n;
    const bool last = has_values(n, depth);
    depth += n->shared_bytes;
    const unsigned at = position(n, key[depth]);
    if (at == n->count || labels(n)[at] != key[depth]) return n;
    if (last) *value = n->child[at];
    else n->child[at] = take_below(n->child[at], key, depth + 1, value);
    if (last || !n->child[at]) n = drop_child(n, at);
    if (n->count == 0) {
        mem_free(n);
        return NULL;
    }
    return n->count == 1 && !last ? join(n) : n;
}

void *radix_take(struct radix *r, struct radix_key wanted)
{
    uint8_t key[KEY_BYTES];
    void *value = NULL;
    key_to_bytes(wanted, key);
    if (r->root) r->root = take_below(r->root, key, 0, &value);
    if (value) r->size--;
    return value;
}

/* The lowest or the highest key below a node; its bytes from @depth on go to @path. */
static void *edge(const struct radix_node *n, unsigned depth, bool highest, uint8_t *path)
{
    for (;;) {
        const bool last = has_values(n, depth);
        const unsigned at = highest ? n->count - 1u : 0;
        memcpy(path + depth, n->shared, n->shared_bytes);
        depth += n->shared_bytes;
        path[depth++] = labels(n)[at];
        if (last) return n->child[at];
        n = n->child[at];
    }
}

/* The nearest key in one direction below a node, @key itself included; NULL if all lie on the other side. Recursion is at
 * most 16 deep. */
static void *nearest(const struct radix_node *n, unsigned depth, const uint8_t *key, bool below, uint8_t *path)
{
    const unsigned same = match(n, key + depth);
    if (same < n->shared_bytes)
        return (n->shared[same] > key[depth + same]) != below ? edge(n, depth, below, path) : NULL;
    const bool last = has_values(n, depth);
    memcpy(path + depth, n->shared, n->shared_bytes);
    depth += n->shared_bytes;
    unsigned at = position(n, key[depth]);
    const bool there = at < n->count && labels(n)[at] == key[depth];
    if (there) {
        path[depth] = key[depth];
        void *found = last ? n->child[at] : nearest(n->child[at], depth + 1, key, below, path);
        if (found) return found;
    }
    if (below ? at == 0 : at + there == n->count) return NULL;
    at = below ? at - 1 : at + there;
    path[depth] = labels(n)[at];
    return last ? n->child[at] : edge(n->child[at], depth + 1, below, path);
}

static void *nearest_key(const struct radix *r, struct radix_key wanted, bool below, struct radix_key *found)
{
    uint8_t key[KEY_BYTES], path[KEY_BYTES];
    key_to_bytes(wanted, key);
    void *value = r->root ? nearest(r->root, 0, key, below, path) : NULL;
    if (value) *found = key_of_bytes(path);
    return value;
}

void *radix_at_or_after(const struct radix *r, struct radix_key key, struct radix_key *found)
{
    return nearest_key(r, key, false, found);
}

void *radix_at_or_before(const struct radix *r, struct radix_key key, struct radix_key *found)
{
    return nearest_key(r, key, true, found);
}

static void clear_node(struct radix_node *n, unsigned depth, void (*free_value)(void *))
{
    const bool last = has_values(n, depth);
    for (unsigned i = 0; i < n->count; i++) {
        if (!last) clear_node(n->child[i], depth + n->shared_bytes + 1, free_value);
        else if (free_value) free_value(n->child[i]);
    }
    mem_free(n);
}

void radix_clear(struct radix *r, void (*free_value)(void *value))
{
    if (r->root) clear_node(r->root, 0, free_value);
    *r = (struct radix){0};
}

static size_t bytes_below(const struct radix_node *n, unsigned depth)
{
    size_t bytes = mem_size(n);
    for (unsigned i = 0; i < n->count && !has_values(n, depth); i++)
        bytes += bytes_below(n->child[i], depth + n->shared_bytes + 1);
    return bytes;
}

size_t radix_bytes(const struct radix *r) { return r->root ? bytes_below(r->root, 0) : 0; }

static uint64_t plain_below(const struct radix_node *n, unsigned depth)
{
    uint64_t nodes = n->count > 1 && n->shared_bytes > 0 ? 2 : 1;
    if (has_values(n, depth)) return nodes + n->count;
    for (unsigned i = 0; i < n->count; i++) nodes += plain_below(n->child[i], depth + n->shared_bytes + 1);
    return nodes;
}

uint64_t radix_plain_nodes(const struct radix *r) { return r->root ? plain_below(r->root, 0) : 1; }

static uint64_t check_below(const struct radix_node *n, unsigned depth)
{
    assert(depth + n->shared_bytes < KEY_BYTES);
    assert(n->count <= n->room && n->room <= MAX_CHILDREN);
    const bool last = has_values(n, depth);
    assert(n->count >= (last ? 1 : 2));
    uint64_t keys = last ? n->count : 0;
    for (unsigned i = 0; i < n->count; i++) {
        assert(n->child[i]);
        assert(i == 0 || labels(n)[i - 1] < labels(n)[i]);
        if (!last) keys += check_below(n->child[i], depth + n->shared_bytes + 1);
    }
    return keys;
}

void radix_check(const struct radix *r)
{
    const uint64_t keys = r->root ? check_below(r->root, 0) : 0;
    assert(keys == r->size);
    (void)keys;
}
