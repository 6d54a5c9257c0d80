/* Expected bytes and numbers are those of redis-server 7.0. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/hyperloglog.h"
#include "tests/unit/rand.h"

enum { SPARSE_MAX_BYTES = 3000 };

static struct buf b;
static struct hll_editor editor;

static void setup(void)
{
    editor = (struct hll_editor){.b = &b, .sparse_max_bytes = SPARSE_MAX_BYTES};
    hll_init(&b);
}
static void teardown(void) { buf_free(&b); }

TestSuite(hyperloglog, .init = setup, .fini = teardown);

static enum hll_change add(const char *element) { return hll_raise(&editor, hll_mark_of(span_str(element))); }

static void add_number(unsigned n)
{
    char text[16];
    (void)snprintf(text, sizeof text, "x%u", n);
    cr_assert_neq(add(text), HLL_DAMAGED);
}

static uint64_t estimate(struct span s)
{
    uint8_t registers[HLL_REGISTERS] = {0};
    cr_assert(hll_merge(registers, s));
    return hll_estimate(registers);
}

/* The runs as PFDEBUG DECODE writes them. */
static const char *runs(void)
{
    static char text[1000];
    struct hll_run run;
    size_t n = 0;
    text[0] = 0;
    for (size_t at = HLL_HEADER_BYTES; n < sizeof text - 50 && hll_next_run(buf_span(&b), &at, &run);)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              run.value  ? "%sv:%u,%u"
                              : run.wide ? "%sZ:%u"
                                         : "%sz:%u",
                              n ? " " : "", run.value ? run.value : run.registers, run.registers);
    return text;
}

Test(hyperloglog, is_one_run_of_zeros_when_empty)
{
    cr_expect_str_eq(runs(), "Z:16384");
    cr_expect_eq(b.len, HLL_HEADER_BYTES + 2);
    cr_expect(hll_valid(buf_span(&b)));
    cr_expect_eq(estimate(buf_span(&b)), 0);
}

Test(hyperloglog, splits_runs_as_elements_come)
{
    static const char *const elements[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) cr_expect_eq(add(elements[i]), HLL_CHANGED);
    cr_expect_str_eq(runs(), "Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
    cr_expect_eq(add("a"), HLL_SAME);
    cr_expect_eq(estimate(buf_span(&b)), 4);
}

Test(hyperloglog, joins_neighbours_of_equal_value_up_to_four)
{
    for (uint32_t i = 0; i < 6; i++) cr_expect_eq(hll_raise(&editor, (struct hll_mark){100 + i, 3}), HLL_CHANGED);
    cr_expect_str_eq(runs(), "Z:100 v:3,4 v:3,2 Z:16278");
    cr_expect_eq(hll_raise(&editor, (struct hll_mark){101, 7}), HLL_CHANGED);
    cr_expect_str_eq(runs(), "Z:100 v:3,1 v:7,1 v:3,4 Z:16278");
    cr_expect_eq(hll_raise(&editor, (struct hll_mark){101, 6}), HLL_SAME);
}

Test(hyperloglog, turns_dense_where_a_rank_is_beyond_runs)
{
    cr_expect_eq(hll_raise(&editor, (struct hll_mark){5, 32}), HLL_CHANGED);
    cr_expect_eq(hll_encoding(buf_span(&b)), HLL_SPARSE);
    cr_expect_eq(hll_raise(&editor, (struct hll_mark){5, 33}), HLL_CHANGED);
    cr_expect_eq(hll_encoding(buf_span(&b)), HLL_DENSE);
    cr_expect_eq(b.len, HLL_DENSE_BYTES);
    uint8_t registers[HLL_REGISTERS] = {0};
    cr_assert(hll_merge(registers, buf_span(&b)));
    cr_expect_eq(registers[5], 33);
}

Test(hyperloglog, turns_dense_when_it_becomes_too_long_and_loses_nothing)
{
    struct buf dense = {0};
    hll_init(&dense);
    cr_assert(hll_make_dense(&dense));
    struct hll_editor other = {.b = &dense};
    for (unsigned i = 0; i < 3000; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "x%u", i);
        const struct hll_mark mark = hll_mark_of(span_str(text));
        cr_assert_eq(hll_raise(&editor, mark), hll_raise(&other, mark));
        cr_assert(b.len <= SPARSE_MAX_BYTES || b.len == HLL_DENSE_BYTES);
    }
    cr_expect_eq(hll_encoding(buf_span(&b)), HLL_DENSE);
    cr_expect(span_eq(buf_span(&b), buf_span(&dense)));
    buf_free(&dense);
}

Test(hyperloglog, estimates_as_redis_does)
{
    static const struct {
        unsigned elements;
        uint64_t estimate;
    } known[] = {{10, 10}, {100, 99}, {1000, 1001}, {10000, 10066}, {100000, 100903}};
    unsigned n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        while (n < known[i].elements) add_number(n++);
        cr_expect_eq(estimate(buf_span(&b)), known[i].estimate, "%lu for %u", estimate(buf_span(&b)), n);
    }
}

