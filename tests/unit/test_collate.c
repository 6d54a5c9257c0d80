#include <criterion/criterion.h>

#include "common/collate.h"
#include "tests/unit/rand.h"

/* The result, and a store of bytes. */
struct rig {
    struct buf out, stored;
    unsigned forgotten, fetched;
    bool full;
};

static enum err write_out(void *context, struct span bytes, struct errmsg *m)
{
    (void)m;
    buf_add_span(&((struct rig *)context)->out, bytes);
    return ERR_OK;
}

static enum err store(void *context, struct span bytes, uint64_t *at, struct errmsg *m)
{
    struct rig *r = context;
    if (r->full) return err_set(m, ERR_IO, "full");
    *at = r->stored.len;
    buf_add_span(&r->stored, bytes);
    return ERR_OK;
}

static enum err fetch(void *context, uint64_t at, void *to, size_t n, struct errmsg *m)
{
    (void)m;
    struct rig *r = context;
    cr_assert_leq(at + n, r->stored.len);
    memcpy(to, r->stored.p + at, n);
    r->fetched++;
    return ERR_OK;
}

static enum err forget(void *context, struct errmsg *m)
{
    (void)m;
    struct rig *r = context;
    r->stored.len = 0;
    r->forgotten++;
    return ERR_OK;
}

static struct collate *make(struct rig *r, size_t most)
{
    *r = (struct rig){.full = false};
    const struct collate_ops ops = {r, write_out, store, fetch, forget};
    return collate_new(&ops, most);
}

static void end(struct rig *r, struct collate *c)
{
    collate_free(c);
    buf_free(&r->out);
    buf_free(&r->stored);
}

static void put(struct piece_writer *w, uint64_t stream, const char *text)
{
    buf_add_span(piece_to(w, stream), span_str(text));
}

Test(collate, a_stream_comes_out_where_it_is_inserted)
{
    struct rig r;
    struct buf run = {0};
    struct errmsg m;
    struct piece_writer w = {.out = &run};
    struct collate *c = make(&r, SIZE_MAX);
    const uint64_t a = piece_stream(&w), b = piece_stream(&w);
    put(&w, 0, "one ");
    put(&w, 0, "two ");
    put(&w, a, "a1 ");
    put(&w, b, "b1 ");
    put(&w, a, "a2 ");
    put(&w, 0, "three ");
    piece_insert(&w, a);
    put(&w, 0, "four ");
    piece_insert(&w, b);
    piece_close(&w);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_OK, "%s", m.text);
    cr_expect(span_eq(buf_span(&r.out), SPAN("one two three a1 a2 four b1 ")));
    cr_expect_not(collate_pending(c));
    cr_expect_eq(r.stored.len, 0);
    buf_free(&run);
    end(&r, c);
}

Test(collate, pieces_cut_off_and_streams_that_hold_nothing_are_damage)
{
    struct rig r;
    struct buf run = {0};
    struct errmsg m;
    struct piece_writer w = {.out = &run};
    put(&w, 3, "some text");
    piece_insert(&w, 3);
    piece_close(&w);
    for (size_t n = 0; n <= run.len; n++) {
        struct collate *c = make(&r, SIZE_MAX);
        const bool whole = n == 0 || n == PIECE_HEAD_BYTES + 9 || n == run.len;
        cr_expect_eq(collate_take(c, span_of(run.p, n), &m), whole ? ERR_OK : ERR_CORRUPT, "%zu", n);
        end(&r, c);
    }
    run.len = 0;
    piece_insert(&w, 4);
    struct collate *c = make(&r, SIZE_MAX);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_CORRUPT);
    end(&r, c);
    buf_free(&run);
}

Test(collate, what_goes_beyond_the_bound_is_stored_and_a_full_store_is_an_error)
{
    struct rig r;
    struct buf run = {0};
    struct errmsg m;
    struct piece_writer w = {.out = &run};
    struct collate *c = make(&r, 20);
    put(&w, 1, "123456789-");
    put(&w, 2, "123456789-");
    piece_close(&w);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_OK);
    cr_expect(collate_bytes(c) == 20 && collate_stored(c) == 0);
    run.len = 0;
    put(&w, 1, "abc");
    piece_close(&w);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_OK);
    cr_expect(collate_bytes(c) == 0 && collate_stored(c) == 23 && collate_pending(c));
    run.len = 0;
    put(&w, 1, "def");
    piece_insert(&w, 1);
    piece_insert(&w, 2);
    piece_close(&w);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_OK);
    cr_expect(span_eq(buf_span(&r.out), SPAN("123456789-abcdef123456789-")));
    cr_expect(collate_stored(c) == 0 && r.forgotten == 1);
    run.len = 0;
    r.full = true;
    put(&w, 5, "more than twenty bytes");
    piece_close(&w);
    cr_expect_eq(collate_take(c, buf_span(&run), &m), ERR_IO);
    buf_free(&run);
    end(&r, c);
}

Test(collate, any_order_of_pieces_gives_the_same_with_and_without_a_store)
{
    enum { STREAMS = 20, ROUNDS = 50 };
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rand random = {seed};
        struct rig r;
        struct buf run = {0}, expected = {0}, kept[STREAMS] = {{0}};
        struct errmsg m;
        struct piece_writer w = {.out = &run, .streams = STREAMS};
        struct collate *c = make(&r, rand_below(&random, 3) ? rand_below(&random, 2000) : SIZE_MAX);
        for (unsigned i = 0; i < 2000; i++) {
            const uint64_t s = rand_below(&random, STREAMS);
            char text[200];
            memset(text, 'a' + (int)(i % 26), sizeof text);
            const struct span bytes = span_of(text, 1 + rand_below(&random, sizeof text));
            if (s && kept[s].len && rand_below(&random, 8) == 0) {
                piece_insert(&w, s);
                buf_add_span(&expected, buf_span(&kept[s]));
                kept[s].len = 0;
            } else {
                buf_add_span(piece_to(&w, s), bytes);
                buf_add_span(s ? &kept[s] : &expected, bytes);
            }
            if (rand_below(&random, 10)) continue;
            piece_close(&w);
            cr_assert_eq(collate_take(c, buf_span(&run), &m), ERR_OK, "%s", m.text);
            run.len = 0;
        }
        piece_close(&w);
        cr_assert_eq(collate_take(c, buf_span(&run), &m), ERR_OK, "%s", m.text);
        cr_expect(span_eq(buf_span(&r.out), buf_span(&expected)), "seed %lu", (unsigned long)seed);
        for (unsigned s = 1; s < STREAMS; s++) buf_free(&kept[s]);
        buf_free(&run);
        buf_free(&expected);
        end(&r, c);
    }
}
