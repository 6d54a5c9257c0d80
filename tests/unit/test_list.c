#include <criterion/criterion.h>
#include <stdio.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "common/num.h"
#include "common/types/list.h"
#include "tests/unit/rand.h"
#include "tests/unit/string_model.h"

enum { TEXT_ROOM = 12000 };

static size_t model_find(const struct model *m, struct span s)
{
    size_t i = 0;
    while (i < m->n && !span_eq(m->at[i], s)) i++;
    return i;
}

/* Few distinct small values, so that LREM and LINSERT find some; now and then one too large for a node. */
static struct span random_text(struct rand *r, char *to)
{
    const uint64_t kind = rand_below(r, 40);
    if (kind < 20) return span_of(to, num_format_i64(to, (int64_t)rand_below(r, 30)));
    const size_t n = kind < 36 ? rand_below(r, 40) : kind < 38 ? rand_below(r, 1500) : 4000 + rand_below(r, 8000);
    memset(to, 'a' + (int)rand_below(r, 3), n);
    return span_of(to, n);
}

static void expect_same(const struct list *l, const struct model *m)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct span s;
    struct list_iter i;
    list_check(l);
    cr_assert_eq(list_size(l), m->n);
    size_t k = 0;
    for (list_iter_begin(&i, l, 0, false); list_iter_next(&i, &s, scratch); k++) cr_assert(span_eq(s, m->at[k]));
    cr_assert_eq(k, m->n);
    for (list_iter_begin(&i, l, -1, true); list_iter_next(&i, &s, scratch);) cr_assert(span_eq(s, m->at[--k]));
    cr_assert_eq(k, 0);
}

static void expect_element(const struct list *l, const struct model *m, int64_t index)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct span s;
    const int64_t n = (int64_t)m->n, at = index < 0 ? index + n : index;
    const bool there = list_get(l, index, &s, scratch);
    cr_assert_eq(there, at >= 0 && at < n);
    if (there) cr_assert(span_eq(s, m->at[at]));
}

static void step_ends(struct rand *r, struct list *l, struct model *m, struct span s,
                      const struct encoding_limits *limits)
{
    const enum list_end end = rand_below(r, 2) ? LIST_HEAD : LIST_TAIL;
    if (rand_below(r, 3) && m->n < MODEL_ROOM) {
        list_push(l, end, s, limits);
        model_insert(m, end == LIST_HEAD ? 0 : m->n, s);
        return;
    }
    struct buf popped = {0};
    const size_t at = end == LIST_HEAD ? 0 : m->n - 1;
    cr_assert_eq(list_pop(l, end, &popped), m->n > 0);
    if (m->n > 0) {
        cr_assert(span_eq(buf_span(&popped), m->at[at]));
        model_delete(m, at);
    }
    buf_free(&popped);
}

static void step_middle(struct rand *r, struct list *l, struct model *m, struct span s,
                        const struct encoding_limits *limits)
{
    char text[TEXT_ROOM];
    const size_t i = m->n ? rand_below(r, m->n) : 0;
    if (rand_below(r, 3) == 0) {
        cr_assert_eq(list_set(l, (int64_t)i - (rand_below(r, 2) ? (int64_t)m->n : 0), s, limits), m->n > 0);
        if (m->n == 0) return;
        model_delete(m, i);
        model_insert(m, i, s);
    } else if (m->n < MODEL_ROOM) {
        const struct span pivot = m->n ? m->at[i] : random_text(r, text);
        const size_t at = model_find(m, pivot);
        const bool after = rand_below(r, 2);
        cr_assert_eq(list_insert(l, pivot, after, s, limits), at < m->n);
        if (at < m->n) model_insert(m, at + after, s);
    }
}

static void step_remove(struct rand *r, struct list *l, struct model *m, struct span s)
{
    if (rand_below(r, 2)) {
        const uint64_t from = rand_below(r, m->n + 1), n = rand_below(r, rand_below(r, 5) ? 5 : m->n + 1);
        list_remove_range(l, from, n);
        for (uint64_t k = 0; k < n && from < m->n; k++) model_delete(m, from);
        return;
    }
    const uint64_t most = rand_below(r, 4);
    uint64_t removed = 0;
    const enum list_end end = rand_below(r, 2) ? LIST_HEAD : LIST_TAIL;
    for (size_t k = 0; k < m->n && (most == 0 || removed < most);) {
        const size_t at = end == LIST_HEAD ? k : m->n - 1 - k;
        if (span_eq(m->at[at], s)) {
            model_delete(m, at);
            removed++;
        } else {
            k++;
        }
    }
    cr_assert_eq(list_remove_equal(l, s, end, most), removed);
}

/* Mostly strings of one length, which long lists keep in flat runs. */
static struct span like_text(struct rand *r, char *to)
{
    if (rand_below(r, 60) == 0) return random_text(r, to);
    memset(to, 'a' + (int)rand_below(r, 3), 20);
    return span_of(to, rand_below(r, 30) ? 20 : 9);
}

typedef struct span text_maker(struct rand *r, char *to);

