/* SET, GET and their relatives; numbers and ranges stand in string_edit.c. */
#include "common/commands/commands.h"

#include "common/commands/expiry.h"
#include "common/commands/lcs.h"
#include "common/commands/string_edit.h"

/* Conditions and extras of SET, and the expiry part of GETEX. */
struct set_options {
    bool nx, xx, get, keep_ttl, persist;
    struct span time; /* of EX, PX, EXAT or PXAT; p is NULL: none */
    struct time_unit unit;
};

/* A time at argv[*i]. It may be repeated, the last one counts; but only by the same word. */
static bool take_time(struct call *c, size_t *i, struct set_options *o)
{
    struct time_unit unit;
    if (*i + 1 >= c->argc || o->keep_ttl || o->persist || !expiry_word(c->argv[*i], &unit)) return false;
    if (o->time.p && (unit.ms != o->unit.ms || unit.absolute != o->unit.absolute)) return false;
    o->unit = unit;
    o->time = c->argv[++*i];
    return true;
}

/* One option at argv[*i]; false if it is none, or not beside those before it. */
static bool take_option(struct call *c, size_t *i, bool for_set, struct set_options *o)
{
    const struct span word = c->argv[*i];
    if (for_set && span_is(word, "NX") && !o->xx) return o->nx = true;
    if (for_set && span_is(word, "XX") && !o->nx) return o->xx = true;
    if (for_set && span_is(word, "GET")) return o->get = true;
    if (for_set && span_is(word, "KEEPTTL") && !o->time.p) return o->keep_ttl = true;
    if (!for_set && span_is(word, "PERSIST") && !o->time.p) return o->persist = true;
    return take_time(c, i, o);
}

static bool take_options(struct call *c, size_t from, bool for_set, struct set_options *o)
{
    for (size_t i = from; i < c->argc; i++) {
        if (take_option(c, &i, for_set, o)) continue;
        reply_syntax_error(c->reply);
        return false;
    }
    return true;
}

static void reply_string(struct call *c, const struct entry *e)
{
    char scratch[NUM_I64_MAX_TEXT];
    reply_bulk(c->reply, entry_string(e, scratch));
}

/* Reply as GET does; false if that was an error. */
static bool reply_value(struct call *c, enum intent intent)
{
    struct entry *e;
    if (!call_find(c, c->argv[1], TYPE_STRING, intent, &e)) return false;
    if (e) reply_string(c, e);
    else reply_null(c->reply);
    return true;
}

static struct span format_time(char *scratch, int64_t ms) { return span_of(scratch, num_format_i64(scratch, ms)); }

/* SET reads its key only to answer what was there. */
static uint16_t set_key_flags(const struct span *argv, size_t argc)
{
    for (size_t i = 3; i < argc; i++)
        if (span_is(argv[i], "get")) return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    return KEY_OW | KEY_UPDATE;
}

static void put_plain(struct call *c, struct span key, struct span string, int64_t expiry)
{
    call_put(c, key, &(struct value){.type = TYPE_STRING, .string = string}, expiry);
    call_changed(c, EVENT_STRING, "set", key, 1);
}

static void set_with_options(struct call *c)
{
    struct set_options o = {0};
    const struct span key = c->argv[1];
    int64_t expiry = NO_EXPIRY;
    if (!take_options(c, 3, true, &o)) return;
    if (o.time.p && !expiry_read(c, o.time, o.unit, &expiry)) return;
    if (o.get && !reply_value(c, FOR_READ)) return;
    const struct entry *e = call_find_any(c, key, FOR_WRITE);
    if (e ? o.nx : o.xx) {
        if (!o.get) reply_null(c->reply);
        return;
    }
    if (o.time.p) {
        expiry_put_string(c, key, c->argv[2], expiry);
    } else {
        put_plain(c, key, c->argv[2], e && o.keep_ttl ? entry_expiry(e) : NO_EXPIRY);
        if (o.get && o.keep_ttl) CALL_EFFECT(c, SPAN("SET"), key, c->argv[2], SPAN("KEEPTTL"));
        else if (o.get) CALL_EFFECT(c, SPAN("SET"), key, c->argv[2]);
    }
    if (!o.get) reply_ok(c->reply);
}

static void set(struct call *c)
{
    if (c->argc > 3) {
        set_with_options(c);
        return;
    }
    put_plain(c, c->argv[1], c->argv[2], NO_EXPIRY);
    reply_ok(c->reply);
}

static void get(struct call *c) { (void)reply_value(c, FOR_READ); }

static void mget(struct call *c)
{
    reply_array(c->reply, c->argc - 1);
    for (size_t i = 1; i < c->argc; i++) {
        const struct entry *e = call_find_any(c, c->argv[i], FOR_READ);
        if (e && entry_type(e) == TYPE_STRING) reply_string(c, e);
        else reply_null(c->reply);
    }
}

