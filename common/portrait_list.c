/* The portrait of a list: its nodes in their order.
 *
 * A node that is changed before its turn goes to a stream of pieces of its own at once, as it was. What is to be inserted
 * hangs on the node at which the walk will find it: on the node itself, and when that is removed, on the one behind it. */
#include <assert.h>

#include "common/mem.h"
#include "common/portrait_impl.h"
#include "common/rdb_write.h"
#include "common/types/list.h"

/* A node's image that was made ahead. */
struct image {
    struct image *next;
    uint64_t stream;
};

/* The images that come before what is left of a node; of NULL: at the end of the list. */
struct place {
    const void *node;
    struct image *first, *last;
};

struct list_portrait {
    struct portrait base;
    struct list_watch watch;
    struct list *list;
    const void *next; /* the node that the walk comes to next */
    uint64_t left;    /* nodes to be given */
    bool done;
    struct htable places;
};

static struct span place_key(const void *item)
{
    const struct place *at = item;
    return span_of(&at->node, sizeof at->node);
}

static void place_free(void *item)
{
    const struct place *at = item;
    for (struct image *i = at->first, *next; i; i = next) {
        next = i->next;
        mem_free(i);
    }
    mem_free(item);
}

static uint64_t hash_of(const struct list_portrait *l, const void *node)
{
    return htable_hash(&l->places, span_of(&node, sizeof node));
}

static struct place *place_take(struct list_portrait *l, const void *node)
{
    return htable_remove(&l->places, hash_of(l, node), span_of(&node, sizeof node));
}

/* Put the images of @at before those that hang on @node already. */
static void place_put(struct list_portrait *l, struct place *at, const void *node)
{
    struct place *old = place_take(l, node);
    at->node = node;
    if (old) {
        at->last->next = old->first;
        at->last = old->last;
        mem_free(old);
    }
    htable_insert(&l->places, hash_of(l, node), at);
}

static void give_node(struct list_portrait *l, const void *node, uint64_t stream)
{
    list_show_node(node, rdb_put_list_node, piece_to(l->base.pieces, stream));
    assert(l->left > 0);
    l->left--;
}

static void keep(struct list_watch *w, const void *node)
{
    struct list_portrait *l = PORTRAIT_OF(w, struct list_portrait, watch);
    struct image *image = MEM_NEW(struct image);
    image->stream = piece_stream(l->base.pieces);
    give_node(l, node, image->stream);
    /* What hangs on the node stood before it. */
    struct place *at = place_take(l, node);
    if (!at) at = MEM_NEW(struct place);
    *(at->last ? &at->last->next : &at->first) = image;
    at->last = image;
    place_put(l, at, node);
}

static void gone(struct list_watch *w, const void *node, const void *next)
{
    struct list_portrait *l = PORTRAIT_OF(w, struct list_portrait, watch);
    struct place *at = place_take(l, node);
    if (at) place_put(l, at, next);
    if (l->next == node) l->next = next;
}

static void step_once(struct list_portrait *l)
{
    const void *node = l->next;
    struct place *at = l->places.count ? place_take(l, node) : NULL;
    if (at) {
        for (const struct image *i = at->first; i; i = i->next) piece_insert(l->base.pieces, i->stream);
        place_free(at);
    }
    if (!node) {
        assert(l->left == 0);
        l->done = true;
        return;
    }
    if (list_take_node(l->list, node)) give_node(l, node, 0);
    l->next = list_next_node(node);
}

static bool step(struct portrait *p, struct portion *portion)
{
    struct list_portrait *l = (struct list_portrait *)p;
    for (; !l->done && portion_left(portion, p->pieces->out); portion->places--) step_once(l);
    return !l->done;
}

static bool end(struct portrait *p)
{
    struct list_portrait *l = (struct list_portrait *)p;
    list_end_watch(l->list, l->done);
    htable_free(&l->places);
    return l->watch.watch.left;
}

struct portrait *portrait_new_list(const struct entry *e, struct span head, struct piece_writer *w)
{
    static const struct portrait_kind kind = {.step = step, .end = end};
    static const struct htable_kind places = {.key = place_key, .free = place_free};
    static const uint8_t hash_key[HTABLE_KEY_BYTES]; /* nobody chooses addresses to collide */
    struct list_portrait *l = portrait_make(sizeof(struct list_portrait), &kind, e, head, w);
    l->list = entry_object(e);
    l->next = list_first_node(l->list);
    l->left = list_nodes(l->list);
    rdb_put_length(&l->base.head, l->left);
    htable_init(&l->places, &places, hash_key);
    l->watch.keep = keep;
    l->watch.gone = gone;
    list_begin_watch(l->list, &l->watch);
    return &l->base;
}
