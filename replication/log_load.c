/* Starting: what is on disk is replayed, and a torn tail is cut.
 *
 * Happy path: base -> segments behind it, batch by batch -> fsync of the last one -> manifest -> the log thread starts.
 * Failures:   reported with file, place and remedy; nothing was changed until then but the loader's data. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"
#include "replication/log_impl.h"
#include "replication/scan.h"

/* More than ever waits for one sync (server/journal.c bounds it). */
enum { UNSURE_BYTES = 256 << 20 };

static enum err replay_batch(struct load *l, const struct batch *b, struct errmsg *m)
{
    struct batch_commands commands = {.rest = b->payload};
    const struct span *argv;
    size_t argc;
    enum err e;
    while (!(e = batch_next_command(&commands, &argv, &argc, m))) {
        l->report->commands++;
        if ((e = l->loader->command(l->loader->context, argv, argc, m))) break;
    }
    batch_commands_free(&commands);
    l->report->batches++;
    load_progress(l, b->line + b->payload.n);
    return e == ERR_MISSING ? ERR_OK : e;
}

/* Keep what is cut off beside the segment: it may be a batch that was whole once. */
static enum err save_cut(struct log *log, struct scan *s, uint64_t at, struct errmsg *m)
{
    struct span bytes;
    struct buf name = {0};
    file_source_seek(&s->file, at);
    enum err e = file_source_want(&s->file, (size_t)(s->file.size - at), &bytes, m);
    buf_printf(&name, "salvage-%" PRIx64 ".aof", s->start + at);
    buf_add_char(&name, 0);
    if (!e) e = file_replace(log->io, log->path, name.p, bytes, m);
    if (!e) log_say(log, LOG_SAY_NOTICE, "The bytes that are cut off are kept in %s/%s", log->path, name.p);
    buf_free(&name);
    return e;
}

static enum err truncate_file(struct log *log, const char *path, uint64_t size, struct errmsg *m)
{
    const int fd = log->io->open(log->io->context, path, O_WRONLY, 0);
    if (fd < 0) return err_errno(m, "open %s", path);
    enum err e = ERR_OK;
    if (log->io->ftruncate(log->io->context, fd, (off_t)size) || log->io->fsync(log->io->context, fd))
        e = err_errno(m, "cut %s", path);
    (void)log->io->close(log->io->context, fd);
    return e;
}

static enum err cut_tail(struct load *l, struct scan *s, uint64_t at, bool save, struct errmsg *m)
{
    const uint64_t bytes = s->file.size - at;
    const enum err e = save ? save_cut(l->log, s, at, m) : ERR_OK;
    if (e) return e;
    l->report->cut_bytes = bytes;
    log_say(l->log, LOG_SAY_WARNING,
            "%s ends in a batch that was not finished: its last %" PRIu64
            " bytes are cut off, the log ends at %" PRIu64,
            s->file.path, bytes, s->start + at);
    return truncate_file(l->log, s->file.path, at, m);
}

#define REMEDY                                                                                                \
    ". Take a backup, get it from a replica (relevo check --fix --from HOST:PORT), or end the log before it " \
    "(relevo check --fix)"

static enum err damaged(struct load *l, struct scan *s, uint64_t at, uint64_t resume, struct errmsg *m)
{
    const struct errmsg why = *m;
    return err_set(m, ERR_CORRUPT,
                   "%s is damaged at byte %" PRIu64 " (log offset %" PRIu64
                   "): %.100s. All before is whole, and so is "
                   "what begins at log offset %" PRIu64
                   ". Take a backup, get the part from a replica (relevo check --fix --from "
                   "HOST:PORT), or cut everything from the damage on by: relevo check --fix %.100s",
                   s->file.path, at, s->start + at, why.text, resume, l->log->path);
}

/* Batches of the last segment ended before the file did. */
static enum err odd_tail(struct load *l, struct scan *s, enum err why, struct errmsg *m)
{
    const uint64_t at = s->file.at;
    enum scan_end end;
    uint64_t resume;
    struct errmsg io;
    const enum err e = scan_classify(s, &end, &resume, &io);
    if (e) {
        *m = io;
        return e;
    }
    if (end == SCAN_DAMAGED) return damaged(l, s, at, resume, m);
    if (l->until) return ERR_OK; /* the log ends here, and its file stays as it is */
    if (end == SCAN_TORN) return cut_tail(l, s, at, why == ERR_CORRUPT, m);
    file_source_seek(&s->file, at);
    l->report->foreign = true;
    log_say(l->log, LOG_SAY_NOTICE, "A Redis has written to %s since byte %" PRIu64 ": a new lineage will begin",
            s->file.path, at);
    return load_plain(l, s, true, m);
}

