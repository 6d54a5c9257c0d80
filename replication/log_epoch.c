/* Epochs and the history that they make: opened by a primary, adopted by a replica; on disk before they count. */
#include <assert.h>
#include <inttypes.h>

#include "common/mem.h"
#include "replication/log_impl.h"

struct new_history {
    const struct history *history;
    uint64_t epoch_seen, start;
    uint32_t crc;
    bool may_wait; /* for a disk that fails now: see defer() */
};

/* The disk does not take an adopted history. A replica need not stop for that: in the failed state nothing more is
 * written, and the manifest that ends that state is the one that names this history too. */
static enum err defer(struct log *log, const struct new_history *n, const struct errmsg *why)
{
    (void)pthread_mutex_lock(&log->view);
    history_copy(&log->manifest.history, n->history);
    log->manifest.epoch_seen = n->epoch_seen;
    (void)pthread_mutex_unlock(&log->view);
    log_fail_for_now(log, why);
    return ERR_OK;
}

/* Log thread: what was appended so far is made durable first, so that no epoch starts behind what a power cut spares. */
static enum err persist_history(struct log *log, void *context, struct errmsg *m)
{
    const struct new_history *n = context;
    struct manifest next = {0};
    char *name = NULL;
    int fd = -1;
    const bool may_wait = n->may_wait && log->fd >= 0;
    enum err e = log->fd >= 0 ? log_flush_sync(log, m) : ERR_OK;
    if (e) return may_wait && !log->broken ? defer(log, n, m) : e;
    manifest_copy(&next, &log->manifest);
    history_copy(&next.history, n->history);
    next.epoch_seen = n->epoch_seen;
    if (log->o.files && log->fd < 0 && !log->foreign) {
        const uint64_t seq = log_next_seq(log, false);
        if (!(e = log_create_segment(log, seq, &fd, &name, m)))
            manifest_add_segment(&next, name, seq, n->start, n->crc);
    }
    if (!e) e = log_persist(log, &next, m);
    if (e && fd >= 0) (void)log->io->close(log->io->context, fd);
    else if (fd >= 0) {
        log->fd = fd;
        log->fd_start = n->start;
    }
    mem_free(name);
    manifest_free(&next);
    return e && may_wait && !log->broken ? defer(log, n, m) : e;
}

static enum err take_history(struct log *log, struct history *h, uint64_t seen, bool may_wait, struct errmsg *m)
{
    struct new_history n = {
        .history = h, .epoch_seen = seen, .start = log->chain.offset, .crc = log->chain.crc, .may_wait = may_wait};
    const enum err e = log_run(log, persist_history, &n, m);
    if (!e) {
        history_copy(&log->history, h);
        log->epoch_seen = seen;
        const bool entered = history_enter(&log->history, &log->chain);
        assert(entered);
        (void)entered;
    }
    history_free(h);
    return e;
}

enum err log_open_epoch(struct log *log, uint64_t at_least, struct errmsg *m)
{
    assert(log->loaded);
    struct history h = {0};
    struct epoch epoch = {.start = log->chain.offset, .crc = log->chain.crc};
    const struct epoch *last = history_last(&log->history);
    epoch.number = log->epoch_seen + 1;
    if (last && epoch.number <= last->number) epoch.number = last->number + 1;
    if (epoch.number < at_least) epoch.number = at_least;
    log_random(&epoch.id, sizeof epoch.id);
    history_copy(&h, &log->history);
    history_truncate(&h, epoch.start);
    if (!lineage_is_set(&h.lineage)) log_random(&h.lineage, sizeof h.lineage);
    const enum err added = history_add(&h, &epoch);
    assert(!added);
    (void)added;
    const enum err e = take_history(log, &h, epoch.number, false, m);
    return e ? err_wrap(m, e, "cannot open epoch %" PRIu64, epoch.number) : ERR_OK;
}

enum err log_adopt_history(struct log *log, const struct history *history, struct errmsg *m)
{
    assert(log->loaded);
    struct history h = {0};
    struct batch_chain chain = log->chain;
    uint64_t parting, seen = log->epoch_seen;
    const struct epoch *last = history_last(history);
    const bool empty = !lineage_is_set(&log->history.lineage) && log->chain.offset == 0;
    if (empty && log->loaded_foreign) return err_set(m, ERR_DIVERGED, "the data here is that of a Redis");
    if (!empty) {
        const uint64_t end = log->chain.offset;
        const enum history_relation r = history_compare(&log->history, end, history, UINT64_MAX, &parting);
        if (r != HISTORY_BEHIND && r != HISTORY_EQUAL)
            return err_set(m, ERR_DIVERGED, "the history does not continue ours: they part at %" PRIu64, parting);
    }
    if (!lineage_is_set(&history->lineage) || !last || !history_enter(history, &chain))
        return err_set(m, ERR_DIVERGED, "the history does not fit our log at %" PRIu64, log->chain.offset);
    if (last->number > seen) seen = last->number;
    history_copy(&h, history);
    return take_history(log, &h, seen, true, m);
}
