#include <criterion/criterion.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "tests/unit/rand.h"
#include "tests/unit/string_model.h"

enum { TEXT_ROOM = 5000 };

/* A string of any kind that has an encoding of its own. */
static struct span random_text(struct rand *r, char *to)
{
    const unsigned kind = (unsigned)rand_below(r, 10);
    if (kind < 6) {
        const unsigned bits = (unsigned)rand_below(r, 64);
        return span_of(to, num_format_i64(to, (int64_t)rand_next(r) >> bits));
    }
    static const size_t limit[] = {20, 70, 300, TEXT_ROOM};
    const size_t n = rand_below(r, limit[kind - 6]);
    for (size_t i = 0; i < n; i++) to[i] = (char)rand_next(r);
    return span_of(to, n);
}

static void expect_same(const lp_t *lp, const struct model *m)
{
    char scratch[NUM_I64_MAX_TEXT];
    cr_assert(lp_valid(lp, lp_bytes(lp)));
    cr_assert_eq(lp_count(lp), m->n);
    size_t i = 0;
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at), i++) {
        cr_assert(span_eq(lp_get(at, scratch), m->at[i]));
        cr_assert(lp_equal(at, m->at[i]));
    }
    cr_assert_eq(i, m->n);
    for (const lp_t *at = lp_last(lp); at; at = lp_prev(lp, at)) cr_assert(span_eq(lp_get(at, scratch), m->at[--i]));
    cr_assert_eq(i, 0);
}

static void expect_found(const lp_t *lp, const struct model *m, struct span s, unsigned skip)
{
    size_t i = 0;
    while (i < m->n && !span_eq(m->at[i], s)) i += 1 + skip;
    const lp_t *at = lp_find(lp, lp_first(lp), s, skip);
    cr_assert_eq(at, i < m->n ? lp_seek(lp, (int64_t)i) : NULL);
}

static lp_t *random_step(struct rand *r, lp_t *lp, struct model *m)
{
    char text[TEXT_ROOM];
    const struct span s = random_text(r, text);
    const uint64_t pick = rand_below(r, 10);
    const size_t i = m->n ? rand_below(r, m->n) : 0;
    const lp_t *at = m->n ? lp_seek(lp, rand_below(r, 2) ? (int64_t)i : (int64_t)i - (int64_t)m->n) : NULL;
    if (m->n && (pick < 3 || m->n > MODEL_ROOM - 2)) {
        const size_t n = 1 + rand_below(r, 3), gone = n < m->n - i ? n : m->n - i;
        lp = lp_delete(lp, &at, n);
        for (size_t k = 0; k < gone; k++) model_delete(m, i);
        cr_assert_eq(at, lp_seek(lp, (int64_t)i));
    } else if (m->n && pick < 5) {
        lp = lp_replace(lp, &at, s);
        model_delete(m, i);
        model_insert(m, i, s);
        cr_assert(lp_equal(at, s));
    } else if (pick < 7) {
        lp = lp_append(lp, s);
        model_insert(m, m->n, s);
    } else if (pick < 8) {
        lp = lp_prepend(lp, s);
        model_insert(m, 0, s);
    } else {
        const lp_t *inserted;
        lp = lp_insert(lp, at, s, &inserted);
        model_insert(m, i, s);
        cr_assert(lp_equal(inserted, s));
    }
    return lp;
}

Test(listpack, random_changes_agree_with_an_array_of_strings)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rand r = {seed};
        struct model m = {.n = 0};
        char text[TEXT_ROOM];
        lp_t *lp = lp_new();
        for (int i = 0; i < 600; i++) {
            lp = random_step(&r, lp, &m);
            if (i % 10 == 0) expect_same(lp, &m);
            const struct span s = m.n && rand_below(&r, 2) ? m.at[rand_below(&r, m.n)] : random_text(&r, text);
            expect_found(lp, &m, s, (unsigned)rand_below(&r, 3));
        }
        lp_t *copy = lp_dup(lp);
        lp_free(lp);
        expect_same(copy, &m);
        lp_free(copy);
        model_free(&m);
    }
}

Test(listpack, its_bytes_are_those_of_redis)
{
    static const unsigned char expected[] = {0x13, 0,    0,    0,    3, 0,    0x7F, 1, 0xDF, 0xFF,
                                             2,    0xF1, 0x01, 0x80, 3, 0x81, 'x',  2, 0xFF};
    lp_t *lp = lp_new();
    lp = lp_append(lp, SPAN("127"));
    lp = lp_append(lp, SPAN("-1"));
    lp = lp_append(lp, SPAN("-32767"));
    cr_assert_eq(lp_count(lp), 3);
    lp = lp_append(lp, SPAN("x"));
    cr_assert_eq(lp_bytes(lp), sizeof expected);
    lp[4] = 3; /* the count is checked above */
    cr_assert_arr_eq(lp, expected, sizeof expected);
    cr_assert_not(lp_valid(lp, lp_bytes(lp)), "a wrong count is noticed");
    lp_free(lp);
}

