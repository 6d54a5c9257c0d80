#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "common/types/zset.h"
#include "tests/unit/rand.h"

static const uint8_t hash_key[HTABLE_KEY_BYTES] = {1, 2, 3};
static const struct encoding_limits usual = ENCODING_LIMITS_DEFAULT;
static const struct encoding_limits always_large = {.zset_max_listpack_entries = 0};
static const struct encoding_limits always_small = {.zset_max_listpack_entries = 1u << 20,
                                                    .zset_max_listpack_value = 1u << 20};
static const struct encoding_limits soon_large = {.zset_max_listpack_entries = 40, .zset_max_listpack_value = 8};

/* The naive model: an unordered array, searched and sorted whenever something is asked. */
enum { MEMBERS = 300 };

struct model {
    bool there[MEMBERS];
    double score[MEMBERS];
};

static struct span name_of(unsigned member, char *to)
{
    /* Integers, texts, an empty member, and some that are too long for a listpack under soon_large. */
    if (member == 0) return span_of(to, 0);
    const char *format = member % 3 == 0 ? "%u" : member % 50 == 1 ? "rather-long-%u" : "m%u";
    return span_of(to, (size_t)sprintf(to, format, member));
}

static bool stands_before(const struct model *m, unsigned a, unsigned b)
{
    char x[32], y[32];
    if (m->score[a] != m->score[b]) return m->score[a] < m->score[b];
    return span_cmp(name_of(a, x), name_of(b, y)) < 0;
}

static uint64_t model_rank(const struct model *m, unsigned member)
{
    uint64_t rank = 0;
    for (unsigned i = 0; i < MEMBERS; i++) rank += m->there[i] && stands_before(m, i, member);
    return rank;
}

static uint64_t model_size(const struct model *m)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < MEMBERS; i++) n += m->there[i];
    return n;
}

static void check_member(const struct model *m, const struct zset *z, unsigned member)
{
    char text[32], scratch[NUM_I64_MAX_TEXT];
    double score;
    uint64_t rank;
    struct span seen;
    const struct span name = name_of(member, text);
    cr_assert_eq(zset_score(z, name, &score), m->there[member]);
    cr_assert_eq(zset_rank(z, name, &rank), m->there[member]);
    if (!m->there[member]) return;
    cr_assert_eq(score, m->score[member]);
    cr_assert_eq(rank, model_rank(m, member));
    struct zset_iter i;
    zset_iter_begin(&i, z, rank, member % 2);
    cr_assert(zset_iter_next(&i, &seen, &score, scratch) && span_eq(seen, name) && score == m->score[member]);
}

static void check_ranges(const struct model *m, const struct zset *z, struct rand *r)
{
    struct zset_score_range range = {(double)rand_below(r, 12) - 2, (double)rand_below(r, 12) - 2, rand_below(r, 2),
                                     rand_below(r, 2)};
    if (rand_below(r, 10) == 0) range.min = -INFINITY;
    if (rand_below(r, 10) == 0) range.max = INFINITY;
    uint64_t before = 0, in = 0, first, last;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!m->there[i]) continue;
        const double s = m->score[i];
        const bool above_min = range.min_open ? s > range.min : s >= range.min;
        before += !above_min;
        in += above_min && (range.max_open ? s < range.max : s <= range.max);
    }
    zset_find_scores(z, &range, &first, &last);
    cr_assert_eq(last - first, in);
    if (in) cr_assert_eq(first, before);
}

static void seen_once(void *context, struct span member, double score)
{
    struct model *m = context;
    for (unsigned i = 0; i < MEMBERS; i++) {
        char text[32];
        if (!span_eq(name_of(i, text), member)) continue;
        cr_assert(m->there[i] && m->score[i] == score);
        m->there[i] = false;
        return;
    }
    cr_assert_fail("a member that was never added");
}

static void check(const struct model *m, const struct zset *z, struct rand *r)
{
    zset_check(z);
    cr_assert_eq(zset_size(z), model_size(m));
    for (unsigned i = 0; i < 10; i++) check_member(m, z, (unsigned)rand_below(r, MEMBERS));
    check_ranges(m, z, r);
    struct model left = *m;
    for (uint64_t at = 0; (at = zset_scan(z, at, seen_once, &left));) continue;
    cr_assert_eq(model_size(&left), 0);
}

