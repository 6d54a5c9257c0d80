#include <criterion/criterion.h>

#include "replication/assembler.h"
#include "replication/batch.h"

static struct batch_chain first_chain(void)
{
    return (struct batch_chain){.epoch = 1, .epoch_id = UINT64_C(0x0123456789abcdef)};
}

static struct history one_epoch(void)
{
    struct history h = {.lineage = {{1}}};
    cr_assert_eq(history_add(&h, &(struct epoch){.number = 1, .id = UINT64_C(0x0123456789abcdef)}), ERR_OK);
    return h;
}

/* Append a whole batch of one SET with a value of @n bytes. */
static void add_batch(struct buf *log, struct batch_chain *chain, size_t n)
{
    struct buf value = {0}, payload = {0};
    for (size_t i = 0; i < n; i++) buf_add_char(&value, (char)('a' + i % 26));
    const struct span argv[] = {SPAN("SET"), SPAN("key"), buf_span(&value)};
    resp_encode(&payload, argv, 3);
    char line[BATCH_LINE_MAX];
    buf_add(log, line, batch_seal(line, chain, 1700000000000, buf_span(&payload)));
    buf_add_span(log, buf_span(&payload));
    buf_free(&value);
    buf_free(&payload);
}

Test(batch, the_annotation_line_is_what_the_format_says)
{
    struct batch_chain chain = first_chain();
    char line[BATCH_LINE_MAX + 1] = {0};
    const size_t n = batch_seal(line, &chain, 0x18bcfe56800, SPAN("*1\r\n$4\r\nPING\r\n"));
    line[n] = 0;
    cr_expect_eq(n, 31);
    cr_expect(strncmp(line, "#B 0 1 18bcfe56800 e ", 21) == 0, "%s", line);
    cr_expect_str_eq(line + 29, "\r\n");
    cr_expect_eq(chain.offset, n + 14);
}

