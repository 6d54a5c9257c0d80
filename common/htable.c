/* How the words of the head comment become code.
 *
 *     word of a slot = | tag: bits 63-49 | mark: bit 48 | pointer: bits 47-0 |       0: the slot is empty
 *     word of a link =  pointer to a chained bucket, bit 0 set (only ever in a bucket's last slot)
 *
 * Items and chained buckets come from an allocator, so bit 0 of their addresses is free. A chain is packed:
 * every bucket but its last holds seven items and the link, the last holds two to eight (an unchained one
 * none to eight), from slot 0 on without a hole. So a look-up may stop at the last bucket, and a removal
 * leaves no empty bucket.
 *
 * A resize moves live bucket 0, 1, 2 ... and puts `boundary` at the first position of the live bucket that is
 * next. Segments of the larger or smaller `next` are there for every position below the boundary; segments of
 * `live` are gone behind it. */
#include "common/htable.h"

#include <assert.h>
#include <sodium/crypto_shorthash.h>

#include "common/mem.h"

enum {
    SLOTS = 8,
    LINK = SLOTS - 1,  /* the slot that may be a link */
    SEGMENT_BITS = 10, /* 1024 buckets are 64 KB */
    SEGMENT_BUCKETS = 1 << SEGMENT_BITS,
    GROW_FILL = 7,   /* items per bucket above which the table grows */
    SHRINK_FILL = 3, /* and below which it shrinks, to about FIT_FILL */
    FIT_FILL = 5,
    AT_ONCE = 64, /* a table of so few buckets is resized in one go */
    STEPS_PER_CHANGE = 2,
};

#define POSITIONS    (UINT64_C(1) << HTABLE_POSITION_BITS)
#define POINTER_MASK (POSITIONS - 1)
#define MARK         POSITIONS
#define TAG_SHIFT    49

typedef unsigned __int128 wide;

struct htable_slot {
    uint64_t word;
};

struct htable_bucket {
    struct htable_slot slots[SLOTS];
};

_Static_assert(sizeof(struct htable_bucket) == 64, "a bucket is a cache line");

static inline void *item_of(uint64_t word)
{
    return (void *)(uintptr_t)(word & POINTER_MASK);
}

static inline uint64_t word_of(uint64_t hash, const void *item)
{
    const uint64_t address = (uint64_t)(uintptr_t)item;
    assert(item && (address & ~POINTER_MASK) == 0 && (address & 1) == 0);
    return (hash << HTABLE_POSITION_BITS & ~MARK) | address;
}

static inline bool tag_fits(uint64_t word, uint64_t hash)
{
    return (word ^ hash << HTABLE_POSITION_BITS) >> TAG_SHIFT == 0;
}

/* The bucket behind @b in its chain, or NULL. */
static inline struct htable_bucket *linked(const struct htable_bucket *b)
{
    const uint64_t word = b->slots[LINK].word;
    return word & 1 ? (struct htable_bucket *)(uintptr_t)(word - 1) : NULL;
}

static inline void link_to(struct htable_bucket *b, const struct htable_bucket *next)
{
    b->slots[LINK].word = (uint64_t)(uintptr_t)next | 1;
}

/* Items in the bucket itself. */
static unsigned bucket_items(const struct htable_bucket *b)
{
    if (linked(b)) return LINK;
    unsigned n = 0;
    while (n < SLOTS && b->slots[n].word) n++;
    return n;
}

/* --- Geometry
 * ------------------------------------------------------------------------------------------------- */

static inline uint64_t index_of(const struct htable_half *h, uint64_t position)
{
    return (uint64_t)((wide)position * h->buckets >> HTABLE_POSITION_BITS);
}

/* The first position of bucket @index; POSITIONS for the index behind the last bucket. */
static uint64_t start_of(const struct htable_half *h, uint64_t index)
{
    return (uint64_t)((((wide)index << HTABLE_POSITION_BITS) + h->buckets - 1) / h->buckets);
}

static inline struct htable_bucket *bucket_at(const struct htable_half *h, uint64_t index)
{
    return &h->segments[index >> SEGMENT_BITS][index & (SEGMENT_BUCKETS - 1)];
}

static inline struct htable_bucket *bucket_for(const struct htable *t, uint64_t position)
{
    const struct htable_half *h = position < t->boundary ? &t->next : &t->live;
    return bucket_at(h, index_of(h, position));
}

static uint64_t segments_of(uint64_t buckets)
{
    return (buckets + SEGMENT_BUCKETS - 1) >> SEGMENT_BITS;
}

