#include "common/commands/expiry.h"

static bool refuse(struct call *c)
{
    reply_error(c->reply, "ERR invalid expire time in '%s' command", c->command->name);
    return false;
}

static bool scale(int64_t v, struct time_unit unit, int64_t base, int64_t *expiry)
{
    return !__builtin_mul_overflow(v, unit.ms, expiry) && !__builtin_add_overflow(*expiry, base, expiry);
}

bool expiry_word(struct span word, struct time_unit *unit)
{
    if (span_is(word, "EX")) *unit = (struct time_unit){1000, false};
    else if (span_is(word, "PX")) *unit = (struct time_unit){1, false};
    else if (span_is(word, "EXAT")) *unit = (struct time_unit){1000, true};
    else if (span_is(word, "PXAT")) *unit = (struct time_unit){1, true};
    else return false;
    return true;
}

bool expiry_read(struct call *c, struct span s, struct time_unit unit, int64_t *expiry)
{
    int64_t v;
    if (!call_int(c, s, &v)) return false;
    if (v <= 0 || !scale(v, unit, unit.absolute ? 0 : c->now_ms, expiry)) return refuse(c);
    return true;
}

bool expiry_read_any(struct call *c, struct span s, struct time_unit unit, int64_t *expiry)
{
    int64_t v;
    if (!call_int(c, s, &v)) return false;
    if (!scale(v, unit, unit.absolute ? 0 : c->now_ms, expiry)) return refuse(c);
    if (*expiry < 0) *expiry = 0; /* as past as any; NO_EXPIRY is negative */
    return true;
}

void expiry_put_string(struct call *c, struct span key, struct span string, int64_t expiry)
{
    char text[NUM_I64_MAX_TEXT];
    call_put(c, key, &(struct value){.type = TYPE_STRING, .string = string}, expiry);
    CALL_EFFECT(c, SPAN("SET"), key, string, SPAN("PXAT"), span_of(text, num_format_i64(text, expiry)));
    call_changed(c, EVENT_STRING, "set", key, 1);
    call_changed(c, EVENT_GENERIC, "expire", key, 0);
}
