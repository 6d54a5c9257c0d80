/* Expected replies are those of redis-server 7.0. */
#include <criterion/criterion.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(sorts, .init = setup, .fini = teardown);

Test(sorts, numbers_and_texts_have_an_order)
{
    EXPECT(":4|", "RPUSH l 3 1 10 2");
    EXPECT("*4|$1|1|$1|2|$1|3|$2|10|", "SORT l");
    EXPECT("*4|$2|10|$1|3|$1|2|$1|1|", "SORT l DESC");
    EXPECT("*4|$1|1|$2|10|$1|2|$1|3|", "SORT l ALPHA");
    EXPECT("*2|$1|2|$1|3|", "SORT l LIMIT 1 2");
    EXPECT("*2|$1|1|$1|2|", "SORT l LIMIT -5 2");
    EXPECT("*1|$2|10|", "SORT l LIMIT 3 100");
    EXPECT("*0|", "SORT l LIMIT 9 1");
    EXPECT("*0|", "SORT l LIMIT 0 0");
    EXPECT("*0|", "SORT none");
    EXPECT(":5|", "RPUSH l abc");
    EXPECT("-ERR One or more scores can't be converted into double|", "SORT l");
    EXPECT("*5|$3|abc|$1|3|$1|2|$2|10|$1|1|", "SORT l ALPHA DESC");
    EXPECT("*1|$2|10|", "SORT l ALPHA LIMIT 1 1");
    EXPECT("*5|$1|1|$2|10|$1|2|$1|3|$3|abc|", "SORT_RO l ALPHA");
    EXPECT("-ERR syntax error|", "SORT_RO l STORE d");
}

Test(sorts, sets_and_sorted_sets_are_sorted_by_member)
{
    EXPECT(":3|", "SADD s 5 4 9");
    EXPECT("*3|$1|4|$1|5|$1|9|", "SORT s");
    EXPECT(":3|", "ZADD z 1 9 2 5 3 7");
    EXPECT("*3|$1|5|$1|7|$1|9|", "SORT z");
    EXPECT("*3|$1|9|$1|5|$1|7|", "SORT z BY nosort");
    EXPECT("*2|$1|7|$1|5|", "SORT z BY nosort DESC LIMIT 0 2");
    EXPECT("*1|$1|5|", "SORT z BY nosort LIMIT 1 1");
    EXPECT("*2|$1|5|$1|9|", "SORT z BY nosort DESC LIMIT 1 9");
    EXPECT("*0|", "SORT z BY nosort DESC LIMIT 3 9");
    EXPECT("*3|$1|9|$1|5|$1|7|", "SORT z BY nosort LIMIT -4 9");
    EXPECT("+OK|", "SET x 1");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "SORT x");
    EXPECT(":1|", "HSET h a 1");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "SORT h");
}

Test(sorts, other_keys_give_weights_and_values)
{
    EXPECT(":3|", "RPUSH l 1 2 3");
    EXPECT("+OK|", "MSET w1 30 w2 10 w3 20 n1 one n3 three");
    EXPECT(":1|", "HSET h1 f hash1");
    EXPECT(":1|", "HSET h3 f hash3");
    EXPECT("*3|$1|2|$1|3|$1|1|", "SORT l BY w*");
    EXPECT("*3|$1|1|$1|3|$1|2|", "SORT l BY w* DESC");
    EXPECT("*6|$1|2|$-1|$1|3|$5|three|$1|1|$3|one|", "SORT l BY w* GET # GET n*");
    EXPECT("*3|$5|hash1|$-1|$5|hash3|", "SORT l GET h*->f");
    EXPECT("*3|$-1|$-1|$-1|", "SORT l GET h*->none");
    EXPECT("*3|$-1|$-1|$-1|", "SORT l GET n*->f");
    EXPECT("*3|$-1|$-1|$-1|", "SORT l GET nostar");
    EXPECT("*3|$1|2|$1|1|$1|3|", "SORT l BY n* ALPHA");
    EXPECT("-ERR One or more scores can't be converted into double|", "SORT l BY n*");
    EXPECT("*3|$1|1|$1|2|$1|3|", "SORT l BY none* GET #");
}

Test(sorts, what_is_no_number_is_refused)
{
    EXPECT(":2|", "RPUSH l 1 x");
    EXPECT("-ERR One or more scores can't be converted into double|", "SORT l");
    EXPECT("*2|$1|1|$1|x|", "SORT l BY nosort");
    EXPECT("*1|$1|x|", "SORT l BY nosort LIMIT 1 1");
    EXPECT("*1|$1|1|", "SORT l BY nosort DESC LIMIT 1 5");
    EXPECT("*0|", "SORT l BY nosort DESC LIMIT 2 5");
    EXPECT("*0|", "SORT l BY nosort LIMIT 0 0");
    EXPECT(":1|", "RPUSH e \"\"");
    EXPECT("*1|$0||", "SORT e");
    EXPECT(":1|", "RPUSH n nan");
    EXPECT("-ERR One or more scores can't be converted into double|", "SORT n");
    EXPECT(":3|", "RPUSH b \" 7\" 0x10 inf");
    EXPECT("*3|$2| 7|$4|0x10|$3|inf|", "SORT b");
    EXPECT("-ERR value is not an integer or out of range|", "SORT l LIMIT x 1");
    EXPECT("-ERR syntax error|", "SORT l BY");
    EXPECT("-ERR syntax error|", "SORT l FOO");
}

Test(sorts, the_result_may_be_stored)
{
    EXPECT(":3|", "RPUSH l 3 1 2");
    EXPECT("+OK|", "SET d old");
    EXPECT(":3|", "SORT l STORE d");
    EXPECT("*3|$1|1|$1|2|$1|3|", "LRANGE d 0 -1");
    EXPECT(":3|", "SORT l GET none* STORE d");
    EXPECT("*3|$0||$0||$0||", "LRANGE d 0 -1");
    EXPECT(":0|", "SORT none STORE d");
    EXPECT(":0|", "EXISTS d");
    EXPECT(":3|", "SORT l DESC STORE l");
    EXPECT("*3|$1|3|$1|2|$1|1|", "LRANGE l 0 -1");
    EXPECT(":3|", "SADD s b c a");
    EXPECT(":3|", "SORT s BY nosort STORE d");
    EXPECT("*3|$1|a|$1|b|$1|c|", "LRANGE d 0 -1");
    EXPECT_LOG("RPUSH l 3 1 2\nSET d old\nDEL d\nRPUSH d 1 2 3\nDEL d\nRPUSH d   \nDEL d\nDEL l\nRPUSH l 3 2 1\nSADD "
               "s b c a\n"
               "DEL d\nRPUSH d a b c\n");
}

Test(sorts, equal_weights_leave_a_list_in_its_order_and_order_a_set_by_its_members)
{
    EXPECT(":3|", "RPUSH l c a b");
    EXPECT("*3|$1|c|$1|a|$1|b|", "SORT l BY none* ALPHA");
    EXPECT(":3|", "SADD s c a b");
    EXPECT("*3|$1|a|$1|b|$1|c|", "SORT s BY none* ALPHA");
}