static enum err ends_early(const struct scan *s, uint64_t offset, uint64_t end, struct errmsg *m)
{
    return err_set(m, ERR_CORRUPT,
                   "%s ends at log offset %" PRIu64 ", but the next segment begins at %" PRIu64
                   ": bytes are missing" REMEDY,
                   s->file.path, offset, end);
}

static enum err missing(const char *path, uint64_t start, struct errmsg *m)
{
    return err_set(m, ERR_MISSING,
                   "the segment %s, which holds the log from offset %" PRIu64 " on, is missing" REMEDY, path, start);
}

/* The batches of one segment; @next is the segment behind it, or NULL. */
static enum err load_batches(struct load *l, struct scan *s, const struct segment *next, struct batch_chain *chain,
                             struct errmsg *m)
{
    struct batch b;
    enum err e;
    while (!(e = scan_batch(s, &l->log->manifest.history, chain, &b, m))) {
        if (load_is_over(l, &b)) return ERR_OK;
        if ((e = replay_batch(l, &b, m)))
            return err_wrap(m, e, "cannot replay the batch at log offset %" PRIu64 " in %s", b.offset, s->file.path);
    }
    if (e == ERR_MISSING && next && chain->offset != next->start) return ends_early(s, chain->offset, next->start, m);
    if (e == ERR_MISSING) return ERR_OK;
    if (e != ERR_TRUNCATED && e != ERR_CORRUPT) return err_wrap(m, e, "cannot load %s", s->file.path);
    return next ? damaged(l, s, s->file.at, next->start, m) : odd_tail(l, s, e, m);
}

/* Read from the disk what may be on it or not: the tail of the last segment. If the process before us died after a sync
 * that failed, the kernel still shows bytes that it has given up writing, and no later sync would write them. What it has
 * not given up is written first. */
static enum err trust_disk(struct log *log, const char *path, struct errmsg *m)
{
    const int64_t size = file_size(log->io, path), from = size > UNSURE_BYTES ? size - UNSURE_BYTES : 0;
    const int fd = log->io->open(log->io->context, path, O_WRONLY, 0);
    if (fd < 0) return err_errno(m, "open %s", path);
    enum err e = log->io->fdatasync(log->io->context, fd) ? err_errno(m, "fsync %s", path) : ERR_OK;
    log->io->drop_cache(log->io->context, fd, (off_t)from, 0);
    if (log->io->close(log->io->context, fd) && !e) e = err_errno(m, "close %s", path);
    return e;
}

static enum err load_segment(struct load *l, const struct segment *g, const struct segment *next,
                             struct batch_chain *chain, struct errmsg *m)
{
    struct scan s = {0};
    bool there;
    char *path = path_join(l->log->path, g->name);
    enum err e = file_look(l->log->io, path, &there, m);
    if (!e && !there) e = missing(path, g->start, m);
    if (!e && !next) e = trust_disk(l->log, path, m);
    if (!e) e = scan_open(&s, l->log->io, path, g->start, next ? next->start : UINT64_MAX, m);
    if (!e) e = load_batches(l, &s, next, chain, m);
    scan_close(&s);
    mem_free(path);
    return e;
}

static enum err base_refused(enum err e, struct errmsg *m)
{
    const struct errmsg why = *m;
    return err_set(m, e,
                   "%.320s. Take a backup, or have an older base or one of a replica take its place by: relevo check "
                   "--fix [--from HOST:PORT]",
                   why.text);
}

static enum err load_our_base(struct load *l, const struct base *base, struct errmsg *m)
{
    struct scan s = {0};
    char *path = path_join(l->log->path, base->name);
    bool there;
    enum err e = file_look(l->log->io, path, &there, m);
    if (!e && !there) e = err_set(m, ERR_MISSING, "the base %s is missing", path);
    if (e == ERR_MISSING) e = base_refused(e, m);
    if (!e) e = scan_open(&s, l->log->io, path, 0, UINT64_MAX, m);
    if (!e) {
        l->log->stats.base_bytes = s.file.size;
        e = load_rdb(l, &s, m);
        if (e == ERR_CORRUPT || e == ERR_TRUNCATED || e == ERR_IO) e = base_refused(e, m);
    }
    scan_close(&s);
    mem_free(path);
    return e;
}

