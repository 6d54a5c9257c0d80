#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/answers.h"
#include "tests/unit/rand.h"

static struct fixture f;
static char token[33];

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(cache, .init = setup, .fini = teardown);

/* The token in the answer to a CACHE.GET: the only text of its length; "" if there is none. */
static const char *token_of(const char *reply)
{
    const char *at = strstr(reply, "$32\r\n");
    (void)snprintf(token, sizeof token, "%.32s", at ? at + 5 : "");
    return token;
}

static const char *take(const char *key) { return token_of(fixture_do(&f, "CACHE.GET %s LEASE 1000", key)); }

Test(cache, a_value_that_is_there_is_a_hit_with_the_time_that_it_stays_fresh)
{
    EXPECT("+OK|", "SET k v");
    EXPECT("*4|$3|hit|$1|v|$-1|:-1|", "CACHE.GET k LEASE 1000");
    EXPECT("*4|$3|hit|$1|v|$-1|:-1|", "CACHE.GET k");
    EXPECT("+OK|", "SET k 12 PX 700");
    EXPECT("*4|$3|hit|$2|12|$-1|:700|", "CACHE.GET k LEASE 1000");
}

Test(cache, one_caller_loads_and_the_others_wait_until_it_fills)
{
    EXPECT("*4|$4|miss|$-1|$-1|:0|", "CACHE.GET k");
    cr_expect_eq(strlen(take("k")), 32);
    f.now_ms += 300;
    EXPECT("*4|$4|wait|$-1|$-1|:700|", "CACHE.GET k LEASE 1000");
    EXPECT("*4|$4|wait|$-1|$-1|:700|", "CACHE.GET k");
    EXPECT_LOG("");
    EXPECT(":1|", "CACHE.FILL k %s v EX 10", token);
    EXPECT_LOG("SET k v PXAT 1010300\n");
    EXPECT("*4|$3|hit|$1|v|$-1|:10000|", "CACHE.GET k LEASE 1000");
    EXPECT(":0|", "CACHE.FILL k %s again EX 10", token);
    EXPECT_LOG("");
}

Test(cache, without_a_time_what_is_filled_stays)
{
    EXPECT(":1|", "CACHE.FILL k %s v", take("k"));
    EXPECT_LOG("SET k v\n");
    EXPECT(":-1|", "TTL k");
}

Test(cache, a_token_that_has_run_out_stores_nothing)
{
    (void)take("k");
    f.now_ms += 1000;
    EXPECT(":0|", "CACHE.FILL k %s old EX 10", token);
    EXPECT("$-1|", "GET k");
    char first[33];
    (void)snprintf(first, sizeof first, "%s", token);
    (void)take("k");
    EXPECT(":0|", "CACHE.FILL k %s old EX 10", first);
    EXPECT(":1|", "CACHE.FILL k %s new EX 10", token);
    EXPECT(":0|", "CACHE.FILL k %s old EX 10", first);
    EXPECT("$3|new|", "GET k");
}

Test(cache, any_write_or_deletion_of_the_key_since_makes_a_token_void)
{
    static const char *const writes[] = {
        "SET k newer", "SETEX k 5 newer",  "APPEND k x", "DEL k",     "UNLINK k",
        "GETDEL k",    "MSET a 1 k newer", "RENAME a k", "COPY a k",  "COPY a k DB 0 REPLACE",
        "FLUSHDB",     "FLUSHALL ASYNC",   "SWAPDB 0 1", "RPUSH k 1", "DEL x y k a b",
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        EXPECT("+OK|", "FLUSHALL");
        EXPECT("+OK|", "SET a 1");
        cr_expect_eq(strlen(take("k")), 32);
        (void)fixture_do(&f, "%s", writes[i]);
        EXPECT(":0|", "CACHE.FILL k %s outdated EX 10", token);
        cr_expect_null(strstr(fixture_do(&f, "GET k"), "outdated"), "%s", writes[i]);
    }
}

