#include <criterion/criterion.h>

#include "common/intset.h"
#include "common/mem.h"
#include "tests/unit/rand.h"

/* The naive model: an unordered array. */
struct model {
    int64_t at[300];
    size_t n;
};

static size_t model_find(const struct model *m, int64_t v)
{
    size_t i = 0;
    while (i < m->n && m->at[i] != v) i++;
    return i;
}

static int64_t random_int(struct rand *r, unsigned bits)
{
    const int64_t v = (int64_t)(rand_next(r) >> (64 - bits));
    return rand_below(r, 2) ? v : -v - 1;
}

static void expect_same(const intset_t *s, const struct model *m)
{
    cr_assert(intset_valid(s, intset_bytes(s)));
    cr_assert_eq(intset_count(s), m->n);
    for (size_t i = 0; i < m->n; i++) cr_assert(intset_has(s, m->at[i]));
    for (size_t i = 1; i < m->n; i++) cr_assert(intset_at(s, i - 1) < intset_at(s, i));
}

Test(intset, random_changes_agree_with_an_array)
{
    static const unsigned bits[] = {4, 8, 15, 16, 31, 40, 63};
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rand r = {seed};
        struct model m = {.n = 0};
        intset_t *s = intset_new();
        for (unsigned i = 0; i < 700; i++) {
            const int64_t v = random_int(&r, bits[rand_below(&r, 1 + i / 100)]);
            const size_t at = model_find(&m, v);
            bool done;
            if (rand_below(&r, 3) && m.n < 300) {
                s = intset_add(s, v, &done);
                cr_assert_eq(done, at == m.n);
                if (done) m.at[m.n++] = v;
            } else {
                s = intset_remove(s, v, &done);
                cr_assert_eq(done, at < m.n);
                if (done) m.at[at] = m.at[--m.n];
            }
            if (i % 20 == 0) expect_same(s, &m);
            cr_assert_eq(intset_has(s, ~v), model_find(&m, ~v) < m.n);
        }
        intset_t *copy = intset_dup(s);
        intset_free(s);
        expect_same(copy, &m);
        intset_free(copy);
    }
}

Test(intset, the_widest_integer_decides_on_the_width)
{
    bool done;
    intset_t *s = intset_new();
    s = intset_add(s, 1, &done);
    cr_expect_eq(intset_bytes(s), 8 + 2);
    s = intset_add(s, -40000, &done);
    cr_expect_eq(intset_bytes(s), 8 + 2 * 4);
    s = intset_add(s, INT64_MAX, &done);
    cr_expect_eq(intset_bytes(s), 8 + 3 * 8);
    cr_expect(intset_at(s, 0) == -40000 && intset_at(s, 1) == 1 && intset_at(s, 2) == INT64_MAX);
    intset_free(s);
}

Test(intset, mutated_bytes_are_refused_or_harmless)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct rand r = {seed};
        intset_t *s = intset_new();
        bool done;
        for (int i = 0; i < 6; i++) s = intset_add(s, random_int(&r, 1 + (unsigned)rand_below(&r, 40)), &done);
        for (int round = 0; round < 60; round++) {
            const size_t n = rand_below(&r, 8) ? intset_bytes(s) : rand_below(&r, intset_bytes(s) + 1);
            intset_t *copy = mem_dup(s, n);
            if (n > 0)
                copy[rand_below(&r, 2) ? rand_below(&r, n < 8 ? n : 8) : rand_below(&r, n)] = (intset_t)rand_next(&r);
            if (intset_valid(copy, n))
                for (size_t i = 0; i < intset_count(copy); i++) cr_assert(intset_has(copy, intset_at(copy, i)));
            mem_free(copy);
        }
        intset_free(s);
    }
}

Test(intset, duplicates_and_disorder_are_refused)
{
    cr_expect(intset_valid("\2\0\0\0\2\0\0\0\1\0\2\0", 12));
    cr_expect_not(intset_valid("\2\0\0\0\2\0\0\0\1\0\1\0", 12));
    cr_expect_not(intset_valid("\2\0\0\0\2\0\0\0\2\0\1\0", 12));
    cr_expect_not(intset_valid("\3\0\0\0\2\0\0\0\2\0\1\0\0\0", 14));
    cr_expect_not(intset_valid("\2\0\0\0\2\0\0\0\1\0", 10));
}
