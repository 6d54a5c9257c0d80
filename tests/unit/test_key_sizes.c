#include "common/key_sizes.h"

#include "tests/unit/answers.h"

static struct fixture f;
static struct key_sizes sizes;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(key_sizes, .init = setup, .fini = teardown);

static uint64_t get(enum type type, unsigned step) { return key_sizes_get(&sizes, type, step); }

Test(key_sizes, are_counted_by_type_in_steps_that_double)
{
    (void)fixture_do(&f, "SET empty \"\"");
    (void)fixture_do(&f, "SET one 1");
    (void)fixture_do(&f, "SET three abc");
    (void)fixture_do(&f, "SET number 123456");
    (void)fixture_do(&f, "RPUSH l a b c d");
    (void)fixture_do(&f, "SADD s a b c d e f g");
    (void)fixture_do(&f, "ZADD z 1 a");
    (void)fixture_do(&f, "HSET h f v g w");
    (void)fixture_do(&f, "XADD x 1-1 f v");
    key_sizes_look(f.engine, 0, 1000, 5, &sizes);
    cr_expect_eq(sizes.looked_at, 9);
    cr_expect(get(TYPE_STRING, 0) == 1 && get(TYPE_STRING, 1) == 1 && get(TYPE_STRING, 2) == 1 &&
              get(TYPE_STRING, 3) == 1);
    cr_expect(get(TYPE_LIST, 3) == 1 && get(TYPE_SET, 3) == 1 && get(TYPE_ZSET, 1) == 1 && get(TYPE_HASH, 2) == 1);
    cr_expect_eq(get(TYPE_STREAM, 1), 1);
    key_sizes_look(f.engine, 1, 1000, 5, &sizes);
    cr_expect_eq(sizes.looked_at, 0);
    cr_expect_eq(get(TYPE_STRING, 1), 0);
}

Test(key_sizes, of_many_keys_are_told_by_a_sample_from_anywhere)
{
    for (unsigned i = 0; i < 20000; i++) (void)fixture_do(&f, i % 4 ? "SET k%u abc" : "RPUSH k%u a", i);
    for (uint64_t random = 0; random < 16; random++) {
        key_sizes_look(f.engine, 0, 2000, random << 60, &sizes);
        cr_assert_eq(sizes.keys, 20000);
        cr_assert(sizes.looked_at >= 2000 && sizes.looked_at < 2100);
        cr_assert(get(TYPE_STRING, 2) > 14000 && get(TYPE_STRING, 2) < 16000);
        cr_assert(get(TYPE_LIST, 1) > 4000 && get(TYPE_LIST, 1) < 6000);
    }
    key_sizes_look(f.engine, 0, 20000, UINT64_MAX, &sizes);
    cr_expect_eq(sizes.looked_at, 20000);
    cr_expect_eq(get(TYPE_LIST, 1), 5000);
}
