#include "tests/lib/model/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/resp.h"

const struct model_command *const model_all[] = {model_keys,      model_strings,    model_bitmaps,  model_lists,
                                                 model_sets,      model_hashes,     model_fields,   model_zsets,
                                                 model_zset_sums, model_zset_names, model_streams,  model_groups,
                                                 model_sorts,     model_places,     model_counters, NULL};

enum { ARGS_MAX = 24 };

static const struct resp_limits no_limits = {.max_args = 1 << 20, .max_bulk = 512u << 20, .max_inline = 1 << 16};

static struct engine *engine_of(uint8_t secret, bool small_limits)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    memset(options.hash_key, secret, sizeof options.hash_key);
    options.databases = 1;
    if (small_limits) {
        options.limits.hash_max_listpack_entries = options.limits.zset_max_listpack_entries = 3;
        options.limits.set_max_listpack_entries = options.limits.set_max_intset_entries = 3;
        options.limits.list_max_listpack_size = 2;
        options.limits.stream_node_max_entries = 2;
    }
    return engine_new(&options);
}

void model_run_init(struct model_run *r, const struct model_command *const *families, struct model_choice choice,
                    bool small_limits)
{
    *r = (struct model_run){.families = families, .choice = choice, .next_ms = 1};
    r->model.now_ms = 1700000000000;
    r->engine = engine_of(1, small_limits);
    r->commands = command_set_new();
    engine_add_commands(r->commands);
    effects_begin(&r->effects, &r->log);
}

void model_run_free(struct model_run *r)
{
    model_clear(&r->model);
    engine_free(r->engine);
    command_set_free(r->commands);
    struct buf *const bufs[] = {&r->line, &r->words, &r->log, &r->reply, &r->expected};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_free(bufs[i]);
}

/* ---- Making a command ---- */

static uint64_t below(struct model_run *r, uint64_t bound) { return r->choice.below(r->choice.context, bound); }

static void add_value(struct model_run *r)
{
    static const char *const values[] = {"", "0", "-1", "12", "9223372036854775807", "abc", "b", "x", "007", "1.5"};
    const uint64_t n = below(r, 12);
    if (n < 10) buf_printf(&r->words, "%s", values[n]);
    else
        for (uint64_t i = 50 + below(r, 40); i > 0; i--) buf_add_char(&r->words, 'l');
}

static void add_score(struct model_run *r)
{
    static const char *const scores[] = {"-3", "0", "0.5", "1", "2.5", "7", "inf", "-inf"};
    buf_printf(&r->words, "%s", scores[below(r, 8)]);
}

static void add_bound(struct model_run *r)
{
    static const char *const bounds[] = {"-", "+", "[m1", "(m1", "[3", "(5", "[m", "(m6", "["};
    buf_printf(&r->words, "%s", bounds[below(r, 9)]);
}

/* Such that no product and no sum of scores is -0, whose sign is kept here and lost there. */
static void add_weight(struct model_run *r)
{
    static const char *const weights[] = {"0.5", "1", "2", "3.25"};
    buf_printf(&r->words, "%s", weights[below(r, 4)]);
}

static void add_field_type(struct model_run *r)
{
    static const char *const types[] = {"u1", "u5", "u8", "u32", "u63", "i1", "i5", "i8", "i33", "i64"};
    buf_printf(&r->words, "%s", types[below(r, 10)]);
}

static void add_degrees(struct model_run *r, unsigned most)
{
    buf_printf(&r->words, "%d.%03u", (int)below(r, 2 * most) - (int)most, (unsigned)below(r, 1000));
}

static void add_id(struct model_run *r, bool fresh)
{
    if (fresh) buf_printf(&r->words, "%llu-%llu", (unsigned long long)r->next_ms, (unsigned long long)below(r, 3));
    else if (below(r, 2)) buf_printf(&r->words, "%llu", (unsigned long long)below(r, r->next_ms + 2));
    else
        buf_printf(&r->words, "%llu-%llu", (unsigned long long)below(r, r->next_ms + 2),
                   (unsigned long long)below(r, 3));
    if (fresh) r->next_ms += below(r, 2);
}

