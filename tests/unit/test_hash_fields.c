/* Commands on hash fields that expire; Redis 7.0 has none to compare with, so every reply and effect stands here. The
 * fixture's clock begins at 1000000 ms. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/call.h"
#include "common/graveyard.h"
#include "common/traversal.h"
#include "tests/unit/answers.h"
#include "tests/unit/rand.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void)
{
    engine_check(f.engine);
    fixture_free(&f);
}

TestSuite(hash_fields, .init = setup, .fini = teardown);

/* Forget what was logged, but look at it: it belongs to the preparation. */
static void begin(void) { (void)fixture_log(&f); }

Test(hash_fields, expire_replies_a_number_for_each_field)
{
    EXPECT(":3|", "HSET h a 1 b 2 c 3");
    begin();
    EXPECT("*3|:1|:-2|:1|", "HEXPIRE h 10 FIELDS 3 a none b");
    EXPECT_LOG("HPEXPIREAT h 1010000 FIELDS 2 a b\n");
    EXPECT("*4|:10|:10|:-1|:-2|", "HTTL h FIELDS 4 a b c none");
    EXPECT("*1|:10000|", "HPTTL h FIELDS 1 a");
    EXPECT("*1|:1010|", "HEXPIRETIME h FIELDS 1 a");
    EXPECT("*1|:1010000|", "HPEXPIRETIME h FIELDS 1 a");
    EXPECT("*2|:-2|:-2|", "HEXPIRE none 10 FIELDS 2 a b");
    EXPECT("*2|:-2|:-2|", "HTTL none FIELDS 2 a b");
    EXPECT("*1|:-2|", "HPERSIST none FIELDS 1 a");
    EXPECT_LOG("");
}

Test(hash_fields, expire_counts_in_seconds_and_milliseconds_from_now_and_from_1970)
{
    EXPECT(":1|", "HSET h a 1");
    begin();
    EXPECT("*1|:1|", "HPEXPIRE h 1500 FIELDS 1 a");
    EXPECT("*1|:1|", "HEXPIREAT h 2000 FIELDS 1 a");
    EXPECT("*1|:1|", "HPEXPIREAT h 2000001 FIELDS 1 a");
    EXPECT_LOG("HPEXPIREAT h 1001500 FIELDS 1 a\nHPEXPIREAT h 2000000 FIELDS 1 a\nHPEXPIREAT h 2000001 FIELDS 1 a\n");
    EXPECT("*1|:1001|", "HTTL h FIELDS 1 a");
    EXPECT("*1|:2001|", "HEXPIRETIME h FIELDS 1 a");
}

Test(hash_fields, conditions_compare_with_the_time_that_is_there)
{
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT("*1|:0|", "HEXPIRE h 10 XX FIELDS 1 a");
    EXPECT("*1|:0|", "HEXPIRE h 10 GT FIELDS 1 a");
    EXPECT("*1|:1|", "HEXPIRE h 10 NX FIELDS 1 a");
    EXPECT("*1|:0|", "HEXPIRE h 20 NX FIELDS 1 a");
    EXPECT("*1|:0|", "HEXPIRE h 10 gt FIELDS 1 a");
    EXPECT("*1|:1|", "HEXPIRE h 11 GT FIELDS 1 a");
    EXPECT("*1|:0|", "HEXPIRE h 11 LT FIELDS 1 a");
    EXPECT("*1|:1|", "HEXPIRE h 9 LT fields 1 a");
    EXPECT("*1|:1|", "HEXPIRE h 12 XX FIELDS 1 a");
    EXPECT("*1|:1|", "HEXPIRE h 12 LT FIELDS 1 b");
    begin();
    EXPECT("*2|:0|:-2|", "HEXPIRE h 12 NX FIELDS 2 a none");
    EXPECT_LOG("");
    EXPECT("*2|:1|:0|", "HEXPIRE h 13 GT FIELDS 2 a a");
    EXPECT_LOG("HPEXPIREAT h 1013000 FIELDS 1 a\n");
}