Test(batch, the_checksum_is_crc_32c_continued)
{
    cr_expect_eq(batch_crc32c(0, "123456789", 9), 0xe3069283u);
    cr_expect_eq(batch_crc32c(batch_crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

Test(batch, an_epochs_first_batch_depends_on_its_id_and_later_ones_on_what_came_before)
{
    struct batch_chain a = first_chain(), b = first_chain();
    b.epoch_id ^= 1;
    struct buf log = {0};
    add_batch(&log, &a, 10);
    add_batch(&log, &b, 10);
    cr_expect_neq(a.crc, b.crc);
    add_batch(&log, &a, 10);
    add_batch(&log, &b, 10);
    cr_expect_neq(a.crc, b.crc);
    buf_free(&log);
}

Test(batch, what_was_sealed_is_taken_back_and_its_commands_read)
{
    struct batch_chain out = first_chain(), in = first_chain();
    struct buf log = {0};
    add_batch(&log, &out, 5);
    add_batch(&log, &out, 70000);
    struct span rest = buf_span(&log);
    for (size_t i = 0; i < 2; i++) {
        struct batch b;
        size_t need;
        struct errmsg m;
        cr_assert_eq(batch_take(rest, BATCH_MAX, &in, &b, &need, &m), ERR_OK);
        struct batch_commands commands = {.rest = b.payload};
        const struct span *argv;
        size_t argc;
        cr_assert_eq(batch_next_command(&commands, &argv, &argc, &m), ERR_OK);
        cr_expect(argc == 3 && span_eq(argv[1], SPAN("key")) && argv[2].n == (i ? 70000 : 5));
        cr_expect_eq(batch_next_command(&commands, &argv, &argc, &m), ERR_MISSING);
        batch_commands_free(&commands);
        rest = span_of(rest.p + need, rest.n - need);
    }
    cr_expect(rest.n == 0 && in.offset == out.offset && in.crc == out.crc);
    buf_free(&log);
}

Test(batch, every_flipped_bit_is_found)
{
    struct batch_chain out = first_chain();
    struct buf log = {0};
    add_batch(&log, &out, 20);
    for (size_t i = 0; i < log.len * 8; i++) {
        struct batch_chain in = first_chain();
        struct batch b;
        size_t need;
        log.p[i / 8] = (char)(log.p[i / 8] ^ (1 << i % 8));
        cr_expect_neq(batch_take(buf_span(&log), BATCH_MAX, &in, &b, &need, NULL), ERR_OK, "bit %zu", i);
        cr_expect_eq(in.offset, 0);
        log.p[i / 8] = (char)(log.p[i / 8] ^ (1 << i % 8));
    }
    buf_free(&log);
}

Test(batch, every_beginning_of_a_batch_asks_for_more)
{
    struct batch_chain out = first_chain();
    struct buf log = {0};
    add_batch(&log, &out, 20);
    for (size_t n = 0; n < log.len; n++) {
        struct batch_chain in = first_chain();
        struct batch b;
        size_t need;
        cr_expect_eq(batch_take(span_of(log.p, n), BATCH_MAX, &in, &b, &need, NULL), ERR_TRUNCATED, "%zu", n);
        cr_expect_gt(need, n);
    }
    buf_free(&log);
}

Test(batch, numbers_have_one_form_only_and_lengths_a_limit)
{
    static const char *const refused[] = {"#B 00 1 5 0 00000000\r\n",
                                          "#B 0 1 5 0 0000000\r\n",
                                          "#B 0 1 5 0 00000000\n",
                                          "#B 0 1 5 A 00000000\r\n",
                                          "#b 0 1 5 0 00000000\r\n",
                                          "#B 0  1 5 0 00000000\r\n",
                                          "#TS:1\r\n",
                                          "*1\r\n$4\r\nPING\r\n",
                                          "#B 0 1 5 1000000001 00000000\r\n"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct batch b;
        cr_expect_eq(batch_read_line(span_str(refused[i]), BATCH_MAX, &b), ERR_CORRUPT, "%s", refused[i]);
    }
}

Test(assembler, a_stream_in_pieces_of_any_size_gives_the_same_bytes)
{
    struct batch_chain out = first_chain();
    struct history h = one_epoch();
    struct buf log = {0};
    for (size_t n = 0; n < 40; n++) add_batch(&log, &out, n * 7);
    for (size_t step = 1; step < 300; step += 7) {
        struct assembler *a = assembler_new(&h, 0, 0, BATCH_MAX);
        struct buf back = {0};
        struct errmsg m;
        for (size_t at = 0; at < log.len; at += step) {
            struct chunk *c;
            assembler_feed(a, span_of(log.p + at, log.len - at < step ? log.len - at : step));
            do {
                cr_assert_eq(assembler_take(a, &c, &m), ERR_OK, "%s", m.text);
                if (!c) break;
                cr_assert_eq(c->offset, back.len);
                buf_add_span(&back, chunk_span(c));
                chunk_unref(c);
            } while (1);
        }
        cr_expect(span_eq(buf_span(&back), buf_span(&log)));
        cr_expect_eq(assembler_offset(a), log.len);
        buf_free(&back);
        assembler_free(a);
    }
    buf_free(&log);
    history_free(&h);
}

Test(assembler, chunks_do_not_straddle_epochs_and_unknown_epochs_are_refused)
{
    struct batch_chain out = first_chain();
    struct history h = one_epoch();
    struct buf log = {0};
    struct errmsg m;
    struct chunk *c;
    add_batch(&log, &out, 3);
    const struct epoch second = {.number = 2, .id = 99, .start = out.offset, .crc = out.crc};
    out.epoch = 2;
    out.epoch_id = 99;
    out.epoch_start = out.offset;
    add_batch(&log, &out, 3);
    add_batch(&log, &out, 3);
    for (unsigned known = 0; known < 2; known++) {
        struct assembler *a = assembler_new(&h, 0, 0, BATCH_MAX);
        assembler_feed(a, buf_span(&log));
        cr_assert_eq(assembler_take(a, &c, &m), ERR_OK);
        cr_assert(c && c->epoch == 1 && c->len == second.start && c->crc == second.crc);
        chunk_unref(c);
        if (known) {
            cr_assert_eq(history_add(&h, &second), ERR_OK);
            assembler_set_history(a, &h);
            cr_assert_eq(assembler_take(a, &c, &m), ERR_OK, "%s", m.text);
            cr_assert(c && c->epoch == 2 && chunk_end(c) == log.len);
            chunk_unref(c);
        } else {
            cr_expect_eq(assembler_take(a, &c, &m), ERR_CORRUPT);
        }
        assembler_free(a);
    }
    buf_free(&log);
    history_free(&h);
}
