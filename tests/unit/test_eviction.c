#include <criterion/criterion.h>
#include <stdio.h>

#include "common/graveyard.h"
#include "common/keyspace.h"
#include "tests/unit/engine_fixture.h"

static struct fixture f;
static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }
TestSuite(eviction, .init = setup, .fini = teardown);

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected)
#define EXPECT_LOG(expected)  cr_expect_str_eq(fixture_log(&f), expected)

static void use_policy(enum eviction_policy policy)
{
    struct eviction_settings s = EVICTION_DEFAULT;
    s.policy = policy;
    engine_set_eviction(f.engine, &s);
}

static bool evict(void) { return engine_evict(f.engine, f.now_ms, &f.effects); }
static bool exists(const char *key) { return strcmp(fixture_do(&f, "EXISTS %s", key), ":1\r\n") == 0; }

static void fill(const char *prefix, int count)
{
    for (int i = 0; i < count; i++) fixture_do(&f, "SET %s%d value", prefix, i);
}

Test(eviction, nothing_goes_without_a_policy_that_says_so)
{
    fill("k", 10);
    cr_expect(!evict());
    cr_expect_eq(engine_keys(f.engine, 0), 10);
}

Test(eviction, every_policy_empties_what_it_may_choose_from_and_then_says_that_there_is_nothing)
{
    for (int policy = 0; policy < EVICT_NOTHING; policy++) {
        use_policy((enum eviction_policy)policy);
        fixture_do(&f, "FLUSHALL");
        fixture_do(&f, "SELECT 3");
        fill("other", 50);
        fixture_do(&f, "SELECT 0");
        fill("lasting", 50);
        for (int i = 0; i < 50; i++) fixture_do(&f, "SET mortal%d v EX %d", i, 100 + i);
        uint64_t evicted = 0;
        while (evict()) evicted++;
        const bool only_mortal = policy <= EVICT_VOLATILE_TTL;
        cr_expect_eq(evicted, only_mortal ? 50 : 150, "policy %d evicted %lu", policy, (unsigned long)evicted);
        cr_expect_eq(engine_expires(f.engine, 0), 0);
        cr_expect_eq(engine_keys(f.engine, 0), only_mortal ? 50 : 0);
        cr_expect_eq(engine_keys(f.engine, 3), only_mortal ? 50 : 0);
    }
}

Test(eviction, an_evicted_key_is_logged_as_deleted_and_counted)
{
    use_policy(EVICT_ALLKEYS_LRU);
    fixture_do(&f, "SELECT 2");
    fixture_do(&f, "SET k v");
    fixture_log(&f);
    cr_expect(evict());
    effects_end(&f.effects);
    EXPECT_LOG("DEL k\nSELECT 0\n");
    cr_expect_eq(engine_stats(f.engine)->evicted_keys, 1);
}

Test(eviction, a_replica_evicts_nothing)
{
    use_policy(EVICT_ALLKEYS_RANDOM);
    fill("k", 5);
    engine_set_role(f.engine, ENGINE_REPLICA);
    cr_expect(!evict());
}

Test(eviction, lru_removes_keys_that_were_not_used_for_long)
{
    use_policy(EVICT_ALLKEYS_LRU);
    fill("old", 500);
    f.now_ms += 60000;
    fill("new", 500);
    f.now_ms += 60000;
    for (int i = 0; i < 250; i++) fixture_do(&f, "GET old%d", i);
    f.now_ms += 1000;
    for (int i = 0; i < 250; i++) cr_assert(evict());
    int kept = 0, fresh = 0;
    char key[16];
    for (int i = 0; i < 250; i++) {
        (void)snprintf(key, sizeof key, "old%d", i);
        kept += exists(key);
    }
    for (int i = 0; i < 500; i++) {
        (void)snprintf(key, sizeof key, "new%d", i);
        fresh += exists(key);
    }
    cr_expect_geq(kept, 249, "%d of 250 keys that were just used are left", kept);
    cr_expect_gt(fresh, 440, "of 500 newer keys only %d are left", fresh);
}

Test(eviction, lfu_removes_keys_that_are_seldom_used)
{
    use_policy(EVICT_ALLKEYS_LFU);
    fill("k", 200);
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < 20; i++) fixture_do(&f, "GET k%d", i);
    for (int i = 0; i < 150; i++) cr_assert(evict());
    for (int i = 0; i < 20; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        cr_expect(exists(key), "%s was used often and evicted", key);
    }
}