Test(hyperloglog, gives_the_same_runs_with_a_hint_as_without)
{
    struct rand r = {1};
    for (unsigned round = 0; round < 200; round++) {
        struct buf plain = {0};
        hll_init(&b);
        hll_init(&plain);
        editor.hint = 0;
        editor.sparse_max_bytes = HLL_DENSE_BYTES;
        const uint64_t step = 1 + rand_below(&r, 200);
        for (uint32_t i = 0; i < HLL_REGISTERS; i += 1 + (uint32_t)rand_below(&r, step)) {
            const struct hll_mark mark = {i, (uint8_t)(1 + rand_below(&r, 4))};
            struct hll_editor fresh = {.b = &plain, .sparse_max_bytes = HLL_DENSE_BYTES};
            cr_assert_eq(hll_raise(&editor, mark), hll_raise(&fresh, mark));
        }
        cr_assert(span_eq(buf_span(&b), buf_span(&plain)));
        buf_free(&plain);
    }
}

Test(hyperloglog, keeps_an_estimate_until_it_is_spoilt)
{
    uint64_t v;
    hll_format_cache(b.p + HLL_CACHE_AT, 12345);
    cr_expect(hll_cached(buf_span(&b), &v));
    cr_expect_eq(v, 12345);
    hll_spoil_cache(b.p);
    cr_expect(!hll_cached(buf_span(&b), &v));
}

Test(hyperloglog, is_known_by_its_header_and_length)
{
    cr_expect(!hll_valid(SPAN("")));
    cr_expect(!hll_valid(SPAN("HYLL")));
    b.p[4] = 0;
    cr_expect(!hll_valid(buf_span(&b)), "dense, but too short");
    b.p[4] = 2;
    cr_expect(!hll_valid(buf_span(&b)));
    b.p[4] = 1;
    b.p[0] = 'h';
    cr_expect(!hll_valid(buf_span(&b)));
}

Test(hyperloglog, stays_within_its_bytes_whatever_they_are)
{
    struct rand r = {7};
    uint8_t registers[HLL_REGISTERS];
    for (unsigned round = 0; round < 3000; round++) {
        hll_init(&b);
        editor.hint = 0;
        b.len = HLL_HEADER_BYTES;
        for (uint64_t n = rand_below(&r, 400); n > 0; n--) buf_add_char(&b, (char)rand_next(&r));
        /* As large as its content, so that the sanitizer sees the end. */
        struct buf tight = {0};
        buf_add(&tight, b.p, b.len);
        editor.b = &tight;
        memset(registers, 0, sizeof registers);
        const bool whole = hll_merge(registers, buf_span(&tight));
        for (unsigned i = 0; i < 20; i++) {
            const struct hll_mark mark = {(uint32_t)rand_below(&r, HLL_REGISTERS), (uint8_t)(1 + rand_below(&r, 51))};
            const enum hll_change change = hll_raise(&editor, mark);
            cr_assert(!whole || change != HLL_DAMAGED);
            if (change == HLL_DAMAGED) break;
        }
        cr_assert_eq(hll_make_dense(&tight) && whole, whole);
        buf_free(&tight);
    }
}

/* The naive model: a plain array of registers. Few registers are hit at first, so that runs are split and joined again. */
Test(hyperloglog, holds_what_a_plain_array_of_registers_holds)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        static uint8_t model[HLL_REGISTERS], held[HLL_REGISTERS];
        struct rand r = {seed};
        memset(model, 0, sizeof model);
        hll_init(&b);
        editor = (struct hll_editor){.b = &b, .sparse_max_bytes = 200 * seed};
        for (unsigned i = 0; i < 3000; i++) {
            const struct hll_mark mark = {
                .index = (uint32_t)(rand_below(&r, i < 1000 ? 40 : HLL_REGISTERS) + (i < 1000 ? seed * 1000 : 0)),
                .rank = (uint8_t)(1 + rand_below(&r, i % 100 ? 30 : HLL_HASH_BITS + 1))};
            const bool higher = mark.rank > model[mark.index];
            if (higher) model[mark.index] = mark.rank;
            editor.hint = 0; /* marks come in no order here */
            cr_assert_eq(hll_raise(&editor, mark), higher ? HLL_CHANGED : HLL_SAME, "seed %lu, step %u", seed, i);
            cr_assert(hll_valid(buf_span(&b)));
            if (i % 20) continue;
            memset(held, 0, sizeof held);
            cr_assert(hll_merge(held, buf_span(&b)));
            cr_assert_arr_eq(held, model, sizeof held, "seed %lu, step %u", seed, i);
        }
        cr_expect_eq(hll_encoding(buf_span(&b)), HLL_DENSE);
    }
}
