#include <criterion/criterion.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"
#include "common/resp.h"

static const struct resp_limits limits = {.max_args = INT32_MAX, .max_bulk = 512u << 20, .max_inline = 64 << 10};

/* Everything that @in asks for, written as one line per request; "!text" for a protocol error, "~" for a
 * rest. The input is handed over in pieces: up to @split first, then all; and it lies elsewhere the second
 * time. */
static char *parse_all(struct span in, size_t split, const struct resp_limits *with)
{
    struct resp_parser p = {0};
    struct buf told = {0};
    char *here = mem_dup(in.p, split);
    size_t have = split, at = 0;
    for (;;) {
        struct request r;
        size_t used = 0, want = 0;
        const enum resp_status status = resp_parse(&p, span_of(here + at, have - at), with, &r, &used, &want);
        if (status == RESP_REQUEST) {
            for (size_t i = 0; i < r.argc; i++) {
                buf_printf(&told, "[%zu:", r.argv[i].n);
                buf_add_span(&told, r.argv[i]);
                buf_add_char(&told, ']');
            }
            if (r.raw.n) cr_expect(r.raw.n == used && r.raw.p == here + at);
            buf_add_char(&told, '\n');
            at += used;
        } else if (status == RESP_BAD) {
            char *error = mem_dup(p.error, sizeof p.error);
            buf_printf(&told, "!%s\n", p.error);
            cr_expect_eq(resp_parse(&p, span_of(here + at, have - at), with, &r, &used, &want), RESP_BAD);
            cr_expect_str_eq(p.error, error, "asked again");
            mem_free(error);
            break;
        } else {
            cr_expect(want > have - at);
            if (have == in.n) {
                if (at < have) buf_add(&told, "~", 1);
                break;
            }
            mem_free(here);
            here = mem_dup(in.p, in.n);
            have = in.n;
        }
    }
    mem_free(here);
    resp_parser_free(&p);
    buf_add_char(&told, '\0');
    return told.p;
}

static void expect(struct span in, const char *told)
{
    for (size_t split = 0; split <= in.n; split++) {
        char *got = parse_all(in, split, &limits);
        cr_expect_str_eq(got, told, "split at %zu: %s", split, got);
        mem_free(got);
    }
}

Test(resp, a_pipeline_gives_the_same_requests_wherever_it_is_cut)
{
    expect(SPAN("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$13\r\nab\r\n*1\r\n$"
                "1\r\nx\r\nPING\r\n*0\r\n\r\n"
                "*1\r\n$10\r\n0123456789\r\nget \"a b\"\r\n"),
           "[3:GET][1:k]\n[3:SET][0:][13:ab\r\n*1\r\n$1\r\nx]\n[4:PING]\n\n\n[10:0123456789]\n[3:get][3:a b]\n");
}

Test(resp, half_a_request_is_kept_for_later)
{
    expect(SPAN("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab"), "[4:PING]\n~");
    expect(SPAN("*1\r\n$4\r\nPING\r\n*"), "[4:PING]\n~");
    expect(SPAN("PIN"), "~");
}

Test(resp, more_arguments_than_room_survive_a_move_of_the_bytes)
{
    struct buf in = {0};
    struct buf told = {0};
    buf_printf(&in, "*40\r\n");
    for (int i = 0; i < 40; i++) {
        buf_printf(&in, "$2\r\n%02d\r\n", i);
        buf_printf(&told, "[2:%02d]", i);
    }
    buf_add(&told, "\n", 2);
    expect(buf_span(&in), told.p);
    buf_free(&in);
    buf_free(&told);
}

Test(resp, protocol_errors_have_the_words_of_redis)
{
    expect(SPAN("*x\r\n"), "!ERR Protocol error: invalid multibulk length\n");
    expect(SPAN("*2147483648\r\n"), "!ERR Protocol error: invalid multibulk length\n");
    expect(SPAN("*9223372036854775808\r\n"), "!ERR Protocol error: invalid multibulk length\n");
    expect(SPAN("*03\r\n"), "!ERR Protocol error: invalid multibulk length\n");
    expect(SPAN("*1\r\n:1\r\n"), "!ERR Protocol error: expected '$', got ':'\n");
    expect(SPAN("*1\r\n$-1\r\n"), "!ERR Protocol error: invalid bulk length\n");
    expect(SPAN("*1\r\n$9223372036854775807\r\n"), "!ERR Protocol error: invalid bulk length\n");
    expect(SPAN("*1\r\n$536870913\r\n"), "!ERR Protocol error: invalid bulk length\n");
    expect(SPAN("*1\r\n$4x\r\n"), "!ERR Protocol error: invalid bulk length\n");
    expect(SPAN("*1\r\n$4\r\nPINGxx"), "!ERR Protocol error: bulk string does not end in CRLF\n");
    expect(SPAN("get \"a\r\n"), "!ERR Protocol error: unbalanced quotes in request\n");
    expect(SPAN("get \"a\"b\r\n"), "!ERR Protocol error: unbalanced quotes in request\n");
    expect(SPAN("*-5\r\nPING\r\n"), "\n[4:PING]\n");
}

