/* Commands on keys of any type; expiry stands in expire.c, whole databases in keyspace.c. */
#include "common/commands/commands.h"

#include <limits.h>

#include "common/call.h"
#include "common/commands/generic.h"

static void remove_keys(struct call *c, bool lazy)
{
    int64_t removed = 0;
    for (size_t i = 1; i < c->argc; i++) {
        if (!call_find_any(c, c->argv[i], FOR_WRITE)) continue;
        call_unlink(c, c->argv[i], lazy);
        call_changed(c, EVENT_GENERIC, "del", c->argv[i], 1);
        removed++;
    }
    reply_int(c->reply, removed);
}

static void del(struct call *c) { remove_keys(c, call_lazy(c)->user_del); }
static void unlink_keys(struct call *c) { remove_keys(c, true); }

static void count_existing(struct call *c, enum intent intent)
{
    int64_t found = 0;
    for (size_t i = 1; i < c->argc; i++) found += call_find_any(c, c->argv[i], intent) != NULL;
    reply_int(c->reply, found);
}

static void exists(struct call *c) { count_existing(c, FOR_LOOK); }
static void touch(struct call *c)
{
    c->explicit_use = true;
    count_existing(c, FOR_READ);
}

static void type(struct call *c)
{
    const struct entry *e = call_find_any(c, c->argv[1], FOR_LOOK);
    reply_simple(c->reply, e ? type_name(entry_type(e)) : "none");
}

/* RENAME and RENAMENX. Source and target may be one: then nothing happens. */
static bool rename_key(struct call *c, bool only_new)
{
    const struct span from = c->argv[1], to = c->argv[2];
    const bool same = span_eq(from, to);
    if (!call_find_any(c, from, FOR_WRITE)) {
        reply_error(c->reply, "ERR no such key");
        return false;
    }
    const bool taken = same || call_find_any(c, to, FOR_WRITE);
    if (only_new) reply_int(c->reply, !taken);
    else reply_ok(c->reply);
    if (same || (only_new && taken)) return false;
    call_move(c, from, db_id(c->db), to);
    call_changed(c, EVENT_GENERIC, "rename_from", from, 1);
    call_changed(c, EVENT_GENERIC, "rename_to", to, 0);
    return true;
}

static void rename_over(struct call *c) { (void)rename_key(c, false); }
static void rename_if_new(struct call *c) { (void)rename_key(c, true); }

static void refuse_same(struct call *c) { reply_error(c->reply, "ERR source and destination objects are the same"); }

static void move(struct call *c)
{
    unsigned to;
    const struct span key = c->argv[1];
    if (!keyspace_take_database(c, c->argv[2], &to)) return;
    if (to == db_id(c->db)) {
        refuse_same(c);
        return;
    }
    if (!call_find_any(c, key, FOR_WRITE) || call_peek(c, to, key)) {
        reply_int(c->reply, 0);
        return;
    }
    call_move(c, key, to, key);
    call_changed(c, EVENT_GENERIC, "move_from", key, 1);
    call_changed_in(c, to, EVENT_GENERIC, "move_to", key);
    reply_int(c->reply, 1);
}

struct copy_options {
    unsigned to;
    bool replace;
};

