/* The table as it stands: walked in hash order, drawn from, measured and checked. */
#include "common/htable_impl.h"
#include "common/mem.h"

enum { WHOLE_LINES = 3 }; /* of an item that is read to its end, mostly */

/* What is done to items. */
struct errand {
    bool marked_only, unseen_only; /* passing over others */
    bool unsee;                    /* only their marks change */
    htable_visit *visit;
    void *context;
};

struct positions {
    uint64_t from, to;
};

/* Those of a chain, or only those that lie @within a range. */
static void do_chain(const struct htable *t, struct htable_bucket *b, const struct positions *within,
                     const struct errand *e)
{
    for (; b; b = linked(b)) {
        if (!e->marked_only && !e->unsee) prefetch_items(b);
        const unsigned n = bucket_items(b);
        for (unsigned i = 0; i < n; i++) {
            const uint64_t word = b->slots[i].word;
            if ((e->marked_only && !(word & MARK)) || (e->unseen_only && word & SEEN)) continue;
            if (within) {
                const uint64_t position = position_of(t, word);
                if (position < within->from || position >= within->to) continue;
            }
            if (e->unsee) b->slots[i].word = word & ~SEEN;
            else e->visit(e->context, item_of(word), word & MARK);
        }
    }
}

/* Those in the bucket of @from that lie in [@from, @to); returns where the bucket ends. */
static uint64_t do_bucket(const struct htable *t, uint64_t from, uint64_t to, const struct errand *e)
{
    const bool moved = from < t->boundary;
    const struct htable_half *h = moved ? &t->next : &t->live;
    const uint64_t index = index_of(h, from);
    /* A bucket is entered behind its start only if the table was resized since the last call. */
    uint64_t end = start_of(h, index + 1);
    if (moved && end > t->boundary) end = t->boundary;
    const bool all = from == start_of(h, index) && end <= to;
    do_chain(t, bucket_at(h, index), all ? NULL : &(struct positions){from, to}, e);
    return end;
}

uint64_t htable_scan(const struct htable *t, uint64_t from, bool marked_only, htable_visit *visit, void *context)
{
    if (t->live.buckets == 0 || from >= POSITIONS) return 0;
    const struct errand e = {.marked_only = marked_only, .visit = visit, .context = context};
    const uint64_t end = do_bucket(t, from, POSITIONS, &e);
    return end == POSITIONS ? 0 : end;
}

/* ---- Parts ---- */

/* Part and bucket are the same: returns it, or NULL. */
static struct htable_bucket *bucket_of_part(const struct htable *t, struct htable_part part)
{
    return t->live.buckets == part.of && !resizing(t) ? bucket_at(&t->live, part.number) : NULL;
}

/* The first position of a part, or of the one behind it; for that behind the last one, POSITIONS. */
static uint64_t part_start(struct htable_part part, uint64_t number)
{
    return start_of(&(struct htable_half){.buckets = part.of}, number);
}

/* The bucket in which a part begins. */
static struct htable_bucket *first_bucket(const struct htable *t, struct htable_part part)
{
    struct htable_bucket *b = bucket_of_part(t, part);
    return b ? b : bucket_for(t, part_start(part, part.number));
}

void htable_prefetch_part(const struct htable *t, struct htable_part part)
{
    if (t->live.buckets > 0 && part.number < part.of) prefetch_lines(first_bucket(t, part), WHOLE_LINES);
}

static void each_in_part(const struct htable *t, struct htable_part part, const struct errand *e)
{
    struct htable_bucket *b = bucket_of_part(t, part);
    if (b) {
        do_chain(t, b, NULL, e);
        return;
    }
    const uint64_t to = part_start(part, part.number + 1);
    for (uint64_t from = part_start(part, part.number); from < to;) from = do_bucket(t, from, to, e);
}

void htable_unsee(const struct htable *t, struct htable_part part)
{
    if (t->live.buckets > 0) each_in_part(t, part, &(struct errand){.unsee = true});
}

/* The items of one bucket that may have the hash are told by their tags. What has the same by chance may belong to another
 * part, which knows nothing of it. */
static void visit_one(const struct htable *t, const struct htable_choice *c, htable_visit *visit, void *context)
{
    struct htable_bucket *b = bucket_of_part(t, c->part);
    const bool sure = b;
    for (b = sure ? b : bucket_for(t, htable_position(c->hash)); b; b = linked(b)) {
        for (unsigned i = 0; i < SLOTS; i++) {
            const uint64_t word = b->slots[i].word;
            if (!tag_fits(word, c->hash) || word == 0 || word & (LINKED | SEEN)) continue;
            if (!sure && position_of(t, word) != htable_position(c->hash)) continue;
            b->slots[i].word |= SEEN;
            visit(context, item_of(word), word & MARK);
        }
    }
}

void htable_visit_chosen(const struct htable *t, const struct htable_choice *c, htable_visit *visit, void *context)
{
    assert(c->part.number < c->part.of);
    if (t->live.buckets == 0) return;
    if (c->which == HTABLE_ONE) visit_one(t, c, visit, context);
    else
        each_in_part(t, c->part,
                     &(struct errand){.unseen_only = c->which == HTABLE_UNSEEN, .visit = visit, .context = context});
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
                assert(word != 0 && (word & LINKED) == 0 && tag_fits(word, hash));
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
