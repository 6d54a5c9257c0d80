#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/keyspace.h"
#include "common/mem.h"
#include "common/types/list.h"

static const uint8_t hash_key[HTABLE_KEY_BYTES] = "a fixed hash key";
static struct db *db;
static void setup(void) { db = db_new(0, hash_key); }
static void teardown(void)
{
    db_check(db);
    db_free(db);
}
TestSuite(keyspace, .init = setup, .fini = teardown);

static struct entry *put(struct span key, struct span string, int64_t expiry)
{
    return db_put(db, key, &(struct value){.type = TYPE_STRING, .string = string}, expiry);
}

static bool holds(const struct entry *e, struct span string)
{
    char scratch[NUM_I64_MAX_TEXT];
    return e && span_eq(entry_string(e, scratch), string);
}

Test(keyspace, an_entry_with_a_key_of_16_and_a_string_of_32_bytes_fits_a_cache_line)
{
    const struct span key = SPAN("0123456789abcdef"), string = SPAN("0123456789abcdef0123456789abcdef");
    cr_expect_leq(mem_size(put(key, string, NO_EXPIRY)), 72); /* what malloc rounds 64 to, at worst */
    cr_expect_leq(mem_size(put(key, string, 12345)), 72);
}

Test(keyspace, an_integer_is_kept_as_one)
{
    int64_t v;
    struct entry *e = put(SPAN("0123456789abcdef"), SPAN("-123456789012"), NO_EXPIRY);
    cr_expect(entry_int(e, &v) && v == -123456789012);
    cr_expect_leq(mem_size(e), 40);
    cr_expect(holds(e, SPAN("-123456789012")));
    cr_expect_str_eq(entry_encoding(e), "int");
    e = put(SPAN("k"), SPAN("007"), NO_EXPIRY);
    cr_expect_not(entry_int(e, &v));
    cr_expect(holds(e, SPAN("007")));
}

/* Lengths around every boundary of the layout. */
static const size_t lengths[] = {0, 1, 7, 8, 15, 16, 44, 45, 255, 256, 447, 448, 449, 512, 4096, 70000};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static struct span letters(char fill, size_t n)
{
    static char space[2][70000];
    char *to = space[fill == 'k'];
    memset(to, fill, n);
    return span_of(to, n);
}

Test(keyspace, keys_and_strings_of_any_length_are_kept)
{
    for (size_t k = 0; k < LENGTHS; k++) {
        for (size_t v = 0; v < LENGTHS; v++) {
            put(letters('k', lengths[k]), letters('v', lengths[v]), v % 2 ? 1000 : NO_EXPIRY);
            const struct entry *e = db_find(db, letters('k', lengths[k]));
            cr_assert(holds(e, letters('v', lengths[v])), "key %zu, value %zu", lengths[k], lengths[v]);
            cr_assert_eq(entry_key(e).n, lengths[k]);
            cr_assert_eq(entry_expiry(e), v % 2 ? 1000 : NO_EXPIRY);
        }
    }
    cr_expect_eq(db_size(db), LENGTHS);
}

Test(keyspace, expiry_times_are_set_changed_and_cleared_without_losing_the_value)
{
    for (size_t k = 0; k < LENGTHS; k++) {
        for (size_t v = 0; v < LENGTHS; v++) {
            struct entry *e = put(letters('k', lengths[k]), letters('v', lengths[v]), NO_EXPIRY);
            e = db_set_expiry(db, e, 5);
            e = db_set_expiry(db, e, 6);
            cr_assert_eq(entry_expiry(e), 6);
            cr_assert(holds(e, letters('v', lengths[v])));
            cr_assert_eq(db_expires(db), 1);
            e = db_set_expiry(db, e, NO_EXPIRY);
            cr_assert_eq(entry_expiry(e), NO_EXPIRY);
            cr_assert(holds(e, letters('v', lengths[v])));
            cr_assert_eq(db_expires(db), 0);
        }
    }
}

Test(keyspace, a_string_is_edited_in_place_from_any_form_to_any_length)
{
    static const char *const start[] = {"", "12345", "short", NULL};
    for (size_t s = 0; s < 4; s++) {
        for (size_t v = 1; v < LENGTHS; v++) {
            const struct span before = start[s] ? span_str(start[s]) : letters('v', 1000);
            struct entry *e = put(SPAN("key"), before, 77);
            char *bytes;
            e = db_edit_string(db, e, lengths[v], &bytes);
            const size_t kept = before.n < lengths[v] ? before.n : lengths[v];
            cr_assert(memcmp(bytes, before.p, kept) == 0);
            for (size_t i = kept; i < lengths[v]; i++) cr_assert_eq(bytes[i], 0);
            bytes[lengths[v] - 1] = '!';
            char scratch[NUM_I64_MAX_TEXT];
            const struct span after = entry_string(db_find(db, SPAN("key")), scratch);
            cr_assert_eq(after.n, lengths[v]);
            cr_assert_eq(after.p[after.n - 1], '!');
            cr_assert_eq(entry_expiry(e), 77);
            cr_assert_str_eq(entry_encoding(e), "raw");
        }
    }
}

