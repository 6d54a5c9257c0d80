/* The checks of single files. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/check_impl.h"
#include "replication/rdb_walk.h"
#include "replication/scan.h"

/* Batches of ours stopped at the scan's place, for the reason @why. */
static void report_end(struct check *c, struct scan *s, const char *why, bool last, struct segment_end *r)
{
    const uint64_t at = s->file.at;
    enum scan_end end;
    uint64_t resume = 0;
    struct errmsg m;
    if (scan_classify(s, &end, &resume, &m)) {
        r->unreadable = true;
        check_problem(c, "%s", m.text);
        return;
    }
    r->foreign = end == SCAN_FOREIGN;
    if (end == SCAN_FOREIGN && last) {
        check_say(c, "note     %s: a Redis has written behind byte %" PRIu64 ", log offset %" PRIu64, s->file.path,
                  at, s->start + at);
        r->sound = true;
        return;
    }
    if (end == SCAN_DAMAGED) {
        r->resume = resume;
        check_problem(c,
                      "%s: damaged at byte %" PRIu64 " (log offset %" PRIu64 "): %s. Whole before it: %" PRIu64
                      " bytes; whole batches again from byte %" PRIu64 " on, which a cut would lose too (%" PRIu64
                      " bytes): a replica's data (--from) or a backup is better",
                      s->file.path, at, s->start + at, why, at, resume - s->start,
                      s->file.size - (resume - s->start));
        return;
    }
    check_problem(c, "%s: ends in a batch that is not whole, at byte %" PRIu64 " (log offset %" PRIu64 "): %s%s",
                  s->file.path, at, s->start + at, why,
                  last ? ". The next start cuts it off by itself" : ". A cut would lose all of the log behind it");
}

struct segment_end check_segment(struct check *c, const char *path, uint64_t end, const struct history *history,
                                 struct batch_chain *chain)
{
    struct segment_end r = {.at = chain->offset};
    struct scan s;
    struct batch b;
    struct errmsg m = {.text = ""};
    uint64_t batches = 0;
    enum err e = scan_open(&s, c->io, path, chain->offset, end, &m);
    r.missing = e == ERR_MISSING;
    r.unreadable = e && !r.missing;
    if (e) {
        check_problem(c, "%s. It holds the log from offset %" PRIu64 " on", m.text, chain->offset);
        return r;
    }
    while (!(e = scan_batch(&s, history, chain, &b, &m))) {
        batches++;
        check_progress(c, b.line + b.payload.n);
    }
    r.at = chain->offset;
    r.sound = e == ERR_MISSING && (end == UINT64_MAX || chain->offset == end);
    if (r.sound)
        check_say(c, "ok       %s: %" PRIu64 " batches, log offsets %" PRIu64 " to %" PRIu64, path, batches, s.start,
                  chain->offset);
    else if (e == ERR_MISSING)
        check_problem(c, "%s: ends at log offset %" PRIu64 ", but the next segment begins at %" PRIu64, path,
                      chain->offset, end);
    else if (e == ERR_TRUNCATED || e == ERR_CORRUPT) report_end(c, &s, m.text, end == UINT64_MAX, &r);
    else {
        r.unreadable = e != ERR_DIVERGED;
        check_problem(c, "%s: %s", path, m.text);
    }
    scan_close(&s);
    return r;
}

/* RDB. */

/* The disk failed, not what is on it. */
static bool is_unreadable(enum err e)
{
    return e && e != ERR_CORRUPT && e != ERR_TRUNCATED && e != ERR_FOREIGN && e != ERR_RANGE && e != ERR_INVALID;
}

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

enum rdb_state check_rdb(struct check *c, const char *path)
{
    struct file_source f;
    struct rdb_loaded loaded = {0};
    struct errmsg m;
    enum err e = file_source_open(&f, c->io, path, UINT64_MAX, &m);
    if (e) {
        check_problem(c, "%s", m.text);
        return e == ERR_MISSING ? RDB_DAMAGED : RDB_UNREADABLE;
    }
    e = pass_rdb(c, &f, &loaded, &m);
    if (is_unreadable(e)) check_problem(c, "%s", m.text);
    else if (e) report_rdb(c, &f, &loaded, e, &m);
    else if (f.at < f.size) check_problem(c, "%s: %" PRIu64 " bytes stand behind its end", path, f.size - f.at);
    else
        check_say(c, "ok       %s: %" PRIu64 " bytes, %" PRIu64 " keys, %s", path, f.size, loaded.keys,
                  loaded.has_checksum ? "checksum right" : "without a checksum");
    const bool sound = !e && f.at == f.size;
    file_source_close(&f);
    return sound ? RDB_SOUND : is_unreadable(e) ? RDB_UNREADABLE : RDB_DAMAGED;
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
    if (last && check_mends(c) && !is_unreadable(e)) (void)mend_cut(c, s->file.path, at);
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
    if (snapshot) (void)check_rdb(c, path);
    else check_plain(c, path, true);
}
