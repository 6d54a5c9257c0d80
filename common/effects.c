#include "common/engine.h"

#include <assert.h>

#include "common/num.h"

void effects_begin(struct effects *fx, struct buf *out) { *fx = (struct effects){.out = out}; }

static void enter(struct effects *fx, unsigned db)
{
    if (fx->db == db) return;
    fx->db = db;
    char text[NUM_I64_MAX_TEXT];
    const struct span argv[] = {SPAN("SELECT"), span_of(text, num_format_u64(text, db))};
    resp_encode(fx->out, argv, 2);
}

/* Another effect is to be added: the second of a frame brings its MULTI. */
static void count_one(struct effects *fx)
{
    static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
    fx->count++;
    if (!fx->frames || fx->framed) return;
    if (fx->count == fx->frame_count + 1) {
        fx->frame_at = fx->out->len;
    } else {
        buf_insert(fx->out, fx->frame_at, multi, sizeof multi - 1);
        fx->framed = true;
    }
}

void effects_add(struct effects *fx, unsigned db, const struct span *argv, size_t argc)
{
    count_one(fx);
    enter(fx, db);
    resp_encode(fx->out, argv, argc);
}

void effects_add_raw(struct effects *fx, unsigned db, struct span raw)
{
    count_one(fx);
    enter(fx, db);
    buf_add_span(fx->out, raw);
}

void effects_frame(struct effects *fx)
{
    if (fx->frames++ == 0) fx->frame_count = fx->count;
}

void effects_unframe(struct effects *fx)
{
    static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";
    assert(fx->frames > 0);
    if (--fx->frames > 0 || !fx->framed) return;
    buf_add(fx->out, exec, sizeof exec - 1);
    fx->framed = false;
}

void effects_end(struct effects *fx)
{
    assert(fx->frames == 0);
    enter(fx, 0);
}
