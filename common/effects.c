#include "common/engine.h"

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

void effects_add(struct effects *fx, unsigned db, const struct span *argv, size_t argc)
{
    enter(fx, db);
    resp_encode(fx->out, argv, argc);
    fx->count++;
}

void effects_add_raw(struct effects *fx, unsigned db, struct span raw)
{
    enter(fx, db);
    buf_add_span(fx->out, raw);
    fx->count++;
}

void effects_end(struct effects *fx) { enter(fx, 0); }
