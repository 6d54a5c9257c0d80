#include "common/keyspace.h"
#include "tests/unit/engine_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(engine, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

#define NIL  "$-1\r\n"
#define ZERO ":0\r\n"
#define ONE  ":1\r\n"

Test(engine, what_was_set_is_read_back)
{
    EXPECT("+OK\r\n", "SET k v");
    EXPECT("$1\r\nv\r\n", "GET k");
    EXPECT(NIL, "GET other");
    EXPECT(ONE, "DEL k other");
    EXPECT(NIL, "GET k");
}

Test(engine, a_write_is_logged_as_it_came_and_a_read_is_not)
{
    fixture_do(&f, "SET k v");
    fixture_do(&f, "GET k");
    fixture_do(&f, "DEL nothing");
    EXPECT_LOG("SET k v\n");
}

Test(engine, a_batch_enters_other_databases_and_returns_to_the_first)
{
    fixture_do(&f, "SET a 1");
    fixture_do(&f, "SELECT 5");
    fixture_do(&f, "GET a");
    fixture_do(&f, "SET b 1");
    fixture_do(&f, "SET c 1");
    effects_end(&f.effects);
    EXPECT_LOG("SET a 1\nSELECT 5\nSET b 1\nSET c 1\nSELECT 0\n");
}

Test(engine, a_request_that_came_as_an_array_is_logged_by_its_own_bytes)
{
    static const char raw[] = "*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$1\r\nv\r\n";
    const struct span argv[] = {SPAN("sEt"), SPAN("k"), SPAN("v")};
    struct request request = {.argv = (struct span *)argv, .argc = 3, .raw = span_of(raw, sizeof raw - 1)};
    struct buf out = {0}, log = {0};
    struct reply reply = {.out = &out, .resp = 2};
    struct effects effects;
    effects_begin(&effects, &log);
    engine_execute(f.engine, &f.session, 1, command_find(f.commands, argv[0], argv[1]), &request, &reply, &effects);
    cr_expect(span_eq(buf_span(&log), request.raw));
    cr_expect_eq(effects.count, 1);
    buf_free(&out);
    buf_free(&log);
}

Test(engine, a_foreseen_request_is_executed_on_the_data_of_its_turn)
{
    const struct span argv[] = {SPAN("GET"), SPAN("k")};
    struct request request = {.argv = (struct span *)argv, .argc = 2};
    const struct command_entry *get = command_find(f.commands, argv[0], argv[1]);
    struct buf out = {0};
    struct reply reply = {.out = &out, .resp = 2};
    fixture_do(&f, "SET k v");
    engine_foresee(f.engine, &f.session, get, &request);
    fixture_do(&f, "SET k w");
    fixture_do(&f, "SWAPDB 0 3");
    fixture_do(&f, "SELECT 3");
    engine_foresee_more(f.engine, &f.session, &request);
    engine_execute(f.engine, &f.session, 1, get, &request, &reply, &f.effects);
    cr_expect(span_eq(buf_span(&out), SPAN("$1\r\nw\r\n")));
    buf_free(&out);
}

Test(engine, a_primary_deletes_a_dead_key_on_touch_and_logs_that_first)
{
    fixture_do(&f, "SET k v PX 100");
    f.now_ms += 100;
    EXPECT("$1\r\nv\r\n", "GET k");
    f.now_ms += 1;
    fixture_log(&f);
    EXPECT(":1\r\n", "APPEND k x");
    EXPECT_LOG("DEL k\nAPPEND k x\n");
    EXPECT(":-1\r\n", "TTL k");
    cr_expect_eq(engine_stats(f.engine)->expired_keys, 1);
}

Test(engine, a_dead_key_is_found_by_no_command)
{
    static const char *const reads[] = {"EXISTS k", "DBSIZE", "STRLEN k", "TOUCH k"};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        fixture_do(&f, "SET k v PX 1");
        f.now_ms += 10;
        if (i != 1) EXPECT(ZERO, "%s", reads[i]);
        EXPECT("*0\r\n", "KEYS *");
        EXPECT("*2\r\n$1\r\n0\r\n*0\r\n", "SCAN 0");
        EXPECT(NIL, "RANDOMKEY");
        EXPECT(":-2\r\n", "TTL k");
        EXPECT("+none\r\n", "TYPE k");
    }
}

