#include <criterion/criterion.h>

#include "common/radix.h"
#include "tests/unit/rand.h"

/* The naive model: a sorted array. */
enum { MOST = 3000 };

struct model {
    struct radix_key key[MOST];
    void *value[MOST];
    unsigned count;
};

static bool below(struct radix_key a, struct radix_key b) { return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo; }
static bool equal(struct radix_key a, struct radix_key b) { return a.hi == b.hi && a.lo == b.lo; }

/* Index of the first key that is not below @key. */
static unsigned place(const struct model *m, struct radix_key key)
{
    unsigned i = 0;
    while (i < m->count && below(m->key[i], key)) i++;
    return i;
}

static void model_put(struct model *m, struct radix_key key, void *value)
{
    const unsigned at = place(m, key);
    if (at == m->count || !equal(m->key[at], key)) {
        cr_assert_lt(m->count, MOST);
        for (unsigned i = m->count++; i > at; i--) {
            m->key[i] = m->key[i - 1];
            m->value[i] = m->value[i - 1];
        }
    }
    m->key[at] = key;
    m->value[at] = value;
}

static void model_take(struct model *m, unsigned at)
{
    m->count--;
    for (unsigned i = at; i < m->count; i++) {
        m->key[i] = m->key[i + 1];
        m->value[i] = m->value[i + 1];
    }
}

/* Numbers that share few, many or no bytes, and the ends of the range. */
static struct radix_key some_key(struct rand *r, unsigned spread)
{
    switch (rand_below(r, spread)) {
    case 0: return (struct radix_key){rand_next(r), rand_next(r)};
    case 1: return (struct radix_key){rand_below(r, 2) ? UINT64_MAX : 0, rand_below(r, 2) ? UINT64_MAX : 0};
    case 2: return (struct radix_key){UINT64_C(1) << rand_below(r, 64), 0};
    case 3: return (struct radix_key){1700000000000 + rand_below(r, 100000), rand_below(r, 3)};
    default: return (struct radix_key){1700000000000 + rand_below(r, 4), rand_below(r, 700)};
    }
}

static void compare(const struct model *m, const struct radix *t, struct radix_key key)
{
    struct radix_key found;
    const unsigned at = place(m, key);
    const bool there = at < m->count && equal(m->key[at], key);
    cr_assert_eq(radix_find(t, key), there ? m->value[at] : NULL);
    const void *after = radix_at_or_after(t, key, &found);
    cr_assert_eq(after, at < m->count ? m->value[at] : NULL);
    cr_assert(!after || equal(found, m->key[at]));
    const void *before = radix_at_or_before(t, key, &found);
    const unsigned to = there ? at + 1 : at;
    cr_assert_eq(before, to > 0 ? m->value[to - 1] : NULL);
    cr_assert(!before || equal(found, m->key[to - 1]));
}

static void fuzz(uint64_t seed, unsigned spread, unsigned most)
{
    static struct model m;
    m.count = 0;
    struct radix t = {0};
    struct rand r = {seed};
    for (unsigned i = 0; i < 20000; i++) {
        const struct radix_key key = some_key(&r, spread);
        const bool shrink = m.count >= most || (i / 4000 % 2 && rand_below(&r, 4));
        if (shrink && m.count) {
            const unsigned at = rand_below(&r, 2) ? (unsigned)rand_below(&r, m.count) : 0;
            cr_assert_eq(radix_take(&t, m.key[at]), m.value[at]);
            model_take(&m, at);
        } else {
            void *value = (void *)(uintptr_t)(i + 1), *old = radix_find(&t, key);
            cr_assert_eq(radix_put(&t, key, value), old);
            model_put(&m, key, value);
        }
        if (i % 16 == 0) radix_check(&t);
        cr_assert_eq(t.size, m.count);
        compare(&m, &t, some_key(&r, spread));
        compare(&m, &t, key);
    }
    while (m.count) {
        cr_assert_eq(radix_take(&t, m.key[m.count - 1]), m.value[m.count - 1]);
        model_take(&m, m.count - 1);
        radix_check(&t);
    }
    cr_assert_null(t.root);
}

Test(radix, behaves_like_a_sorted_array)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        fuzz(seed, 5, 2500);
        fuzz(seed, 40, 1500);
        fuzz(seed, 4, 20);
    }
}

Test(radix, is_walked_in_the_order_of_the_numbers)
{
    struct radix t = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        const uint64_t mixed = i * UINT64_C(7919) % 100000;
        cr_assert_null(radix_put(&t, (struct radix_key){mixed / 100, mixed % 100}, &t));
    }
    struct radix_key at = {0, 0}, found;
    for (uint64_t i = 0; i < 100000; i++) {
        cr_assert(radix_at_or_after(&t, at, &found) && found.hi == i / 100 && found.lo == i % 100);
        at = (struct radix_key){found.hi, found.lo + 1};
    }
    cr_assert_null(radix_at_or_after(&t, at, &found));
    radix_clear(&t, NULL);
}

Test(radix, takes_about_nine_bytes_for_each_of_many_close_numbers)
{
    struct radix t = {0};
    for (uint64_t i = 0; i < 100000; i++) (void)radix_put(&t, (struct radix_key){1700000000000, i}, &t);
    cr_assert_lt(radix_bytes(&t), 100000 * 12);
    radix_check(&t);
    radix_clear(&t, NULL);
}

Test(radix, counts_its_nodes_as_a_plain_tree_would)
{
    struct radix t = {0};
    cr_assert_eq(radix_plain_nodes(&t), 1);
    (void)radix_put(&t, (struct radix_key){1, 1}, &t);
    cr_assert_eq(radix_plain_nodes(&t), 2);
    (void)radix_put(&t, (struct radix_key){1, 2}, &t);
    cr_assert_eq(radix_plain_nodes(&t), 4);
    cr_assert_null(radix_take(&t, (struct radix_key){1, 3}));
    cr_assert_eq(radix_take(&t, (struct radix_key){1, 1}), &t);
    cr_assert_eq(radix_plain_nodes(&t), 2);
    radix_clear(&t, NULL);
}
