#include "replication/words.h"

#include "replication/hex.h"

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0; }

static char escaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'a': return '\a';
    case 'b': return '\b';
    default: return c;
    }
}

/* The character that begins at @at within quotes; returns behind it. */
static const char *unescape(const char *at, const char *end, char *c)
{
    uint64_t byte;
    if (*at != '\\' || end - at < 2) {
        *c = *at;
        return at + 1;
    }
    if (at[1] == 'x' && end - at >= 4 && hex_parse_fixed(span_of(at + 2, 2), 2, &byte)) {
        *c = (char)byte;
        return at + 4;
    }
    *c = escaped(at[1]);
    return at + 2;
}

/* One word from @at on, unquoted to @out; NULL if its quotes do not close before @end or at its end. */
static const char *take_word(const char *at, const char *end, struct buf *out)
{
    char c;
    if (*at != '"') {
        while (at < end && !is_blank(*at)) buf_add_char(out, *at++);
        return at;
    }
    at++;
    while (at < end && *at != '"') {
        at = unescape(at, end, &c);
        buf_add_char(out, c);
    }
    if (at >= end || (at + 1 < end && !is_blank(at[1]))) return NULL;
    return at + 1;
}

bool words_split(struct words *w, struct span line)
{
    const char *at = line.p, *end = line.p + line.n;
    w->count = 0;
    w->text.len = 0;
    /* Unquoting only shrinks, so the words do not move while they are collected. */
    (void)buf_room(&w->text, line.n + 1);
    for (;;) {
        while (at < end && is_blank(*at)) at++;
        if (at >= end) return true;
        if (w->count == WORDS_MAX) return false;
        const size_t begin = w->text.len;
        if (!(at = take_word(at, end, &w->text))) return false;
        w->word[w->count++] = span_of(w->text.p + begin, w->text.len - begin);
    }
}

void words_free(struct words *w)
{
    buf_free(&w->text);
    w->count = 0;
}

static bool must_quote(struct span s)
{
    if (s.n == 0) return true;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 127 || c == '"' || c == '\\' || c == '\'') return true;
    }
    return s.p[0] == '#';
}

void words_add(struct buf *out, struct span s)
{
    if (!must_quote(s)) {
        buf_add_span(out, s);
        return;
    }
    words_quote(out, s);
}

/* The letter behind a backslash that stands for @c, or 0. */
static char letter_of(unsigned char c)
{
    switch (c) {
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\a': return 'a';
    case '\b': return 'b';
    case '"':
    case '\\': return (char)c;
    default: return 0;
    }
}

void words_quote(struct buf *out, struct span s)
{
    static const char digits[] = "0123456789abcdef";
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        const char letter = letter_of(c);
        if (letter) buf_add(out, (char[]){'\\', letter}, 2);
        else if (c < ' ' || c >= 127) buf_add(out, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
        else buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}