Test(engine, a_replica_hides_a_dead_key_and_waits_for_the_log)
{
    fixture_do(&f, "SET k v PX 100");
    fixture_log(&f);
    engine_set_role(f.engine, ENGINE_REPLICA);
    f.now_ms += 1000;
    EXPECT(NIL, "GET k");
    EXPECT(ZERO, "EXISTS k");
    EXPECT(NIL, "RANDOMKEY");
    EXPECT_LOG("");
    cr_expect_eq(engine_keys(f.engine, 0), 1);
    cr_expect_not(engine_cycle(f.engine, f.now_ms, 1000, &f.effects));
    cr_expect_eq(engine_keys(f.engine, 0), 1);
}

Test(engine, replay_needs_no_clock)
{
    fixture_do(&f, "SET a v PX 100");
    fixture_do(&f, "SET b v EX 1");
    fixture_do(&f, "GETEX a PX 5000");
    fixture_do(&f, "SELECT 3");
    fixture_do(&f, "SET c 1.5");
    fixture_do(&f, "INCRBYFLOAT c 0.1");
    f.now_ms += 2000;
    fixture_do(&f, "SELECT 0");
    fixture_do(&f, "RENAME a d");
    fixture_do(&f, "EXISTS b");
    struct engine *again = fixture_replay(&f);
    cr_expect(engines_equal(f.engine, again));
    cr_expect_eq(engine_keys(again, 0), 1);
    engine_free(again);
}

static enum err replay(struct engine *e, const char *text, struct errmsg *m)
{
    struct span argv[8];
    size_t argc = 0;
    struct session session = {0};
    while (*text) {
        const size_t n = strcspn(text, " ");
        argv[argc++] = span_of(text, n);
        text += n + (text[n] == ' ');
    }
    return engine_replay(e, &session, argv, argc, m);
}

Test(engine, replay_takes_times_in_the_past_as_they_are)
{
    struct errmsg m;
    cr_expect_eq(replay(f.engine, "SET k v PXAT 1", &m), ERR_OK);
    cr_expect_eq(replay(f.engine, "PEXPIREAT k 2", &m), ERR_OK);
    cr_expect_eq(replay(f.engine, "APPEND k x", &m), ERR_OK);
    cr_expect_eq(engine_expires(f.engine, 0), 1);
    EXPECT(NIL, "GET k");
}

Test(engine, replay_says_which_command_does_not_fit)
{
    struct errmsg m;
    cr_expect_eq(replay(f.engine, "RPUSH list x", &m), ERR_OK);
    cr_expect_eq(replay(f.engine, "INCR list", &m), ERR_CORRUPT);
    cr_expect(strstr(m.text, "INCR list") && strstr(m.text, "WRONGTYPE"), "%s", m.text);
    cr_expect_eq(replay(f.engine, "NONSENSE x", &m), ERR_CORRUPT);
    cr_expect(strstr(m.text, "unknown command"), "%s", m.text);
    cr_expect_eq(replay(f.engine, "GET", &m), ERR_CORRUPT);
    cr_expect_eq(replay(f.engine, "OBJECT NONSENSE x", &m), ERR_CORRUPT);
}

Test(engine, replay_takes_strings_longer_than_a_client_may_make_here)
{
    struct errmsg m;
    engine_set_max_bulk(f.engine, 10);
    EXPECT("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", "SETRANGE k 10 x");
    cr_expect_eq(replay(f.engine, "SETRANGE k 10 x", &m), ERR_OK, "%s", m.text);
    cr_expect_eq(replay(f.engine, "APPEND k yz", &m), ERR_OK, "%s", m.text);
    EXPECT(":13\r\n", "STRLEN k");
    EXPECT("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n", "APPEND k x");
}

Test(engine, replay_passes_over_the_frames_of_transactions)
{
    struct errmsg m;
    cr_expect_eq(replay(f.engine, "MULTI", &m), ERR_OK);
    cr_expect_eq(replay(f.engine, "SET k v", &m), ERR_OK);
    cr_expect_eq(replay(f.engine, "EXEC", &m), ERR_OK);
    EXPECT("$1\r\nv\r\n", "GET k");
}

Test(engine, a_cycle_finds_the_dead_keys_that_nobody_touches)
{
    for (int i = 0; i < 3000; i++) fixture_do(&f, i % 3 ? "SET k%d v PX 100" : "SET k%d v", i);
    fixture_do(&f, "SELECT 7");
    for (int i = 0; i < 1000; i++) fixture_do(&f, "SET k%d v PX %d", i, i % 2 ? 100 : 100000);
    f.now_ms += 1000;
    int rounds = 0;
    while (engine_cycle(f.engine, f.now_ms, 200, &f.effects)) cr_assert_lt(++rounds, 1000);
    for (int i = 0; i < 200; i++) engine_cycle(f.engine, f.now_ms, 200, &f.effects);
    cr_expect_leq(engine_expires(f.engine, 0), 200);
    cr_expect_leq(engine_expires(f.engine, 7), 550);
    cr_expect_geq(engine_keys(f.engine, 0), 1000);
    cr_expect(fixture_replays(&f));
}

