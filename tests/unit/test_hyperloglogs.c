/* Expected replies are those of redis-server 7.0. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/unit/answers.h"

static struct fixture f;

static void setup(void) { fixture_init(&f); }
static void teardown(void) { fixture_free(&f); }

TestSuite(hyperloglogs, .init = setup, .fini = teardown);

Test(hyperloglogs, elements_are_counted_once)
{
    EXPECT(":1|", "PFADD h a b c");
    EXPECT(":0|", "PFADD h a c");
    EXPECT(":0|", "PFADD h");
    EXPECT(":1|", "PFADD empty");
    EXPECT(":0|", "PFADD empty");
    EXPECT(":3|", "PFCOUNT h");
    EXPECT(":3|", "PFCOUNT h none");
    EXPECT(":0|", "PFCOUNT none");
    EXPECT(":0|", "PFCOUNT empty");
    EXPECT("$3|raw|", "OBJECT ENCODING h");
}

Test(hyperloglogs, counters_are_merged)
{
    EXPECT(":1|", "PFADD a 1 2 3");
    EXPECT(":1|", "PFADD b 3 4");
    EXPECT("+OK|", "PFMERGE d a b");
    EXPECT(":4|", "PFCOUNT d");
    EXPECT(":4|", "PFCOUNT a b");
    EXPECT("+OK|", "PFMERGE a");
    EXPECT("+OK|", "PFMERGE new");
    EXPECT(":18|", "STRLEN new");
}

Test(hyperloglogs, other_strings_are_refused)
{
    EXPECT("+OK|", "SET s HYLL");
    EXPECT("-WRONGTYPE Key is not a valid HyperLogLog string value.|", "PFADD s a");
    EXPECT("-WRONGTYPE Key is not a valid HyperLogLog string value.|", "PFCOUNT s");
    EXPECT("-WRONGTYPE Key is not a valid HyperLogLog string value.|", "PFMERGE d s");
    EXPECT("+OK|", "SET s 5");
    EXPECT("-WRONGTYPE Key is not a valid HyperLogLog string value.|", "PFCOUNT s");
    EXPECT(":1|", "LPUSH l a");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "PFADD l a");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "PFCOUNT none l");
    EXPECT("-WRONGTYPE Operation against a key holding the wrong kind of value|", "PFMERGE l none");
    EXPECT(":0|", "EXISTS d");
}

Test(hyperloglogs, damage_is_seen)
{
    EXPECT(":1|", "PFADD h a");
    EXPECT(":21|", "SETRANGE h 16 xyz");
    EXPECT("-INVALIDOBJ Corrupted HLL object detected|", "PFCOUNT h");
    EXPECT("-INVALIDOBJ Corrupted HLL object detected|", "PFCOUNT h none");
    EXPECT("-INVALIDOBJ Corrupted HLL object detected|", "PFMERGE d h");
    EXPECT(":0|", "EXISTS d");
    EXPECT("-INVALIDOBJ Corrupted HLL object detected|", "PFDEBUG TODENSE h");
}

Test(hyperloglogs, what_is_inside_can_be_shown)
{
    EXPECT(":1|", "PFADD h a b c d");
    EXPECT("+sparse|", "PFDEBUG ENCODING h");
    EXPECT("$57|Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603|", "PFDEBUG DECODE h");
    EXPECT(":1|", "PFDEBUG TODENSE h");
    EXPECT(":0|", "PFDEBUG TODENSE h");
    EXPECT("+dense|", "PFDEBUG ENCODING h");
    EXPECT("-ERR HLL encoding is not sparse|", "PFDEBUG DECODE h");
    EXPECT(":4|", "PFCOUNT h");
    EXPECT(":12304|", "STRLEN h");
    EXPECT("-ERR Unknown PFDEBUG subcommand 'FOO'|", "PFDEBUG FOO h");
    EXPECT("-ERR The specified key does not exist|", "PFDEBUG ENCODING none");
    EXPECT("+OK|", "PFSELFTEST");
}

/* Bytes of the string at @key. */
static size_t length(const char *key) { return strtoul(fixture_do(&f, "STRLEN %s", key) + 1, NULL, 10); }

static void expect_replayed(void)
{
    uint8_t mine[ENGINE_DIGEST_BYTES], replayed[ENGINE_DIGEST_BYTES];
    struct engine *copy = fixture_replay(&f);
    engine_digest_full(f.engine, mine);
    engine_digest_full(copy, replayed);
    cr_expect_arr_eq(mine, replayed, sizeof mine);
    engine_free(copy);
}

Test(hyperloglogs, an_estimate_is_kept_and_logged_once)
{
    EXPECT(":1|", "PFADD h a b c");
    EXPECT(":3|", "PFCOUNT h");
    EXPECT(":3|", "PFCOUNT h");
    expect_replayed();
    cr_expect_eq(f.effects.count, 2);
}

Test(hyperloglogs, an_estimate_is_not_kept_where_nothing_is_logged)
{
    EXPECT(":1|", "PFADD h a b c");
    uint8_t before[ENGINE_DIGEST_BYTES], after[ENGINE_DIGEST_BYTES];
    engine_digest(f.engine, before);
    const struct span argv[] = {SPAN("PFCOUNT"), SPAN("h")};
    struct buf out = {0};
    struct reply reply = {.out = &out, .resp = 2};
    const struct request request = {.argv = (struct span *)argv, .argc = 2};
    engine_execute(f.engine, &f.session, f.now_ms, command_find(f.commands, argv[0], argv[1]), &request, &reply,
                   NULL);
    cr_expect(span_eq(buf_span(&out), SPAN(":3\r\n")));
    engine_digest(f.engine, after);
    cr_expect_arr_eq(before, after, sizeof before);
    buf_free(&out);
}

/* Replay has the default limit, whatever the primary's was. */
Test(hyperloglogs, of_another_longest_sparse_form_are_replayed_equal)
{
    static const size_t limits[] = {0, 100, 3000, 6000};
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        engine_limits(f.engine)->hll_sparse_max_bytes = limits[k];
        for (unsigned i = 0; i < 1500; i++) {
            (void)fixture_do(&f, "PFADD h%zu x%u y%u z%u", k, i, i, i);
            if (i % 100 == 0) (void)fixture_do(&f, "PFMERGE m%zu h%zu", k, k);
            if (i % 50 == 0) cr_expect(length("h0") == 12304 || k > 0);
        }
    }
    expect_replayed();
}
