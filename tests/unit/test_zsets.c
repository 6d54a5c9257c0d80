#include <criterion/criterion.h>

#include "tests/unit/engine_fixture.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(zsets, .init = setup, .fini = teardown);

/* Replies with their line ends as '|', which reads better than \r\n. */
static const char *answer(const char *reply)
{
    static char text[4096];
    size_t n = 0;
    for (const char *p = reply; *p && n + 1 < sizeof text; p++)
        if (*p == '\n') text[n++] = '|';
        else if (*p != '\r') text[n++] = *p;
    text[n] = 0;
    return text;
}

#define EXPECT(expected, ...)                                  \
    do {                                                       \
        const char *got = answer(fixture_do(&f, __VA_ARGS__)); \
        cr_expect_str_eq(got, expected, "%s", got);            \
    } while (0)
#define EXPECT_LOG(expected)                        \
    do {                                            \
        const char *got = fixture_log(&f);          \
        cr_expect_str_eq(got, expected, "%s", got); \
    } while (0)

static void five(void)
{
    fixture_do(&f, "ZADD k 1 a 2 b 3 c 4 d 5 e");
    fixture_log(&f);
}

Test(zsets, options_of_adding_say_what_may_change)
{
    EXPECT(":3|", "ZADD k 1 a 2 b 3 c");
    EXPECT(":1|", "ZADD k NX 9 a 4 d");
    EXPECT(":0|", "ZADD k XX 9 z 5 a");
    EXPECT("$1|5|", "ZSCORE k a");
    EXPECT("$-1|", "ZSCORE k z");
    EXPECT(":2|", "ZADD k CH GT 1 a 7 b 8 c");
    EXPECT(":1|", "ZADD k LT CH 1 a 9 b");
    EXPECT("$1|3|", "ZADD k INCR 2 a");
    EXPECT("$-1|", "ZADD k NX INCR 2 a");
    EXPECT("$-1|", "ZADD none XX INCR 2 a");
    EXPECT(":0|", "EXISTS none");
}

Test(zsets, adding_refuses_what_does_not_fit_together)
{
    EXPECT("-ERR syntax error|", "ZADD k NX 1 a 2");
    EXPECT("-ERR XX and NX options at the same time are not compatible|", "ZADD k NX XX 1 a");
    EXPECT("-ERR GT, LT, and/or NX options at the same time are not compatible|", "ZADD k GT LT 1 a");
    EXPECT("-ERR GT, LT, and/or NX options at the same time are not compatible|", "ZADD k NX GT 1 a");
    EXPECT("-ERR INCR option supports a single increment-element pair|", "ZADD k INCR 1 a 2 b");
    EXPECT("-ERR value is not a valid float|", "ZADD k 1 a x b");
    EXPECT("-ERR value is not a valid float|", "ZADD k nan a");
    EXPECT(":0|", "EXISTS k");
    EXPECT("+OK|", "SET s v");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "ZADD s 1 a");
    EXPECT(":1|", "ZADD k inf a");
    EXPECT("-ERR resulting score is not a number (NaN)|", "ZINCRBY k -inf a");
    EXPECT("-ERR syntax error|", "ZINCRBY k nx a");
}

Test(zsets, an_increment_is_logged_as_the_score_that_came_out)
{
    EXPECT("$19|0.10000000000000001|", "ZINCRBY k 0.1 a");
    EXPECT_LOG("ZADD k 0.10000000000000001 a\n");
    EXPECT("$19|0.30000000000000004|", "ZADD k INCR 0.2 a");
    EXPECT_LOG("ZADD k 0.30000000000000004 a\n");
    EXPECT("$19|0.30000000000000004|", "ZINCRBY k 0 a");
    EXPECT_LOG("");
    EXPECT(":0|", "ZADD k NX 7 a");
    EXPECT_LOG("");
}

Test(zsets, a_range_by_rank_counts_from_either_end)
{
    five();
    EXPECT("*3|$1|b|$1|c|$1|d|", "ZRANGE k 1 -2");
    EXPECT("*2|$1|e|$1|d|", "ZREVRANGE k 0 1");
    EXPECT("*4|$1|e|$1|5|$1|d|$1|4|", "ZRANGE k 0 1 REV WITHSCORES");
    EXPECT("*0|", "ZRANGE k 3 1");
    EXPECT("*0|", "ZRANGE none 0 -1");
    EXPECT("-ERR value is not an integer or out of range|", "ZRANGE k a 1");
    EXPECT("-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX|",
           "ZRANGE k 0 1 LIMIT 0 1");
}

