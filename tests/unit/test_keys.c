#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(keys, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

#define OK   "+OK\r\n"
#define ZERO ":0\r\n"
#define ONE  ":1\r\n"

Test(keys, every_way_to_set_an_expiry_time_is_logged_as_an_absolute_one)
{
    fixture_do(&f, "SET k v");
    EXPECT(ONE, "EXPIRE k 10");
    EXPECT(ONE, "PEXPIRE k 10");
    EXPECT(ONE, "EXPIREAT k 2000");
    EXPECT(ONE, "PEXPIREAT k 2000001");
    EXPECT(":1000001\r\n", "PTTL k");
    EXPECT(":1000\r\n", "TTL k");
    EXPECT(":2000\r\n", "EXPIRETIME k");
    EXPECT(":2000001\r\n", "PEXPIRETIME k");
    EXPECT(ONE, "PERSIST k");
    EXPECT(ZERO, "PERSIST k");
    EXPECT_LOG("SET k v\n"
               "PEXPIREAT k 1010000\n"
               "PEXPIREAT k 1000010\n"
               "PEXPIREAT k 2000000\n"
               "PEXPIREAT k 2000001\n"
               "PERSIST k\n");
}

Test(keys, a_time_in_the_past_deletes_the_key_and_is_logged_as_that)
{
    fixture_do(&f, "SET k v");
    EXPECT(ONE, "EXPIRE k -1");
    EXPECT(ZERO, "EXISTS k");
    EXPECT_LOG("SET k v\nDEL k\n");
}

Test(keys, conditions_on_expiry_compare_with_what_is_there)
{
    fixture_do(&f, "SET k v");
    EXPECT(ZERO, "EXPIRE k 10 XX");
    EXPECT(ZERO, "EXPIRE k 10 GT");
    EXPECT(ONE, "EXPIRE k 10 LT");
    EXPECT(ZERO, "EXPIRE k 10 NX");
    EXPECT(ZERO, "EXPIRE k 5 GT");
    EXPECT(ONE, "EXPIRE k 20 GT XX");
    EXPECT(ZERO, "EXPIRE k 30 LT");
    EXPECT(":20\r\n", "TTL k");
}

Test(keys, a_key_takes_its_value_and_its_time_along_when_it_is_renamed_moved_or_copied)
{
    fixture_do(&f, "SET a v PX 500");
    fixture_do(&f, "RPUSH list x y");
    EXPECT(OK, "RENAME a b");
    EXPECT(ONE, "COPY b c");
    EXPECT(ONE, "COPY list copy");
    EXPECT(":3\r\n", "RPUSH copy z");
    EXPECT(":2\r\n", "LLEN list");
    EXPECT(ONE, "MOVE c 3");
    EXPECT(ZERO, "MOVE list2 3");
    EXPECT(ZERO, "RENAMENX b list");
    fixture_do(&f, "SELECT 3");
    EXPECT(":500\r\n", "PTTL c");
    EXPECT("$1\r\nv\r\n", "GET c");
    EXPECT_LOG("SET a v PXAT 1000500\n"
               "RPUSH list x y\n"
               "RENAME a b\n"
               "COPY b c\n"
               "COPY list copy\n"
               "RPUSH copy z\n"
               "MOVE c 3\n");
}

Test(keys, two_databases_exchange_their_data)
{
    fixture_do(&f, "SET a 0");
    fixture_do(&f, "SELECT 4");
    fixture_do(&f, "SET b 4 PX 100");
    EXPECT(OK, "SWAPDB 0 4");
    EXPECT("$1\r\n0\r\n", "GET a");
    EXPECT("-ERR DB index is out of range\r\n", "SWAPDB 0 16");
    EXPECT("-ERR invalid second DB index\r\n", "SWAPDB 0 x");
    fixture_do(&f, "SELECT 0");
    EXPECT(":100\r\n", "PTTL b");
    cr_expect(engine_expires(f.engine, 0) == 1 && engine_expires(f.engine, 4) == 0);
}

/* Numbers of the keys "k<number>" that one SCAN gives, marked in @seen; returns the next cursor. */
static unsigned long long scan(unsigned long long cursor, const char *options, int seen[])
{
    const char *at = fixture_do(&f, "SCAN %llu %s", cursor, options);
    at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    const unsigned long long next = strtoull(at, NULL, 10);
    while ((at = strstr(at, "\r\nk"))) seen[strtol(at += 3, NULL, 10)]++;
    return next;
}

Test(keys, a_scan_gives_every_key_once_in_a_table_that_does_not_change)
{
    static int seen[1000];
    for (int i = 0; i < 1000; i++) fixture_do(&f, "SET k%d x", i);
    unsigned long long cursor = 0;
    do cursor = scan(cursor, "COUNT 7", seen);
    while (cursor);
    for (int i = 0; i < 1000; i++) cr_assert_eq(seen[i], 1, "k%d was given %d times", i, seen[i]);
}

Test(keys, a_scan_misses_no_key_that_was_there_all_the_time_while_the_table_grows_and_shrinks)
{
    static int seen[30000];
    for (int i = 0; i < 500; i++) fixture_do(&f, "SET k%d x", i);
    unsigned long long cursor = 0;
    int step = 0;
    do {
        cursor = scan(cursor, "COUNT 20", seen);
        for (int i = 0; i < 1000; i++)
            fixture_do(&f, step < 10 ? "SET k%d x" : "DEL k%d", 500 + (step % 10) * 1000 + i);
        step++;
    } while (cursor);
    for (int i = 0; i < 500; i++) cr_assert_geq(seen[i], 1, "k%d was missed", i);
}

Test(keys, a_scan_filters_by_pattern_and_by_type)
{
    fixture_do(&f, "MSET a1 x a2 x b1 x");
    fixture_do(&f, "RPUSH a3 x");
    EXPECT("*2\r\n$1\r\n0\r\n*1\r\n$2\r\nb1\r\n", "SCAN 0 MATCH b* COUNT 100");
    EXPECT("*2\r\n$1\r\n0\r\n*1\r\n$2\r\na3\r\n", "SCAN 0 TYPE LIST COUNT 100");
    EXPECT("*2\r\n$1\r\n0\r\n*0\r\n", "SCAN 0 TYPE nonsense COUNT 100");
    EXPECT("*1\r\n$2\r\nb1\r\n", "KEYS b?");
}

Test(keys, flushing_one_database_leaves_the_others)
{
    fixture_do(&f, "SET k v");
    fixture_do(&f, "SELECT 1");
    fixture_do(&f, "SET k v");
    EXPECT(OK, "FLUSHDB");
    EXPECT(ZERO, "DBSIZE");
    fixture_do(&f, "SELECT 0");
    EXPECT(ONE, "DBSIZE");
    EXPECT(OK, "FLUSHALL ASYNC");
    EXPECT(ZERO, "DBSIZE");
    EXPECT_LOG("SET k v\n"
               "SELECT 1\n"
               "SET k v\n"
               "FLUSHDB\n"
               "SELECT 0\n"
               "FLUSHALL ASYNC\n");
}

Test(keys, the_idle_time_counts_from_the_last_use)
{
    fixture_do(&f, "SET k v");
    f.now_ms += 5000;
    EXPECT(":5\r\n", "OBJECT IDLETIME k");
    fixture_do(&f, "TTL k");
    EXPECT(":5\r\n", "OBJECT IDLETIME k");
    fixture_do(&f, "GET k");
    EXPECT(ZERO, "OBJECT IDLETIME k");
}
