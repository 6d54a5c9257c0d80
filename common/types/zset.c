#include "common/types/zset.h"

#include <assert.h>
#include <math.h>

#include "common/mem.h"
#include "common/types/btree.h"
#include "common/types/zset_listpack.h"

/* Both forms hang on one word: a listpack, or with the lowest bit set a struct large. */
struct zset {
    const uint8_t *hash_key;
    uintptr_t form;
};

/* Every item is in both; the table owns it. */
struct large {
    struct htable table;
    struct btree tree;
};

/* A listpack of a stranger with more pairs is checked for duplicates by building the large form. */
enum { DISTINCT_BY_SEARCH = 256 };

static struct span item_key(const void *item) { return zitem_member(item); }

static const struct htable_kind items = {.key = item_key, .free = mem_free};

static struct large *large_of(const struct zset *z)
{
    return z->form & 1 ? (struct large *)(z->form & ~(uintptr_t)1) : NULL;
}

static lp_t *small_of(const struct zset *z)
{
    assert(!(z->form & 1));
    return (lp_t *)z->form;
}

static void set_small(struct zset *z, lp_t *lp) { z->form = (uintptr_t)lp; }

struct zset *zset_new(const uint8_t *hash_key)
{
    struct zset *z = MEM_NEW(struct zset);
    z->hash_key = hash_key;
    set_small(z, lp_new());
    return z;
}

static struct large *large_new(const uint8_t *hash_key)
{
    struct large *l = MEM_NEW(struct large);
    htable_init(&l->table, &items, hash_key);
    btree_init(&l->tree);
    return l;
}

static void large_free(struct large *l)
{
    btree_free(&l->tree);
    htable_free(&l->table);
    mem_free(l);
}

void zset_free(struct zset *z)
{
    if (!z) return;
    struct large *l = large_of(z);
    if (l) large_free(l);
    else lp_free(small_of(z));
    mem_free(z);
}

static void large_insert(struct large *l, uint64_t hash, struct span member, double score)
{
    struct zitem *item = zitem_new(member, score);
    htable_insert(&l->table, hash, item);
    btree_insert(&l->tree, item);
}

struct zset *zset_dup(const struct zset *z)
{
    struct zset *copy = MEM_NEW(struct zset);
    copy->hash_key = z->hash_key;
    const struct large *from = large_of(z);
    if (!from) {
        set_small(copy, lp_dup(small_of(z)));
        return copy;
    }
    struct large *to = large_new(z->hash_key);
    htable_expect(&to->table, from->tree.count);
    for (struct btree_place p = btree_seek(&from->tree, 0); p.leaf; p = btree_step(p, false)) {
        const struct zitem *item = btree_item(p);
        const struct span member = zitem_member(item);
        large_insert(to, htable_hash(&to->table, member), member, item->score);
    }
    copy->form = (uintptr_t)to | 1;
    return copy;
}

/* The large form of a listpack; NULL if a member stands in it twice. */
static struct large *large_of_listpack(const lp_t *lp, const uint8_t *hash_key)
{
    struct large *l = large_new(hash_key);
    htable_expect(&l->table, zlp_count(lp));
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at)) {
        char scratch[NUM_I64_MAX_TEXT];
        const struct span member = lp_get(at, scratch);
        const uint64_t hash = htable_hash(&l->table, member);
        if (htable_find(&l->table, hash, member)) {
            large_free(l);
            return NULL;
        }
        large_insert(l, hash, member, zlp_score(lp, at));
    }
    return l;
}

static struct large *make_large(struct zset *z)
{
    lp_t *lp = small_of(z);
    struct large *l = large_of_listpack(lp, z->hash_key);
    assert(l);
    lp_free(lp);
    z->form = (uintptr_t)l | 1;
    return l;
}

void zset_expect(struct zset *z, uint64_t members, size_t longest, const struct encoding_limits *limits)
{
    struct large *l = large_of(z);
    const uint64_t all = zset_size(z) + members;
    if (!l && (all > limits->zset_max_listpack_entries || longest > limits->zset_max_listpack_value))
        l = make_large(z);
    if (l) htable_expect(&l->table, all);
}

uint64_t zset_size(const struct zset *z)
{
    const struct large *l = large_of(z);
    return l ? l->tree.count : zlp_count(small_of(z));
}

static struct zitem *item_find(const struct large *l, struct span member)
{
    return htable_find(&l->table, htable_hash(&l->table, member), member);
}

bool zset_score(const struct zset *z, struct span member, double *score)
{
    const struct large *l = large_of(z);
    if (l) {
        const struct zitem *item = item_find(l, member);
        if (item) *score = item->score;
        return item;
    }
    const lp_t *at = zlp_find(small_of(z), member);
    if (at) *score = zlp_score(small_of(z), at);
    return at;
}

/* Changing. */

