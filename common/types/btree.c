#include "common/types/btree.h"

#include "common/mem.h"
#include "common/types/btree_leaf.h"

/* 63 children make an inner node of 2 KB. More levels than MAX_LEVELS would take more items than memory can hold:
 * only a full node adds one. */
enum { INNER_SLOTS = 63, MAX_LEVELS = 24 };

/* Nodes at or below half are merged with a neighbour if both together leave a quarter free. */
enum { LEAF_SPARSE = LEAF_SLOTS / 2, LEAF_MERGED = LEAF_SLOTS * 3 / 4 };
enum { INNER_SPARSE = INNER_SLOTS / 2, INNER_MERGED = INNER_SLOTS * 3 / 4 };

struct inner {
    unsigned n;
    uint64_t keys[INNER_SLOTS]; /* of the first items */
    struct zitem *firsts[INNER_SLOTS];
    void *children[INNER_SLOTS];
    uint64_t counts[INNER_SLOTS];
};

/* A way from the root to a place in a leaf; up[0] is the leaf's parent, up[levels - 1] the root. */
struct path {
    struct leaf *leaf;
    unsigned at;
    struct {
        struct inner *node;
        unsigned at;
    } up[MAX_LEVELS];
};

void btree_init(struct btree *t) { *t = (struct btree){0}; }

static void free_below(void *node, unsigned level)
{
    if (level) {
        const struct inner *inner = node;
        for (unsigned i = 0; i < inner->n; i++) free_below(inner->children[i], level - 1);
    }
    mem_free(node);
}

void btree_free(struct btree *t)
{
    if (t->root) free_below(t->root, t->levels);
    btree_init(t);
}

/* Searching. */

/* The child whose range holds the probe: the last one that does not begin behind it. */
static unsigned child_for(const struct inner *node, const struct probe *p)
{
    unsigned from = 0, to = node->n;
    while (from < to) {
        const unsigned middle = (from + to) / 2;
        if (probe_order(p, node->keys[middle], node->firsts[middle]) <= 0) from = middle + 1;
        else to = middle;
    }
    return from ? from - 1 : 0;
}

static void descend(const struct btree *t, const struct probe *p, struct path *path)
{
    void *node = t->root;
    for (unsigned level = t->levels; level--;) {
        struct inner *inner = node;
        path->up[level].node = inner;
        path->up[level].at = child_for(inner, p);
        node = inner->children[path->up[level].at];
    }
    path->leaf = node;
    path->at = leaf_find(path->leaf, p);
}

static void descend_to_rank(const struct btree *t, uint64_t rank, struct path *path)
{
    assert(rank < t->count);
    void *node = t->root;
    for (unsigned level = t->levels; level--;) {
        struct inner *inner = node;
        unsigned i = 0;
        while (rank >= inner->counts[i]) rank -= inner->counts[i++];
        path->up[level].node = inner;
        path->up[level].at = i;
        node = inner->children[i];
    }
    path->leaf = node;
    path->at = (unsigned)rank;
}

static struct probe probe_for(const struct zitem *item)
{
    return (struct probe){.key = key_of(item->score), .member = zitem_member(item)};
}

static void descend_to_item(const struct btree *t, const struct zitem *item, struct path *path)
{
    const struct probe p = probe_for(item);
    descend(t, &p, path);
    assert(path->at < path->leaf->n && slot_item(path->leaf->slots[path->at]) == item);
}

static uint64_t rank_of(const struct btree *t, const struct path *path)
{
    uint64_t rank = path->at;
    for (unsigned level = 0; level < t->levels; level++)
        for (unsigned i = 0; i < path->up[level].at; i++) rank += path->up[level].node->counts[i];
    return rank;
}

static uint64_t count_before(const struct btree *t, const struct probe *p)
{
    if (!t->root) return 0;
    struct path path;
    descend(t, p, &path);
    return rank_of(t, &path);
}

uint64_t btree_rank(const struct btree *t, const struct zitem *item)
{
    struct path path;
    descend_to_item(t, item, &path);
    return rank_of(t, &path);
}

uint64_t btree_count_below(const struct btree *t, double score, bool inclusive)
{
    return count_before(t, &(struct probe){.key = key_of(score), .tie = inclusive ? -1 : 1});
}

uint64_t btree_count_before(const struct btree *t, struct span member, bool inclusive)
{
    return count_before(t, &(struct probe){.member = member, .any_key = true, .same = inclusive ? -1 : 1});
}

