#include <criterion/criterion.h>
#include <stdio.h>

#include "common/intset.h"
#include "common/types/set.h"

/* A set against the plainest model: an array of flags over a small universe of members of every shape. */
enum { UNIVERSE = 700 };

static const uint8_t hash_key[HTABLE_KEY_BYTES] = {2, 7, 1, 8};

static uint64_t next_random(void *state)
{
    uint64_t *s = state;
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * UINT64_C(2685821657736338717);
}

/* What members look like: integers only, short words, or also empty and long ones with zero bytes. */
enum shape { INTEGERS, WORDS, ANYTHING };

static struct span member_text(enum shape shape, unsigned n, char *to)
{
    memset(to, 'x', 200);
    if (shape == INTEGERS || (shape == WORDS && n % 2)) {
        static const int64_t base[] = {0, -100, 40000, -3000000000, INT64_MAX - 1000};
        return span_of(to, (size_t)sprintf(to, "%ld", base[n % 5] + n));
    }
    if (shape == WORDS) return span_of(to, (size_t)sprintf(to, "word%u", n));
    if (n == 0) return span_of(to, 0);
    const size_t head = (size_t)sprintf(to, "%u", n);
    to[head] = '\0';
    return span_of(to, head + n % 180);
}

static unsigned number_of(enum shape shape, struct span member)
{
    char text[256];
    for (unsigned n = 0; n < UNIVERSE; n++)
        if (span_eq(member_text(shape, n, text), member)) return n;
    cr_assert(false, "a member that was never added");
    return 0;
}

struct census {
    enum shape shape;
    unsigned seen[UNIVERSE];
};

static void count_one(void *context, struct span member)
{
    struct census *c = context;
    c->seen[number_of(c->shape, member)]++;
}

static void check_all(const struct set *s, enum shape shape, const bool *model)
{
    char text[256];
    struct census c = {.shape = shape};
    uint64_t size = 0;
    set_check(s);
    set_each(s, count_one, &c);
    for (unsigned n = 0; n < UNIVERSE; n++) {
        cr_assert_eq(c.seen[n], model[n], "member %u of shape %d", n, (int)shape);
        cr_assert_eq(set_has(s, member_text(shape, n, text)), model[n]);
        size += model[n];
    }
    cr_assert_eq(set_size(s), size);
}

static void run(enum shape shape, unsigned universe, struct encoding_limits limits, const char *encoding)
{
    uint64_t random = 77 + (uint64_t)shape;
    char text[256];
    bool model[UNIVERSE] = {0};
    struct set *s = set_new(hash_key);
    for (unsigned step = 0; step < 6000; step++) {
        const unsigned n = (unsigned)(next_random(&random) % universe);
        const bool remove = next_random(&random) % 100 < (step < 3000 ? 20 : 70);
        const struct span member = member_text(shape, n, text);
        if (remove) cr_assert_eq(set_remove(s, member), model[n]);
        else cr_assert_eq(set_add(s, member, &limits), !model[n]);
        model[n] = !remove;
        if (step % 100 == 0) check_all(s, shape, model);
        if (step % 1000 == 0) {
            struct set *copy = set_dup(s);
            set_free(s);
            s = copy;
        }
    }
    check_all(s, shape, model);
    cr_assert_str_eq(set_encoding(s), encoding);
    set_free(s);
}

Test(set, of_integers_behaves_as_its_model_while_an_intset)
{
    run(INTEGERS, 500, (struct encoding_limits)ENCODING_LIMITS_DEFAULT, "intset");
}

Test(set, of_integers_behaves_as_its_model_across_the_conversion_to_a_table)
{
    run(INTEGERS, UNIVERSE, (struct encoding_limits)ENCODING_LIMITS_DEFAULT, "hashtable");
    struct encoding_limits small = ENCODING_LIMITS_DEFAULT;
    small.set_max_intset_entries = 60;
    run(INTEGERS, UNIVERSE, small, "hashtable");
}

Test(set, of_words_behaves_as_its_model_as_a_listpack_and_as_a_table)
{
    run(WORDS, 100, (struct encoding_limits)ENCODING_LIMITS_DEFAULT, "listpack");
    run(WORDS, UNIVERSE, (struct encoding_limits)ENCODING_LIMITS_DEFAULT, "hashtable");
}

Test(set, of_any_bytes_behaves_as_its_model)
{
    run(ANYTHING, UNIVERSE, (struct encoding_limits)ENCODING_LIMITS_DEFAULT, "hashtable");
    struct encoding_limits roomy = ENCODING_LIMITS_DEFAULT;
    roomy.set_max_listpack_entries = 10000;
    roomy.set_max_listpack_value = 10000;
    run(ANYTHING, UNIVERSE, roomy, "listpack");
}

