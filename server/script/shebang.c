#include "server/script/shebang.h"

#include "replication/words.h"

/* In the order of the bits. */
static const char *const flag_names[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                         "allow-cross-slot-keys"};
enum { FLAG_NAMES = sizeof flag_names / sizeof flag_names[0] };

unsigned shebang_flag(struct span name)
{
    for (unsigned i = 0; i < FLAG_NAMES; i++)
        if (span_eq(name, span_str(flag_names[i]))) return 1u << i;
    return 0;
}

const char *shebang_flag_name(unsigned i) { return i < FLAG_NAMES ? flag_names[i] : NULL; }

bool shebang_is_name(struct span name)
{
    for (size_t i = 0; i < name.n; i++) {
        const char c = ascii_lower(name.p[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') return false;
    }
    return name.n > 0;
}

static bool is_marked(struct span body) { return body.n >= 2 && memcmp(body.p, "#!", 2) == 0; }

/* The first line, and what follows it from the line's end on. False: there is no line's end. */
static bool first_line(struct span body, struct span *line, struct span *rest)
{
    const char *end = memchr(body.p, '\n', body.n);
    if (!end) return false;
    *line = span_of(body.p, (size_t)(end - body.p));
    *rest = span_of(end, (size_t)(body.p + body.n - end));
    return true;
}

/* The value of an option "name=value"; false if the word is another. */
static bool option(struct span word, const char *name, struct span *value)
{
    const size_t n = strlen(name);
    if (word.n < n || memcmp(word.p, name, n) != 0) return false;
    *value = span_of(word.p + n, word.n - n);
    /* Quotes may stand around the value alone. */
    const char first = value->n >= 2 ? value->p[0] : '\0';
    if ((first == '"' || first == '\'') && value->p[value->n - 1] == first)
        *value = span_of(value->p + 1, value->n - 2);
    return true;
}

static int shown(struct span s) { return (int)(s.n < 128 ? s.n : 128); }

/* "a,b,c"; nothing at all is no flag. */
static enum err read_flags(struct span list, unsigned *flags, struct errmsg *m)
{
    if (list.n == 0) return ERR_OK;
    for (const char *at = list.p, *end = list.p + list.n; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const struct span word = span_of(at, (size_t)((comma ? comma : end) - at));
        const unsigned flag = shebang_flag(word);
        if (!flag) return err_set(m, ERR_INVALID, "Unexpected flag in script shebang: %.*s", shown(word), word.p);
        *flags |= flag;
        at = word.p + word.n + 1;
    }
    return ERR_OK;
}

static enum err read_script_words(const struct words *w, unsigned *flags, struct errmsg *m)
{
    if (w->count == 0 || !span_eq(w->word[0], SPAN("#!lua"))) {
        const struct span first = w->count ? w->word[0] : SPAN("");
        return err_set(m, ERR_INVALID, "Unexpected engine in script shebang: %.*s", shown(first), first.p);
    }
    for (size_t i = 1; i < w->count; i++) {
        struct span list;
        if (!option(w->word[i], "flags=", &list))
            return err_set(m, ERR_INVALID, "Unknown lua shebang option: %.*s", shown(w->word[i]), w->word[i].p);
        const enum err e = read_flags(list, flags, m);
        if (e) return e;
    }
    return ERR_OK;
}

enum err shebang_of_script(struct span body, unsigned *flags, struct span *code, struct errmsg *m)
{
    struct words w = {0};
    struct span line;
    *flags = SCRIPT_COMPAT;
    *code = body;
    if (!is_marked(body)) return ERR_OK;
    *flags = 0;
    if (!first_line(body, &line, code) || !words_split(&w, line)) {
        words_free(&w);
        return err_set(m, ERR_INVALID, "Invalid script shebang");
    }
    const enum err e = read_script_words(&w, flags, m);
    words_free(&w);
    return e;
}

static enum err read_library_words(const struct words *w, struct span body, struct span *name, struct errmsg *m)
{
    const struct span engine = w->count ? span_of(w->word[0].p + 2, w->word[0].n - 2) : SPAN("");
    struct span value;
    *name = span_of(NULL, 0);
    for (size_t i = 1; i < w->count; i++) {
        if (!option(w->word[i], "name=", &value))
            return err_set(m, ERR_INVALID, "Invalid metadata value given: %.*s", shown(w->word[i]), w->word[i].p);
        if (name->p) return err_set(m, ERR_INVALID, "Invalid metadata value, name argument was given multiple times");
        /* The words' own memory goes; the same bytes stand in the body, since a good name needs no quoting. */
        const char *at = value.n ? memmem(body.p, body.n, value.p, value.n) : body.p;
        *name = at ? span_of(at, value.n) : span_of(body.p, 0);
    }
    if (!name->p) return err_set(m, ERR_INVALID, "Library name was not given");
    if (!shebang_is_name(*name))
        return err_set(m, ERR_INVALID,
                       "Library names can only contain letters, numbers, or underscores(_) and must be "
                       "at least one character long");
    if (!span_is(engine, "lua")) return err_set(m, ERR_INVALID, "Engine '%.*s' not found", shown(engine), engine.p);
    return ERR_OK;
}

enum err shebang_of_library(struct span body, struct span *name, struct span *code, struct errmsg *m)
{
    struct words w = {0};
    struct span line;
    if (!is_marked(body)) return err_set(m, ERR_INVALID, "Missing library metadata");
    if (!first_line(body, &line, code) || !words_split(&w, line)) {
        words_free(&w);
        return err_set(m, ERR_INVALID, "Invalid library metadata");
    }
    const enum err e = read_library_words(&w, line, name, m);
    words_free(&w);
    return e;
}
