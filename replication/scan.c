#include "replication/scan.h"

#include <assert.h>
#include <inttypes.h>

enum { COMMENT_MAX = 1 << 20, SEARCH_STEP = 64 << 10 };

enum err scan_open(struct scan *s, const struct io_ops *io, const char *path, uint64_t start, uint64_t end,
                   struct errmsg *m)
{
    *s = (struct scan){.start = start};
    return file_source_open(&s->file, io, path, end - start, m);
}

void scan_close(struct scan *s)
{
    file_source_close(&s->file);
    resp_parser_free(&s->parser);
    *s = (struct scan){0};
}

enum err scan_batch(struct scan *s, const struct history *history, struct batch_chain *chain, struct batch *b,
                    struct errmsg *m)
{
    struct span bytes;
    size_t need = BATCH_LINE_MAX;
    assert(chain->offset == s->start + s->file.at);
    if (s->file.at == s->file.size) return ERR_MISSING;
    if (!history_enter(history, chain))
        return err_set(m, ERR_DIVERGED, "the epochs in the manifest do not fit the log at offset %" PRIu64,
                       chain->offset);
    for (;;) {
        enum err e = file_source_want(&s->file, need, &bytes, m);
        if (e) return e;
        const size_t had = bytes.n;
        e = batch_take(bytes, BATCH_MAX, chain, b, &need, m);
        if (e == ERR_TRUNCATED && need > had && need <= s->file.size - s->file.at) continue;
        if (e == ERR_OK) file_source_skip(&s->file, need);
        return e;
    }
}

/* Whether an annotation line stands at position @at that states the very offset of its place. */
static enum err plausible_line(struct scan *s, uint64_t at, struct batch *b, bool *yes, struct errmsg *m)
{
    struct span bytes;
    *yes = false;
    file_source_seek(&s->file, at);
    const enum err e = file_source_want(&s->file, BATCH_LINE_MAX, &bytes, m);
    if (!e) *yes = batch_read_line(bytes, BATCH_MAX, b) == ERR_OK && b->offset == s->start + at;
    return e;
}

/* Whether a batch that leads exactly to the end of the file or to another one begins at position @at. */
static enum err whole_batch(struct scan *s, uint64_t at, bool *yes, struct errmsg *m)
{
    struct batch b, next;
    const enum err e = plausible_line(s, at, &b, yes, m);
    if (e || !*yes) return e;
    const uint64_t end = at + b.line + b.payload.n;
    *yes = end == s->file.size;
    return *yes || end > s->file.size ? ERR_OK : plausible_line(s, end, &next, yes, m);
}

/* Look behind position @from for a whole batch; *at is its position, if there is one. */
static enum err find_batch(struct scan *s, uint64_t from, bool *found, uint64_t *at, struct errmsg *m)
{
    struct span bytes;
    *found = false;
    for (uint64_t pos = from; pos < s->file.size && !*found;) {
        file_source_seek(&s->file, pos);
        enum err e = file_source_want(&s->file, SEARCH_STEP, &bytes, m);
        if (e) return e;
        const char *hit = bytes.p && bytes.n >= 3 ? memmem(bytes.p, bytes.n, "#B ", 3) : NULL;
        if (!hit) {
            /* The mark may lie across the border. */
            pos += bytes.n > 2 ? bytes.n - 2 : 3;
            continue;
        }
        *at = pos + (uint64_t)(hit - bytes.p);
        if ((e = whole_batch(s, *at, found, m))) return e;
        pos = *at + 1;
    }
    return ERR_OK;
}

/* Whether the bytes at position @from are a Redis's doing rather than the rest of a batch of ours: they read as commands
 * to the end (or to one that is cut off, but then beyond the batch that was begun here), with a SELECT, which a Redis
 * writes before anything else when it has been started. */
