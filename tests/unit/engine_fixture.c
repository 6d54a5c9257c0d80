#include "tests/unit/engine_fixture.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct resp_limits limits = {.max_args = 1 << 20, .max_bulk = 512u << 20, .max_inline = 1 << 16};

void fixture_init(struct fixture *f)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    *f = (struct fixture){.now_ms = 1000000};
    f->engine = engine_new(&options);
    f->commands = command_set_new();
    engine_add_commands(f->commands);
    effects_begin(&f->effects, &f->log);
}

void fixture_free(struct fixture *f)
{
    engine_free(f->engine);
    command_set_free(f->commands);
    buf_free(&f->reply);
    buf_free(&f->log);
    buf_free(&f->text);
    resp_parser_free(&f->parser);
}

/* Every second time as a server does that has more requests at hand. */
static void execute(struct fixture *f, const struct command_entry *command, struct request *request,
                    struct reply *reply)
{
    f->foresee = !f->foresee;
    if (f->foresee) {
        engine_foresee(f->engine, &f->session, command, request);
        engine_foresee_more(f->engine, &f->session, request);
    }
    engine_execute(f->engine, &f->session, f->now_ms, command, request, reply, &f->effects);
}

const char *fixture_do(struct fixture *f, const char *format, ...)
{
    char line[16384];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line - 2, format, args);
    va_end(args);
    assert(n > 0 && (size_t)n < sizeof line - 2);
    memcpy(line + n, "\r\n", 2);
    struct request request;
    size_t used, want;
    const enum resp_status status =
        resp_parse(&f->parser, span_of(line, (size_t)n + 2), &limits, &request, &used, &want);
    assert(status == RESP_REQUEST && request.argc > 0);
    const struct command_entry *command =
        command_find(f->commands, request.argv[0], request.argc > 1 ? request.argv[1] : SPAN(""));
    buf_reset(&f->reply, SIZE_MAX);
    struct reply reply = {.out = &f->reply, .resp = 2};
    if (!command || !command->row->run || !command_arity_fits(command, request.argc))
        reply_error(&reply, "ERR refused");
    else execute(f, command, &request, &reply);
    buf_add_char(&f->reply, '\0');
    return f->reply.p;
}

static struct engine *replay(const struct buf *log, struct buf *text)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *engine = engine_new(&options);
    struct resp_parser parser = {0};
    struct session session = {0};
    struct span rest = buf_span(log);
    while (rest.n) {
        struct request request;
        size_t used, want;
        struct errmsg m;
        const enum resp_status status = resp_parse(&parser, rest, &limits, &request, &used, &want);
        assert(status == RESP_REQUEST);
        rest = span_of(rest.p + used, rest.n - used);
        for (size_t i = 0; text && i < request.argc; i++) {
            if (i) buf_add_char(text, ' ');
            buf_add_span(text, request.argv[i]);
        }
        if (text) buf_add_char(text, '\n');
        if (!text && engine_replay(engine, &session, request.argv, request.argc, &m) != ERR_OK) {
            (void)fprintf(stderr, "%s\n", m.text);
            abort();
        }
    }
    resp_parser_free(&parser);
    return engine;
}

const char *fixture_log(struct fixture *f)
{
    buf_reset(&f->text, SIZE_MAX);
    engine_free(replay(&f->log, &f->text));
    buf_add_char(&f->text, '\0');
    const unsigned db = f->effects.db;
    buf_reset(&f->log, SIZE_MAX);
    effects_begin(&f->effects, &f->log);
    f->effects.db = db;
    return f->text.p;
}

struct engine *fixture_replay(struct fixture *f) { return replay(&f->log, NULL); }

bool engines_equal(const struct engine *a, const struct engine *b)
{
    uint8_t x[ENGINE_DIGEST_BYTES], y[ENGINE_DIGEST_BYTES];
    engine_digest_full(a, x);
    engine_digest_full(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

bool fixture_replays(struct fixture *f)
{
    struct engine *again = fixture_replay(f);
    const bool equal = engines_equal(f->engine, again);
    engine_free(again);
    return equal;
}
