#include "common/ready.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(ready, .init = setup, .fini = teardown);

static void wait_for(const char *key) { engine_wait_for(f.engine, 0, span_str(key)); }

/* All ready keys, as "db:key db:key ". */
static const char *all_ready(void)
{
    static char text[300];
    size_t n = 0;
    unsigned db;
    struct span key;
    text[0] = 0;
    while (engine_next_ready(f.engine, &db, &key))
        n += (size_t)snprintf(text + n, sizeof text - n, "%u:%.*s ", db, (int)key.n, key.p);
    return text;
}

#define EXPECT_READY(expected) cr_expect_str_eq(all_ready(), expected)

Test(ready, nothing_is_ready_while_nobody_waits)
{
    EXPECT(":1|", "RPUSH k a");
    EXPECT_READY("");
    wait_for("k");
    EXPECT_READY("");
    EXPECT(":2|", "RPUSH k b");
    EXPECT(":1|", "RPUSH other b");
    EXPECT_READY("0:k ");
}

Test(ready, a_key_is_given_once_however_often_it_changed_and_in_the_order_of_the_first_changes)
{
    wait_for("a");
    wait_for("b");
    EXPECT(":1|", "RPUSH b 1");
    EXPECT(":1|", "RPUSH a 1");
    EXPECT(":2|", "RPUSH b 2");
    EXPECT_READY("0:b 0:a ");
    EXPECT_READY("");
    EXPECT(":2|", "RPUSH a 2");
    EXPECT_READY("0:a ");
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
    wait_for("k");
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
    wait_for("k");
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
    wait_for("k");
    engine_wait_for(f.engine, 1, SPAN("k"));
    engine_wait_for(f.engine, 2, SPAN("k"));
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
    wait_for("k");
    wait_for("k");
    wait_for("j");
    engine_wait_over(f.engine, 0, SPAN("k"));
    EXPECT(":1|", "RPUSH k 1");
    EXPECT(":1|", "RPUSH j 1");
    engine_wait_over(f.engine, 0, SPAN("k"));
    EXPECT_READY("0:j ");
    EXPECT(":2|", "RPUSH k 1");
    EXPECT_READY("");
    wait_for("k");
    EXPECT(":3|", "RPUSH k 1");
    EXPECT_READY("0:k ");
}

Test(ready, a_key_that_is_served_may_be_ready_again_behind_the_others)
{
    unsigned db;
    struct span key;
    wait_for("a");
    wait_for("b");
    EXPECT(":1|", "RPUSH a 1");
    EXPECT(":1|", "RPUSH b 1");
    cr_assert(engine_next_ready(f.engine, &db, &key));
    cr_assert(span_eq(key, SPAN("a")));
    EXPECT("$1|1|", "LMOVE b a LEFT LEFT");
    EXPECT_READY("0:b 0:a ");
}