Test(resp, before_authentication_little_is_accepted)
{
    const struct resp_limits few = {10, 16384, 64 << 10, true};
    char *got = parse_all(SPAN("*11\r\n"), 0, &few);
    cr_expect_str_eq(got, "!ERR Protocol error: unauthenticated multibulk length\n");
    mem_free(got);
    got = parse_all(SPAN("*1\r\n$16385\r\n"), 0, &few);
    cr_expect_str_eq(got, "!ERR Protocol error: unauthenticated bulk length\n");
    mem_free(got);
}

Test(resp, a_line_without_an_end_is_refused)
{
    struct buf in = {0};
    static const struct {
        const char *head, *told;
    } rows[] = {{"x", "!ERR Protocol error: too big inline request\n"},
                {"*", "!ERR Protocol error: too big mbulk count string\n"},
                {"*1\r\n$", "!ERR Protocol error: too big bulk count string\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        in.len = 0;
        buf_printf(&in, "%s", rows[i].head);
        memset(buf_room(&in, 70000), '7', 70000);
        in.len += 70000;
        char *got = parse_all(buf_span(&in), 100, &limits);
        cr_expect_str_eq(got, rows[i].told);
        mem_free(got);
    }
    buf_free(&in);
}

Test(resp, a_promised_million_arguments_costs_nothing_until_they_come)
{
    struct resp_parser p = {0};
    struct request r;
    size_t used, want;
    cr_expect_eq(resp_parse(&p, SPAN("*1048576\r\n"), &limits, &r, &used, &want), RESP_INCOMPLETE);
    cr_expect_eq(p.argv.room, 0);
    resp_parser_free(&p);
}

Test(resp, a_request_stays_valid_while_the_next_ones_are_read_elsewhere)
{
    const struct span in = SPAN("*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n*1\r\n$4\r\nPI");
    struct resp_parser p = {0};
    struct resp_argv other = {0};
    struct request first, second, third;
    size_t used, at, want;
    cr_assert_eq(resp_parse(&p, in, &limits, &first, &at, &want), RESP_REQUEST);
    resp_parser_exchange(&p, &other);
    cr_assert_eq(resp_parse(&p, span_of(in.p + at, in.n - at), &limits, &second, &used, &want), RESP_REQUEST);
    cr_expect(span_eq(first.argv[0], SPAN("GET")) && span_eq(first.argv[1], SPAN("a")));
    resp_parser_exchange(&p, &other);
    at += used;
    cr_assert_eq(resp_parse(&p, span_of(in.p + at, in.n - at), &limits, &third, &used, &want), RESP_INCOMPLETE);
    cr_expect(span_eq(second.argv[0], SPAN("DEL")) && span_eq(second.argv[1], SPAN("b")));
    mem_free(other.at);
    resp_parser_free(&p);
}

Test(resp, inline_words_are_quoted_as_in_redis_cli)
{
    expect(SPAN("  set 'it\\'s' \"\\x41\\n\\\"\\q\"  \n"), "[3:set][4:it's][4:A\n\"q]\n");
    expect(SPAN("a\"b c\" ''\r\n"), "[4:ab c][0:]\n");
    expect(SPAN("\r\n"), "\n");
}

Test(resp, what_is_encoded_is_read_back_as_its_own_canonical_form)
{
    const struct span argv[] = {SPAN("SET"), SPAN(""), SPAN("a\r\nb")};
    struct buf out = {0};
    resp_encode(&out, argv, 3);
    cr_expect(span_eq(buf_span(&out), SPAN("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n")));
    struct resp_parser p = {0};
    struct request r;
    size_t used, want;
    cr_assert_eq(resp_parse(&p, buf_span(&out), &limits, &r, &used, &want), RESP_REQUEST);
    cr_expect(span_eq(r.raw, buf_span(&out)));
    resp_parser_free(&p);
    buf_free(&out);
}