/* Upkeep of inner nodes. */

static struct zitem *first_of(const void *node, unsigned level)
{
    return level ? ((const struct inner *)node)->firsts[0] : slot_item(((const struct leaf *)node)->slots[0]);
}

/* The first item below up[level] may have changed: tell the ancestors. */
static void first_changed(const struct btree *t, struct path *path, unsigned level)
{
    for (; level < t->levels; level++) {
        struct inner *node = path->up[level].node;
        const unsigned at = path->up[level].at;
        node->firsts[at] = first_of(node->children[at], level);
        node->keys[at] = key_of(node->firsts[at]->score);
        if (at) return;
    }
}

static void count_changed(const struct btree *t, struct path *path, int64_t by)
{
    for (unsigned level = 0; level < t->levels; level++)
        path->up[level].node->counts[path->up[level].at] += (uint64_t)by;
}

/* Move the entries [from, n) of one node to place @at of another, or within one node. */
static void entries_move(struct inner *to, unsigned at, const struct inner *node, unsigned from, unsigned n)
{
    const size_t bytes = n * sizeof(uint64_t);
    memmove(to->keys + at, node->keys + from, bytes);
    memmove(to->firsts + at, node->firsts + from, bytes);
    memmove(to->children + at, node->children + from, bytes);
    memmove(to->counts + at, node->counts + from, bytes);
}

static uint64_t count_of(const struct inner *node)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < node->n; i++) count += node->counts[i];
    return count;
}

static struct inner *inner_new(struct btree *t)
{
    struct inner *node = mem_alloc(sizeof *node);
    node->n = 0;
    t->bytes += sizeof *node;
    return node;
}

/* Growing. */

static void split_inner(struct btree *t, struct path *path, unsigned level, bool appending);

/* Give up[level].node a right neighbour @right, which took @count of its items and begins with @first. */
static void add_child(struct btree *t, struct path *path, unsigned level, void *right, uint64_t count,
                      struct zitem *first, bool appending)
{
    if (path->up[level].node->n == INNER_SLOTS) split_inner(t, path, level, appending);
    struct inner *node = path->up[level].node;
    const unsigned at = path->up[level].at;
    entries_move(node, at + 2, node, at + 1, node->n - at - 1);
    node->n++;
    node->children[at + 1] = right;
    node->firsts[at + 1] = first;
    node->keys[at + 1] = key_of(first->score);
    node->counts[at + 1] = count;
    node->counts[at] -= count;
}

/* A new root above the present one. */
static void add_root(struct btree *t, struct path *path)
{
    assert(t->levels < MAX_LEVELS);
    struct inner *root = inner_new(t);
    root->n = 1;
    root->children[0] = t->root;
    root->firsts[0] = first_of(t->root, t->levels);
    root->keys[0] = key_of(root->firsts[0]->score);
    root->counts[0] = t->count;
    path->up[t->levels].node = root;
    path->up[t->levels].at = 0;
    t->root = root;
    t->levels++;
}

static void split_inner(struct btree *t, struct path *path, unsigned level, bool appending)
{
    if (level + 1 == t->levels) add_root(t, path);
    struct inner *left = path->up[level].node, *right = inner_new(t);
    const unsigned half = appending ? INNER_SLOTS - 1 : INNER_SLOTS / 2;
    right->n = left->n - half;
    entries_move(right, 0, left, half, right->n);
    left->n = half;
    add_child(t, path, level + 1, right, count_of(right), right->firsts[0], appending);
    if (path->up[level].at < half) return;
    path->up[level].node = right;
    path->up[level].at -= half;
    path->up[level + 1].at++;
}

/* A lone leaf doubles until it has a leaf's full size. */
static void grow_leaf(struct btree *t, struct path *path)
{
    const unsigned room = path->leaf->room * 2u + 4;
    t->bytes += leaf_size(room) - leaf_size(path->leaf->room);
    path->leaf = t->root = mem_realloc(path->leaf, leaf_size(room));
    path->leaf->room = (uint16_t)room;
}

/* Split the path's full leaf at the middle; where members arrive in order, at the end that they arrive at, so that
 * full leaves stay behind. @item is the one that needs the room. */
