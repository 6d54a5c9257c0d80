/* The promise of the log: replaying the effects of any commands, anywhere, gives the same data.
 *
 * One engine executes random commands of the whole table while its clock advances and keys expire; another, with other
 * secrets and other chance, replays what the first one lists as effects, and knows no time. Again and again both are
 * compared by a digest that includes expiry times, and every invariant of every structure is checked. At times
 * the second one is replaced by one that a snapshot of the first was loaded into, as a joining replica is: its structures
 * have grown in another order then, which the effects must not depend on.
 *
 * SEED=n COMMANDS=n in the environment repeat or extend a run. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/portrait.h"
#include "common/traversal.h"
#include "tests/lib/randcmd.h"
#include "tests/unit/snapshot.h"

/* What came to pass in some runs. */
struct coverage {
    bool changed[1024]; /* commands by id: had effects */
    unsigned encodings; /* bits of encoding_names */
    uint64_t evicted;
};

static const char *const encoding_names[] = {"string int",     "string embstr", "string raw",    "list listpack",
                                             "list quicklist", "set intset",    "set listpack",  "set hashtable",
                                             "zset listpack",  "zset skiplist", "hash listpack", "hash hashtable",
                                             "stream stream"};
enum { ENCODINGS = sizeof encoding_names / sizeof *encoding_names };

struct pair {
    uint64_t seed;
    struct coverage *coverage; /* may be NULL */
    struct engine *primary, *replica;
    struct session on_primary, on_replica;
    struct command_set *commands;
    struct randcmd random;
    struct rand time;
    int64_t now_ms;
    struct buf log, reply;
    struct effects effects;
    struct resp_parser parser;
    uint64_t executed, effects_seen;
};

static struct engine *engine_of(uint8_t secret, bool small_limits)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    memset(options.hash_key, secret, sizeof options.hash_key);
    options.random_seed = secret;
    options.max_bulk = 1 << 20;
    if (small_limits)
        options.limits = (struct encoding_limits){.hash_max_listpack_entries = 6,
                                                  .hash_max_listpack_value = 20,
                                                  .set_max_intset_entries = 8,
                                                  .set_max_listpack_entries = 6,
                                                  .set_max_listpack_value = 20,
                                                  .zset_max_listpack_entries = 6,
                                                  .zset_max_listpack_value = 20,
                                                  .list_max_listpack_size = 5,
                                                  .stream_node_max_bytes = 300,
                                                  .stream_node_max_entries = 4,
                                                  .hll_sparse_max_bytes = 200};
    return engine_new(&options);
}

static void pair_init(struct pair *p, uint64_t seed, bool small_limits)
{
    *p = (struct pair){.seed = seed, .time = {~seed}, .now_ms = 1700000000000};
    p->primary = engine_of(1, small_limits);
    p->replica = engine_of(2, small_limits);
    engine_set_role(p->replica, ENGINE_REPLICA);
    p->commands = command_set_new();
    engine_add_commands(p->commands);
    randcmd_init(&p->random, p->commands, seed);
    effects_begin(&p->effects, &p->log);
}

static void pair_free(struct pair *p)
{
    engine_free(p->primary);
    engine_free(p->replica);
    command_set_free(p->commands);
    randcmd_free(&p->random);
    buf_free(&p->log);
    buf_free(&p->reply);
    resp_parser_free(&p->parser);
}

/* What to say where a run fails. */
static const char *where(struct pair *p)
{
    static char text[2000];
    struct buf line = {0};
    randcmd_print(&p->random, &line);
    (void)snprintf(text, sizeof text, "SEED=%lu, command %lu: %.*s", (unsigned long)p->seed,
                   (unsigned long)p->executed, (int)(line.len < 1500 ? line.len : 1500), line.p ? line.p : "");
    buf_free(&line);
    return text;
}

/* What CACHE.GET gave is what CACHE.FILL is tried with. */
static void keep_token(struct pair *p, struct span key)
{
    const char *at = memmem(p->reply.p, p->reply.len, "$32\r\n", 5);
    if (!at || key.n >= sizeof p->random.token_key) return;
    memcpy(p->random.token, at + 5, 32);
    (void)snprintf(p->random.token_key, sizeof p->random.token_key, "%.*s", (int)key.n, key.p);
}

