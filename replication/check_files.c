/* The checks of single files, and the cut that --fix makes. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/check_impl.h"
#include "replication/rdb_walk.h"
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

static void note_bytes(void *context, uint64_t bytes) { check_progress(context, bytes); }

/* The RDB at the front, every key of it decoded. */
static enum err pass_rdb(struct check *c, struct file_source *f, struct rdb_loaded *loaded, struct errmsg *m)
{
    const struct rdb_walk walk = {.context = c, .progress = note_bytes};
    return rdb_walk_file(f, &walk, loaded, m);
}

static void report_rdb(struct check *c, const struct file_source *f, const struct rdb_loaded *loaded, enum err e,
                       const struct errmsg *m)
{
    if (e == ERR_FOREIGN) check_problem(c, "%s: %s", f->path, m->text);
    else
        check_problem(c,
                      "%s: damaged at byte %" PRIu64 " of %" PRIu64 ": %s. Whole before it: %" PRIu64
                      " keys. It cannot be mended: a replica's data or a backup can take its place",
                      f->path, loaded->bytes, f->size, m->text, loaded->keys);
}

void check_rdb(struct check *c, const char *path)
{
    struct file_source f;
    struct rdb_loaded loaded = {0};
    struct errmsg m;
    if (file_source_open(&f, c->io, path, UINT64_MAX, &m)) {
        check_problem(c, "%s", m.text);
        return;
    }
    const enum err e = pass_rdb(c, &f, &loaded, &m);
    if (e) report_rdb(c, &f, &loaded, e, &m);
    else if (f.at < f.size) check_problem(c, "%s: %" PRIu64 " bytes stand behind its end", path, f.size - f.at);
    else
        check_say(c, "ok       %s: %" PRIu64 " bytes, %" PRIu64 " keys, %s", path, f.size, loaded.keys,
                  loaded.has_checksum ? "checksum right" : "without a checksum");
    file_source_close(&f);
}

/* Plain commands. */

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
    struct rdb_loaded loaded = {0};
    struct errmsg m;
    enum err e = scan_open(&s, c->io, path, 0, UINT64_MAX, &m);
    if (!e) e = file_source_want(&s.file, 6, &head, &m);
    if (e) {
        check_problem(c, "%s: %s", path, m.text);
    } else {
        if (rdb_is_head(head)) e = pass_rdb(c, &s.file, &loaded, &m);
        if (e) report_rdb(c, &s.file, &loaded, e, &m);
        else check_commands(c, &s, last);
    }
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
    const bool snapshot = n > 4 && strcmp(path + n - 4, ".rdb") == 0;
    if (check_lone_segment(c, path)) return;
    if (snapshot) check_rdb(c, path);
    else check_plain(c, path, true);
}
