#include <criterion/criterion.h>

#include "common/graveyard.h"
#include "common/portrait.h"
#include "common/traversal.h"
#include "tests/unit/random_commands.h"
#include "tests/unit/snapshot.h"

static struct engine *engine_empty(void)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    return engine_new(&options);
}

/* Load what a traversal gave. */
static struct engine *load(const struct buf *records)
{
    struct engine *e = engine_empty();
    snapshot_load(records, e, "");
    return e;
}

static void expect_digest(const struct engine *e, const uint8_t digest[ENGINE_DIGEST_BYTES], uint64_t seed)
{
    uint8_t got[ENGINE_DIGEST_BYTES];
    engine_digest_full(e, got);
    cr_assert_arr_eq(got, digest, sizeof got, "seed %lu", (unsigned long)seed);
}

/* What SWAPDB does. */
static void swap_databases(struct fixture *f, struct traversal *t, unsigned a, unsigned b)
{
    traversal_before_swap(t, a, b);
    if (a != b) db_swap(engine_db(f->engine, a), engine_db(f->engine, b));
}

/* What strikes all keys at once. */
static void rare_command(struct fixture *f, struct rand *r, struct traversal *t)
{
    f->session.db = (unsigned)rand_below(r, RANDOM_DATABASES);
    const uint64_t pick = rand_below(r, 5);
    if (pick == 0) (void)fixture_do(f, "FLUSHALL");
    else if (pick == 1) (void)fixture_do(f, "FLUSHDB");
    else if (pick == 2) (void)engine_cycle(f->engine, f->now_ms, 100, &f->effects);
    else swap_databases(f, t, (unsigned)rand_below(r, 4), (unsigned)rand_below(r, 4));
}

/* One traversal amid commands; it must give what there was at its beginning. */
static void traverse(struct fixture *f, struct rand *r, uint64_t seed)
{
    static const struct portrait_bounds bounds[] = {{0, 0}, {1, 0}, {4, 200}, {512, 65536}};
    uint8_t digest[ENGINE_DIGEST_BYTES];
    uint64_t keys = 0;
    struct buf records = {0};
    engine_digest_full(f->engine, digest);
    for (unsigned i = 0; i < engine_databases(f->engine); i++) keys += engine_keys(f->engine, i);
    struct traversal *t = traversal_begin(f->engine);
    traversal_set_bounds(t, &bounds[rand_below(r, sizeof bounds / sizeof *bounds)]);
    cr_assert_eq(traversal_total(t), keys);
    const uint64_t calm = 1 + rand_below(r, 30), budget = 1 + rand_below(r, 3000);
    do
        for (uint64_t n = rand_below(r, calm); n > 0; n--) {
            if (rand_below(r, 200) == 0) rare_command(f, r, t);
            else random_command(f, r, 200);
        }
    while (traversal_step(t, &records, budget));
    cr_assert_eq(traversal_given(t), keys);
    traversal_free(t);
    struct engine *copy = load(&records);
    expect_digest(copy, digest, seed);
    engine_free(copy);
    buf_free(&records);
}

Test(traversal, it_gives_the_data_of_its_beginning_whatever_happens_meanwhile)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fixture f;
        struct rand r = {seed};
        fixture_init(&f);
        for (int round = 0; round < 5; round++) {
            for (int i = 0; i < 400; i++) random_command(&f, &r, 200);
            traverse(&f, &r, seed * 10 + (uint64_t)round);
        }
        engine_check(f.engine);
        fixture_free(&f);
    }
}

Test(traversal, growth_of_the_tables_under_way_loses_nothing)
{
    struct fixture f;
    uint8_t digest[ENGINE_DIGEST_BYTES];
    struct buf records = {0};
    fixture_init(&f);
    for (int i = 0; i < 3000; i++) (void)fixture_do(&f, "SET old%d %d", i, i);
    engine_digest_full(f.engine, digest);
    struct traversal *t = traversal_begin(f.engine);
    int next = 0;
    do {
        for (int i = 0; i < 200; i++, next++) (void)fixture_do(&f, "SET new%d x", next);
        for (int i = 0; i < 20; i++) (void)fixture_do(&f, "SET old%d changed", (next + i * 37) % 3000);
    } while (traversal_step(t, &records, 500));
    cr_expect_gt(next, 10000);
    traversal_free(t);
    struct engine *copy = load(&records);
    expect_digest(copy, digest, 0);
    engine_free(copy);
    buf_free(&records);
    fixture_free(&f);
}