Test(hash_fields, a_time_that_has_passed_deletes_at_once_if_the_condition_holds)
{
    EXPECT(":4|", "HSET h a 1 b 2 c 3 d 4");
    begin();
    EXPECT("*3|:2|:-2|:2|", "HEXPIRE h 0 FIELDS 3 a none b");
    EXPECT_LOG("HDEL h a b\n");
    EXPECT("*1|:0|", "HEXPIREAT h 1 GT FIELDS 1 c");
    EXPECT("*1|:2|", "HPEXPIREAT h 1000000 LT FIELDS 1 c");
    EXPECT(":1|", "HLEN h");
    EXPECT("*2|:2|:-2|", "HPEXPIRE h 0 FIELDS 2 d d");
    EXPECT(":0|", "EXISTS h");
    EXPECT_LOG("HDEL h c\nHDEL h d\n");
}

Test(hash_fields, mistakes_are_told_in_redis_words)
{
    EXPECT("+OK|", "SET s v");
    EXPECT(":1|", "HSET h a 1");
    begin();
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "HEXPIRE s x FIELDS 1 a");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "HTTL s FIELDS 0 a");
    EXPECT("-ERR value is not an integer or out of range|", "HEXPIRE h x FIELDS 1 a");
    EXPECT("-ERR invalid expire time, must be >= 0|", "HEXPIRE h -1 FIELDS 1 a");
    EXPECT("-ERR invalid expire time in 'hexpire' command|", "HEXPIRE h 70368744178 FIELDS 1 a");
    EXPECT("-ERR invalid expire time in 'hpexpire' command|", "HPEXPIRE h 70368744177663 FIELDS 1 a");
    EXPECT("-ERR invalid expire time in 'hpexpireat' command|", "HPEXPIREAT h 70368744177664 FIELDS 1 a");
    EXPECT("-ERR Mandatory argument FIELDS is missing or not at the right position|", "HEXPIRE h 1 NX XX 1 a");
    EXPECT("-ERR Mandatory argument FIELDS is missing or not at the right position|", "HEXPIRE h 1 1 FIELDS a");
    EXPECT("-ERR Parameter `numFields` should be greater than 0|", "HEXPIRE h 1 FIELDS 0 a");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HEXPIRE h 1 FIELDS 2 a");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HEXPIRE h 1 FIELDS 1 a b");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HEXPIRE h 1 NX FIELDS 1");
    EXPECT("-ERR Mandatory argument FIELDS is missing or not at the right position|", "HTTL h 1 FIELDS a");
    EXPECT("-ERR Number of fields must be a positive integer|", "HTTL h FIELDS x a");
    EXPECT("-ERR Number of fields must be a positive integer|", "HPERSIST h FIELDS 0 a");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HPERSIST h FIELDS 3 a");
    EXPECT("-ERR refused|", "HEXPIRE h 1 FIELDS 1");
    EXPECT("-ERR refused|", "HTTL h FIELDS 1");
    EXPECT("*1|:1|", "HPEXPIREAT h 70368744177663 FIELDS 1 a");
    EXPECT_LOG("HPEXPIREAT h 70368744177663 FIELDS 1 a\n");
}

Test(hash_fields, persist_clears_times)
{
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT("*1|:1|", "HEXPIRE h 10 FIELDS 1 a");
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 1);
    begin();
    EXPECT("*3|:1|:-1|:-2|", "HPERSIST h FIELDS 3 a b none");
    EXPECT_LOG("HPERSIST h FIELDS 3 a b none\n");
    EXPECT("*1|:-1|", "HPERSIST h FIELDS 1 a");
    EXPECT_LOG("");
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 0);
    f.now_ms += 20000;
    EXPECT("$1|1|", "HGET h a");
}