static uint64_t segment_buckets(const struct htable_half *h, uint64_t segment)
{
    const uint64_t rest = h->buckets - (segment << SEGMENT_BITS);
    return rest < SEGMENT_BUCKETS ? rest : SEGMENT_BUCKETS;
}

/* A table of one segment takes a size that the allocator does not round up. */
static uint64_t good_size(uint64_t buckets)
{
    if (buckets <= SLOTS || buckets > SEGMENT_BUCKETS) return buckets;
    const uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(buckets - 1))) / 4;
    return (buckets + step - 1) / step * step;
}

/* --- Halves
 * ---------------------------------------------------------------------------------------------------- */

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

/* --- Resizing
 * -------------------------------------------------------------------------------------------------- */

static inline bool resizing(const struct htable *t)
{
    return t->next.segments != NULL;
}

static inline uint64_t position_of(const struct htable *t, uint64_t word)
{
    return htable_position(htable_hash(t, t->kind->key(item_of(word))));
}

/* Ask for the items of a bucket that will be hashed soon, all at once instead of one miss after the other. */
static void prefetch_items(const struct htable_bucket *b)
{
    for (unsigned i = 0; i < SLOTS; i++) __builtin_prefetch(item_of(b->slots[i].word));
}

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
    if (t->paused) return resizing(t);
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

/* --- Items
 * ----------------------------------------------------------------------------------------------------- */

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
    uint64_t at = 0;
    while (t->kind->free && (at = htable_scan(t, at, false, free_item, (void *)t->kind))) {
    }
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
    htable_clear(t);
}

uint64_t htable_hash(const struct htable *t, struct span key)
{
    uint64_t hash;
    _Static_assert(crypto_shorthash_BYTES == sizeof hash && crypto_shorthash_KEYBYTES == HTABLE_KEY_BYTES,
                   "SipHash");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.p, key.n, t->hash_key);
    return hash;
}

static inline struct htable_slot *find_in(const struct htable *t, struct htable_bucket *b, uint64_t hash,
                                          struct span key)
{
    for (; b; b = linked(b)) {
        for (unsigned i = 0; i < SLOTS; i++) {
            const uint64_t word = b->slots[i].word;
            if (!tag_fits(word, hash) || word == 0 || word & 1) continue;
            if (span_eq(t->kind->key(item_of(word)), key)) return &b->slots[i];
        }
    }
    return NULL;
}

struct htable_slot *htable_find_slot(struct htable *t, uint64_t hash, struct span key)
{
    return t->count ? find_in(t, bucket_for(t, htable_position(hash)), hash, key) : NULL;
}

void *htable_find(const struct htable *t, uint64_t hash, struct span key)
{
    const struct htable_slot *s =
        t->count ? find_in(t, bucket_for(t, htable_position(hash)), hash, key) : NULL;
    return s ? item_of(s->word) : NULL;
}

void htable_prefetch(const struct htable *t, uint64_t hash)
{
    if (t->count) __builtin_prefetch(bucket_for(t, htable_position(hash)));
}

void htable_insert(struct htable *t, uint64_t hash, void *item)
{
    if (t->live.buckets == 0) {
        half_make(&t->live, 1);
        half_ensure(&t->live, 0, 0);
    }
    chain_add(t, bucket_for(t, htable_position(hash)), word_of(hash, item));
    t->count++;
    settle(t, false);
}

void *htable_remove(struct htable *t, uint64_t hash, struct span key)
{
    struct htable_slot *s = htable_find_slot(t, hash, key);
    if (!s) return NULL;
    void *item = item_of(s->word);
    chain_cut(t, bucket_for(t, htable_position(hash)), s);
    t->count--;
    settle(t, true);
    return item;
}

void *htable_slot_item(const struct htable_slot *s)
{
    return item_of(s->word);
}

void htable_slot_set(struct htable_slot *s, void *item)
{
    const uint64_t address = (uint64_t)(uintptr_t)item;
    assert(item && (address & ~POINTER_MASK) == 0 && (address & 1) == 0);
    s->word = (s->word & ~POINTER_MASK) | address;
}

bool htable_slot_marked(const struct htable_slot *s)
{
    return s->word & MARK;
}

void htable_slot_mark(struct htable_slot *s, bool mark)
{
    s->word = (s->word & ~MARK) | (mark ? MARK : 0);
}

/* --- Walking
 * --------------------------------------------------------------------------------------------------- */

