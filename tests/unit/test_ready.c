#include "common/ready.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(ready, .init = setup, .fini = teardown);

static struct awaited *wait_for(const char *key) { return engine_wait_for(f.engine, 0, span_str(key)); }

/* All ready keys, as "db:key db:key ". */
static const char *all_ready(void)
{
    static char text[300];
    size_t n = 0;
    struct awaited *a;
    text[0] = 0;
    while ((a = engine_next_ready(f.engine)))
        n += (size_t)snprintf(text + n, sizeof text - n, "%u:%.*s ", awaited_db(a), (int)awaited_key(a).n,
                              awaited_key(a).p);
    return text;
}

#define EXPECT_READY(expected) cr_expect_str_eq(all_ready(), expected)

Test(ready, nothing_is_ready_while_nobody_waits)
{
    EXPECT(":1|", "RPUSH k a");
    EXPECT_READY("");
    (void)wait_for("k");
    EXPECT_READY("");
    EXPECT(":2|", "RPUSH k b");
    EXPECT(":1|", "RPUSH other b");
    EXPECT_READY("0:k ");
}

Test(ready, a_key_is_given_once_however_often_it_changed_and_in_the_order_of_the_first_changes)
{
    (void)wait_for("a");
    (void)wait_for("b");
    EXPECT(":1|", "RPUSH b 1");
    EXPECT(":1|", "RPUSH a 1");
    EXPECT(":2|", "RPUSH b 2");
    EXPECT_READY("0:b 0:a ");
    EXPECT_READY("");
    EXPECT(":2|", "RPUSH a 2");
    EXPECT_READY("0:a ");
}

Test(ready, a_key_takes_its_place_when_it_holds_what_can_be_waited_for)
{
    (void)wait_for("a");
    (void)wait_for("b");
    (void)wait_for("c");
    EXPECT("+OK|", "SET a v");
    EXPECT("+OK|", "SET c v");
    EXPECT(":1|", "RPUSH b 1");
    EXPECT(":1|", "DEL a");
    EXPECT(":1|", "RPUSH a 1");
    EXPECT(":1|", "DEL b");
    EXPECT(":1|", "ZADD b 1 m");
    EXPECT_READY("0:c 0:b 0:a ");
}

Test(ready, a_flush_gives_no_key_a_place_before_those_that_hold_something)
{
    static const char *const orders[][2] = {{"a", "b"}, {"b", "a"}};
    (void)wait_for("a");
    (void)wait_for("b");
    for (size_t i = 0; i < 2; i++) {
        char expected[20];
        EXPECT("+OK|", "FLUSHALL");
        (void)fixture_do(&f, "ZADD %s 1 m", orders[i][0]);
        (void)fixture_do(&f, "ZADD %s 1 m", orders[i][1]);
        (void)snprintf(expected, sizeof expected, "0:%s 0:%s ", orders[i][0], orders[i][1]);
        EXPECT_READY(expected);
    }
}

Test(ready, of_what_is_done_to_a_stream_only_entries_and_the_end_of_a_group_count)
{
    (void)wait_for("s");
    EXPECT("$3|1-1|", "XADD s 1-1 f v");
    EXPECT_READY("0:s ");
    for (size_t i = 0; i < 6; i++) {
        static const char *const nothing[] = {"XGROUP CREATE s g $",
                                              "XGROUP SETID s g 0",
                                              "XGROUP CREATECONSUMER s g c",
                                              "XGROUP DELCONSUMER s g c",
                                              "XREADGROUP GROUP g d STREAMS s >",
                                              "XTRIM s MAXLEN 0"};
        (void)fixture_do(&f, "%s", nothing[i]);
        EXPECT_READY("");
    }
    EXPECT(":1|", "XGROUP DESTROY s g");
    EXPECT_READY("0:s ");
}

