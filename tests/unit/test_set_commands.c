#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* What the comparison with Redis cannot see: what is logged where chance decides, walks in steps, and fairness. */

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(set_commands, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

/* Add members 0 to @n-1, as words so that many of them make a table. */
static void fill(const char *key, unsigned n)
{
    for (unsigned i = 0; i < n; i++) fixture_do(&f, "SADD %s word:%u", key, i);
}

Test(set_commands, a_popped_member_is_logged_as_removed)
{
    EXPECT(":1\r\n", "SADD s only");
    EXPECT(":2\r\n", "SADD t a b");
    (void)fixture_log(&f);
    EXPECT("$4\r\nonly\r\n", "SPOP s");
    EXPECT_LOG("DEL s\n");
    const bool a = strstr(fixture_do(&f, "SPOP t"), "a");
    EXPECT_LOG(a ? "SREM t a\n" : "SREM t b\n");
    EXPECT("$-1\r\n", "SPOP s");
    EXPECT("*0\r\n", "SPOP t 0");
    EXPECT_LOG("");
}

Test(set_commands, what_a_large_pop_leaves_moves_to_the_smallest_form)
{
    for (unsigned i = 0; i < 600; i++) fixture_do(&f, "SADD s %u", i);
    (void)fixture_do(&f, "PEXPIREAT s 99999999999999");
    EXPECT("$9\r\nhashtable\r\n", "OBJECT ENCODING s");
    (void)fixture_do(&f, "SPOP s 400");
    EXPECT("$9\r\nhashtable\r\n", "OBJECT ENCODING s");
    (void)fixture_do(&f, "SPOP s 190");
    EXPECT(":10\r\n", "SCARD s");
    EXPECT("$6\r\nintset\r\n", "OBJECT ENCODING s");
    EXPECT(":99999999999999\r\n", "PEXPIRETIME s");
    cr_expect(fixture_replays(&f));
}

Test(set_commands, no_more_members_are_popped_at_once_than_may_be_logged)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    options.max_effect = 1000;
    engine_free(f.engine);
    f.engine = engine_new(&options);
    fill("s", 300);
    const char *reply = fixture_do(&f, "SPOP s 299");
    const unsigned popped = (unsigned)strtoul(reply + 1, NULL, 10);
    cr_expect(popped >= 1000 / 24 && popped <= 1000 / 22 + 1, "%u", popped);
    char left[16];
    (void)snprintf(left, sizeof left, ":%u\r\n", 300 - popped);
    EXPECT(left, "SCARD s");
    cr_expect(fixture_replays(&f));
    cr_expect(strncmp(fixture_do(&f, "SPOP s 300"), "*2", 2) == 0, "what takes all names none");
    EXPECT(":0\r\n", "EXISTS s");
}

Test(set_commands, several_popped_members_are_logged_in_one_removal)
{
    fill("s", 300);
    (void)fixture_log(&f);
    const char *reply = fixture_do(&f, "SPOP s 250");
    cr_expect(strncmp(reply, "*250\r\n", 6) == 0);
    const char *log = fixture_log(&f);
    cr_expect(strncmp(log, "SREM s word:", 12) == 0);
    cr_expect_eq(strchr(log, '\n')[1], '\0', "one line");
    EXPECT(":50\r\n", "SCARD s");
    (void)fixture_do(&f, "SPOP s 50");
    EXPECT_LOG("DEL s\n");
    EXPECT(":0\r\n", "EXISTS s");
}

Test(set_commands, replay_of_what_chance_decided_gives_equal_data)
{
    uint64_t random = 3;
    for (unsigned i = 0; i < 3000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const unsigned r = (unsigned)(random >> 33), key = r % 3, member = r / 3 % 500;
        switch (r / 1500 % 6) {
        case 0: fixture_do(&f, "SPOP s%u", key); break;
        case 1: fixture_do(&f, "SPOP s%u %u", key, member % 7); break;
        case 2: fixture_do(&f, "SMOVE s%u s%u m%u", key, (key + 1) % 3, member); break;
        case 3: fixture_do(&f, "SDIFFSTORE s%u s%u s%u", key, (key + 1) % 3, (key + 2) % 3); break;
        default: fixture_do(&f, "SADD s%u m%u %u", key, member, member);
        }
    }
    cr_expect(fixture_replays(&f));
}

Test(set_commands, what_changes_nothing_is_not_logged)
{
    EXPECT(":2\r\n", "SADD s a b");
    EXPECT("+OK\r\n", "SET str x");
    (void)fixture_log(&f);
    EXPECT(":0\r\n", "SADD s a");
    EXPECT(":0\r\n", "SREM s c");
    EXPECT(":0\r\n", "SMOVE s t c");
    EXPECT(":1\r\n", "SMOVE s s a");
    EXPECT(":0\r\n", "SINTERSTORE nothing s missing");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "SADD str x");
    EXPECT_LOG("");
    EXPECT(":0\r\n", "SINTERSTORE str s missing");
    EXPECT_LOG("SINTERSTORE str s missing\n");
    EXPECT(":0\r\n", "EXISTS str");
}

