/* Where settings come from and go to: the file and the command line. */
#include "server/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/resp.h"
#include "server/config_moot.h"
#include "server/words.h"

enum { FILE_MAX_BYTES = 16 << 20, INCLUDES_MAX = 16 };

static enum err read_file(const char *path, struct buf *to, struct errmsg *m)
{
    FILE *f = fopen(path, "re");
    if (!f) return err_errno(m, "cannot open %s", path);
    enum err e = ERR_OK;
    for (;;) {
        const size_t n = fread(buf_room(to, 4096), 1, 4096, f);
        to->len += n;
        if (n == 0) break;
        if (to->len > FILE_MAX_BYTES) {
            e = err_set(m, ERR_RANGE, "%s is too large for a file of settings", path);
            break;
        }
    }
    if (!e && ferror(f)) e = err_errno(m, "cannot read %s", path);
    (void)fclose(f);
    return e;
}

/* A line as words, by the rules of inline requests. Comments and empty lines have none. */
static enum err split_line(struct resp_parser *p, struct span line, struct request *words, struct errmsg *m)
{
    static const struct resp_limits limits = {.max_args = 1, .max_bulk = 1, .max_inline = FILE_MAX_BYTES};
    *words = (struct request){0};
    while (line.n && (*line.p == ' ' || *line.p == '\t')) {
        line.p++;
        line.n--;
    }
    if (line.n == 0 || *line.p == '#') return ERR_OK;
    if (*line.p == '*') return err_set(m, ERR_INVALID, "a setting's name begins with a letter");
    struct buf text = {0};
    buf_add_span(&text, line);
    buf_add_char(&text, '\n');
    size_t used, want;
    const enum resp_status status = resp_parse(p, buf_span(&text), &limits, words, &used, &want);
    buf_free(&text);
    return status == RESP_REQUEST ? ERR_OK : err_set(m, ERR_INVALID, "unbalanced quotes");
}

/* Set @id to its words, joined by spaces; @seen says which settings this source has named before. */
static enum err set_words(struct config *c, enum setting id, const struct span *words, size_t n, bool *seen,
                          struct errmsg *m)
{
    const struct setting_row *row = config_row(id);
    struct buf value = {0};
    if (row->kind != SETTING_TEXT && n != 1) return err_set(m, ERR_INVALID, "wrong number of arguments");
    if (row->kind == SETTING_TEXT && !row->rule && n != 1)
        return err_set(m, ERR_INVALID, "wrong number of arguments");
    if (n == 0) return err_set(m, ERR_INVALID, "wrong number of arguments");
    /* The first line of a source replaces, the others add; an empty value clears. */
    if (row->flags & SETTING_CUMULATIVE && seen[id] && !(n == 1 && words[0].n == 0)) config_format(c, id, &value);
    for (size_t i = 0; i < n; i++) {
        if (value.len) buf_add_char(&value, ' ');
        buf_add_span(&value, words[i]);
    }
    seen[id] = true;
    const enum err e = config_set(c, id, buf_span(&value), m);
    buf_free(&value);
    return e;
}

/* A setting that is none of ours. */
static enum err take_other(struct config *c, const struct span *words, size_t n, struct errmsg *m)
{
    const char *why;
    if (config_moot_find(words[0], &why)) return config_moot_take(words, n, config_notes(c), m);
    return err_set(m, ERR_INVALID, "unknown setting '%.*s'", (int)words[0].n, words[0].p);
}

static enum err load_file(struct config *c, const char *path, int depth, struct errmsg *m);