/* What is to become of a member that is there (@old its score) or not (@old is NULL). */
static enum zset_added decide(const double *old, unsigned rules, double *score)
{
    if (!old) return rules & ZSET_IF_THERE ? ZSET_REFUSED : ZSET_ADDED;
    if (rules & ZSET_IF_NEW) return ZSET_REFUSED;
    const double wanted = rules & ZSET_INCREMENT ? *old + *score : *score;
    if (isnan(wanted)) return ZSET_NAN;
    if ((rules & ZSET_IF_GREATER && wanted <= *old) || (rules & ZSET_IF_LESS && wanted >= *old)) return ZSET_REFUSED;
    *score = wanted;
    return wanted == *old ? ZSET_SAME : ZSET_MOVED;
}

static enum zset_added large_add(struct large *l, struct span member, unsigned rules, double *score)
{
    const uint64_t hash = htable_hash(&l->table, member);
    struct zitem *item = htable_find(&l->table, hash, member);
    const enum zset_added done = decide(item ? &item->score : NULL, rules, score);
    if (done == ZSET_ADDED) large_insert(l, hash, member, *score);
    if (done == ZSET_MOVED) {
        htable_before_change(&l->table, hash);
        btree_move(&l->tree, item, *score);
    }
    return done;
}

static enum zset_added small_add(struct zset *z, struct span member, unsigned rules, double *score,
                                 const struct encoding_limits *limits)
{
    lp_t *lp = small_of(z);
    const lp_t *at = zlp_find(lp, member);
    const double old = at ? zlp_score(lp, at) : 0;
    const enum zset_added done = decide(at ? &old : NULL, rules, score);
    if (done == ZSET_MOVED) {
        lp = zlp_remove(lp, at, 1);
        set_small(z, zlp_insert(lp, member, *score));
    } else if (done == ZSET_ADDED) {
        if (zlp_count(lp) < limits->zset_max_listpack_entries && member.n <= limits->zset_max_listpack_value &&
            lp_fits(lp, member)) {
            set_small(z, zlp_insert(lp, member, *score));
        } else {
            struct large *l = make_large(z);
            large_insert(l, htable_hash(&l->table, member), member, *score);
        }
    }
    return done;
}

enum zset_added zset_add(struct zset *z, struct span member, unsigned rules, double *score,
                         const struct encoding_limits *limits)
{
    assert(!isnan(*score));
    struct large *l = large_of(z);
    return l ? large_add(l, member, rules, score) : small_add(z, member, rules, score, limits);
}

bool zset_set(struct zset *z, struct span member, double score, const struct encoding_limits *limits)
{
    return zset_add(z, member, 0, &score, limits) == ZSET_ADDED;
}

bool zset_remove(struct zset *z, struct span member)
{
    struct large *l = large_of(z);
    if (!l) {
        const lp_t *at = zlp_find(small_of(z), member);
        if (at) set_small(z, zlp_remove(small_of(z), at, 1));
        return at;
    }
    struct zitem *item = htable_remove(&l->table, htable_hash(&l->table, member), member);
    if (!item) return false;
    btree_remove(&l->tree, item);
    mem_free(item);
    return true;
}

void zset_remove_ranks(struct zset *z, uint64_t first, uint64_t last)
{
    assert(first <= last && last <= zset_size(z));
    struct large *l = large_of(z);
    if (first == last) return;
    if (!l) {
        lp_t *lp = small_of(z);
        set_small(z, zlp_remove(lp, lp_seek(lp, (int64_t)(2 * first)), last - first));
        return;
    }
    for (uint64_t n = last - first; n--;) {
        struct zitem *item = btree_remove_at(&l->tree, first);
        const struct span member = zitem_member(item);
        const void *removed = htable_remove(&l->table, htable_hash(&l->table, member), member);
        assert(removed == item);
        mem_free(item);
    }
}

/* Ranks. */

bool zset_rank(const struct zset *z, struct span member, uint64_t *rank)
{
    const struct large *l = large_of(z);
    if (l) {
        const struct zitem *item = item_find(l, member);
        if (item) *rank = btree_rank(&l->tree, item);
        return item;
    }
    const lp_t *at = zlp_find(small_of(z), member);
    if (at) *rank = zlp_rank(small_of(z), at);
    return at;
}

static uint64_t count_below(const struct zset *z, double score, bool inclusive)
{
    const struct large *l = large_of(z);
    return l ? btree_count_below(&l->tree, score, inclusive) : zlp_count_below(small_of(z), score, inclusive);
}

static uint64_t count_before(const struct zset *z, struct span member, bool inclusive)
{
    const struct large *l = large_of(z);
    return l ? btree_count_before(&l->tree, member, inclusive) : zlp_count_before(small_of(z), member, inclusive);
}

void zset_find_scores(const struct zset *z, const struct zset_score_range *range, uint64_t *first, uint64_t *last)
{
    *first = count_below(z, range->min, range->min_open);
    *last = count_below(z, range->max, !range->max_open);
    if (*last < *first) *last = *first;
}

void zset_find_lex(const struct zset *z, const struct zset_lex_range *range, uint64_t *first, uint64_t *last)
{
    *first = range->min.p ? count_before(z, range->min, range->min_open) : 0;
    *last = range->max.p ? count_before(z, range->max, !range->max_open) : zset_size(z);
    if (*last < *first) *last = *first;
}