/* One argument, of the kind that the shape names. */
static void add_argument(struct model_run *r, char kind)
{
    static const int64_t increments[] = {1, -1, 100, INT64_MAX, -INT64_MAX};
    switch (kind) {
    case 'k': buf_printf(&r->words, "key%u", (unsigned)below(r, 5)); break;
    case 'v': add_value(r); break;
    case 'f': buf_printf(&r->words, below(r, 2) ? "m%u" : "%u", (unsigned)below(r, 7)); break;
    case 's': add_score(r); break;
    case 'n': buf_printf(&r->words, "%d", (int)below(r, 16) - 8); break;
    case 'c': buf_printf(&r->words, "%u", (unsigned)below(r, 6)); break;
    case 'i': buf_printf(&r->words, "%lld", (long long)increments[below(r, 5)]); break;
    case 'b': buf_printf(&r->words, "%u", (unsigned)below(r, 200)); break;
    case 'd': buf_printf(&r->words, "%u", (unsigned)below(r, 2)); break;
    case 't': buf_printf(&r->words, "%lld", (long long)r->model.now_ms + (long long)below(r, 3000) - 300); break;
    case 'e': add_id(r, false); break;
    case 'q': add_id(r, true); break;
    case 'g': buf_printf(&r->words, "g%u", (unsigned)below(r, 2)); break;
    case 'u': buf_printf(&r->words, "u%u", (unsigned)below(r, 3)); break;
    case 'l': add_bound(r); break;
    case 'w': add_weight(r); break;
    case 'y': add_field_type(r); break;
    case 'o': add_degrees(r, 90); break;
    case 'a': add_degrees(r, 60); break;
    case 'r': buf_printf(&r->words, "%u", (unsigned)below(r, 3000)); break;
    case 'h': buf_printf(&r->words, "e%u", (unsigned)below(r, 600)); break;
    default: assert(false && "no such kind of argument");
    }
}

/* Lengths first, so that the words may move while they are written. */
struct made {
    size_t ends[ARGS_MAX], count;
};

static void end_argument(struct model_run *r, struct made *made)
{
    assert(made->count < ARGS_MAX);
    made->ends[made->count++] = r->words.len;
}

static void make(struct model_run *r, const struct model_command *command, struct made *made)
{
    const char *at = command->shape, *group = NULL;
    uint64_t again = 0;
    buf_reset(&r->words, SIZE_MAX);
    *made = (struct made){.count = 0};
    buf_printf(&r->words, "%s", command->name);
    end_argument(r, made);
    while (*at) {
        const size_t n = strcspn(at, " {}");
        if (n == 1 && *at >= 'a' && *at <= 'z') add_argument(r, *at);
        else buf_add(&r->words, at, n);
        if (n) end_argument(r, made);
        at += n;
        if (*at == '{') {
            group = at + 1;
            again = below(r, 3);
        }
        if (*at == '}' && again > 0) {
            again--;
            at = group;
        } else if (*at) {
            at++;
        }
    }
}

/* ---- Comparing ---- */

