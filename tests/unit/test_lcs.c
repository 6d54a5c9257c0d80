/* Expected replies are those of redis-server 7.0. */
#include <criterion/criterion.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(lcs, .init = setup, .fini = teardown);

Test(lcs, the_longest_common_subsequence_is_found)
{
    EXPECT("+OK|", "MSET a ohmytext b mynewtext");
    EXPECT("$6|mytext|", "LCS a b");
    EXPECT(":6|", "LCS a b LEN");
    EXPECT("*4|$7|matches|*2|*2|*2|:4|:7|*2|:5|:8|*2|*2|:2|:3|*2|:0|:1|$3|len|:6|", "LCS a b IDX");
    EXPECT("*4|$7|matches|*1|*2|*2|:4|:7|*2|:5|:8|$3|len|:6|", "LCS a b IDX MINMATCHLEN 4");
    EXPECT("*4|$7|matches|*1|*3|*2|:4|:7|*2|:5|:8|:4|$3|len|:6|", "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN");
    EXPECT("$0||", "LCS a none");
    EXPECT(":0|", "LCS a none LEN");
    EXPECT("*4|$7|matches|*0|$3|len|:0|", "LCS none none2 IDX");
    EXPECT("$8|ohmytext|", "LCS a a");
}

Test(lcs, what_does_not_fit_is_refused)
{
    EXPECT(":1|", "RPUSH l x");
    EXPECT("+OK|", "SET a b");
    EXPECT("-ERR The specified keys must contain string values|", "LCS a l");
    EXPECT("-ERR If you want both the length and indexes, please just use IDX.|", "LCS a a LEN IDX");
    EXPECT("-ERR syntax error|", "LCS a a FOO");
    EXPECT("-ERR syntax error|", "LCS a a MINMATCHLEN");
    EXPECT("-ERR value is not an integer or out of range|", "LCS a a MINMATCHLEN x");
    EXPECT("*4|$7|matches|*1|*2|*2|:0|:0|*2|:0|:0|$3|len|:1|", "LCS a a IDX MINMATCHLEN -3");
}

Test(lcs, numbers_are_texts_too)
{
    EXPECT("+OK|", "SET a 12345");
    EXPECT("+OK|", "SET b 2x4");
    EXPECT("$2|24|", "LCS a b");
}