static bool take_copy_options(struct call *c, struct copy_options *o)
{
    for (size_t i = 3; i < c->argc; i++) {
        if (span_is(c->argv[i], "REPLACE")) {
            o->replace = true;
        } else if (span_is(c->argv[i], "DB") && i + 1 < c->argc) {
            if (!keyspace_take_database(c, c->argv[++i], &o->to)) return false;
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    return true;
}

static void copy(struct call *c)
{
    struct copy_options o = {.to = db_id(c->db)};
    const struct span from = c->argv[1], to = c->argv[2];
    if (!take_copy_options(c, &o)) return;
    if (o.to == db_id(c->db) && span_eq(from, to)) {
        refuse_same(c);
        return;
    }
    const struct entry *e = call_find_any(c, from, FOR_READ);
    const bool replaced = e && call_peek(c, o.to, to);
    if (!e || (replaced && !o.replace)) {
        reply_int(c->reply, 0);
        return;
    }
    char scratch[NUM_I64_MAX_TEXT];
    struct value v = {.type = entry_type(e)};
    if (v.type == TYPE_STRING) v.string = entry_string(e, scratch);
    else v.object = object_dup(v.type, entry_object(e));
    call_put_in(c, o.to, to, &v, entry_expiry(e));
    c->changes++;
    if (replaced) call_changed_in(c, o.to, EVENT_NEW, "new", to);
    call_changed_in(c, o.to, EVENT_GENERIC, "copy_to", to);
    reply_int(c->reply, 1);
}

/* OBJECT. */

static const struct entry *object_key(struct call *c)
{
    const struct entry *e = call_find_any(c, c->argv[2], FOR_GLANCE);
    if (!e) reply_null(c->reply);
    return e;
}

static void show_encoding(struct call *c)
{
    const struct entry *e = object_key(c);
    if (e) reply_bulk(c->reply, span_str(entry_encoding(e)));
}

static void show_references(struct call *c)
{
    enum { SHARED_BELOW = 10000 }; /* Redis shares these integers, and says so by the largest count */
    const struct entry *e = object_key(c);
    int64_t v;
    if (e) reply_int(c->reply, entry_int(e, &v) && v >= 0 && v < SHARED_BELOW ? INT_MAX : 1);
}

#define SWITCHING                                                                                       \
    "Please note that when switching between policies at runtime LRU and LFU data will take some time " \
    "to adjust."

static void show_idle_time(struct call *c)
{
    const struct entry *e = object_key(c);
    if (!e) return;
    if (eviction_is_lfu(engine_eviction(c->engine))) {
        reply_error(c->reply, "ERR An LFU maxmemory policy is selected, idle time not tracked. " SWITCHING);
        return;
    }
    reply_int(c->reply, eviction_idle_seconds(entry_clock(e), c->now_ms));
}

static void show_frequency(struct call *c)
{
    const struct entry *e = object_key(c);
    const struct eviction_settings *s = engine_eviction(c->engine);
    if (!e) return;
    if (eviction_is_lfu(s)) reply_int(c->reply, eviction_frequency(s, entry_clock(e), c->now_ms));
    else
        reply_error(c->reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. " SWITCHING);
}

static void object_help(struct call *c)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> <key>. Subcommands are:",
        "ENCODING <key>",
        "    How the value is kept in memory.",
        "FREQ <key>",
        "    How often the key was used lately, on a logarithmic scale (LFU policies only).",
        "IDLETIME <key>",
        "    Seconds since the key was last used.",
        "REFCOUNT <key>",
        "    How many references to the value there are.",
        "HELP",
        "    This text.",
    };
    reply_array(c->reply, sizeof lines / sizeof *lines);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) reply_simple(c->reply, lines[i]);
}

#define OBJECT_KEY KEYS(KEY_RO, 2)

static const struct command object_commands[] = {
    COMMAND_HINTED("OBJECT|ENCODING", "key", "How a value is kept in memory.", "2.2.3", "O(1)", CMD_READONLY,
                   ACL_KEYSPACE, OBJECT_KEY, show_encoding, "nondeterministic_output"),
    COMMAND_HINTED("OBJECT|FREQ", "key", "How often a key was used lately, on a logarithmic scale.", "4.0.0", "O(1)",
                   CMD_READONLY, ACL_KEYSPACE, OBJECT_KEY, show_frequency, "nondeterministic_output"),
    COMMAND("OBJECT|HELP", "", "What the subcommands do.", "6.2.0", "O(1)", CMD_LOADING | CMD_STALE, ACL_KEYSPACE,
            NO_KEYS, object_help),
    COMMAND_HINTED("OBJECT|IDLETIME", "key", "Seconds since a key was last used.", "2.2.3", "O(1)", CMD_READONLY,
                   ACL_KEYSPACE, OBJECT_KEY, show_idle_time, "nondeterministic_output"),
    COMMAND_HINTED("OBJECT|REFCOUNT", "key", "How many references to a value there are.", "2.2.3", "O(1)",
                   CMD_READONLY, ACL_KEYSPACE, OBJECT_KEY, show_references, "nondeterministic_output"),
    COMMANDS_END,
};

