/* The stream of effects: where it names databases, and what stands around what belongs together. */
#include <criterion/criterion.h>

#include "common/engine.h"

static void add(struct effects *fx, unsigned db, const char *key)
{
    const struct span argv[] = {SPAN("DEL"), span_str(key)};
    effects_add(fx, db, argv, 2);
}

/* The commands of the stream as one would type them, joined by commas. */
static void expect(struct buf *b, const char *expected)
{
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.max_args = 10, .max_bulk = 100, .max_inline = 100};
    struct buf text = {0};
    size_t used, want;
    for (size_t at = 0; at < b->len; at += used) {
        struct request r;
        cr_assert_eq(resp_parse(&parser, span_of(b->p + at, b->len - at), &limits, &r, &used, &want), RESP_REQUEST);
        for (size_t i = 0; i < r.argc; i++) buf_printf(&text, "%s%.*s", i ? " " : "", (int)r.argv[i].n, r.argv[i].p);
        buf_add_char(&text, ',');
    }
    buf_add_char(&text, '\0');
    cr_expect_str_eq(text.p, expected);
    buf_free(&text);
    buf_free(b);
    resp_parser_free(&parser);
}

Test(effects, begin_and_end_in_database_0)
{
    struct buf out = {0};
    struct effects fx;
    effects_begin(&fx, &out);
    add(&fx, 0, "a");
    add(&fx, 3, "b");
    add(&fx, 3, "c");
    effects_end(&fx);
    cr_expect_eq(fx.count, 3);
    expect(&out, "DEL a,SELECT 3,DEL b,DEL c,SELECT 0,");
}

Test(effects, of_a_frame_stand_between_multi_and_exec)
{
    struct buf out = {0};
    struct effects fx;
    effects_begin(&fx, &out);
    add(&fx, 0, "before");
    effects_frame(&fx);
    add(&fx, 2, "a");
    add(&fx, 0, "b");
    add(&fx, 0, "c");
    effects_unframe(&fx);
    add(&fx, 0, "after");
    effects_end(&fx);
    cr_expect_eq(fx.count, 5);
    expect(&out, "DEL before,MULTI,SELECT 2,DEL a,SELECT 0,DEL b,DEL c,EXEC,DEL after,");
}

Test(effects, of_a_frame_with_less_than_two_need_no_multi)
{
    struct buf out = {0};
    struct effects fx;
    effects_begin(&fx, &out);
    effects_frame(&fx);
    effects_unframe(&fx);
    effects_frame(&fx);
    add(&fx, 1, "a");
    effects_unframe(&fx);
    effects_frame(&fx);
    add(&fx, 1, "b");
    effects_unframe(&fx);
    effects_end(&fx);
    expect(&out, "SELECT 1,DEL a,DEL b,SELECT 0,");
}

Test(effects, of_frames_in_a_frame_are_part_of_it)
{
    struct buf out = {0};
    struct effects fx;
    effects_begin(&fx, &out);
    effects_frame(&fx);
    add(&fx, 0, "a");
    effects_frame(&fx);
    add(&fx, 0, "b");
    add(&fx, 0, "c");
    effects_unframe(&fx);
    add(&fx, 0, "d");
    effects_unframe(&fx);
    effects_end(&fx);
    expect(&out, "MULTI,DEL a,DEL b,DEL c,DEL d,EXEC,");
}
