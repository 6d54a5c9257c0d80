#include "common/resp.h"

#include <assert.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"

enum {
    FIRST_ROOM = 16,  /* arguments that a new parser has room for */
    KEPT_ROOM = 4096, /* more than this is given back after the request that needed it */
    KEPT_INLINE = 4096,
};

/* How far reading one header line ("*3\r\n", "$5\r\n") got. */
enum header { HEADER_NUMBER, HEADER_INCOMPLETE, HEADER_TOO_LONG, HEADER_INVALID };

static enum resp_status bad(struct resp_parser *p, const char *text)
{
    (void)snprintf(p->error, sizeof p->error, "ERR Protocol error: %s", text);
    return RESP_BAD;
}

/* A line that is not the common case: its end is not here yet, it is negative, or it is no number. */
static enum header header_rest(struct resp_parser *p, struct span line, size_t max, int64_t *v, size_t *used)
{
    const char *end =
        p->scanned_bytes < line.n ? memchr(line.p + p->scanned_bytes, '\r', line.n - p->scanned_bytes) : NULL;
    if (!end) {
        p->scanned_bytes = line.n;
        return line.n > max ? HEADER_TOO_LONG : HEADER_INCOMPLETE;
    }
    const size_t n = (size_t)(end - line.p);
    if (n > max) return HEADER_TOO_LONG;
    p->scanned_bytes = n;
    if (n + 2 > line.n) return HEADER_INCOMPLETE;
    p->scanned_bytes = 0;
    if (n == 0 || end[1] != '\n' || !num_parse_i64(span_of(line.p + 1, n - 1), v)) return HEADER_INVALID;
    *used = n + 2;
    return HEADER_NUMBER;
}

/* The number in the header line at the front of @line, whose first byte was looked at by the caller. */
static inline enum header header_read(struct resp_parser *p, struct span line, size_t max, int64_t *v, size_t *used)
{
    enum { FAST_DIGITS = 9 }; /* longer numbers are rare */
    const char *at = line.p + 1;
    const size_t n = line.n - 1;
    uint32_t number = 0;
    size_t i = 0;
    while (i < n && i < FAST_DIGITS && (unsigned char)(at[i] - '0') < 10)
        number = number * 10 + (uint32_t)(at[i++] - '0');
    /* The canonical form only: "03" goes the long way and is refused there. */
    if (i && i + 2 <= n && at[i] == '\r' && at[i + 1] == '\n' && (at[0] != '0' || i == 1)) {
        p->scanned_bytes = 0;
        *v = number;
        *used = i + 3;
        return HEADER_NUMBER;
    }
    return header_rest(p, line, max, v, used);
}

/* The bytes of the arguments that are done lie elsewhere now. */
static void rebase(struct resp_parser *p, const char *to)
{
    for (size_t i = 0; i < p->done_args; i++) p->argv.at[i].p = to + (p->argv.at[i].p - p->base);
    p->base = to;
}

/* Room for arguments grows as they come: a header alone, whatever it promises, costs nothing. */
static void make_room(struct resp_parser *p)
{
    const size_t room = p->argv.room ? p->argv.room * 2 : FIRST_ROOM;
    p->argv.at = mem_realloc(p->argv.at, room * sizeof *p->argv.at);
    p->argv.room = room;
}

/* Start of a request: what the one before needed beyond measure is given back. */
static void forget(struct resp_parser *p)
{
    p->total_args = p->done_args = p->done_bytes = p->scanned_bytes = 0;
    p->bulk_bytes = -1;
    if (p->argv.room > KEPT_ROOM) {
        mem_free(p->argv.at);
        p->argv = (struct resp_argv){0};
    }
}