static bool pairs_are_whole(struct call *c)
{
    if (c->argc % 2 == 1) return true;
    reply_error(c->reply, "ERR wrong number of arguments for '%s' command", c->command->name);
    return false;
}

static void put_pairs(struct call *c)
{
    for (size_t i = 1; i < c->argc; i += 2) put_plain(c, c->argv[i], c->argv[i + 1], NO_EXPIRY);
}

static void mset(struct call *c)
{
    if (!pairs_are_whole(c)) return;
    put_pairs(c);
    reply_ok(c->reply);
}

static void msetnx(struct call *c)
{
    if (!pairs_are_whole(c)) return;
    for (size_t i = 1; i < c->argc; i += 2) {
        if (!call_find_any(c, c->argv[i], FOR_WRITE)) continue;
        reply_int(c->reply, 0);
        return;
    }
    put_pairs(c);
    reply_int(c->reply, 1);
}

static void setnx(struct call *c)
{
    if (call_find_any(c, c->argv[1], FOR_WRITE)) {
        reply_int(c->reply, 0);
        return;
    }
    put_plain(c, c->argv[1], c->argv[2], NO_EXPIRY);
    reply_int(c->reply, 1);
}

static void set_for(struct call *c, int64_t unit_ms)
{
    int64_t expiry;
    if (!expiry_read(c, c->argv[2], (struct time_unit){unit_ms, false}, &expiry)) return;
    expiry_put_string(c, c->argv[1], c->argv[3], expiry);
    reply_ok(c->reply);
}

static void setex(struct call *c) { set_for(c, 1000); }
static void psetex(struct call *c) { set_for(c, 1); }

static void getset(struct call *c)
{
    if (!reply_value(c, FOR_READ)) return;
    CALL_EFFECT(c, SPAN("SET"), c->argv[1], c->argv[2]);
    put_plain(c, c->argv[1], c->argv[2], NO_EXPIRY);
}

static void getdel(struct call *c)
{
    if (!reply_value(c, FOR_READ) || !call_delete(c, c->argv[1])) return;
    CALL_EFFECT(c, SPAN("DEL"), c->argv[1]);
    call_changed(c, EVENT_GENERIC, "del", c->argv[1], 1);
}

/* What GETEX does to the key after it replied. */
static void change_lifetime(struct call *c, struct entry *e, const struct set_options *o, int64_t expiry)
{
    const struct span key = c->argv[1];
    char text[NUM_I64_MAX_TEXT];
    if (o->time.p && o->unit.absolute && call_is_past(c, expiry)) {
        CALL_EFFECT(c, SPAN("DEL"), key);
        call_delete(c, key);
        call_changed(c, EVENT_GENERIC, "del", key, 1);
    } else if (o->time.p) {
        CALL_EFFECT(c, SPAN("PEXPIREAT"), key, format_time(text, expiry));
        call_set_expiry(c, e, expiry);
        call_changed(c, EVENT_GENERIC, "expire", key, 1);
    } else if (o->persist && entry_expiry(e) != NO_EXPIRY) {
        CALL_EFFECT(c, SPAN("PERSIST"), key);
        call_set_expiry(c, e, NO_EXPIRY);
        call_changed(c, EVENT_GENERIC, "persist", key, 1);
    }
}

static void getex(struct call *c)
{
    struct set_options o = {0};
    struct entry *e;
    int64_t expiry = NO_EXPIRY;
    if (!take_options(c, 2, false, &o)) return;
    if (!call_find(c, c->argv[1], TYPE_STRING, FOR_READ, &e)) return;
    if (!e) {
        reply_null(c->reply);
        return;
    }
    if (o.time.p && !expiry_read(c, o.time, o.unit, &expiry)) return;
    reply_string(c, e);
    if (!o.time.p && !o.persist) return;
    e = call_find_any(c, c->argv[1], FOR_WRITE);
    change_lifetime(c, e, &o, expiry);
}

static void strlen_(struct call *c)
{
    struct entry *e;
    char scratch[NUM_I64_MAX_TEXT];
    if (!call_find(c, c->argv[1], TYPE_STRING, FOR_READ, &e)) return;
    reply_int(c->reply, e ? (int64_t)entry_string(e, scratch).n : 0);
}

