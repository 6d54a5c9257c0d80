/* HGETDEL, HGETEX and HSETEX, as Redis 8.0 has them: fields are read, written, deleted and given expiry times in one. */
#include "common/commands/commands.h"
#include "common/commands/hash_fields.h"

/* Reply the fields' values, null where there is none. */
static void reply_values(struct call *c, const struct entry *e, struct field_args fields)
{
    reply_array(c->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        char scratch[NUM_I64_MAX_TEXT];
        struct span value;
        if (hash_fields_get(c, e, c->argv[fields.first + i * fields.step], &value, scratch))
            reply_bulk(c->reply, value);
        else reply_null(c->reply);
    }
}

/* Delete the fields; logged by name. */
static void delete_fields(struct call *c, struct entry *e, struct field_args fields)
{
    struct field_list gone;
    hash_fields_list_begin(&gone, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        const struct span field = c->argv[fields.first + i * fields.step];
        if (hash_remove(entry_object(e), field)) hash_fields_list_add(&gone, field);
    }
    hash_fields_log_removal(c, &gone);
    if (gone.count) hash_fields_changed(c, "hdel", e, gone.count);
    hash_fields_list_end(&gone);
}

/* The same field may be named twice: it is gone at its second time. */
static void hgetdel(struct call *c)
{
    struct entry *e;
    struct field_args fields;
    if (!hash_fields_write(c, ARGUMENTS(0, 0, 1), &e) ||
        !hash_fields_take(c, 2, 1, "ERR Number of fields must be a positive integer", &fields))
        return;
    hash_fields_drop_dead(c, fields, &e);
    struct field_list gone;
    hash_fields_list_begin(&gone, fields.count);
    reply_array(c->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        const struct span field = c->argv[fields.first + i];
        char scratch[NUM_I64_MAX_TEXT];
        struct span value;
        if (!e || !hash_get(entry_object(e), field, &value, scratch)) {
            reply_null(c->reply);
            continue;
        }
        reply_bulk(c->reply, value);
        (void)hash_remove(entry_object(e), field);
        hash_fields_list_add(&gone, field);
    }
    hash_fields_log_removal(c, &gone);
    if (gone.count) hash_fields_changed(c, "hdel", e, gone.count);
    hash_fields_list_end(&gone);
}

enum expiry_verb { LEAVE, SET_TIME, CLEAR, KEEP };
enum field_condition { ANY, IF_NO_FIELD, IF_EVERY_FIELD };

struct options {
    enum expiry_verb verb;
    int64_t expiry; /* with SET_TIME */
    enum field_condition condition;
    struct field_args fields;
};

static bool refuse(struct call *c, const char *error)
{
    reply_error(c->reply, "%s", error);
    return false;
}

/* One word about the expiry time, at argv[*at]; *at is left at its last argument. @plain is the verb that has no time. */
static bool take_expiry(struct call *c, size_t *at, enum expiry_verb plain, struct options *o)
{
    struct time_unit unit;
    if (o->verb != LEAVE) {
        return refuse(c, plain == KEEP ? "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
                                       : "ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified");
    }
    o->verb = plain;
    if (!expiry_word(c->argv[*at], &unit)) return true;
    o->verb = SET_TIME;
    if (*at + 1 == c->argc) return refuse(c, "ERR missing expire time");
    return hash_fields_time(c, c->argv[++*at], unit, &o->expiry);
}

static bool take_field_condition(struct call *c, struct span word, struct options *o)
{
    if (o->condition != ANY) return refuse(c, "ERR Only one of FXX or FNX arguments can be specified");
    o->condition = span_is(word, "FNX") ? IF_NO_FIELD : IF_EVERY_FIELD;
    return true;
}

/* Everything from argv[2] on. @per: arguments a field; conditions are for writes of values. */
static bool take_options(struct call *c, size_t per, enum expiry_verb plain, struct options *o)
{
    struct time_unit unit;
    *o = (struct options){.verb = LEAVE};
    for (size_t i = 2; i < c->argc; i++) {
        const struct span word = c->argv[i];
        if (span_is(word, "FIELDS")) return hash_fields_take(c, i, per, "ERR invalid number of fields", &o->fields);
        if (expiry_word(word, &unit) || span_is(word, plain == KEEP ? "KEEPTTL" : "PERSIST")) {
            if (!take_expiry(c, &i, plain, o)) return false;
        } else if (per == 2 && (span_is(word, "FNX") || span_is(word, "FXX"))) {
            if (!take_field_condition(c, word, o)) return false;
        } else {
            reply_error(c->reply, "ERR unknown argument: %.*s", (int)(word.n < 128 ? word.n : 128), word.p);
            return false;
        }
    }
    return refuse(c, "ERR missing FIELDS argument");
}

