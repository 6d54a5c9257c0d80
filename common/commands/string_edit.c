#include "common/commands/string_edit.h"

#include <math.h>

#include "common/call.h"

static bool check_length(struct call *c, uint64_t offset, size_t n)
{
    if (n <= call_max_bulk(c) && offset <= call_max_bulk(c) - n) return true;
    reply_error(c->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

static size_t length_of(const struct entry *e)
{
    char scratch[NUM_I64_MAX_TEXT];
    return e ? entry_string(e, scratch).n : 0;
}

void string_append(struct call *c)
{
    struct entry *e;
    char *bytes;
    const struct span key = c->argv[1], tail = c->argv[2];
    if (!call_find(c, key, TYPE_STRING, FOR_WRITE, &e)) return;
    const size_t before = length_of(e);
    if (!check_length(c, before, tail.n)) return;
    if (!e) {
        call_put(c, key, &(struct value){.type = TYPE_STRING, .string = tail}, NO_EXPIRY);
    } else if (tail.n) {
        call_edit_string(c, key, e, before + tail.n, &bytes);
        memcpy(bytes + before, tail.p, tail.n);
    }
    call_changed(c, EVENT_STRING, "append", key, 1);
    reply_int(c->reply, (int64_t)(before + tail.n));
}

void string_setrange(struct call *c)
{
    struct entry *e;
    char *bytes;
    int64_t offset;
    const struct span key = c->argv[1], part = c->argv[3];
    if (!call_int(c, c->argv[2], &offset)) return;
    if (offset < 0) {
        reply_error(c->reply, "ERR offset is out of range");
        return;
    }
    if (!call_find(c, key, TYPE_STRING, FOR_WRITE, &e)) return;
    const size_t before = length_of(e);
    if (part.n == 0) {
        reply_int(c->reply, (int64_t)before);
        return;
    }
    if (!check_length(c, (uint64_t)offset, part.n)) return;
    const size_t end = (size_t)offset + part.n, after = end > before ? end : before;
    call_edit_string(c, key, e, after, &bytes);
    memcpy(bytes + offset, part.p, part.n);
    call_changed(c, EVENT_STRING, "setrange", key, 1);
    reply_int(c->reply, (int64_t)after);
}

void string_getrange(struct call *c)
{
    struct entry *e;
    char scratch[NUM_I64_MAX_TEXT];
    int64_t start, end;
    if (!call_int(c, c->argv[2], &start) || !call_int(c, c->argv[3], &end)) return;
    if (!call_find(c, c->argv[1], TYPE_STRING, FOR_READ, &e)) return;
    const struct span s = e ? entry_string(e, scratch) : SPAN("");
    const int64_t n = (int64_t)s.n;
    const bool backwards = start < 0 && end < 0 && start > end;
    if (start < 0) start = start + n < 0 ? 0 : start + n;
    if (end < 0) end = end + n < 0 ? 0 : end + n;
    if (end >= n) end = n - 1;
    if (backwards || start > end) reply_bulk(c->reply, SPAN(""));
    else reply_bulk(c->reply, span_of(s.p + start, (size_t)(end - start + 1)));
}

static void add(struct call *c, int64_t increment)
{
    struct entry *e;
    int64_t v = 0;
    char scratch[NUM_I64_MAX_TEXT];
    const struct span key = c->argv[1];
    if (!call_find(c, key, TYPE_STRING, FOR_WRITE, &e)) return;
    if (e && !entry_int(e, &v) && !call_int(c, entry_string(e, scratch), &v)) return;
    if (__builtin_add_overflow(v, increment, &v)) {
        reply_error(c->reply, "ERR increment or decrement would overflow");
        return;
    }
    call_put_int(c, key, e, v);
    call_changed(c, EVENT_STRING, "incrby", key, 1);
    reply_int(c->reply, v);
}

void string_incr(struct call *c) { add(c, 1); }
void string_decr(struct call *c) { add(c, -1); }

void string_incrby(struct call *c)
{
    int64_t increment;
    if (call_int(c, c->argv[2], &increment)) add(c, increment);
}

void string_decrby(struct call *c)
{
    int64_t decrement;
    if (!call_int(c, c->argv[2], &decrement)) return;
    if (decrement == INT64_MIN) reply_error(c->reply, "ERR decrement would overflow");
    else add(c, -decrement);
}

void string_incrbyfloat(struct call *c)
{
    struct entry *e;
    long double v = 0, increment;
    char scratch[NUM_I64_MAX_TEXT], text[NUM_LONG_DOUBLE_MAX_TEXT];
    const struct span key = c->argv[1];
    if (!call_find(c, key, TYPE_STRING, FOR_WRITE, &e)) return;
    if ((e && !num_parse_long_double(entry_string(e, scratch), &v)) ||
        !num_parse_long_double(c->argv[2], &increment)) {
        reply_not_a_float(c->reply);
        return;
    }
    v += increment;
    if (isnan(v) || isinf(v)) {
        reply_error(c->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    const struct span result = span_of(text, num_format_long_double(text, v));
    call_put(c, key, &(struct value){.type = TYPE_STRING, .string = result}, e ? entry_expiry(e) : NO_EXPIRY);
    /* Another machine's floating point may differ in the last digit: the log has the result. */
    CALL_EFFECT(c, SPAN("SET"), key, result, SPAN("KEEPTTL"));
    call_changed(c, EVENT_STRING, "incrbyfloat", key, 1);
    reply_bulk(c->reply, result);
}
