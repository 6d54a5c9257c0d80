#include <criterion/criterion.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/types/list_flat.h"
#include "tests/unit/rand.h"

/* The naive model: an array of texts of one length. */
enum { ROOM = 64, WIDTH_MAX = 40 };

struct model {
    struct flat *flat;
    size_t width, n, room;
    char items[ROOM][WIDTH_MAX];
};

static struct model model_new(size_t width, size_t room)
{
    return (struct model){
        .flat = flat_new(sizeof(struct flat) + room * width + width - 1, width), .width = width, .room = room};
}

static struct span item(const struct model *m, size_t at) { return span_of(m->items[at], m->width); }

static void model_insert(struct model *m, size_t at, struct span s)
{
    memmove(m->items[at + 1], m->items[at], (m->n - at) * WIDTH_MAX);
    memcpy(m->items[at], s.p, s.n);
    m->n++;
}

static void model_delete(struct model *m, size_t at, size_t n)
{
    memmove(m->items[at], m->items[at + n], (m->n - at - n) * WIDTH_MAX);
    m->n -= n;
}

/* Forwards, backwards and by number it is what the model is. */
static void expect_equal(const struct model *m)
{
    const struct flat *f = m->flat;
    cr_assert_eq(flat_count(f), m->n);
    if (m->n == 0) {
        cr_assert_null(flat_at(f, 0));
        return;
    }
    flat_check(f);
    const unsigned char *at = flat_at(f, 0), *last = NULL;
    for (size_t i = 0; i < m->n; i++, last = at, at = flat_next(f, at)) {
        cr_assert_not_null(at);
        cr_assert(span_eq(flat_get(f, at), item(m, i)));
        cr_assert_eq(flat_at(f, i), at);
        cr_assert_eq(flat_prev(f, at), last);
    }
    cr_assert_null(at);
    cr_assert_null(flat_at(f, m->n));
}

static struct span random_text(struct model *m, struct rand *r, char *text)
{
    memset(text, 'a' + (int)rand_below(r, 4), m->width);
    text[rand_below(r, m->width)] = (char)('a' + rand_below(r, 4));
    return span_of(text, m->width);
}

static void step_push(struct model *m, struct rand *r)
{
    char text[WIDTH_MAX];
    const struct span s = random_text(m, r, text);
    const bool at_head = rand_below(r, 2);
    const bool pushed = flat_push(m->flat, at_head, s);
    cr_assert_eq(pushed, m->n < m->room, "there is room for %zu elements, wherever the free room is", m->room);
    if (pushed) model_insert(m, at_head ? 0 : m->n, s);
}

static void step_delete(struct model *m, struct rand *r)
{
    const size_t at = rand_below(r, m->n), n = 1 + rand_below(r, rand_below(r, 4) ? 1 : m->n - at);
    const unsigned char *place = flat_at(m->flat, at);
    flat_delete(m->flat, &place, n);
    model_delete(m, at, n);
    cr_assert_eq(place, flat_at(m->flat, at), "it goes on with what follows");
}

static void step_set(struct model *m, struct rand *r)
{
    char text[WIDTH_MAX];
    const size_t at = rand_below(r, m->n);
    const struct span s = random_text(m, r, text);
    cr_assert(flat_set(m->flat, flat_at(m->flat, at), s));
    memcpy(m->items[at], s.p, s.n);
}

static void step_find(const struct model *m, struct rand *r)
{
    const size_t from = rand_below(r, m->n);
    const struct span s = item(m, rand_below(r, m->n));
    size_t at = from;
    while (at < m->n && !span_eq(item(m, at), s)) at++;
    cr_assert_eq(flat_find(m->flat, flat_at(m->flat, from), s), flat_at(m->flat, at));
}

/* A copy and a trimmed run hold the same in no more than they need; the copy goes on instead of the run, or the run. */
static void step_copy(struct model *m, struct rand *r)
{
    struct flat *copy = flat_dup(m->flat);
    cr_assert_eq(copy->room, m->n * m->width);
    if (rand_below(r, 2)) {
        struct flat *old = m->flat;
        m->flat = copy;
        copy = old;
    } else {
        m->flat = flat_trim(m->flat);
    }
    mem_free(copy);
    m->room = m->n;
}

static void step_listpack(const struct model *m)
{
    lp_t *lp = flat_to_listpack(m->flat);
    cr_assert_eq(lp_count(lp), m->n);
    size_t i = 0;
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at), i++) {
        char scratch[NUM_I64_MAX_TEXT];
        cr_assert(span_eq(lp_get(at, scratch), item(m, i)));
    }
    lp_free(lp);
}

static void step(struct model *m, struct rand *r)
{
    const uint64_t what = m->n ? rand_below(r, 100) : 0;
    if (what < 55) step_push(m, r);
    else if (what < 75) step_delete(m, r);
    else if (what < 85) step_set(m, r);
    else if (what < 95) step_find(m, r);
    else if (what < 98) step_listpack(m);
    else step_copy(m, r);
}

Test(list_flat, is_what_an_array_is_after_every_one_of_many_random_steps)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rand r = {seed};
        struct model m = model_new(1 + rand_below(&r, WIDTH_MAX), 1 + rand_below(&r, ROOM - 1));
        for (int i = 0; i < 300; i++) {
            step(&m, &r);
            expect_equal(&m);
            if (m.room > m.n || rand_below(&r, 3)) continue;
            mem_free(m.flat);
            m = model_new(1 + rand_below(&r, WIDTH_MAX), 1 + rand_below(&r, ROOM - 1));
        }
        mem_free(m.flat);
    }
}

Test(list_flat, takes_only_strings_of_its_length)
{
    struct flat *f = flat_new(sizeof *f + 32, 4);
    cr_expect(flat_push(f, false, SPAN("four")));
    cr_expect(!flat_push(f, false, SPAN("three")));
    cr_expect(!flat_push(f, true, SPAN("")));
    cr_expect(!flat_set(f, flat_at(f, 0), SPAN("no")));
    cr_expect_null(flat_find(f, flat_at(f, 0), SPAN("fou")));
    cr_expect(span_eq(flat_get(f, flat_at(f, 0)), SPAN("four")));
    cr_expect_eq(flat_count(f), 1);
    mem_free(f);
}

Test(list_flat, an_element_may_be_set_to_itself)
{
    struct flat *f = flat_new(sizeof *f + 8, 4);
    cr_expect(flat_push(f, true, SPAN("same")));
    cr_expect(flat_set(f, flat_at(f, 0), flat_get(f, flat_at(f, 0))));
    cr_expect(span_eq(flat_get(f, flat_at(f, 0)), SPAN("same")));
    mem_free(f);
}
