#include <criterion/criterion.h>

#include "common/mem.h"
#include "common/sort.h"
#include "tests/unit/rand.h"

struct item {
    unsigned key, place;
};

static int by_key(const void *a, const void *b, void *context)
{
    const struct item *x = a, *y = b;
    ++*(size_t *)context;
    return (x->key > y->key) - (x->key < y->key);
}

static void make(struct rand *r, struct item *items, void **list, size_t n)
{
    const uint64_t kinds = 1 + rand_below(r, n + 3), shape = rand_below(r, 4);
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){(unsigned)rand_below(r, kinds), (unsigned)i};
        if (shape == 0) items[i].key = (unsigned)i;
        if (shape == 1) items[i].key = (unsigned)(n - i);
        list[i] = &items[i];
    }
}

static const struct item *at(void **list, size_t i) { return list[i]; }

Test(sort, keeps_equal_items_in_their_order)
{
    enum { MOST = 300 };
    struct rand r = {1};
    struct item items[MOST];
    void *list[MOST];
    for (unsigned round = 0; round < 2000; round++) {
        const size_t n = (size_t)rand_below(&r, MOST);
        size_t compared = 0;
        make(&r, items, list, n);
        sort_stable(list, n, by_key, &compared);
        for (size_t i = 1; i < n; i++) {
            const struct item *a = at(list, i - 1), *b = at(list, i);
            cr_assert(a->key < b->key || (a->key == b->key && a->place < b->place));
        }
    }
}

Test(sort, puts_the_wanted_range_into_place_and_loses_nothing)
{
    enum { MOST = 300 };
    struct rand r = {2};
    struct item items[MOST];
    void *list[MOST], *whole[MOST];
    for (unsigned round = 0; round < 3000; round++) {
        const size_t n = (size_t)rand_below(&r, MOST), first = (size_t)rand_below(&r, n + 1);
        const size_t end = first + (size_t)rand_below(&r, n - first + 1);
        size_t compared = 0;
        bool seen[MOST] = {false};
        make(&r, items, list, n);
        memcpy(whole, list, sizeof whole);
        sort_stable(whole, n, by_key, &compared);
        sort_range(list, n, first, end, by_key, &compared);
        for (size_t i = 0; i < n; i++) {
            cr_assert(!seen[at(list, i)->place]);
            seen[at(list, i)->place] = true;
            if (i < first) cr_assert_leq(at(list, i)->key, first < n ? at(whole, first)->key : UINT32_MAX);
            else if (i < end) cr_assert_eq(at(list, i)->key, at(whole, i)->key);
        }
    }
}

Test(sort, looks_at_little_more_than_what_is_wanted)
{
    enum { MANY = 100000, FEW = 10 };
    struct rand r = {3};
    struct item *items = mem_alloc(MANY * sizeof *items);
    void **list = mem_alloc(MANY * sizeof *list);
    for (size_t i = 0; i < MANY; i++) {
        items[i] = (struct item){(unsigned)rand_below(&r, MANY), (unsigned)i};
        list[i] = &items[i];
    }
    size_t part = 0, all = 0;
    sort_range(list, MANY, 0, FEW, by_key, &part);
    cr_expect_lt(part, 5 * MANY, "%zu comparisons", part);
    sort_range(list, MANY, 0, MANY, by_key, &all);
    for (size_t i = 1; i < MANY; i++) cr_assert_leq(at(list, i - 1)->key, at(list, i)->key);
    mem_free(items);
    mem_free(list);
}
