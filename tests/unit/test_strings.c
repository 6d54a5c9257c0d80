/* What redis-server answers is compared by the differential test; here is what that cannot see: the log, the time, and
 * the limits. */
#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(strings, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

#define OK   "+OK\r\n"
#define NIL  "$-1\r\n"
#define ZERO ":0\r\n"
#define ONE  ":1\r\n"

Test(strings, a_relative_expiry_time_is_logged_as_an_absolute_one)
{
    EXPECT(OK, "SET k v EX 10");
    EXPECT(OK, "SET k v PX 10");
    EXPECT(OK, "SETEX k 5 v");
    EXPECT(OK, "PSETEX k 5 v");
    EXPECT("$1\r\nv\r\n", "GETEX k EX 1");
    EXPECT_LOG("SET k v PXAT 1010000\n"
               "SET k v PXAT 1000010\n"
               "SET k v PXAT 1005000\n"
               "SET k v PXAT 1000005\n"
               "PEXPIREAT k 1001000\n");
}

Test(strings, conditions_are_settled_before_the_log_is_written)
{
    EXPECT(NIL, "SET k v XX");
    EXPECT(OK, "SET k 1 NX");
    EXPECT(NIL, "SET k 2 NX");
    EXPECT("$1\r\n1\r\n", "SET k 3 NX GET");
    EXPECT("$1\r\n1\r\n", "SET k 4 GET");
    EXPECT(ZERO, "SETNX k 5");
    EXPECT(ZERO, "MSETNX new 1 k 2");
    EXPECT_LOG("SET k 1 NX\n"
               "SET k 4\n");
}

Test(strings, reading_and_changing_at_once_logs_only_the_change)
{
    fixture_do(&f, "SET k v");
    fixture_log(&f);
    EXPECT("$1\r\nv\r\n", "GETSET k w");
    EXPECT("$1\r\nw\r\n", "GETEX k");
    EXPECT("$1\r\nw\r\n", "GETEX k PERSIST");
    EXPECT("$1\r\nw\r\n", "GETEX k PX 100");
    EXPECT("$1\r\nw\r\n", "GETEX k PERSIST");
    EXPECT("$1\r\nw\r\n", "GETEX k PXAT 5");
    EXPECT(NIL, "GETDEL k");
    EXPECT_LOG("SET k w\n"
               "PEXPIREAT k 1000100\n"
               "PERSIST k\n"
               "DEL k\n");
}

Test(strings, a_sum_of_fractions_is_logged_as_its_result_and_keeps_the_expiry_time)
{
    fixture_do(&f, "SET k 10.5 PX 1000");
    EXPECT("$4\r\n10.6\r\n", "INCRBYFLOAT k 0.1");
    EXPECT(":1000\r\n", "PTTL k");
    EXPECT_LOG("SET k 10.5 PXAT 1001000\n"
               "SET k 10.6 KEEPTTL\n");
}

Test(strings, an_overwritten_key_loses_its_expiry_time_unless_told_to_keep_it)
{
    fixture_do(&f, "SET k v PX 1000");
    EXPECT(OK, "SET k w KEEPTTL");
    EXPECT(":1000\r\n", "PTTL k");
    EXPECT("$1\r\nw\r\n", "SET k x KEEPTTL GET");
    EXPECT(":1000\r\n", "PTTL k");
    EXPECT(":2\r\n", "APPEND k y");
    EXPECT(":1000\r\n", "PTTL k");
    EXPECT(OK, "SET k v");
    EXPECT(":-1\r\n", "PTTL k");
    EXPECT_LOG("SET k v PXAT 1001000\n"
               "SET k w KEEPTTL\n"
               "SET k x KEEPTTL\n"
               "APPEND k y\n"
               "SET k v\n");
}

Test(strings, a_string_never_grows_beyond_its_limit)
{
    EXPECT(ZERO, "SETRANGE k 600000000 \"\"");
    EXPECT("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", "SETRANGE k 536870912 x");
    EXPECT("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", "SETRANGE k 9223372036854775807 x");
    EXPECT("-ERR offset is out of range\r\n", "SETRANGE k -1 x");
    EXPECT(ZERO, "EXISTS k");
    EXPECT_LOG("");
}

Test(strings, integers_do_not_overflow)
{
    fixture_do(&f, "SET k 9223372036854775807");
    EXPECT("-ERR increment or decrement would overflow\r\n", "INCR k");
    EXPECT("-ERR decrement would overflow\r\n", "DECRBY k -9223372036854775808");
    EXPECT(":9223372036854775806\r\n", "DECR k");
    EXPECT("-ERR value is not an integer or out of range\r\n", "INCRBY k 1.5");
    fixture_do(&f, "SET k text");
    EXPECT("-ERR value is not an integer or out of range\r\n", "INCR k");
    EXPECT("-ERR value is not a valid float\r\n", "INCRBYFLOAT k 1");
}

Test(strings, another_type_is_refused_and_left_alone)
{
    fixture_do(&f, "RPUSH k a");
    static const char *const commands[] = {"GET k",          "APPEND k x",     "INCR k",          "STRLEN k",
                                           "GETRANGE k 0 1", "SETRANGE k 0 x", "INCRBYFLOAT k 1", "GETDEL k",
                                           "GETEX k EX 1",   "SET k v GET",    "GETSET k v"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "%s", commands[i]);
    EXPECT("*1\r\n$-1\r\n", "MGET k");
    EXPECT(ONE, "LLEN k");
    EXPECT_LOG("RPUSH k a\n");
}
