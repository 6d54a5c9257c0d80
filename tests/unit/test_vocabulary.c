/* The words that every layer speaks: spans and cursors, buffers, errors, replies. */
#include <criterion/criterion.h>
#include <errno.h>

#include "common/buf.h"
#include "common/reply.h"

Test(span, a_take_that_does_not_fit_takes_nothing)
{
    struct cursor c = cursor_of(SPAN("\x01\x02\x03"));
    uint32_t word = 7;
    cr_expect_not(take_u32le(&c, &word));
    cr_expect_eq(word, 7);
    cr_expect_eq(cursor_left(&c), 3);
    uint16_t half;
    cr_expect(take_u16le(&c, &half));
    cr_expect_eq(half, 0x0201);
}

Test(span, byte_order_is_what_the_name_says)
{
    struct cursor c = cursor_of(SPAN("\x01\x02\x03\x04\x01\x02\x03\x04"));
    uint32_t little = 0, big = 0;
    cr_expect(take_u32le(&c, &little) && take_u32be(&c, &big));
    cr_expect_eq(little, 0x04030201);
    cr_expect_eq(big, 0x01020304);
}

Test(span, a_line_ends_with_or_without_a_carriage_return)
{
    struct cursor c = cursor_of(SPAN("one\r\ntwo\n\nrest"));
    struct span line;
    cr_expect(take_line(&c, &line) && span_eq(line, SPAN("one")));
    cr_expect(take_line(&c, &line) && span_eq(line, SPAN("two")));
    cr_expect(take_line(&c, &line) && line.n == 0);
    cr_expect_not(take_line(&c, &line));
    cr_expect_eq(cursor_left(&c), 4);
}

Test(span, order_puts_a_prefix_first_and_bytes_are_unsigned)
{
    cr_expect_lt(span_cmp(SPAN("ab"), SPAN("abc")), 0);
    cr_expect_gt(span_cmp(SPAN("\xff"), SPAN("a")), 0);
    cr_expect_eq(span_cmp(SPAN(""), span_of(NULL, 0)), 0);
    cr_expect(span_is(SPAN("KeepTTL"), "keepttl"));
}

Test(buf, bytes_are_inserted_dropped_and_kept_in_order)
{
    struct buf b = {0};
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    const size_t whole = b.len;
    buf_insert(&b, 2, "<>", 2);
    cr_expect(span_eq(span_of(b.p, 6), SPAN("0,<>1,")));
    buf_drop(&b, 4);
    cr_expect_eq(b.len, whole - 2);
    cr_expect(span_eq(span_of(b.p, 4), SPAN("1,2,")));
    buf_reset(&b, 16);
    cr_expect_null(b.p, "more memory than the caller wanted to keep is given back");
    buf_free(&b);
}

Test(err, a_message_grows_on_its_way_up)
{
    struct errmsg m;
    errno = EACCES;
    const enum err e = err_errno(&m, "open %s", "segment 12");
    cr_expect_eq(e, ERR_DENIED);
    cr_expect_eq(err_wrap(&m, e, "cannot resume"), ERR_DENIED);
    cr_expect_str_eq(m.text, "cannot resume: open segment 12: Permission denied");
}

Test(err, a_sentence_that_is_too_long_is_cut_and_stays_terminated)
{
    struct errmsg m;
    char text[1024];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    cr_expect_eq(err_set(&m, ERR_IO, "%s", text), ERR_IO);
    cr_expect_eq(err_wrap(&m, ERR_IO, "%s", text), ERR_IO);
    cr_expect_eq(strlen(m.text), sizeof m.text - 1);
}

static void expect_reply(unsigned resp, void write(struct reply *), const char *text)
{
    struct buf out = {0};
    struct reply r = {.out = &out, .resp = resp};
    write(&r);
    cr_expect(span_eq(buf_span(&out), span_str(text)), "RESP%u: %.*s", resp, (int)out.len, out.p);
    buf_free(&out);
}

static void write_map(struct reply *r)
{
    const size_t mark = reply_begin(r);
    reply_bulk(r, SPAN("score"));
    reply_double(r, 1.5);
    reply_bulk(r, SPAN("none"));
    reply_null(r);
    reply_end_map(r, mark, 2);
}

Test(reply, one_call_gives_each_protocol_version_its_own_form)
{
    expect_reply(2, write_map, "*4\r\n$5\r\nscore\r\n$3\r\n1.5\r\n$4\r\nnone\r\n$-1\r\n");
    expect_reply(3, write_map, "%2\r\n$5\r\nscore\r\n,1.5\r\n$4\r\nnone\r\n_\r\n");
}

static void write_error(struct reply *r) { reply_error(r, "ERR no such thing '%s'", "a\r\n+OK"); }

Test(reply, an_error_is_one_line_whatever_a_client_put_into_it)
{
    expect_reply(2, write_error, "-ERR no such thing 'a  +OK'\r\n");
}