Test(eviction, ttl_removes_the_keys_that_expire_first)
{
    use_policy(EVICT_VOLATILE_TTL);
    for (int i = 0; i < 400; i++) fixture_do(&f, "SET k%d v EX %d", i, 1000 + i);
    for (int i = 0; i < 100; i++) cr_assert(evict());
    int late = 0;
    for (int i = 200; i < 400; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        late += exists(key);
    }
    cr_expect_gt(late, 180, "%d of the 200 that expire last are left", late);
}

Test(eviction, one_key_that_expires_is_found_among_many_that_do_not)
{
    use_policy(EVICT_VOLATILE_RANDOM);
    fill("lasting", 20000);
    fixture_do(&f, "SET mortal v EX 100");
    cr_expect(evict());
    cr_expect(!exists("mortal"));
    cr_expect(!evict());
}

static struct span numbered_key(char *text, size_t room, const char *prefix, unsigned number)
{
    return span_of(text, (size_t)snprintf(text, room, "%s%u", prefix, number));
}

static void put_many(const char *prefix, unsigned count, int64_t expiry)
{
    const struct value v = {.type = TYPE_STRING, .string = SPAN("v")};
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        (void)db_put(engine_db(f.engine, 0), numbered_key(text, sizeof text, prefix, i), &v, expiry);
    }
}

Test(eviction, a_few_keys_that_expire_among_many_are_found_without_a_walk_through_the_table)
{
    enum { LASTING = 400000, MORTAL = 5, RANGES = 4096, SAMPLES = 5 };
    put_many("lasting", LASTING, NO_EXPIRY);
    const struct htable *table = db_table(engine_db(f.engine, 0));
    for (int policy = EVICT_VOLATILE_LRU; policy <= EVICT_VOLATILE_TTL; policy++) {
        put_many("mortal", MORTAL, f.now_ms + 100000);
        use_policy((enum eviction_policy)policy);
        const uint64_t bound = SAMPLES * ((table->live.buckets + table->next.buckets) / RANGES + 3);
        for (unsigned n = 0; n < MORTAL; n++) {
            const uint64_t before = engine_stats(f.engine)->eviction_buckets;
            cr_expect(evict());
            const uint64_t looked_into = engine_stats(f.engine)->eviction_buckets - before;
            cr_expect_leq(looked_into, bound, "%lu buckets, at most %lu", looked_into, bound);
        }
        cr_expect_eq(engine_expires(f.engine, 0), 0);
        cr_expect(!evict());
    }
    cr_expect_eq(engine_keys(f.engine, 0), LASTING);
}

Test(eviction, of_a_few_keys_that_expire_each_goes_first_about_as_often)
{
    enum { MORTAL = 8, ROUNDS = 1600, EACH = ROUNDS / MORTAL };
    put_many("lasting", 20000, NO_EXPIRY);
    use_policy(EVICT_VOLATILE_RANDOM);
    unsigned first[MORTAL] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        put_many("mortal", MORTAL, f.now_ms + 100000);
        cr_assert(evict());
        for (unsigned i = 0; i < MORTAL; i++) {
            char text[32];
            first[i] += !db_find(engine_db(f.engine, 0), numbered_key(text, sizeof text, "mortal", i));
        }
    }
    for (unsigned i = 0; i < MORTAL; i++)
        cr_expect(first[i] > EACH * 3 / 4 && first[i] < EACH * 5 / 4, "key %u went first %u times", i, first[i]);
}

Test(eviction, idle_time_is_told_under_lru_and_frequency_under_lfu)
{
    fixture_do(&f, "SET k v");
    f.now_ms += 5000;
    EXPECT(":5\r\n", "OBJECT IDLETIME k");
    cr_expect(strncmp(fixture_do(&f, "OBJECT FREQ k"), "-ERR An LFU maxmemory policy is not", 35) == 0);
    use_policy(EVICT_VOLATILE_LFU);
    fixture_do(&f, "SET fresh v");
    EXPECT(":5\r\n", "OBJECT FREQ fresh");
    cr_expect(strncmp(fixture_do(&f, "OBJECT IDLETIME k"), "-ERR An LFU maxmemory policy is selec", 37) == 0);
    EXPECT("$-1\r\n", "OBJECT FREQ nothing");
}

