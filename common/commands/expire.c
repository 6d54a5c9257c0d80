/* EXPIRE and its sisters: all are logged as PEXPIREAT, or as DEL where the time has passed. */
#include "common/commands/expiry.h"
#include "common/commands/generic.h"

struct condition {
    bool nx, xx, gt, lt;
};

static bool take_condition(struct call *c, struct condition *o)
{
    for (size_t i = 3; i < c->argc; i++) {
        if (span_is(c->argv[i], "NX")) o->nx = true;
        else if (span_is(c->argv[i], "XX")) o->xx = true;
        else if (span_is(c->argv[i], "GT")) o->gt = true;
        else if (span_is(c->argv[i], "LT")) o->lt = true;
        else {
            reply_error(c->reply, "ERR Unsupported option %.*s", (int)(c->argv[i].n < 128 ? c->argv[i].n : 128),
                        c->argv[i].p);
            return false;
        }
    }
    if (o->nx && (o->xx || o->gt || o->lt)) {
        reply_error(c->reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (o->gt && o->lt) {
        reply_error(c->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* A key without an expiry time counts as one that lives for ever. */
static bool condition_holds(const struct condition *o, int64_t old, int64_t expiry)
{
    const bool has = old != NO_EXPIRY;
    if (o->nx && has) return false;
    if (o->xx && !has) return false;
    if (o->gt && (!has || expiry <= old)) return false;
    if (o->lt && has && expiry >= old) return false;
    return true;
}

static void expire(struct call *c, struct time_unit unit)
{
    struct condition condition = {0};
    int64_t expiry;
    const struct span key = c->argv[1];
    if (!take_condition(c, &condition) || !expiry_read_any(c, c->argv[2], unit, &expiry)) return;
    struct entry *e = call_find_any(c, key, FOR_WRITE);
    if (!e || !condition_holds(&condition, entry_expiry(e), expiry)) {
        reply_int(c->reply, 0);
        return;
    }
    if (call_is_past(c, expiry)) {
        CALL_EFFECT(c, SPAN("DEL"), key);
        call_delete(c, key);
        call_changed(c, EVENT_GENERIC, "del", key, 1);
    } else {
        char text[NUM_I64_MAX_TEXT];
        CALL_EFFECT(c, SPAN("PEXPIREAT"), key, span_of(text, num_format_i64(text, expiry)));
        call_set_expiry(c, e, expiry);
        call_changed(c, EVENT_GENERIC, "expire", key, 1);
    }
    reply_int(c->reply, 1);
}

void key_expire(struct call *c) { expire(c, (struct time_unit){1000, false}); }
void key_pexpire(struct call *c) { expire(c, (struct time_unit){1, false}); }
void key_expireat(struct call *c) { expire(c, (struct time_unit){1000, true}); }
void key_pexpireat(struct call *c) { expire(c, (struct time_unit){1, true}); }

static void reply_lifetime(struct call *c, struct time_unit unit)
{
    enum { NO_KEY = -2, FOR_EVER = -1 };
    const struct entry *e = call_find_any(c, c->argv[1], FOR_LOOK);
    const int64_t expiry = e ? entry_expiry(e) : 0;
    if (!e || expiry == NO_EXPIRY) {
        reply_int(c->reply, e ? FOR_EVER : NO_KEY);
        return;
    }
    int64_t ms = unit.absolute ? expiry : expiry - c->now_ms;
    if (ms < 0) ms = 0;
    reply_int(c->reply, unit.ms == 1 ? ms : ms / 1000 + (ms % 1000 >= 500));
}

void key_ttl(struct call *c) { reply_lifetime(c, (struct time_unit){1000, false}); }
void key_pttl(struct call *c) { reply_lifetime(c, (struct time_unit){1, false}); }
void key_expiretime(struct call *c) { reply_lifetime(c, (struct time_unit){1000, true}); }
void key_pexpiretime(struct call *c) { reply_lifetime(c, (struct time_unit){1, true}); }

void key_persist(struct call *c)
{
    struct entry *e = call_find_any(c, c->argv[1], FOR_WRITE);
    if (!e || entry_expiry(e) == NO_EXPIRY) {
        reply_int(c->reply, 0);
        return;
    }
    call_set_expiry(c, e, NO_EXPIRY);
    call_changed(c, EVENT_GENERIC, "persist", c->argv[1], 1);
    reply_int(c->reply, 1);
}
