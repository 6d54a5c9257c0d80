/* XINFO: what a stream consists of. */
#include "common/commands/streams.h"

static void reply_name(struct reply *r, const char *name) { reply_bulk(r, span_str(name)); }

static void reply_field_int(struct reply *r, const char *name, uint64_t v)
{
    reply_name(r, name);
    reply_int(r, (int64_t)v);
}

static void reply_field_id(struct reply *r, const char *name, struct stream_id id)
{
    reply_name(r, name);
    stream_reply_id(r, id);
}

static struct stream *find(struct call *c)
{
    struct stream *s;
    if (!stream_find(c, c->argv[2], FOR_READ, &s)) return NULL;
    if (!s) reply_error(c->reply, "ERR no such key");
    return s;
}

/* How many entries the group has read, and how many are ahead of it; null where that cannot be told. */
static void reply_progress(struct reply *r, const struct stream *s, const struct stream_group *g)
{
    const uint64_t added = stream_marks(s)->added;
    int64_t read = g->read;
    reply_name(r, "entries-read");
    if (read == STREAM_READ_UNKNOWN) reply_null(r);
    else reply_int(r, read);
    reply_name(r, "lag");
    if (added == 0) {
        reply_int(r, 0);
        return;
    }
    if (read == STREAM_READ_UNKNOWN || stream_has_gaps(s, g->last)) read = stream_position(s, g->last);
    if (read == STREAM_READ_UNKNOWN) reply_null(r);
    else reply_int(r, (int64_t)(added - (uint64_t)read));
}

/* Rows of pending entries: ID, consumer (for a group), time, number of deliveries. */
static void reply_pending(struct reply *r, const struct radix *pending, bool with_consumer, uint64_t count)
{
    struct stream_id id = STREAM_ID_ZERO;
    const struct stream_pending *p;
    uint64_t n = 0;
    reply_field_int(r, "pel-count", pending->size);
    reply_name(r, "pending");
    const size_t mark = reply_begin(r);
    while ((!count || n < count) && (p = stream_pending_from(pending, &id))) {
        n++;
        reply_array(r, with_consumer ? 4 : 3);
        stream_reply_id(r, id);
        if (with_consumer) reply_bulk(r, p->consumer->name);
        reply_int(r, p->delivered_ms);
        reply_int(r, (int64_t)p->deliveries);
        if (!stream_id_increment(&id)) break;
    }
    reply_end_array(r, mark, n);
}

static void reply_full_group(struct reply *r, const struct stream *s, const struct stream_group *g, uint64_t count)
{
    reply_map(r, 7);
    reply_name(r, "name");
    reply_bulk(r, g->name);
    reply_field_id(r, "last-delivered-id", g->last);
    reply_progress(r, s, g);
    reply_pending(r, &g->pending, true, count);
    reply_name(r, "consumers");
    reply_array(r, g->consumer_count);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        reply_map(r, 4);
        reply_name(r, "name");
        reply_bulk(r, consumer->name);
        reply_name(r, "seen-time");
        reply_int(r, consumer->seen_ms);
        reply_pending(r, &consumer->pending, false, count);
    }
}

/* The first or last entry, or null. */
static void reply_edge(struct reply *r, const struct stream *s, const char *name, bool last)
{
    struct stream_iter i;
    struct stream_id id;
    uint64_t fields;
    reply_name(r, name);
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, last);
    if (stream_iter_next(&i, &id, &fields)) stream_reply_entry(r, &i, id, fields);
    else reply_null(r);
}

static void reply_entries(struct reply *r, const struct stream *s, uint64_t count)
{
    struct stream_iter i;
    struct stream_id id;
    uint64_t fields, n = 0;
    reply_name(r, "entries");
    const size_t mark = reply_begin(r);
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, false);
    for (; (!count || n < count) && stream_iter_next(&i, &id, &fields); n++) stream_reply_entry(r, &i, id, fields);
    reply_end_array(r, mark, n);
}

/* What both forms begin with: 7 fields. */
static void reply_marks(struct reply *r, const struct stream *s)
{
    const struct stream_marks *m = stream_marks(s);
    reply_field_int(r, "length", stream_size(s));
    reply_field_int(r, "radix-tree-keys", stream_nodes(s));
    reply_field_int(r, "radix-tree-nodes", stream_tree_nodes(s));
    reply_field_id(r, "last-generated-id", m->last);
    reply_field_id(r, "max-deleted-entry-id", m->max_deleted);
    reply_field_int(r, "entries-added", m->added);
    reply_field_id(r, "recorded-first-entry-id", m->first);
}