Test(set_commands, a_result_may_overwrite_its_own_source_whatever_its_expiry_time)
{
    EXPECT(":3\r\n", "SADD s a b c");
    EXPECT(":2\r\n", "SADD t b c");
    EXPECT(":1\r\n", "EXPIRE s 100");
    EXPECT(":1\r\n", "SDIFFSTORE s s t");
    EXPECT("*1\r\n$1\r\na\r\n", "SMEMBERS s");
    EXPECT(":-1\r\n", "TTL s");
    EXPECT(":0\r\n", "SDIFFSTORE s s s");
    EXPECT(":0\r\n", "EXISTS s");
    cr_expect(fixture_replays(&f));
}

Test(set_commands, a_walk_in_steps_meets_every_member_that_stays)
{
    enum { STAY = 500 };
    static bool seen[STAY];
    fill("s", STAY);
    unsigned long cursor = 0, steps = 0;
    do {
        const char *at = fixture_do(&f, "SSCAN s %lu COUNT 20", cursor);
        cr_assert_eq(sscanf(at, "*2\r\n$%*d\r\n%lu", &cursor), 1);
        while ((at = strstr(at, "word:"))) seen[strtoul(at += 5, NULL, 10) % STAY] = true;
        /* Grow and shrink the table under the walk. */
        for (unsigned i = 0; i < 40; i++)
            fixture_do(&f, steps % 2 ? "SREM s x%u" : "SADD s x%u", i + (unsigned)(steps / 2) * 40);
        steps++;
    } while (cursor);
    cr_expect_gt(steps, 10);
    for (unsigned i = 0; i < STAY; i++) cr_expect(seen[i], "%u was passed over", i);
    EXPECT("*2\r\n$1\r\n0\r\n*0\r\n", "SSCAN s 18446744073709551615");
}

Test(set_commands, a_sample_is_fair_and_never_has_a_member_twice)
{
    /* 10 of 2000 are drawn one by one, 900 of 2000 in one walk. */
    enum { MEMBERS = 2000 };
    static unsigned drawn[2][MEMBERS];
    fill("s", MEMBERS);
    for (unsigned way = 0; way < 2; way++) {
        const unsigned count = way ? 900 : 10, rounds = way ? 100 : 9000;
        for (unsigned round = 1; round <= rounds; round++) {
            const char *at = fixture_do(&f, "SRANDMEMBER s %u", count);
            static unsigned last[MEMBERS];
            unsigned n = 0;
            for (; (at = strstr(at, "word:")); n++) {
                const unsigned long member = strtoul(at += 5, NULL, 10);
                cr_assert(member < MEMBERS && last[member] != round + way * rounds * 1000);
                last[member] = round + way * rounds * 1000;
                drawn[way][member]++;
            }
            cr_assert_eq(n, count);
        }
        const double expected = (double)count * rounds / MEMBERS;
        double chi2 = 0;
        for (unsigned i = 0; i < MEMBERS; i++)
            chi2 += (drawn[way][i] - expected) * (drawn[way][i] - expected) / expected;
        /* 1999 degrees of freedom: standard deviation 63; without replacement the spread is smaller. */
        cr_expect(chi2 > 900 && chi2 < 2320, "way %u: chi-square %f", way, chi2);
    }
}

Test(set_commands, a_sample_that_no_reply_could_hold_is_refused)
{
    EXPECT(":1\r\n", "SADD s a");
    EXPECT("-ERR value is out of range\r\n", "SRANDMEMBER s -9223372036854775807");
    EXPECT("*0\r\n", "SRANDMEMBER nothing -9223372036854775807");
    EXPECT("-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
           "SRANDMEMBER s -9223372036854775808");
    EXPECT("*3\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n", "SRANDMEMBER s -3");
    EXPECT("*1\r\n$1\r\na\r\n", "SRANDMEMBER s 9223372036854775807");
}

Test(set_commands, an_intersection_stops_counting_at_its_limit)
{
    fill("s", 1000);
    fill("t", 800);
    EXPECT(":800\r\n", "SINTERCARD 2 s t");
    EXPECT(":7\r\n", "SINTERCARD 2 s t LIMIT 7");
    EXPECT(":800\r\n", "SINTERCARD 2 s t LIMIT 0");
    EXPECT(":0\r\n", "SINTERCARD 3 s t missing LIMIT 7");
}

Test(set_commands, a_difference_is_the_same_by_both_ways_to_find_it)
{
    /* A small first set is looked up in the others; a large one is copied, and the others struck out. */
    fill("small", 20);
    fill("large", 600);
    fill("most", 590);
    EXPECT(":0\r\n", "SDIFFSTORE d small large most");
    EXPECT(":10\r\n", "SDIFFSTORE d large small small small small small most");
    EXPECT(":10\r\n", "SDIFFSTORE d large most");
    EXPECT(":1\r\n", "SISMEMBER d word:599");
    EXPECT(":0\r\n", "SISMEMBER d word:589");
}