static void random_changes(uint64_t seed, int64_t max_listpack_size, text_maker *make)
{
    const struct encoding_limits limits = {.list_max_listpack_size = max_listpack_size};
    struct rand r = {seed};
    struct model m = {.n = 0};
    struct list *l = list_new();
    char text[TEXT_ROOM];
    while (make == like_text && m.n < MODEL_ROOM / 2) {
        const struct span s = make(&r, text);
        list_push(l, LIST_TAIL, s, &limits);
        model_insert(&m, m.n, s);
    }
    for (int i = 0; i < 1500; i++) {
        const struct span s = make(&r, text);
        const uint64_t pick = rand_below(&r, 20);
        if (pick < 9) step_ends(&r, l, &m, s, &limits);
        else if (pick < 18) step_middle(&r, l, &m, s, &limits);
        else step_remove(&r, l, &m, s);
        if (i % 10 == 0) expect_same(l, &m);
        expect_element(l, &m, (int64_t)rand_below(&r, 2 * m.n + 3) - (int64_t)m.n - 1);
    }
    struct list *copy = list_dup(l);
    list_free(l);
    expect_same(copy, &m);
    list_free(copy);
    model_free(&m);
}

Test(list, random_changes_agree_with_an_array_of_strings)
{
    static const int64_t settings[] = {-2, -1, 1, 3, 16, -5, 0};
    for (uint64_t seed = 1; seed <= 21; seed++) random_changes(seed, settings[seed % 7], random_text);
}

Test(list, random_changes_of_strings_of_one_length_agree_with_an_array_of_strings)
{
    static const int64_t settings[] = {16, 40, 1, 3, 7, -1};
    for (uint64_t seed = 1; seed <= 18; seed++) random_changes(seed, settings[seed % 6], like_text);
}

Test(list, a_million_elements_of_32_bytes_cost_no_more_than_33_bytes_each)
{
    enum { MANY = 1000000 };
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    struct list *l = list_new();
    for (int i = 0; i < MANY; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "element:%024d", i);
        list_push(l, LIST_TAIL, span_of(text, 32), &limits);
    }
    cr_expect_eq(list_size(l), MANY);
    cr_expect_str_eq(list_encoding(l), "quicklist");
    cr_expect_leq(list_bytes(l, 0), 33 * MANY, "%zu", list_bytes(l, 0));
    char scratch[NUM_I64_MAX_TEXT];
    struct span s;
    cr_expect(list_get(l, 654321, &s, scratch) && span_eq(s, SPAN("element:000000000000000000654321")));
    list_remove_range(l, 1, MANY - 2);
    cr_expect_eq(list_size(l), 2);
    list_check(l);
    list_free(l);
}

Test(list, a_queue_of_strings_of_one_length_comes_out_in_order)
{
    const struct encoding_limits limits = {.list_max_listpack_size = 16};
    struct list *l = list_new();
    struct buf out = {0};
    char text[32];
    for (int i = 0; i < 3000; i++) {
        list_push(l, LIST_HEAD, span_of(text, (size_t)sprintf(text, "job %06d", i)), &limits);
        if (i < 1000) continue;
        out.len = 0;
        cr_assert(list_pop(l, LIST_TAIL, &out));
        cr_assert(span_eq(buf_span(&out), span_of(text, (size_t)sprintf(text, "job %06d", i - 1000))));
        if (i % 100 == 0) list_check(l);
    }
    cr_expect_eq(list_size(l), 1000);
    buf_free(&out);
    list_free(l);
}

static void rebuild(void *context, struct span bytes, bool plain)
{
    struct list *to = context;
    if (plain) list_append_plain(to, bytes);
    else list_append_listpack(to, lp_dup((const lp_t *)bytes.p));
}

Test(list, its_nodes_rebuild_an_equal_list)
{
    const struct encoding_limits limits = {.list_max_listpack_size = -1};
    struct list *l = list_new(), *copy = list_new();
    struct rand r = {7};
    char text[TEXT_ROOM];
    for (int i = 0; i < 500; i++) list_push(l, LIST_TAIL, random_text(&r, text), &limits);
    list_each_node(l, rebuild, copy);
    list_check(copy);
    cr_assert_eq(list_size(copy), list_size(l));
    struct list_iter a, b;
    struct span x, y;
    char scratch_x[NUM_I64_MAX_TEXT], scratch_y[NUM_I64_MAX_TEXT];
    list_iter_begin(&b, copy, 0, false);
    for (list_iter_begin(&a, l, 0, false); list_iter_next(&a, &x, scratch_x);)
        cr_assert(list_iter_next(&b, &y, scratch_y) && span_eq(x, y));
    list_free(l);
    list_free(copy);
}

Test(list, repeated_insertions_in_the_middle_leave_no_crumbs)
{
    const struct encoding_limits limits = {.list_max_listpack_size = 16};
    struct list *l = list_new();
    list_push(l, LIST_TAIL, SPAN("pivot"), &limits);
    for (int i = 0; i < 4000; i++) cr_assert(list_insert(l, SPAN("pivot"), i % 2, SPAN("x"), &limits));
    list_check(l);
    cr_expect_leq(list_nodes(l), 4000 / 7, "%lu nodes", (unsigned long)list_nodes(l));
    list_free(l);
}
