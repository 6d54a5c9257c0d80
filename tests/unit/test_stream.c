#include <criterion/criterion.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/types/stream.h"
#include "tests/unit/rand.h"

static const struct encoding_limits usual = ENCODING_LIMITS_DEFAULT;
static const struct encoding_limits small_nodes = {.stream_node_max_bytes = 200, .stream_node_max_entries = 5};
static const struct encoding_limits no_limits = {0};

/* The naive model: all entries that ever were, and which of them are there. */
enum { MOST = 3000 };

struct model {
    struct stream_id id[MOST];
    unsigned fields[MOST], value[MOST];
    bool there[MOST];
    unsigned count;
};

static uint64_t model_size(const struct model *m)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < m->count; i++) n += m->there[i];
    return n;
}

/* Entries have the fields f0, f1, ... and numbers or texts as values. */
static void append(struct model *m, struct stream *s, struct rand *r, const struct encoding_limits *limits)
{
    char text[8][32];
    struct span pairs[8];
    struct stream_id id = m->count ? m->id[m->count - 1] : (struct stream_id){1000, UINT64_MAX - 3};
    if (rand_below(r, 3)) (void)stream_id_increment(&id);
    else id = (struct stream_id){id.ms + 1 + rand_below(r, 100), rand_below(r, 3)};
    const unsigned n = m->count++, fields = rand_below(r, 3) ? 2 : 1 + (unsigned)rand_below(r, 4);
    m->id[n] = id;
    m->fields[n] = fields;
    m->value[n] = (unsigned)rand_below(r, 100000);
    m->there[n] = true;
    for (unsigned i = 0; i < fields; i++) {
        const int name = sprintf(text[2 * i], "f%u", i);
        const int value = sprintf(text[2 * i + 1], i % 2 ? "text-%u" : "%u", m->value[n]);
        pairs[2 * i] = span_of(text[2 * i], (size_t)name);
        pairs[2 * i + 1] = span_of(text[2 * i + 1], (size_t)value);
    }
    stream_append(s, id, pairs, fields, limits);
}

static void check_entry(const struct model *m, unsigned at, struct stream_iter *i, uint64_t fields)
{
    struct span field, value;
    char a[NUM_I64_MAX_TEXT], b[NUM_I64_MAX_TEXT], text[32];
    cr_assert_eq(fields, m->fields[at]);
    for (unsigned f = 0; f < fields; f++) {
        cr_assert(stream_iter_field(i, &field, &value, a, b));
        cr_assert(span_eq(field, span_of(text, (size_t)sprintf(text, "f%u", f))));
        cr_assert(span_eq(value, span_of(text, (size_t)sprintf(text, f % 2 ? "text-%u" : "%u", m->value[at]))));
    }
    cr_assert_not(stream_iter_field(i, &field, &value, a, b));
}

static void check_range(const struct model *m, const struct stream *s, struct stream_id from, struct stream_id to,
                        bool backwards)
{
    struct stream_iter i;
    struct stream_id id;
    uint64_t fields;
    stream_iter_begin(&i, s, from, to, backwards);
    for (unsigned k = 0; k < m->count; k++) {
        const unsigned at = backwards ? m->count - 1 - k : k;
        if (!m->there[at] || stream_id_cmp(m->id[at], from) < 0 || stream_id_cmp(m->id[at], to) > 0) continue;
        cr_assert(stream_iter_next(&i, &id, &fields));
        cr_assert_eq(stream_id_cmp(id, m->id[at]), 0);
        check_entry(m, at, &i, fields);
    }
    cr_assert_not(stream_iter_next(&i, &id, &fields));
}

static struct stream_id some_id(const struct model *m, struct rand *r)
{
    struct stream_id id = m->count ? m->id[rand_below(r, m->count)] : STREAM_ID_ZERO;
    if (rand_below(r, 4) == 0) (void)stream_id_increment(&id);
    if (rand_below(r, 4) == 0) (void)stream_id_decrement(&id);
    return id;
}