Test(eviction, the_counter_grows_slowly_falls_by_the_minute_and_never_leaves_its_byte)
{
    struct eviction_settings s = EVICTION_DEFAULT;
    s.policy = EVICT_ALLKEYS_LFU;
    uint32_t clock = eviction_clock_new(&s, 0);
    cr_expect_eq(eviction_frequency(&s, clock, 0), 5);
    clock = eviction_clock_used(&s, clock, 0, UINT64_MAX);
    cr_expect_eq(eviction_frequency(&s, clock, 0), 6, "a new key's first use always counts");
    clock = eviction_clock_used(&s, clock, 0, UINT64_MAX);
    cr_expect_eq(eviction_frequency(&s, clock, 0), 6, "a later one only by chance");
    for (int i = 0; i < 1000; i++) clock = eviction_clock_used(&s, clock, 0, 0);
    cr_expect_eq(eviction_frequency(&s, clock, 0), 255);
    cr_expect_eq(eviction_frequency(&s, clock, 100 * 60000), 155);
    cr_expect_eq(eviction_frequency(&s, clock, 1000 * 60000), 0);
    s.lfu_decay_minutes = 10;
    cr_expect_eq(eviction_frequency(&s, clock, 100 * 60000), 245);
    s.lfu_decay_minutes = 0;
    cr_expect_eq(eviction_frequency(&s, clock, 100 * 60000), 255);
    cr_expect_eq(clock & ~(uint32_t)0xffffff, 0);
}

/* What is freed in the background. */

static void fill_set(const char *key, int members)
{
    for (int i = 0; i < members; i++) fixture_do(&f, "SADD %s member%d", key, i);
}

static uint64_t garbage(void)
{
    uint64_t objects;
    garbage_free(engine_take_garbage(f.engine, &objects));
    return objects;
}

static void format_do(const char *format, const char *key, int number)
{
    char line[64];
    (void)snprintf(line, sizeof line, format, key, number);
    fixture_do(&f, "%s", line);
}

/* The keys `old` and `new`, of LEFT equal members, take nearly the same: a table of which a resize is under way takes no more
 * than 48 bytes a member beside the members. Then they go. */
enum { MEMBERS = 20000, LEFT = 400, RESIZED_BYTES = 48 };

static void expect_alike(const char *what)
{
    const int shrunk = atoi(fixture_do(&f, "MEMORY USAGE old SAMPLES 0") + 1);
    const int fresh = atoi(fixture_do(&f, "MEMORY USAGE new SAMPLES 0") + 1);
    cr_expect(fresh > 1000 && shrunk < fresh + LEFT * RESIZED_BYTES, "%s: %d bytes, a fresh one %d", what, shrunk,
              fresh);
    fixture_do(&f, "DEL old new");
}

Test(eviction, unlink_leaves_a_large_value_to_be_freed_and_frees_a_small_one)
{
    fill_set("large", 1000);
    fill_set("small", 10);
    EXPECT(":2\r\n", "UNLINK large small");
    EXPECT(":0\r\n", "EXISTS large small");
    cr_expect_eq(garbage(), 1);
    cr_expect_eq(garbage(), 0);
}

Test(eviction, a_long_string_is_left_to_be_freed_too)
{
    fixture_do(&f, "SETRANGE long %d x", GRAVEYARD_LONG - 1);
    fixture_do(&f, "SETRANGE short %d x", GRAVEYARD_LONG - 2);
    EXPECT(":2\r\n", "UNLINK long short");
    cr_expect_eq(garbage(), 1);
    fixture_do(&f, "SETRANGE long %d x", GRAVEYARD_LONG - 1);
    fixture_do(&f, "DEL long");
    cr_expect_eq(garbage(), 0);
    engine_set_lazy(f.engine, &(struct lazy_settings){.server_del = true});
    fixture_do(&f, "SETRANGE long %d x", GRAVEYARD_LONG - 1);
    fixture_do(&f, "SET long v");
    cr_expect_eq(garbage(), 1);
    EXPECT("$1\r\nv\r\n", "GET long");
}