static enum err is_foreign(struct scan *s, uint64_t from, bool *yes, struct errmsg *m)
{
    const struct span *argv;
    size_t argc;
    struct batch begun;
    bool line, selected = false;
    enum err e = plausible_line(s, from, &begun, &line, m);
    if (e) return e;
    const uint64_t begun_end = line ? from + begun.line + begun.payload.n : from;
    file_source_seek(&s->file, from);
    while (!(e = scan_command(s, &argv, &argc, NULL))) selected |= span_is(argv[0], "select");
    *yes = selected && (e == ERR_MISSING || (e == ERR_TRUNCATED && s->file.at > begun_end));
    return e == ERR_MISSING || e == ERR_TRUNCATED || e == ERR_CORRUPT ? ERR_OK : e;
}

enum err scan_classify(struct scan *s, enum scan_end *end, uint64_t *resume, struct errmsg *m)
{
    const uint64_t from = s->file.at;
    struct span bytes;
    bool found;
    enum err e = file_source_want(&s->file, BATCH_LINE_MAX, &bytes, m);
    if (e) return e;
    *end = SCAN_FOREIGN;
    if (bytes.n >= 2 && bytes.p[0] == '*' && bytes.p[1] >= '0' && bytes.p[1] <= '9') return ERR_OK;
    if (bytes.n >= 4 && memcmp(bytes.p, "#TS:", 4) == 0) return ERR_OK;
    if ((e = find_batch(s, from + 1, &found, resume, m))) return e;
    *resume += s->start;
    *end = SCAN_DAMAGED;
    if (found) return ERR_OK;
    e = is_foreign(s, from, &found, m);
    *end = found ? SCAN_FOREIGN : SCAN_TORN;
    return e;
}

enum err scan_comment(struct scan *s, struct errmsg *m)
{
    struct span bytes;
    const enum err e = file_source_want(&s->file, COMMENT_MAX, &bytes, m);
    if (e) return e;
    const char *end = memchr(bytes.p, '\n', bytes.n);
    if (!end && bytes.n < COMMENT_MAX) return err_set(m, ERR_TRUNCATED, "a comment line is cut off");
    if (!end) return err_set(m, ERR_CORRUPT, "a comment line does not end");
    file_source_skip(&s->file, (size_t)(end + 1 - bytes.p));
    return ERR_OK;
}

/* One command at the front, which is no comment. */
static enum err read_command(struct scan *s, struct request *request, struct errmsg *m)
{
    const struct resp_limits limits = {.max_args = INT32_MAX, .max_bulk = BATCH_MAX, .max_inline = 64};
    struct span bytes;
    size_t want = 1, used;
    for (;;) {
        const enum err e = file_source_want(&s->file, want, &bytes, m);
        if (e) return e;
        if (bytes.n < want) return err_set(m, ERR_TRUNCATED, "a command is cut off");
        if (bytes.p[0] != '*') return err_set(m, ERR_CORRUPT, "no command where one must be");
        switch (resp_parse(&s->parser, bytes, &limits, request, &used, &want)) {
        case RESP_REQUEST: file_source_skip(&s->file, used); return ERR_OK;
        case RESP_INCOMPLETE: break;
        case RESP_BAD: return err_set(m, ERR_CORRUPT, "a command that cannot be read (%s)", s->parser.error);
        }
    }
}

enum err scan_command(struct scan *s, const struct span **argv, size_t *argc, struct errmsg *m)
{
    struct request request;
    for (;;) {
        struct span bytes;
        enum err e = file_source_want(&s->file, 1, &bytes, m);
        if (e) return e;
        if (bytes.n == 0) return ERR_MISSING;
        if (bytes.p[0] == '#') {
            if ((e = scan_comment(s, m))) return e;
            continue;
        }
        if ((e = read_command(s, &request, m))) {
            /* Whatever is read next begins afresh. */
            resp_parser_free(&s->parser);
            s->parser = (struct resp_parser){0};
            return e;
        }
        if (request.argc == 0) continue;
        *argv = request.argv;
        *argc = request.argc;
        return ERR_OK;
    }
}