Test(hash_fields, what_sets_a_value_clears_the_time_and_what_changes_it_keeps_it)
{
    EXPECT(":4|", "HSET h a 1 b 2 c 3 d 4");
    EXPECT("*4|:1|:1|:1|:1|", "HPEXPIRE h 500 FIELDS 4 a b c d");
    begin();
    EXPECT(":0|", "HSET h a 10");
    EXPECT("+OK|", "HMSET h b 20");
    EXPECT(":5|", "HINCRBY h c 2");
    EXPECT("$3|4.5|", "HINCRBYFLOAT h d 0.5");
    EXPECT_LOG("HSET h a 10\nHMSET h b 20\nHINCRBY h c 2\nHSET h d 4.5\nHPEXPIREAT h 1000500 FIELDS 1 d\n");
    EXPECT("*4|:-1|:-1|:500|:500|", "HPTTL h FIELDS 4 a b c d");
    EXPECT(":0|", "HSETNX h c 1");
    EXPECT(":1|", "HDEL h c");
    EXPECT(":1|", "HSETNX h c 1");
    EXPECT("*1|:-1|", "HTTL h FIELDS 1 c");
}

/* Every command meets a hash of which a and b are dead and c lives on. */
static void half_dead(const char *key)
{
    (void)fixture_do(&f, "DEL %s", key);
    (void)fixture_do(&f, "HSET %s a 1 b 2 c 3", key);
    (void)fixture_do(&f, "HPEXPIRE %s 100 FIELDS 2 a b", key);
    f.now_ms += 101;
    begin();
}

Test(hash_fields, a_dead_field_is_found_by_no_read)
{
    static const struct {
        const char *command, *reply;
    } reads[] = {
        {"HGET h a", "$-1|"},
        {"HMGET h a b c", "*3|$-1|$-1|$1|3|"},
        {"HGETALL h", "*2|$1|c|$1|3|"},
        {"HKEYS h", "*1|$1|c|"},
        {"HVALS h", "*1|$1|3|"},
        {"HLEN h", ":1|"},
        {"HEXISTS h a", ":0|"},
        {"HSTRLEN h a", ":0|"},
        {"HRANDFIELD h", "$1|c|"},
        {"HRANDFIELD h 5", "*1|$1|c|"},
        {"HRANDFIELD h -2 WITHVALUES", "*4|$1|c|$1|3|$1|c|$1|3|"},
        {"HTTL h FIELDS 2 a c", "*2|:-2|:-1|"},
        {"HPEXPIRETIME h FIELDS 1 a", "*1|:-2|"},
    };
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        half_dead("h");
        EXPECT(reads[i].reply, "%s", reads[i].command);
        EXPECT_LOG("HDEL h a b\n");
    }
    cr_expect_eq(engine_stats(f.engine)->expired_fields, 2 * (sizeof reads / sizeof *reads));
    half_dead("h");
    EXPECT("*2|$1|0|*2|$1|c|$1|3|", "HSCAN h 0");
}

Test(hash_fields, a_write_finds_no_dead_field_and_logs_their_end_before_itself)
{
    static const struct {
        const char *command, *reply, *log;
    } writes[] = {
        {"HSET h a 5", ":1|", "HDEL h a b\nHSET h a 5\n"},
        {"HSETNX h a 5", ":1|", "HDEL h a b\nHSETNX h a 5\n"},
        {"HINCRBY h a 5", ":5|", "HDEL h a b\nHINCRBY h a 5\n"},
        {"HINCRBYFLOAT h a 5", "$1|5|", "HDEL h a b\nHSET h a 5\n"},
        {"HDEL h a c", ":1|", "HDEL h a b\nHDEL h a c\n"},
        {"HEXPIRE h 10 FIELDS 2 a c", "*2|:-2|:1|", "HDEL h a b\nHPEXPIREAT h %lld FIELDS 1 c\n"},
        {"HPERSIST h FIELDS 2 a c", "*2|:-2|:-1|", "HDEL h a b\n"},
        {"HGETDEL h FIELDS 2 a c", "*2|$-1|$1|3|", "HDEL h a b\nHDEL h c\n"},
        {"HGETEX h PERSIST FIELDS 2 a c", "*2|$-1|$1|3|", "HDEL h a b\n"},
        {"HSETEX h FXX FIELDS 1 a 7", ":0|", "HDEL h a b\n"},
        {"HSETEX h FNX KEEPTTL FIELDS 1 a 7", ":1|", "HDEL h a b\nHSET h a 7\n"},
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        char expected[200];
        half_dead("h");
        EXPECT(writes[i].reply, "%s", writes[i].command);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(expected, sizeof expected, writes[i].log, (long long)f.now_ms + 10000);
#pragma GCC diagnostic pop
        EXPECT_LOG(expected);
    }
}

