/* DEBUG: tools for tests. One row a subcommand; the sentences of HELP come out of the rows. */
#include <stdio.h>
#include <time.h>

#include "common/call.h"
#include "common/mem.h"
#include "common/num.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/dispatch.h"
#include "server/lifecycle.h"
#include "server/reload.h"
#include "server/server.h"

struct subcommand {
    const char *name, *syntax, *help;
    size_t least, most; /* arguments behind the name; most 0 with least 0: none */
    void (*run)(struct call *c);
};

static void hex_of(const uint8_t *bytes, size_t n, char *to)
{
    for (size_t i = 0; i < n; i++) (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static void reply_digest(struct call *c, const uint8_t digest[ENGINE_DIGEST_BYTES])
{
    char hex[2 * ENGINE_DIGEST_BYTES + 1];
    hex_of(digest, ENGINE_DIGEST_BYTES, hex);
    reply_simple(c->reply, hex);
}

static void debug_digest(struct call *c)
{
    uint8_t digest[ENGINE_DIGEST_BYTES];
    engine_digest(c->engine, digest);
    reply_digest(c, digest);
}

static void debug_digest_full(struct call *c)
{
    uint8_t digest[ENGINE_DIGEST_BYTES];
    engine_digest_full(c->engine, digest);
    reply_digest(c, digest);
}

static void debug_digest_value(struct call *c)
{
    uint8_t digest[ENGINE_DIGEST_BYTES];
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        engine_digest_value(c->engine, c->session->db, c->argv[i], digest);
        reply_digest(c, digest);
    }
}

static void debug_sleep(struct call *c)
{
    double seconds;
    if (!call_double(c, c->argv[2], &seconds)) return;
    if (seconds > 0 && seconds < 1e9) {
        struct timespec t = {.tv_sec = (time_t)seconds};
        t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
        (void)nanosleep(&t, NULL);
    }
    reply_ok(c->reply);
}

static bool read_switch(struct call *c, bool *on)
{
    int64_t v;
    if (!call_int(c, c->argv[2], &v)) return false;
    *on = v != 0;
    return true;
}

static void debug_set_active_expire(struct call *c)
{
    bool on;
    if (!read_switch(c, &on)) return;
    lifecycle_set_expiry(client_of(c)->server, on);
    reply_ok(c->reply);
}

static void debug_pause_cron(struct call *c)
{
    bool on;
    if (!read_switch(c, &on)) return;
    lifecycle_pause_cron(client_of(c)->server, on);
    reply_ok(c->reply);
}

static void answer_reload(struct call *c, enum err e, const struct errmsg *m)
{
    if (e) reply_error(c->reply, "ERR Error trying to load the data set again: %s", m->text);
    else reply_ok(c->reply);
}

static void debug_reload(struct call *c)
{
    struct errmsg m = {{0}};
    const enum err e = reload_from_file(client_of(c)->server, &m);
    answer_reload(c, e, &m);
}

static void debug_loadaof(struct call *c)
{
    struct errmsg m = {{0}};
    const enum err e = reload_from_log(client_of(c)->server, &m);
    answer_reload(c, e, &m);
}

/* The bytes of a key's value in a snapshot: those of DUMP, but for the type before and version and checksum behind them. */
static size_t dumped_bytes(struct call *c, struct span key)
{
    enum { AROUND = 1 + 2 + 8, HEAD = 1 };
    struct client *client = client_of(c);
    struct span argv[] = {SPAN("DUMP"), key};
    struct request r = {.argv = argv, .argc = 2};
    struct buf out = {0};
    struct reply reply = {.out = &out, .resp = 2};
    const struct command_entry *dump = dispatch_find(client, &r);
    engine_execute(c->engine, c->session, c->now_ms, dump, &r, &reply, NULL);
    int64_t n = 0;
    const char *end = memchr(out.p, '\r', out.len);
    if (end && !num_parse_i64(span_of(out.p + HEAD, (size_t)(end - out.p) - HEAD), &n)) n = 0;
    buf_free(&out);
    return n > AROUND ? (size_t)n - AROUND : 0;
}

static void debug_object(struct call *c)
{
    char text[256];
    const struct db *db = engine_db(c->engine, c->session->db);
    const struct entry *e = db_find(db, c->argv[2]);
    if (!e) {
        reply_error(c->reply, "ERR no such key");
        return;
    }
    const int64_t idle_s = c->now_ms / 1000 - (int64_t)entry_clock(e);
    (void)snprintf(text, sizeof text,
                   "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%lld",
                   (const void *)e, entry_encoding(e), dumped_bytes(c, c->argv[2]), entry_clock(e),
                   (long long)(idle_s & ENTRY_CLOCK_MASK));
    reply_simple(c->reply, text);
}

static void debug_stringmatch_len(struct call *c)
{
    enum { MOST = 1 << 26 };
    int64_t n;
    if (!call_int_in(c, c->argv[2], 0, MOST, &n, "ERR length is not an integer or out of range")) return;
    char *text = mem_alloc((size_t)n + 1);
    memset(text, 'a', (size_t)n);
    (void)glob_match(c->argv[3], span_of(text, (size_t)n));
    mem_free(text);
    reply_ok(c->reply);
}

static void debug_error(struct call *c)
{
    const struct span text = c->argv[2];
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\r' || text.p[i] == '\n') {
            reply_error(c->reply, "ERR an error has no line breaks");
            return;
        }
    reply_error(c->reply, "%.*s", (int)(text.n < 1024 ? text.n : 1024), text.p);
}

