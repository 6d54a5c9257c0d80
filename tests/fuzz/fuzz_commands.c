/* Commands: whatever stands in the lines, each gives exactly one well-formed reply, the structures keep their
 * invariants, and replaying what the commands list as effects gives the same data.
 *
 * The first byte chooses the settings: bit 0, small collections turn large early; bit 1, RESP3. The rest are lines, each
 * an inline command or "@milliseconds", which lets time pass. */
#include <stdlib.h>
#include <string.h>

#include "common/engine.h"
#include "common/num.h"
#include "tests/fuzz/target.h"

static const struct resp_limits limits = {.max_args = 1000, .max_bulk = 1 << 20, .max_inline = 1 << 16};

struct bench {
    struct engine *primary, *replica;
    struct command_set *commands;
    struct session on_primary, on_replica;
    struct resp_parser parser;
    struct effects effects;
    struct buf log, reply;
    unsigned resp;
    int64_t now_ms;
};

static struct engine *engine_of(uint8_t secret, bool small_limits)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    memset(options.hash_key, secret, sizeof options.hash_key);
    options.max_bulk = 1 << 16;
    options.databases = 3;
    if (small_limits) {
        options.limits.hash_max_listpack_entries = options.limits.zset_max_listpack_entries = 3;
        options.limits.set_max_listpack_entries = options.limits.set_max_intset_entries = 3;
        options.limits.list_max_listpack_size = 2;
    }
    return engine_new(&options);
}

static bool take_digits(struct cursor *c, uint64_t *v)
{
    const char *begin = c->at;
    while (c->at < c->end && *c->at != '\r') c->at++;
    const struct span text = span_of(begin, (size_t)(c->at - begin));
    struct span line;
    int64_t number;
    if (!take_span(c, 2, &line) || !span_eq(line, SPAN("\r\n")) || !num_parse_i64(text, &number)) return false;
    *v = number < 0 ? UINT64_MAX : (uint64_t)number;
    return true;
}

/* One value in the protocol's form, and all that is in it. */
static bool take_value(struct cursor *c, unsigned depth)
{
    uint64_t n;
    uint8_t kind;
    struct span body;
    if (depth > 8 || !take_u8(c, &kind)) return false;
    if (strchr("+-:,#_(", kind)) return take_line(c, &body);
    if (!strchr("$=*~%>", kind) || !take_digits(c, &n)) return false;
    if (n == UINT64_MAX) return true;
    if (strchr("$=", kind)) return take_span(c, n + 2, &body) && body.p[n] == '\r' && body.p[n + 1] == '\n';
    if (kind == '%') n *= 2;
    while (n--)
        if (!take_value(c, depth + 1)) return false;
    return true;
}

static void execute(struct bench *b, const struct request *request)
{
    const struct span second = request->argc > 1 ? request->argv[1] : SPAN("");
    const struct command_entry *command = command_find(b->commands, request->argv[0], second);
    if (!command || !command->row->run || !command_arity_fits(command, request->argc)) return;
    buf_reset(&b->reply, 1 << 20);
    struct reply reply = {.out = &b->reply, .resp = b->resp};
    engine_execute(b->primary, &b->on_primary, b->now_ms, command, request, &reply, &b->effects);
    struct cursor c = cursor_of(buf_span(&b->reply));
    REQUIRE(take_value(&c, 0));
    REQUIRE(cursor_left(&c) == 0);
}

static void replay(struct bench *b)
{
    effects_end(&b->effects);
    struct resp_parser parser = {0};
    struct span rest = buf_span(&b->log);
    while (rest.n) {
        struct request request;
        struct errmsg m;
        size_t used, want;
        REQUIRE(resp_parse(&parser, rest, &limits, &request, &used, &want) == RESP_REQUEST);
        REQUIRE(engine_replay(b->replica, &b->on_replica, request.argv, request.argc, &m) == ERR_OK);
        rest = span_of(rest.p + used, rest.n - used);
    }
    resp_parser_free(&parser);
}

static void run_lines(struct bench *b, struct span in)
{
    while (in.n) {
        const char *newline = memchr(in.p, '\n', in.n);
        const size_t length = newline ? (size_t)(newline - in.p) + 1 : in.n;
        struct request request;
        struct span line;
        struct cursor c = cursor_of(span_of(in.p, length));
        size_t used, want;
        int64_t ms;
        if (in.p[0] == '@' && take_line(&c, &line) && num_parse_i64(span_of(line.p + 1, line.n - 1), &ms))
            b->now_ms += ms & 0xffffff;
        else if (in.p[0] != '*' &&
                 resp_parse(&b->parser, span_of(in.p, length), &limits, &request, &used, &want) == RESP_REQUEST &&
                 request.argc)
            execute(b, &request);
        else resp_parser_free(&b->parser);
        in = span_of(in.p + length, in.n - length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 20000) return 0;
    struct bench b = {.now_ms = 1700000000000, .resp = data[0] & 2 ? 3 : 2};
    b.primary = engine_of(1, data[0] & 1);
    b.replica = engine_of(2, data[0] & 1);
    b.commands = command_set_new();
    engine_add_commands(b.commands);
    effects_begin(&b.effects, &b.log);
    run_lines(&b, span_of(data + 1, size - 1));
    replay(&b);
    uint8_t mine[ENGINE_DIGEST_BYTES], theirs[ENGINE_DIGEST_BYTES];
    engine_digest_full(b.primary, mine);
    engine_digest_full(b.replica, theirs);
    REQUIRE(!memcmp(mine, theirs, sizeof mine));
    engine_check(b.primary);
    engine_check(b.replica);
    engine_free(b.primary);
    engine_free(b.replica);
    command_set_free(b.commands);
    resp_parser_free(&b.parser);
    buf_free(&b.log);
    buf_free(&b.reply);
    return 0;
}