Test(hash_fields, a_hash_whose_fields_are_all_dead_is_gone)
{
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT("*2|:1|:1|", "HPEXPIRE h 10 FIELDS 2 a b");
    f.now_ms += 11;
    begin();
    EXPECT("*0|", "HGETALL h");
    EXPECT_LOG("HDEL h a b\n");
    EXPECT(":0|", "EXISTS h");
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 0);
}

/* Fill a hash that is a table, of which all fields but those of numbers below @living die after @ms. */
static void fill_large(const char *key, unsigned fields, unsigned living, unsigned ms)
{
    for (unsigned i = 0; i < fields; i++) (void)fixture_do(&f, "HSET %s f%u v%u", key, i, i);
    for (unsigned i = living; i < fields; i++) (void)fixture_do(&f, "HPEXPIRE %s %u FIELDS 1 f%u", key, ms, i);
}

Test(hash_fields, a_large_hash_hides_its_dead_until_they_are_deleted_a_few_at_each_touch)
{
    fill_large("h", 2000, 3, 50);
    EXPECT("$9|hashtable|", "OBJECT ENCODING h");
    f.now_ms += 51;
    EXPECT("$2|v1|", "HGET h f1");
    EXPECT("$-1|", "HGET h f1999");
    EXPECT("*6|$2|v0|$-1|$-1|$2|v2|$-1|$2|v1|", "HMGET h f0 f7 f8 f2 f1500 f1");
    EXPECT(":1|", "HSET h f9 new");
    EXPECT(":1|", "HINCRBY h f1000 1");
    (void)fixture_do(&f, "HGETALL h");
    cr_expect(strncmp(f.reply.p, "*10\r\n", 5) == 0, "%.20s", f.reply.p);
    (void)fixture_do(&f, "HRANDFIELD h 100");
    cr_expect(strncmp(f.reply.p, "*5\r\n", 4) == 0, "%.20s", f.reply.p);
    const uint64_t deleted = engine_stats(f.engine)->expired_fields;
    cr_expect(deleted > 0 && deleted < 1900, "%lu", (unsigned long)deleted);
    cr_expect(fixture_replays(&f));
}

Test(hash_fields, a_replica_hides_the_dead_and_waits_for_the_log)
{
    EXPECT(":3|", "HSET h a 1 b 2 c 3");
    EXPECT("*2|:1|:1|", "HPEXPIRE h 10 FIELDS 2 a b");
    begin();
    engine_set_role(f.engine, ENGINE_REPLICA);
    f.now_ms += 1000;
    EXPECT("$-1|", "HGET h a");
    EXPECT("*2|$1|c|$1|3|", "HGETALL h");
    EXPECT("*1|$1|c|", "HRANDFIELD h 9");
    EXPECT("*1|:-2|", "HTTL h FIELDS 1 a");
    EXPECT(":3|", "HLEN h");
    cr_expect_not(engine_cycle(f.engine, f.now_ms, 1000, &f.effects));
    EXPECT_LOG("");
    EXPECT(":3|", "HLEN h");
    engine_set_role(f.engine, ENGINE_PRIMARY);
    EXPECT(":1|", "HLEN h");
    EXPECT_LOG("HDEL h a b\n");
}