Test(set, changes_its_encoding_where_redis_does)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    char text[64];
    struct set *s = set_new(hash_key);
    cr_assert_str_eq(set_encoding(s), "intset");
    for (int n = 0; n < 512; n++) cr_assert(set_add(s, span_of(text, (size_t)sprintf(text, "%d", n)), &limits));
    cr_assert_str_eq(set_encoding(s), "intset");
    cr_assert(set_add(s, SPAN("512"), &limits));
    cr_assert_str_eq(set_encoding(s), "hashtable");
    set_free(s);

    s = set_new(hash_key);
    cr_assert(set_add(s, SPAN("1"), &limits));
    cr_assert(set_add(s, SPAN("01"), &limits));
    cr_assert_str_eq(set_encoding(s), "listpack");
    cr_assert_not(set_add(s, SPAN("1"), &limits));
    for (int n = 2; n < 128; n++) cr_assert(set_add(s, span_of(text, (size_t)sprintf(text, "%d", n)), &limits));
    cr_assert_str_eq(set_encoding(s), "listpack");
    cr_assert(set_add(s, SPAN("128"), &limits));
    cr_assert_str_eq(set_encoding(s), "hashtable");
    cr_assert_eq(set_size(s), 129);
    set_free(s);

    s = set_new(hash_key);
    memset(text, 'y', sizeof text);
    cr_assert(set_add(s, span_of(text, 64), &limits));
    cr_assert_str_eq(set_encoding(s), "listpack");
    set_free(s);
}

Test(set, a_member_is_drawn_uniformly_from_every_encoding)
{
    static const struct {
        enum shape shape;
        unsigned members;
    } cases[] = {{INTEGERS, 100}, {WORDS, 100}, {WORDS, 600}};
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        uint64_t random = 5;
        struct set *s = set_new(hash_key);
        const unsigned members = cases[i].members, draws = members * 100;
        for (unsigned n = 0; n < members; n++) cr_assert(set_add(s, member_text(cases[i].shape, n, text), &limits));
        struct census c = {.shape = cases[i].shape};
        struct buf drawn = {0};
        for (unsigned d = 0; d < draws; d++) {
            drawn.len = 0;
            set_random(s, next_random, &random, &drawn);
            count_one(&c, buf_span(&drawn));
        }
        double chi2 = 0;
        for (unsigned n = 0; n < members; n++) chi2 += (c.seen[n] - 100.0) * (c.seen[n] - 100.0) / 100.0;
        cr_assert(chi2 > members * 0.6 && chi2 < members * 1.5, "%s: %f", set_encoding(s), chi2);
        buf_free(&drawn);
        set_free(s);
    }
}

Test(set, a_scan_of_a_table_visits_what_stays_although_others_come_and_go)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    char text[256];
    struct set *s = set_new(hash_key);
    for (unsigned n = 0; n < 300; n++) cr_assert(set_add(s, member_text(WORDS, n, text), &limits));
    struct census c = {.shape = WORDS};
    uint64_t at = 0;
    unsigned steps = 0;
    do {
        at = set_scan(s, at, count_one, &c);
        for (unsigned n = 300 + 8 * steps; n < UNIVERSE && n < 300 + 8 * (steps + 1); n++)
            cr_assert(set_add(s, member_text(WORDS, n, text), &limits));
        steps++;
    } while (at);
    cr_assert_gt(steps, 20);
    for (unsigned n = 0; n < 300; n++) cr_assert_eq(c.seen[n], 1);
    set_free(s);
}

Test(set, takes_and_gives_an_intset_as_it_stands)
{
    struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    bool added;
    intset_t *ints = intset_new();
    for (int n = 0; n < 100; n++) ints = intset_add(ints, n * 1000, &added);
    struct set *s = set_of_intset(intset_dup(ints), hash_key, &limits);
    cr_assert_str_eq(set_encoding(s), "intset");
    cr_assert(span_eq(set_intset(s), span_of(ints, intset_bytes(ints))));
    set_free(s);
    limits.set_max_intset_entries = 50;
    s = set_of_intset(ints, hash_key, &limits);
    cr_assert_str_eq(set_encoding(s), "hashtable");
    cr_assert_null(set_intset(s).p);
    cr_assert_eq(set_size(s), 100);
    cr_assert(set_has(s, SPAN("99000")));
    set_check(s);
    cr_assert_gt(set_bytes(s, 0), 100 * 16);
    set_free(s);
    set_free(NULL);
}

Test(set, a_member_of_every_length_comes_back_out_of_a_table_as_it_went_in)
{
    const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    char bytes[300];
    struct set *s = set_new(hash_key);
    memset(bytes, 'b', sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n++) cr_assert(set_add(s, span_of(bytes, n), &limits));
    cr_assert_str_eq(set_encoding(s), "hashtable");
    set_check(s);
    struct set *copy = set_dup(s);
    for (size_t n = 0; n < sizeof bytes; n++) {
        cr_assert(set_has(copy, span_of(bytes, n)), "length %zu", n);
        cr_assert(set_remove(s, span_of(bytes, n)), "length %zu", n);
        cr_assert_not(set_has(s, span_of(bytes, n)), "length %zu", n);
    }
    set_free(s);
    set_free(copy);
}