Test(listpack, integers_are_stored_as_such_only_if_their_text_is_canonical)
{
    static const char *const texts[] = {"01", "-0", "+1", "", "9223372036854775808", "1 "};
    lp_t *lp = lp_new();
    int64_t v;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lp = lp_append(lp, span_str(texts[i]));
        cr_expect_not(lp_get_int(lp_last(lp), &v), "%s", texts[i]);
    }
    lp = lp_append(lp, SPAN("-9223372036854775808"));
    cr_expect(lp_get_int(lp_last(lp), &v) && v == INT64_MIN);
    lp_free(lp);
}

Test(listpack, more_elements_than_its_count_field_can_say_are_still_counted)
{
    enum { MANY = 70000, BYTES = LP_HEADER_BYTES + 2 * MANY + 1 };
    /* Written by hand, because appending so many one by one takes seconds under a sanitizer: i % 100, and its length. */
    lp_t *lp = mem_alloc(BYTES);
    const lp_t head[LP_HEADER_BYTES] = {BYTES & 0xFF, BYTES >> 8 & 0xFF, BYTES >> 16, 0, 0xFF, 0xFF};
    memcpy(lp, head, sizeof head);
    for (int i = 0; i < MANY; i++) {
        lp[LP_HEADER_BYTES + 2 * i] = (lp_t)(i % 100);
        lp[LP_HEADER_BYTES + 2 * i + 1] = 1;
    }
    lp[BYTES - 1] = 0xFF;
    cr_expect_eq(lp_count(lp), MANY);
    cr_expect(lp_valid(lp, lp_bytes(lp)));
    int64_t v;
    cr_expect(lp_get_int(lp_seek(lp, 69000), &v) && v == 0);
    cr_expect(lp_get_int(lp_seek(lp, -2), &v) && v == 98);
    cr_expect_null(lp_seek(lp, MANY));
    cr_expect_null(lp_seek(lp, -MANY - 1));
    const lp_t *at = lp_first(lp);
    lp = lp_delete(lp, &at, 60000);
    cr_expect_eq(lp_count(lp), MANY - 60000);
    lp_free(lp);
}

Test(listpack, elements_at_the_bounds_of_every_length_form_survive)
{
    static const size_t sizes[] = {0,    63,    64,    125,   126,     127,     4095,
                                   4096, 16377, 16378, 16379, 2097145, 2097146, 2097147};
    lp_t *lp = lp_new();
    char *text = mem_zalloc(1, 3000000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) lp = lp_append(lp, span_of(text, sizes[i]));
    cr_expect(lp_valid(lp, lp_bytes(lp)));
    size_t i = sizeof sizes / sizeof *sizes;
    for (const lp_t *at = lp_last(lp); at; at = lp_prev(lp, at)) cr_expect_eq(lp_get(at, NULL).n, sizes[--i]);
    cr_expect_eq(i, 0);
    mem_free(text);
    lp_free(lp);
}

/* Read all of it in both directions: the sanitizer says whether a byte outside was touched. */
static void walk(const lp_t *lp)
{
    char scratch[NUM_I64_MAX_TEXT];
    size_t n = 0, sum = 0;
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at), n++) {
        const struct span s = lp_get(at, scratch);
        for (size_t i = 0; i < s.n; i++) sum += (unsigned char)s.p[i];
    }
    cr_assert_eq(n, lp_count(lp));
    for (const lp_t *at = lp_last(lp); at; at = lp_prev(lp, at)) n--;
    cr_assert_eq(n, 0, "%zu", sum);
}

Test(listpack, mutated_bytes_are_refused_or_harmless)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct rand r = {seed};
        struct model m = {.n = 0};
        lp_t *lp = lp_new();
        for (int i = 0; i < 12; i++) lp = random_step(&r, lp, &m);
        for (int round = 0; round < 60; round++) {
            const size_t n = rand_below(&r, 8) ? lp_bytes(lp) : rand_below(&r, lp_bytes(lp) + 1);
            lp_t *copy = mem_dup(lp, n);
            for (uint64_t flips = rand_below(&r, 4); flips > 0 && n > 0; flips--)
                copy[rand_below(&r, 2) ? rand_below(&r, n < 16 ? n : 16) : rand_below(&r, n)] = (lp_t)rand_next(&r);
            if (lp_valid(copy, n)) walk(copy);
            mem_free(copy);
        }
        lp_free(lp);
        model_free(&m);
    }
}
