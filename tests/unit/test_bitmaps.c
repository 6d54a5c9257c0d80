/* Expected replies are those of redis-server 7.0. */
#include <criterion/criterion.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(bitmaps, .init = setup, .fini = teardown);

Test(bitmaps, a_bit_is_written_and_read_and_the_string_grows)
{
    EXPECT(":0|", "SETBIT k 7 1");
    EXPECT(":1|", "SETBIT k 7 0");
    EXPECT(":0|", "SETBIT k 100 1");
    EXPECT(":1|", "GETBIT k 100");
    EXPECT(":0|", "GETBIT k 101");
    EXPECT(":0|", "GETBIT k 100000");
    EXPECT(":0|", "GETBIT none 3");
    EXPECT(":13|", "STRLEN k");
    EXPECT("$3|raw|", "OBJECT ENCODING k");
    EXPECT_LOG("SETBIT k 7 1\nSETBIT k 7 0\nSETBIT k 100 1\n");
    EXPECT(":1|", "SETBIT k 100 1");
    EXPECT_LOG("");
}

Test(bitmaps, a_bit_of_a_number_is_one_of_its_digits)
{
    EXPECT("+OK|", "SET k 12");
    EXPECT(":1|", "GETBIT k 2");
    EXPECT(":1|", "SETBIT k 7 0");
    EXPECT("$2|02|", "GET k");
    EXPECT("$3|raw|", "OBJECT ENCODING k");
}

Test(bitmaps, offsets_and_values_are_checked)
{
    EXPECT("-ERR bit offset is not an integer or out of range|", "SETBIT k -1 1");
    EXPECT("-ERR bit offset is not an integer or out of range|", "SETBIT k 4294967296 1");
    EXPECT("-ERR bit offset is not an integer or out of range|", "SETBIT k x 1");
    EXPECT("-ERR bit is not an integer or out of range|", "SETBIT k 1 2");
    EXPECT("-ERR bit offset is not an integer or out of range|", "SETBIT k #1 1");
    EXPECT(":1|", "LPUSH l a");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "SETBIT l 1 1");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "GETBIT l 1");
    EXPECT(":0|", "EXISTS k");
}

Test(bitmaps, bits_are_counted_in_bytes_and_in_bits)
{
    EXPECT("+OK|", "SET k foobar");
    EXPECT(":26|", "BITCOUNT k");
    EXPECT(":4|", "BITCOUNT k 0 0");
    EXPECT(":6|", "BITCOUNT k 1 1");
    EXPECT(":7|", "BITCOUNT k -2 -1");
    EXPECT(":17|", "BITCOUNT k 5 30 BIT");
    EXPECT(":2|", "BITCOUNT k -5 -1 BIT");
    EXPECT(":0|", "BITCOUNT k 3 1");
    EXPECT(":0|", "BITCOUNT k -1 -3");
    EXPECT("-ERR syntax error|", "BITCOUNT k 0 -1 BITS");
    EXPECT("-ERR syntax error|", "BITCOUNT k 0");
    EXPECT(":0|", "BITCOUNT none 0");
    EXPECT("-ERR value is not an integer or out of range|", "BITCOUNT k a b");
    EXPECT(":0|", "BITCOUNT none a b");
}

Test(bitmaps, the_first_bit_of_a_kind_is_found)
{
    EXPECT("+OK|", "SET k \"\\xff\\xf0\\x00\"");
    EXPECT(":12|", "BITPOS k 0");
    EXPECT(":0|", "BITPOS k 1");
    EXPECT(":-1|", "BITPOS k 1 2");
    EXPECT(":-1|", "BITPOS k 0 0 0");
    EXPECT(":12|", "BITPOS k 0 0");
    EXPECT(":7|", "BITPOS k 1 7 15 BIT");
    EXPECT(":12|", "BITPOS k 0 7 15 BIT");
    EXPECT(":0|", "BITPOS none 0");
    EXPECT(":-1|", "BITPOS none 1");
    EXPECT("+OK|", "SET k \"\\xff\\xff\"");
    EXPECT(":16|", "BITPOS k 0");
    EXPECT(":-1|", "BITPOS k 0 0 -1");
    EXPECT("-ERR The bit argument must be 1 or 0.|", "BITPOS k 2");
    EXPECT("-ERR value is not an integer or out of range|", "BITPOS k x");
    EXPECT("-ERR syntax error|", "BITPOS k 0 0 -1 BITES");
}