static void split_leaf(struct btree *t, struct path *path, struct zitem *item)
{
    struct leaf *left = path->leaf, *right = leaf_new(LEAF_SLOTS);
    const bool appending = !left->next && path->at == left->n, prepending = !left->prev && path->at == 0;
    const unsigned half = appending ? left->n : prepending ? 0 : left->n / 2;
    t->bytes += leaf_size(LEAF_SLOTS);
    struct zitem *first = appending ? item : slot_item(left->slots[half]);
    if (t->levels == 0) add_root(t, path);
    leaf_split(left, half, right);
    right->prev = left;
    right->next = left->next;
    if (left->next) left->next->prev = right;
    left->next = right;
    add_child(t, path, 0, right, right->n, first, appending);
    if (path->at < half || (path->at == half && !appending)) return;
    path->leaf = right;
    path->at -= half;
    path->up[0].at++;
}

static void insert_at(struct btree *t, struct path *path, struct zitem *item)
{
    if (path->leaf->n == path->leaf->room) {
        if (path->leaf->room < LEAF_SLOTS) grow_leaf(t, path);
        else split_leaf(t, path, item);
    }
    leaf_put(path->leaf, path->at, item);
    t->count++;
    count_changed(t, path, 1);
    if (path->at == 0) first_changed(t, path, 0);
}

void btree_insert(struct btree *t, struct zitem *item)
{
    if (!t->root) {
        t->root = leaf_new(LEAF_MIN_SLOTS);
        t->bytes = leaf_size(LEAF_MIN_SLOTS);
    }
    const struct probe p = probe_for(item);
    struct path path;
    descend(t, &p, &path);
    insert_at(t, &path, item);
}

/* Shrinking. */

static void node_free(struct btree *t, void *node, unsigned level)
{
    if (level == 0) {
        const struct leaf *l = node;
        if (l->prev) l->prev->next = l->next;
        if (l->next) l->next->prev = l->prev;
    }
    t->bytes -= level ? sizeof(struct inner) : leaf_size(LEAF_SLOTS);
    mem_free(node);
}

static unsigned node_n(const void *node, unsigned level)
{
    return level ? ((const struct inner *)node)->n : ((const struct leaf *)node)->n;
}

static void after_shrinking(struct btree *t, struct path *path, unsigned level);

/* Free child @at of up[level].node, whose items are gone or counted elsewhere. */
static void drop_child(struct btree *t, struct path *path, unsigned level, unsigned at)
{
    struct inner *node = path->up[level].node;
    node_free(t, node->children[at], level);
    entries_move(node, at, node, at + 1, node->n - at - 1);
    node->n--;
    if (node->n && at == 0) first_changed(t, path, level + 1);
    if (level + 1 < t->levels) after_shrinking(t, path, level + 1);
}

/* Merge child @at of up[level].node with the one right of it. */
static void merge_children(struct btree *t, struct path *path, unsigned level, unsigned at)
{
    struct inner *node = path->up[level].node;
    if (level == 0) {
        leaf_merge(node->children[at], node->children[at + 1]);
    } else {
        struct inner *left = node->children[at];
        const struct inner *right = node->children[at + 1];
        entries_move(left, left->n, right, 0, right->n);
        left->n += right->n;
    }
    node->counts[at] += node->counts[at + 1];
    drop_child(t, path, level, at + 1);
}

/* The child that the path leads to at @level lost something: drop it if it is empty, merge it if it is sparse. */
static void after_shrinking(struct btree *t, struct path *path, unsigned level)
{
    const struct inner *node = path->up[level].node;
    const unsigned at = path->up[level].at, n = node_n(node->children[at], level);
    const unsigned sparse = level ? INNER_SPARSE : LEAF_SPARSE, merged = level ? INNER_MERGED : LEAF_MERGED;
    if (n == 0) drop_child(t, path, level, at);
    else if (n > sparse) return;
    else if (at > 0 && node_n(node->children[at - 1], level) + n <= merged) merge_children(t, path, level, at - 1);
    else if (at + 1 < node->n && node_n(node->children[at + 1], level) + n <= merged)
        merge_children(t, path, level, at);
}

/* A root with one child gives way to it. */
static void lower_root(struct btree *t)
{
    while (t->levels && ((struct inner *)t->root)->n == 1) {
        struct inner *root = t->root;
        t->root = root->children[0];
        t->levels--;
        t->bytes -= sizeof *root;
        mem_free(root);
    }
}