Test(hash_fields, a_replica_with_nothing_but_dead_fields_answers_as_for_none)
{
    EXPECT(":1|", "HSET h a 1");
    EXPECT("*1|:1|", "HPEXPIRE h 10 FIELDS 1 a");
    engine_set_role(f.engine, ENGINE_REPLICA);
    f.now_ms += 1000;
    EXPECT("*0|", "HGETALL h");
    EXPECT("$-1|", "HRANDFIELD h");
    EXPECT("*0|", "HRANDFIELD h -5");
    EXPECT("*2|$1|0|*0|", "HSCAN h 0");
}

Test(hash_fields, replay_knows_no_time)
{
    struct engine *again;
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT("*2|:1|:1|", "HPEXPIRE h 10 FIELDS 2 a b");
    EXPECT(":5|", "HINCRBY h a 4");
    again = fixture_replay(&f);
    cr_expect(engines_equal(f.engine, again));
    cr_expect_eq(engine_timed_hashes(again, 0), 1);
    engine_free(again);
    f.now_ms += 11;
    EXPECT(":1|", "HINCRBY h a 1");
    EXPECT("$-1|", "HGET h b");
    cr_expect(fixture_replays(&f));
}

static void run_cycles(unsigned budget)
{
    for (unsigned rounds = 0; engine_cycle(f.engine, f.now_ms, budget, &f.effects); rounds++)
        cr_assert_lt(rounds, 10000, "the cycle does not end");
}

Test(hash_fields, the_cycle_deletes_what_nobody_touches_and_the_hashes_that_this_empties)
{
    for (unsigned i = 0; i < 500; i++) {
        (void)fixture_do(&f, "HSET h%u a 1 b 2", i);
        (void)fixture_do(&f, i % 2 ? "HPEXPIRE h%u 100 FIELDS 2 a b" : "HPEXPIRE h%u 100 FIELDS 1 a", i);
    }
    (void)fixture_do(&f, "SELECT 3");
    fill_large("h", 1000, 10, 100);
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 500);
    cr_expect_eq(engine_timed_hashes(f.engine, 3), 1);
    run_cycles(256);
    cr_expect_eq(engine_keys(f.engine, 0), 500, "nothing is dead yet");
    f.now_ms += 101;
    run_cycles(256);
    f.now_ms += 1000;
    run_cycles(256);
    cr_expect_eq(engine_keys(f.engine, 0), 250);
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 0);
    EXPECT(":10|", "HLEN h");
    cr_expect_eq(engine_timed_hashes(f.engine, 3), 0);
    cr_expect(fixture_replays(&f));
}

Test(hash_fields, the_cycle_stays_within_its_budget)
{
    fill_large("h", 5000, 0, 100);
    f.now_ms += 101;
    cr_expect(engine_cycle(f.engine, f.now_ms, 100, &f.effects));
    const uint64_t deleted = engine_stats(f.engine)->expired_fields;
    cr_expect(deleted >= 50 && deleted <= 200, "%lu", (unsigned long)deleted);
}

/* One field dies every @every_ms; the cycle runs ten times a second, until it says that few are dead. */
static void dead_stay_few(unsigned fields, unsigned every_ms)
{
    enum { STEP_MS = 100 };
    const uint64_t deleted_before = engine_stats(f.engine)->expired_fields;
    for (unsigned i = 0; i < fields; i++) {
        (void)fixture_do(&f, "HSET h f%u v", i);
        (void)fixture_do(&f, "HPEXPIRE h %u FIELDS 1 f%u", (i + 1) * every_ms, i);
    }
    const int64_t start = f.now_ms, end = start + (int64_t)every_ms * fields * 9 / 10;
    while (f.now_ms < end) {
        f.now_ms += STEP_MS;
        run_cycles(256);
        const uint64_t dead =
            (uint64_t)(f.now_ms - start - 1) / every_ms; /* at its last millisecond it still lives */
        const uint64_t deleted = engine_stats(f.engine)->expired_fields - deleted_before, there = fields - deleted;
        cr_assert_geq(dead, deleted);
        cr_assert_leq((dead - deleted) * 10, there, "%lu dead of %lu", (unsigned long)(dead - deleted),
                      (unsigned long)there);
    }
    EXPECT(":1|", "DEL h");
}