Test(ready, every_way_in_which_a_key_comes_to_be_makes_it_ready)
{
    static const char *const ways[] = {
        "RPUSH k 1",
        "LPUSH k 1",
        "LMOVE l k LEFT LEFT",
        "RPOPLPUSH l k",
        "RENAME l k",
        "RENAMENX l k",
        "COPY l k",
        "SORT l STORE k",
        "ZADD k 1 a",
        "ZINCRBY k 1 a",
        "ZUNIONSTORE k 1 z",
        "ZRANGESTORE k z 0 -1",
        "GEOADD k 1 1 a",
        "GEOSEARCHSTORE k g FROMLONLAT 1 1 BYRADIUS 1 km",
        "XADD k * a 1",
        "XGROUP CREATE k g $ MKSTREAM",
    };
    (void)wait_for("k");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        (void)fixture_do(&f, "DEL k l z g");
        (void)fixture_do(&f, "RPUSH l 1 2 3");
        (void)fixture_do(&f, "ZADD z 1 a");
        (void)fixture_do(&f, "GEOADD g 1 1 a");
        (void)all_ready();
        (void)fixture_do(&f, "%s", ways[i]);
        cr_expect_str_eq(all_ready(), "0:k ", "%s", ways[i]);
    }
}

Test(ready, a_key_that_vanishes_is_ready_too)
{
    (void)wait_for("k");
    for (unsigned i = 0; i < 4; i++) {
        (void)fixture_do(&f, "XADD k * a 1");
        (void)all_ready();
        (void)fixture_do(&f, i == 0 ? "DEL k" : i == 1 ? "SET k v" : i == 2 ? "RENAME k x" : "PEXPIREAT k 1");
        EXPECT_READY("0:k ");
        (void)fixture_do(&f, "DEL k");
    }
    (void)all_ready();
    EXPECT("+OK|", "SET k v PX 10");
    (void)all_ready();
    f.now_ms += 11;
    (void)engine_cycle(f.engine, f.now_ms, 100, &f.effects);
    EXPECT_READY("0:k ");
}

Test(ready, databases_are_told_apart_and_a_swap_or_flush_makes_all_of_theirs_ready)
{
    (void)wait_for("k");
    (void)engine_wait_for(f.engine, 1, SPAN("k"));
    (void)engine_wait_for(f.engine, 2, SPAN("k"));
    EXPECT("+OK|", "SELECT 1");
    EXPECT(":1|", "RPUSH k 1");
    EXPECT_READY("1:k ");
    EXPECT(":1|", "MOVE k 2");
    EXPECT_READY("1:k 2:k ");
    EXPECT("+OK|", "SWAPDB 0 1");
    EXPECT_READY("0:k 1:k ");
    EXPECT("+OK|", "FLUSHDB");
    EXPECT_READY("1:k ");
    EXPECT("+OK|", "FLUSHALL");
    cr_expect_eq(strlen(all_ready()), 12);
}

Test(ready, it_ends_when_the_last_one_waits_no_longer)
{
    struct awaited *a = wait_for("k");
    cr_expect_eq(wait_for("k"), a);
    awaited_once_more(a);
    (void)wait_for("j");
    engine_wait_over(f.engine, a);
    engine_wait_over(f.engine, a);
    EXPECT(":1|", "RPUSH k 1");
    EXPECT(":1|", "RPUSH j 1");
    engine_wait_over(f.engine, a);
    EXPECT_READY("0:j ");
    EXPECT(":2|", "RPUSH k 1");
    EXPECT_READY("");
    (void)wait_for("k");
    EXPECT(":3|", "RPUSH k 1");
    EXPECT_READY("0:k ");
}

Test(ready, a_key_that_is_served_may_be_ready_again_behind_the_others)
{
    const struct awaited *a = wait_for("a");
    (void)wait_for("b");
    EXPECT(":1|", "RPUSH a 1");
    EXPECT(":1|", "RPUSH b 1");
    cr_assert_eq(engine_next_ready(f.engine), a);
    EXPECT("$1|1|", "LMOVE b a LEFT LEFT");
    EXPECT_READY("0:b 0:a ");
}
