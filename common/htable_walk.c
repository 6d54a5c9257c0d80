/* The table as it stands: walked in hash order, drawn from, measured and checked. */
#include "common/htable_impl.h"
#include "common/mem.h"

enum { WHOLE_LINES = 3 }; /* of an item that is read to its end, mostly */

/* Visit the items of the bucket of @from that lie in [@from, @to); returns where the bucket ends. */
static uint64_t scan_bucket(const struct htable *t, uint64_t from, uint64_t to, bool marked_only, htable_visit *visit,
                            void *context)
{
    const bool moved = from < t->boundary;
    const struct htable_half *h = moved ? &t->next : &t->live;
    const uint64_t index = index_of(h, from);
    /* A bucket is entered behind its start only if the table was resized since the last call. */
    uint64_t end = start_of(h, index + 1);
    if (moved && end > t->boundary) end = t->boundary;
    const bool all = from == start_of(h, index) && end <= to;
    for (const struct htable_bucket *b = bucket_at(h, index); b; b = linked(b)) {
        if (!marked_only) prefetch_items(b);
        const unsigned n = bucket_items(b);
        for (unsigned i = 0; i < n; i++) {
            const uint64_t word = b->slots[i].word;
            if (marked_only && !(word & MARK)) continue;
            const uint64_t position = all ? from : position_of(t, word);
            if (position >= from && position < to) visit(context, item_of(word), word & MARK);
        }
    }
    return end;
}

uint64_t htable_scan(const struct htable *t, uint64_t from, bool marked_only, htable_visit *visit, void *context)
{
    if (t->live.buckets == 0 || from >= POSITIONS) return 0;
    const uint64_t end = scan_bucket(t, from, POSITIONS, marked_only, visit, context);
    return end == POSITIONS ? 0 : end;
}

void htable_prefetch_range(const struct htable *t, uint64_t from)
{
    if (t->live.buckets > 0 && from < POSITIONS) prefetch_lines(bucket_for(t, from), WHOLE_LINES);
}

void htable_scan_range(const struct htable *t, uint64_t from, uint64_t to, htable_visit *visit, void *context)
{
    assert(to <= POSITIONS);
    if (t->live.buckets == 0) return;
    while (from < to) from = scan_bucket(t, from, to, false, visit, context);
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

/* Accounting. */

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
            check_half(t, &t->next, 0, index_of(&t->next, t->boundary - 1) + 1, t->boundary, &items, &chained);
        }
        check_half(t, &t->live, moved, t->live.buckets, POSITIONS, &items, &chained);
    }
    assert(items == t->count && chained == t->chained);
}