/* `include`: files whose names fit a pattern, in the order of the names. */
static enum err load_included(struct config *c, const struct span *words, size_t n, int depth, struct errmsg *m)
{
    glob_t found = {0};
    char pattern[4096];
    enum err e = ERR_OK;
    if (n != 2) return err_set(m, ERR_INVALID, "include: wrong number of arguments");
    if (depth == INCLUDES_MAX) return err_set(m, ERR_RANGE, "include: more than %d files deep", INCLUDES_MAX);
    (void)snprintf(pattern, sizeof pattern, "%.*s", (int)words[1].n, words[1].p);
    const int rc = glob(pattern, 0, NULL, &found);
    const bool is_pattern = strpbrk(pattern, "*?[");
    if (rc == GLOB_NOMATCH && !is_pattern) e = err_set(m, ERR_MISSING, "include: there is no file %s", pattern);
    else if (rc && rc != GLOB_NOMATCH) e = err_set(m, ERR_IO, "include: cannot look for %s", pattern);
    for (size_t i = 0; !e && !rc && i < found.gl_pathc; i++) e = load_file(c, found.gl_pathv[i], depth + 1, m);
    if (!rc) globfree(&found);
    return e;
}

static enum err load_line(struct config *c, struct resp_parser *p, struct span line, int number, bool *seen,
                          int depth, struct errmsg *m)
{
    struct request words;
    enum err e = split_line(p, line, &words, m);
    if (e || words.argc == 0) return e;
    enum setting id;
    const struct span name = words.argv[0];
    if (config_lists_know(name)) return config_lists_take(config_lists(c), words.argv, words.argc, number, m);
    if (span_is(name, "include")) return load_included(c, words.argv, words.argc, depth, m);
    if (!config_find(name, &id)) return take_other(c, words.argv, words.argc, m);
    e = set_words(c, id, words.argv + 1, words.argc - 1, seen, m);
    return e ? err_wrap(m, e, "%s", config_row(id)->name) : ERR_OK;
}

static enum err load_file(struct config *c, const char *path, int depth, struct errmsg *m)
{
    struct buf text = {0};
    struct resp_parser parser = {0};
    bool seen[SET_COUNT] = {false};
    enum err e = read_file(path, &text, m);
    struct cursor at = cursor_of(buf_span(&text));
    struct span line;
    if (!e && text.len && text.p[text.len - 1] != '\n') {
        buf_add_char(&text, '\n');
        at = cursor_of(buf_span(&text));
    }
    for (int number = 1; !e && take_line(&at, &line); number++) {
        e = load_line(c, &parser, line, number, seen, depth, m);
        if (e) e = err_wrap(m, e, "%s, line %d", path, number);
    }
    resp_parser_free(&parser);
    if (text.len) explicit_bzero(text.p, text.len); /* it may hold passwords */
    buf_free(&text);
    return e;
}

enum err config_load_file(struct config *c, const char *path, struct errmsg *m) { return load_file(c, path, 0, m); }

enum err config_load_args(struct config *c, int argc, char **argv, struct errmsg *m)
{
    bool seen[SET_COUNT] = {false};
    for (int i = 0; i < argc;) {
        enum setting id;
        if (strncmp(argv[i], "--", 2) != 0) return err_set(m, ERR_INVALID, "unexpected argument '%s'", argv[i]);
        const char *name = argv[i++] + 2;
        const bool listed = config_lists_know(span_str(name));
        const bool known = listed || config_find(span_str(name), &id);
        struct span words[64];
        size_t n = 0;
        words[n++] = span_str(name);
        while (i < argc && strncmp(argv[i], "--", 2) != 0 && n < sizeof words / sizeof *words)
            words[n++] = span_str(argv[i++]);
        const enum err e = listed   ? config_lists_take(config_lists(c), words, n, 0, m)
                           : !known ? take_other(c, words, n, m)
                                    : set_words(c, id, words + 1, n - 1, seen, m);
        if (e) return err_wrap(m, e, "--%s", name);
    }
    return ERR_OK;
}

static bool needs_quotes(struct span s)
{
    if (s.n == 0) return true;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || strchr("\"'\\#", s.p[i])) return true;
    return false;
}

static void add_quoted(struct buf *to, struct span s)
{
    buf_add_char(to, '"');
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') buf_printf(to, "\\%c", c);
        else if (c < ' ') buf_printf(to, "\\x%02x", c);
        else buf_add_char(to, (char)c);
    }
    buf_add_char(to, '"');
}

