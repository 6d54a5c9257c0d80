/* Loading up to a moment: which base to begin with, where to stop, and what the files cover.
 *
 * Happy path: the newest base that is not later than the moment (kept ones too, or none where the log is there from its
 *             beginning) -> batches behind it up to the moment -> a log without a lineage, as after a Redis's data.
 * Failures:   reported; nothing on disk was changed, and nothing is until log_install_base(). */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"
#include "replication/log_impl.h"
#include "replication/rdb_walk.h"
#include "replication/scan.h"

/* A place in the log and the time of which it holds the data. */
struct point {
    uint64_t offset;
    int64_t time_ms;
};

/* ---- When was a base begun? ---- */

struct head {
    int64_t time_ms; /* of ours */
    int64_t ctime_s; /* of whoever wrote it; rounded down */
};

static enum err read_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct head *h = context;
    (void)m;
    if (span_eq(name, SPAN(RDB_AUX_TIME))) (void)num_parse_i64(value, &h->time_ms);
    else if (span_eq(name, SPAN("ctime"))) (void)num_parse_i64(value, &h->ctime_s);
    return ERR_OK;
}

static enum err end_of_head(void *context, uint64_t db, const struct entry *e, struct errmsg *m)
{
    (void)context;
    (void)db;
    (void)e;
    return err_set(m, ERR_CANCELED, "the fields are over");
}

static enum err base_time(struct log *log, const struct base *b, int64_t *time_ms, struct errmsg *m)
{
    struct head h = {.time_ms = -1, .ctime_s = -1};
    const struct rdb_walk walk = {.context = &h, .aux = read_aux, .key = end_of_head};
    struct rdb_loaded loaded;
    struct file_source f;
    char *path = path_join(log->path, b->name);
    enum err e = file_source_open(&f, log->io, path, UINT64_MAX, m);
    if (!e) {
        e = rdb_walk_file(&f, &walk, &loaded, m);
        file_source_close(&f);
    }
    if (e == ERR_CANCELED) e = ERR_OK;
    if (e) e = err_wrap(m, e, "cannot read when %s was written", path);
    *time_ms = h.time_ms >= 0 ? h.time_ms : h.ctime_s >= 0 ? (h.ctime_s + 1) * 1000 : INT64_MAX;
    mem_free(path);
    return e;
}

/* ---- What is covered ---- */

/* The first or the last batch of a segment; false: it has none. */
static enum err look_at(struct load *l, size_t i, bool first, struct point *p, bool *found, struct errmsg *m)
{
    const struct manifest *f = &l->log->manifest;
    const struct segment *g = &f->segments[i];
    struct batch_chain chain = {.offset = g->start, .crc = g->crc};
    struct batch b;
    struct scan s;
    char *path = path_join(l->log->path, g->name);
    *found = false;
    enum err e = scan_open(&s, l->log->io, path, g->start, i + 1 < f->segment_count ? g[1].start : UINT64_MAX, m);
    while (!e && !(first && *found) && !scan_batch(&s, &f->history, &chain, &b, m)) {
        *found = true;
        *p = (struct point){first ? b.offset : batch_end(&b), b.time_ms};
    }
    scan_close(&s);
    mem_free(path);
    return e;
}

static enum err oldest(struct load *l, struct point *p, struct errmsg *m)
{
    const struct manifest *f = &l->log->manifest;
    bool found = false;
    if (f->segments[0].start > 0 || f->kept_count) {
        const struct base *b = f->kept_count ? f->kept : &f->base;
        if (f->segments[0].start > 0 || b->position.offset == 0) {
            p->offset = b->position.offset;
            return base_time(l->log, b, &p->time_ms, m);
        }
    }
    *p = (struct point){0, INT64_MAX};
    enum err e = ERR_OK;
    for (size_t i = 0; !e && !found && i < f->segment_count; i++) e = look_at(l, i, true, p, &found, m);
    return e;
}

static enum err newest(struct load *l, struct point *p, struct errmsg *m)
{
    const struct manifest *f = &l->log->manifest;
    bool found = false;
    enum err e = ERR_OK;
    *p = (struct point){f->segments[f->segment_count - 1].start, 0};
    for (size_t i = f->segment_count; !e && !found && i > 0; i--) e = look_at(l, i - 1, false, p, &found, m);
    if (!e && !found && f->base.name) e = base_time(l->log, &f->base, &p->time_ms, m);
    return e;
}

