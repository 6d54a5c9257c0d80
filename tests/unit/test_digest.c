/* The digests beside the commands are what redis-server 7.0.15 answers to DEBUG DIGEST. */
#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "common/keyspace.h"
#include "common/traversal.h"
#include "tests/unit/snapshot.h"

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(digest, .init = setup, .fini = teardown);

static const char *hex(const uint8_t digest[ENGINE_DIGEST_BYTES])
{
    static char text[2 * ENGINE_DIGEST_BYTES + 1];
    for (size_t i = 0; i < ENGINE_DIGEST_BYTES; i++) (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static const char *digest(void)
{
    uint8_t d[ENGINE_DIGEST_BYTES];
    engine_digest(f.engine, d);
    return hex(d);
}

Test(digest, no_data_is_all_zeros) { cr_expect_str_eq(digest(), "0000000000000000000000000000000000000000"); }

Test(digest, a_string_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SET k v");
    cr_expect_str_eq(digest(), "264ccf65edec66bccfa7cc659414ccca432057d2");
}

Test(digest, an_integer_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SET k 12345");
    cr_expect_str_eq(digest(), "f5faf050bcaa840acaedaf70b477448e8acd4aea");
}

Test(digest, a_key_that_expires_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SET k v PX 100000");
    cr_expect_str_eq(digest(), "bf83f210388eea94f06fb90d517490e16a08d7dd");
}

Test(digest, a_list_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "RPUSH k a b 3 a");
    cr_expect_str_eq(digest(), "3c15b648805214f3cfd7d947987577f0dcdb8f25");
}

Test(digest, a_set_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SADD k a b 3 xyz");
    cr_expect_str_eq(digest(), "e4357d4361624ff786b52158bf365814cbe860a9");
}

Test(digest, a_set_of_integers_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SADD k 1 -5 70000");
    cr_expect_str_eq(digest(), "14e4fd32ad58573fe328c57f8d514c44dd168931");
}

Test(digest, a_hash_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "HSET k f v g 5");
    cr_expect_str_eq(digest(), "9eeb07691b5ff3b1e80e627a335b19b7cb419bfa");
}

Test(digest, a_sorted_set_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "ZADD k 1 a 2.5 b -inf c 1e20 d 0.1 e");
    cr_expect_str_eq(digest(), "125015250f9bc87d762b73d1587ceb28f73b9eea");
}

Test(digest, data_in_two_databases_has_the_digest_that_redis_gives_it)
{
    fixture_do(&f, "SET k v");
    fixture_do(&f, "SELECT 9");
    fixture_do(&f, "SET k v");
    fixture_do(&f, "RPUSH l 1");
    fixture_do(&f, "SELECT 0");
    cr_expect_str_eq(digest(), "0475775c720879cd8cea919c7d83c7f0a2a87160");
}

Test(digest, one_value_has_a_digest_without_its_key)
{
    uint8_t d[ENGINE_DIGEST_BYTES];
    fixture_do(&f, "SET a b");
    engine_digest_value(f.engine, 0, SPAN("a"), d);
    cr_expect_str_eq(hex(d), "b78559cd22bce6e6df712eb99ce7f3b08e8f8f1f");
    engine_digest_value(f.engine, 0, SPAN("nothing"), d);
    cr_expect_str_eq(hex(d), "0000000000000000000000000000000000000000");
}

Test(digest, the_order_in_which_data_came_does_not_matter)
{
    char first[2 * ENGINE_DIGEST_BYTES + 1];
    for (int i = 0; i < 500; i++) fixture_do(&f, "SET k%d %d", i, i);
    for (int i = 0; i < 300; i++) fixture_do(&f, "SADD s %d-x", i);
    (void)snprintf(first, sizeof first, "%s", digest());
    fixture_do(&f, "FLUSHALL");
    for (int i = 299; i >= 0; i--) fixture_do(&f, "SADD s %d-x", i);
    for (int i = 499; i >= 0; i--) fixture_do(&f, "SET k%d %d", i, i);
    cr_expect_str_eq(digest(), first);
}

Test(digest, only_the_full_digest_tells_expiry_times_apart)
{
    uint8_t a[ENGINE_DIGEST_BYTES], b[ENGINE_DIGEST_BYTES], full_a[ENGINE_DIGEST_BYTES], full_b[ENGINE_DIGEST_BYTES];
    fixture_do(&f, "SET k v PX 100000");
    engine_digest(f.engine, a);
    engine_digest_full(f.engine, full_a);
    fixture_do(&f, "PEXPIRE k 100001");
    engine_digest(f.engine, b);
    engine_digest_full(f.engine, full_b);
    cr_expect_arr_eq(a, b, sizeof a);
    cr_expect_arr_neq(full_a, full_b, sizeof full_a);
}

/* Random commands found it: a sorted set that was large keeps the sign of a zero score, which the small form that a snapshot
 * of it is loaded into does not know. */
Test(digest, full_does_not_mind_the_sign_of_a_zero_score_that_a_snapshot_took_off)
{
    enum { MEMBERS = 200 }; /* more than the small form takes */
    struct buf records = {0};
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *replica = engine_new(&options);
    for (unsigned i = 1; i < MEMBERS; i++) (void)fixture_do(&f, "ZADD z %u m%u", i, i);
    (void)fixture_do(&f, "ZADD z -0 zero");
    (void)fixture_do(&f, "ZREMRANGEBYSCORE z 1 inf");
    struct traversal *t = traversal_begin(f.engine);
    while (traversal_step(t, &records, 1)) continue;
    traversal_free(t);
    snapshot_load(&records, replica, "a zero score");
    cr_expect_str_eq(fixture_do(&f, "ZSCORE z zero"), "$2\r\n-0\r\n");
    cr_expect_str_eq(fixture_do(&f, "OBJECT ENCODING z"), "$8\r\nskiplist\r\n");
    cr_expect_str_eq(entry_encoding(db_find(engine_db(replica, 0), SPAN("z"))), "listpack");
    cr_expect(engines_equal(f.engine, replica));
    buf_free(&records);
    engine_free(replica);
}
