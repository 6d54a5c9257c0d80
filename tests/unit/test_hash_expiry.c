/* Fields of a hash that expire, against the plainest model: arrays of values and times by field number. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/listpack.h"
#include "common/types/hash_expiry.h"
#include "tests/unit/rand.h"

enum { FIELDS = 300, ABSENT = -1 };

static const uint8_t hash_key[HTABLE_KEY_BYTES] = {7, 4};
static const struct encoding_limits limits = {.hash_max_listpack_entries = 128, .hash_max_listpack_value = 64};

struct model {
    int value[FIELDS];
    int64_t expiry[FIELDS];
    int64_t now_ms;
};

static struct span field_text(unsigned n, char *to)
{
    return span_of(to, (size_t)sprintf(to, n % 3 ? "field:%u" : "%u", n));
}

static struct span value_text(int v, char *to)
{
    return span_of(to, (size_t)sprintf(to, v % 2 ? "%d" : "value %d", v));
}

static bool lives(const struct model *m, unsigned n)
{
    return m->value[n] != ABSENT && (m->expiry[n] == FIELD_STAYS || m->expiry[n] >= m->now_ms);
}

static unsigned number_of(struct span field)
{
    unsigned n = FIELDS;
    char text[32];
    (void)snprintf(text, sizeof text, "%.*s", (int)field.n, field.p);
    cr_assert(sscanf(text, "field:%u", &n) == 1 || sscanf(text, "%u", &n) == 1);
    cr_assert_lt(n, FIELDS);
    return n;
}

struct census {
    const struct model *model;
    unsigned seen[FIELDS];
};

static void meet(void *context, struct span field, struct span value)
{
    struct census *c = context;
    char text[32];
    const unsigned n = number_of(field);
    c->seen[n]++;
    cr_assert(span_eq(value, value_text(c->model->value[n], text)));
}

static void meet_timed(void *context, struct span field, struct span value, int64_t expiry)
{
    struct census *c = context;
    meet(context, field, value);
    cr_assert_eq(expiry, c->model->expiry[number_of(field)]);
}

static void check_all(const struct hash *h, const struct model *m)
{
    struct census all = {.model = m}, living = {.model = m};
    uint64_t size = 0, live = 0, timed = 0;
    int64_t first = INT64_MAX;
    hash_check(h);
    hash_each_timed(h, meet_timed, &all);
    hash_each_live(h, m->now_ms, meet, &living);
    for (unsigned n = 0; n < FIELDS; n++) {
        char text[32], expected[32], scratch[NUM_I64_MAX_TEXT];
        struct span value;
        int64_t expiry;
        const bool there = m->value[n] != ABSENT;
        cr_assert_eq(all.seen[n], there);
        cr_assert_eq(living.seen[n], lives(m, n));
        cr_assert_eq(hash_expiry(h, field_text(n, text), &expiry), there);
        cr_assert_eq(expiry, there ? m->expiry[n] : FIELD_STAYS);
        cr_assert_eq(hash_is_dead(h, field_text(n, text), m->now_ms), there && !lives(m, n));
        cr_assert_eq(hash_get_live(h, field_text(n, text), m->now_ms, &value, scratch), lives(m, n));
        if (lives(m, n)) cr_assert(span_eq(value, value_text(m->value[n], expected)));
        size += there;
        live += lives(m, n);
        if (!there || m->expiry[n] == FIELD_STAYS) continue;
        timed++;
        if (m->expiry[n] < first) first = m->expiry[n];
    }
    cr_assert_eq(hash_size(h), size);
    cr_assert_eq(hash_live(h, m->now_ms), live);
    cr_assert_eq(hash_timed_fields(h), timed);
    cr_assert_eq(hash_first_expiry(h), first);
    cr_assert_leq(hash_next_expiry(h), first);
}

static void reap(struct hash *h, struct model *m, uint64_t looks, uint64_t buckets)
{
    struct hash_reaped r;
    hash_reap(h, m->now_ms, looks, buckets, &r);
    for (size_t i = 0; i < r.count; i++) {
        const unsigned n = number_of(r.names[i]);
        cr_assert(m->value[n] != ABSENT && !lives(m, n), "a living field was taken out");
        m->value[n] = ABSENT;
    }
    hash_reaped_free(&r);
}

static void change(struct hash *h, struct model *m, struct rand *r, unsigned fields)
{
    char field[32], value[32];
    const unsigned n = (unsigned)rand_below(r, fields);
    const struct span name = field_text(n, field);
    const int v = (int)rand_below(r, 1000);
    const int64_t expiry = m->now_ms - 100 + (int64_t)rand_below(r, 1000);
    switch (rand_below(r, 8)) {
    case 0:
    case 1:
        cr_assert_eq(hash_set(h, name, value_text(v, value), &limits), m->value[n] == ABSENT);
        m->value[n] = v;
        m->expiry[n] = FIELD_STAYS;
        break;
    case 2:
    case 3:
        cr_assert_eq(hash_set_timed(h, name, value_text(v, value), expiry, &limits), m->value[n] == ABSENT);
        m->value[n] = v;
        m->expiry[n] = expiry;
        break;
    case 4:
        cr_assert_eq(hash_remove(h, name), m->value[n] != ABSENT);
        m->value[n] = ABSENT;
        break;
    case 5: m->now_ms += (int64_t)rand_below(r, 30); break;
    case 6: reap(h, m, 1 + rand_below(r, 10), 1 + rand_below(r, 5)); break;
    default:
        if (m->value[n] == ABSENT) break;
        m->expiry[n] = rand_below(r, 3) ? expiry : FIELD_STAYS;
        hash_set_expiry(h, name, m->expiry[n]);
    }
}

static void run(uint64_t seed, unsigned fields, const char *encoding)
{
    struct rand r = {seed};
    struct model m = {.now_ms = 1000000};
    for (unsigned n = 0; n < FIELDS; n++) m.value[n] = ABSENT;
    struct hash *h = hash_new(hash_key);
    for (unsigned step = 0; step < 6000; step++) {
        change(h, &m, &r, fields);
        if (step % 50 == 0) check_all(h, &m);
        if (step % 1000) continue;
        struct hash *copy = hash_dup(h);
        hash_free(h);
        h = copy;
    }
    check_all(h, &m);
    cr_assert_str_eq(hash_encoding(h), encoding);
    hash_free(h);
}

Test(hash_expiry, behaves_as_its_model_while_a_listpack)
{
    for (uint64_t seed = 1; seed <= 5; seed++) run(seed, 100, "listpackex");
}

Test(hash_expiry, behaves_as_its_model_across_the_conversion_to_a_table)
{
    for (uint64_t seed = 11; seed <= 15; seed++) run(seed, FIELDS, "hashtable");
}

static struct hash *hash_of(unsigned fields)
{
    struct hash *h = hash_new(hash_key);
    char field[32], value[32];
    for (unsigned n = 0; n < fields; n++)
        cr_assert(hash_set(h, field_text(n, field), value_text((int)n, value), &limits));
    return h;
}

Test(hash_expiry, costs_a_hash_nothing_before_the_first_field_has_a_time)
{
    for (unsigned fields = 10; fields <= 1000; fields += 990) {
        struct hash *h = hash_of(fields);
        const size_t bytes = hash_bytes(h, 0);
        cr_assert_null(hash_place(h));
        hash_set_expiry(h, SPAN("0"), FIELD_STAYS);
        cr_assert_eq(hash_bytes(h, 0), bytes);
        cr_assert_null(hash_place(h));
        hash_set_expiry(h, SPAN("0"), 5);
        cr_assert_gt(hash_bytes(h, 0), bytes);
        cr_assert_eq(*hash_place(h), HASH_NOWHERE);
        hash_free(h);
    }
}

Test(hash_expiry, a_small_hash_goes_on_as_a_listpack_with_times)
{
    struct hash *h = hash_of(5);
    cr_assert_str_eq(hash_encoding(h), "listpack");
    hash_set_expiry(h, SPAN("3"), 5);
    cr_assert_str_eq(hash_encoding(h), "listpackex");
    cr_assert_null(hash_listpack(h).p, "it is no listpack of pairs any more");
    hash_set_expiry(h, SPAN("3"), FIELD_STAYS);
    cr_assert_str_eq(hash_encoding(h), "listpackex");
    cr_assert_eq(hash_next_expiry(h), INT64_MAX);
    hash_check(h);
    hash_free(h);
}

Test(hash_expiry, a_time_of_zero_is_a_time)
{
    for (unsigned fields = 10; fields <= 1000; fields += 990) {
        struct hash *h = hash_of(fields);
        hash_set_expiry(h, SPAN("3"), 0);
        cr_assert_eq(hash_timed_fields(h), 1);
        cr_assert(hash_is_dead(h, SPAN("3"), 2));
        hash_check(h);
        hash_free(h);
    }
}

Test(hash_expiry, no_field_is_dead_before_all_times)
{
    struct hash *h = hash_of(10);
    hash_set_expiry(h, SPAN("3"), 1);
    cr_assert_not(hash_may_have_dead(h, FIELDS_ALL));
    cr_assert_not(hash_is_dead(h, SPAN("3"), FIELDS_ALL));
    cr_assert_eq(hash_live(h, FIELDS_ALL), 10);
    hash_free(h);
}

Test(hash_expiry, a_search_is_exact_about_the_next_death_when_it_has_passed_the_whole_hash)
{
    enum { MANY = 2000 };
    struct hash *h = hash_of(MANY);
    char field[32];
    for (unsigned n = 0; n < MANY; n++) hash_set_expiry(h, field_text(n, field), 1000 + n);
    struct hash_reaped r;
    unsigned found = 0, calls = 0;
    while (hash_may_have_dead(h, 1500)) {
        hash_reap(h, 1500, 20, 20, &r);
        cr_assert_leq(r.count, HASH_REAP_MAX);
        cr_assert_leq(r.looked_at, 20 + HASH_REAP_MAX);
        found += (unsigned)r.count;
        hash_reaped_free(&r);
        cr_assert_lt(++calls, MANY);
    }
    cr_expect_eq(found, 500);
    cr_expect_eq(hash_next_expiry(h), 1500);
    cr_expect_eq(hash_size(h), MANY - 500);
    hash_check(h);
    hash_free(h);
}

Test(hash_expiry, a_listpack_gives_no_more_dead_at_once_than_there_is_room_for)
{
    enum { MANY = 120 };
    struct hash *h = hash_of(MANY);
    char field[32];
    for (unsigned n = 0; n < MANY; n++) hash_set_expiry(h, field_text(n, field), 1000);
    struct hash_reaped r;
    hash_reap(h, 2000, 1, 1, &r);
    cr_expect_eq(r.count, HASH_REAP_MAX);
    for (unsigned n = 0; n < HASH_REAP_MAX; n++) cr_expect(span_eq(r.names[n], field_text(n, field)));
    hash_reaped_free(&r);
    cr_expect(hash_may_have_dead(h, 2000));
    hash_reap(h, 2000, 1, 1, &r);
    cr_expect_eq(r.count, MANY - HASH_REAP_MAX);
    hash_reaped_free(&r);
    cr_expect_eq(hash_size(h), 0);
    hash_check(h);
    hash_free(h);
}

static uint64_t next_random(void *state) { return rand_next(state); }

/* With nearly all dead, drawing again and again would not end: the last resort is a walk. */
Test(hash_expiry, a_random_field_is_a_living_one_each_with_equal_probability)
{
    enum { MANY = 1000, LIVING = 4, DRAWS = 8000 };
    struct hash *h = hash_of(MANY);
    struct rand r = {5};
    unsigned drawn[MANY] = {0};
    char text[32];
    for (unsigned n = LIVING; n < MANY; n++) hash_set_expiry(h, field_text(n, text), 1000);
    for (unsigned d = 0; d < DRAWS; d++) {
        struct buf field = {0}, value = {0};
        hash_random_live(h, 2000, next_random, &r, &field, &value);
        char all[64] = {0};
        memcpy(all, field.p, field.len);
        const unsigned n = number_of(span_str(all));
        cr_assert_lt(n, LIVING, "a dead field was drawn");
        cr_assert(span_eq(buf_span(&value), value_text((int)n, text)));
        drawn[n]++;
        buf_free(&field);
        buf_free(&value);
    }
    for (unsigned n = 0; n < LIVING; n++) cr_expect(drawn[n] > 1800 && drawn[n] < 2200, "%u", drawn[n]);
    hash_free(h);
}