static enum err not_covered(struct load *l, const char *why, struct errmsg *m)
{
    struct point from, to;
    char first[MOMENT_MAX_TEXT], last[MOMENT_MAX_TEXT];
    enum err e = oldest(l, &from, m);
    if (!e) e = newest(l, &to, m);
    if (e) return e;
    (void)moment_format(from.time_ms, first);
    (void)moment_format(to.time_ms, last);
    return err_set(m, ERR_RANGE,
                   "%s. What can be restored from %s goes from %s (offset %" PRIu64 ") to %s (offset %" PRIu64 ")",
                   why, l->log->path, first, from.offset, last, to.offset);
}

/* ---- Where to begin ---- */

static enum err is_early_enough(struct load *l, const struct base *b, bool *yes, struct errmsg *m)
{
    int64_t time_ms;
    if (!l->until->is_time) {
        *yes = b->position.offset <= l->until->offset;
        return ERR_OK;
    }
    const enum err e = base_time(l->log, b, &time_ms, m);
    *yes = !e && time_ms <= l->until->time_ms;
    return e;
}

/* The base to begin with; NULL: none is early enough, or there is none. */
static enum err choose_base(struct load *l, const struct base **chosen, struct errmsg *m)
{
    const struct manifest *f = &l->log->manifest;
    bool yes = false;
    enum err e = ERR_OK;
    *chosen = NULL;
    if (f->base.name) e = is_early_enough(l, *chosen = &f->base, &yes, m);
    for (size_t i = f->kept_count; !e && !yes && i > 0; i--)
        e = is_early_enough(l, *chosen = &f->kept[i - 1], &yes, m);
    if (!yes) *chosen = NULL;
    return e;
}

static enum err check_begin(struct load *l, const struct base *b, struct errmsg *m)
{
    struct point first;
    if (b) return ERR_OK;
    if (l->log->manifest.segments[0].start > 0) return not_covered(l, "The moment lies before what is kept", m);
    if (!l->until->is_time) return ERR_OK;
    const enum err e = oldest(l, &first, m);
    if (e || first.time_ms <= l->until->time_ms) return e;
    return not_covered(l, "The moment lies before the log begins", m);
}

/* An epoch that was named must be the one that wrote up to there. */
static enum err check_epoch(struct load *l, struct errmsg *m)
{
    const struct moment *u = l->until;
    char why[96];
    if (u->is_time || u->epoch == 0) return ERR_OK;
    const struct epoch *e = history_at(&l->log->manifest.history, u->offset ? u->offset - 1 : 0);
    if (e && e->number == u->epoch) return ERR_OK;
    (void)snprintf(why, sizeof why, "Offset %" PRIu64 " was written in epoch %" PRIu64 ", not %" PRIu64, u->offset,
                   e ? e->number : 0, u->epoch);
    return not_covered(l, why, m);
}

static enum err check_end(struct load *l, const struct batch_chain *chain, struct errmsg *m)
{
    if (l->reached) return ERR_OK;
    if (l->until->is_time && l->until->time_ms > log_wall_ms())
        return not_covered(l, "The moment lies in the future", m);
    if (!l->until->is_time && l->until->offset > chain->offset)
        return not_covered(l, "The moment lies behind the end of the log", m);
    l->report->restored_offset = chain->offset;
    return ERR_OK;
}

bool load_is_over(struct load *l, const struct batch *b)
{
    if (!l->until) return false;
    l->reached = l->until->is_time ? b->time_ms > l->until->time_ms : batch_end(b) > l->until->offset;
    if (l->reached) l->report->restored_offset = b->offset;
    else l->report->restored_ms = b->time_ms;
    return l->reached;
}

enum err log_restore(struct log *log, const struct moment *until, const struct log_loader *loader,
                     struct log_report *report, struct errmsg *m)
{
    assert(!log->loaded && log->o.files);
    struct load l = {.log = log, .loader = loader, .report = report, .until = until};
    struct batch_chain chain = {0};
    const struct base *base;
    *report = (struct log_report){.foreign = true};
    if (log->found != LOG_FOUND_OURS || log->manifest.segment_count == 0)
        return err_set(m, ERR_MISSING, "there is no log of ours in %s: only such a one knows the times of its parts",
                       log->path);
    enum err e = check_epoch(&l, m);
    if (!e) e = choose_base(&l, &base, m);
    if (!e) e = check_begin(&l, base, m);
    if (!e && base && base->name) e = base_time(log, base, &report->restored_ms, m);
    if (!e) e = load_from(&l, base, &chain, m);
    if (!e) e = check_end(&l, &chain, m);
    if (e) return e;
    manifest_set_peers(&log->known, NULL, 0); /* they hold another lineage from now on */
    e = load_take_over(log, &chain, true, m);
    log->loaded = e == ERR_OK;
    return e;
}