Test(hash_fields, the_share_of_dead_fields_stays_below_a_tenth)
{
    dead_stay_few(6000, 10);
    dead_stay_few(6000, 3);
    dead_stay_few(500, 120);
}

Test(hash_fields, a_large_hash_does_not_keep_others_waiting)
{
    fill_large("large", 20000, 0, 100);
    EXPECT(":1|", "HSET small a 1");
    EXPECT("*1|:1|", "HPEXPIRE small 150 FIELDS 1 a");
    f.now_ms += 101;
    for (unsigned i = 0; i < 5; i++) (void)engine_cycle(f.engine, f.now_ms, 100, &f.effects);
    f.now_ms += 60;
    for (unsigned i = 0; i < 5; i++) (void)engine_cycle(f.engine, f.now_ms, 100, &f.effects);
    cr_expect_eq(engine_keys(f.engine, 0), 1, "the small one is gone");
    cr_expect_geq(engine_stats(f.engine)->expired_fields, 500);
}

Test(hash_fields, times_go_with_the_hash_wherever_it_goes)
{
    EXPECT(":2|", "HSET h a 1 b 2");
    EXPECT("*1|:1|", "HEXPIRE h 10 FIELDS 1 a");
    EXPECT(":1|", "COPY h copy");
    EXPECT("+OK|", "RENAME h renamed");
    EXPECT(":1|", "EXPIRE renamed 100");
    EXPECT(":1|", "PERSIST renamed");
    EXPECT(":1|", "MOVE copy 2");
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 1);
    cr_expect_eq(engine_timed_hashes(f.engine, 2), 1);
    EXPECT("*1|:10|", "HTTL renamed FIELDS 1 a");
    EXPECT("+OK|", "SWAPDB 0 2");
    EXPECT("*1|:10|", "HTTL copy FIELDS 1 a");
    engine_check(f.engine);
    EXPECT("+OK|", "SET copy v");
    cr_expect_eq(engine_timed_hashes(f.engine, 0), 0);
    f.now_ms += 10001;
    run_cycles(256);
    (void)fixture_do(&f, "SELECT 2");
    EXPECT("*2|$1|b|$1|2|", "HGETALL renamed");
    EXPECT(":1|", "DEL renamed");
    EXPECT("+OK|", "FLUSHALL");
    cr_expect(fixture_replays(&f));
}

Test(hash_fields, databases_that_are_flushed_forget_their_hashes)
{
    for (unsigned lazy = 0; lazy < 2; lazy++) {
        half_dead("h");
        half_dead("g");
        EXPECT("+OK|", lazy ? "FLUSHALL ASYNC" : "FLUSHALL SYNC");
        cr_expect_eq(engine_timed_hashes(f.engine, 0), 0);
        run_cycles(100);
        engine_check(f.engine);
    }
    uint64_t objects;
    garbage_free(engine_take_garbage(f.engine, &objects));
}

Test(hash_fields, sort_passes_over_dead_fields)
{
    EXPECT(":2|", "RPUSH l 1 2");
    EXPECT(":2|", "HSET w1 by 9 get x");
    EXPECT(":2|", "HSET w2 by 5 get y");
    EXPECT("*2|$1|y|$1|x|", "SORT l BY w*->by GET w*->get");
    EXPECT("*1|:1|", "HPEXPIRE w1 10 FIELDS 1 by");
    EXPECT("*1|:1|", "HPEXPIRE w2 10 FIELDS 1 get");
    f.now_ms += 11;
    EXPECT("*2|$1|x|$-1|", "SORT l BY w*->by GET w*->get");
}

