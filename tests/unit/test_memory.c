/* Memory told against memory taken: MEMORY USAGE for every type and encoding, and what random commands leave behind.
 *
 * SEED=n COMMANDS=n in the environment repeat or extend the soak; RELEVO_TESTS=long makes it a long one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/keyspace.h"
#include "tests/lib/allocated.h"
#include "tests/lib/randcmd.h"
#include "tests/unit/engine_fixture.h"

/* One kind of value: what one key of it takes, in steps of a command each. */
struct kind {
    const char *encoding;
    unsigned keys, steps;
    const char *command; /* with the key's number and the step's */
};

static const struct kind kinds[] = {
    {"embstr", 3000, 1, "SET key:%u value:%u"},
    {"int", 3000, 1, "SET key:%u 1234%u"},
    {"raw", 500, 1, "SETRANGE key:%u 2000 %u"},
    {"listpack", 1000, 20, "RPUSH key:%u element:%u"},
    {"quicklist", 3, 9000, "RPUSH key:%u element:%06u"},
    {"quicklist", 3, 9000, "LPUSH key:%u element:%u"},
    {"intset", 500, 100, "SADD key:%u %u"},
    {"listpack", 500, 100, "SADD key:%u member:%u"},
    {"hashtable", 5, 3000, "SADD key:%u member:%u"},
    {"hashtable", 5, 3000, "SADD key:%u member:%09u"},
    {"listpack", 500, 30, "HSET key:%1$u field:%2$u value:%2$u"},
    {"hashtable", 5, 3000, "HSET key:%1$u field:%2$u value:%2$u"},
    {"listpack", 500, 30, "ZADD key:%1$u %2$u member:%2$u"},
    {"skiplist", 5, 3000, "ZADD key:%1$u %2$u member:%2$u"},
    {"stream", 5, 3000, "XADD key:%1$u %2$u-1 field value:%2$u"},
};

static uint64_t number(const char *reply)
{
    cr_assert_eq(reply[0], ':', "%s", reply);
    return strtoull(reply + 1, NULL, 10);
}

static void expect_close(const struct kind *k, const char *what, uint64_t told, uint64_t taken)
{
    cr_expect(told * 100 >= taken * 95 && told * 100 <= taken * 105, "%s (%s): %s tells %lu bytes, %lu were taken",
              k->command, k->encoding, what, (unsigned long)told, (unsigned long)taken);
}

static void fill(struct fixture *f, const struct kind *k)
{
    for (unsigned key = 0; key < k->keys; key++) {
        for (unsigned step = 0; step < k->steps; step++) {
            char line[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(line, sizeof line, k->command, key, step + 1);
#pragma GCC diagnostic pop
            cr_assert_neq(fixture_do(f, "%s", line)[0], '-', "%s: %s", line, f->reply.p);
        }
    }
    cr_assert(strstr(fixture_do(f, "OBJECT ENCODING key:0"), k->encoding), "%s: %s", k->command, f->reply.p);
}

static uint64_t told_usage(struct fixture *f, const struct kind *k, const char *samples)
{
    uint64_t sum = 0;
    for (unsigned key = 0; key < k->keys; key++) sum += number(fixture_do(f, "MEMORY USAGE key:%u %s", key, samples));
    return sum;
}

Test(memory, usage_tells_within_five_per_cent_what_the_allocator_gave)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];
        struct fixture f;
        fixture_init(&f);
        fill(&f, k);
        if (strcmp(k->encoding, "stream") == 0) {
            for (unsigned key = 0; key < k->keys; key++) {
                fixture_do(&f, "XGROUP CREATE key:%u group 0", key);
                fixture_do(&f, "XREADGROUP GROUP group consumer COUNT 500 STREAMS key:%u >", key);
            }
        }
        const uint64_t all = told_usage(&f, k, "SAMPLES 0"), some = told_usage(&f, k, "");
        (void)buf_room(&f.log, 4096);
        const uint64_t before = allocated_bytes();
        fixture_do(&f, "FLUSHALL SYNC");
        const uint64_t taken = before - allocated_bytes();
        expect_close(k, "SAMPLES 0", all, taken);
        expect_close(k, "no SAMPLES", some, taken);
        fixture_free(&f);
    }
}

Test(memory, usage_looks_at_as_many_elements_as_samples_says)
{
    struct fixture f;
    fixture_init(&f);
    char large[1200];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    /* The ends of the list are small and its middle is not, so more samples see more. */
    for (int i = 0; i < 30; i++) fixture_do(&f, "RPUSH list %.*s%d", i < 5 || i >= 25 ? 10 : 1190, large, i);
    const uint64_t exact = number(fixture_do(&f, "MEMORY USAGE list SAMPLES 0"));
    const uint64_t one = number(fixture_do(&f, "MEMORY USAGE list SAMPLES 1"));
    cr_expect_neq(one, exact);
    cr_expect_eq(number(fixture_do(&f, "MEMORY USAGE list SAMPLES 1000")), exact);
    cr_expect_eq(fixture_do(&f, "MEMORY USAGE list SAMPLES -1")[0], '-');
    fixture_free(&f);
}

