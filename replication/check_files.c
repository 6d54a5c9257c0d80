/* The checks of single files, and the cut that --fix makes. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/rdb.h"
#include "replication/check_impl.h"
#include "replication/scan.h"

/* Copy what lies behind @at to "<path>.salvage-<at>", in pieces: it may be long. */
static enum err save_rest(struct check *c, struct scan *s, uint64_t at, struct buf *name, struct errmsg *m)
{
    enum { PIECE = 1 << 20 };
    buf_printf(name, "%s.salvage-%" PRIu64, s->file.path, at);
    buf_add_char(name, 0);
    const int fd = c->io->open(c->io->context, name->p, O_WRONLY | O_CREAT | O_EXCL, 0640);
    if (fd < 0) return err_errno(m, "create %s", name->p);
    enum err e = ERR_OK;
    file_source_seek(&s->file, at);
    while (!e && s->file.at < s->file.size) {
        struct span bytes;
        if ((e = file_source_want(&s->file, PIECE, &bytes, m))) break;
        struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
        e = file_write_all(c->io, fd, &v, 1, m);
        file_source_skip(&s->file, bytes.n);
    }
    if (!e && c->io->fsync(c->io->context, fd)) e = err_errno(m, "fsync %s", name->p);
    (void)c->io->close(c->io->context, fd);
    return e;
}

static enum err cut(struct check *c, const char *path, uint64_t at, struct errmsg *m)
{
    const int fd = c->io->open(c->io->context, path, O_WRONLY, 0);
    if (fd < 0) return err_errno(m, "open %s", path);
    enum err e = ERR_OK;
    if (c->io->ftruncate(c->io->context, fd, (off_t)at) || c->io->fsync(c->io->context, fd))
        e = err_errno(m, "cut %s", path);
    (void)c->io->close(c->io->context, fd);
    return e;
}

/* Cut the file at byte @at, if that is wanted. */
static void fix(struct check *c, struct scan *s, uint64_t at)
{
    struct buf name = {0};
    struct errmsg m;
    const uint64_t bytes = s->file.size - at;
    if (!c->o->fix) return;
    enum err e = save_rest(c, s, at, &name, &m);
    if (!e) e = cut(c, s->file.path, at, &m);
    if (e) {
        check_say(c, "failed   %s: %s", s->file.path, m.text);
    } else {
        c->result->fixed++;
        check_say(c, "fixed    %s: its last %" PRIu64 " bytes are in %s now", s->file.path, bytes, name.p);
    }
    buf_free(&name);
}

/* Batches of ours stopped at the scan's place, for the reason @why. */
static void report_end(struct check *c, struct scan *s, const char *why, bool last)
{
    const uint64_t at = s->file.at;
    enum scan_end end;
    uint64_t resume;
    struct errmsg m;
    if (scan_classify(s, &end, &resume, &m)) {
        check_problem(c, "%s", m.text);
        return;
    }
    if (end == SCAN_FOREIGN && last) {
        check_say(c, "note     %s: a Redis has written behind byte %" PRIu64 ", log offset %" PRIu64, s->file.path,
                  at, s->start + at);
        return;
    }
    if (end == SCAN_DAMAGED)
        check_problem(c,
                      "%s: damaged at byte %" PRIu64 " (log offset %" PRIu64 "): %s. Whole before it: %" PRIu64
                      " bytes; whole batches again from byte %" PRIu64 " on, which a cut would lose too (%" PRIu64
                      " bytes): a replica's data or a backup is better",
                      s->file.path, at, s->start + at, why, at, resume - s->start,
                      s->file.size - (resume - s->start));
    else
        check_problem(c, "%s: ends in a batch that is not whole, at byte %" PRIu64 " (log offset %" PRIu64 "): %s%s",
                      s->file.path, at, s->start + at, why,
                      last ? ". The next start cuts it off by itself" : ". The log behind it is of no use");
    /* In the middle of the log a cut would only make a hole. */
    if (last) fix(c, s, at);
}

void check_segment(struct check *c, const char *path, uint64_t end, const struct history *history,
                   struct batch_chain *chain)
{
    struct scan s;
    struct batch b;
    struct errmsg m = {.text = ""};
    uint64_t batches = 0;
    if (scan_open(&s, c->io, path, chain->offset, end, &m)) {
        check_problem(c, "%s", m.text);
        return;
    }
    enum err e;
    while (!(e = scan_batch(&s, history, chain, &b, &m))) {
        batches++;
        check_progress(c, b.line + b.payload.n);
    }
    if (e == ERR_MISSING && (end == UINT64_MAX || chain->offset == end))
        check_say(c, "ok       %s: %" PRIu64 " batches, log offsets %" PRIu64 " to %" PRIu64, path, batches, s.start,
                  chain->offset);
    else if (e == ERR_MISSING)
        check_problem(c, "%s: ends at log offset %" PRIu64 ", but the next segment begins at %" PRIu64, path,
                      chain->offset, end);
    else if (e == ERR_TRUNCATED || e == ERR_CORRUPT) report_end(c, &s, m.text, end == UINT64_MAX);
    else check_problem(c, "%s: %s", path, m.text);
    scan_close(&s);
}

/* RDB. */

static enum err sum_file(struct check *c, struct file_source *f, uint64_t end, struct rdb_sum *sum, struct errmsg *m)
{
    enum { PIECE = 1 << 20 };
    while (f->at < end) {
        struct span bytes;
        const enum err e = file_source_want(f, PIECE, &bytes, m);
        if (e) return e;
        if (bytes.n > end - f->at) bytes.n = (size_t)(end - f->at);
        if (bytes.n == 0) return err_set(m, ERR_TRUNCATED, "it became shorter");
        rdb_sum_add(sum, bytes);
        check_progress(c, bytes.n);
        file_source_skip(f, bytes.n);
    }
    return ERR_OK;
}