Test(keyspace, a_value_may_come_from_the_entry_that_it_overwrites)
{
    char scratch[NUM_I64_MAX_TEXT];
    const struct entry *e = put(SPAN("key"), letters('v', 300), NO_EXPIRY);
    const struct span old = entry_string(e, scratch);
    put(SPAN("key"), span_of(old.p + 100, 200), NO_EXPIRY);
    cr_expect(holds(db_find(db, SPAN("key")), letters('v', 200)));
}

static struct list *list_of_one(void)
{
    static const struct encoding_limits limits = ENCODING_LIMITS_DEFAULT;
    struct list *l = list_new();
    list_push(l, LIST_TAIL, SPAN("element"), &limits);
    return l;
}

Test(keyspace, a_collection_is_freed_with_its_key)
{
    put(SPAN("string"), SPAN("text"), 99);
    db_put(db, SPAN("list"), &(struct value){.type = TYPE_LIST, .list = list_of_one()}, NO_EXPIRY);
    db_put(db, SPAN("freed"), &(struct value){.type = TYPE_LIST, .list = list_of_one()}, NO_EXPIRY);
    db_put(db, SPAN("freed"), &(struct value){.type = TYPE_LIST, .list = list_of_one()}, 50);
    cr_expect(db_remove(db, SPAN("freed")) && !db_remove(db, SPAN("freed")));
    put(SPAN("list"), SPAN("a string now"), NO_EXPIRY);
    cr_expect(db_remove(db, SPAN("list")) && db_remove(db, SPAN("string")));
    cr_expect_eq(db_size(db), 0);
    cr_expect_eq(db_expires(db), 0);
}

Test(keyspace, a_key_moves_with_its_value_and_its_expiry_time)
{
    struct db *other = db_new(1, hash_key);
    put(SPAN("a"), letters('v', 1000), 123);
    db_put(other, SPAN("b"), &(struct value){.type = TYPE_LIST, .list = list_of_one()}, 5);
    const struct entry *e = db_move(db, SPAN("a"), other, SPAN("b"));
    cr_expect(holds(e, letters('v', 1000)) && entry_expiry(e) == 123);
    cr_expect_eq(db_size(db) + db_expires(db), 0);
    cr_expect(db_size(other) == 1 && db_expires(other) == 1);
    db_swap(db, other);
    cr_expect(db_find(db, SPAN("b")) && !db_find(other, SPAN("b")));
    cr_expect(db_id(db) == 0 && db_id(other) == 1);
    db_check(other);
    db_free(other);
}

Test(keyspace, the_clock_field_survives_what_moves_the_entry)
{
    struct entry *e = put(SPAN("k"), SPAN("v"), NO_EXPIRY);
    entry_set_clock(e, 0xabcdef);
    e = db_set_expiry(db, e, 1);
    cr_expect_eq(entry_clock(e), 0xabcdef);
    char *bytes;
    e = db_edit_string(db, e, 1000, &bytes);
    cr_expect_eq(entry_clock(e), 0xabcdef);
    cr_expect_eq(entry_expiry(e), 1);
}

Test(keyspace, random_changes_agree_with_a_plain_array)
{
    enum { KEYS = 200, STEPS = 50000 };
    static struct {
        bool there;
        size_t n;
        char fill;
        int64_t expiry;
    } model[KEYS];
    unsigned seed = 1;
    for (int i = 0; i < STEPS; i++) {
        const int k = rand_r(&seed) % KEYS;
        char name[16];
        const struct span key = span_of(name, (size_t)snprintf(name, sizeof name, "key%d", k));
        const int what = rand_r(&seed) % 4;
        struct entry *e = db_find(db, key);
        cr_assert_eq(e != NULL, model[k].there);
        if (e) {
            cr_assert(holds(e, letters(model[k].fill, model[k].n)));
            cr_assert_eq(entry_expiry(e), model[k].expiry);
        }
        if (what == 0) {
            cr_assert_eq(db_remove(db, key), model[k].there);
            model[k].there = false;
        } else if (what == 1 && e) {
            model[k].expiry = rand_r(&seed) % 2 ? rand_r(&seed) : NO_EXPIRY;
            db_set_expiry(db, e, model[k].expiry);
        } else {
            model[k].there = true;
            model[k].n = (size_t)(rand_r(&seed) % 600);
            model[k].fill = (char)('a' + rand_r(&seed) % 10);
            model[k].expiry = rand_r(&seed) % 2 ? rand_r(&seed) : NO_EXPIRY;
            put(key, letters(model[k].fill, model[k].n), model[k].expiry);
        }
        if (i % 1000 == 0) db_check(db);
    }
}