static double some_score(struct rand *r)
{
    static const double odd[] = {INFINITY, -INFINITY, 0.1, -0.0, 1e20, 1e300, -3.5};
    return rand_below(r, 5) ? (double)rand_below(r, 10) : odd[rand_below(r, sizeof odd / sizeof *odd)];
}

static void remove_some_ranks(struct model *m, struct zset *z, struct rand *r)
{
    const uint64_t size = zset_size(z), first = rand_below(r, size + 1);
    const uint64_t last = first + rand_below(r, size - first + 1) / 4;
    struct model old = *m;
    for (unsigned i = 0; i < MEMBERS; i++) {
        const uint64_t rank = old.there[i] ? model_rank(&old, i) : size;
        if (rank >= first && rank < last) m->there[i] = false;
    }
    zset_remove_ranks(z, first, last);
}

static void step(struct model *m, struct zset *z, struct rand *r, const struct encoding_limits *limits)
{
    char text[32];
    const unsigned member = (unsigned)rand_below(r, MEMBERS);
    const struct span name = name_of(member, text);
    const uint64_t dice = rand_below(r, 100);
    if (dice < 60) {
        const double score = some_score(r);
        cr_assert_eq(zset_set(z, name, score, limits), !m->there[member]);
        m->there[member] = true;
        m->score[member] = score;
    } else if (dice < 98) {
        cr_assert_eq(zset_remove(z, name), m->there[member]);
        m->there[member] = false;
    } else {
        remove_some_ranks(m, z, r);
    }
}

static void churn(const struct encoding_limits *limits, uint64_t seed, unsigned steps)
{
    struct rand r = {seed};
    struct model m = {0};
    struct zset *z = zset_new(hash_key);
    for (unsigned i = 0; i < steps; i++) {
        step(&m, z, &r, limits);
        check(&m, z, &r);
        if (i % 500) continue;
        struct zset *copy = zset_dup(z);
        cr_assert_str_eq(zset_encoding(copy), zset_encoding(z));
        zset_free(z);
        z = copy;
    }
    zset_free(z);
}

Test(zset, as_a_listpack_agrees_with_a_model) { churn(&always_small, 1, 1500); }
Test(zset, as_a_tree_agrees_with_a_model) { churn(&always_large, 2, 1500); }
Test(zset, agrees_with_a_model_while_it_turns_from_one_into_the_other)
{
    for (uint64_t seed = 10; seed < 30; seed++) churn(&soon_large, seed, 120);
}

Test(zset, becomes_large_at_the_entry_that_passes_the_limit)
{
    struct zset *z = zset_new(hash_key);
    char text[32];
    for (unsigned i = 0; i < 128; i++) zset_set(z, span_of(text, (size_t)sprintf(text, "member:%u", i)), i, &usual);
    cr_expect_str_eq(zset_encoding(z), "listpack");
    zset_set(z, SPAN("member:5"), 99, &usual);
    cr_expect_str_eq(zset_encoding(z), "listpack");
    zset_set(z, SPAN("one more"), 1, &usual);
    cr_expect_str_eq(zset_encoding(z), "skiplist");
    cr_expect_eq(zset_size(z), 129);
    zset_remove_ranks(z, 0, 129);
    cr_expect_eq(zset_size(z), 0);
    zset_check(z);
    zset_free(z);
}

Test(zset, becomes_large_for_a_member_above_the_limit)
{
    char text[65] = {0};
    struct zset *z = zset_new(hash_key);
    zset_set(z, span_of(text, 64), 1, &usual);
    cr_expect_str_eq(zset_encoding(z), "listpack");
    zset_set(z, span_of(text, 65), 1, &usual);
    cr_expect_str_eq(zset_encoding(z), "skiplist");
    zset_free(z);
}

struct rule_row {
    unsigned rules;
    bool there;
    double given;
    enum zset_added done;
    double after; /* of the member, which has 5 if it is there */
};

