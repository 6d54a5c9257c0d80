#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(hash_commands, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

static void fill(unsigned n)
{
    for (unsigned i = 0; i < n; i++) fixture_do(&f, "HSET h field:%u value:%u", i, i);
}

Test(hash_commands, a_float_increment_is_logged_as_its_sum)
{
    EXPECT("$4\r\n10.5\r\n", "HINCRBYFLOAT h f 10.5");
    EXPECT("$4\r\n10.6\r\n", "HINCRBYFLOAT h f 0.1");
    EXPECT_LOG("HSET h f 10.5\nHSET h f 10.6\n");
    EXPECT(":5\r\n", "HINCRBY h n 5");
    EXPECT_LOG("HINCRBY h n 5\n");
    EXPECT("-ERR value is NaN or Infinity\r\n", "HINCRBYFLOAT h f inf");
    EXPECT("-ERR increment or decrement would overflow\r\n", "HINCRBY h n 9223372036854775807");
    EXPECT_LOG("");
}

Test(hash_commands, a_refused_command_makes_no_key)
{
    EXPECT("-ERR wrong number of arguments for 'hset' command\r\n", "HSET h f v g");
    EXPECT("-ERR value is not an integer or out of range\r\n", "HINCRBY h f x");
    EXPECT("-ERR value is not a valid float\r\n", "HINCRBYFLOAT h f x");
    EXPECT(":0\r\n", "EXISTS h");
    EXPECT_LOG("");
}

Test(hash_commands, a_walk_in_steps_meets_every_field_that_stays_with_its_value)
{
    enum { STAY = 600 };
    static bool seen[STAY];
    fill(STAY);
    unsigned long cursor = 0;
    unsigned steps = 0;
    do {
        const char *at = fixture_do(&f, "HSCAN h %lu COUNT 15 MATCH field:*", cursor);
        cr_assert_eq(sscanf(at, "*2\r\n$%*d\r\n%lu", &cursor), 1);
        while ((at = strstr(at, "field:"))) {
            const unsigned long field = strtoul(at += 6, NULL, 10);
            at = strstr(at, "value:");
            cr_assert(at && strtoul(at + 6, NULL, 10) == field && field < STAY);
            seen[field] = true;
        }
        for (unsigned i = 0; i < 30; i++) fixture_do(&f, "HSET h other:%u x", steps * 30 + i);
        steps++;
    } while (cursor);
    cr_expect_gt(steps, 10);
    for (unsigned i = 0; i < STAY; i++) cr_expect(seen[i], "%u was passed over", i);
}

Test(hash_commands, a_sample_has_no_field_twice_and_every_field_its_own_value)
{
    enum { FIELDS = 2000 };
    fill(FIELDS);
    for (unsigned count = 10; count <= FIELDS; count += 995) {
        static bool seen[FIELDS];
        memset(seen, 0, sizeof seen);
        const char *at = fixture_do(&f, "HRANDFIELD h %u WITHVALUES", count);
        unsigned n = 0;
        for (; (at = strstr(at, "field:")); n++) {
            const unsigned long field = strtoul(at += 6, NULL, 10);
            at = strstr(at, "value:");
            cr_assert(field < FIELDS && !seen[field] && at && strtoul(at + 6, NULL, 10) == field);
            seen[field] = true;
        }
        cr_expect_eq(n, count);
    }
    EXPECT("-ERR value is out of range\r\n", "HRANDFIELD h -9223372036854775807 WITHVALUES");
    EXPECT("-ERR value is out of range\r\n", "HRANDFIELD nothing -4611686018427387904 WITHVALUES");
    EXPECT("*0\r\n", "HRANDFIELD nothing -4611686018427387903 WITHVALUES");
    EXPECT("*0\r\n", "HRANDFIELD nothing -9223372036854775807");
}
