#include <criterion/criterion.h>
#include <stdio.h>

#include "common/granules.h"

/* Items of the test: a number whose text is the key. */
enum { KEYS = 4000 };

struct thing {
    unsigned number;
    char text[12];
};

static struct span thing_key(const void *item) { return span_str(((const struct thing *)item)->text); }
static void thing_free(void *item) { mem_free(item); }

static const struct htable_kind things = {thing_key, thing_free};
static const uint8_t hash_key[HTABLE_KEY_BYTES] = {3, 1, 4, 1, 5, 9, 2, 6};

/* A small generator of our own, so that a seed means the same everywhere (Marsaglia's xorshift). */
static uint64_t next_random(void *state)
{
    uint64_t *s = state;
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * UINT64_C(2685821657736338717);
}

static struct thing *thing_new(unsigned number)
{
    struct thing *x = MEM_NEW(struct thing);
    x->number = number;
    (void)snprintf(x->text, sizeof x->text, "%u", number);
    return x;
}

static struct span text_of(unsigned number, char *to, size_t room)
{
    return span_of(to, (size_t)snprintf(to, room, "%u", number));
}

static void add_marked(struct htable *t, unsigned number, bool mark)
{
    struct thing *x = thing_new(number);
    htable_insert_marked(t, htable_hash(t, thing_key(x)), x, mark);
}

static void add(struct htable *t, unsigned number) { add_marked(t, number, false); }

static bool has(const struct htable *t, unsigned number)
{
    char text[12];
    const struct span key = text_of(number, text, sizeof text);
    const struct thing *x = htable_find(t, htable_hash(t, key), key);
    cr_assert(!x || x->number == number);
    return x;
}

static bool drop(struct htable *t, unsigned number)
{
    char text[12];
    const struct span key = text_of(number, text, sizeof text);
    struct thing *x = htable_remove(t, htable_hash(t, key), key);
    mem_free(x);
    return x;
}

static bool marked(struct htable *t, unsigned number)
{
    char text[12];
    const struct span key = text_of(number, text, sizeof text);
    return htable_slot_marked(htable_find_slot(t, htable_hash(t, key), key));
}

static void mark(struct htable *t, unsigned number, bool on)
{
    char text[12];
    const struct span key = text_of(number, text, sizeof text);
    htable_slot_mark(htable_find_slot(t, htable_hash(t, key), key), on);
}

struct census {
    unsigned seen[KEYS], marks[KEYS];
    unsigned total;
};

static void count_one(void *context, void *item, bool is_marked)
{
    struct census *c = context;
    c->seen[((struct thing *)item)->number]++;
    c->marks[((struct thing *)item)->number] += is_marked;
    c->total++;
}

static void full_scan(const struct htable *t, bool marked_only, struct census *c)
{
    *c = (struct census){0};
    uint64_t at = 0;
    while ((at = htable_scan(t, at, marked_only, count_one, c))) {}
}

Test(htable, behaves_as_a_set_of_keys_under_random_changes)
{
    static bool model[KEYS], marks[KEYS];
    struct htable t;
    htable_init(&t, &things, hash_key);
    uint64_t seed = 42, count = 0;
    for (unsigned step = 0; step < 60000; step++) {
        /* Waves: mostly inserts, then mostly removals, so that the table grows and shrinks again and again. */
        const bool growing = step / 6000 % 2 == 0;
        const unsigned n = (unsigned)(next_random(&seed) % KEYS), what = (unsigned)(next_random(&seed) % 10);
        cr_assert_eq(has(&t, n), model[n]);
        if (what == 0 && model[n]) {
            marks[n] = !marks[n];
            mark(&t, n, marks[n]);
        } else if (model[n] && (what == 1 || !growing)) {
            cr_assert(drop(&t, n));
            model[n] = marks[n] = false;
            count--;
        } else if (!model[n] && (growing || what == 1)) {
            marks[n] = what == 2;
            add_marked(&t, n, marks[n]);
            model[n] = true;
            count++;
        }
        if (what == 3) (void)htable_resize_step(&t, 3);
        cr_assert_eq(t.count, count);
        if (step % 50 == 0) htable_check(&t);
        if (model[n]) cr_assert_eq(marked(&t, n), marks[n]);
    }
    struct census c;
    full_scan(&t, false, &c);
    for (unsigned n = 0; n < KEYS; n++) {
        cr_assert_eq(c.seen[n], model[n]);
        cr_assert_eq(c.marks[n], marks[n]);
    }
    full_scan(&t, true, &c);
    for (unsigned n = 0; n < KEYS; n++) cr_assert_eq(c.seen[n], marks[n]);
    htable_free(&t);
}

