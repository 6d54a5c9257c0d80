#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/types/btree.h"
#include "tests/unit/rand.h"

/* The naive model: a sorted array of the same items. */
struct model {
    struct btree tree;
    struct zitem **items;
    size_t n, room;
};

static int compare(double score, struct span member, const struct zitem *item)
{
    if (score != item->score) return score < item->score ? -1 : 1;
    return span_cmp(member, zitem_member(item));
}

static size_t model_place(const struct model *m, double score, struct span member)
{
    size_t from = 0, to = m->n;
    while (from < to) {
        const size_t middle = (from + to) / 2;
        if (compare(score, member, m->items[middle]) > 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

static void model_put(struct model *m, struct zitem *item)
{
    if (m->n == m->room) m->items = mem_realloc(m->items, (m->room = m->room * 2 + 16) * sizeof *m->items);
    const size_t at = model_place(m, item->score, zitem_member(item));
    memmove(m->items + at + 1, m->items + at, (m->n - at) * sizeof *m->items);
    m->items[at] = item;
    m->n++;
}

static struct zitem *model_take(struct model *m, size_t at)
{
    struct zitem *item = m->items[at];
    m->n--;
    memmove(m->items + at, m->items + at + 1, (m->n - at) * sizeof *m->items);
    return item;
}

static void add(struct model *m, unsigned number, double score)
{
    char text[24];
    struct zitem *item = zitem_new(span_of(text, (size_t)snprintf(text, sizeof text, "m%06u", number)), score);
    model_put(m, item);
    btree_insert(&m->tree, item);
}

static void remove_one(struct model *m, size_t at, bool by_rank)
{
    struct zitem *item = model_take(m, at);
    if (by_rank) cr_assert_eq(btree_remove_at(&m->tree, at), item);
    else btree_remove(&m->tree, item);
    mem_free(item);
}

static void compare_walks(const struct model *m)
{
    size_t i = 0;
    for (struct btree_place p = btree_seek(&m->tree, 0); p.leaf; p = btree_step(p, false), i++)
        cr_assert(i < m->n && btree_item(p) == m->items[i]);
    cr_assert_eq(i, m->n);
    for (struct btree_place p = btree_seek(&m->tree, m->n - 1); p.leaf; p = btree_step(p, true))
        cr_assert_eq(btree_item(p), m->items[--i]);
    cr_assert_eq(i, 0);
}

static void compare_ranks(const struct model *m)
{
    for (size_t i = 0; i < m->n; i += 1 + m->n / 100) {
        const double score = m->items[i]->score;
        cr_assert_eq(btree_rank(&m->tree, m->items[i]), i);
        cr_assert_eq(btree_item(btree_seek(&m->tree, i)), m->items[i]);
        size_t below = i, to = i;
        while (below > 0 && m->items[below - 1]->score == score) below--;
        while (to < m->n && m->items[to]->score == score) to++;
        cr_assert_eq(btree_count_below(&m->tree, score, false), below);
        cr_assert_eq(btree_count_below(&m->tree, score, true), to);
    }
    cr_assert_eq(btree_count_below(&m->tree, -INFINITY, false), 0);
    cr_assert_eq(btree_count_below(&m->tree, INFINITY, true), m->n);
}

static void check(const struct model *m)
{
    btree_check(&m->tree);
    cr_assert_eq(m->tree.count, m->n);
    compare_walks(m);
    compare_ranks(m);
}

static void end(struct model *m)
{
    btree_free(&m->tree);
    for (size_t i = 0; i < m->n; i++) mem_free(m->items[i]);
    mem_free(m->items);
}

/* Scores of very different shapes: what tags must cope with. */
enum shape { EQUAL, FEW, WHOLE, UNIFORM, ANY_BITS, EXTREMES, ASCENDING, DESCENDING, SHAPES };

static double score_of(enum shape shape, struct rand *r, unsigned step)
{
    const double u = (double)rand_below(r, UINT64_C(1) << 53) / 9007199254740992.0;
    static const double extremes[] = {-INFINITY, INFINITY, -0.0, 0, 5e-324, -5e-324, 1.7976931348623157e308, 1, -1};
    double any;
    const uint64_t bits = rand_next(r);
    memcpy(&any, &bits, sizeof any);
    switch (shape) {
    case EQUAL: return 7;
    case FEW: return (double)rand_below(r, 5);
    case WHOLE: return (double)rand_below(r, 1000000) - 500000;
    case UNIFORM: return u * 2 - 1;
    case ANY_BITS: return isnan(any) ? 0 : any;
    case EXTREMES: return extremes[rand_below(r, sizeof extremes / sizeof *extremes)];
    case ASCENDING: return step * 0.25;
    case DESCENDING: return step * -1e6;
    default: return 0;
    }
}

static void churn(enum shape shape, uint64_t seed, unsigned steps, unsigned check_every)
{
    struct rand r = {seed};
    struct model m = {0};
    btree_init(&m.tree);
    unsigned growth = 80; /* per cent of steps that insert; falls and rises, so that the tree does too */
    for (unsigned step = 0; step < steps; step++) {
        if (step % (steps / 4) == 0) growth = step / (steps / 4) % 2 ? 30 : 80;
        const uint64_t dice = rand_below(&r, 100);
        if (dice < growth || m.n == 0) {
            add(&m, step, score_of(shape, &r, step));
        } else if (dice % 3 == 0) {
            struct zitem *item = model_take(&m, rand_below(&r, m.n));
            /* The model takes it back after the move: a small step half of the time. */
            const double score = dice % 2 ? score_of(shape, &r, step) : item->score + 0.5;
            btree_move(&m.tree, item, score);
            model_put(&m, item);
        } else {
            remove_one(&m, rand_below(&r, m.n), dice % 2);
        }
        if (step % check_every == 0) check(&m);
    }
    check(&m);
    while (m.n) remove_one(&m, rand_below(&r, m.n), false);
    check(&m);
    end(&m);
}

Test(btree, agrees_with_a_sorted_array_after_every_step)
{
    for (unsigned shape = 0; shape < SHAPES; shape++) churn((enum shape)shape, shape + 1, 600, 1);
}

Test(btree, agrees_with_a_sorted_array_when_it_is_several_levels_high)
{
    for (unsigned shape = 0; shape < SHAPES; shape++) churn((enum shape)shape, shape + 100, 40000, 4001);
}

static double fill(const struct model *m) { return (double)m->n * 8 / (double)m->tree.bytes; }

Test(btree, ascending_and_descending_scores_leave_full_leaves_behind)
{
    for (int direction = -1; direction <= 1; direction += 2) {
        struct model m = {0};
        btree_init(&m.tree);
        for (unsigned i = 0; i < 50000; i++) add(&m, i, direction * (double)i);
        check(&m);
        cr_expect_gt(fill(&m), 0.85, "%f", fill(&m));
        end(&m);
    }
}

Test(btree, costs_less_than_thirteen_bytes_a_member_in_any_order)
{
    struct rand r = {9};
    struct model m = {0};
    btree_init(&m.tree);
    for (unsigned i = 0; i < 50000; i++) add(&m, i, score_of(UNIFORM, &r, i));
    check(&m);
    cr_expect_lt((double)m.tree.bytes / (double)m.n, 13, "%f", (double)m.tree.bytes / (double)m.n);
    end(&m);
}

Test(btree, gives_memory_back_when_members_leave)
{
    struct rand r = {11};
    struct model m = {0};
    btree_init(&m.tree);
    for (unsigned i = 0; i < 50000; i++) add(&m, i, score_of(WHOLE, &r, i));
    while (m.n > 5000) remove_one(&m, rand_below(&r, m.n), true);
    check(&m);
    cr_expect_gt(fill(&m), 0.3, "%f", fill(&m));
    end(&m);
}

Test(btree, counts_members_by_name_where_all_scores_are_equal)
{
    struct model m = {0};
    btree_init(&m.tree);
    for (unsigned i = 0; i < 1000; i++) add(&m, i * 2, 0);
    cr_expect_eq(btree_count_before(&m.tree, SPAN("m000500"), false), 250);
    cr_expect_eq(btree_count_before(&m.tree, SPAN("m000500"), true), 251);
    cr_expect_eq(btree_count_before(&m.tree, SPAN("m000501"), true), 251);
    cr_expect_eq(btree_count_before(&m.tree, SPAN(""), true), 0);
    cr_expect_eq(btree_count_before(&m.tree, SPAN("n"), false), 1000);
    end(&m);
}

Test(btree, a_negative_zero_stands_among_the_zeros_and_keeps_its_sign)
{
    struct model m = {0};
    btree_init(&m.tree);
    add(&m, 2, 0);
    add(&m, 1, -0.0);
    add(&m, 3, -0.0);
    add(&m, 0, 5e-324);
    check(&m);
    cr_expect(signbit(btree_item(btree_seek(&m.tree, 0))->score));
    cr_expect(span_eq(zitem_member(btree_item(btree_seek(&m.tree, 3))), SPAN("m000000")));
    end(&m);
}

Test(btree, an_empty_one_has_no_place_and_counts_nothing)
{
    struct btree t;
    btree_init(&t);
    btree_check(&t);
    cr_expect_null(btree_seek(&t, 0).leaf);
    cr_expect_eq(btree_count_below(&t, 1, true), 0);
    btree_free(&t);
}

Test(btree, an_item_holds_members_of_any_length)
{
    static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 3000000};
    char *bytes = mem_zalloc(1, 3000000);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct zitem *item = zitem_new(span_of(bytes, lengths[i]), 1.5);
        cr_expect_eq(zitem_member(item).n, lengths[i]);
        cr_expect(span_eq(zitem_member(item), span_of(bytes, lengths[i])));
        mem_free(item);
    }
    mem_free(bytes);
}