Test(hash_fields, the_encoding_is_told_as_redis_tells_it)
{
    EXPECT(":1|", "HSET h a 1");
    EXPECT("$8|listpack|", "OBJECT ENCODING h");
    EXPECT("*1|:1|", "HEXPIRE h 10 FIELDS 1 a");
    EXPECT("$10|listpackex|", "OBJECT ENCODING h");
    fill_large("g", 600, 0, 100);
    EXPECT("$9|hashtable|", "OBJECT ENCODING g");
}

Test(hash_fields, dump_and_restore_carry_times)
{
    for (unsigned large = 0; large < 2; large++) {
        fill_large("h", large ? 600 : 3, 1, 5000);
        struct engine *before = fixture_replay(&f);
        const struct entry *e = db_find(engine_db(f.engine, 0), SPAN("h"));
        cr_assert(e);
        (void)fixture_do(&f, "DUMP h");
        const char *payload = strchr(f.reply.p, '\n') + 1;
        const size_t n = strtoul(f.reply.p + 1, NULL, 10);
        struct span argv[] = {SPAN("RESTORE"), SPAN("h"), SPAN("0"), span_of(payload, n), SPAN("REPLACE")};
        struct buf raw = {0}, out = {0};
        struct reply reply = {.out = &out, .resp = 2};
        resp_encode(&raw, argv, 5);
        const struct request request = {.argv = argv, .argc = 5, .raw = buf_span(&raw)};
        engine_execute(f.engine, &f.session, f.now_ms, command_find(f.commands, argv[0], argv[1]), &request, &reply,
                       &f.effects);
        cr_expect(span_eq(buf_span(&out), SPAN("+OK\r\n")), "%.*s", (int)out.len, out.p);
        cr_expect(engines_equal(f.engine, before));
        cr_expect_eq(engine_timed_hashes(f.engine, 0), 1);
        cr_expect(fixture_replays(&f));
        engine_free(before);
        buf_free(&raw);
        buf_free(&out);
        EXPECT(":1|", "DEL h");
    }
}

Test(hash_fields, get_and_delete)
{
    EXPECT(":3|", "HSET h a 1 b 2 c 3");
    begin();
    EXPECT("*4|$1|1|$-1|$-1|$1|2|", "HGETDEL h FIELDS 4 a a none b");
    EXPECT_LOG("HDEL h a b\n");
    EXPECT("*1|$1|3|", "HGETDEL h FIELDS 1 c");
    EXPECT_LOG("HDEL h c\n");
    EXPECT(":0|", "EXISTS h");
    EXPECT("*1|$-1|", "HGETDEL h FIELDS 1 c");
    EXPECT("-ERR Number of fields must be a positive integer|", "HGETDEL h FIELDS 0 a");
    EXPECT("-ERR Mandatory argument FIELDS is missing or not at the right position|", "HGETDEL h a b c");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HGETDEL h FIELDS 2 a");
    EXPECT_LOG("");
}

Test(hash_fields, get_and_expire)
{
    EXPECT(":2|", "HSET h a 1 b 2");
    begin();
    EXPECT("*2|$1|1|$-1|", "HGETEX h FIELDS 2 a none");
    EXPECT_LOG("");
    EXPECT("*2|$1|1|$-1|", "HGETEX h EX 10 FIELDS 2 a none");
    EXPECT("*1|$1|1|", "HGETEX h PXAT 2000000 FIELDS 1 a");
    EXPECT("*1|:2000000|", "HPEXPIRETIME h FIELDS 1 a");
    EXPECT("*2|$1|1|$1|2|", "HGETEX h PERSIST FIELDS 2 a b");
    EXPECT_LOG("HPEXPIREAT h 1010000 FIELDS 1 a\nHPEXPIREAT h 2000000 FIELDS 1 a\nHPERSIST h FIELDS 1 a\n");
    EXPECT("*2|$1|1|$1|2|", "HGETEX h EXAT 1 FIELDS 2 a b");
    EXPECT_LOG("HDEL h a b\n");
    EXPECT(":0|", "EXISTS h");
    EXPECT("*1|$-1|", "HGETEX h EX 10 FIELDS 1 a");
    EXPECT("-ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified|",
           "HGETEX h EX 10 PERSIST FIELDS 1 a");
    EXPECT("-ERR unknown argument: KEEPTTL|", "HGETEX h KEEPTTL FIELDS 1 a");
    EXPECT("-ERR invalid expire time, must be >= 0|", "HGETEX h EX -1 FIELDS 1 a");
    EXPECT("-ERR invalid number of fields|", "HGETEX h EX 1 FIELDS 0 a");
    EXPECT_LOG("");
}

