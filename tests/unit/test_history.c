#include <criterion/criterion.h>

#include "replication/history.h"

static struct history make(const struct epoch *epochs, size_t n)
{
    struct history h = {.lineage = {{7}}};
    for (size_t i = 0; i < n; i++) cr_assert_eq(history_add(&h, &epochs[i]), ERR_OK);
    return h;
}

#define MAKE(...) \
    make((const struct epoch[]){__VA_ARGS__}, sizeof((const struct epoch[]){__VA_ARGS__}) / sizeof(struct epoch))

static const struct epoch one = {1, 11, 0, 0}, two = {2, 22, 1000, 5}, other_two = {2, 23, 900, 6},
                          five = {5, 55, 1500, 7};

static void expect(struct history a, uint64_t a_end, struct history b, uint64_t b_end, enum history_relation wanted,
                   uint64_t parting)
{
    uint64_t at;
    cr_expect_eq(history_compare(&a, a_end, &b, b_end, &at), wanted);
    cr_expect_eq(at, parting, "parting at %llu", (unsigned long long)at);
    history_free(&a);
    history_free(&b);
}

Test(history, a_byte_belongs_to_the_last_epoch_that_starts_at_or_before_it)
{
    struct history h = MAKE(one, two, five);
    cr_expect_eq(history_at(&h, 0)->number, 1);
    cr_expect_eq(history_at(&h, 999)->number, 1);
    cr_expect_eq(history_at(&h, 1000)->number, 2);
    cr_expect_eq(history_at(&h, 5000)->number, 5);
    cr_expect_eq(history_find(&h, 2)->id, 22);
    cr_expect_null(history_find(&h, 3));
    history_free(&h);
}

Test(history, numbers_rise_and_starts_do_not_fall)
{
    struct history h = MAKE(one, two);
    cr_expect_eq(history_add(&h, &two), ERR_INVALID);
    cr_expect_eq(history_add(&h, &(struct epoch){3, 1, 999, 0}), ERR_INVALID);
    cr_expect_eq(history_add(&h, &(struct epoch){3, 1, 1000, 0}), ERR_OK);
    history_free(&h);
}

Test(history, logs_with_the_same_epochs_differ_only_in_length)
{
    expect(MAKE(one, two), 1200, MAKE(one, two), 1200, HISTORY_EQUAL, 1200);
    expect(MAKE(one, two), 1100, MAKE(one, two, five), 2000, HISTORY_BEHIND, 1100);
    expect(MAKE(one, two, five), 2000, MAKE(one), 300, HISTORY_AHEAD, 300);
    expect(MAKE(one), 0, MAKE(one), 10, HISTORY_BEHIND, 0);
}

Test(history, logs_part_where_their_epochs_do)
{
    expect(MAKE(one, two), 1200, MAKE(one, other_two), 1200, HISTORY_DIVERGED, 900);
    /* A primary lost what was not synced and restarted; its replica has more of the old epoch. */
    expect(MAKE(one), 1000, MAKE(one, other_two), 950, HISTORY_DIVERGED, 900);
    expect(MAKE(one, two), 2000, MAKE(one, two, five), 1700, HISTORY_DIVERGED, 1500);
}

Test(history, an_epoch_without_bytes_does_not_count)
{
    expect(MAKE(one, two), 1000, MAKE(one), 1000, HISTORY_EQUAL, 1000);
    expect(MAKE(one, two), 1000, MAKE(one, (struct epoch){3, 33, 1000, 5}), 1100, HISTORY_BEHIND, 1000);
    expect(MAKE(one, two, (struct epoch){3, 3, 1000, 5}), 1300, MAKE(one, (struct epoch){3, 3, 1000, 5}), 1200,
           HISTORY_AHEAD, 1200);
}

Test(history, another_lineage_is_unrelated)
{
    struct history a = MAKE(one), b = MAKE(one);
    b.lineage.bytes[15] = 1;
    expect(a, 10, b, 10, HISTORY_UNRELATED, 0);
}

Test(history, cutting_the_log_forgets_epochs_that_start_behind_the_cut)
{
    struct history h = MAKE(one, two, five);
    history_truncate(&h, 1000);
    cr_expect_eq(h.count, 2);
    for (uint64_t n = 10; n < 40; n++) cr_assert_eq(history_add(&h, &(struct epoch){n, n, 1000 + n, 0}), ERR_OK);
    history_truncate(&h, 10);
    cr_expect_eq(h.count, 1);
    history_free(&h);
}

Test(history, the_oldest_epochs_are_forgotten_beyond_a_limit)
{
    struct history h = MAKE(one);
    for (uint64_t n = 2; n < HISTORY_EPOCHS_MAX + 100; n++)
        cr_assert_eq(history_add(&h, &(struct epoch){n, n, n * 10, 0}), ERR_OK);
    cr_expect_eq(h.count, HISTORY_EPOCHS_MAX);
    struct history copy = {0};
    history_copy(&copy, &h);
    uint64_t at;
    cr_expect_eq(history_compare(&h, 50000, &copy, 50010, &at), HISTORY_BEHIND);
    cr_expect_eq(at, 50000);
    history_free(&h);
    history_free(&copy);
}

Test(history, text_is_read_back)
{
    struct history h = MAKE(one, two, five), back = {0};
    struct buf text = {0};
    struct errmsg m;
    history_encode(&h, &text);
    cr_assert_eq(history_decode(buf_span(&text), &back, &m), ERR_OK, "%s", m.text);
    cr_expect(back.count == 3 && back.epochs[2].id == 55 && back.epochs[1].crc == 5);
    for (size_t n = 0; n < text.len; n++) {
        struct history cut = {0};
        if (history_decode(span_of(text.p, n), &cut, &m) == ERR_OK) cr_expect_lt(cut.count, 3);
        history_free(&cut);
    }
    struct position p = {.epoch = 5, .offset = 0xabcdef, .crc = 0x12}, q;
    buf_reset(&text, 1024);
    position_encode(&p, &text);
    cr_expect(position_decode(buf_span(&text), &q) && q.offset == p.offset && q.epoch == 5 && q.crc == 0x12);
    buf_free(&text);
    history_free(&h);
    history_free(&back);
}
