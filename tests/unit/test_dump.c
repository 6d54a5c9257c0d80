#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/rdb.h"
#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(dump, .init = setup, .fini = teardown);

/* Bytes as an argument of a line, in quotes. */
static const char *quoted(struct span s)
{
    static char text[4096];
    size_t n = 0;
    text[n++] = '"';
    for (size_t i = 0; i < s.n && n + 6 < sizeof text; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\\x%02x", (unsigned char)s.p[i]);
    text[n++] = '"';
    text[n] = 0;
    return text;
}

/* What DUMP gives for a key, as an argument. */
static const char *dumped(const char *key)
{
    (void)fixture_do(&f, "DUMP %s", key);
    char *end;
    const size_t n = strtoul(f.reply.p + 1, &end, 10);
    return quoted(span_of(end + 2, n));
}

/* A value with the footer that belongs to it, as an argument. */
static const char *sealed(struct span value, unsigned version)
{
    struct buf b = {0};
    struct rdb_sum sum = {0};
    const char footer[] = {(char)version, 0};
    buf_add_span(&b, value);
    buf_add(&b, footer, sizeof footer);
    rdb_sum_add(&sum, buf_span(&b));
    rdb_put_checksum(&b, &sum);
    const char *text = quoted(buf_span(&b));
    buf_free(&b);
    return text;
}

/* DEBUG DIGEST-VALUE of a key. */
static void digest(const char *key, uint8_t to[ENGINE_DIGEST_BYTES])
{
    engine_digest_value(f.engine, 0, span_str(key), to);
}

Test(dump, carries_a_value_of_any_type)
{
    EXPECT("+OK|", "SET s hello");
    EXPECT("+OK|", "SET i 12345");
    EXPECT(":2|", "RPUSH l a b");
    EXPECT(":3|", "SADD t 1 2 3");
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT(":2|", "ZADD z 1 a 2.5 b");
    static const char *const keys[] = {"s", "i", "l", "t", "h", "z"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        uint8_t was[ENGINE_DIGEST_BYTES], is[ENGINE_DIGEST_BYTES];
        const char *payload = dumped(keys[k]);
        EXPECT("+OK|", "RESTORE copy 0 %s REPLACE", payload);
        digest(keys[k], was);
        digest("copy", is);
        cr_expect_arr_eq(was, is, sizeof was, "%s", keys[k]);
    }
    EXPECT("$-1|", "DUMP none");
}

Test(dump, of_redis_is_understood)
{
    EXPECT("+OK|",
           "RESTORE s 0 \"\\x00\\x05\\x68\\x65\\x6c\\x6c\\x6f\\x0a\\x00\\x63\\x72\\xdf\\x76\\x65\\x34\\x20\\x0a\"");
    EXPECT("$5|hello|", "GET s");
}

Test(dump, is_checked_before_anything_changes)
{
    EXPECT("+OK|", "SET k v");
    const char *payload = dumped("k");
    EXPECT("-BUSYKEY Target key name already exists.|", "RESTORE k 0 %s", payload);
    EXPECT("-ERR Invalid TTL value, must be >= 0|", "RESTORE k -1 %s REPLACE", payload);
    EXPECT("-ERR value is not an integer or out of range|", "RESTORE k x %s REPLACE", payload);
    EXPECT("-ERR syntax error|", "RESTORE k 0 %s REPLACE FREQ 1 IDLETIME 1", payload);
    EXPECT("-ERR Invalid FREQ value, must be >= 0 and <= 255|", "RESTORE k 0 %s FREQ 256", payload);
    EXPECT("-ERR Invalid IDLETIME value, must be >= 0|", "RESTORE k 0 %s IDLETIME -1", payload);
    EXPECT("-ERR DUMP payload version or checksum are wrong|", "RESTORE k 0 abc REPLACE");
    EXPECT("-ERR DUMP payload version or checksum are wrong|", "RESTORE k 0 0123456789abcdef REPLACE");
    EXPECT("-ERR DUMP payload version or checksum are wrong|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\0\1x"), 13));
    EXPECT("-ERR Bad data format|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\x16\1\1a"), 12));
    EXPECT("-ERR Bad data format|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\0\5x"), 10));
    EXPECT("-ERR Bad data format|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\1\0"), 10));
    EXPECT("-ERR Bad data format|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\2\2\1a\1a"), 10));
    EXPECT("-ERR Bad data format|", "RESTORE k 0 %s REPLACE", sealed(SPAN("\x0f\1\1a"), 10));
    EXPECT("$1|v|", "GET k");
    EXPECT_LOG("SET k v\n");
}