static enum resp_status read_array_header(struct resp_parser *p, struct span in, const struct resp_limits *limits)
{
    int64_t n;
    size_t used;
    switch (header_read(p, in, limits->max_inline, &n, &used)) {
    case HEADER_NUMBER: break;
    case HEADER_INCOMPLETE: return RESP_INCOMPLETE;
    case HEADER_TOO_LONG: return bad(p, "too big mbulk count string");
    case HEADER_INVALID: return bad(p, "invalid multibulk length");
    }
    if (n > (int64_t)limits->max_args)
        return bad(p, limits->unauthenticated && n <= INT32_MAX ? "unauthenticated multibulk length"
                                                                : "invalid multibulk length");
    p->done_bytes = used;
    p->total_args = n > 0 ? (size_t)n : 0;
    return RESP_REQUEST;
}

static enum resp_status bad_bulk_kind(struct resp_parser *p, char got)
{
    char text[32];
    (void)snprintf(text, sizeof text, "expected '$', got '%c'", got);
    return bad(p, text);
}

/* "$5\r\n" behind done_bytes. */
static inline enum resp_status read_bulk_header(struct resp_parser *p, struct span in,
                                                const struct resp_limits *limits)
{
    const struct span line = span_of(in.p + p->done_bytes, in.n - p->done_bytes);
    size_t used;
    if (line.n == 0) return RESP_INCOMPLETE;
    const enum header header = header_read(p, line, limits->max_inline, &p->bulk_bytes, &used);
    if (header == HEADER_INCOMPLETE) return RESP_INCOMPLETE;
    if (header == HEADER_TOO_LONG) return bad(p, "too big bulk count string");
    if (line.p[0] != '$') return bad_bulk_kind(p, line.p[0]);
    if (header == HEADER_INVALID) return bad(p, "invalid bulk length");
    if (p->bulk_bytes < 0) return bad(p, "invalid bulk length");
    if (p->bulk_bytes > (int64_t)limits->max_bulk)
        return bad(p, limits->unauthenticated && p->bulk_bytes <= INT32_MAX ? "unauthenticated bulk length"
                                                                            : "invalid bulk length");
    p->done_bytes += used;
    return RESP_REQUEST;
}

static enum resp_status parse_array(struct resp_parser *p, struct span in, const struct resp_limits *limits,
                                    struct request *request, size_t *used, size_t *want)
{
    enum resp_status status;
    *want = in.n + 1;
    if (p->done_bytes == 0) {
        if ((status = read_array_header(p, in, limits)) != RESP_REQUEST) return status;
        p->bulk_bytes = -1;
    }
    while (p->done_args < p->total_args) {
        if (p->bulk_bytes < 0 && (status = read_bulk_header(p, in, limits)) != RESP_REQUEST) return status;
        const size_t n = (size_t)p->bulk_bytes;
        if (in.n - p->done_bytes < n + 2) {
            *want = p->done_bytes + n + 2;
            return RESP_INCOMPLETE;
        }
        const char *bytes = in.p + p->done_bytes;
        if (bytes[n] != '\r' || bytes[n + 1] != '\n') return bad(p, "bulk string does not end in CRLF");
        if (p->done_args == p->argv.room) make_room(p);
        p->argv.at[p->done_args++] = span_of(bytes, n);
        p->done_bytes += n + 2;
        p->bulk_bytes = -1;
    }
    *request = (struct request){.argv = p->argv.at, .argc = p->total_args, .raw = span_of(in.p, p->done_bytes)};
    *used = p->done_bytes;
    return RESP_REQUEST;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The byte that the escape sequence behind a backslash stands for; steps over it. */
static char unescape(struct cursor *c)
{
    const char kind = *c->at++;
    switch (kind) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    case 'x':
        if (cursor_left(c) >= 2 && hex_digit(c->at[0]) >= 0 && hex_digit(c->at[1]) >= 0) {
            const char v = (char)(hex_digit(c->at[0]) * 16 + hex_digit(c->at[1]));
            c->at += 2;
            return v;
        }
        return kind;
    default: return kind;
    }
}

/* The rest of a quoted part behind its opening @quote. False: it does not end, or more follows at once. */
static bool unquote(struct cursor *c, char quote, struct buf *to)
{
    while (cursor_left(c)) {
        const char ch = *c->at++;
        if (ch == quote) return cursor_left(c) == 0 || is_space(*c->at);
        if (ch != '\\' || cursor_left(c) == 0 || (quote == '\'' && *c->at != '\'')) buf_add_char(to, ch);
        else buf_add_char(to, unescape(c));
    }
    return false;
}