#define SUM      "request_policy:multi_shard response_policy:agg_sum"
#define FLUSHING "request_policy:all_shards response_policy:all_succeeded"

const struct command generic_commands[] = {
    COMMAND("COPY", "source destination [DB destination-db] [REPLACE]",
            "Copy a value, with its expiry time, to another key or database.", "6.2.0",
            "O(N) where N is the number of elements", CMD_WRITE | CMD_DENYOOM, ACL_KEYSPACE,
            KEYS_TWO(KEYS(KEY_RO | KEY_ACCESS, 1), KEYS(KEY_OW | KEY_UPDATE, 2)), copy),
    COMMAND_HINTED("DBSIZE", "", "Number of keys in the database.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST,
                   ACL_KEYSPACE | GROUP_SERVER, NO_KEYS, keyspace_dbsize,
                   "request_policy:all_shards response_policy:agg_sum"),
    COMMAND_HINTED("DEL", "key+", "Remove keys.", "1.0.0", "O(N) where N is the number of keys and elements",
                   CMD_WRITE, ACL_KEYSPACE, KEYS_RANGE(KEY_RM | KEY_DELETE, 1, -1, 1), del, SUM),
    COMMAND_HINTED("EXISTS", "key+", "Count the keys that exist, repeated ones as often as they are named.", "1.0.0",
                   "O(N) where N is the number of keys", CMD_READONLY | CMD_FAST, ACL_KEYSPACE,
                   KEYS_RANGE(KEY_RO, 1, -1, 1), exists, SUM, .history = "3.0.3 Takes several keys."),
    COMMAND("EXPIRE", "key seconds condition=[NX|XX|GT|LT]@7.0.0", "Let a key expire after some seconds.", "1.0.0",
            "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE, KEYS(KEY_RW | KEY_UPDATE, 1), key_expire),
    COMMAND("EXPIREAT", "key unix-time-seconds condition=[NX|XX|GT|LT]@7.0.0", "Let a key expire at a Unix time.",
            "1.2.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE, KEYS(KEY_RW | KEY_UPDATE, 1), key_expireat),
    COMMAND("EXPIRETIME", "key", "The Unix time at which a key expires.", "7.0.0", "O(1)", CMD_READONLY | CMD_FAST,
            ACL_KEYSPACE, KEYS(KEY_RO | KEY_ACCESS, 1), key_expiretime),
    COMMAND_HINTED("FLUSHALL", "async=[ASYNC@4.0.0|SYNC@6.2.0]", "Remove all keys of all databases.", "1.0.0",
                   "O(N) where N is the number of keys", CMD_WRITE, ACL_KEYSPACE | ACL_DANGEROUS | GROUP_SERVER,
                   NO_KEYS, keyspace_flushall, FLUSHING),
    COMMAND_HINTED("FLUSHDB", "async=[ASYNC@4.0.0|SYNC@6.2.0]", "Remove all keys of the database.", "1.0.0",
                   "O(N) where N is the number of keys", CMD_WRITE, ACL_KEYSPACE | ACL_DANGEROUS | GROUP_SERVER,
                   NO_KEYS, keyspace_flushdb, FLUSHING),
    COMMAND_HINTED("KEYS", "pattern", "List the keys that match a pattern; SCAN does it without blocking others.",
                   "1.0.0", "O(N) where N is the number of keys in the database", CMD_READONLY,
                   ACL_KEYSPACE | ACL_DANGEROUS, NO_KEYS, keyspace_keys,
                   "request_policy:all_shards nondeterministic_output_order"),
    COMMAND("MOVE", "key db", "Move a key to another database.", "1.0.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE,
            KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), move),
    COMMAND_CONTAINER("OBJECT", "Look into how a value is kept.", "2.2.3", GROUP_GENERIC, object_commands),
    COMMAND("PERSIST", "key", "Clear the expiry time of a key.", "2.2.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE,
            KEYS(KEY_RW | KEY_UPDATE, 1), key_persist),
    COMMAND("PEXPIRE", "key milliseconds condition=[NX|XX|GT|LT]@7.0.0", "Let a key expire after some milliseconds.",
            "2.6.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE, KEYS(KEY_RW | KEY_UPDATE, 1), key_pexpire),
    COMMAND("PEXPIREAT", "key unix-time-milliseconds condition=[NX|XX|GT|LT]@7.0.0",
            "Let a key expire at a Unix time in milliseconds.", "2.6.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_KEYSPACE,
            KEYS(KEY_RW | KEY_UPDATE, 1), key_pexpireat),
    COMMAND("PEXPIRETIME", "key", "The Unix time in milliseconds at which a key expires.", "7.0.0", "O(1)",
            CMD_READONLY | CMD_FAST, ACL_KEYSPACE, KEYS(KEY_RO | KEY_ACCESS, 1), key_pexpiretime),
    COMMAND_HINTED("PTTL", "key", "Milliseconds that a key has to live.", "2.6.0", "O(1)", CMD_READONLY | CMD_FAST,
                   ACL_KEYSPACE, KEYS(KEY_RO | KEY_ACCESS, 1), key_pttl, "nondeterministic_output",
                   .history = "2.8.0 -2 stands for a key that does not exist."),
    COMMAND_HINTED("RANDOMKEY", "", "A key by chance.", "1.0.0", "O(1)", CMD_READONLY, ACL_KEYSPACE, NO_KEYS,
                   keyspace_randomkey, "request_policy:all_shards nondeterministic_output"),
    COMMAND("RENAME", "key newkey", "Give a key another name; what had that name is gone.", "1.0.0", "O(1)",
            CMD_WRITE, ACL_KEYSPACE,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_OW | KEY_UPDATE, 2)), rename_over),
    COMMAND("RENAMENX", "key newkey", "Give a key another name, if no key has it.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_FAST, ACL_KEYSPACE,
            KEYS_TWO(KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), KEYS(KEY_OW | KEY_INSERT, 2)), rename_if_new,
            .history = "3.2.0 The two names may be the same."),
    COMMAND_HINTED("SCAN", "cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0",
                   "Walk through the keys of the database, a few at each call.", "2.8.0",
                   "O(1) a call, O(N) for a whole walk over N keys", CMD_READONLY, ACL_KEYSPACE, NO_KEYS,
                   keyspace_scan, "nondeterministic_output request_policy:special"),
    COMMAND("SELECT", "index", "Change the database of the connection.", "1.0.0", "O(1)",
            CMD_LOADING | CMD_STALE | CMD_FAST, ACL_CONNECTION, NO_KEYS, keyspace_select),
    COMMAND("SWAPDB", "index1(integer) index2(integer)", "Exchange the data of two databases.", "4.0.0", "O(1)",
            CMD_WRITE | CMD_FAST, ACL_KEYSPACE | ACL_DANGEROUS | GROUP_SERVER, NO_KEYS, keyspace_swapdb),
    COMMAND_HINTED("TOUCH", "key+", "Count the keys that exist, and mark them as used.", "3.2.1",
                   "O(N) where N is the number of keys", CMD_READONLY | CMD_FAST, ACL_KEYSPACE,
                   KEYS_RANGE(KEY_RO, 1, -1, 1), touch, SUM),
    COMMAND_HINTED("TTL", "key", "Seconds that a key has to live.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST,
                   ACL_KEYSPACE, KEYS(KEY_RO | KEY_ACCESS, 1), key_ttl, "nondeterministic_output",
                   .history = "2.8.0 -2 stands for a key that does not exist."),
    COMMAND("TYPE", "key", "The type of a value.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_KEYSPACE,
            KEYS(KEY_RO, 1), type),
    COMMAND_HINTED("UNLINK", "key+", "Remove keys; large values are freed in the background.", "4.0.0",
                   "O(1) for each key", CMD_WRITE | CMD_FAST, ACL_KEYSPACE, KEYS_RANGE(KEY_RM | KEY_DELETE, 1, -1, 1),
                   unlink_keys, SUM),
    COMMANDS_END,
};
