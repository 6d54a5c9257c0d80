#include <criterion/criterion.h>

#include "common/recipe.h"
#include "tests/unit/random_commands.h"

/* Where recipes are followed. */
struct kitchen {
    struct engine *engine;
    struct session session;
    size_t longest; /* arguments of one command */
};

static enum err follow(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct kitchen *k = context;
    if (argc > k->longest) k->longest = argc;
    return engine_replay(k->engine, &k->session, argv, argc, m);
}

static void cook(void *context, void *item, bool marked)
{
    struct errmsg m = {""};
    (void)marked;
    cr_assert_eq(recipe_of(item, follow, context, &m), ERR_OK, "%s", m.text);
}

static struct kitchen copy_of(struct engine *e)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct kitchen k = {.engine = engine_new(&options)};
    for (; k.session.db < engine_databases(e); k.session.db++) {
        uint64_t at = 0;
        do at = htable_scan(db_table(engine_db(e, k.session.db)), at, false, cook, &k);
        while (at);
    }
    return k;
}

Test(recipe, following_it_gives_equal_data_for_every_type_and_encoding)
{
    for (uint64_t seed = 21; seed <= 24; seed++) {
        struct fixture f;
        struct rand r = {seed};
        uint8_t here[ENGINE_DIGEST_BYTES], there[ENGINE_DIGEST_BYTES];
        fixture_init(&f);
        for (int i = 0; i < 6000; i++) random_command(&f, &r, 60);
        struct kitchen k = copy_of(f.engine);
        engine_digest(f.engine, here);
        engine_digest(k.engine, there);
        cr_expect_eq(memcmp(here, there, sizeof here), 0, "seed %llu", (unsigned long long)seed);
        for (unsigned i = 0; i < engine_databases(k.engine); i++)
            cr_expect_eq(engine_expires(f.engine, i), engine_expires(k.engine, i));
        engine_free(k.engine);
        fixture_free(&f);
    }
}

Test(recipe, a_stream_comes_with_its_past_its_groups_and_what_is_pending)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 1; i <= 300; i++) (void)fixture_do(&f, "XADD q %d-1 f %d \"g g\" x", i, i);
    (void)fixture_do(&f, "XDEL q 7-1");
    (void)fixture_do(&f, "XGROUP CREATE q readers 5-0 ENTRIESREAD 5");
    (void)fixture_do(&f, "XGROUP CREATECONSUMER q readers idle");
    (void)fixture_do(&f, "XREADGROUP GROUP readers busy COUNT 3 STREAMS q >");
    (void)fixture_do(&f, "XCLAIM q readers other 0 6-1 TIME 1234567 RETRYCOUNT 9");
    (void)fixture_do(&f, "XGROUP CREATE empty g 0 MKSTREAM");
    (void)fixture_do(&f, "XADD gone 5-5 a b");
    (void)fixture_do(&f, "XDEL gone 5-5");
    (void)fixture_do(&f, "PEXPIREAT q 4102444800123");
    struct kitchen k = copy_of(f.engine);
    cr_expect(engines_equal(f.engine, k.engine));
    engine_free(k.engine);
    fixture_free(&f);
}

Test(recipe, fields_come_with_their_expiry_times)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 200; i++) (void)fixture_do(&f, "HSET large f%d v%d", i, i);
    (void)fixture_do(&f, "HSET small a 1 b 2");
    (void)fixture_do(&f, "HPEXPIREAT small 4102444800123 FIELDS 1 b");
    (void)fixture_do(&f, "HPEXPIREAT large 4102444800456 FIELDS 3 f1 f7 f100");
    struct kitchen k = copy_of(f.engine);
    cr_expect(engines_equal(f.engine, k.engine));
    engine_free(k.engine);
    fixture_free(&f);
}

Test(recipe, a_large_collection_is_told_in_pieces)
{
    struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 1000; i++) {
        (void)fixture_do(&f, "RPUSH l %d", i);
        (void)fixture_do(&f, "SADD s %d m%d", i, i);
        (void)fixture_do(&f, "HSET h f%d %d", i, i);
        (void)fixture_do(&f, "ZADD z %d.5 m%d", i, i);
    }
    struct kitchen k = copy_of(f.engine);
    cr_expect(engines_equal(f.engine, k.engine));
    cr_expect_leq(k.longest, 132);
    engine_free(k.engine);
    fixture_free(&f);
}

static enum err refuse(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    (void)argv;
    (void)argc;
    ++*(int *)context;
    return err_set(m, ERR_CANCELED, "enough");
}

static void ask_once(void *context, void *item, bool marked)
{
    struct errmsg m;
    (void)marked;
    cr_expect_eq(recipe_of(item, refuse, context, &m), ERR_CANCELED);
    cr_expect_str_eq(m.text, "enough");
}

Test(recipe, whoever_follows_it_may_stop)
{
    struct fixture f;
    int steps = 0;
    fixture_init(&f);
    for (int i = 0; i < 500; i++) (void)fixture_do(&f, "RPUSH l %d", i);
    (void)htable_scan(db_table(engine_db(f.engine, 0)), 0, false, ask_once, &steps);
    cr_expect_leq(steps, 1);
    fixture_free(&f);
}