static int by_text(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* The same array with its elements (of @stride bulk strings each) in the order of their bytes. */
static void put_in_order(struct buf *reply, unsigned stride)
{
    struct span text = buf_span(reply);
    if (text.n == 0 || text.p[0] != '*') return;
    const char *at = memchr(text.p, '\n', text.n), *end = text.p + text.n;
    const size_t n = (size_t)strtoul(text.p + 1, NULL, 10) / stride;
    struct span *elements = mem_zalloc(n + 1, sizeof *elements);
    struct buf sorted = {0};
    at++;
    buf_add(&sorted, text.p, (size_t)(at - text.p));
    for (size_t i = 0; i < n; i++) {
        const char *begin = at;
        for (unsigned k = 0; k < stride; k++) {
            const size_t length = (size_t)strtoul(at + 1, NULL, 10);
            at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1 + length + 2;
        }
        elements[i] = span_of(begin, (size_t)(at - begin));
    }
    if (n) qsort(elements, n, sizeof *elements, by_text);
    for (size_t i = 0; i < n; i++) buf_add_span(&sorted, elements[i]);
    mem_free(elements);
    buf_free(reply);
    *reply = sorted;
}

static bool same(struct model_run *r, const struct model_call *c)
{
    struct span got = buf_span(&r->reply), wanted = buf_span(&r->expected);
    if (wanted.p[0] == '-')
        return got.n > wanted.n && memcmp(got.p, wanted.p, wanted.n) == 0 && got.p[wanted.n] == ' ';
    if (c->slack) {
        if (got.n < 2 || got.p[0] != ':') return false;
        const long long off = strtoll(got.p + 1, NULL, 10) - strtoll(wanted.p + 1, NULL, 10);
        return off >= -c->slack && off <= c->slack;
    }
    if (c->any_order) {
        put_in_order(&r->reply, c->stride);
        put_in_order(&r->expected, c->stride);
        got = buf_span(&r->reply);
        wanted = buf_span(&r->expected);
    }
    return span_eq(got, wanted);
}

bool model_run_step(struct model_run *r)
{
    struct span argv[ARGS_MAX];
    struct made made;
    size_t families = 0, rows = 0;
    while (r->families[families]) families++;
    const struct model_command *family = r->families[below(r, families)];
    while (family[rows].name) rows++;
    const struct model_command *command = &family[below(r, rows)];
    if (below(r, 8) == 0) r->model.now_ms += (int64_t)below(r, 600);
    make(r, command, &made);
    for (size_t i = 0, begin = 0; i < made.count; begin = made.ends[i++])
        argv[i] = span_of(r->words.p + begin, made.ends[i] - begin);
    buf_reset(&r->line, SIZE_MAX);
    resp_encode(&r->line, argv, made.count);
    buf_reset(&r->reply, SIZE_MAX);
    buf_reset(&r->expected, SIZE_MAX);
    const struct request request = {.argv = argv, .argc = made.count, .raw = buf_span(&r->line)};
    struct reply reply = {.out = &r->reply, .resp = 2};
    struct model_call call = {.model = &r->model, .argv = argv, .argc = made.count, .out = &r->expected};
    const struct command_entry *e = command_find(r->commands, argv[0], made.count > 1 ? argv[1] : SPAN(""));
    assert(e && command_arity_fits(e, made.count));
    engine_execute(r->engine, &r->session, r->model.now_ms, e, &request, &reply, &r->effects);
    command->run(&call);
    return same(r, &call);
}

bool model_run_replays(struct model_run *r)
{
    struct engine *again = engine_of(2, false);
    struct session session = {0};
    struct resp_parser parser = {0};
    uint8_t mine[ENGINE_DIGEST_BYTES], theirs[ENGINE_DIGEST_BYTES];
    effects_end(&r->effects);
    for (struct span rest = buf_span(&r->log); rest.n;) {
        struct request request;
        struct errmsg m;
        size_t used, want;
        const enum resp_status status = resp_parse(&parser, rest, &no_limits, &request, &used, &want);
        const bool fits = status == RESP_REQUEST && !engine_replay(again, &session, request.argv, request.argc, &m);
        assert(fits);
        rest = span_of(rest.p + used, rest.n - used);
    }
    resp_parser_free(&parser);
    engine_check(again);
    engine_digest_full(r->engine, mine);
    engine_digest_full(again, theirs);
    engine_free(again);
    return memcmp(mine, theirs, sizeof mine) == 0;
}

static void add_quoted(struct buf *to, const char *what, const struct buf *bytes)
{
    buf_printf(to, "%s: ", what);
    for (size_t i = 0; i < bytes->len && i < 600; i++) {
        const unsigned char c = (unsigned char)bytes->p[i];
        if (c >= ' ' && c < 127) buf_add_char(to, (char)c);
        else buf_printf(to, "\\x%02x", c);
    }
    buf_add_char(to, '\n');
}

const char *model_run_describe(struct model_run *r)
{
    buf_reset(&r->words, SIZE_MAX);
    add_quoted(&r->words, "command", &r->line);
    add_quoted(&r->words, "got", &r->reply);
    add_quoted(&r->words, "expected", &r->expected);
    buf_add_char(&r->words, 0);
    return r->words.p;
}