static bool take_full(struct call *c, uint64_t *count)
{
    enum { USUAL_COUNT = 10 };
    int64_t v = USUAL_COUNT;
    const bool good = (c->argc == 4 || c->argc == 6) && span_is(c->argv[3], "FULL") &&
                      (c->argc == 4 || span_is(c->argv[4], "COUNT"));
    if (!good) {
        reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XINFO HELP.",
                    (int)(c->argv[1].n < 128 ? c->argv[1].n : 128), c->argv[1].p);
        return false;
    }
    if (c->argc == 6 && !call_int(c, c->argv[5], &v)) return false;
    *count = v < 0 ? USUAL_COUNT : (uint64_t)v;
    return true;
}

static void info_stream(struct call *c)
{
    const struct stream *s = find(c);
    uint64_t count;
    struct reply *r = c->reply;
    if (!s) return;
    const struct stream_groups *groups = stream_groups_of(s);
    if (c->argc == 3) {
        reply_map(r, 10);
        reply_marks(r, s);
        reply_field_int(r, "groups", groups->count);
        reply_edge(r, s, "first-entry", false);
        reply_edge(r, s, "last-entry", true);
        return;
    }
    if (!take_full(c, &count)) return;
    reply_map(r, 9);
    reply_marks(r, s);
    reply_entries(r, s, count);
    reply_name(r, "groups");
    reply_array(r, groups->count);
    for (size_t i = 0; i < groups->count; i++) reply_full_group(r, s, groups->list[i], count);
}

static void info_groups(struct call *c)
{
    const struct stream *s = find(c);
    struct reply *r = c->reply;
    if (!s) return;
    const struct stream_groups *groups = stream_groups_of(s);
    reply_array(r, groups->count);
    for (size_t i = 0; i < groups->count; i++) {
        const struct stream_group *g = groups->list[i];
        reply_map(r, 6);
        reply_name(r, "name");
        reply_bulk(r, g->name);
        reply_field_int(r, "consumers", g->consumer_count);
        reply_field_int(r, "pending", g->pending.size);
        reply_field_id(r, "last-delivered-id", g->last);
        reply_progress(r, s, g);
    }
}

static void info_consumers(struct call *c)
{
    const struct stream *s = find(c);
    struct reply *r = c->reply;
    if (!s) return;
    const struct stream_group *g = stream_groups_find(stream_groups_of(s), c->argv[3]);
    if (!g) {
        reply_error(r, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", (int)c->argv[3].n, c->argv[3].p,
                    (int)c->argv[2].n, c->argv[2].p);
        return;
    }
    reply_array(r, g->consumer_count);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        reply_map(r, 3);
        reply_name(r, "name");
        reply_bulk(r, consumer->name);
        reply_field_int(r, "pending", consumer->pending.size);
        reply_field_int(r, "idle", c->now_ms > consumer->seen_ms ? (uint64_t)(c->now_ms - consumer->seen_ms) : 0);
    }
}

static void info_help(struct call *c)
{
    static const char *const lines[] = {
        "XINFO <subcommand> <key> [<argument> ...]. Subcommands are:",
        "CONSUMERS <key> <group>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups that read a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    What a stream consists of.",
        "HELP",
        "    This text.",
    };
    reply_array(c->reply, sizeof lines / sizeof *lines);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) reply_simple(c->reply, lines[i]);
}

const struct command stream_info_commands[] = {
    COMMAND_HINTED("XINFO|CONSUMERS", "key groupname", "The consumers of a group.", "5.0.0", "O(N) for N consumers",
                   CMD_READONLY, ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 2), info_consumers, "nondeterministic_output"),
    COMMAND("XINFO|GROUPS", "key", "The groups that read a stream.", "5.0.0", "O(N) for N groups", CMD_READONLY,
            ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 2), info_groups,
            .history = "7.0.0 Tells `entries-read` and `lag`."),
    COMMAND("XINFO|HELP", "", "What the subcommands do.", "5.0.0", "O(1)", CMD_LOADING | CMD_STALE, ACL_STREAM,
            NO_KEYS, info_help),
    COMMAND("XINFO|STREAM", "key full=[FULL [COUNT count]]", "What a stream consists of.", "5.0.0",
            "O(1), and O(N) for N entries in full", CMD_READONLY, ACL_STREAM, KEYS(KEY_RO | KEY_ACCESS, 2),
            info_stream,
            .history = "6.0.0 Accepts `FULL`.\n7.0.0 Tells how far groups have read, and what the stream remembers "
                       "of its past."),
    COMMANDS_END,
};