Test(dump, may_come_with_an_expiry_time_which_is_logged_as_an_absolute_one)
{
    EXPECT("+OK|", "RESTORE k 5000 %s", sealed(SPAN("\0\1v"), 10));
    EXPECT(":1005000|", "PEXPIRETIME k");
    EXPECT("+OK|", "RESTORE k 2000000 %s REPLACE ABSTTL", sealed(SPAN("\0\1w"), 10));
    EXPECT(":2000000|", "PEXPIRETIME k");
    EXPECT("+OK|", "RESTORE k 999999 %s REPLACE ABSTTL", sealed(SPAN("\0\1x"), 10));
    EXPECT(":0|", "EXISTS k");
    EXPECT("+OK|", "RESTORE k 9223372036854775807 %s", sealed(SPAN("\0\1x"), 10));
    EXPECT(":9223372036854775807|", "PEXPIRETIME k");
    struct engine *copy = fixture_replay(&f);
    uint8_t mine[ENGINE_DIGEST_BYTES], replayed[ENGINE_DIGEST_BYTES];
    engine_digest_full(f.engine, mine);
    engine_digest_full(copy, replayed);
    cr_expect_arr_eq(mine, replayed, sizeof mine);
    engine_free(copy);
}

/* The bytes of Redis 7.4: | kind | earliest time: 8 | ... */
Test(dump, of_a_hash_with_fields_that_expire_is_taken_from_a_later_redis)
{
    /* Fields in a table, each behind its time, counted from one less than the earliest: the time 2,000,005, and none. */
    EXPECT("+OK|", "RESTORE table 0 %s", sealed(SPAN("\x18\x80\x84\x1e\0\0\0\0\0\2\6\1a\1x\0\1b\1y"), 12));
    EXPECT("*2|:2000005|:-1|", "HPEXPIRETIME table FIELDS 2 a b");
    /* In a listpack: field, value and time, which is 0 for one that stays. */
    EXPECT("+OK|", "RESTORE pack 0 %s",
           sealed(SPAN("\x19\x80\x84\x1e\0\0\0\0\0\x1a\x1a\0\0\0\6\0\x81"
                       "a\2\x81"
                       "x\2\xf2\x80\x84\x1e\4\x81"
                       "b\2\x81"
                       "y\2\0\1\xff"),
                  12));
    EXPECT("*2|:2000000|:-1|", "HPEXPIRETIME pack FIELDS 2 a b");
    f.now_ms = 2000001;
    EXPECT("*2|$1|b|$1|y|", "HGETALL pack");
    cr_expect(fixture_replays(&f));
}

/* The log is to be read by Redis 7.0, which knows version 10, and sets as strings. */
Test(dump, of_a_later_version_is_logged_in_an_older_form)
{
    /* A set as a listpack: | bytes: 4 | elements: 2 | "a" | "b" | end | */
    const struct span set = SPAN("\x14\x0d\x0d\0\0\0\2\0\x81"
                                 "a\2\x81"
                                 "b\2\xff");
    EXPECT("+OK|", "RESTORE t 0 %s", sealed(set, 11));
    EXPECT(":2|", "SCARD t");
    EXPECT(":1|", "SISMEMBER t b");
    struct span log = buf_span(&f.log);
    const char *payload = memmem(log.p, log.n, "\r\n\x02\x02", 4);
    cr_assert_not_null(payload, "not logged as a plain set");
    cr_expect_not_null(memmem(payload, log.n - (size_t)(payload - log.p), "\n\0", 2), "version 10");
}

Test(dump, remembers_how_long_a_key_was_idle)
{
    EXPECT("+OK|", "RESTORE k 0 %s IDLETIME 100", sealed(SPAN("\0\1v"), 10));
    EXPECT(":100|", "OBJECT IDLETIME k");
    EXPECT("+OK|", "RESTORE k 0 %s REPLACE IDLETIME 9223372036854775807", sealed(SPAN("\0\1v"), 10));
    EXPECT(":8388607|", "OBJECT IDLETIME k");
}

Test(dump, remembers_how_often_a_key_was_used)
{
    struct eviction_settings s = *engine_eviction(f.engine);
    s.policy = EVICT_ALLKEYS_LFU;
    engine_set_eviction(f.engine, &s);
    EXPECT("+OK|", "RESTORE k 0 %s FREQ 200", sealed(SPAN("\0\1v"), 10));
    EXPECT(":200|", "OBJECT FREQ k");
    EXPECT("+OK|", "RESTORE other 0 %s IDLETIME 100", sealed(SPAN("\0\1v"), 10));
    EXPECT(":5|", "OBJECT FREQ other");
}

Test(dump, carries_a_stream_whose_ids_are_as_far_apart_as_can_be)
{
    uint8_t before[ENGINE_DIGEST_BYTES], after[ENGINE_DIGEST_BYTES];
    (void)fixture_do(&f, "XADD q 1-5 a b");
    (void)fixture_do(&f, "XADD q 18446744073709551614-0 a b");
    (void)fixture_do(&f, "XADD q 18446744073709551615-18446744073709551615 a b");
    engine_check(f.engine);
    digest("q", before);
    EXPECT("+OK|", "RESTORE copy 0 %s", dumped("q"));
    digest("copy", after);
    cr_expect_arr_eq(before, after, sizeof before);
    EXPECT(":3|", "XLEN copy");
}