static void remove_at(struct btree *t, struct path *path)
{
    leaf_cut(path->leaf, path->at);
    t->count--;
    count_changed(t, path, -1);
    if (t->levels == 0) return;
    if (path->at == 0 && path->leaf->n) first_changed(t, path, 0);
    after_shrinking(t, path, 0);
    lower_root(t);
}

void btree_remove(struct btree *t, const struct zitem *item)
{
    struct path path;
    descend_to_item(t, item, &path);
    remove_at(t, &path);
}

struct zitem *btree_remove_at(struct btree *t, uint64_t rank)
{
    struct path path;
    descend_to_rank(t, rank, &path);
    struct zitem *item = slot_item(path.leaf->slots[path.at]);
    remove_at(t, &path);
    return item;
}

void btree_move(struct btree *t, struct zitem *item, double score)
{
    struct path path;
    descend_to_item(t, item, &path);
    const struct leaf *l = path.leaf;
    /* Between the same neighbours it stays where it is: the common case where scores grow in small steps. */
    if (path.at > 0 && path.at + 1 < l->n && slot_item(l->slots[path.at - 1])->score < score &&
        score < slot_item(l->slots[path.at + 1])->score) {
        item->score = score;
        leaf_touch(path.leaf, path.at);
        return;
    }
    remove_at(t, &path);
    item->score = score;
    btree_insert(t, item);
}

/* Walking. */

struct btree_place btree_seek(const struct btree *t, uint64_t rank)
{
    if (rank >= t->count) return (struct btree_place){NULL, 0};
    struct path path;
    descend_to_rank(t, rank, &path);
    return (struct btree_place){path.leaf, path.at};
}

struct zitem *btree_item(struct btree_place place)
{
    const struct leaf *l = place.leaf;
    assert(place.at < l->n);
    return slot_item(l->slots[place.at]);
}

struct btree_place btree_step(struct btree_place place, bool backwards)
{
    enum { AHEAD = 8 }; /* items are scattered: fetch the ones to come */
    const struct leaf *l = place.leaf;
    if (backwards) {
        if (place.at >= AHEAD) __builtin_prefetch(slot_item(l->slots[place.at - AHEAD]));
        if (place.at) return (struct btree_place){l, place.at - 1};
        return (struct btree_place){l->prev, l->prev ? l->prev->n - 1u : 0};
    }
    if (place.at + AHEAD < l->n) __builtin_prefetch(slot_item(l->slots[place.at + AHEAD]));
    if (place.at + 1 < l->n) return (struct btree_place){l, place.at + 1};
    return (struct btree_place){l->next, 0};
}

/* Checking. */

struct check {
    const struct leaf *last;
    size_t bytes;
};

static uint64_t check_leaf(const struct leaf *l, struct check *c, bool lone)
{
    leaf_check(l);
    assert(lone || (l->n > 0 && l->room == LEAF_SLOTS));
    assert(l->prev == c->last && (!c->last || c->last->next == l));
    if (c->last) {
        const struct zitem *before = slot_item(c->last->slots[c->last->n - 1]);
        const struct probe p = probe_for(before);
        const struct zitem *first = slot_item(l->slots[0]);
        assert(probe_order(&p, key_of(first->score), first) > 0);
    }
    c->last = l;
    c->bytes += leaf_size(l->room);
    return l->n;
}

static uint64_t check_below(const void *node, unsigned level, struct check *c, bool root)
{
    if (level == 0) return check_leaf(node, c, root);
    const struct inner *inner = node;
    uint64_t count = 0;
    assert(inner->n >= (root ? 2u : 1u) && inner->n <= INNER_SLOTS);
    for (unsigned i = 0; i < inner->n; i++) {
        const uint64_t below = check_below(inner->children[i], level - 1, c, false);
        assert(below == inner->counts[i] && below > 0);
        assert(inner->firsts[i] == first_of(inner->children[i], level - 1));
        assert(inner->keys[i] == key_of(inner->firsts[i]->score));
        count += below;
    }
    c->bytes += sizeof *inner;
    return count;
}

void btree_check(const struct btree *t)
{
    if (!t->root) {
        assert(t->count == 0 && t->levels == 0 && t->bytes == 0);
        return;
    }
    struct check c = {0};
    const uint64_t count = check_below(t->root, t->levels, &c, true);
    assert(count == t->count && c.bytes == t->bytes && c.last->next == NULL);
}