Test(zsets, a_range_by_score_knows_open_bounds_and_limits)
{
    five();
    EXPECT("*2|$1|c|$1|d|", "ZRANGEBYSCORE k (2 4");
    EXPECT("*2|$1|d|$1|c|", "ZREVRANGEBYSCORE k 4 (2");
    EXPECT("*2|$1|d|$1|c|", "ZRANGE k +inf -inf BYSCORE REV LIMIT 1 2");
    EXPECT("*1|$1|e|", "ZRANGEBYSCORE k -inf inf LIMIT 4 -1");
    EXPECT("*0|", "ZRANGEBYSCORE k -inf inf LIMIT -1 2");
    EXPECT(":3|", "ZCOUNT k 2 (5");
    EXPECT(":0|", "ZCOUNT k 5 1");
    EXPECT("-ERR min or max is not a float|", "ZCOUNT k 1 x");
    EXPECT("-ERR syntax error|", "ZRANGEBYSCORE k 1 2 REV");
}

Test(zsets, a_range_by_name_knows_its_ends)
{
    fixture_do(&f, "ZADD k 0 a 0 b 0 c 0 d");
    EXPECT("*2|$1|b|$1|c|", "ZRANGEBYLEX k (a [c");
    EXPECT("*4|$1|d|$1|c|$1|b|$1|a|", "ZREVRANGEBYLEX k + -");
    EXPECT("*1|$1|b|", "ZRANGE k - + BYLEX LIMIT 1 1");
    EXPECT("*0|", "ZRANGEBYLEX k + -");
    EXPECT(":2|", "ZLEXCOUNT k [c +");
    EXPECT("-ERR min or max not valid string range item|", "ZLEXCOUNT k c +");
    EXPECT("-ERR syntax error, WITHSCORES not supported in combination with BYLEX|", "ZRANGE k - + BYLEX WITHSCORES");
    EXPECT(":2|", "ZREMRANGEBYLEX k [b [c");
    EXPECT("*2|$1|a|$1|d|", "ZRANGE k 0 -1");
}

Test(zsets, removing_the_last_member_removes_the_key)
{
    five();
    EXPECT(":2|", "ZREM k a e z");
    EXPECT(":1|", "ZREMRANGEBYSCORE k 4 9");
    EXPECT(":2|", "ZREMRANGEBYRANK k 0 -1");
    EXPECT(":0|", "EXISTS k");
    EXPECT(":0|", "ZREM k a");
    EXPECT_LOG("ZREM k a e z\nZREMRANGEBYSCORE k 4 9\nZREMRANGEBYRANK k 0 -1\n");
}

Test(zsets, popping_takes_from_either_end)
{
    five();
    EXPECT("*2|$1|a|$1|1|", "ZPOPMIN k");
    EXPECT("*4|$1|e|$1|5|$1|d|$1|4|", "ZPOPMAX k 2");
    EXPECT("*0|", "ZPOPMIN k 0");
    EXPECT("*0|", "ZPOPMIN none");
    EXPECT("-ERR value is out of range, must be positive|", "ZPOPMIN k -1");
    EXPECT("-ERR syntax error|", "ZPOPMIN k 1 2");
}

Test(zsets, popping_from_the_first_of_several_keys_is_logged_by_its_name)
{
    five();
    EXPECT("*2|$1|k|*2|*2|$1|e|$1|5|*2|$1|d|$1|4|", "ZMPOP 2 none k MAX COUNT 2");
    EXPECT_LOG("ZPOPMAX k 2\n");
    EXPECT("*2|$1|k|*1|*2|$1|a|$1|1|", "ZMPOP 1 k MIN");
    EXPECT_LOG("ZPOPMIN k 1\n");
    EXPECT("*-1|", "ZMPOP 2 none nothing MIN");
    EXPECT("-ERR numkeys should be greater than 0|", "ZMPOP 0 k MIN");
    EXPECT("-ERR count should be greater than 0|", "ZMPOP 1 k MIN COUNT 0");
    EXPECT("-ERR syntax error|", "ZMPOP 1 k BOTH");
    EXPECT("-ERR syntax error|", "ZMPOP 5 k MIN");
}

