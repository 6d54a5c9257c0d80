/* The table as it changes: items come and go, and it is resized a few buckets at a time. The layout is drawn in
 * htable_impl.h. */
#include "common/htable.h"

#include <sodium/crypto_shorthash.h>

#include "common/htable_impl.h"
#include "common/mem.h"
#include "common/watch.h"

enum {
    GROW_FILL = 7,   /* items per bucket above which the table grows */
    SHRINK_FILL = 3, /* and below which it shrinks, to about FIT_FILL */
    FIT_FILL = 5,
    AT_ONCE = 64, /* a table of so few buckets is resized in one go */
    STEPS_PER_CHANGE = 2,
};

/* A table of one segment takes a size that the allocator does not round up. */
static uint64_t good_size(uint64_t buckets)
{
    if (buckets <= SLOTS || buckets > SEGMENT_BUCKETS) return buckets;
    const uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(buckets - 1))) / 4;
    return (buckets + step - 1) / step * step;
}

/* Halves. */

static void half_make(struct htable_half *h, uint64_t buckets)
{
    h->buckets = buckets;
    h->segments = mem_zalloc(segments_of(buckets), sizeof(struct htable_bucket *));
}

/* Have the segments of buckets @first to @last. */
static void half_ensure(struct htable_half *h, uint64_t first, uint64_t last)
{
    for (uint64_t s = first >> SEGMENT_BITS; s <= last >> SEGMENT_BITS; s++)
        if (!h->segments[s]) h->segments[s] = mem_zalloc(segment_buckets(h, s), sizeof(struct htable_bucket));
}

static void half_free(struct htable_half *h)
{
    for (uint64_t s = 0; h->segments && s < segments_of(h->buckets); s++) mem_free(h->segments[s]);
    mem_free(h->segments);
    *h = (struct htable_half){0};
}

static void chain_add(struct htable *t, struct htable_bucket *b, uint64_t word)
{
    for (struct htable_bucket *next; (next = linked(b));) b = next;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (b->slots[i].word) continue;
        b->slots[i].word = word;
        return;
    }
    struct htable_bucket *tail = mem_zalloc(1, sizeof *tail);
    tail->slots[0] = b->slots[LINK];
    tail->slots[1].word = word;
    link_to(b, tail);
    t->chained++;
}

/* Empty @hole, which stands in the chain of @b, and keep the chain packed. */
static void chain_cut(struct htable *t, struct htable_bucket *b, struct htable_slot *hole)
{
    struct htable_bucket *before = NULL;
    for (struct htable_bucket *next; (next = linked(b)); b = next) before = b;
    const unsigned left = bucket_items(b) - 1;
    hole->word = b->slots[left].word;
    b->slots[left].word = 0;
    if (!before || left > 1) return;
    before->slots[LINK] = b->slots[0];
    mem_free(b);
    t->chained--;
}

/* Resizing. */

/* Put every item of a live chain into `next` and free what hung behind its first bucket. */
static void move_chain(struct htable *t, struct htable_bucket *first)
{
    for (struct htable_bucket *b = first, *next; b; b = next) {
        next = linked(b);
        prefetch_items(b);
        const unsigned n = bucket_items(b);
        for (unsigned i = 0; i < n; i++) {
            const uint64_t word = b->slots[i].word;
            chain_add(t, bucket_at(&t->next, index_of(&t->next, position_of(t, word))), word);
        }
        if (b == first) continue;
        mem_free(b);
        t->chained--;
    }
}

static void resize_end(struct htable *t)
{
    half_free(&t->live);
    t->live = t->next;
    t->next = (struct htable_half){0};
    t->boundary = 0;
}

/* Move the live bucket at the boundary. */
static void move_one(struct htable *t)
{
    const uint64_t index = index_of(&t->live, t->boundary), end = start_of(&t->live, index + 1);
    half_ensure(&t->next, index_of(&t->next, t->boundary), index_of(&t->next, end - 1));
    move_chain(t, bucket_at(&t->live, index));
    if (end == POSITIONS) {
        resize_end(t);
        return;
    }
    t->boundary = end;
    if (((index + 1) & (SEGMENT_BUCKETS - 1)) == 0) {
        mem_free(t->live.segments[index >> SEGMENT_BITS]);
        t->live.segments[index >> SEGMENT_BITS] = NULL;
    }
    prefetch_items(bucket_at(&t->live, index + 1));
}

bool htable_resize_step(struct htable *t, unsigned steps)
{
    while (steps-- && resizing(t)) move_one(t);
    return resizing(t);
}

static void resize_begin(struct htable *t, uint64_t buckets)
{
    assert(!resizing(t) && t->live.buckets > 0);
    half_make(&t->next, buckets);
    t->boundary = 0;
    if (t->live.buckets <= AT_ONCE) (void)htable_resize_step(t, AT_ONCE);
}

/* Begin a resize if the fill asks for one, and go a step with one under way. Only a removal makes a table shrink: one
 * that was made large for items to come stays so. */
static void settle(struct htable *t, bool removed)
{
    const uint64_t n = t->live.buckets;
    if (resizing(t)) {
        (void)htable_resize_step(t, STEPS_PER_CHANGE);
    } else if (t->count > n * GROW_FILL + 1) {
        resize_begin(t, good_size(n + (n < 3 ? 1 : n / 3)));
    } else if (removed && n > 1 && t->count < n * SHRINK_FILL) {
        const uint64_t fit = good_size(t->count / FIT_FILL + 1);
        if (fit < n) resize_begin(t, fit);
    }
}

