/* Reading the log from disk, on any thread, while the log thread writes, cuts over and deletes. A file that is open
 * stays readable; what is looked up is looked up under the `view` lock. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/log_impl.h"

struct log_reader {
    struct log *log;
    uint64_t offset;
    uint64_t generation;
    int fd;              /* of the segment that holds `offset`, or -1 */
    uint64_t start, end; /* what that segment holds; UINT64_MAX: it is the open one */
};

static void look(struct log *log) { (void)pthread_mutex_lock(&log->view); }
static void looked(struct log *log) { (void)pthread_mutex_unlock(&log->view); }

/* Under the view lock: the segment that holds @offset. */
static const struct segment *segment_at(const struct log *log, uint64_t offset)
{
    const struct manifest *m = &log->manifest;
    for (size_t i = m->segment_count; i > 0; i--)
        if (m->segments[i - 1].start <= offset) return &m->segments[i - 1];
    return NULL;
}

static enum err gone(uint64_t offset, struct errmsg *m)
{
    return err_set(m, ERR_STALE, "the log at offset %" PRIu64 " is not on disk any more", offset);
}

/* Open the segment that holds the reader's offset. */
static enum err open_segment(struct log_reader *r, struct errmsg *m)
{
    struct log *log = r->log;
    char *path = NULL;
    look(log);
    const struct segment *g = r->generation == log->generation ? segment_at(log, r->offset) : NULL;
    if (g) {
        const bool last = g == &log->manifest.segments[log->manifest.segment_count - 1];
        r->start = g->start;
        r->end = last ? UINT64_MAX : g[1].start;
        path = path_join(log->path, g->name);
    }
    looked(log);
    if (!g) return gone(r->offset, m);
    r->fd = log->io->open(log->io->context, path, O_RDONLY, 0);
    enum err e = ERR_OK;
    if (r->fd < 0) e = errno == ENOENT ? gone(r->offset, m) : err_errno(m, "open %s", path);
    mem_free(path);
    return e;
}

static void close_segment(struct log_reader *r)
{
    if (r->fd >= 0) (void)r->log->io->close(r->log->io->context, r->fd);
    r->fd = -1;
}

enum err log_reader_open(struct log *log, uint64_t offset, struct log_reader **out, struct errmsg *m)
{
    *out = NULL;
    if (!log->o.files) return gone(offset, m);
    if (offset > log_end(log)) return err_set(m, ERR_RANGE, "offset %" PRIu64 " lies behind the log's end", offset);
    struct log_reader *r = MEM_NEW(struct log_reader);
    r->log = log;
    r->offset = offset;
    r->fd = -1;
    look(log);
    r->generation = log->generation;
    looked(log);
    const enum err e = open_segment(r, m);
    if (e) log_reader_close(r);
    else *out = r;
    return e;
}

/* Where the segment ends is known only when another follows it. */
static bool find_end(struct log_reader *r)
{
    look(r->log);
    const bool same = r->generation == r->log->generation;
    const struct segment *g = same ? segment_at(r->log, r->start) : NULL;
    const bool found = g && g->start == r->start;
    if (found) {
        const bool last = g == &r->log->manifest.segments[r->log->manifest.segment_count - 1];
        r->end = last ? UINT64_MAX : g[1].start;
    }
    looked(r->log);
    return found;
}

enum err log_reader_read(struct log_reader *r, char *to, size_t max, size_t *n, struct errmsg *m)
{
    const uint64_t written = log_written(r->log);
    *n = 0;
    if (r->fd >= 0 && r->end == UINT64_MAX && !find_end(r)) close_segment(r);
    if (r->fd >= 0 && r->offset >= r->end) close_segment(r);
    if (r->fd < 0) {
        const enum err e = open_segment(r, m);
        if (e) return e;
    }
    if (r->offset >= written) return ERR_OK;
    const uint64_t end = r->end < written ? r->end : written;
    if (max > end - r->offset) max = (size_t)(end - r->offset);
    ssize_t got;
    do got = r->log->io->pread(r->log->io->context, r->fd, to, max, (off_t)(r->offset - r->start));
    while (got < 0 && errno == EINTR);
    if (got < 0) return err_errno(m, "read the log at offset %" PRIu64, r->offset);
    if (got == 0) {
        /* The segment was cut because its tail was written anew elsewhere; the next call finds it there. */
        close_segment(r);
        return r->end == UINT64_MAX ? ERR_OK
                                    : err_set(m, ERR_CORRUPT, "a segment ends before offset %" PRIu64, r->end);
    }
    r->offset += (uint64_t)got;
    *n = (size_t)got;
    return ERR_OK;
}

