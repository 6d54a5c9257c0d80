#include <criterion/criterion.h>
#include <stdio.h>

#include "common/listpack.h"
#include "common/mem.h"
#include "common/types/hash.h"

/* A hash against the plainest model: an array of values by field number. */
enum { FIELDS = 900, ABSENT = -1 };

static const uint8_t hash_key[HTABLE_KEY_BYTES] = {1, 6, 1, 8};

static uint64_t next_random(void *state)
{
    uint64_t *s = state;
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * UINT64_C(2685821657736338717);
}

static struct span field_text(unsigned n, char *to)
{
    return span_of(to, (size_t)sprintf(to, n % 3 ? "field:%u" : "%u", n));
}

/* Value number @v: integers and words, the empty one, and with @longest also long ones. */
static struct span value_text(int v, unsigned longest, char *to)
{
    memset(to, 'v', 300);
    if (v == 0) return span_of(to, 0);
    const size_t n = (size_t)sprintf(to, v % 2 ? "%d" : "value %d", v);
    to[n] = '-';
    return span_of(to, v % 2 || longest == 0 ? n : n + (unsigned)v % longest);
}

struct census {
    unsigned seen[FIELDS];
    const int *model;
    unsigned longest;
};

static void count_pair(void *context, struct span field, struct span value)
{
    struct census *c = context;
    char text[32], expected[512];
    for (unsigned n = 0; n < FIELDS; n++) {
        if (!span_eq(field_text(n, text), field)) continue;
        c->seen[n]++;
        cr_assert_neq(c->model[n], ABSENT);
        cr_assert(span_eq(value_text(c->model[n], c->longest, expected), value));
        return;
    }
    cr_assert(false, "a field that was never set");
}

static void check_all(const struct hash *h, const int *model, unsigned longest)
{
    struct census c = {.model = model, .longest = longest};
    uint64_t size = 0;
    hash_check(h);
    hash_each(h, count_pair, &c);
    for (unsigned n = 0; n < FIELDS; n++) {
        char text[32], scratch[NUM_I64_MAX_TEXT], expected[512];
        struct span value;
        cr_assert_eq(c.seen[n], model[n] != ABSENT);
        cr_assert_eq(hash_get(h, field_text(n, text), &value, scratch), model[n] != ABSENT);
        if (model[n] != ABSENT) cr_assert(span_eq(value, value_text(model[n], longest, expected)));
        size += model[n] != ABSENT;
    }
    cr_assert_eq(hash_size(h), size);
}

static void run(unsigned fields, unsigned longest, const char *encoding)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    uint64_t random = 123;
    int model[FIELDS];
    for (unsigned n = 0; n < FIELDS; n++) model[n] = ABSENT;
    struct hash *h = hash_new(hash_key);
    for (unsigned step = 0; step < 6000; step++) {
        char field[32], value[512];
        const unsigned n = (unsigned)(next_random(&random) % fields);
        const bool remove = next_random(&random) % 100 < (step < 3000 ? 20 : 60);
        if (remove) {
            cr_assert_eq(hash_remove(h, field_text(n, field)), model[n] != ABSENT);
            model[n] = ABSENT;
        } else {
            const int v = (int)(next_random(&random) % 1000);
            cr_assert_eq(hash_set(h, field_text(n, field), value_text(v, longest, value), &limits),
                         model[n] == ABSENT);
            model[n] = v;
        }
        if (step % 100 == 0) check_all(h, model, longest);
        if (step % 1000 == 0) {
            struct hash *copy = hash_dup(h);
            hash_free(h);
            h = copy;
        }
    }
    check_all(h, model, longest);
    cr_assert_str_eq(hash_encoding(h), encoding);
    hash_free(h);
}

Test(hash, behaves_as_its_model_while_a_listpack) { run(100, 0, "listpack"); }

Test(hash, behaves_as_its_model_across_the_conversion_to_a_table) { run(FIELDS, 0, "hashtable"); }

Test(hash, behaves_as_its_model_with_long_values) { run(FIELDS, 250, "hashtable"); }