Test(hash_fields, set_and_expire)
{
    EXPECT(":1|", "HSETEX h FIELDS 2 a 1 b 2");
    EXPECT_LOG("HSET h a 1 b 2\n");
    EXPECT(":1|", "HSETEX h PX 500 FIELDS 1 a 5");
    EXPECT_LOG("HSET h a 5\nHPEXPIREAT h 1000500 FIELDS 1 a\n");
    EXPECT(":1|", "HSETEX h KEEPTTL FIELDS 2 a 6 b 7");
    EXPECT_LOG("HSETEX h KEEPTTL FIELDS 2 a 6 b 7\n");
    EXPECT("*2|:500|:-1|", "HPTTL h FIELDS 2 a b");
    EXPECT(":0|", "HSETEX h FNX FIELDS 2 a 1 new 2");
    EXPECT(":0|", "HSETEX h FXX FIELDS 2 a 1 new 2");
    EXPECT_LOG("");
    EXPECT(":1|", "HSETEX h FXX FIELDS 2 a 1 b 2");
    EXPECT("*1|:-1|", "HTTL h FIELDS 1 a");
    EXPECT(":0|", "HSETEX none FXX FIELDS 1 a 1");
    EXPECT(":0|", "EXISTS none");
    EXPECT(":1|", "HSETEX none FNX EX 10 FIELDS 1 a 1");
    begin();
    EXPECT(":1|", "HSETEX none EXAT 1 FIELDS 1 a 1");
    EXPECT_LOG("HSET none a 1\nHDEL none a\n");
    EXPECT(":0|", "EXISTS none");
    EXPECT("-ERR Only one of FXX or FNX arguments can be specified|", "HSETEX h FNX FXX FIELDS 1 a 1");
    EXPECT("-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified|",
           "HSETEX h KEEPTTL EX 1 FIELDS 1 a 1");
    EXPECT("-ERR The `numfields` parameter must match the number of arguments|", "HSETEX h FIELDS 1 a 1 b");
    EXPECT_LOG("");
}

struct heard {
    char text[400];
};

static void on_event(void *context, unsigned db, char event_class, const char *name, struct span key)
{
    struct heard *h = context;
    const size_t n = strlen(h->text);
    (void)snprintf(h->text + n, sizeof h->text - n, "%u%c%s:%.*s ", db, event_class, name, (int)key.n, key.p);
}

Test(hash_fields, notifications_have_redis_names)
{
    struct heard heard = {{0}};
    EXPECT(":3|", "HSET h a 1 b 2 c 3");
    engine_set_observer(f.engine, &(struct engine_observer){.context = &heard, .event = on_event});
    EXPECT("*2|:1|:1|", "HPEXPIRE h 10 FIELDS 2 a b");
    EXPECT("*1|:1|", "HPERSIST h FIELDS 1 a");
    EXPECT("*1|:2|", "HEXPIRE h 0 FIELDS 1 a");
    f.now_ms += 11;
    EXPECT("*2|$1|c|$1|3|", "HGETALL h");
    EXPECT("*1|:1|", "HPEXPIRE h 10 FIELDS 1 c");
    f.now_ms += 11;
    run_cycles(100);
    cr_expect_str_eq(heard.text, "0hhexpire:h 0hhpersist:h 0hhdel:h 0hhexpired:h 0hhexpire:h 0hhexpired:h 0gdel:h ");
}