uint64_t log_reader_offset(const struct log_reader *r) { return r->offset; }

void log_reader_close(struct log_reader *r)
{
    if (!r) return;
    close_segment(r);
    mem_free(r);
}

/* The batch at the reader's offset, whole; in steps, because its length was not verified yet. */
static enum err read_batch(struct log_reader *r, struct buf *bytes, size_t need, struct errmsg *m)
{
    enum { STEP = 1 << 20 };
    while (bytes->len < need) {
        const size_t step = need - bytes->len < STEP ? need - bytes->len : STEP;
        size_t n;
        const enum err e = log_reader_read(r, buf_room(bytes, step), step, &n, m);
        if (e) return e;
        if (n == 0) break;
        bytes->len += n;
    }
    return ERR_OK;
}

static enum err verify_batch(struct log_reader *r, uint32_t seed, struct errmsg *m)
{
    struct buf bytes = {0};
    struct batch b;
    size_t need = BATCH_LINE_MAX;
    const uint64_t offset = r->offset;
    enum err e = read_batch(r, &bytes, need, m);
    if (!e && batch_read_line(buf_span(&bytes), BATCH_MAX, &b)) e = ERR_DIVERGED;
    if (!e) e = read_batch(r, &bytes, b.line + b.payload.n, m);
    if (!e) {
        /* The seed is given, so the chain's epoch start lies elsewhere. */
        struct batch_chain chain = {.offset = offset, .crc = seed, .epoch = b.epoch, .epoch_start = offset + 1};
        if (batch_take(buf_span(&bytes), BATCH_MAX, &chain, &b, &need, NULL)) e = ERR_DIVERGED;
    }
    buf_free(&bytes);
    return e == ERR_DIVERGED ? err_set(m, e, "another history at offset %" PRIu64, offset) : e;
}

enum err log_verify(struct log *log, uint64_t offset, uint32_t crc, uint32_t seed, struct errmsg *m)
{
    look(log);
    const bool at_end = offset == log->view_written, same = crc == log->view_crc;
    looked(log);
    if (at_end) return same ? ERR_OK : err_set(m, ERR_DIVERGED, "another history at offset %" PRIu64, offset);
    struct log_reader *r;
    enum err e = log_reader_open(log, offset, &r, m);
    if (e) return e;
    e = verify_batch(r, seed, m);
    log_reader_close(r);
    return e;
}

/* Bases. */

static char *base_path(const struct log *log)
{
    return path_join(log->o.files ? log->path : log->o.dir, log->manifest.base.name);
}

enum err log_base_open(struct log *log, struct log_base *b, struct errmsg *m)
{
    *b = (struct log_base){.fd = -1};
    int64_t size = -1;
    look(log);
    const bool there = log->manifest.base.name;
    if (there) {
        b->path = base_path(log);
        b->position = log->manifest.base.position;
        history_copy(&b->history, &log->manifest.history);
        /* The lock is held over the open, so that the file is not removed between. */
        b->fd = log->io->open(log->io->context, b->path, O_RDONLY, 0);
        size = file_size(log->io, b->path);
    }
    looked(log);
    if (!there) return err_set(m, ERR_MISSING, "there is no base yet");
    if (b->fd < 0 || size < 0) {
        const enum err e = err_errno(m, "open %s", b->path);
        log_base_close(b);
        return e;
    }
    b->size = (uint64_t)size;
    history_truncate(&b->history, b->position.offset);
    return ERR_OK;
}

void log_base_close(struct log_base *b)
{
    if (b->path && b->fd >= 0) (void)close(b->fd);
    mem_free(b->path);
    history_free(&b->history);
    *b = (struct log_base){.fd = -1};
}

/* Pins. */

enum err log_pin(struct log *log, uint64_t offset, struct log_pin *pin)
{
    look(log);
    const struct manifest *f = &log->manifest;
    const bool there = !log->o.files || (f->segment_count && f->segments[0].start <= offset);
    if (there) {
        *pin = (struct log_pin){.next = log->pins, .offset = offset};
        if (log->pins) log->pins->prev = pin;
        log->pins = pin;
    }
    looked(log);
    return there ? ERR_OK : ERR_STALE;
}

void log_pin_move(struct log *log, struct log_pin *pin, uint64_t offset)
{
    look(log);
    pin->offset = offset;
    looked(log);
}

void log_unpin(struct log *log, struct log_pin *pin)
{
    look(log);
    const bool held = pin->prev || log->pins == pin;
    if (held) {
        if (pin->prev) pin->prev->next = pin->next;
        else log->pins = pin->next;
        if (pin->next) pin->next->prev = pin->prev;
    }
    looked(log);
    *pin = (struct log_pin){0};
}