static const struct rule_row rule_rows[] = {
    {0, false, 3, ZSET_ADDED, 3},
    {0, true, 3, ZSET_MOVED, 3},
    {0, true, 5, ZSET_SAME, 5},
    {ZSET_IF_NEW, true, 3, ZSET_REFUSED, 5},
    {ZSET_IF_NEW, false, 3, ZSET_ADDED, 3},
    {ZSET_IF_THERE, true, 3, ZSET_MOVED, 3},
    {ZSET_IF_GREATER, true, 3, ZSET_REFUSED, 5},
    {ZSET_IF_GREATER, true, 5, ZSET_REFUSED, 5},
    {ZSET_IF_GREATER, true, 7, ZSET_MOVED, 7},
    {ZSET_IF_GREATER, false, 7, ZSET_ADDED, 7},
    {ZSET_IF_LESS, true, 7, ZSET_REFUSED, 5},
    {ZSET_IF_LESS, true, 3, ZSET_MOVED, 3},
    {ZSET_INCREMENT, true, 3, ZSET_MOVED, 8},
    {ZSET_INCREMENT, true, 0, ZSET_SAME, 5},
    {ZSET_INCREMENT, false, 3, ZSET_ADDED, 3},
    {ZSET_INCREMENT | ZSET_IF_LESS, true, 3, ZSET_REFUSED, 5},
    {ZSET_INCREMENT, true, INFINITY, ZSET_MOVED, INFINITY},
};

Test(zset, the_rules_of_adding_hold_in_both_forms)
{
    for (unsigned form = 0; form < 2; form++) {
        const struct encoding_limits *limits = form ? &always_large : &always_small;
        for (size_t i = 0; i < sizeof rule_rows / sizeof *rule_rows; i++) {
            const struct rule_row *row = &rule_rows[i];
            struct zset *z = zset_new(hash_key);
            if (row->there) zset_set(z, SPAN("x"), 5, limits);
            double score = row->given;
            cr_expect_eq(zset_add(z, SPAN("x"), row->rules, &score, limits), row->done, "row %zu", i);
            cr_expect(zset_score(z, SPAN("x"), &score) && score == row->after, "row %zu", i);
            zset_free(z);
        }
    }
}

Test(zset, a_rule_that_wants_the_member_there_adds_nothing)
{
    struct zset *z = zset_new(hash_key);
    double score = 1;
    cr_expect_eq(zset_add(z, SPAN("x"), ZSET_IF_THERE, &score, &usual), ZSET_REFUSED);
    cr_expect_eq(zset_size(z), 0);
    zset_free(z);
}

Test(zset, infinities_that_cancel_change_nothing)
{
    for (unsigned form = 0; form < 2; form++) {
        const struct encoding_limits *limits = form ? &always_large : &always_small;
        struct zset *z = zset_new(hash_key);
        zset_set(z, SPAN("x"), INFINITY, limits);
        double score = -INFINITY;
        cr_expect_eq(zset_add(z, SPAN("x"), ZSET_INCREMENT, &score, limits), ZSET_NAN);
        cr_expect(zset_score(z, SPAN("x"), &score) && score == INFINITY);
        zset_free(z);
    }
}

Test(zset, a_negative_zero_keeps_its_sign_only_in_the_large_form)
{
    for (unsigned form = 0; form < 2; form++) {
        struct zset *z = zset_new(hash_key);
        double score;
        zset_set(z, SPAN("x"), -0.0, form ? &always_large : &always_small);
        cr_expect(zset_score(z, SPAN("x"), &score) && score == 0 && (signbit(score) != 0) == (form == 1));
        zset_free(z);
    }
}

static uint64_t lex_count(const struct zset *z, struct span min, bool min_open, struct span max, bool max_open)
{
    uint64_t first, last;
    zset_find_lex(z, &(struct zset_lex_range){min, max, min_open, max_open}, &first, &last);
    return last - first;
}