/* Walking. */

void zset_iter_begin(struct zset_iter *i, const struct zset *z, uint64_t rank, bool backwards)
{
    *i = (struct zset_iter){.zset = z, .backwards = backwards};
    const struct large *l = large_of(z);
    if (l) {
        const struct btree_place place = btree_seek(&l->tree, rank);
        i->node = place.leaf;
        i->at = place.at;
    } else if (rank < zset_size(z)) {
        i->in_listpack = lp_seek(small_of(z), (int64_t)(2 * rank));
    }
}

bool zset_iter_next(struct zset_iter *i, struct span *member, double *score, char *scratch)
{
    if (i->node) {
        struct btree_place place = {i->node, i->at};
        const struct zitem *item = btree_item(place);
        *member = zitem_member(item);
        *score = item->score;
        place = btree_step(place, i->backwards);
        i->node = place.leaf;
        i->at = place.at;
        return true;
    }
    if (!i->in_listpack) return false;
    const lp_t *lp = small_of(i->zset);
    *member = lp_get(i->in_listpack, scratch);
    *score = zlp_score(lp, i->in_listpack);
    i->in_listpack = i->backwards ? zlp_prev(lp, i->in_listpack) : zlp_next(lp, i->in_listpack);
    return true;
}

struct scan {
    zset_visit *visit;
    void *context;
};

static void visit_item(void *context, void *item, bool marked)
{
    (void)marked;
    const struct scan *s = context;
    s->visit(s->context, zitem_member(item), ((const struct zitem *)item)->score);
}

uint64_t zset_scan(const struct zset *z, uint64_t from, zset_visit *visit, void *context)
{
    const struct large *l = large_of(z);
    if (l) return htable_scan(&l->table, from, false, visit_item, &(struct scan){visit, context});
    const lp_t *lp = small_of(z);
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at)) {
        char scratch[NUM_I64_MAX_TEXT];
        visit(context, lp_get(at, scratch), zlp_score(lp, at));
    }
    return 0;
}

void zset_visit_chosen(const struct zset *z, const struct htable_choice *c, zset_visit *visit, void *context)
{
    htable_visit_chosen(&large_of(z)->table, c, visit_item, &(struct scan){visit, context});
}

struct htable *zset_table(const struct zset *z)
{
    struct large *l = large_of(z);
    return l ? &l->table : NULL;
}

/* About the whole. */

const char *zset_encoding(const struct zset *z) { return large_of(z) ? "skiplist" : "listpack"; }

size_t zset_bytes(const struct zset *z, uint64_t samples)
{
    const struct large *l = large_of(z);
    if (!l) return mem_size(z) + mem_size(small_of(z));
    return mem_size(z) + mem_size(l) + l->tree.bytes + member_table_bytes(&l->table, samples);
}

static void check_item(void *context, void *item, bool marked)
{
    const struct large *l = context;
    assert(!marked);
    (void)btree_rank(&l->tree, item); /* asserts that it is there */
}

void zset_check(const struct zset *z)
{
    struct large *l = large_of(z);
    if (!l) {
        const lp_t *lp = small_of(z);
        assert(lp_valid(lp, lp_bytes(lp)) && lp_count(lp) % 2 == 0 && zlp_in_order(lp) && zlp_distinct(lp));
        return;
    }
    htable_check(&l->table);
    btree_check(&l->tree);
    assert(l->table.count == l->tree.count);
    for (uint64_t from = 0; (from = htable_scan(&l->table, from, false, check_item, l));) continue;
}

struct span zset_listpack(const struct zset *z)
{
    if (large_of(z)) return span_of(NULL, 0);
    return span_of(small_of(z), lp_bytes(small_of(z)));
}

static bool within_limits(const lp_t *lp, const struct encoding_limits *limits)
{
    if (zlp_count(lp) > limits->zset_max_listpack_entries) return false;
    for (const lp_t *at = lp_first(lp); at; at = zlp_next(lp, at)) {
        char scratch[NUM_I64_MAX_TEXT];
        if (lp_get(at, scratch).n > limits->zset_max_listpack_value) return false;
    }
    return true;
}

bool zset_of_listpack(void *listpack, const uint8_t *hash_key, const struct encoding_limits *limits, struct zset **z)
{
    lp_t *lp = listpack;
    const size_t count = lp_count(lp);
    struct large *l = NULL;
    bool ok = count % 2 == 0 && zlp_in_order(lp);
    const bool small = ok && within_limits(lp, limits);
    if (ok && small && count <= 2 * DISTINCT_BY_SEARCH) {
        ok = zlp_distinct(lp);
    } else if (ok) {
        l = large_of_listpack(lp, hash_key);
        ok = l;
    }
    if (l && (small || !ok)) {
        large_free(l);
        l = NULL;
    }
    if (!ok || l) lp_free(lp);
    if (!ok) return false;
    *z = MEM_NEW(struct zset);
    (*z)->hash_key = hash_key;
    (*z)->form = l ? (uintptr_t)l | 1 : (uintptr_t)lp;
    return true;
}