/* Give fields that exist the time, or (FIELD_STAYS) none. */
static void set_times(struct call *c, struct entry *e, struct field_args fields, int64_t expiry)
{
    struct field_list changed;
    hash_fields_list_begin(&changed, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        const struct span field = c->argv[fields.first + i * fields.step];
        int64_t old;
        if (!hash_expiry(entry_object(e), field, &old) || (old == FIELD_STAYS && expiry == FIELD_STAYS)) continue;
        hash_set_expiry(entry_object(e), field, expiry);
        hash_fields_list_add(&changed, field);
    }
    hash_fields_log_expiry(c, &changed, expiry);
    if (changed.count) hash_fields_changed(c, expiry == FIELD_STAYS ? "hpersist" : "hexpire", e, changed.count);
    hash_fields_list_end(&changed);
}

static void hgetex(struct call *c)
{
    struct entry *e;
    struct options o;
    if (!hash_fields_write(c, ARGUMENTS(0, 0, 1), &e) || !take_options(c, 1, CLEAR, &o)) return;
    hash_fields_drop_dead(c, o.fields, &e);
    reply_values(c, e, o.fields);
    if (!e || o.verb == LEAVE) return;
    if (o.verb == SET_TIME && call_is_past(c, o.expiry)) delete_fields(c, e, o.fields);
    else set_times(c, e, o.fields, o.verb == SET_TIME ? o.expiry : FIELD_STAYS);
}

static bool condition_holds(const struct call *c, const struct entry *e, const struct options *o)
{
    for (size_t i = 0; o->condition != ANY && i < o->fields.count; i++) {
        int64_t expiry;
        const bool there = e && hash_expiry(entry_object(e), c->argv[o->fields.first + 2 * i], &expiry);
        if (there != (o->condition == IF_EVERY_FIELD)) return false;
    }
    return true;
}

/* Set the values; what expires and is to go on so keeps its time. */
static void set_values(struct call *c, struct entry *e, const struct options *o)
{
    struct hash *h = hash_fields_make(c, &e);
    struct field_list named;
    const bool timed = hash_timed_fields(h) > 0;
    hash_fields_list_begin(&named, 2 * o->fields.count);
    for (size_t i = 0; i < o->fields.count; i++) {
        const struct span *pair = c->argv + o->fields.first + 2 * i;
        int64_t expiry = FIELD_STAYS;
        if (o->verb == KEEP) (void)hash_expiry(h, pair[0], &expiry);
        (void)hash_set_timed(h, pair[0], pair[1], expiry, call_limits(c));
        hash_fields_list_add(&named, pair[0]);
        hash_fields_list_add(&named, pair[1]);
    }
    /* A server that knows no fields that expire can read this as long as none does. */
    if (o->verb == KEEP && timed) call_effect(c, c->argv, c->argc);
    else hash_fields_log_values(c, &named);
    hash_fields_list_end(&named);
    hash_fields_changed(c, "hset", e, o->fields.count);
    if (o->verb == SET_TIME && call_is_past(c, o->expiry)) delete_fields(c, e, o->fields);
    else if (o->verb == SET_TIME) set_times(c, e, o->fields, o->expiry);
}

static void hsetex(struct call *c)
{
    struct entry *e;
    struct options o;
    if (!hash_fields_write(c, ARGUMENTS(0, 0, 1), &e) || !take_options(c, 2, KEEP, &o)) return;
    hash_fields_drop_dead(c, o.fields, &e);
    const bool holds = condition_holds(c, e, &o);
    if (holds) set_values(c, e, &o);
    reply_int(c->reply, holds);
}

#define TIMES     "EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds"
#define FIELDS    "FIELDS {numfields field+}"
#define PER_FIELD "O(1) per field"

const struct command hash_together_commands[] = {
    COMMAND("HGETDEL", "key " FIELDS, "Get the values of fields and delete them.", "8.0.0", PER_FIELD,
            CMD_WRITE | CMD_FAST, ACL_HASH, KEYS(KEY_RW | KEY_ACCESS | KEY_DELETE, 1), hgetdel),
    COMMAND("HGETEX", "key expiration=[" TIMES "|PERSIST] " FIELDS,
            "Get the values of fields and set or clear when they expire.", "8.0.0", PER_FIELD, CMD_WRITE | CMD_FAST,
            ACL_HASH, KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE, 1), hgetex),
    COMMAND("HSETEX", "key condition=[FNX|FXX] expiration=[" TIMES "|KEEPTTL] FIELDS {numfields data={field value}+}",
            "Set fields of a hash and when they expire.", "8.0.0", PER_FIELD, CMD_WRITE | CMD_DENYOOM | CMD_FAST,
            ACL_HASH, KEYS(KEY_RW | KEY_UPDATE, 1), hsetex),
    COMMANDS_END,
};
