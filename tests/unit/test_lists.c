#include <criterion/criterion.h>

#include "tests/unit/engine_fixture.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(lists, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected, "%s", f.reply.p)

Test(lists, both_ends_take_and_give_elements)
{
    EXPECT(":3\r\n", "RPUSH k a b c");
    EXPECT(":5\r\n", "LPUSH k 1 2");
    EXPECT("*5\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "LRANGE k 0 -1");
    EXPECT("$1\r\n2\r\n", "LPOP k");
    EXPECT("*2\r\n$1\r\nc\r\n$1\r\nb\r\n", "RPOP k 2");
    EXPECT("*0\r\n", "LPOP k 0");
    EXPECT("*2\r\n$1\r\n1\r\n$1\r\na\r\n", "LPOP k 100");
    EXPECT(":0\r\n", "EXISTS k");
    EXPECT("$-1\r\n", "LPOP k");
    EXPECT("*-1\r\n", "LPOP k 1");
    EXPECT(":0\r\n", "LPUSHX k a");
    EXPECT("-ERR wrong number of arguments for 'rpop' command\r\n", "RPOP k 1 2");
    EXPECT("-ERR value is out of range, must be positive\r\n", "RPOP k -1");
}

Test(lists, an_index_counts_from_either_end)
{
    EXPECT(":4\r\n", "RPUSH k a b c d");
    EXPECT("$1\r\nd\r\n", "LINDEX k -1");
    EXPECT("$-1\r\n", "LINDEX k 4");
    EXPECT("+OK\r\n", "LSET k -2 C");
    EXPECT("$1\r\nC\r\n", "LINDEX k 2");
    EXPECT("-ERR index out of range\r\n", "LSET k 4 x");
    EXPECT("-ERR no such key\r\n", "LSET none 0 x");
    EXPECT("*2\r\n$1\r\nb\r\n$1\r\nC\r\n", "LRANGE k -3 -2");
    EXPECT("*0\r\n", "LRANGE k 3 1");
    EXPECT("+OK\r\n", "LTRIM k 1 -2");
    EXPECT("*2\r\n$1\r\nb\r\n$1\r\nC\r\n", "LRANGE k -100 100");
    EXPECT("+OK\r\n", "LTRIM k 5 9");
    EXPECT(":0\r\n", "EXISTS k");
}

Test(lists, elements_are_found_inserted_and_removed_by_value)
{
    EXPECT(":7\r\n", "RPUSH k a b c a b c a");
    EXPECT(":0\r\n", "LPOS k a");
    EXPECT(":6\r\n", "LPOS k a RANK -1");
    EXPECT("*2\r\n:3\r\n:6\r\n", "LPOS k a RANK 2 COUNT 0");
    EXPECT("*1\r\n:6\r\n", "LPOS k a RANK -1 COUNT 0 MAXLEN 3");
    EXPECT("$-1\r\n", "LPOS k zz");
    EXPECT("*0\r\n", "LPOS none a COUNT 1");
    EXPECT(":6\r\n", "LPOS k a RANK -9223372036854775808");
    EXPECT(":8\r\n", "LINSERT k AFTER b x");
    EXPECT(":9\r\n", "LINSERT k BEFORE x 12");
    EXPECT(":-1\r\n", "LINSERT k BEFORE zz x");
    EXPECT(":2\r\n", "LPOS k 12");
    EXPECT(":1\r\n", "LREM k -1 a");
    EXPECT(":2\r\n", "LREM k 0 a");
    EXPECT(":1\r\n", "LREM k -9223372036854775808 x");
    EXPECT("-ERR syntax error\r\n", "LINSERT none BESIDE b x");
}

Test(lists, moving_keeps_the_element_and_removes_an_empty_source)
{
    EXPECT(":2\r\n", "RPUSH a 1 2");
    EXPECT("$1\r\n2\r\n", "LMOVE a a RIGHT LEFT");
    EXPECT("$1\r\n1\r\n", "RPOPLPUSH a b");
    EXPECT("$1\r\n2\r\n", "LMOVE a a LEFT LEFT");
    EXPECT("$1\r\n2\r\n", "LMOVE a b LEFT RIGHT");
    EXPECT(":0\r\n", "EXISTS a");
    EXPECT("*2\r\n$1\r\n1\r\n$1\r\n2\r\n", "LRANGE b 0 -1");
    EXPECT("$-1\r\n", "LMOVE a b LEFT RIGHT");
    EXPECT("+OK\r\n", "SET s x");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "LMOVE b s LEFT LEFT");
    EXPECT(":2\r\n", "LLEN b");
}

Test(lists, lmpop_is_logged_as_the_pop_that_it_was)
{
    EXPECT(":3\r\n", "RPUSH b 1 2 3");
    (void)fixture_log(&f);
    EXPECT("*2\r\n$1\r\nb\r\n*2\r\n$1\r\n3\r\n$1\r\n2\r\n", "LMPOP 2 a b RIGHT COUNT 2");
    cr_expect_str_eq(fixture_log(&f), "RPOP b 2\n");
    EXPECT("*2\r\n$1\r\nb\r\n*1\r\n$1\r\n1\r\n", "LMPOP 1 b LEFT COUNT 10");
    cr_expect_str_eq(fixture_log(&f), "LPOP b 1\n");
    EXPECT("*-1\r\n", "LMPOP 1 b LEFT");
    EXPECT("-ERR syntax error\r\n", "LMPOP 9223372036854775807 b LEFT");
    EXPECT("-ERR syntax error\r\n", "LMPOP 1 b LEFT COUNT 1 COUNT 1");
}