Test(eviction, a_collection_that_lost_most_of_its_members_gives_their_memory_back)
{
    static const struct {
        const char *name, *add, *remove;
    } kinds[] = {{"SREM", "SADD %s m%d", "SREM %s m%d"},
                 {"HDEL", "HSET %s m%d v", "HDEL %s m%d"},
                 {"ZREM", "ZADD %s 1 m%d", "ZREM %s m%d"}};
    engine_limits(f.engine)->hash_max_listpack_entries = 16;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int i = 0; i < MEMBERS; i++) format_do(kinds[k].add, "old", i);
        for (int i = LEFT; i < MEMBERS; i++) format_do(kinds[k].remove, "old", i);
        for (int i = 0; i < LEFT; i++) format_do(kinds[k].add, "new", i);
        expect_alike(kinds[k].name);
    }
    for (int i = 0; i < MEMBERS; i++) format_do("SADD %s m%d", "old", i);
    fixture_do(&f, "SPOP old %d", MEMBERS - LEFT);
    fixture_do(&f, "SUNIONSTORE new old");
    expect_alike("SPOP");
    for (int i = 0; i < MEMBERS; i++) fixture_do(&f, "ZADD old %d m%d", i, i);
    fixture_do(&f, "ZREMRANGEBYSCORE old %d +inf", LEFT);
    fixture_do(&f, "ZUNIONSTORE new 1 old");
    expect_alike("ZREMRANGEBYSCORE");
}

Test(eviction, del_frees_at_once_unless_it_is_told_otherwise)
{
    fill_set("a", 1000);
    fixture_do(&f, "DEL a");
    cr_expect_eq(garbage(), 0);
    engine_set_lazy(f.engine, &(struct lazy_settings){.user_del = true});
    fill_set("a", 1000);
    fixture_do(&f, "DEL a");
    cr_expect_eq(garbage(), 1);
}

Test(eviction, an_overwritten_value_is_left_if_it_is_told_so)
{
    fill_set("a", 1000);
    fixture_do(&f, "SET a v");
    cr_expect_eq(garbage(), 0);
    engine_set_lazy(f.engine, &(struct lazy_settings){.server_del = true});
    fill_set("b", 1000);
    fixture_do(&f, "SET b v");
    fill_set("c", 1000);
    fixture_do(&f, "RENAME a c");
    cr_expect_eq(garbage(), 2);
    EXPECT("$1\r\nv\r\n", "GET c");
}

Test(eviction, expired_and_evicted_values_are_left_if_it_is_told_so)
{
    engine_set_lazy(f.engine, &(struct lazy_settings){.expire = true, .eviction = true});
    fill_set("a", 1000);
    fixture_do(&f, "PEXPIRE a 10");
    f.now_ms += 11;
    EXPECT(":0\r\n", "EXISTS a");
    use_policy(EVICT_ALLKEYS_LRU);
    fill_set("b", 1000);
    cr_expect(evict());
    cr_expect_eq(garbage(), 2);
}

Test(eviction, an_asynchronous_flush_leaves_whole_databases)
{
    fill("k", 1000);
    fixture_do(&f, "SELECT 1");
    fill("k", 10);
    EXPECT("+OK\r\n", "FLUSHALL ASYNC");
    cr_expect_eq(engine_keys(f.engine, 0) + engine_keys(f.engine, 1), 0);
    cr_expect_eq(garbage(), 1010);
    fixture_do(&f, "SET k v");
    EXPECT("+OK\r\n", "FLUSHDB SYNC");
    EXPECT("+OK\r\n", "FLUSHDB");
    cr_expect_eq(garbage(), 0);
    EXPECT("-ERR syntax error\r\n", "FLUSHDB LATER");
}

Test(eviction, what_nobody_took_is_freed_with_the_engine)
{
    fill_set("large", 1000);
    fixture_do(&f, "UNLINK large");
}

Test(eviction, memory_usage_tells_what_a_key_takes)
{
    EXPECT("$-1\r\n", "MEMORY USAGE nothing");
    fixture_do(&f, "SET k v");
    EXPECT("-ERR syntax error\r\n", "MEMORY USAGE k SAMPLES");
    EXPECT("-ERR syntax error\r\n", "MEMORY USAGE k SAMPLES -1");
    cr_expect_gt(atoi(fixture_do(&f, "MEMORY USAGE k SAMPLES 0") + 1), 10);
    fill_set("s", 1000);
    const int bytes = atoi(fixture_do(&f, "MEMORY USAGE s") + 1);
    cr_expect(bytes > 16000 && bytes < 100000, "%d bytes", bytes);
}
