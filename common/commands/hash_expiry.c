/* HEXPIRE and its sisters: expiry times of single fields, as Redis 7.4 has them. All are logged as HPEXPIREAT, or as HDEL
 * where the time has passed. */
#include "common/commands/commands.h"
#include "common/commands/hash_fields.h"

enum { NO_FIELD = -2, NO_TIME = -1, CONDITION_FAILS = 0, DONE = 1, DELETED = 2 };
enum condition { ALWAYS, IF_NONE, IF_SET, IF_GREATER, IF_LESS };

static enum condition take_condition(struct span s)
{
    if (span_is(s, "NX")) return IF_NONE;
    if (span_is(s, "XX")) return IF_SET;
    if (span_is(s, "GT")) return IF_GREATER;
    return span_is(s, "LT") ? IF_LESS : ALWAYS;
}

/* A field without an expiry time counts as one that lives for ever. */
static bool condition_holds(enum condition condition, int64_t old, int64_t expiry)
{
    switch (condition) {
    case ALWAYS: break;
    case IF_NONE: return old == FIELD_STAYS;
    case IF_SET: return old != FIELD_STAYS;
    case IF_GREATER: return old != FIELD_STAYS && expiry > old;
    case IF_LESS: return old == FIELD_STAYS || expiry < old;
    }
    return true;
}

static int64_t expire_one(struct call *c, struct hash *h, struct span field, enum condition condition, int64_t expiry)
{
    int64_t old;
    if (!hash_expiry(h, field, &old)) return NO_FIELD;
    if (!condition_holds(condition, old, expiry)) return CONDITION_FAILS;
    if (call_is_past(c, expiry)) {
        (void)hash_remove(h, field);
        return DELETED;
    }
    hash_set_expiry(h, field, expiry);
    return DONE;
}

static void expire_all(struct call *c, struct entry *e, struct field_args fields, enum condition condition,
                       int64_t expiry)
{
    struct field_list changed;
    hash_fields_list_begin(&changed, fields.count);
    reply_array(c->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        const struct span field = c->argv[fields.first + i];
        const int64_t done = e ? expire_one(c, entry_object(e), field, condition, expiry) : NO_FIELD;
        if (done > CONDITION_FAILS) hash_fields_list_add(&changed, field);
        reply_int(c->reply, done);
    }
    if (changed.count) {
        const bool past = call_is_past(c, expiry);
        if (past) hash_fields_log_removal(c, &changed);
        else hash_fields_log_expiry(c, &changed, expiry);
        hash_fields_changed(c, past ? "hdel" : "hexpire", e, changed.count);
    }
    hash_fields_list_end(&changed);
}

static void expire(struct call *c, struct time_unit unit)
{
    struct entry *e;
    struct field_args fields;
    int64_t expiry;
    if (!hash_fields_write(c, ARGUMENTS(0, 0, 1), &e)) return;
    if (!hash_fields_time(c, c->argv[2], unit, &expiry)) return;
    const enum condition condition = take_condition(c->argv[3]);
    if (!hash_fields_take(c, condition == ALWAYS ? 3 : 4, 1, "ERR Parameter `numFields` should be greater than 0",
                          &fields))
        return;
    hash_fields_drop_dead(c, fields, &e);
    expire_all(c, e, fields, condition, expiry);
}

static void hexpire(struct call *c) { expire(c, (struct time_unit){1000, false}); }
static void hpexpire(struct call *c) { expire(c, (struct time_unit){1, false}); }
static void hexpireat(struct call *c) { expire(c, (struct time_unit){1000, true}); }
static void hpexpireat(struct call *c) { expire(c, (struct time_unit){1, true}); }

#define BAD_COUNT "ERR Number of fields must be a positive integer"

static int64_t lifetime(const struct call *c, const struct entry *e, struct span field, struct time_unit unit)
{
    int64_t expiry;
    if (!e || !hash_expiry(entry_object(e), field, &expiry)) return NO_FIELD;
    if (expiry == FIELD_STAYS) return NO_TIME;
    if (hash_is_dead(entry_object(e), field, call_fields_now(c))) return NO_FIELD;
    const int64_t ms = unit.absolute ? expiry : expiry - c->now_ms;
    return unit.ms == 1 ? ms : (ms + 999) / 1000; /* a second that has begun counts */
}

static void reply_lifetimes(struct call *c, struct time_unit unit)
{
    struct entry *e;
    struct field_args fields;
    if (!hash_fields_read(c, &e) || !hash_fields_take(c, 2, 1, BAD_COUNT, &fields)) return;
    reply_array(c->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) reply_int(c->reply, lifetime(c, e, c->argv[fields.first + i], unit));
}