static void delete_some(struct model *m, struct stream *s, struct rand *r)
{
    const struct stream_id id = some_id(m, r);
    bool there = false;
    for (unsigned i = 0; i < m->count; i++) {
        if (stream_id_cmp(m->id[i], id) != 0) continue;
        there = m->there[i];
        m->there[i] = false;
    }
    cr_assert_eq(stream_has(s, id), there);
    cr_assert_eq(stream_delete(s, id), there);
}

/* Exact trimming removes just what it says; approximate trimming no more than that. */
static void trim_some(struct model *m, struct stream *s, struct rand *r)
{
    struct stream_trim t = {.by_id = rand_below(r, 2), .approximate = rand_below(r, 2)};
    const uint64_t size = model_size(m);
    t.max_length = size - rand_below(r, size / 4 + 1);
    t.min = some_id(m, r);
    if (t.by_id && rand_below(r, 4)) t.min = m->id[rand_below(r, m->count / 8 + 1)];
    if (t.approximate && rand_below(r, 2)) t.limit = 1 + rand_below(r, 20);
    uint64_t removed = stream_trim(s, &t), left = removed;
    if (t.limit) cr_assert_leq(removed, t.limit);
    for (unsigned i = 0; i < m->count && left; i++) {
        left -= m->there[i];
        cr_assert(!m->there[i] || !t.by_id || stream_id_cmp(m->id[i], t.min) < 0);
        m->there[i] = false;
    }
    if (!t.by_id) cr_assert_geq(size - removed, t.max_length < size ? t.max_length : size);
    if (!t.approximate && !t.by_id) cr_assert_eq(size - removed, t.max_length < size ? t.max_length : size);
    for (unsigned i = 0; i < m->count && !t.approximate && t.by_id; i++)
        cr_assert(!m->there[i] || stream_id_cmp(m->id[i], t.min) >= 0);
}

static void fuzz(uint64_t seed, const struct encoding_limits *limits)
{
    static struct model m;
    struct rand r = {seed};
    struct stream *s = stream_new();
    m.count = 0;
    for (unsigned step = 0; step < 4000 && m.count < MOST; step++) {
        const uint64_t kind = rand_below(&r, 20);
        if (kind < 14 || m.count == 0) append(&m, s, &r, limits);
        else if (kind < 19) delete_some(&m, s, &r);
        else if (rand_below(&r, 4) == 0) trim_some(&m, s, &r);
        cr_assert_eq(stream_size(s), model_size(&m));
        if (step % 16 == 0) {
            stream_check(s);
            check_range(&m, s, some_id(&m, &r), some_id(&m, &r), rand_below(&r, 2));
        }
        if (step % 500 == 0) {
            struct stream *copy = stream_dup(s);
            stream_free(s);
            s = copy;
            check_range(&m, s, STREAM_ID_ZERO, STREAM_ID_MAX, false);
            check_range(&m, s, STREAM_ID_ZERO, STREAM_ID_MAX, true);
        }
    }
    cr_assert_eq(stream_marks(s)->added, m.count);
    stream_free(s);
}

Test(stream, behaves_like_a_list_of_all_entries)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        fuzz(seed, &usual);
        fuzz(seed, &small_nodes);
        fuzz(seed, &no_limits);
    }
}

Test(stream, takes_about_as_many_bytes_as_its_values_where_the_fields_are_always_the_same)
{
    struct stream *s = stream_new();
    const struct span pairs[] = {SPAN("a-rather-long-name"), SPAN("12345678"), SPAN("another-long-name"), SPAN("ab")};
    for (uint64_t i = 1; i <= 10000; i++) stream_append(s, (struct stream_id){i, 0}, pairs, 2, &usual);
    cr_assert_eq(stream_nodes(s), 100);
    cr_assert_lt(stream_bytes(s, 0), 10000 * 28);
    stream_free(s);
}

static void give_node(void *context, struct stream_id id, struct span listpack)
{
    lp_t *node = lp_dup((const lp_t *)listpack.p);
    cr_assert(stream_append_node(context, id, node));
}