static void sum_sizes(struct load *l, const struct base *base, size_t first)
{
    const struct manifest *f = &l->log->manifest;
    for (size_t i = first; i <= f->segment_count; i++) {
        const char *name = i < f->segment_count ? f->segments[i].name : base ? base->name : NULL;
        if (!name) continue;
        char *path = path_join(l->log->path, name);
        const int64_t size = file_size(l->log->io, path);
        if (size > 0) l->total += (uint64_t)size;
        mem_free(path);
    }
}

enum err load_from(struct load *l, const struct base *base, struct batch_chain *chain, struct errmsg *m)
{
    const struct manifest *f = &l->log->manifest;
    size_t i = 0;
    enum err e = ERR_OK;
    if (base)
        while (i < f->segment_count && f->segments[i].start != base->position.offset) i++;
    if (i == f->segment_count || (base && f->segments[i].crc != base->position.crc))
        return err_set(m, ERR_CORRUPT, "%s/" LOG_MANIFEST " names no segment that begins at its base", l->log->path);
    *chain = (struct batch_chain){.offset = f->segments[i].start, .crc = f->segments[i].crc};
    sum_sizes(l, base, i);
    (void)snprintf(l->report->source, sizeof l->report->source, "%s, %s%zu segment%s", l->log->path,
                   base ? "a base and " : "", f->segment_count - i, f->segment_count - i == 1 ? "" : "s");
    if (base) e = load_our_base(l, base, m);
    for (; !e && !l->reached && i < f->segment_count; i++)
        e = load_segment(l, &f->segments[i], i + 1 < f->segment_count ? &f->segments[i + 1] : NULL, chain, m);
    return e;
}

/* Behind the load. */

/* Numbers that were used in names, by whomever. */
static void note_seqs(struct log *log)
{
    const struct manifest *f = &log->manifest;
    log->base_seq_floor = f->base.seq;
    if (f->segment_count) log->seq_floor = f->segments[f->segment_count - 1].seq;
    for (size_t i = 0; i < log->aof.count; i++) {
        uint64_t *floor = log->aof.files[i].type == 'b' ? &log->base_seq_floor : &log->seq_floor;
        if (log->aof.files[i].type != 'h' && log->aof.files[i].seq > *floor) *floor = log->aof.files[i].seq;
    }
}

static enum err open_last_segment(struct log *log, struct errmsg *m)
{
    const struct segment *g = &log->manifest.segments[log->manifest.segment_count - 1];
    char *path = path_join(log->path, g->name);
    enum err e = ERR_OK;
    log->fd = log->io->open(log->io->context, path, O_WRONLY | O_APPEND, 0);
    log->fd_start = g->start;
    /* What the process before us wrote may still be in the page cache only. */
    if (log->fd < 0) e = err_errno(m, "open %s", path);
    else if (log->io->fdatasync(log->io->context, log->fd)) e = err_errno(m, "fsync %s", path);
    mem_free(path);
    return e;
}

static enum err take_over_ours(struct log *log, const struct batch_chain *chain, struct errmsg *m)
{
    log->chain = *chain;
    history_truncate(&log->manifest.history, chain->offset);
    history_copy(&log->history, &log->manifest.history);
    const struct epoch *last = history_last(&log->history);
    if (!last || !history_enter(&log->history, &log->chain))
        return err_set(m, ERR_CORRUPT, "the epochs in %s/" LOG_MANIFEST " do not fit the end of the log", log->path);
    if (last->number > log->epoch_seen) log->epoch_seen = last->number;
    return open_last_segment(log, m);
}

/* The data came from a Redis: of ours only the identity goes on, and nothing is written before the checkpoint. */
static void forget_ours(struct log *log)
{
    struct manifest bare = {.node = log->node, .incarnation = log->incarnation, .epoch_seen = log->epoch_seen};
    manifest_free(&log->manifest);
    log->manifest = bare;
    log->chain = (struct batch_chain){0};
    log->foreign = log->loaded_foreign = log->must_checkpoint = true;
}