Test(zset, ranges_by_name_know_open_closed_and_missing_bounds)
{
    for (unsigned form = 0; form < 2; form++) {
        const struct encoding_limits *limits = form ? &always_large : &always_small;
        struct zset *z = zset_new(hash_key);
        static const char *const names[] = {"a", "b", "c", "d", "e"};
        for (unsigned i = 0; i < 5; i++) zset_set(z, span_str(names[i]), 0, limits);
        const struct span none = {NULL, 0};
        cr_expect_eq(lex_count(z, none, false, none, false), 5);
        cr_expect_eq(lex_count(z, SPAN("b"), false, SPAN("d"), false), 3);
        cr_expect_eq(lex_count(z, SPAN("b"), true, SPAN("d"), true), 1);
        cr_expect_eq(lex_count(z, SPAN("b"), true, none, false), 3);
        cr_expect_eq(lex_count(z, SPAN("d"), false, SPAN("b"), false), 0);
        cr_expect_eq(lex_count(z, SPAN(""), false, SPAN("bb"), false), 2);
        zset_free(z);
    }
}

static bool from_pairs(const char *const *pairs, size_t n, const struct encoding_limits *limits, struct zset **z)
{
    lp_t *lp = lp_new();
    for (size_t i = 0; i < n; i++) lp = lp_append(lp, span_str(pairs[i]));
    return zset_of_listpack(lp, hash_key, limits, z);
}

Test(zset, takes_a_listpack_that_is_in_order_in_the_form_that_the_limits_ask_for)
{
    static const char *const pairs[] = {"a", "-inf", "12", "-0.5", "b", "3", "c", "3", "d", "1e+20"};
    struct zset *z;
    cr_assert(from_pairs(pairs, 10, &usual, &z));
    zset_check(z);
    cr_expect_str_eq(zset_encoding(z), "listpack");
    cr_expect_eq(lp_count((const lp_t *)zset_listpack(z).p), 10);
    zset_free(z);
    cr_assert(from_pairs(pairs, 10, &always_large, &z));
    zset_check(z);
    cr_expect_str_eq(zset_encoding(z), "skiplist");
    cr_expect_eq(zset_size(z), 5);
    cr_expect_null(zset_listpack(z).p);
    zset_free(z);
}

Test(zset, refuses_a_listpack_that_is_none_of_its_own)
{
    static const char *const bad[][4] = {
        {"a", "2", "b", "1"}, {"b", "1", "a", "1"}, {"a", "1", "a", "2"},
        {"a", "1", "a", "1"}, {"a", "x", "b", "1"}, {"a", "nan", "b", "1"},
    };
    struct zset *z;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_not(from_pairs(bad[i], 4, &usual, &z), "row %zu", i);
        cr_expect_not(from_pairs(bad[i], 4, &always_large, &z), "row %zu", i);
    }
    cr_expect_not(from_pairs(bad[0], 3, &usual, &z));
}

Test(zset, finds_a_member_that_stands_twice_in_a_long_listpack)
{
    for (unsigned twice = 0; twice < 2; twice++) {
        lp_t *lp = lp_new();
        char text[32];
        for (unsigned i = 0; i < 1000; i++) {
            lp = lp_append(lp, span_of(text, (size_t)sprintf(text, "m%u", twice && i == 700 ? 3 : i)));
            lp = lp_append(lp, span_of(text, (size_t)sprintf(text, "%u", i)));
        }
        struct zset *z;
        cr_expect_eq(zset_of_listpack(lp, hash_key, &always_small, &z), !twice);
        if (twice) continue;
        cr_expect_str_eq(zset_encoding(z), "listpack");
        zset_check(z);
        zset_free(z);
    }
}

Test(zset, knows_its_memory_within_five_per_cent)
{
    struct zset *z = zset_new(hash_key);
    char text[32];
    for (unsigned i = 0; i < 20000; i++)
        zset_set(z, span_of(text, (size_t)sprintf(text, "member:%09u", i)), i, &usual);
    const size_t bytes = zset_bytes(z, 0);
    cr_expect(bytes > 20000 * 40 && bytes < 20000 * 80, "%zu", bytes);
    zset_free(z);
}
