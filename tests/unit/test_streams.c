#include <criterion/criterion.h>

#include "tests/unit/engine_fixture.h"

static struct fixture f;

static void begin(void) { fixture_init(&f); }
static void end(void) { fixture_free(&f); }

TestSuite(streams, .init = begin, .fini = end);

static void says(const char *line, const char *reply)
{
    const char *got = fixture_do(&f, "%s", line);
    cr_expect_str_eq(got, reply, "%s", line);
    (void)fixture_log(&f);
}

/* The command's effects, one a line. */
static void logs(const char *line, const char *effects)
{
    (void)fixture_log(&f);
    (void)fixture_do(&f, "%s", line);
    const char *log = fixture_log(&f);
    cr_expect_str_eq(log, effects, "%s gave %s", line, log);
}

Test(streams, log_the_id_that_an_entry_got)
{
    f.now_ms = 1700000000000;
    logs("XADD s * a 1", "XADD s 1700000000000-0 a 1\n");
    logs("XADD s * a 1", "XADD s 1700000000000-1 a 1\n");
    logs("XADD s 1700000000000-* a 1", "XADD s 1700000000000-2 a 1\n");
    logs("XADD s 1700000000001-5 a 1", "XADD s 1700000000001-5 a 1\n");
}

Test(streams, log_trimming_as_exact_as_it_was)
{
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    (void)fixture_do(&f, "XADD s 2-1 a 1");
    logs("XADD s MAXLEN ~ 1 LIMIT 100 3-1 a 1", "XADD s MAXLEN = 3 3-1 a 1\n");
    logs("XADD s NOMKSTREAM MAXLEN 2 4-1 a 1", "XADD s NOMKSTREAM MAXLEN 2 4-1 a 1\n");
    logs("XTRIM s MAXLEN ~ 1", "");
    logs("XTRIM s MINID ~ 9", "XTRIM s MINID = 18446744073709551615-18446744073709551615\n");
    (void)fixture_do(&f, "XADD t 1-1 a 1");
    (void)fixture_do(&f, "XADD t 2-1 a 1");
    logs("XADD t MINID 2 3-* a 1", "XADD t MINID = 2-1 3-0 a 1\n");
}

Test(streams, log_where_the_living_begin_if_trimming_left_dead_ones_in_a_node)
{
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    (void)fixture_do(&f, "XADD s 2-1 a 1");
    (void)fixture_do(&f, "XADD s MINID 2 3-* a 1");
    cr_expect(fixture_replays(&f));
    logs("XADD s MINID 3 4-* a 1", "XADD s MINID = 3-0 4-0 a 1\n");
}

Test(streams, log_reading_by_a_group_as_claims)
{
    f.now_ms = 5000;
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    logs("XGROUP CREATE s g 0", "XGROUP CREATE s g 0\n");
    logs("XREADGROUP GROUP g c STREAMS s >", "XGROUP CREATECONSUMER s g c\n"
                                             "XCLAIM s g c 0 1-1 TIME 5000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1\n"
                                             "XGROUP SETID s g 1-1 ENTRIESREAD 1\n");
    f.now_ms = 6000;
    logs("XREADGROUP GROUP g c STREAMS s 0", "XCLAIM s g c 0 1-1 TIME 6000 RETRYCOUNT 2 FORCE JUSTID LASTID 1-1\n");
    logs("XCLAIM s g d 500 1-1", "");
    logs("XCLAIM s g d 0 1-1 IDLE 100", "XCLAIM s g d 0 1-1 TIME 5900 RETRYCOUNT 3 FORCE JUSTID LASTID 1-1\n");
    logs("XAUTOCLAIM s g c 0 0 JUSTID", "XCLAIM s g c 0 1-1 TIME 6000 RETRYCOUNT 3 FORCE JUSTID LASTID 1-1\n");
    logs("XACK s g 1-1", "XACK s g 1-1\n");
    logs("XACK s g 1-1", "");
}

/* Signed numbers stand in the log: one beyond them would make it unreadable, here and at every replica. */
Test(streams, count_as_far_as_the_log_can_say)
{
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    (void)fixture_do(&f, "XGROUP CREATE s g 0");
    (void)fixture_do(&f, "XREADGROUP GROUP g c STREAMS s >");
    (void)fixture_do(&f, "XCLAIM s g c 0 1-1 RETRYCOUNT 9223372036854775806");
    (void)fixture_do(&f, "XCLAIM s g c 0 1-1");
    (void)fixture_do(&f, "XCLAIM s g c 0 1-1");
    (void)fixture_do(&f, "XREADGROUP GROUP g c STREAMS s 0");
    (void)fixture_do(&f, "XGROUP SETID s g 1-1 ENTRIESREAD 9223372036854775807");
    (void)fixture_do(&f, "XADD s 2-1 a 1");
    (void)fixture_do(&f, "XREADGROUP GROUP g c NOACK STREAMS s >");
    (void)fixture_do(&f, "XSETID s 2-1 ENTRIESADDED 9223372036854775807");
    (void)fixture_do(&f, "XGROUP SETID s g 2-1");
    (void)fixture_do(&f, "XADD s 3-1 a 1");
    (void)fixture_do(&f, "XREADGROUP GROUP g c NOACK STREAMS s >");
    cr_expect(strstr(fixture_do(&f, "XPENDING s g - + 9"), ":9223372036854775807\r\n"));
    cr_expect(strstr(fixture_do(&f, "XINFO STREAM s"), "entries-added\r\n:9223372036854775807\r\n"));
    cr_expect(strstr(fixture_do(&f, "XINFO GROUPS s"), "entries-read\r\n:9223372036854775807\r\n"));
    engine_check(f.engine);
    cr_expect(fixture_replays(&f));
}

Test(streams, live_on_when_they_are_empty)
{
    says("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
    says("XLEN s", ":0\r\n");
    says("XADD s 1-1 a 1", "$3\r\n1-1\r\n");
    says("XDEL s 1-1", ":1\r\n");
    says("EXISTS s", ":1\r\n");
    says("XADD s 1-1 a 1", "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n");
    says("OBJECT ENCODING s", "$6\r\nstream\r\n");
    says("TYPE s", "+stream\r\n");
}

Test(streams, forget_what_is_pending_when_its_entry_is_gone)
{
    f.now_ms = 5000;
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    (void)fixture_do(&f, "XGROUP CREATE s g 0");
    (void)fixture_do(&f, "XREADGROUP GROUP g c STREAMS s >");
    (void)fixture_do(&f, "XDEL s 1-1");
    says("XREADGROUP GROUP g c STREAMS s 0", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n");
    says("XAUTOCLAIM s g d 0 0", "*3\r\n$3\r\n0-0\r\n*0\r\n*1\r\n$3\r\n1-1\r\n");
    says("XPENDING s g", "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}

Test(streams, who_must_not_wait_is_answered_as_if_the_time_were_over)
{
    (void)fixture_do(&f, "XADD s 1-1 a 1");
    says("XREAD BLOCK 0 STREAMS s 0", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    says("XREAD BLOCK 0 STREAMS s $", "*-1\r\n");
    says("XREAD STREAMS s $", "*-1\r\n");
}