Test(htable, a_small_table_is_right_after_every_step)
{
    struct htable t;
    htable_init(&t, &things, hash_key);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 400; n++) {
            add(&t, n);
            htable_check(&t);
            for (unsigned i = 0; i <= n; i += 7) cr_assert(has(&t, i));
            cr_assert_not(has(&t, n + 1));
        }
        for (unsigned n = 0; n < 400; n++) {
            cr_assert(drop(&t, n));
            cr_assert_not(drop(&t, n));
            htable_check(&t);
        }
        cr_assert_eq(t.count, 0);
    }
    htable_free(&t);
}

Test(htable, a_small_table_takes_little_memory)
{
    struct htable t;
    htable_init(&t, &things, hash_key);
    cr_assert_eq(htable_bytes(&t), 0);
    for (unsigned n = 0; n < 300; n++) {
        add(&t, n);
        /* 64 bytes a bucket at 5 to 7 items, some chained buckets, one pointer to the segment. */
        cr_assert_leq(htable_bytes(&t), 160 + (n + 1) * 18, "%u items: %zu bytes", n + 1, htable_bytes(&t));
    }
    htable_free(&t);
}

Test(htable, what_is_present_during_a_whole_scan_is_visited_once_across_resizes)
{
    static bool stays[KEYS], in[KEYS];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t random = seed * 7919;
        struct htable t;
        htable_init(&t, &things, hash_key);
        for (unsigned n = 0; n < KEYS; n++) {
            stays[n] = next_random(&random) % (seed % 2 ? 2 : 20) == 0;
            in[n] = stays[n] || next_random(&random) % 2;
            if (in[n]) add(&t, n);
        }
        struct census c = {0};
        uint64_t at = 0, before;
        do {
            before = at;
            at = htable_scan(&t, at, false, count_one, &c);
            cr_assert(at == 0 || at > before);
            /* Some scans run while the table empties, some while it fills, some while it does both. */
            for (unsigned i = 0; i < 40; i++) {
                const unsigned n = (unsigned)(next_random(&random) % KEYS);
                if (stays[n]) continue;
                if (in[n] && seed % 3 != 0) in[n] = !drop(&t, n);
                else if (!in[n] && seed % 3 != 1) add(&t, n), in[n] = true;
            }
        } while (at);
        htable_check(&t);
        for (unsigned n = 0; n < KEYS; n++)
            if (stays[n]) cr_assert_eq(c.seen[n], 1, "seed %lu: %u seen %u times", seed, n, c.seen[n]);
        htable_free(&t);
    }
}

/* An item comes or goes while a walk is under way. */
static void change_under_walk(struct htable *t, struct granules *g, bool *present, unsigned n, struct census *c)
{
    char text[12];
    struct htable_choice choice;
    const uint64_t hash = htable_hash(t, text_of(n, text, sizeof text));
    if (granules_change(g, t, hash, &choice)) htable_visit_chosen(t, &choice, count_one, c);
    if (*present) cr_assert(drop(t, n));
    else add(t, n);
    *present = !*present;
}

/* Many more items come than go, or the other way round, so that the table is resized again and again. */
static void walk_amid_changes(struct htable *t, bool *present, uint64_t *seed, struct census *c)
{
    struct granules g;
    bool growing = false;
    granules_init(&g, t->live.buckets);
    while (granules_left(&g)) {
        const uint64_t many = next_random(seed) % 40;
        if (next_random(seed) % 100 == 0) growing = !growing;
        for (uint64_t i = 0; i < many; i++) {
            const unsigned n = (unsigned)(next_random(seed) % KEYS);
            if (present[n] != growing || i % 8 == 0) change_under_walk(t, &g, &present[n], n, c);
        }
        const struct htable_choice choice = granules_walk(&g, t);
        htable_visit_chosen(t, &choice, count_one, c);
        g.next++;
    }
    granules_free(&g);
}