Test(bitmaps, strings_are_combined_as_if_zeros_followed)
{
    EXPECT("+OK|", "SET a abcdef");
    EXPECT("+OK|", "SET b abc");
    EXPECT(":6|", "BITOP AND d a b");
    EXPECT("$6|abc\000\000\000|", "GET d");
    EXPECT(":6|", "BITOP OR d a b");
    EXPECT("$6|abcdef|", "GET d");
    EXPECT(":6|", "BITOP XOR d a b");
    EXPECT("$6|\000\000\000def|", "GET d");
    EXPECT(":3|", "BITOP NOT d b");
    EXPECT("-ERR BITOP NOT must be called with a single source key.|", "BITOP NOT d a b");
    EXPECT("-ERR syntax error|", "BITOP NAND d a b");
    EXPECT(":0|", "BITOP AND d none none2");
    EXPECT(":0|", "EXISTS d");
    EXPECT(":1|", "LPUSH l x");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "BITOP OR d a l");
}

Test(bitmaps, a_combination_replaces_what_was_there)
{
    EXPECT("+OK|", "SET a 1");
    EXPECT(":1|", "RPUSH d x");
    EXPECT(":1|", "EXPIRE d 1000");
    EXPECT(":1|", "BITOP OR d a");
    EXPECT(":-1|", "TTL d");
    EXPECT("+string|", "TYPE d");
    EXPECT("$3|raw|", "OBJECT ENCODING d");
    EXPECT(":0|", "BITOP OR a none");
    EXPECT(":0|", "EXISTS a");
}

Test(bitmaps, a_combination_may_stand_where_one_of_its_strings_stood)
{
    EXPECT("+OK|", "SET a abc");
    EXPECT("+OK|", "SET b abcdef");
    EXPECT(":6|", "BITOP XOR a b a");
    EXPECT("$6|\000\000\000def|", "GET a");
    EXPECT(":6|", "BITOP OR b b b");
    EXPECT("$6|abcdef|", "GET b");
    EXPECT(":6|", "BITOP NOT b b");
    EXPECT(":6|", "BITOP NOT b b");
    EXPECT("$6|abcdef|", "GET b");
    EXPECT("+OK|", "SET n 12");
    EXPECT(":2|", "BITOP AND n n n");
    EXPECT("$2|12|", "GET n");
}

Test(bitmaps, fields_wrap_saturate_or_fail)
{
    EXPECT("*2|:0|:0|", "BITFIELD k SET u8 0 255 INCRBY u8 0 1");
    EXPECT("*3|:0|:-128|:-128|", "BITFIELD k SET i8 8 127 INCRBY i8 8 1 GET i8 8");
    EXPECT("*2|:-128|:-128|", "BITFIELD k OVERFLOW SAT INCRBY i8 8 -100 INCRBY i8 8 -100");
    EXPECT("*2|$-1|:-128|", "BITFIELD k OVERFLOW FAIL INCRBY i8 8 -1 GET i8 8");
    EXPECT("*2|:0|:15|", "BITFIELD k OVERFLOW SAT SET u4 #7 99 GET u4 #7");
    EXPECT("*2|:0|:9223372036854775807|", "BITFIELD k SET i64 64 -1 GET u63 65");
    EXPECT("*1|:-9223372036854775808|", "BITFIELD k OVERFLOW SAT INCRBY i64 64 -9223372036854775808");
    EXPECT("*1|:0|", "BITFIELD k GET u2 100000");
    EXPECT("*0|", "BITFIELD k");
    EXPECT("*1|:-128|", "BITFIELD_RO k GET i8 8");
    EXPECT("-ERR BITFIELD_RO only supports the GET subcommand|", "BITFIELD_RO k SET i8 8 1");
}

Test(bitmaps, one_mistake_among_fields_changes_nothing)
{
    EXPECT("-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.|",
           "BITFIELD k SET u8 0 1 SET u64 0 1");
    EXPECT("-ERR Invalid OVERFLOW type specified|", "BITFIELD k SET u8 0 1 OVERFLOW NO SET u8 0 1");
    EXPECT("-ERR syntax error|", "BITFIELD k SET u8 0 1 GET u8");
    EXPECT("-ERR bit offset is not an integer or out of range|", "BITFIELD k SET u8 -1 1");
    EXPECT("-ERR bit offset is not an integer or out of range|", "BITFIELD k SET u8 #-1 1");
    EXPECT("-ERR value is not an integer or out of range|", "BITFIELD k SET u8 0 x");
    EXPECT(":0|", "EXISTS k");
    EXPECT_LOG("");
}

Test(bitmaps, a_field_that_fails_still_makes_room_and_that_is_logged)
{
    EXPECT("*1|$-1|", "BITFIELD k OVERFLOW FAIL INCRBY u2 30 4");
    EXPECT(":4|", "STRLEN k");
    EXPECT_LOG("BITFIELD k OVERFLOW FAIL INCRBY u2 30 4\n");
}

Test(bitmaps, an_offset_that_overflows_when_it_is_multiplied_is_out_of_range)
{
    EXPECT("-ERR bit offset is not an integer or out of range|", "BITFIELD k SET u8 #2305843009213693952 7");
    EXPECT("-ERR bit offset is not an integer or out of range|", "BITFIELD k GET u16 #1152921504606846977");
    EXPECT(":0|", "EXISTS k");
}