Test(hash, changes_its_encoding_where_redis_does)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    char text[80];
    struct hash *h = hash_new(hash_key);
    for (unsigned n = 0; n < 512; n++) cr_assert(hash_set(h, field_text(n, text), SPAN("v"), &limits));
    cr_assert_str_eq(hash_encoding(h), "listpack");
    cr_assert_not(hash_set(h, SPAN("0"), SPAN("w"), &limits));
    cr_assert_str_eq(hash_encoding(h), "listpack");
    cr_assert(hash_set(h, SPAN("one more"), SPAN(""), &limits));
    cr_assert_str_eq(hash_encoding(h), "hashtable");
    hash_free(h);

    memset(text, 'z', sizeof text);
    h = hash_new(hash_key);
    cr_assert(hash_set(h, span_of(text, 64), span_of(text, 64), &limits));
    cr_assert_str_eq(hash_encoding(h), "listpack");
    cr_assert_not(hash_set(h, span_of(text, 64), span_of(text, 65), &limits));
    cr_assert_str_eq(hash_encoding(h), "hashtable");
    hash_free(h);
}

Test(hash, a_pair_is_drawn_uniformly_with_its_own_value)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    for (unsigned fields = 100; fields <= 400; fields += 300) {
        uint64_t random = 9;
        int model[FIELDS];
        char field[32], value[512];
        struct hash *h = hash_new(hash_key);
        for (unsigned n = 0; n < FIELDS; n++) model[n] = n < fields ? (int)n : ABSENT;
        for (unsigned n = 0; n < fields; n++)
            cr_assert(hash_set(h, field_text(n, field), value_text((int)n, 0, value), &limits));
        struct census c = {.model = model};
        struct buf f = {0}, v = {0};
        for (unsigned d = 0; d < fields * 100; d++) {
            f.len = v.len = 0;
            hash_random(h, next_random, &random, &f, d % 2 ? &v : NULL);
            if (d % 2) count_pair(&c, buf_span(&f), buf_span(&v));
        }
        double chi2 = 0;
        for (unsigned n = 0; n < fields; n++) chi2 += (c.seen[n] - 50.0) * (c.seen[n] - 50.0) / 50.0;
        cr_assert(chi2 > fields * 0.6 && chi2 < fields * 1.5, "%s: %f", hash_encoding(h), chi2);
        buf_free(&f);
        buf_free(&v);
        hash_free(h);
    }
}

static lp_t *pack_of(const char *const *words, size_t n)
{
    lp_t *lp = lp_new();
    for (size_t i = 0; i < n; i++) lp = lp_append(lp, span_str(words[i]));
    return lp;
}

Test(hash, takes_a_listpack_as_it_stands_unless_a_field_stands_in_it_twice)
{
    struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    static const char *const good[] = {"a", "1", "b", "1", "7", "x"}, *const bad[] = {"7", "1", "b", "7", "7", "x"};
    struct hash *h;
    lp_t *lp = pack_of(good, 6);
    cr_assert(hash_of_listpack(lp_dup(lp), hash_key, &limits, &h));
    cr_assert(span_eq(hash_listpack(h), span_of(lp, lp_bytes(lp))));
    hash_free(h);
    limits.hash_max_listpack_entries = 2;
    cr_assert(hash_of_listpack(lp, hash_key, &limits, &h));
    cr_assert_str_eq(hash_encoding(h), "hashtable");
    cr_assert_null(hash_listpack(h).p);
    cr_assert_eq(hash_size(h), 3);
    hash_check(h);
    cr_assert_gt(hash_bytes(h, 0), 3 * 16);
    hash_free(h);
    cr_assert_not(hash_of_listpack(pack_of(bad, 6), hash_key, &limits, &h));
    hash_free(NULL);
}

Test(hash, a_value_of_the_same_length_is_changed_in_place)
{
    struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    limits.hash_max_listpack_entries = 0;
    struct hash *h = hash_new(hash_key);
    struct span before, after;
    cr_assert(hash_set(h, SPAN("f"), SPAN("100"), &limits));
    cr_assert(hash_get(h, SPAN("f"), &before, NULL));
    cr_assert_not(hash_set(h, SPAN("f"), SPAN("101"), &limits));
    cr_assert(hash_get(h, SPAN("f"), &after, NULL));
    cr_assert(before.p == after.p && span_eq(after, SPAN("101")));
    hash_free(h);
}
