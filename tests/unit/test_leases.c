#include "common/leases.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/rand.h"

static const uint8_t secret[16] = {7};
static struct leases *l;
static char token[LEASE_TOKEN_CHARS];

static void setup(void) { l = leases_new(secret, 0x1234); }
static void teardown(void) { leases_free(l); }

TestSuite(leases, .init = setup, .fini = teardown);

static struct span text(const char *t) { return span_of(t, LEASE_TOKEN_CHARS); }

Test(leases, one_caller_gets_a_key_and_the_next_hears_for_how_long)
{
    char second[LEASE_TOKEN_CHARS];
    cr_expect_eq(leases_left_ms(l, 0, SPAN("k"), 1000), 0);
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, token));
    cr_expect(!leases_take(l, 0, SPAN("k"), 1200, 500, second));
    cr_expect_eq(leases_left_ms(l, 0, SPAN("k"), 1200), 300);
    cr_expect(leases_take(l, 1, SPAN("k"), 1200, 500, second), "another database is another key");
    cr_expect(memcmp(token, second, sizeof token) != 0);
}

Test(leases, a_token_ends_its_own_lease_once)
{
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, token));
    cr_expect(!leases_end(l, 0, SPAN("other"), 1000, text(token)));
    cr_expect(!leases_end(l, 1, SPAN("k"), 1000, text(token)));
    cr_expect(!leases_end(l, 0, SPAN("k"), 1000, SPAN("")));
    cr_expect(!leases_end(l, 0, SPAN("k"), 1000, span_of(token, LEASE_TOKEN_CHARS - 1)));
    cr_expect(leases_end(l, 0, SPAN("k"), 1000, text(token)));
    cr_expect(!leases_end(l, 0, SPAN("k"), 1000, text(token)));
    cr_expect_eq(leases_count(l), 0);
}

Test(leases, a_token_is_good_until_the_last_millisecond_and_not_after)
{
    cr_expect(leases_take(l, 0, SPAN("a"), 1000, 500, token));
    cr_expect(leases_end(l, 0, SPAN("a"), 1499, text(token)));
    cr_expect(leases_take(l, 0, SPAN("a"), 1000, 500, token));
    cr_expect(!leases_end(l, 0, SPAN("a"), 1500, text(token)));
    cr_expect(leases_take(l, 0, SPAN("a"), 1500, 500, token));
}

Test(leases, a_void_lease_is_free_and_its_token_worth_nothing)
{
    char second[LEASE_TOKEN_CHARS];
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, token));
    leases_void(l, 1, SPAN("k"));
    cr_expect_eq(leases_left_ms(l, 0, SPAN("k"), 1000), 500);
    leases_void(l, 0, SPAN("k"));
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, second));
    cr_expect(!leases_end(l, 0, SPAN("k"), 1000, text(token)));
    cr_expect(leases_end(l, 0, SPAN("k"), 1000, text(second)));
}

Test(leases, all_may_be_made_void_at_once)
{
    for (unsigned i = 0; i < 1000; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%u", i);
        cr_expect(leases_take(l, 0, span_str(key), 1000, 500, token));
    }
    leases_check(l);
    leases_void_all(l);
    leases_check(l);
    cr_expect_eq(leases_count(l), 0);
    cr_expect(!leases_end(l, 0, SPAN("999"), 1000, text(token)));
    cr_expect(leases_take(l, 0, SPAN("999"), 1000, 500, token));
}

Test(leases, tokens_of_another_table_are_worth_nothing)
{
    struct leases *after_restart = leases_new(secret, 0x1235);
    char theirs[LEASE_TOKEN_CHARS];
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, token));
    cr_expect(leases_take(after_restart, 0, SPAN("k"), 1000, 500, theirs));
    cr_expect(!leases_end(after_restart, 0, SPAN("k"), 1000, text(token)));
    cr_expect(leases_end(after_restart, 0, SPAN("k"), 1000, text(theirs)));
    leases_free(after_restart);
}

Test(leases, a_clock_that_is_put_back_makes_no_lease_longer)
{
    cr_expect(leases_take(l, 0, SPAN("k"), 1000000, 500, token));
    cr_expect_eq(leases_left_ms(l, 0, SPAN("k"), 1000), 0);
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 500, token));
    cr_expect(leases_end(l, 0, SPAN("k"), 1499, text(token)));
}

