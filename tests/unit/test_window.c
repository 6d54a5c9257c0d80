#include <criterion/criterion.h>

#include "replication/batch.h"
#include "replication/window.h"

static struct chunk *make_chunk(struct batch_chain *chain, size_t n)
{
    struct buf b = {0};
    char line[BATCH_LINE_MAX], payload[4096];
    memset(payload, 'x', sizeof payload);
    const uint64_t offset = chain->offset;
    buf_add(&b, line, batch_seal(line, chain, 1, span_of(payload, n)));
    buf_add(&b, payload, n);
    struct chunk *c = chunk_copy(buf_span(&b));
    c->offset = offset;
    c->epoch = chain->epoch;
    c->crc = chain->crc;
    buf_free(&b);
    return c;
}

static struct batch_chain chain_at(uint64_t offset)
{
    return (struct batch_chain){.offset = offset, .epoch = 1, .epoch_start = 1};
}

Test(window, bytes_are_read_from_any_offset_in_it)
{
    struct window *w = window_new(100, 1 << 20, 1 << 20);
    struct batch_chain chain = chain_at(100);
    struct buf all = {0};
    for (size_t i = 0; i < 200; i++) {
        struct chunk *c = make_chunk(&chain, i);
        buf_add_span(&all, chunk_span(c));
        window_append(w, c);
    }
    cr_expect_eq(window_end(w), 100 + all.len);
    for (uint64_t at = 100; at < window_end(w); at += 37) {
        struct chunk *c;
        struct span bytes;
        cr_assert_eq(window_read(w, at, 50, &c, &bytes), ERR_OK);
        cr_assert(c && bytes.n > 0 && bytes.n <= 50);
        cr_assert_eq(memcmp(bytes.p, all.p + (at - 100), bytes.n), 0);
    }
    struct chunk *c;
    struct span bytes;
    cr_expect_eq(window_read(w, window_end(w), 50, &c, &bytes), ERR_OK);
    cr_expect(c == NULL && bytes.n == 0);
    cr_expect_eq(window_read(w, window_end(w) + 1, 50, &c, &bytes), ERR_RANGE);
    cr_expect_eq(window_read(w, 99, 50, &c, &bytes), ERR_STALE);
    window_free(w);
    buf_free(&all);
}

Test(window, its_memory_stays_within_the_limit_and_a_pin_holds_until_the_second_limit)
{
    struct window *w = window_new(0, 10000, 30000);
    struct batch_chain chain = chain_at(0);
    struct window_pin pin;
    for (size_t i = 0; i < 100; i++) window_append(w, make_chunk(&chain, 300));
    cr_expect_leq(window_memory(w), 10000);
    const uint64_t held = window_begin(w);
    cr_assert_eq(window_pin(w, held, &pin), ERR_OK);
    for (size_t i = 0; i < 40; i++) window_append(w, make_chunk(&chain, 300));
    cr_expect_eq(window_begin(w), held);
    for (size_t i = 0; i < 400; i++) window_append(w, make_chunk(&chain, 300));
    cr_expect_gt(window_begin(w), held);
    cr_expect_leq(window_memory(w), 30000);
    struct chunk *c;
    struct span bytes;
    cr_expect_eq(window_read(w, pin.offset, 1, &c, &bytes), ERR_STALE);
    cr_expect_leq(window_memory(w), 10000, "a pin that is stale holds nothing");
    window_unpin(w, &pin);
    window_unpin(w, &pin);
    window_free(w);
}

Test(window, a_pin_that_moves_lets_go)
{
    struct window *w = window_new(0, 5000, 100000);
    struct batch_chain chain = chain_at(0);
    struct window_pin pin;
    cr_assert_eq(window_pin(w, 0, &pin), ERR_OK);
    for (size_t i = 0; i < 100; i++) window_append(w, make_chunk(&chain, 300));
    cr_expect_eq(window_begin(w), 0);
    window_pin_move(w, &pin, window_end(w));
    cr_expect_leq(window_memory(w), 5000);
    window_unpin(w, &pin);
    window_free(w);
}

Test(window, a_hello_is_verified_against_the_bytes_that_follow_it)
{
    struct window *w = window_new(50, 1 << 20, 1 << 20);
    struct batch_chain chain = chain_at(50);
    struct batch_chain before[3];
    for (size_t i = 0; i < 3; i++) {
        before[i] = chain;
        window_append(w, make_chunk(&chain, 30));
    }
    for (size_t i = 0; i < 3; i++) {
        const uint32_t crc = before[i].crc;
        cr_expect_eq(window_verify(w, before[i].offset, crc, crc), ERR_OK);
        cr_expect_eq(window_verify(w, before[i].offset, crc ^ 1, crc ^ 1), ERR_DIVERGED);
        cr_expect_eq(window_verify(w, before[i].offset + 1, crc, crc), ERR_DIVERGED);
    }
    cr_expect_eq(window_verify(w, chain.offset, chain.crc, chain.crc), ERR_OK);
    cr_expect_eq(window_verify(w, chain.offset, chain.crc ^ 1, chain.crc ^ 1), ERR_DIVERGED);
    window_free(w);
}