uint64_t htable_scan(const struct htable *t, uint64_t from, bool marked_only, htable_visit *visit,
                     void *context)
{
    if (t->live.buckets == 0 || from >= POSITIONS) return 0;
    const bool moved = from < t->boundary;
    const struct htable_half *h = moved ? &t->next : &t->live;
    const uint64_t index = index_of(h, from);
    /* A bucket is entered behind its start only if the table was resized since the last call. */
    const bool all = from == start_of(h, index);
    uint64_t end = start_of(h, index + 1);
    if (moved && end > t->boundary) end = t->boundary;
    for (const struct htable_bucket *b = bucket_at(h, index); b; b = linked(b)) {
        if (!marked_only) prefetch_items(b);
        const unsigned n = bucket_items(b);
        for (unsigned i = 0; i < n; i++) {
            const uint64_t word = b->slots[i].word;
            if (marked_only && !(word & MARK)) continue;
            if (all || position_of(t, word) >= from) visit(context, item_of(word), word & MARK);
        }
    }
    return end == POSITIONS ? 0 : end;
}

/* Item number @n of a chain, or NULL if it is shorter. */
static void *chain_item(const struct htable_bucket *b, uint64_t n)
{
    for (; b; b = linked(b)) {
        const unsigned here = bucket_items(b);
        if (n < here) return item_of(b->slots[n].word);
        n -= here;
    }
    return NULL;
}

/* A chain drawn at random and an item number drawn below a bound that no chain reaches (its length is a
 * Poisson variable, so the bound is missed once in about 10^14): accepted if the chain is that long. */
void *htable_random(const struct htable *t, uint64_t (*random)(void *context), void *context)
{
    if (t->count == 0) return NULL;
    const bool split = t->boundary > 0;
    const uint64_t moved = split ? index_of(&t->live, t->boundary) : 0;
    const uint64_t in_next = split ? index_of(&t->next, t->boundary - 1) + 1 : 0;
    const uint64_t chains = t->live.buckets - moved + in_next;
    uint64_t few = t->live.buckets;
    if (split && t->next.buckets < few) few = t->next.buckets;
    const uint64_t bound = few == 1 ? t->count : 3 * (t->count / few) + 20;
    for (;;) {
        const uint64_t draw = (uint64_t)((wide)random(context) * (chains * bound) >> 64);
        const uint64_t chain = draw / bound;
        const struct htable_bucket *b =
            chain < in_next ? bucket_at(&t->next, chain) : bucket_at(&t->live, chain - in_next + moved);
        void *item = chain_item(b, draw % bound);
        if (item) return item;
    }
}

/* --- Accounting
 * ------------------------------------------------------------------------------------------------ */

static size_t half_bytes(const struct htable_half *h)
{
    size_t bytes = mem_size(h->segments);
    for (uint64_t s = 0; h->segments && s < segments_of(h->buckets); s++) bytes += mem_size(h->segments[s]);
    return bytes;
}

size_t htable_bytes(const struct htable *t)
{
    return half_bytes(&t->live) + half_bytes(&t->next) + t->chained * sizeof(struct htable_bucket);
}

/* Check the chains of buckets @first to @end of a half, which hold positions below @limit only. */
static void check_half(const struct htable *t, const struct htable_half *h, uint64_t first, uint64_t end,
                       uint64_t limit, uint64_t *items, uint64_t *chained)
{
    for (uint64_t index = first; index < end; index++) {
        for (const struct htable_bucket *b = bucket_at(h, index), *next; b; b = next) {
            next = linked(b);
            const unsigned n = bucket_items(b);
            *chained += next != NULL;
            assert(next ? true : b == bucket_at(h, index) || n >= 2);
            for (unsigned i = n; i < SLOTS; i++) assert(next || b->slots[i].word == 0);
            for (unsigned i = 0; i < n; i++) {
                const uint64_t word = b->slots[i].word, hash = htable_hash(t, t->kind->key(item_of(word)));
                assert(word != 0 && (word & 1) == 0 && tag_fits(word, hash));
                assert(index_of(h, htable_position(hash)) == index && htable_position(hash) < limit);
            }
            *items += n;
        }
    }
}

void htable_check(const struct htable *t)
{
    uint64_t items = 0, chained = 0;
    if (t->live.buckets > 0) {
        uint64_t moved = 0;
        if (t->boundary > 0) {
            assert(resizing(t));
            moved = index_of(&t->live, t->boundary);
            assert(t->boundary == start_of(&t->live, moved));
            check_half(t, &t->next, 0, index_of(&t->next, t->boundary - 1) + 1, t->boundary, &items,
                       &chained);
        }
        check_half(t, &t->live, moved, t->live.buckets, POSITIONS, &items, &chained);
    }
    assert(items == t->count && chained == t->chained);
}