/* A file that is an RDB from its first byte to its last: its marks and its checksum. */
static enum err sum_rdb(struct check *c, struct file_source *f, struct errmsg *m)
{
    enum { TRAILER = 8, LEAST = 9 + 1 + TRAILER };
    struct rdb_sum sum = {0};
    struct span head, trailer;
    struct buf wanted = {0};
    if (f->size < LEAST) return err_set(m, ERR_TRUNCATED, "it is too short for an RDB file");
    enum err e = file_source_want(f, 5, &head, m);
    if (!e && memcmp(head.p, "REDIS", 5) != 0) e = err_set(m, ERR_CORRUPT, "it does not begin as an RDB file");
    if (!e) e = sum_file(c, f, f->size - TRAILER, &sum, m);
    if (!e) e = file_source_want(f, TRAILER, &trailer, m);
    if (e) return e;
    rdb_put_checksum(&wanted, &sum);
    static const char none[TRAILER];
    const bool same = memcmp(trailer.p, wanted.p, TRAILER) == 0;
    buf_free(&wanted);
    if (memcmp(trailer.p, none, TRAILER) == 0) return err_set(m, ERR_MISSING, "it has no checksum");
    return same ? ERR_OK : err_set(m, ERR_CORRUPT, "its checksum is not that of its bytes");
}

void check_rdb(struct check *c, const char *path)
{
    struct file_source f;
    struct errmsg m;
    enum err e = file_source_open(&f, c->io, path, UINT64_MAX, &m);
    if (!e) e = sum_rdb(c, &f, &m);
    if (!e) check_say(c, "ok       %s: %" PRIu64 " bytes, checksum right", path, f.size);
    else if (e == ERR_MISSING && f.path) check_say(c, "note     %s: %s", path, m.text);
    else check_problem(c, "%s: %s", path, m.text);
    file_source_close(&f);
}

/* Plain commands. */

static enum err feed(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    struct file_source *f = context;
    struct span bytes;
    const enum err e = file_source_want(f, 1, &bytes, m);
    if (e) return e;
    *got = n < bytes.n ? n : bytes.n;
    memcpy(to, bytes.p, *got);
    file_source_skip(f, *got);
    return ERR_OK;
}

/* Where an RDB at the front ends is known only by reading it whole. */
static enum err pass_rdb(struct check *c, struct scan *s, struct errmsg *m)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *engine = engine_new(&options);
    const struct rdb_source source = {.context = &s->file, .read = feed, .size = s->file.size};
    const struct rdb_target target = rdb_target_engine(engine);
    struct rdb_loaded loaded = {0};
    const enum err e = rdb_load(&source, &target, &loaded, m);
    if (!e) file_source_seek(&s->file, loaded.bytes);
    if (!e) check_progress(c, loaded.bytes);
    engine_free(engine);
    return e;
}

static void check_commands(struct check *c, struct scan *s, bool last)
{
    const struct span *argv;
    size_t argc;
    struct errmsg m;
    uint64_t commands = 0, at = s->file.at;
    enum err e;
    while (!(e = scan_command(s, &argv, &argc, &m))) {
        commands++;
        check_progress(c, s->file.at - at);
        at = s->file.at;
    }
    if (e == ERR_MISSING) {
        check_say(c, "ok       %s: %" PRIu64 " commands, %" PRIu64 " bytes", s->file.path, commands, s->file.size);
        return;
    }
    check_problem(c, "%s: at byte %" PRIu64 " of %" PRIu64 ", behind %" PRIu64 " commands: %s", s->file.path, at,
                  s->file.size, commands, m.text);
    if (last) fix(c, s, at);
}

void check_plain(struct check *c, const char *path, bool last)
{
    struct scan s;
    struct span head;
    struct errmsg m;
    enum err e = scan_open(&s, c->io, path, 0, UINT64_MAX, &m);
    if (!e) e = file_source_want(&s.file, 5, &head, &m);
    if (!e && head.n >= 5 && memcmp(head.p, "REDIS", 5) == 0) e = pass_rdb(c, &s, &m);
    if (e) check_problem(c, "%s: %s", path, m.text);
    else check_commands(c, &s, last);
    scan_close(&s);
}

/* A segment of ours alone: the chain is taken up at its first batch, whose own checksum cannot be verified. */
static bool check_lone_segment(struct check *c, const char *path)
{
    struct file_source f;
    struct span head;
    struct batch b;
    struct errmsg m;
    if (file_source_open(&f, c->io, path, UINT64_MAX, &m)) return false;
    bool ours = !file_source_want(&f, BATCH_LINE_MAX, &head, &m) && !batch_read_line(head, BATCH_MAX, &b);
    const uint64_t size = f.size;
    file_source_close(&f);
    if (!ours) return false;
    check_say(c,
              "note     %s: a segment from log offset %" PRIu64 " on, %" PRIu64
              " bytes; only its commands are checked "
              "here. Give the directory to have the batches verified",
              path, b.offset, size);
    check_plain(c, path, false);
    return true;
}

void check_file(struct check *c, const char *path)
{
    const size_t n = strlen(path);
    if (check_lone_segment(c, path)) return;
    if (n > 4 && strcmp(path + n - 4, ".rdb") == 0) check_rdb(c, path);
    else check_plain(c, path, true);
}