static void execute_one(struct pair *p)
{
    struct request request;
    p->random.now_ms = p->now_ms;
    const struct command_entry *command = randcmd_next(&p->random, &request);
    p->executed++;
    buf_reset(&p->reply, SIZE_MAX);
    struct reply reply = {.out = &p->reply, .resp = 2 + p->executed % 2};
    const uint64_t effects = p->effects.count;
    engine_execute(p->primary, &p->on_primary, p->now_ms, command, &request, &reply, &p->effects);
    cr_assert(p->reply.len > 0, "no reply: %s", where(p));
    cr_assert(reply.errors <= 1, "two errors: %s", where(p));
    if (strcmp(command->name, "cache.get") == 0) keep_token(p, request.argv[1]);
    const bool writes = command->flags & CMD_WRITE;
    if (p->coverage && writes && !reply.errors && p->effects.count > effects)
        p->coverage->changed[command->id] = true;
    if (!writes && !reply.errors)
        cr_assert(p->effects.count == effects || p->log.len > 0, "a read was logged: %s", where(p));
}

/* At times memory is short, and the policy another. */
static void evict(struct pair *p)
{
    struct eviction_settings s = *engine_eviction(p->primary);
    s.policy = (enum eviction_policy)rand_below(&p->time, EVICT_NOTHING);
    engine_set_eviction(p->primary, &s);
    for (uint64_t n = 1 + rand_below(&p->time, 3); n > 0; n--) (void)engine_evict(p->primary, p->now_ms, &p->effects);
}

/* The clock goes on in steps of all sizes, and idle work is done at times. */
static void pass_time(struct pair *p)
{
    if (rand_below(&p->time, 60) == 0) evict(p);

    if (rand_below(&p->time, 4) == 0) p->now_ms += (int64_t)rand_below(&p->time, 400);
    if (rand_below(&p->time, 50) == 0) (void)engine_cycle(p->primary, p->now_ms, 20, &p->effects);
}

static const struct resp_limits no_limits = {.max_args = 1 << 20, .max_bulk = 512u << 20, .max_inline = 1 << 16};

/* Hand the effects over, as one batch. */
static void replay(struct pair *p)
{
    effects_end(&p->effects);
    struct span rest = buf_span(&p->log);
    while (rest.n) {
        struct request request;
        size_t used, want;
        struct errmsg m;
        cr_assert_eq(resp_parse(&p->parser, rest, &no_limits, &request, &used, &want), RESP_REQUEST, "%s", where(p));
        cr_assert_eq(engine_replay(p->replica, &p->on_replica, request.argv, request.argc, &m), ERR_OK, "%s; %s",
                     m.text, where(p));
        rest = span_of(rest.p + used, rest.n - used);
    }
    cr_assert_eq(p->on_replica.db, 0);
    p->effects_seen += p->effects.count;
    buf_reset(&p->log, SIZE_MAX);
    effects_begin(&p->effects, &p->log);
}

static void note_encoding(void *context, void *item, bool marked)
{
    struct coverage *coverage = context;
    const struct entry *e = item;
    char name[40];
    (void)marked;
    (void)snprintf(name, sizeof name, "%s %s", type_name(entry_type(e)), entry_encoding(e));
    for (unsigned i = 0; i < ENCODINGS; i++)
        if (strcmp(name, encoding_names[i]) == 0) coverage->encodings |= 1u << i;
}

static void note_encodings(struct pair *p)
{
    for (unsigned db = 0; db < RANDCMD_DATABASES; db++)
        for (uint64_t at = 0, more = 1; more; more = at)
            at = htable_scan(db_table(engine_db(p->primary, db)), at, false, note_encoding, p->coverage);
}

static void compare(struct pair *p)
{
    if (p->coverage) note_encodings(p);

    uint8_t mine[ENGINE_DIGEST_BYTES], theirs[ENGINE_DIGEST_BYTES];
    engine_digest_full(p->primary, mine);
    engine_digest_full(p->replica, theirs);
    cr_assert_arr_eq(mine, theirs, sizeof mine, "data differ: %s", where(p));
    engine_check(p->primary);
    engine_check(p->replica);
}