static void debug_log(struct call *c)
{
    const struct span text = c->argv[2];
    logger_line(client_of(c)->server->logger, LOGGER_WARNING, "DEBUG LOG: %.*s", (int)(text.n < 1024 ? text.n : 1024),
                text.p);
    reply_ok(c->reply);
}

static void reply_attribute(struct reply *r)
{
    if (r->resp > 2) {
        reply_attribute_map(r, 1);
        reply_bulk(r, SPAN("key-popularity"));
        reply_array(r, 2);
        reply_bulk(r, SPAN("key:123"));
        reply_int(r, 90);
    }
    reply_bulk(r, SPAN("Some real reply following the attribute"));
}

static void reply_pushed(struct reply *r)
{
    if (r->resp < 3) {
        reply_error(r, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(r, 2);
    reply_bulk(r, SPAN("server-cpu-usage"));
    reply_int(r, 42);
    reply_bulk(r, SPAN("Some real reply following the push reply"));
}

/* One reply of each type, the same as Redis's, to test clients with. */
static void debug_protocol(struct call *c)
{
    struct reply *r = c->reply;
    const struct span type = c->argv[2];
    if (span_is(type, "string")) {
        reply_bulk(r, SPAN("Hello World"));
    } else if (span_is(type, "integer")) {
        reply_int(r, 12345);
    } else if (span_is(type, "double")) {
        reply_double(r, 3.141);
    } else if (span_is(type, "null")) {
        reply_null(r);
    } else if (span_is(type, "array")) {
        reply_array(r, 3);
        for (int i = 0; i < 3; i++) reply_int(r, i);
    } else if (span_is(type, "set")) {
        reply_set(r, 3);
        for (int i = 0; i < 3; i++) reply_int(r, i);
    } else if (span_is(type, "map")) {
        reply_map(r, 3);
        for (int i = 0; i < 3; i++) {
            reply_int(r, i);
            reply_bool(r, i == 1);
        }
    } else if (span_is(type, "attrib")) {
        reply_attribute(r);
    } else if (span_is(type, "push")) {
        reply_pushed(r);
    } else if (span_is(type, "verbatim")) {
        reply_verbatim(r, "txt", SPAN("This is a verbatim\nstring"));
    } else if (span_is(type, "true") || span_is(type, "false")) {
        reply_bool(r, span_is(type, "true"));
    } else if (span_is(type, "bignum")) {
        const struct span digits = SPAN("1234567999999999999999999999999999999");
        if (r->resp < 3) reply_bulk(r, digits);
        else buf_printf(r->out, "(%.*s\r\n", (int)digits.n, digits.p);
    } else {
        reply_error(
            r, "ERR Wrong protocol type name. Please use one of the following: string|int|double|null|array|set|map|"
               "attrib|push|verbatim|true|false");
    }
}

static void debug_help(struct call *c);

static const struct subcommand subcommands[] = {
    {"DIGEST", "", "A hash of all data that Redis tells too; expiry times are not in it.", 0, 0, debug_digest},
    {"DIGEST-FULL", "", "The same with expiry times, for servers of ours.", 0, 0, debug_digest_full},
    {"DIGEST-VALUE", "<key> [<key> ...]", "The hashes of keys.", 0, SIZE_MAX, debug_digest_value},
    {"ERROR", "<text>", "Reply the text as an error.", 1, 1, debug_error},
    {"LOADAOF", "", "Load base and log again, and go on with what they give.", 0, 0, debug_loadaof},
    {"LOG", "<text>", "Write the text into the log file.", 1, 1, debug_log},
    {"OBJECT", "<key>", "Tell how a value is kept.", 1, 1, debug_object},
    {"PAUSE-CRON", "<0|1>", "Let periodic work rest (1), or go on.", 1, 1, debug_pause_cron},
    {"PROTOCOL", "<type>", "Reply a value of the type.", 1, 1, debug_protocol},
    {"RELOAD", "", "Write the snapshot and load it again.", 0, 0, debug_reload},
    {"SET-ACTIVE-EXPIRE", "<0|1>",
     "Let expired keys be deleted in the background (1), or only when they are looked at.", 1, 1,
     debug_set_active_expire},
    {"SLEEP", "<seconds>", "Stand still.", 1, 1, debug_sleep},
    {"STRINGMATCH-LEN", "<length> <pattern>", "Match the pattern with so many letters a.", 2, 2,
     debug_stringmatch_len},
    {"HELP", "", "These lines.", 0, 0, debug_help},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void debug_help(struct call *c)
{
    char line[128];
    reply_array(c->reply, 1 + 2 * SUBCOMMANDS);
    reply_simple(c->reply, "DEBUG <subcommand> [<arg> ...]. Subcommands are:");
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        (void)snprintf(line, sizeof line, "%s%s%s", subcommands[i].name, subcommands[i].syntax[0] ? " " : "",
                       subcommands[i].syntax);
        reply_simple(c->reply, line);
        (void)snprintf(line, sizeof line, "    %s", subcommands[i].help);
        reply_simple(c->reply, line);
    }
}

void debug_command(struct call *c)
{
    const struct span what = c->argv[1];
    const size_t n = c->argc - 2;
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (!span_is(what, subcommands[i].name) || n < subcommands[i].least || n > subcommands[i].most) continue;
        subcommands[i].run(c);
        return;
    }
    reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                (int)(what.n < 128 ? what.n : 128), what.p);
}