static void httl(struct call *c) { reply_lifetimes(c, (struct time_unit){1000, false}); }
static void hpttl(struct call *c) { reply_lifetimes(c, (struct time_unit){1, false}); }
static void hexpiretime(struct call *c) { reply_lifetimes(c, (struct time_unit){1000, true}); }
static void hpexpiretime(struct call *c) { reply_lifetimes(c, (struct time_unit){1, true}); }

static int64_t persist_one(struct entry *e, struct span field)
{
    int64_t expiry;
    if (!e || !hash_expiry(entry_object(e), field, &expiry)) return NO_FIELD;
    if (expiry == FIELD_STAYS) return NO_TIME;
    hash_set_expiry(entry_object(e), field, FIELD_STAYS);
    return DONE;
}

static void hpersist(struct call *c)
{
    struct entry *e;
    struct field_args fields;
    if (!hash_fields_write(c, ARGUMENTS(0, 0, 1), &e) || !hash_fields_take(c, 2, 1, BAD_COUNT, &fields)) return;
    hash_fields_drop_dead(c, fields, &e);
    uint64_t changed = 0;
    reply_array(c->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        const int64_t done = persist_one(e, c->argv[fields.first + i]);
        changed += done == DONE;
        reply_int(c->reply, done);
    }
    if (changed) hash_fields_changed(c, "hpersist", e, changed);
}

#define CONDITION    " condition=[NX|XX|GT|LT] FIELDS {numfields field+}"
#define FIELDS       "key FIELDS {numfields field+}"
#define PER_FIELD    "O(1) per field"
#define EXPIRE_FLAGS (CMD_WRITE | CMD_DENYOOM | CMD_FAST)
#define READ_FLAGS   (CMD_READONLY | CMD_FAST)
#define EXPIRE_KEY   KEYS(KEY_RW | KEY_UPDATE, 1)
#define READ_KEY     KEYS(KEY_RO | KEY_ACCESS, 1)
#define CHANGING     "nondeterministic_output"

const struct command hash_expiry_commands[] = {
    COMMAND("HEXPIRE", "key seconds" CONDITION, "Let fields of a hash expire after some seconds.", "7.4.0", PER_FIELD,
            EXPIRE_FLAGS, ACL_HASH, EXPIRE_KEY, hexpire),
    COMMAND("HEXPIREAT", "key unix-time-seconds" CONDITION, "Let fields of a hash expire at a Unix time.", "7.4.0",
            PER_FIELD, EXPIRE_FLAGS, ACL_HASH, EXPIRE_KEY, hexpireat),
    COMMAND("HEXPIRETIME", FIELDS, "The Unix times at which fields of a hash expire.", "7.4.0", PER_FIELD, READ_FLAGS,
            ACL_HASH, READ_KEY, hexpiretime),
    COMMAND("HPERSIST", FIELDS, "Clear the expiry times of fields of a hash.", "7.4.0", PER_FIELD,
            CMD_WRITE | CMD_FAST, ACL_HASH, EXPIRE_KEY, hpersist),
    COMMAND("HPEXPIRE", "key milliseconds" CONDITION, "Let fields of a hash expire after some milliseconds.", "7.4.0",
            PER_FIELD, EXPIRE_FLAGS, ACL_HASH, EXPIRE_KEY, hpexpire),
    COMMAND("HPEXPIREAT", "key unix-time-milliseconds" CONDITION,
            "Let fields of a hash expire at a Unix time in milliseconds.", "7.4.0", PER_FIELD, EXPIRE_FLAGS, ACL_HASH,
            EXPIRE_KEY, hpexpireat),
    COMMAND("HPEXPIRETIME", FIELDS, "The Unix times in milliseconds at which fields of a hash expire.", "7.4.0",
            PER_FIELD, READ_FLAGS, ACL_HASH, READ_KEY, hpexpiretime),
    COMMAND_HINTED("HPTTL", FIELDS, "Milliseconds that fields of a hash have to live.", "7.4.0", PER_FIELD,
                   READ_FLAGS, ACL_HASH, READ_KEY, hpttl, CHANGING),
    COMMAND_HINTED("HTTL", FIELDS, "Seconds that fields of a hash have to live.", "7.4.0", PER_FIELD, READ_FLAGS,
                   ACL_HASH, READ_KEY, httl, CHANGING),
    COMMANDS_END,
};
