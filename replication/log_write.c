/* Writing and syncing, and what happens when that fails.
 *
 * Happy path: pending -> writev -> unsynced -> fdatasync -> forgotten; log_written() and log_durable() follow.
 * Failures:   a write or an fsync that failed is not repeated on the same file, because the kernel may have dropped the
 *             pages and then report success. All that is not durable is still in memory (unsynced and pending); it is
 *             written to a new segment that takes over where the durable bytes end. If that fails too, the log is in the
 *             failed state and tries again every second.
 * For good:   when bytes that are not durable are no longer in memory (`appendfsync no`), nothing can be promised any
 *             more: the failed state stays. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>

#include "common/mem.h"
#include "replication/log_impl.h"

enum { GROUP_MAX = 1024, SYNC_EVERY_US = 1000000, RETRY_EVERY_US = 1000000 };
/* What is kept until it is durable is memory, and what a sync has to write takes its time: sync earlier than after a second. */
enum { UNSYNCED_MAX = 32 << 20 };
_Static_assert(GROUP_MAX <= IOV_MAX, "one writev takes a whole group");

static bool keeps(const struct log *log) { return atomic_load(&log->policy) != LOG_SYNC_NO; }

/* Also after a change to `no`, once more: for what is still kept. */
static bool syncs(const struct log *log) { return keeps(log) || log->unsynced.count > 0; }

static void notify(struct log *log)
{
    if (log->o.notify) log->o.notify(log->o.context);
}

static void publish_written(struct log *log, uint64_t offset, uint32_t crc)
{
    log->written_crc = crc;
    (void)pthread_mutex_lock(&log->view);
    log->view_written = offset;
    log->view_crc = crc;
    log->stats.groups++;
    (void)pthread_mutex_unlock(&log->view);
    atomic_store_explicit(&log->written, offset, memory_order_release);
    if (atomic_load(&log->notify_written)) notify(log);
}

static void publish_durable(struct log *log)
{
    const uint64_t written = log_written(log);
    while (log->unsynced.count) chunk_unref(chunk_row_pop(&log->unsynced));
    log->unsynced_bytes = 0;
    log->sync_due_us = 0;
    atomic_store_explicit(&log->durable, written, memory_order_release);
    /* Whoever appends notes the time if there was none, after it has moved the end. */
    atomic_store(&log->unsynced_since_ms, 0);
    int64_t none = 0;
    if (log_end(log) > written) (void)atomic_compare_exchange_strong(&log->unsynced_since_ms, &none, log_wall_ms());
    notify(log);
}

void log_begin_at(struct log *log, uint64_t offset, uint32_t crc)
{
    while (log->unsynced.count) chunk_unref(chunk_row_pop(&log->unsynced));
    log->unsynced_bytes = 0;
    while (log->pending.count) chunk_unref(chunk_row_pop(&log->pending));
    log->written_crc = log->kept_crc = crc;
    log->sync_due_us = 0;
    (void)pthread_mutex_lock(&log->view);
    log->view_written = offset;
    log->view_crc = crc;
    (void)pthread_mutex_unlock(&log->view);
    atomic_store(&log->written, offset);
    atomic_store(&log->durable, offset);
    atomic_store(&log->unsynced_since_ms, 0);
    notify(log);
}

/* The first @n pending chunks were written. */
static void move_written(struct log *log, size_t n)
{
    uint64_t offset = 0;
    uint32_t crc = 0;
    for (size_t i = 0; i < n; i++) {
        struct chunk *c = chunk_row_pop(&log->pending);
        offset = chunk_end(c);
        crc = c->crc;
        /* Behind one that is kept all are, whatever the policy is by now: written anew, they must have no gap. */
        if (!keeps(log) && log->unsynced.count == 0) {
            chunk_unref(c);
            continue;
        }
        if (log->unsynced.count == 0) log->kept_crc = log->written_crc;
        chunk_row_push(&log->unsynced, c);
        log->unsynced_bytes += c->len;
        log->written_crc = crc;
    }
    if (!log->sync_due_us) log->sync_due_us = log_monotonic_us() + SYNC_EVERY_US;
    publish_written(log, offset, crc);
}