Test(traversal, what_it_keeps_is_given_with_the_next_step_and_forgotten)
{
    struct fixture f;
    struct buf records = {0};
    fixture_init(&f);
    for (int i = 0; i < 2000; i++) (void)fixture_do(&f, "SET key%d %0100d", i, i);
    struct traversal *t = traversal_begin(f.engine);
    const size_t idle = traversal_bytes(t);
    for (int i = 0; i < 1000; i++) (void)fixture_do(&f, "SET key%d x", i);
    cr_expect_gt(traversal_bytes(t), idle + 1000 * 100);
    (void)traversal_step(t, &records, 1);
    cr_expect_lt(traversal_bytes(t), idle + 1000 * 60, "%zu", traversal_bytes(t));
    while (traversal_step(t, &records, 1000)) {}
    cr_expect_leq(traversal_bytes(t), idle);
    traversal_free(t);
    buf_free(&records);
    fixture_free(&f);
}

Test(traversal, a_change_gives_its_own_key_and_leaves_the_others_to_the_walk)
{
    struct fixture f;
    struct buf records = {0};
    fixture_init(&f);
    for (int i = 0; i < 2000; i++) (void)fixture_do(&f, "SET key%d %d", i, i);
    struct traversal *t = traversal_begin(f.engine);
    for (int i = 1; i <= 100; i++) {
        (void)fixture_do(&f, "SET key%d x", i);
        (void)fixture_do(&f, "SET new%d x", i);
        (void)fixture_do(&f, "APPEND key%d x", i);
        cr_assert_eq(traversal_given(t), (uint64_t)i);
    }
    while (traversal_step(t, &records, 1000)) continue;
    cr_expect_eq(traversal_given(t), 2000);
    traversal_free(t);
    buf_free(&records);
    fixture_free(&f);
}

Test(traversal, the_walk_goes_on_however_much_is_kept_for_each_step)
{
    struct fixture f;
    struct buf records = {0};
    fixture_init(&f);
    for (int i = 0; i < 2000; i++) (void)fixture_do(&f, "SET key%d %0100d", i, i);
    struct traversal *t = traversal_begin(f.engine);
    for (int i = 0; i < 100; i++) (void)fixture_do(&f, "SET key%d x", i);
    const uint64_t kept = traversal_given(t);
    cr_expect_geq(kept, 100);
    cr_expect_lt(kept, 2000);
    (void)traversal_step(t, &records, 1000);
    cr_expect_gt(records.len, 100 * 100);
    cr_expect_gt(traversal_given(t), kept);
    traversal_free(t);
    buf_free(&records);
    fixture_free(&f);
}

Test(traversal, a_flushed_database_that_it_took_over_is_left_to_be_freed_in_the_background)
{
    struct fixture f;
    struct buf records = {0};
    uint64_t objects;
    fixture_init(&f);
    for (int i = 0; i < 500; i++) (void)fixture_do(&f, "SET key%d %d", i, i);
    struct traversal *t = traversal_begin(f.engine);
    (void)fixture_do(&f, "FLUSHALL SYNC");
    cr_expect_null(engine_take_garbage(f.engine, &objects), "it is still being walked");
    while (traversal_step(t, &records, 1000)) continue;
    struct garbage *garbage = engine_take_garbage(f.engine, &objects);
    cr_expect(garbage && objects == 500);
    garbage_free(garbage);
    traversal_free(t);
    buf_free(&records);
    fixture_free(&f);
}

Test(traversal, it_may_be_given_up_at_any_time)
{
    struct fixture f;
    struct buf records = {0};
    fixture_init(&f);
    for (int i = 0; i < 500; i++) (void)fixture_do(&f, "SET key%d %d", i, i);
    struct traversal *t = traversal_begin(f.engine);
    (void)traversal_step(t, &records, 1000);
    (void)fixture_do(&f, "SET key7 x");
    (void)fixture_do(&f, "FLUSHALL");
    traversal_free(t);
    (void)fixture_do(&f, "SET a b");
    t = traversal_begin(f.engine);
    cr_expect_eq(traversal_total(t), 1);
    traversal_free(t);
    traversal_free(NULL);
    buf_free(&records);
    fixture_free(&f);
}