/* Files that a crash left between a manifest and their removal, and temporary ones. */
static bool is_orphan(const struct log *log, const char *name)
{
    const size_t prefix = strlen(log->o.append_name);
    if (strncmp(name, "temp-", 5) == 0) return true;
    if (strncmp(name, log->o.append_name, prefix) != 0 || name[prefix] != '.') return false;
    const char *number = name + prefix + 1, *dot = strchr(number, '.');
    int64_t seq;
    if (!dot || !num_parse_i64(span_of(number, (size_t)(dot - number)), &seq)) return false;
    const bool base = strcmp(dot, ".base.rdb") == 0;
    if (!base && strcmp(dot, ".incr.aof") != 0) return false;
    if (log->manifest.base.name && strcmp(log->manifest.base.name, name) == 0) return false;
    for (size_t i = 0; i < log->manifest.kept_count; i++)
        if (strcmp(log->manifest.kept[i].name, name) == 0) return false;
    for (size_t i = 0; i < log->manifest.segment_count; i++)
        if (strcmp(log->manifest.segments[i].name, name) == 0) return false;
    return (uint64_t)seq <= (base ? log->base_seq_floor : log->seq_floor);
}

struct sweep {
    struct log *log;
    struct names found;
};

static void sweep_orphan(void *context, const char *name)
{
    struct sweep *s = context;
    if (is_orphan(s->log, name)) names_add(&s->found, name);
}

static void remove_orphans(struct log *log)
{
    struct sweep s = {.log = log};
    (void)log->io->list(log->io->context, log->path, sweep_orphan, &s);
    log_remove_files(log, &s.found);
}

/* LOG_REPLACED, our directory's name and the seconds, perhaps with a number behind: log_install_base() calls them so. */
static bool is_replaced(const char *name, const char *own)
{
    static const char kind[] = LOG_REPLACED;
    const size_t n = strlen(own);
    if (strncmp(name, kind, sizeof kind - 1) != 0 || strncmp(name + sizeof kind - 1, own, n) != 0) return false;
    const char *time = name + sizeof kind - 1 + n;
    return *time == '-' && strspn(time, "0123456789-") > 10 && time[strspn(time, "0123456789-")] == '\0';
}

static void sweep_replaced(void *context, const char *name)
{
    struct sweep *s = context;
    if (is_replaced(name, s->log->o.append_dir)) names_add(&s->found, name);
}

/* Directories that a snapshot has replaced, and that a crash kept from being removed. */
static void remove_replaced(struct log *log)
{
    struct sweep s = {.log = log};
    (void)log->io->list(log->io->context, log->o.dir, sweep_replaced, &s);
    for (size_t i = 0; i < s.found.count; i++) {
        struct errmsg m;
        char *path = path_join(log->o.dir, s.found.at[i]);
        if (dir_remove(log->io, path, &m)) log_say(log, LOG_SAY_WARNING, "Cannot remove %s: %s", path, m.text);
        mem_free(path);
    }
    names_free(&s.found);
}

static enum err persist_start(struct log *log, struct errmsg *m)
{
    struct manifest next = {0};
    enum err e = dir_make(log->io, log->path, m);
    if (e) return e;
    manifest_copy(&next, &log->manifest);
    e = log_persist(log, &next, m);
    manifest_free(&next);
    if (!e && log->found == LOG_FOUND_OURS) {
        remove_orphans(log);
        remove_replaced(log);
    }
    return e;
}

enum err load_take_over(struct log *log, const struct batch_chain *chain, bool foreign, struct errmsg *m)
{
    enum err e = ERR_OK;
    note_seqs(log);
    if (foreign) forget_ours(log);
    else if (log->found == LOG_FOUND_OURS) e = take_over_ours(log, chain, m);
    if (!e && !foreign) e = persist_start(log, m);
    if (e) return e;
    atomic_store(&log->end, log->chain.offset);
    log_begin_at(log, log->chain.offset, log->chain.crc);
    log_thread_start(log);
    return ERR_OK;
}

enum err log_load(struct log *log, const struct log_loader *loader, struct log_report *report, struct errmsg *m)
{
    assert(!log->loaded);
    struct load l = {.log = log, .loader = loader, .report = report};
    struct batch_chain chain = {0};
    enum err e = ERR_OK;
    *report = (struct log_report){.fresh = log->found == LOG_FOUND_NOTHING};
    if (log->found == LOG_FOUND_OURS) {
        e = load_from(&l, log->manifest.base.name ? &log->manifest.base : NULL, &chain, m);
    } else if (log->found != LOG_FOUND_NOTHING) {
        report->foreign = log->o.files;
        e = load_foreign(&l, m);
    }
    if (!e && log->o.files) e = load_take_over(log, &chain, report->foreign, m);
    log->loaded = e == ERR_OK;
    return e;
}