/* A replica that joins: it takes a snapshot, and the log from there on. Commands go on while the snapshot is made, bucket
 * by bucket, and everything that they change must go out as it was at the beginning: a change that is not announced to
 * the traversal shows when the log is replayed, or earlier. */
static void rejoin(struct pair *p, bool small_limits)
{
    uint8_t begin[ENGINE_DIGEST_BYTES], taken[ENGINE_DIGEST_BYTES];
    struct buf records = {0};
    const size_t budget = rand_below(&p->time, 4) ? 1 : 1000;
    engine_digest_full(p->primary, begin);
    struct traversal *t = traversal_begin(p->primary);
    if (budget == 1) traversal_set_bounds(t, &(struct portrait_bounds){.elements = 1});
    while (traversal_step(t, &records, budget))
        for (uint64_t n = rand_below(&p->time, 8); n > 0; n--) {
            execute_one(p);
            pass_time(p);
        }
    traversal_free(t);
    engine_free(p->replica);
    p->replica = engine_of(3, small_limits);
    engine_set_role(p->replica, ENGINE_REPLICA);
    snapshot_load(&records, p->replica, where(p));
    engine_digest_full(p->replica, taken);
    cr_assert_arr_eq(begin, taken, sizeof begin, "the snapshot is not that of its beginning: %s", where(p));
    buf_free(&records);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void run(uint64_t seed, unsigned commands, unsigned compare_every, bool small_limits,
                struct coverage *coverage)
{
    struct pair p;
    pair_init(&p, seed, small_limits);
    p.coverage = coverage;
    for (unsigned i = 1; i <= commands; i++) {
        execute_one(&p);
        pass_time(&p);
        if (i % compare_every) continue;
        replay(&p);
        compare(&p);
        if (rand_below(&p.time, 5)) continue;
        rejoin(&p, small_limits);
        replay(&p);
        compare(&p);
    }
    cr_expect_gt(p.effects_seen, commands / 20, "the commands did next to nothing");
    cr_expect_gt(engine_stats(p.primary)->expired_keys, commands / 2000, "hardly anything expired");
    if (coverage) coverage->evicted += engine_stats(p.primary)->evicted_keys;
    cr_expect_gt(engine_stats(p.primary)->expired_fields, commands / 2000, "hardly any field of a hash expired");
    pair_free(&p);
}

Test(replay, of_random_commands_gives_equal_data)
{
    const unsigned seed = from_environment("SEED", 0), commands = from_environment("COMMANDS", 4000);
    for (unsigned s = seed ? seed : 1; s <= (seed ? seed : 12); s++) run(s, commands, 20, false, NULL);
}

Test(replay, of_random_commands_gives_equal_data_where_collections_turn_large_soon)
{
    const unsigned seed = from_environment("SEED", 0), commands = from_environment("COMMANDS", 4000);
    for (unsigned s = seed ? seed : 101; s <= (seed ? seed : 112); s++) run(s, commands, 20, true, NULL);
}

Test(replay, gives_equal_data_after_every_single_command)
{
    run(1, 3000, 1, false, NULL);
    run(1, 3000, 1, true, NULL);
}

/* Nothing above would mean much for a command that was never made, or never made well. */
Test(replay, is_tried_with_every_write_command_every_encoding_and_evictions)
{
    static struct coverage coverage;
    for (unsigned s = 0; s < 6; s++) run(501 + s, 6000, 50, s % 2, &coverage);
    struct command_set *commands = command_set_new();
    engine_add_commands(commands);
    cr_assert_leq(command_ids(commands), sizeof coverage.changed / sizeof *coverage.changed);
    for (size_t i = 0; i < command_count(commands); i++) {
        const struct command_entry *e = command_at(commands, i);
        if (e->flags & CMD_WRITE && e->row->run)
            cr_expect(coverage.changed[e->id], "%s never had an effect", e->name);
        for (size_t j = 0; j < e->sub_count; j++)
            if (e->subs[j]->flags & CMD_WRITE)
                cr_expect(coverage.changed[e->subs[j]->id], "%s never had an effect", e->subs[j]->name);
    }
    for (unsigned i = 0; i < ENCODINGS; i++)
        cr_expect(coverage.encodings >> i & 1, "never seen: %s", encoding_names[i]);
    cr_expect_gt(coverage.evicted, 100);
    command_set_free(commands);
}