Test(stream, is_made_again_of_its_nodes)
{
    static struct model m;
    struct rand r = {9};
    struct stream *s = stream_new(), *other = stream_new();
    m.count = 0;
    for (unsigned i = 0; i < 500; i++) append(&m, s, &r, &small_nodes);
    for (unsigned i = 0; i < 200; i++) delete_some(&m, s, &r);
    stream_each_node(s, give_node, other);
    stream_check(other);
    check_range(&m, other, STREAM_ID_ZERO, STREAM_ID_MAX, false);
    stream_free(s);
    stream_free(other);
}

Test(stream, refuses_nodes_that_are_none)
{
    const struct span pairs[] = {SPAN("f"), SPAN("v")};
    const struct stream_id id = {5, 0};
    struct stream *s = stream_new();
    lp_t *empty = stream_node_new(pairs, 1), *words = lp_append(lp_new(), SPAN("word"));
    cr_assert_not(stream_append_node(s, id, empty));
    cr_assert_not(stream_append_node(s, id, words));
    lp_t *node = stream_node_append(stream_node_new(pairs, 1), id, id, pairs, 1);
    lp_t *same = lp_dup(node), *longer = lp_append(lp_dup(node), SPAN("x"));
    cr_assert_not(stream_append_node(s, id, longer));
    cr_assert(stream_append_node(s, id, node));
    cr_assert_not(stream_append_node(s, id, same), "not behind the others");
    lp_free(empty);
    lp_free(words);
    lp_free(same);
    lp_free(longer);
    stream_free(s);
}

/* Groups: pending entries change hands in every way. */

enum { CONSUMERS = 4, IDS = 50 };

static void check_pending(const struct stream_group *g, struct stream_consumer *const *c, const int *owner)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < IDS; i++) {
        const struct stream_pending *p = stream_pending_find(g, (struct stream_id){i / 7, i % 7});
        n += p != NULL;
        cr_assert_eq(p != NULL, owner[i] >= 0);
        if (p) cr_assert_eq(p->consumer, c[owner[i]]);
    }
    cr_assert_eq(g->pending.size, n);
}

Test(stream_groups, know_whose_the_pending_entries_are)
{
    struct stream_groups groups = {0}, copy = {0};
    struct stream_consumer *c[CONSUMERS];
    struct rand r = {3};
    int owner[IDS];
    struct stream_group *g = stream_groups_add(&groups, SPAN("group"), STREAM_ID_ZERO, 0);
    cr_assert_null(stream_groups_add(&groups, SPAN("group"), STREAM_ID_ZERO, 0));
    for (unsigned i = 0; i < CONSUMERS; i++) c[i] = stream_consumer_add(g, span_of(&"dcba"[i], 1), 0);
    for (unsigned i = 0; i < IDS; i++) owner[i] = -1;
    for (unsigned step = 0; step < 5000; step++) {
        const unsigned i = (unsigned)rand_below(&r, IDS), who = (unsigned)rand_below(&r, CONSUMERS);
        const struct stream_id id = {i / 7, i % 7};
        if (rand_below(&r, 2)) {
            cr_assert_eq(stream_pending_assign(g, id, c[who])->consumer, c[who]);
            owner[i] = (int)who;
        } else {
            cr_assert_eq(stream_pending_remove(g, id), owner[i] >= 0);
            owner[i] = -1;
        }
        if (step % 500 == 0) {
            cr_assert_geq(stream_consumer_remove(g, c[who]), 0);
            for (unsigned k = 0; k < IDS; k++)
                if (owner[k] == (int)who) owner[k] = -1;
            c[who] = stream_consumer_add(g, span_of(&"dcba"[who], 1), 0);
        }
        stream_groups_check(&groups);
        check_pending(g, c, owner);
    }
    stream_groups_dup(&copy, &groups);
    stream_groups_check(&copy);
    cr_assert_eq(copy.list[0]->pending.size, g->pending.size);
    cr_assert_gt(stream_groups_bytes(&copy), sizeof(struct stream_group));
    cr_assert(stream_groups_remove(&groups, SPAN("group")));
    cr_assert_not(stream_groups_remove(&groups, SPAN("group")));
    stream_groups_clear(&groups);
    stream_groups_clear(&copy);
}