Test(engine, nothing_is_deleted_where_nothing_is_logged)
{
    struct effects *const none = NULL;
    fixture_do(&f, "SET k v PX 1");
    f.now_ms += 10;
    cr_expect_not(engine_cycle(f.engine, f.now_ms, 100, none));
    cr_expect_eq(engine_keys(f.engine, 0), 1);
}

Test(engine, a_cycle_stays_within_its_budget)
{
    for (int i = 0; i < 5000; i++) fixture_do(&f, "SET k%d v PX 1", i);
    f.now_ms += 10;
    cr_expect(engine_cycle(f.engine, f.now_ms, 100, &f.effects));
    cr_expect_leq(engine_stats(f.engine)->expired_keys, 200);
    cr_expect_geq(engine_stats(f.engine)->expired_keys, 50);
}

Test(engine, a_cycle_costs_nothing_where_nothing_is_dead)
{
    for (int i = 0; i < 1000; i++) fixture_do(&f, "SET k%d v PX 100000", i);
    fixture_log(&f);
    cr_expect_not(engine_cycle(f.engine, f.now_ms, 1000, &f.effects));
    EXPECT_LOG("");
}

/* Keys come and go evenly, nobody touches them, and the cycle runs ten times a second. */
Test(engine, at_no_time_is_more_than_a_tenth_of_the_keys_dead)
{
    enum { LIFE_MS = 20000, CYCLE_MS = 100, EACH = 60 };
    const struct value v = {.type = TYPE_STRING, .string = SPAN("v")};
    uint64_t made = 0, died = 0;
    for (int64_t passed = 0; passed < 3 * LIFE_MS; passed += CYCLE_MS) {
        for (int i = 0; i < EACH; i++) {
            char key[24];
            const int n = snprintf(key, sizeof key, "k%llu", (unsigned long long)made++);
            (void)db_put(engine_db(f.engine, 0), span_of(key, (size_t)n), &v, f.now_ms + LIFE_MS - 1);
        }
        if (passed >= LIFE_MS) died += EACH;
        const uint64_t dead = died - engine_stats(f.engine)->expired_keys, expires = engine_expires(f.engine, 0);
        cr_assert_leq(dead * 10, expires, "%lu of %lu are dead", (unsigned long)dead, (unsigned long)expires);
        for (int slices = 0; engine_cycle(f.engine, f.now_ms, 256, &f.effects); slices++) cr_assert_lt(slices, 1000);
        f.now_ms += CYCLE_MS;
    }
    cr_expect_gt(engine_stats(f.engine)->expired_keys, 0);
}

Test(engine, a_cycle_learns_how_long_keys_have_to_live)
{
    cr_expect_eq(engine_mean_ttl(f.engine, 0), 0);
    for (int i = 0; i < 500; i++) fixture_do(&f, "SET k%d v PX %d", i, i % 2 ? 90000 : 110000);
    for (int i = 0; i < 500; i++) fixture_do(&f, "SET lasting%d v", i);
    (void)engine_cycle(f.engine, f.now_ms, 1000, &f.effects);
    const int64_t mean = engine_mean_ttl(f.engine, 0);
    cr_expect(mean > 95000 && mean < 105000, "%lld ms", (long long)mean);
    f.now_ms += 60000;
    for (int i = 0; i < 500; i++) (void)engine_cycle(f.engine, f.now_ms, 1000, &f.effects);
    cr_expect_lt(engine_mean_ttl(f.engine, 0), mean - 55000, "later samples count for more");
    cr_expect_eq(engine_mean_ttl(f.engine, 1), 0);
    fixture_do(&f, "SWAPDB 0 1");
    cr_expect_gt(engine_mean_ttl(f.engine, 1), 0, "it goes with the data");
    fixture_do(&f, "FLUSHALL");
    cr_expect_eq(engine_mean_ttl(f.engine, 1), 0);
}

Test(engine, a_time_to_live_without_end_does_not_overflow_the_mean)
{
    for (int i = 0; i < 30; i++) fixture_do(&f, "SET k%d v PXAT 9223372036854775806", i);
    (void)engine_cycle(f.engine, f.now_ms, 1000, &f.effects);
    cr_expect_gt(engine_mean_ttl(f.engine, 0), INT64_C(1) << 56);
}