Test(memory, random_members_of_a_few_large_ones_are_refused_before_they_fill_it)
{
    static const char *const lines[] = {"SRANDMEMBER set -1000000", "HRANDFIELD hash -1000000 WITHVALUES",
                                        "ZRANDMEMBER zset -1000000"};
    struct fixture f;
    fixture_init(&f);
    fixture_do(&f, "SETRANGE text 4000000 x");
    fixture_do(&f, "BITOP NOT text text");
    const struct span large = entry_string(db_find(engine_db(f.engine, 0), SPAN("text")), NULL);
    const struct span commands[][4] = {{SPAN("SADD"), SPAN("set"), large},
                                       {SPAN("HSET"), SPAN("hash"), SPAN("field"), large},
                                       {SPAN("ZADD"), SPAN("zset"), SPAN("1"), large}};
    for (size_t i = 0; i < 3; i++) {
        struct errmsg m;
        cr_assert_eq(engine_replay(f.engine, &f.session, commands[i], i ? 4 : 3, &m), ERR_OK);
        const char *reply = fixture_do(&f, "%s", lines[i]);
        cr_expect(strncmp(reply, "-ERR value is out of range", 26) == 0, "%s: %.60s", lines[i], reply);
        cr_expect_eq(strchr(reply, '\n')[1], '\0', "nothing but the error is left of the reply");
    }
    cr_expect_eq(fixture_do(&f, "SRANDMEMBER set -3")[0], '*');
    fixture_free(&f);
}

/* --- Soak ------------------------------------------------------------------------------------------------------ */

struct soak {
    struct engine *engine;
    struct command_set *commands;
    struct randcmd random;
    struct session session;
    struct resp_parser parser;
    struct buf log, reply;
    struct effects effects;
    int64_t now_ms;
};

static void soak_init(struct soak *s, uint64_t seed)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    options.max_bulk = 1 << 20;
    *s = (struct soak){.engine = engine_new(&options), .commands = command_set_new(), .now_ms = 1700000000000};
    engine_add_commands(s->commands);
    randcmd_init(&s->random, s->commands, seed);
}

static void soak_free(struct soak *s)
{
    engine_free(s->engine);
    command_set_free(s->commands);
    randcmd_free(&s->random);
    buf_free(&s->log);
    buf_free(&s->reply);
    resp_parser_free(&s->parser);
}

static void soak_run(struct soak *s, const struct command_entry *command, const struct request *request)
{
    struct reply reply = {.out = &s->reply, .resp = 2};
    buf_reset(&s->reply, 0);
    buf_reset(&s->log, 0);
    effects_begin(&s->effects, &s->log);
    if (command && command->row->run)
        engine_execute(s->engine, &s->session, s->now_ms, command, request, &reply, &s->effects);
    effects_end(&s->effects);
}

static void soak_flush(struct soak *s)
{
    struct span argv[] = {SPAN("FLUSHALL"), SPAN("SYNC")};
    struct request request = {.argv = argv, .argc = 2};
    soak_run(s, command_find(s->commands, argv[0], argv[1]), &request);
    buf_free(&s->log);
    buf_free(&s->reply);
    s->log = s->reply = (struct buf){0};
}

Test(memory, it_returns_to_its_start_after_random_commands_and_flushall)
{
    const char *seed = getenv("SEED"), *count = getenv("COMMANDS"), *tests = getenv("RELEVO_TESTS");
    const bool is_long = tests && strcmp(tests, "long") == 0;
    const uint64_t commands = count ? strtoull(count, NULL, 10) : is_long ? 2000000 : 20000;
    struct soak s;
    soak_init(&s, seed ? strtoull(seed, NULL, 10) : 1);
    uint64_t start = 0, most = 0;
    for (unsigned round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < commands / 5; i++) {
            struct request request;
            s.random.now_ms = s.now_ms;
            const struct command_entry *command = randcmd_next(&s.random, &request);
            soak_run(&s, command, &request);
            s.now_ms += (int64_t)(i % 7);
            if (allocated_bytes() > most) most = allocated_bytes();
        }
        soak_flush(&s);
        if (round == 0) start = allocated_bytes(); /* what is kept for good has been made */
    }
    const uint64_t end = allocated_bytes();
    cr_expect_leq(end * 100, start * 105, "%lu bytes at the start, %lu at the end, %lu in between",
                  (unsigned long)start, (unsigned long)end, (unsigned long)most);
    cr_expect_gt(most, start);
    soak_free(&s);
}