const struct command string_commands[] = {
    COMMAND("APPEND", "key value", "Put bytes behind a string; a key that does not exist is made.", "2.0.0",
            "O(1), amortized over a run of small appends", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING,
            KEYS(KEY_RW | KEY_INSERT, 1), string_append),
    COMMAND("DECR", "key", "Take one from an integer; a key that does not exist counts as 0.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), string_decr),
    COMMAND("DECRBY", "key decrement", "Take a number from an integer; a key that does not exist counts as 0.",
            "1.0.0", "O(1)", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING,
            KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), string_decrby),
    COMMAND("GET", "key", "Read a string.", "1.0.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_STRING,
            KEYS(KEY_RO | KEY_ACCESS, 1), get),
    COMMAND("GETDEL", "key", "Read a string and remove its key.", "6.2.0", "O(1)", CMD_WRITE | CMD_FAST, ACL_STRING,
            KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), getdel),
    COMMAND("GETEX",
            "key expiration=[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
            "Read a string and set or clear the expiry time of its key.", "6.2.0", "O(1)", CMD_WRITE | CMD_FAST,
            ACL_STRING, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), getex),
    COMMAND("GETRANGE", "key start(integer) end(integer)",
            "Read a part of a string, from one offset up to and with another.", "2.4.0",
            "O(N) where N is the length of the part", CMD_READONLY, ACL_STRING, KEYS(KEY_RO | KEY_ACCESS, 1),
            string_getrange),
    COMMAND("GETSET", "key value", "Read a string and overwrite it.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), getset,
            .deprecated = "6.2.0", .replaced_by = "`SET`, given `GET`"),
    COMMAND("INCR", "key", "Add one to an integer; a key that does not exist counts as 0.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), string_incr),
    COMMAND("INCRBY", "key increment(integer)", "Add a number to an integer; a key that does not exist counts as 0.",
            "1.0.0", "O(1)", CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING,
            KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), string_incrby),
    COMMAND("INCRBYFLOAT", "key increment(double)",
            "Add a fraction to a number; a key that does not exist counts as 0.", "2.6.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1),
            string_incrbyfloat),
    COMMAND("LCS", "key1 key2(#0) [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
            "Find the longest common subsequence of two strings.", "7.0.0",
            "O(N*M) where N and M are the lengths of the strings", CMD_READONLY, ACL_STRING,
            KEYS_RANGE(KEY_RO | KEY_ACCESS, 1, 1, 1), string_lcs),
    COMMAND_HINTED("MGET", "key+", "Read several strings at once.", "1.0.0", "O(N) where N is the number of keys",
                   CMD_READONLY | CMD_FAST, ACL_STRING, KEYS_RANGE(KEY_RO | KEY_ACCESS, 1, -1, 1), mget,
                   "request_policy:multi_shard"),
    COMMAND_HINTED("MSET", "{key value}+", "Write several strings at once.", "1.0.1",
                   "O(N) where N is the number of keys", CMD_WRITE | CMD_DENYOOM, ACL_STRING,
                   KEYS_RANGE(KEY_OW | KEY_UPDATE, 1, -1, 2), mset,
                   "request_policy:multi_shard response_policy:all_succeeded"),
    COMMAND_HINTED("MSETNX", "{key value}+", "Write several strings at once, if none of the keys exists.", "1.0.1",
                   "O(N) where N is the number of keys", CMD_WRITE | CMD_DENYOOM, ACL_STRING,
                   KEYS_RANGE(KEY_OW | KEY_INSERT, 1, -1, 2), msetnx,
                   "request_policy:multi_shard response_policy:agg_min"),
    COMMAND("PSETEX", "key milliseconds value", "Write a string that expires after some milliseconds.", "2.6.0",
            "O(1)", CMD_WRITE | CMD_DENYOOM, ACL_STRING, KEYS(KEY_OW | KEY_UPDATE, 1), psetex),
    COMMAND("SET",
            "key value condition=[NX|XX]@2.6.12 [GET]@6.2.0 expiration=[EX seconds@2.6.12|PX "
            "milliseconds@2.6.12|EXAT unix-time-seconds@6.2.0|PXAT unix-time-milliseconds@6.2.0|KEEPTTL@6.0.0]",
            "Write a string; what the key held before is gone.", "1.0.0", "O(1)", CMD_WRITE | CMD_DENYOOM, ACL_STRING,
            KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS, 1), set, .key_flags = set_key_flags,
            .history = "7.0.0 `NX` and `GET` go together."),
    COMMAND("SETEX", "key seconds value", "Write a string that expires after some seconds.", "2.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM, ACL_STRING, KEYS(KEY_OW | KEY_UPDATE, 1), setex),
    COMMAND("SETNX", "key value", "Write a string, if the key does not exist.", "1.0.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_OW | KEY_INSERT, 1), setnx),
    COMMAND("SETRANGE", "key offset value",
            "Overwrite a part of a string; a gap before it is filled with zero bytes.", "2.2.0",
            "O(M) where M is the length of the value", CMD_WRITE | CMD_DENYOOM, ACL_STRING,
            KEYS(KEY_RW | KEY_UPDATE, 1), string_setrange),
    COMMAND("STRLEN", "key", "Length of a string in bytes.", "2.2.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_STRING,
            KEYS(KEY_RO, 1), strlen_),
    COMMAND("SUBSTR", "key start(integer) end(integer)", "Old name of GETRANGE.", "1.0.0",
            "O(N) where N is the length of the part", CMD_READONLY, ACL_STRING, KEYS(KEY_RO | KEY_ACCESS, 1),
            string_getrange, .deprecated = "2.0.0", .replaced_by = "`GETRANGE`"),
    COMMANDS_END,
};