Test(cache, a_write_from_another_database_makes_a_token_void)
{
    EXPECT("+OK|", "SELECT 1");
    EXPECT("+OK|", "SET k 1");
    EXPECT("+OK|", "SELECT 0");
    (void)take("k");
    EXPECT("+OK|", "SELECT 1");
    EXPECT(":1|", "MOVE k 0");
    EXPECT("+OK|", "SELECT 0");
    EXPECT(":0|", "CACHE.FILL k %s old EX 10", token);
    EXPECT("$1|1|", "GET k");
}

Test(cache, reads_and_writes_of_other_keys_leave_a_token_good)
{
    static const char *const others[] = {"GET k",
                                         "SET other 1",
                                         "DEL other none",
                                         "EXISTS k",
                                         "TTL k",
                                         "CACHE.GET k LEASE 5",
                                         "CACHE.FILL k 00000000000000000000000000000000 x",
                                         "CACHE.RELEASE k nonsense",
                                         "SELECT 0"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_expect_eq(strlen(take("k")), 32);
        (void)fixture_do(&f, "%s", others[i]);
        EXPECT(":1|", "CACHE.FILL k %s v", token);
        EXPECT(":1|", "DEL k");
    }
}

Test(cache, what_is_stale_is_served_while_one_loads_anew)
{
    EXPECT(":1|", "CACHE.FILL k %s v1 EX 10 STALE 60", take("k"));
    EXPECT_LOG("SET k v1 PXAT 1070000\nSET relevo:fresh:k 1010000 PXAT 1070000\n");
    f.now_ms += 9999;
    EXPECT("*4|$3|hit|$2|v1|$-1|:1|", "CACHE.GET k LEASE 1000");
    f.now_ms += 1;
    EXPECT("*4|$5|stale|$2|v1|$-1|:0|", "CACHE.GET k");
    const char *reply = fixture_do(&f, "CACHE.GET k LEASE 1000");
    static const char expected[] = "*4\r\n$4\r\nload\r\n$2\r\nv1\r\n$32\r\n";
    cr_expect_eq(strncmp(reply, expected, sizeof expected - 1), 0, "%s", reply);
    (void)token_of(reply);
    EXPECT("*4|$5|stale|$2|v1|$-1|:1000|", "CACHE.GET k LEASE 1000");
    EXPECT(":1|", "CACHE.FILL k %s v2 EX 10 STALE 60", token);
    EXPECT("*4|$3|hit|$2|v2|$-1|:10000|", "CACHE.GET k LEASE 1000");
    f.now_ms += 70001;
    EXPECT("$-1|", "GET k");
    EXPECT("*4|$4|miss|$-1|$-1|:0|", "CACHE.GET k");
}

Test(cache, a_value_that_ends_while_it_is_loaded_anew_leaves_the_token_good)
{
    EXPECT(":1|", "CACHE.FILL k %s old PX 100 STALE 1", take("k"));
    f.now_ms += 200;
    (void)take("k");
    f.now_ms += 950;
    EXPECT("$-1|", "GET k");
    EXPECT(":0|", "EXISTS relevo:fresh:k");
    EXPECT(":0|", "CACHE.FILL k %s late PX 100", "00000000000000000000000000000000");
    EXPECT(":1|", "CACHE.FILL k %s new PX 100", token);
}