Test(zsets, unions_and_intersections_weigh_and_aggregate)
{
    fixture_do(&f, "ZADD x 1 a 2 b");
    fixture_do(&f, "ZADD y 10 b 20 c");
    fixture_do(&f, "SADD s a b");
    EXPECT("*6|$1|a|$1|1|$1|b|$2|12|$1|c|$2|20|", "ZUNION 2 x y WITHSCORES");
    EXPECT("*6|$1|a|$1|2|$1|b|$2|10|$1|c|$2|20|", "ZUNION 2 x y WEIGHTS 2 1 AGGREGATE MAX WITHSCORES");
    EXPECT("*2|$1|b|$1|3|", "ZINTER 3 x y s WITHSCORES AGGREGATE SUM WEIGHTS 1 0 1");
    EXPECT("*2|$1|a|$1|1|", "ZDIFF 2 x y WITHSCORES");
    EXPECT(":2|", "ZINTERCARD 2 x s");
    EXPECT(":1|", "ZINTERCARD 2 x s LIMIT 1");
    EXPECT(":3|", "ZUNIONSTORE d 2 x y");
    EXPECT(":0|", "ZINTERSTORE d 2 x none");
    EXPECT(":0|", "EXISTS d");
    EXPECT("-ERR at least 1 input key is needed for 'zunionstore' command|", "ZUNIONSTORE d 0 x");
    EXPECT("-ERR weight value is not a float|", "ZUNION 1 x WEIGHTS a");
    EXPECT("-ERR syntax error|", "ZDIFF 2 x y WEIGHTS 1 1");
    EXPECT("-ERR LIMIT can't be negative|", "ZINTERCARD 1 x LIMIT -1");
}

Test(zsets, a_result_may_replace_one_of_its_sources)
{
    five();
    EXPECT(":2|", "ZRANGESTORE k k 1 2");
    EXPECT("*4|$1|b|$1|2|$1|c|$1|3|", "ZRANGE k 0 -1 WITHSCORES");
    EXPECT(":2|", "ZUNIONSTORE k 2 k k");
    EXPECT("*4|$1|b|$1|4|$1|c|$1|6|", "ZRANGE k 0 -1 WITHSCORES");
    EXPECT(":0|", "ZDIFFSTORE k 2 k k");
    EXPECT(":0|", "EXISTS k");
}

Test(zsets, ranks_and_scores_of_members)
{
    five();
    EXPECT(":1|", "ZRANK k b");
    EXPECT(":3|", "ZREVRANK k b");
    EXPECT("$-1|", "ZRANK k z");
    EXPECT("$-1|", "ZRANK none z");
    EXPECT("*2|:1|$1|2|", "ZRANK k b WITHSCORE");
    EXPECT("*2|:3|$1|2|", "ZREVRANK k b withscore");
    EXPECT("*-1|", "ZRANK k z WITHSCORE");
    EXPECT("*-1|", "ZREVRANK none z WITHSCORE");
    EXPECT("-ERR syntax error|", "ZRANK k b SCORE");
    EXPECT("-ERR wrong number of arguments for 'zrank' command|", "ZRANK k b WITHSCORE x");
    EXPECT("*3|$1|1|$-1|$1|5|", "ZMSCORE k a z e");
    EXPECT(":5|", "ZCARD k");
    EXPECT("*2|$1|0|*4|$1|a|$1|1|$1|b|$1|2|", "ZSCAN k 0 MATCH [ab]");
}

Test(zsets, members_by_chance_come_from_the_set)
{
    five();
    EXPECT("*5|$1|a|$1|b|$1|c|$1|d|$1|e|", "ZRANDMEMBER k 9");
    EXPECT("*0|", "ZRANDMEMBER none 3");
    EXPECT("$-1|", "ZRANDMEMBER none");
    EXPECT("*0|", "ZRANDMEMBER k 0");
    cr_expect_eq(strncmp(fixture_do(&f, "ZRANDMEMBER k -9 WITHSCORES"), "*18\r\n", 5), 0);
    EXPECT("-ERR syntax error|", "ZRANDMEMBER k 1 SCORES");
    EXPECT_LOG("");
}

Test(zsets, a_replay_gives_the_same_data)
{
    for (unsigned i = 0; i < 400; i++) {
        fixture_do(&f, "ZADD big%u %u.5 member-%u", i % 2, i * 7919 % 1000, i);
        if (i % 3 == 0) fixture_do(&f, "ZINCRBY big0 0.%u member-%u", i, i / 2);
        if (i % 50 == 0) fixture_do(&f, "ZMPOP 2 none big1 MAX COUNT 3");
        if (i % 70 == 0) fixture_do(&f, "ZUNIONSTORE both 2 big0 big1 WEIGHTS 0.1 0.3");
    }
    cr_expect(fixture_replays(&f));
}