Test(htable, a_walk_and_the_changes_ahead_of_it_choose_each_item_of_the_beginning_once)
{
    struct htable t;
    static bool present[KEYS], before[KEYS];
    uint64_t seed = 7;
    htable_init(&t, &things, hash_key);
    for (unsigned n = 0; n < KEYS; n++) {
        add(&t, n);
        present[n] = true;
    }
    for (int round = 0; round < 20; round++) {
        struct census c = {0};
        memcpy(before, present, sizeof before);
        walk_amid_changes(&t, present, &seed, &c);
        for (unsigned n = 0; n < KEYS; n++) cr_assert_eq(c.seen[n], before[n], "round %d, item %u", round, n);
        htable_check(&t);
    }
    htable_free(&t);
}

Test(htable, a_random_item_is_drawn_uniformly_also_in_the_middle_of_a_resize)
{
    enum { ITEMS = 1000, DRAWS = 200000 };
    uint64_t random = 99;
    struct htable t;
    htable_init(&t, &things, hash_key);
    cr_assert_null(htable_random(&t, next_random, &random));
    for (unsigned n = 0; n < ITEMS; n++) add(&t, n);
    while (htable_resize_step(&t, 100)) {}
    for (unsigned part = 0; part < 3; part++) {
        static unsigned drawn[ITEMS];
        memset(drawn, 0, sizeof drawn);
        for (unsigned i = 0; i < DRAWS; i++)
            drawn[((struct thing *)htable_random(&t, next_random, &random))->number]++;
        double chi2 = 0;
        const double expected = (double)DRAWS / ITEMS;
        for (unsigned n = 0; n < ITEMS; n++) chi2 += (drawn[n] - expected) * (drawn[n] - expected) / expected;
        /* 999 degrees of freedom: mean 999, standard deviation 45. */
        cr_assert(chi2 > 750 && chi2 < 1250, "part %u: chi-square %f", part, chi2);
        if (part == 0) htable_expect(&t, 3000);
        cr_assert(htable_resize_step(&t, 50));
        htable_check(&t);
    }
    htable_free(&t);
}

Test(htable, an_expected_size_is_taken_at_once_and_given_back_later)
{
    struct htable t;
    htable_init(&t, &things, hash_key);
    htable_expect(&t, 100000);
    const uint64_t buckets = t.live.buckets;
    cr_assert_geq(buckets, 100000 / 7);
    for (unsigned n = 0; n < KEYS; n++) add(&t, n);
    cr_assert_eq(t.live.buckets, buckets);
    cr_assert_eq(t.next.buckets, 0, "adding to a table that is large already does not shrink it");
    for (unsigned n = 0; n < KEYS / 2; n++) cr_assert(drop(&t, n));
    while (htable_resize_step(&t, 1)) htable_check(&t);
    cr_assert_lt(t.live.buckets, 1000);
    for (unsigned n = KEYS / 2; n < KEYS; n++) cr_assert(has(&t, n));
    htable_free(&t);
}

Test(htable, an_item_may_move_in_memory_and_keeps_its_mark)
{
    struct htable t;
    htable_init(&t, &things, hash_key);
    for (unsigned n = 0; n < 100; n++) add(&t, n);
    mark(&t, 17, true);
    const struct span key = SPAN("17");
    struct htable_slot *s = htable_find_slot(&t, htable_hash(&t, key), key);
    struct thing *other = thing_new(17);
    mem_free(htable_slot_item(s));
    htable_slot_set(s, other);
    cr_assert_eq(htable_find(&t, htable_hash(&t, key), key), other);
    cr_assert(marked(&t, 17));
    htable_check(&t);
    htable_free(&t);
}

Test(htable, a_cleared_table_is_empty_and_usable_also_in_the_middle_of_a_resize)
{
    struct htable t;
    htable_init(&t, &things, hash_key);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 3000 + 100 * round; n++) add(&t, n);
        htable_clear(&t);
        htable_check(&t);
        cr_assert_eq(t.count, 0);
        cr_assert_not(has(&t, 1));
        cr_assert_eq(htable_scan(&t, 0, false, count_one, NULL), 0);
    }
    add(&t, 5);
    cr_assert(has(&t, 5));
    htable_free(&t);
}