Test(cache, a_mark_counts_only_for_the_value_that_it_was_made_for)
{
    static const char *const changes[] = {"SET k x", "SET k x PX 500", "PERSIST k", "PEXPIRE k 500"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        EXPECT("+OK|", "FLUSHALL");
        EXPECT(":1|", "CACHE.FILL k %s v PX 10 STALE 60", take("k"));
        f.now_ms += 20;
        EXPECT("*4|$5|stale|$1|v|$-1|:0|", "CACHE.GET k");
        (void)fixture_do(&f, "%s", changes[i]);
        cr_expect_not_null(strstr(fixture_do(&f, "CACHE.GET k"), "hit"), "%s", changes[i]);
    }
    EXPECT("+OK|", "FLUSHALL");
    EXPECT(":1|", "CACHE.FILL k %s v PX 10 STALE 60", take("k"));
    EXPECT("+OK|", "SET relevo:fresh:k nonsense KEEPTTL");
    EXPECT("*4|$3|hit|$1|v|$-1|:60010|", "CACHE.GET k");
    EXPECT(":1|", "DEL relevo:fresh:k");
    EXPECT("*4|$3|hit|$1|v|$-1|:60010|", "CACHE.GET k");
}

Test(cache, staleness_survives_a_replay)
{
    EXPECT(":1|", "CACHE.FILL k %s v PX 10 STALE 60", take("k"));
    struct engine *again = fixture_replay(&f);
    engine_free(f.engine);
    f.engine = again;
    f.now_ms += 20;
    EXPECT("*4|$5|stale|$1|v|$-1|:0|", "CACHE.GET k");
}

Test(cache, a_released_lease_goes_to_the_next_caller)
{
    (void)take("k");
    EXPECT(":0|", "CACHE.RELEASE other %s", token);
    EXPECT(":1|", "CACHE.RELEASE k %s", token);
    EXPECT(":0|", "CACHE.RELEASE k %s", token);
    EXPECT(":0|", "CACHE.FILL k %s v", token);
    cr_expect_eq(strlen(take("k")), 32);
}

Test(cache, jitter_shortens_the_time_at_random_and_never_lengthens_it)
{
    int64_t least = 100000, most = 0;
    for (unsigned i = 0; i < 200; i++) {
        EXPECT("+OK|", "FLUSHALL");
        EXPECT(":1|", "CACHE.FILL k %s v PX 10000 JITTER 20", take("k"));
        const int64_t ttl = strtoll(fixture_do(&f, "PTTL k") + 1, NULL, 10);
        if (ttl < least) least = ttl;
        if (ttl > most) most = ttl;
    }
    cr_expect(least >= 8000 && least < 8300, "%lld", (long long)least);
    cr_expect(most <= 10000 && most > 9700, "%lld", (long long)most);
    EXPECT("+OK|", "FLUSHALL");
    EXPECT(":1|", "CACHE.FILL k %s v PX 1 JITTER 100", take("k"));
    EXPECT(":1|", "PTTL k");
    EXPECT(":1|", "CACHE.FILL j %s v PX 1000 JITTER 50 STALE 1", take("j"));
    cr_expect(fixture_replays(&f));
}

Test(cache, a_replica_gives_no_leases_and_a_new_role_makes_them_void)
{
    (void)take("k");
    engine_set_role(f.engine, ENGINE_REPLICA);
    EXPECT("*4|$4|miss|$-1|$-1|:0|", "CACHE.GET k LEASE 1000");
    engine_set_role(f.engine, ENGINE_PRIMARY);
    EXPECT(":0|", "CACHE.FILL k %s v", token);
    cr_expect_eq(strlen(take("k")), 32);
}