/* One word of an inline request; quotes may begin within it, and end it. */
static bool read_word(struct cursor *c, struct buf *to)
{
    while (cursor_left(c) && !is_space(*c->at)) {
        const char ch = *c->at++;
        if (ch == '"' || ch == '\'') return unquote(c, ch, to);
        buf_add_char(to, ch);
    }
    return true;
}

static enum resp_status parse_inline(struct resp_parser *p, struct span in, const struct resp_limits *limits,
                                     struct request *request, size_t *used, size_t *want)
{
    const char *end = memchr(in.p + p->scanned_bytes, '\n', in.n - p->scanned_bytes);
    /* The same in one portion as in many. */
    if ((end ? (size_t)(end - in.p) : in.n) > limits->max_inline) return bad(p, "too big inline request");
    if (!end) {
        p->scanned_bytes = in.n;
        *want = in.n + 1;
        return RESP_INCOMPLETE;
    }
    *used = (size_t)(end - in.p) + 1;
    size_t n = *used - 1;
    if (n && in.p[n - 1] == '\r') n--;
    struct cursor c = cursor_of(span_of(in.p, n));
    buf_reset(&p->inline_bytes, KEPT_INLINE);
    (void)buf_room(&p->inline_bytes, n + 1); /* words are never longer than their text: spans into it stay */
    const size_t cap = p->inline_bytes.cap;
    for (;;) {
        while (cursor_left(&c) && is_space(*c.at)) c.at++;
        if (cursor_left(&c) == 0) break;
        const size_t begin = p->inline_bytes.len;
        if (!read_word(&c, &p->inline_bytes)) return bad(p, "unbalanced quotes in request");
        if (p->done_args == p->argv.room) make_room(p);
        p->argv.at[p->done_args++] = span_of(p->inline_bytes.p + begin, p->inline_bytes.len - begin);
    }
    assert(p->inline_bytes.cap == cap);
    *request = (struct request){.argv = p->argv.at, .argc = p->done_args};
    return RESP_REQUEST;
}

enum resp_status resp_parse(struct resp_parser *p, struct span in, const struct resp_limits *limits,
                            struct request *request, size_t *used, size_t *want)
{
    if (in.n == 0) {
        *want = 1;
        return RESP_INCOMPLETE;
    }
    if (!resp_parser_midway(p)) {
        forget(p);
        p->base = in.p;
    } else if (p->base != in.p) {
        rebase(p, in.p);
    }
    const enum resp_status status = in.p[0] == '*' ? parse_array(p, in, limits, request, used, want)
                                                   : parse_inline(p, in, limits, request, used, want);
    if (status != RESP_INCOMPLETE) p->total_args = p->scanned_bytes = 0;
    return status;
}

void resp_parser_free(struct resp_parser *p)
{
    mem_free(p->argv.at);
    buf_free(&p->inline_bytes);
    *p = (struct resp_parser){0};
}

void resp_encode(struct buf *out, const struct span *argv, size_t n)
{
    enum { HEAD = NUM_I64_MAX_TEXT + 3, TAIL = 2 };
    char *to = buf_room(out, HEAD);
    size_t len = 0;
    to[len++] = '*';
    len += num_format_u64(to + len, n);
    to[len++] = '\r';
    to[len++] = '\n';
    out->len += len;
    for (size_t i = 0; i < n; i++) {
        to = buf_room(out, HEAD + argv[i].n + TAIL);
        len = 0;
        to[len++] = '$';
        len += num_format_u64(to + len, argv[i].n);
        to[len++] = '\r';
        to[len++] = '\n';
        if (argv[i].n) memcpy(to + len, argv[i].p, argv[i].n);
        len += argv[i].n;
        to[len++] = '\r';
        to[len++] = '\n';
        out->len += len;
    }
}