static enum err write_row(const struct log *log, int fd, const struct chunk_row *row, size_t from, size_t n,
                          struct errmsg *m)
{
    struct iovec v[GROUP_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct chunk *c = chunk_row_get(row, from + i);
        v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)c->bytes, .iov_len = c->len};
    }
    return file_write_all(log->io, fd, v, (int)n, m);
}

static size_t group(const struct chunk_row *row, size_t from)
{
    return row->count - from < GROUP_MAX ? row->count - from : GROUP_MAX;
}

static enum err write_pending(struct log *log, struct errmsg *m)
{
    while (log->pending.count) {
        assert(chunk_row_get(&log->pending, 0)->offset == log_written(log) && log->fd >= 0);
        const size_t n = group(&log->pending, 0);
        const enum err e = write_row(log, log->fd, &log->pending, 0, n, m);
        if (e) return err_wrap(m, e, "cannot write the log");
        move_written(log, n);
    }
    return ERR_OK;
}

static void count_sync(struct log *log, int64_t us)
{
    (void)pthread_mutex_lock(&log->view);
    log->stats.syncs++;
    log->stats.last_sync_us = us;
    if (us > log->stats.longest_sync_us) log->stats.longest_sync_us = us;
    (void)pthread_mutex_unlock(&log->view);
}

static enum err sync_written(struct log *log, struct errmsg *m)
{
    if (log_durable(log) == log_written(log)) return ERR_OK;
    const int64_t begin = log_monotonic_us();
    if (log->io->fdatasync(log->io->context, log->fd)) {
        log->sync_failed = true;
        return err_errno(m, "cannot sync the log");
    }
    count_sync(log, log_monotonic_us() - begin);
    publish_durable(log);
    return ERR_OK;
}

/* The failed state. */

static void enter_failed(struct log *log, const struct errmsg *why)
{
    (void)pthread_mutex_lock(&log->view);
    const bool news = !log->failed;
    log->failed = true;
    log->failure = *why;
    log->stats.failures++;
    (void)pthread_mutex_unlock(&log->view);
    log->retry_due_us = log->broken ? 0 : log_monotonic_us() + RETRY_EVERY_US;
    if (news)
        log_say(log, LOG_SAY_WARNING, "The log has failed: %s. Writes are refused %s", why->text,
                log->broken ? "until a restart: bytes that are not durable can no longer be written anew"
                            : "until a new segment could be written; trying every second");
    if (news) notify(log);
}

void log_fail_for_now(struct log *log, const struct errmsg *why) { enter_failed(log, why); }

void log_fail_for_good(struct log *log, const struct errmsg *why)
{
    log->broken = true;
    enter_failed(log, why);
}

static void leave_failed(struct log *log)
{
    (void)pthread_mutex_lock(&log->view);
    const bool was = log->failed;
    log->failed = false;
    (void)pthread_mutex_unlock(&log->view);
    log->retry_due_us = 0;
    log->sync_failed = false;
    if (was) log_say(log, LOG_SAY_NOTICE, "The log goes on in a new segment");
    notify(log);
}

/* Write all that is kept to @fd, and make it durable. */
static enum err write_anew(struct log *log, int fd, struct errmsg *m)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < log->unsynced.count; i += GROUP_MAX)
        e = write_row(log, fd, &log->unsynced, i, group(&log->unsynced, i), m);
    for (size_t i = 0; !e && i < log->pending.count; i += GROUP_MAX)
        e = write_row(log, fd, &log->pending, i, group(&log->pending, i), m);
    if (!e && log->io->fdatasync(log->io->context, fd)) e = err_errno(m, "fsync of a new segment");
    return e;
}

/* The manifest names the new segment from @start on; one that began there too gives way. */
static enum err name_new_segment(struct log *log, const char *name, uint64_t seq, uint64_t start, uint32_t crc,
                                 struct errmsg *m)
{
    struct manifest next = {0};
    manifest_copy(&next, &log->manifest);
    if (next.segment_count && next.segments[next.segment_count - 1].start == start)
        manifest_drop_segment(&next, next.segment_count - 1);
    manifest_add_segment(&next, name, seq, start, crc);
    const enum err e = log_persist(log, &next, m);
    manifest_free(&next);
    return e;
}

