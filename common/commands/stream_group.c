/* XGROUP, XACK, XPENDING: groups of consumers, and what is pending in them. */
#include "common/commands/streams.h"

/* XGROUP. */

struct group_options {
    bool make_stream;
    int64_t read;
};

static bool take_group_options(struct call *c, bool creates, struct group_options *o)
{
    *o = (struct group_options){.read = STREAM_READ_UNKNOWN};
    for (size_t i = 5; i < c->argc; i++) {
        if (creates && span_is(c->argv[i], "MKSTREAM")) {
            o->make_stream = true;
        } else if (i + 1 < c->argc && span_is(c->argv[i], "ENTRIESREAD")) {
            if (!call_int(c, c->argv[++i], &o->read)) return false;
            if (o->read < 0 && o->read != STREAM_READ_UNKNOWN) {
                reply_error(c->reply, "ERR value for ENTRIESREAD must be positive or -1");
                return false;
            }
        } else {
            reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
                        (int)(c->argv[1].n < 128 ? c->argv[1].n : 128), c->argv[1].p);
            return false;
        }
    }
    return true;
}

/* The stream that the subcommand is about. False: there is none, and the error was replied. */
static bool find_stream(struct call *c, struct stream **s)
{
    if (!stream_find(c, c->argv[2], FOR_WRITE, s)) return false;
    if (*s) return true;
    reply_error(c->reply,
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
                "the MKSTREAM option to create an empty stream automatically.");
    return false;
}

static bool find_group(struct call *c, struct stream **s, struct stream_group **g)
{
    const struct span name = c->argv[3], key = c->argv[2];
    if (!find_stream(c, s)) return false;
    *g = stream_groups_find(stream_groups(*s), name);
    if (*g) return true;
    reply_error(c->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", (int)name.n, name.p,
                (int)key.n, key.p);
    return false;
}