static void add_setting(const struct config *c, enum setting id, struct buf *to)
{
    struct buf value = {0};
    config_format(c, id, &value);
    buf_printf(to, "%s ", config_row(id)->name);
    const struct span text = buf_span(&value);
    /* A text with a rule is a list of plain words. */
    if (text.n == 0 || (!config_row(id)->rule && needs_quotes(text))) add_quoted(to, text);
    else buf_add_span(to, text);
    buf_add_char(to, '\n');
    buf_free(&value);
}

/* Lines "user <name> <rules>", their words quoted where that is needed. */
static void add_users(struct span users, struct buf *to)
{
    struct cursor at = cursor_of(users);
    struct span line, word;
    while (take_line(&at, &line)) {
        for (bool first = true; word_next(&line, ' ', &word); first = false) {
            if (!first) buf_add_char(to, ' ');
            if (needs_quotes(word)) add_quoted(to, word);
            else buf_add_span(to, word);
        }
        buf_add_char(to, '\n');
    }
}

/* The new content: the old lines with new values, each setting once, and behind them what was not there. */
static enum err rewrite_text(const struct config *c, struct span users, struct span old, struct buf *to,
                             struct errmsg *m)
{
    struct resp_parser parser = {0};
    bool done[SET_COUNT] = {false}, headed = false;
    struct cursor at = cursor_of(old);
    enum err e = ERR_OK;
    while (!e && cursor_left(&at)) {
        struct span line;
        struct request words;
        enum setting id;
        if (!take_line(&at, &line) && !take_span(&at, cursor_left(&at), &line)) break;
        e = split_line(&parser, line, &words, m);
        if (e) break;
        if (words.argc && span_is(words.argv[0], "user")) {
            add_users(users, to);
            users = SPAN("");
        } else if (words.argc == 0 || !config_find(words.argv[0], &id)) {
            buf_add_span(to, line);
            buf_add_char(to, '\n');
        } else if (!done[id]) {
            done[id] = true;
            add_setting(c, id, to);
        }
    }
    for (unsigned i = 0; !e && i < SET_COUNT; i++) {
        if (done[i] || config_is_initial(c, (enum setting)i)) continue;
        if (!headed) buf_add_span(to, SPAN("# Generated by CONFIG REWRITE\n"));
        headed = true;
        add_setting(c, (enum setting)i, to);
    }
    if (users.n && !headed) buf_add_span(to, SPAN("# Generated by CONFIG REWRITE\n"));
    add_users(users, to);
    resp_parser_free(&parser);
    return e;
}

enum err config_replace_file(const char *path, struct span text, struct errmsg *m)
{
    char temporary[4096], folder[4096];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.%d.new", path, (int)getpid()) >= sizeof temporary)
        return err_set(m, ERR_RANGE, "the path %s is too long", path);
    (void)snprintf(folder, sizeof folder, "%s", path);
    struct stat old;
    const mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0600; /* it may hold passwords */
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return err_errno(m, "cannot create %s", temporary);
    enum err e = ERR_OK;
    for (size_t done = 0; !e && done < text.n;) {
        const ssize_t n = write(fd, text.p + done, text.n - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) e = err_errno(m, "cannot write %s", temporary);
        else done += (size_t)n;
    }
    if (!e && fsync(fd) != 0) e = err_errno(m, "cannot write %s", temporary);
    (void)close(fd);
    if (!e && rename(temporary, path) != 0) e = err_errno(m, "cannot replace %s", path);
    if (e) {
        (void)unlink(temporary);
        return e;
    }
    const int dir = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
        (void)fsync(dir);
        (void)close(dir);
    }
    return ERR_OK;
}

enum err config_rewrite(const struct config *c, struct span users, const char *path, struct errmsg *m)
{
    struct buf old = {0}, text = {0};
    enum err e = access(path, F_OK) == 0 ? read_file(path, &old, m) : ERR_OK;
    if (!e) e = rewrite_text(c, users, buf_span(&old), &text, m);
    if (!e) e = config_replace_file(path, buf_span(&text), m);
    if (text.len) explicit_bzero(text.p, text.len);
    if (old.len) explicit_bzero(old.p, old.len);
    buf_free(&old);
    buf_free(&text);
    return e;
}