Test(leases, there_are_never_more_than_the_limit_and_the_one_that_ends_first_gives_way)
{
    char first[LEASE_TOKEN_CHARS], key[16];
    cr_expect(leases_take(l, 0, SPAN("first"), 1000, 50, first));
    cr_expect(leases_take(l, 0, SPAN("k"), 1000, 5000, token));
    for (unsigned i = 2; i < LEASES_MAX; i++) {
        char ignored[LEASE_TOKEN_CHARS];
        (void)snprintf(key, sizeof key, "%u", i);
        cr_expect(leases_take(l, 0, span_str(key), 1000, 100 + i % 1000, ignored));
    }
    cr_expect_eq(leases_count(l), LEASES_MAX);
    cr_expect_eq(leases_left_ms(l, 0, SPAN("first"), 1000), 50);
    cr_expect(leases_take(l, 0, SPAN("one more"), 1000, 500, token));
    cr_expect_eq(leases_count(l), LEASES_MAX);
    cr_expect(!leases_end(l, 0, SPAN("first"), 1000, text(first)));
    cr_expect(leases_end(l, 0, SPAN("one more"), 1000, text(token)));
    leases_check(l);
}

Test(leases, what_is_over_is_forgotten_a_bounded_number_at_a_time)
{
    for (unsigned i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%u", i);
        cr_expect(leases_take(l, 0, span_str(key), 1000, 500, token));
    }
    leases_tend(l, 1499);
    cr_expect_eq(leases_count(l), 100);
    leases_tend(l, 1500);
    cr_expect_eq(leases_count(l), 36);
    leases_tend(l, 1500);
    cr_expect_eq(leases_count(l), 0);
}

/* ---- Against a model ---- */

enum { KEYS = 6, STEPS = 200000, PAST = 64 };

/* What must be true of one key: the one token that is good, and until when. */
struct model_key {
    bool held;
    char token[LEASE_TOKEN_CHARS];
    int64_t end_ms;
};

struct model {
    struct model_key keys[KEYS];
    char past[PAST][LEASE_TOKEN_CHARS]; /* tokens that were given at some time, for some key */
    unsigned pasts;
    int64_t now_ms;
    struct rand random;
};

static bool is_held(const struct model *m, unsigned k) { return m->keys[k].held && m->keys[k].end_ms > m->now_ms; }

static void model_take(struct model *m, unsigned k, struct span name)
{
    const int64_t length = 1 + (int64_t)rand_below(&m->random, 30);
    char given[LEASE_TOKEN_CHARS];
    const bool taken = leases_take(l, k % 2, name, m->now_ms, length, given);
    cr_assert_eq(taken, !is_held(m, k));
    if (!taken) return;
    for (unsigned i = 0; i < PAST; i++) cr_assert(memcmp(m->past[i], given, sizeof given) != 0);
    m->keys[k] = (struct model_key){.held = true, .end_ms = m->now_ms + length};
    memcpy(m->keys[k].token, given, sizeof given);
    memcpy(m->past[m->pasts++ % PAST], given, sizeof given);
}

/* Any token that was ever given, for any key: only the one that is good for this key now may end it. */
static void model_end(struct model *m, unsigned k, struct span name)
{
    const char *with = rand_below(&m->random, 2) ? m->past[rand_below(&m->random, PAST)] : m->keys[k].token;
    const bool good = is_held(m, k) && memcmp(with, m->keys[k].token, LEASE_TOKEN_CHARS) == 0;
    cr_assert_eq(leases_end(l, k % 2, name, m->now_ms, text(with)), good);
    if (good) m->keys[k].held = false;
}

static void model_step(struct model *m)
{
    static const char *const names[KEYS] = {"a", "a", "b", "b", "", "a longer name of a key"};
    const unsigned k = (unsigned)rand_below(&m->random, KEYS);
    const struct span name = span_str(names[k]);
    switch (rand_below(&m->random, 8)) {
    case 0:
    case 1:
    case 2: model_take(m, k, name); break;
    case 3:
    case 4: model_end(m, k, name); break;
    case 5:
        leases_void(l, k % 2, name);
        m->keys[k].held = false;
        break;
    case 6: m->now_ms += (int64_t)rand_below(&m->random, 12); break;
    default:
        if (rand_below(&m->random, 50)) break;
        leases_void_all(l);
        for (unsigned i = 0; i < KEYS; i++) m->keys[i].held = false;
    }
    const int64_t left = is_held(m, k) ? m->keys[k].end_ms - m->now_ms : 0;
    cr_assert_eq(leases_left_ms(l, k % 2, name, m->now_ms), left);
}

Test(leases, whatever_happens_one_token_at_most_is_good_for_a_key_and_never_again_later)
{
    struct model m = {.now_ms = 1000, .random = {1}};
    for (unsigned i = 0; i < STEPS; i++) {
        model_step(&m);
        if (i % 100 == 0) leases_check(l);
    }
    cr_expect_gt(m.pasts, STEPS / 50);
}
