#include "common/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/num.h"

/* "<kind><n>\r\n" */
static size_t head_format(char *to, char kind, int64_t n)
{
    to[0] = kind;
    size_t len = 1 + num_format_i64(to + 1, n);
    to[len++] = '\r';
    to[len++] = '\n';
    return len;
}

static void add_head(struct reply *r, char kind, int64_t n)
{
    char *to = buf_room(r->out, NUM_I64_MAX_TEXT + 3);
    r->out->len += head_format(to, kind, n);
}

void reply_ok(struct reply *r) { buf_add(r->out, "+OK\r\n", 5); }

void reply_simple(struct reply *r, const char *text)
{
    buf_add_char(r->out, '+');
    buf_add_span(r->out, span_str(text));
    buf_add(r->out, "\r\n", 2);
}

void reply_error(struct reply *r, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof text) n = sizeof text - 1;
    /* An error is one line whatever a client put into it. */
    for (int i = 0; i < n; i++)
        if (text[i] == '\r' || text[i] == '\n') text[i] = ' ';
    buf_add_char(r->out, '-');
    buf_add(r->out, text, (size_t)n);
    buf_add(r->out, "\r\n", 2);
    r->errors++;
}

void reply_int(struct reply *r, int64_t v) { add_head(r, ':', v); }

void reply_bulk(struct reply *r, struct span s)
{
    char *to = buf_room(r->out, s.n + NUM_I64_MAX_TEXT + 5);
    size_t len = head_format(to, '$', (int64_t)s.n);
    if (s.n) memcpy(to + len, s.p, s.n);
    len += s.n;
    to[len++] = '\r';
    to[len++] = '\n';
    r->out->len += len;
}

void reply_bulk_int(struct reply *r, int64_t v)
{
    char text[NUM_I64_MAX_TEXT];
    reply_bulk(r, span_of(text, num_format_i64(text, v)));
}

static void add_double(struct reply *r, struct span s)
{
    if (r->resp < 3) {
        reply_bulk(r, s);
        return;
    }
    buf_add_char(r->out, ',');
    buf_add_span(r->out, s);
    buf_add(r->out, "\r\n", 2);
}

void reply_double(struct reply *r, double v)
{
    char text[NUM_DOUBLE_MAX_TEXT];
    add_double(r, span_of(text, num_format_double(text, v)));
}

void reply_long_double(struct reply *r, long double v)
{
    char text[NUM_LONG_DOUBLE_MAX_TEXT];
    add_double(r, span_of(text, num_format_long_double(text, v)));
}

void reply_bool(struct reply *r, bool v)
{
    if (r->resp < 3) reply_int(r, v);
    else buf_add(r->out, v ? "#t\r\n" : "#f\r\n", 4);
}

void reply_attribute_map(struct reply *r, size_t pairs)
{
    assert(r->resp >= 3);
    add_head(r, '|', (int64_t)pairs);
}

void reply_null(struct reply *r)
{
    if (r->resp < 3) buf_add(r->out, "$-1\r\n", 5);
    else buf_add(r->out, "_\r\n", 3);
}

void reply_null_array(struct reply *r)
{
    if (r->resp < 3) buf_add(r->out, "*-1\r\n", 5);
    else buf_add(r->out, "_\r\n", 3);
}

void reply_verbatim(struct reply *r, const char *kind, struct span s)
{
    if (r->resp < 3) {
        reply_bulk(r, s);
        return;
    }
    add_head(r, '=', (int64_t)s.n + 4);
    buf_add(r->out, kind, 3);
    buf_add_char(r->out, ':');
    buf_add_span(r->out, s);
    buf_add(r->out, "\r\n", 2);
}

void reply_array(struct reply *r, size_t n) { add_head(r, '*', (int64_t)n); }

void reply_map(struct reply *r, size_t pairs)
{
    if (r->resp < 3) add_head(r, '*', (int64_t)pairs * 2);
    else add_head(r, '%', (int64_t)pairs);
}

void reply_set(struct reply *r, size_t n) { add_head(r, r->resp < 3 ? '*' : '~', (int64_t)n); }

void reply_push(struct reply *r, size_t n) { add_head(r, r->resp < 3 ? '*' : '>', (int64_t)n); }

size_t reply_begin(struct reply *r) { return r->out->len; }

static void put_head(struct reply *r, size_t mark, char kind, int64_t n)
{
    char head[NUM_I64_MAX_TEXT + 3];
    buf_insert(r->out, mark, head, head_format(head, kind, n));
}

void reply_end_array(struct reply *r, size_t mark, size_t n) { put_head(r, mark, '*', (int64_t)n); }

void reply_end_map(struct reply *r, size_t mark, size_t pairs)
{
    if (r->resp < 3) put_head(r, mark, '*', (int64_t)pairs * 2);
    else put_head(r, mark, '%', (int64_t)pairs);
}

void reply_end_set(struct reply *r, size_t mark, size_t n) { put_head(r, mark, r->resp < 3 ? '*' : '~', (int64_t)n); }

void reply_wrong_type(struct reply *r)
{
    reply_error(r, "WRONGTYPE Operation against a key holding the wrong kind of value");
}
void reply_syntax_error(struct reply *r) { reply_error(r, "ERR syntax error"); }
void reply_not_an_integer(struct reply *r) { reply_error(r, "ERR value is not an integer or out of range"); }
void reply_not_a_float(struct reply *r) { reply_error(r, "ERR value is not a valid float"); }