Test(cache, what_does_not_make_sense_is_refused_before_the_token_is_used)
{
    (void)take("k");
    EXPECT("-ERR syntax error|", "CACHE.FILL k %s v EX", token);
    EXPECT("-ERR syntax error|", "CACHE.FILL k %s v EX 1 PX 1", token);
    EXPECT("-ERR syntax error|", "CACHE.FILL k %s v EXAT 1", token);
    EXPECT("-ERR syntax error|", "CACHE.FILL k %s v EX 1 STALE 1 STALE 1", token);
    EXPECT("-ERR invalid expire time in 'cache.fill' command|", "CACHE.FILL k %s v EX 0", token);
    EXPECT("-ERR invalid expire time in 'cache.fill' command|",
           "CACHE.FILL k %s v EX 9000000000000000 STALE 9000000000000000", token);
    EXPECT("-ERR STALE and JITTER need EX or PX|", "CACHE.FILL k %s v STALE 1", token);
    EXPECT("-ERR JITTER is out of range: 1 to 100 percent|", "CACHE.FILL k %s v EX 1 JITTER 101", token);
    EXPECT("-ERR STALE is out of range, must be positive|", "CACHE.FILL k %s v EX 1 STALE 0", token);
    EXPECT("-ERR value is not an integer or out of range|", "CACHE.FILL k %s v EX x", token);
    EXPECT(":1|", "CACHE.FILL k %s v EX 1", token);
    EXPECT("-ERR LEASE is out of range: 1 to 3600000 ms|", "CACHE.GET k LEASE 0");
    EXPECT("-ERR LEASE is out of range: 1 to 3600000 ms|", "CACHE.GET k LEASE 3600001");
    EXPECT("-ERR syntax error|", "CACHE.GET k LEASE");
    EXPECT("-ERR syntax error|", "CACHE.GET k OTHER 1");
    EXPECT(":1|", "RPUSH l 1");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "CACHE.GET l LEASE 1000");
}

/* ---- Many loaders against one source ---- */

enum { LOADERS = 5, STEPS = 30000 };

/* A source with one row whose version grows, and loaders that read it and fill the cache some time later. Whoever changes
 * the row deletes the key behind that. */
struct world {
    struct rand random;
    unsigned version;
    struct {
        bool loads;
        char token[33];
        unsigned version;
    } loaders[LOADERS];
    unsigned deleted; /* version when the key was last deleted */
    unsigned fills, refusals, hits;
};

static void ask(struct world *w, unsigned i)
{
    const char *reply = fixture_do(&f, "CACHE.GET row LEASE %u", 1 + (unsigned)rand_below(&w->random, 200));
    unsigned seen = 0;
    const char *value = strstr(reply, "\r\nv");
    if (value && sscanf(value, "\r\nv%u", &seen) == 1) {
        w->hits++;
        cr_assert(seen >= w->deleted, "version %u after version %u was told to all", seen, w->deleted);
    }
    if (!token_of(reply)[0]) return;
    for (unsigned j = 0; j < LOADERS; j++) cr_assert(strcmp(w->loaders[j].token, token) != 0);
    w->loaders[i].loads = true;
    w->loaders[i].version = w->version;
    memcpy(w->loaders[i].token, token, sizeof token);
}

static void step(struct world *w)
{
    const unsigned i = (unsigned)rand_below(&w->random, LOADERS);
    switch (rand_below(&w->random, 10)) {
    case 0: w->version++; break;
    case 1:
        (void)fixture_do(&f, rand_below(&w->random, 2) ? "DEL row" : "UNLINK other row");
        w->deleted = w->version;
        break;
    case 2: f.now_ms += (int64_t)rand_below(&w->random, 150); break;
    case 3:
    case 4:
    case 5:
        if (!w->loaders[i].loads) break;
        if (fixture_do(&f, "CACHE.FILL row %s v%u PX 100 STALE 1 JITTER 50", w->loaders[i].token,
                       w->loaders[i].version)[1] == '1')
            w->fills++;
        else w->refusals++;
        w->loaders[i].loads = rand_below(&w->random, 3) == 0; /* or it tries that once more */
        break;
    default: ask(w, i);
    }
}

Test(cache, nobody_ever_sees_an_older_version_than_was_there_at_the_last_deletion)
{
    struct world w = {.random = {42}};
    for (unsigned i = 0; i < STEPS; i++) step(&w);
    cr_expect(w.fills > STEPS / 100 && w.refusals > STEPS / 100 && w.hits > STEPS / 10, "%u %u %u", w.fills,
              w.refusals, w.hits);
    cr_expect(fixture_replays(&f));
}