/* The old file ends where the new one begins; a rest of it would confuse only others, who do not know our manifest. */
static void change_over(struct log *log, int fd, uint64_t start, const char *old)
{
    char *path = path_join(log->path, old);
    if (log->fd_start == start) (void)log->io->unlink(log->io->context, path);
    else if (log->io->ftruncate(log->io->context, log->fd, (off_t)(start - log->fd_start)))
        log_say(log, LOG_SAY_WARNING, "Cannot cut %s at the end of what is durable", path);
    mem_free(path);
    (void)log->io->close(log->io->context, log->fd);
    log->fd = fd;
    log->fd_start = start;
    if (log->pending.count) move_written(log, log->pending.count);
    publish_durable(log);
}

/* All that is not durable goes to a new segment. */
static enum err move_on(struct log *log, struct errmsg *m)
{
    const bool kept = log->unsynced.count > 0;
    const uint64_t start = kept ? chunk_row_get(&log->unsynced, 0)->offset : log_written(log);
    const uint32_t crc = kept ? log->kept_crc : log->written_crc;
    /* What lies before was written but is not durable: it must become so now, or it is lost for good. */
    if (start > log_durable(log) && (log->sync_failed || log->io->fdatasync(log->io->context, log->fd))) {
        log->broken = true;
        return err_set(m, ERR_IO, "bytes that were not synced can no longer be written anew");
    }
    char *old = mem_dup(log->manifest.segments[log->manifest.segment_count - 1].name,
                        strlen(log->manifest.segments[log->manifest.segment_count - 1].name) + 1);
    char *name = NULL;
    int fd = -1;
    const uint64_t seq = log_next_seq(log, false);
    enum err e = log_create_segment(log, seq, &fd, &name, m);
    if (!e) e = write_anew(log, fd, m);
    if (!e) e = name_new_segment(log, name, seq, start, crc, m);
    if (!e) change_over(log, fd, start, old);
    else if (fd >= 0) {
        char *path = path_join(log->path, name);
        (void)log->io->close(log->io->context, fd);
        /* If the manifest may name it already, it must stay. */
        if (!log->broken) (void)log->io->unlink(log->io->context, path);
        mem_free(path);
    }
    mem_free(old);
    mem_free(name);
    return e;
}

static enum err try_to_move_on(struct log *log, struct errmsg *m)
{
    if (log->broken) {
        *m = log->failure;
        return ERR_IO;
    }
    const enum err e = move_on(log, m);
    if (e) enter_failed(log, m);
    else leave_failed(log);
    return e;
}

/* Something failed with @m. */
static enum err fail(struct log *log, struct errmsg *m)
{
    const struct errmsg first = *m;
    log_say(log, LOG_SAY_WARNING, "%s; writing to a new segment", first.text);
    if (log->broken) {
        enter_failed(log, m);
        return ERR_IO;
    }
    return try_to_move_on(log, m);
}

enum err log_flush(struct log *log, struct errmsg *m)
{
    if (log->failed) return try_to_move_on(log, m);
    return write_pending(log, m) ? fail(log, m) : ERR_OK;
}

enum err log_flush_sync(struct log *log, struct errmsg *m)
{
    const enum err e = log_flush(log, m);
    if (e) return e;
    return sync_written(log, m) ? fail(log, m) : ERR_OK;
}

void log_settle(struct log *log)
{
    struct errmsg m;
    const int64_t now = log_monotonic_us();
    if (log->failed) {
        if (log->retry_due_us && now >= log->retry_due_us) (void)try_to_move_on(log, &m);
        return;
    }
    if (log_flush(log, &m)) return;
    const bool due = syncs(log) && log->sync_due_us && now >= log->sync_due_us;
    if (due || log->unsynced_bytes >= UNSYNCED_MAX || atomic_load(&log->policy) == LOG_SYNC_ALWAYS)
        (void)log_flush_sync(log, &m);
    if (now >= log->retain_due_us) log_retain(log);
}

int64_t log_due_us(const struct log *log)
{
    if (log->failed) return log->retry_due_us;
    const int64_t sync = syncs(log) ? log->sync_due_us : 0;
    return sync && sync < log->retain_due_us ? sync : log->retain_due_us;
}