Test(engine, a_cycle_finds_the_few_dead_keys_among_many_that_last_at_once)
{
    const struct value v = {.type = TYPE_STRING, .string = SPAN("v")};
    for (int i = 0; i < 200000; i++) {
        char key[16];
        const int n = snprintf(key, sizeof key, "k%d", i);
        (void)db_put(engine_db(f.engine, 0), span_of(key, (size_t)n), &v, i % 40000 ? NO_EXPIRY : f.now_ms + 1);
    }
    f.now_ms += 10;
    (void)engine_cycle(f.engine, f.now_ms, 64, &f.effects);
    cr_expect_eq(engine_expires(f.engine, 0), 0, "what has nothing that expires costs nothing");
    cr_expect_eq(engine_keys(f.engine, 0), 200000 - 5);
}

struct seen {
    char text[512];
    size_t len;
};

static void note(struct seen *s, const char *what, unsigned db, struct span key)
{
    s->len +=
        (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s %u:%.*s, ", what, db, (int)key.n, key.p);
}
static void touched(void *s, unsigned db, struct span key) { note(s, "touched", db, key); }
static void flushed(void *s, int db, int other)
{
    note(s, "flushed", (unsigned)(db + 1), SPAN(""));
    (void)other;
}
static void event(void *s, unsigned db, char event_class, const char *name, struct span key)
{
    const char kind[] = {event_class, ' ', '\0'};
    note(s, kind, db, span_str(name));
    (void)key;
}

Test(engine, observers_hear_of_every_change_and_of_no_read)
{
    struct seen s = {.len = 0};
    engine_set_observer(f.engine, &(struct engine_observer){.context = &s, .touched = touched, .flushed = flushed});
    fixture_do(&f, "GET k");
    fixture_do(&f, "MSET a 1 b 2");
    fixture_do(&f, "SET c v PX 1");
    f.now_ms += 10;
    fixture_do(&f, "GET c");
    fixture_do(&f, "MOVE a 2");
    fixture_do(&f, "FLUSHDB");
    cr_expect_str_eq(s.text, "touched 0:a, touched 0:b, touched 0:c, touched 0:c, touched 0:c, touched 0:a, "
                             "touched 2:a, flushed 1:, ");
}

Test(engine, events_have_the_names_that_notifications_give_them)
{
    struct seen s = {.len = 0};
    engine_set_observer(f.engine, &(struct engine_observer){.context = &s, .event = event});
    fixture_do(&f, "SET k v EX 10");
    fixture_do(&f, "PERSIST k");
    fixture_do(&f, "RENAME k l");
    fixture_do(&f, "DEL l");
    cr_expect_str_eq(s.text,
                     "n  0:new, $  0:set, g  0:expire, g  0:persist, n  0:new, g  0:rename_from, g  0:rename_to, "
                     "g  0:del, ");
}

Test(engine, hits_and_misses_count_reads_only)
{
    fixture_do(&f, "SET k v");
    fixture_do(&f, "GET k");
    fixture_do(&f, "GET nothing");
    fixture_do(&f, "MGET k nothing");
    fixture_do(&f, "APPEND k x");
    const struct engine_stats *stats = engine_stats(f.engine);
    cr_expect(stats->keyspace_hits == 2 && stats->keyspace_misses == 2 && stats->dirty == 2);
    engine_reset_stats(f.engine);
    cr_expect(stats->keyspace_hits == 0 && stats->dirty == 2);
}

Test(engine, two_engines_exchange_their_data)
{
    const struct engine_options options = {
        .databases = 16, .hash_key = "another key here", .max_bulk = 1 << 20, .limits = ENCODING_LIMITS_DEFAULT};
    struct engine *other = engine_new(&options);
    struct errmsg m;
    for (int i = 0; i < 100; i++) fixture_do(&f, "SET k%d v", i);
    cr_expect_eq(replay(other, "SADD s a b c", &m), ERR_OK);
    struct seen s = {.len = 0};
    engine_set_observer(f.engine, &(struct engine_observer){.context = &s, .flushed = flushed});
    engine_swap(f.engine, other);
    cr_expect_str_eq(s.text, "flushed 0:, flushed 0:, ");
    EXPECT(ONE, "DBSIZE");
    EXPECT(":3\r\n", "SCARD s");
    EXPECT(ONE, "SADD s d");
    cr_expect_eq(engine_keys(other, 0), 100);
    engine_free(other);
}