void htable_expect(struct htable *t, uint64_t items)
{
    const uint64_t fit = good_size(items / (GROW_FILL - 1) + 1);
    if (resizing(t) || fit <= t->live.buckets) return;
    if (t->count > 0) {
        resize_begin(t, fit);
        return;
    }
    half_free(&t->live);
    half_make(&t->live, fit);
    half_ensure(&t->live, 0, fit - 1);
}

/* Items. */

void htable_init(struct htable *t, const struct htable_kind *kind, const uint8_t *hash_key)
{
    *t = (struct htable){.kind = kind, .hash_key = hash_key};
}

static void free_item(void *context, void *item, bool marked)
{
    (void)marked;
    ((const struct htable_kind *)context)->free(item);
}

/* Free the chained buckets of one half; the segments themselves are half_free()'s. */
static void free_chains(const struct htable_half *h)
{
    for (uint64_t s = 0; h->segments && s < segments_of(h->buckets); s++) {
        if (!h->segments[s]) continue;
        for (uint64_t i = 0; i < segment_buckets(h, s); i++) {
            for (struct htable_bucket *b = linked(&h->segments[s][i]), *next; b; b = next) {
                next = linked(b);
                mem_free(b);
            }
        }
    }
}

void htable_clear(struct htable *t)
{
    assert(!t->watch);
    uint64_t at = 0;
    while (t->kind->free && (at = htable_scan(t, at, false, free_item, (void *)t->kind))) {}
    /* What the resize left behind in live segments is stale: only its first buckets remain, their chains are
     * gone. */
    if (resizing(t)) {
        const uint64_t moved = index_of(&t->live, t->boundary);
        for (uint64_t i = moved & ~(uint64_t)(SEGMENT_BUCKETS - 1); i < moved; i++)
            *bucket_at(&t->live, i) = (struct htable_bucket){0};
    }
    free_chains(&t->live);
    free_chains(&t->next);
    half_free(&t->live);
    half_free(&t->next);
    t->count = t->chained = t->boundary = 0;
}

void htable_free(struct htable *t)
{
    if (t->kind) htable_clear(t);
}

uint64_t htable_hash(const struct htable *t, struct span key)
{
    uint64_t hash;
    _Static_assert(crypto_shorthash_BYTES == sizeof hash && crypto_shorthash_KEYBYTES == HTABLE_KEY_BYTES, "SipHash");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.p, key.n, t->hash_key);
    return hash;
}

static inline struct htable_slot *find_in(const struct htable *t, struct htable_bucket *b, uint64_t hash,
                                          struct span key)
{
    for (; b; b = linked(b)) {
        for (unsigned i = 0; i < SLOTS; i++) {
            const uint64_t word = b->slots[i].word;
            if (!tag_fits(word, hash) || word == 0 || word & LINKED) continue;
            if (span_eq(t->kind->key(item_of(word)), key)) return &b->slots[i];
        }
    }
    return NULL;
}

void htable_prefetch_bucket(const struct htable *t, uint64_t hash)
{
    if (t->count) __builtin_prefetch(bucket_for(t, htable_position(hash)));
}

void htable_prefetch_item(const struct htable *t, uint64_t hash)
{
    if (t->count == 0) return;
    const struct htable_bucket *b = bucket_for(t, htable_position(hash));
    for (unsigned i = 0; i < SLOTS; i++) {
        const uint64_t word = b->slots[i].word;
        if (tag_fits(word, hash) && word) __builtin_prefetch(item_of(word));
    }
}

struct htable_slot *htable_find_slot(struct htable *t, uint64_t hash, struct span key)
{
    return t->count ? find_in(t, bucket_for(t, htable_position(hash)), hash, key) : NULL;
}

void *htable_find(const struct htable *t, uint64_t hash, struct span key)
{
    const struct htable_slot *s = t->count ? find_in(t, bucket_for(t, htable_position(hash)), hash, key) : NULL;
    return s ? item_of(s->word) : NULL;
}

void htable_before_change(const struct htable *t, uint64_t hash)
{
    if (t->watch) t->watch->before(t->watch, hash);
}

void htable_insert_marked(struct htable *t, uint64_t hash, void *item, bool mark)
{
    htable_before_change(t, hash);
    if (t->live.buckets == 0) {
        half_make(&t->live, 1);
        half_ensure(&t->live, 0, 0);
    }
    chain_add(t, bucket_for(t, htable_position(hash)), word_of(hash, item) | (mark ? MARK : 0));
    t->count++;
    settle(t, false);
}

void htable_insert(struct htable *t, uint64_t hash, void *item) { htable_insert_marked(t, hash, item, false); }

void *htable_remove(struct htable *t, uint64_t hash, struct span key)
{
    struct htable_slot *s = htable_find_slot(t, hash, key);
    if (!s) return NULL;
    htable_before_change(t, hash);
    void *item = item_of(s->word);
    chain_cut(t, bucket_for(t, htable_position(hash)), s);
    t->count--;
    settle(t, true);
    return item;
}

void *htable_slot_item(const struct htable_slot *s) { return item_of(s->word); }

void htable_slot_set(struct htable_slot *s, void *item)
{
    const uint64_t address = (uint64_t)(uintptr_t)item;
    assert(item && (address & ~POINTER_MASK) == 0 && (address & LINKED) == 0);
    s->word = (s->word & ~POINTER_MASK) | address;
}

bool htable_slot_marked(const struct htable_slot *s) { return s->word & MARK; }

void htable_slot_mark(struct htable_slot *s, bool mark) { s->word = (s->word & ~MARK) | (mark ? MARK : 0); }
