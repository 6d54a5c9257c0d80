/* The portrait of a long string: its bytes are held as they are until they are given, slice by slice. */
#include "common/portrait_impl.h"
#include "common/rdb_write.h"

enum { SLICE_BYTES = 16 * 1024 };

struct string_portrait {
    struct portrait base;
    struct blob *held;
    struct span left; /* to be given */
};

static bool step(struct portrait *p, struct portion *portion)
{
    struct string_portrait *s = (struct string_portrait *)p;
    for (; s->left.n > 0 && portion_left(portion, p->pieces->out); portion->places--) {
        const size_t n = s->left.n < SLICE_BYTES ? s->left.n : SLICE_BYTES;
        buf_add(piece_to(p->pieces, 0), s->left.p, n);
        s->left = span_of(s->left.p + n, s->left.n - n);
    }
    return s->left.n > 0;
}

static bool end(struct portrait *p)
{
    entry_let_go(((struct string_portrait *)p)->held);
    return false;
}

struct portrait *portrait_new_string(const struct entry *e, struct span head, struct piece_writer *w)
{
    static const struct portrait_kind kind = {.step = step, .end = end};
    struct string_portrait *s = portrait_make(sizeof(struct string_portrait), &kind, e, head, w);
    s->held = entry_hold_string(e, &s->left);
    rdb_put_length(&s->base.head, s->left.n);
    return &s->base;
}