static void create(struct call *c)
{
    struct group_options o;
    struct stream *s;
    struct stream_id last = STREAM_ID_ZERO;
    if (!take_group_options(c, true, &o)) return;
    if (o.make_stream ? !stream_find(c, c->argv[2], FOR_WRITE, &s) : !find_stream(c, &s)) return;
    if (span_eq(c->argv[4], SPAN("$"))) {
        if (s) last = stream_marks(s)->last;
    } else if (!stream_take_id(c, c->argv[4], 0, &last, NULL)) {
        return;
    }
    if (!s) {
        const struct value v = {.type = TYPE_STREAM, .stream = stream_new()};
        s = v.stream;
        (void)call_put(c, c->argv[2], &v, NO_EXPIRY);
        call_touched(c, c->argv[2], 0);
    }
    if (!stream_groups_add(stream_groups(s), c->argv[3], last, o.read)) {
        reply_error(c->reply, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    call_changed(c, EVENT_STREAM, "xgroup-create", c->argv[2], 1);
    reply_ok(c->reply);
}

static void set_id(struct call *c)
{
    struct group_options o;
    struct stream *s;
    struct stream_group *g;
    struct stream_id last;
    if (!take_group_options(c, false, &o) || !find_group(c, &s, &g)) return;
    if (span_eq(c->argv[4], SPAN("$"))) last = stream_marks(s)->last;
    else if (!stream_take_any_id(c, c->argv[4], 0, &last)) return;
    g->last = last;
    g->read = o.read;
    call_changed(c, EVENT_STREAM, "xgroup-setid", c->argv[2], 1);
    reply_ok(c->reply);
}

static void destroy(struct call *c)
{
    struct stream *s;
    if (!find_stream(c, &s)) return;
    const bool there = stream_groups_remove(stream_groups(s), c->argv[3]);
    if (there) call_changed(c, EVENT_STREAM, "xgroup-destroy", c->argv[2], 1);
    reply_int(c->reply, there);
}

static void create_consumer(struct call *c)
{
    struct stream *s;
    struct stream_group *g;
    if (!find_group(c, &s, &g)) return;
    const bool made = stream_consumer_add(g, c->argv[4], c->now_ms) != NULL;
    if (made) call_changed(c, EVENT_STREAM, "xgroup-createconsumer", c->argv[2], 1);
    reply_int(c->reply, made);
}

static void delete_consumer(struct call *c)
{
    struct stream *s;
    struct stream_group *g;
    uint64_t pending = 0;
    if (!find_group(c, &s, &g)) return;
    struct stream_consumer *consumer = stream_consumer_find(g, c->argv[4]);
    if (consumer) {
        pending = stream_consumer_remove(g, consumer);
        call_changed(c, EVENT_STREAM, "xgroup-delconsumer", c->argv[2], 1);
    }
    reply_int(c->reply, (int64_t)pending);
}

static void group_help(struct call *c)
{
    static const char *const lines[] = {
        "XGROUP <subcommand> <key> <group> [<argument> ...]. Subcommands are:",
        "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
        "    Make a group that reads from behind the ID. MKSTREAM makes the stream as well.",
        "CREATECONSUMER <key> <group> <consumer>",
        "    Add a consumer to a group.",
        "DELCONSUMER <key> <group> <consumer>",
        "    Remove a consumer with what is pending for it.",
        "DESTROY <key> <group>",
        "    Remove a group.",
        "SETID <key> <group> <id|$> [ENTRIESREAD <n>]",
        "    Let a group go on from behind the ID.",
        "HELP",
        "    This text.",
    };
    reply_array(c->reply, sizeof lines / sizeof *lines);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) reply_simple(c->reply, lines[i]);
}

const struct command stream_group_commands[] = {
    COMMAND("XGROUP|CREATE", "key groupname id={id|new_id=$} [MKSTREAM] [ENTRIESREAD entries_read(integer)]",
            "Make a group of consumers.", "5.0.0", "O(1)", CMD_WRITE | CMD_DENYOOM, ACL_STREAM,
            KEYS(KEY_RW | KEY_INSERT, 2), create, .history = "7.0.0 Accepts `ENTRIESREAD`."),
    COMMAND("XGROUP|CREATECONSUMER", "key groupname consumername", "Add a consumer to a group.", "6.2.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM, ACL_STREAM, KEYS(KEY_RW | KEY_INSERT, 2), create_consumer),
    COMMAND("XGROUP|DELCONSUMER", "key groupname consumername", "Remove a consumer with what is pending for it.",
            "5.0.0", "O(N) for N pending entries", CMD_WRITE, ACL_STREAM, KEYS(KEY_RW | KEY_DELETE, 2),
            delete_consumer),
    COMMAND("XGROUP|DESTROY", "key groupname", "Remove a group.", "5.0.0", "O(N) for N pending entries", CMD_WRITE,
            ACL_STREAM, KEYS(KEY_RW | KEY_DELETE, 2), destroy),
    COMMAND("XGROUP|HELP", "", "What the subcommands do.", "5.0.0", "O(1)", CMD_LOADING | CMD_STALE, ACL_STREAM,
            NO_KEYS, group_help),
    COMMAND("XGROUP|SETID", "key groupname id={id|new_id=$} [ENTRIESREAD entries_read(integer)]",
            "Let a group go on from behind an ID.", "5.0.0", "O(1)", CMD_WRITE, ACL_STREAM,
            KEYS(KEY_RW | KEY_UPDATE, 2), set_id, .history = "7.0.0 Accepts `ENTRIESREAD`."),
    COMMANDS_END,
};

void stream_xack(struct call *c)
{
    struct stream *s;
    struct stream_id id;
    uint64_t acknowledged = 0;
    if (!stream_find(c, c->argv[1], FOR_WRITE, &s)) return;
    struct stream_group *g = s ? stream_groups_find(stream_groups(s), c->argv[2]) : NULL;
    for (size_t i = 3; g && i < c->argc; i++)
        if (!stream_take_id(c, c->argv[i], 0, &id, NULL)) return;
    for (size_t i = 3; g && i < c->argc; i++)
        acknowledged += stream_parse_id(c->argv[i], 0, &id) && stream_pending_remove(g, id);
    c->changes += acknowledged; /* there is no event for it */
    reply_int(c->reply, (int64_t)acknowledged);
}

/* XPENDING. */

struct pending_query {
    int64_t min_idle_ms, count;
    struct stream_id start, end;
    struct span consumer; /* p is NULL: all */
};

static bool take_query(struct call *c, struct pending_query *q)
{
    size_t at = 3;
    *q = (struct pending_query){0};
    if (c->argc == 3) return true;
    if (c->argc < 6 || c->argc > 9) {
        reply_syntax_error(c->reply);
        return false;
    }
    if (span_is(c->argv[3], "IDLE")) {
        if (!call_int(c, c->argv[4], &q->min_idle_ms)) return false;
        if (c->argc < 8) {
            reply_syntax_error(c->reply);
            return false;
        }
        at += 2;
    }
    if (!call_int(c, c->argv[at + 2], &q->count)) return false;
    if (q->count < 0) q->count = 0;
    if (!stream_take_start(c, c->argv[at], &q->start) || !stream_take_end(c, c->argv[at + 1], &q->end)) return false;
    if (at + 3 < c->argc) q->consumer = c->argv[at + 3];
    return true;
}

static void reply_summary(struct call *c, const struct stream_group *g)
{
    struct stream_id first = STREAM_ID_ZERO;
    struct radix_key last;
    struct reply *r = c->reply;
    reply_array(r, 4);
    reply_int(r, (int64_t)g->pending.size);
    if (!stream_pending_from(&g->pending, &first)) {
        reply_null(r);
        reply_null(r);
        reply_null_array(r);
        return;
    }
    (void)radix_at_or_before(&g->pending, stream_id_key(STREAM_ID_MAX), &last);
    stream_reply_id(r, first);
    stream_reply_id(r, stream_id_of_key(last));
    size_t n = 0;
    const size_t mark = reply_begin(r);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        if (consumer->pending.size == 0) continue;
        n++;
        reply_array(r, 2);
        reply_bulk(r, consumer->name);
        reply_bulk_int(r, (int64_t)consumer->pending.size);
    }
    reply_end_array(r, mark, n);
}

static void reply_rows(struct call *c, const struct radix *pending, const struct pending_query *q)
{
    struct stream_id id = q->start;
    const struct stream_pending *p;
    int64_t n = 0;
    const size_t mark = reply_begin(c->reply);
    while (n < q->count && (p = stream_pending_from(pending, &id)) && stream_id_cmp(id, q->end) <= 0) {
        const int64_t idle = c->now_ms > p->delivered_ms ? c->now_ms - p->delivered_ms : 0;
        if (!q->min_idle_ms || c->now_ms - p->delivered_ms >= q->min_idle_ms) {
            n++;
            reply_array(c->reply, 4);
            stream_reply_id(c->reply, id);
            reply_bulk(c->reply, p->consumer->name);
            reply_int(c->reply, idle);
            reply_int(c->reply, (int64_t)p->deliveries);
        }
        if (!stream_id_increment(&id)) break;
    }
    reply_end_array(c->reply, mark, (size_t)n);
}

void stream_xpending(struct call *c)
{
    struct pending_query q;
    struct stream *s;
    struct stream_group *g;
    if (!take_query(c, &q)) return;
    if (!stream_find_group(c, c->argv[1], c->argv[2], FOR_READ, &s, &g)) return;
    if (c->argc == 3) {
        reply_summary(c, g);
        return;
    }
    const struct stream_consumer *consumer = q.consumer.p ? stream_consumer_find(g, q.consumer) : NULL;
    if (q.consumer.p && !consumer) reply_array(c->reply, 0);
    else reply_rows(c, consumer ? &consumer->pending : &g->pending, &q);
}
