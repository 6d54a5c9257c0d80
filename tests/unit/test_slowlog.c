#include "server/slowlog.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct slowlog *l;

static void setup(void) { l = slowlog_new(); }
static void teardown(void) { slowlog_free(l); }

TestSuite(slowlog, .init = setup, .fini = teardown);

static const struct command_entry set = {.name = "set"}, hello = {.name = "hello"};

static void add(const struct span *argv, size_t argc, size_t most)
{
    slowlog_add(l, &set, argv, argc, SPAN("1.2.3.4:5"), SPAN("me"), 1700, 42, most);
}

static bool is(struct span s, const char *text) { return span_eq(s, span_str(text)); }

Test(slowlog, keeps_the_newest_and_never_gives_an_id_twice)
{
    for (unsigned i = 0; i < 5; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%u", i);
        add((const struct span[]){SPAN("SET"), span_str(key)}, 2, 3);
    }
    cr_expect_eq(slowlog_length(l), 3);
    const struct slow_entry *e = slowlog_newest(l);
    for (unsigned i = 4; i > 1; i--, e = e->older) {
        cr_expect_eq(e->id, i);
        cr_expect_eq(e->argv[1].p[1], (char)('0' + i));
    }
    cr_expect_null(e);
    slowlog_trim(l, 1);
    cr_expect_eq(slowlog_length(l), 1);
    cr_expect_eq(slowlog_newest(l)->id, 4);
    cr_expect_null(slowlog_newest(l)->older);
    slowlog_trim(l, 0);
    cr_expect_null(slowlog_newest(l));
    add((const struct span[]){SPAN("SET")}, 1, 3);
    cr_expect_eq(slowlog_newest(l)->id, 5);
}

Test(slowlog, of_length_zero_keeps_nothing)
{
    add((const struct span[]){SPAN("SET")}, 1, 0);
    cr_expect_eq(slowlog_length(l), 0);
}

Test(slowlog, tells_who_and_when_and_how_long)
{
    add((const struct span[]){SPAN("SET"), SPAN(""), SPAN("v")}, 3, 10);
    const struct slow_entry *e = slowlog_newest(l);
    cr_expect(is(e->client, "1.2.3.4:5") && is(e->name, "me"));
    cr_expect_eq(e->at_s, 1700);
    cr_expect_eq(e->took_us, 42);
    cr_expect_eq(e->argc, 3);
    cr_expect(is(e->argv[0], "SET") && is(e->argv[1], "") && is(e->argv[2], "v"));
}

Test(slowlog, cuts_long_arguments_and_says_so)
{
    char text[300];
    memset(text, 'x', sizeof text);
    add((const struct span[]){SPAN("SET"), span_of(text, 128), span_of(text, 129), span_of(text, 300)}, 4, 10);
    const struct slow_entry *e = slowlog_newest(l);
    cr_expect_eq(e->argv[1].n, 128);
    cr_expect_eq(memcmp(e->argv[2].p + 128, "... (1 more bytes)", 18), 0);
    cr_expect_eq(e->argv[2].n, 128 + 18);
    cr_expect_eq(memcmp(e->argv[3].p + 128, "... (172 more bytes)", 20), 0);
}

Test(slowlog, counts_the_arguments_that_it_leaves_out)
{
    struct span argv[40];
    for (size_t i = 0; i < 40; i++) argv[i] = SPAN("a");
    add(argv, 32, 10);
    cr_expect_eq(slowlog_newest(l)->argc, 32);
    cr_expect(is(slowlog_newest(l)->argv[31], "a"));
    add(argv, 33, 10);
    cr_expect_eq(slowlog_newest(l)->argc, 32);
    cr_expect(is(slowlog_newest(l)->argv[31], "... (2 more arguments)"));
    add(argv, 40, 10);
    cr_expect(is(slowlog_newest(l)->argv[30], "a"));
    cr_expect(is(slowlog_newest(l)->argv[31], "... (9 more arguments)"));
}

Test(slowlog, never_keeps_a_password)
{
    const struct span argv[] = {SPAN("HELLO"), SPAN("3"), SPAN("AUTH"), SPAN("u"), SPAN("secret")};
    slowlog_add(l, &hello, argv, 5, SPAN(""), SPAN(""), 0, 0, 1);
    cr_expect(is(slowlog_newest(l)->argv[3], "(redacted)") && is(slowlog_newest(l)->argv[4], "(redacted)"));
}
