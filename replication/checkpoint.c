#include "replication/checkpoint.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/collate.h"
#include "common/mem.h"
#include "common/rdb_pack.h"
#include "common/rdb.h"
#include "replication/log_impl.h"
#include "replication/spill.h"

enum {
    FILE_MODE = 0640,
    SYNC_BYTES = 8 << 20,     /* little at a time: the loop waits for the thread, and old values wait for the loop */
    WRITE_BYTES = 256 * 1024, /* small pieces are gathered */
    DIRECT_BYTES = 16 * 1024, /* others are written from where they are */
    KEPT_BYTES = 4 << 20,     /* of pieces whose place is yet to come; more goes to a file */
    BACKLOG_BYTES = 4 << 20,  /* that may wait for the thread */
    SPARES = 8,               /* memory that goes back to who feeds */
    SPARE_BYTES = 1 << 20,    /* if it is not more than so much each */
};

/* The base of a log without files: it exists for joining replicas, and while the process does. */
#define SPARE_NAME "relevo.snapshot.rdb"

/* What was fed at once: bytes of the file, or a run of pieces that come to them. */
struct feed {
    struct buf bytes;
    bool pieces;
};

struct checkpoint {
    struct log *log; /* NULL: a plain file */
    const struct io_ops *io;
    char *dir, *name, *temp; /* temp: its path */
    struct position position;
    void (*notify)(void *context);
    void *context;
    pthread_t thread;

    /* Under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct feed *queue;
    size_t count, room;
    struct buf spares[SPARES];
    unsigned spare_count;
    bool finished, aborted, sealed;
    enum checkpoint_state state;
    struct errmsg why;

    _Atomic uint64_t backlog, written;
    _Atomic bool waited_for; /* somebody wants to know when the backlog has fallen */

    /* The thread's. */
    struct log_call place; /* the log goes on in a new segment, and the base gets its number */
    uint64_t seq;
    int fd;
    uint64_t unsynced;
    struct buf out; /* gathered */
    struct rdb_sum sum;
    struct rdb_packer *packer; /* NULL: strings stay as they are */
    struct collate *collate;
    struct spill *spill;
};

static void lock(struct checkpoint *c) { (void)pthread_mutex_lock(&c->lock); }

static void unlock(struct checkpoint *c) { (void)pthread_mutex_unlock(&c->lock); }

/* Log thread. */
static enum err take_place(struct log *log, void *context, struct errmsg *m)
{
    struct checkpoint *c = context;
    const enum err e = log_rotate(log, NULL, m);
    c->seq = log_next_seq(log, true);
    return e;
}

struct arrival {
    const struct checkpoint *c;
    struct names obsolete;
};

/* The new base replaces what was loaded from a Redis: of its files nothing is needed any more. */
static void leave_redis(struct log *log, struct manifest *next, struct names *obsolete)
{
    for (size_t i = 0; i < log->aof.count; i++) names_add(obsolete, log->aof.files[i].name);
    assert(next->segment_count > 0);
}

/* Log thread: the base is on disk and becomes the current one. */
static enum err arrive(struct log *log, void *context, struct errmsg *m)
{
    struct arrival *a = context;
    const struct checkpoint *c = a->c;
    struct manifest next = {0};
    manifest_copy(&next, &log->manifest);
    if (log->o.files) log_retire_base(log, &next, c->position.offset);
    manifest_set_base(&next, c->name, c->seq, &c->position);
    const bool foreign = log->foreign;
    if (log->o.files) {
        if (foreign) leave_redis(log, &next, &a->obsolete);
        log_collect(log, &next, &a->obsolete);
    }
    log->foreign = false;
    const enum err e = log_persist(log, &next, m);
    if (e) {
        log->foreign = foreign;
        names_free(&a->obsolete);
    } else {
        (void)pthread_mutex_lock(&log->view);
        log->stats.base_bytes = atomic_load(&c->written);
        (void)pthread_mutex_unlock(&log->view);
    }
    manifest_free(&next);
    return e;
}

/* The thread. */

static enum err open_temp(struct checkpoint *c, struct errmsg *m)
{
    if (c->log) {
        const enum err e = c->log->running ? log_wait(c->log, &c->place, m) : ERR_OK;
        if (e) return e;
        if (c->log->o.files) c->name = log_file_name(c->log, c->seq, true);
    }
    struct buf b = {0};
    buf_printf(&b, "%s/temp-%s", c->dir, c->name);
    buf_add_char(&b, 0);
    c->temp = b.p;
    struct buf kept = {0};
    buf_printf(&kept, "%s-kept", c->temp);
    buf_add_char(&kept, 0);
    c->spill = spill_new(c->io, kept.p);
    buf_free(&kept);
    c->fd = c->io->open(c->io->context, c->temp, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    return c->fd < 0 ? err_errno(m, "create %s", c->temp) : ERR_OK;
}

/* Write what was gathered, and @bytes behind it. */
static enum err write_out(struct checkpoint *c, struct span bytes, struct errmsg *m)
{
    const struct span out = buf_span(&c->out);
    struct iovec v[2] = {{.iov_base = c->out.p, .iov_len = out.n},
                         {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n}};
    rdb_sum_add(&c->sum, out);
    rdb_sum_add(&c->sum, bytes);
    c->out.len = 0;
    if (out.n + bytes.n == 0) return ERR_OK;
    const enum err e = file_write_all(c->io, c->fd, v + !out.n, (int)!!out.n + (int)!!bytes.n, m);
    if (e) return err_wrap(m, e, "write %s", c->temp);
    atomic_fetch_add(&c->written, out.n + bytes.n);
    c->unsynced += out.n + bytes.n;
    /* Now and then, so that the log's own fsync never has a whole base queued before it. */
    if (c->unsynced < SYNC_BYTES) return ERR_OK;
    c->unsynced = 0;
    return c->io->fdatasync(c->io->context, c->fd) ? err_errno(m, "fsync %s", c->temp) : ERR_OK;
}

static enum err gather(void *checkpoint, struct span bytes, struct errmsg *m)
{
    struct checkpoint *c = checkpoint;
    const struct span nothing = span_of(NULL, 0);
    if (c->packer) {
        rdb_packer_take(c->packer, bytes, &c->out);
        return c->out.len > WRITE_BYTES ? write_out(c, nothing, m) : ERR_OK;
    }
    if (bytes.n >= DIRECT_BYTES) return write_out(c, bytes, m);
    const enum err e = c->out.len + bytes.n > WRITE_BYTES ? write_out(c, nothing, m) : ERR_OK;
    if (!e) buf_add_span(&c->out, bytes);
    return e;
}

static enum err store(void *checkpoint, struct span bytes, uint64_t *at, struct errmsg *m)
{
    return spill_put(((struct checkpoint *)checkpoint)->spill, bytes, at, m);
}

static enum err fetch(void *checkpoint, uint64_t at, void *to, size_t n, struct errmsg *m)
{
    return spill_get(((struct checkpoint *)checkpoint)->spill, at, to, n, m);
}

static enum err forget(void *checkpoint, struct errmsg *m)
{
    return spill_clear(((struct checkpoint *)checkpoint)->spill, m);
}

/* Wait for something that was fed; false when there are no more, or no more are wanted. */
static bool next_feed(struct checkpoint *c, struct feed *f)
{
    lock(c);
    while (!c->count && !c->finished && !c->aborted) (void)pthread_cond_wait(&c->changed, &c->lock);
    const bool got = c->count && !c->aborted;
    if (got) {
        *f = c->queue[0];
        c->count--;
        memmove(c->queue, c->queue + 1, c->count * sizeof *c->queue);
    }
    unlock(c);
    return got;
}

/* What was fed is used: its memory may go back. */
static void done_with(struct checkpoint *c, struct feed *f)
{
    const size_t bytes = f->bytes.len;
    f->bytes.len = 0;
    lock(c);
    if (c->spare_count < SPARES && f->bytes.cap <= SPARE_BYTES) {
        c->spares[c->spare_count++] = f->bytes;
        f->bytes = (struct buf){0};
    }
    unlock(c);
    buf_free(&f->bytes);
    if (atomic_fetch_sub(&c->backlog, bytes) - bytes > BACKLOG_BYTES / 2) return;
    if (atomic_exchange(&c->waited_for, false) && c->notify) c->notify(c->context);
}

/* What ends an RDB file. */
static enum err write_seal(struct checkpoint *c, struct errmsg *m)
{
    assert(!collate_pending(c->collate));
    rdb_put_eof(&c->out);
    const struct span nothing = span_of(NULL, 0);
    const enum err e = write_out(c, nothing, m);
    if (e) return e;
    rdb_put_checksum(&c->out, &c->sum);
    return write_out(c, nothing, m);
}

static enum err write_all(struct checkpoint *c, struct errmsg *m)
{
    struct feed f;
    enum err e = ERR_OK;
    while (!e && next_feed(c, &f)) {
        e = f.pieces ? collate_take(c->collate, buf_span(&f.bytes), m) : gather(c, buf_span(&f.bytes), m);
        done_with(c, &f);
    }
    lock(c);
    const bool sealed = c->sealed;
    if (!e && c->aborted) e = err_set(m, ERR_CANCELED, "canceled");
    unlock(c);
    if (!e && c->packer) rdb_packer_end(c->packer, &c->out);
    if (!e) e = write_out(c, span_of(NULL, 0), m);
    return e || !sealed ? e : write_seal(c, m);
}

static enum err put_in_place(struct checkpoint *c, struct errmsg *m)
{
    char *path = path_join(c->dir, c->name);
    enum err e = ERR_OK;
    if (c->io->fsync(c->io->context, c->fd)) e = err_errno(m, "fsync %s", c->temp);
    if (c->io->close(c->io->context, c->fd) && !e) e = err_errno(m, "close %s", c->temp);
    c->fd = -1;
    if (!e && c->io->rename(c->io->context, c->temp, path)) e = err_errno(m, "rename %s", c->temp);
    if (!e) e = dir_sync(c->io, c->dir, m);
    mem_free(path);
    if (e || !c->log) return e;
    struct arrival a = {.c = c};
    if ((e = log_run(c->log, arrive, &a, m))) return e;
    log_remove_files(c->log, &a.obsolete);
    return ERR_OK;
}

static void end(struct checkpoint *c, enum err e, const struct errmsg *m)
{
    if (c->fd >= 0) (void)c->io->close(c->io->context, c->fd);
    if (e && c->temp) (void)c->io->unlink(c->io->context, c->temp);
    if (c->log) {
        (void)pthread_mutex_lock(&c->log->view);
        c->log->checkpoint_runs = false;
        (void)pthread_mutex_unlock(&c->log->view);
    }
    lock(c);
    c->state = e ? CHECKPOINT_FAILED : CHECKPOINT_DONE;
    if (e) c->why = *m;
    (void)pthread_cond_broadcast(&c->changed);
    unlock(c);
    if (c->notify) c->notify(c->context);
}

static void *run(void *context)
{
    struct checkpoint *c = context;
    struct errmsg m = {.text = ""};
    enum err e = open_temp(c, &m);
    if (!e) e = write_all(c, &m);
    if (!e) e = put_in_place(c, &m);
    end(c, e, &m);
    return NULL;
}

/* The main thread. */

static struct checkpoint *make(const struct io_ops *io, const char *dir, const char *name,
                               void (*notify)(void *context), void *context)
{
    struct checkpoint *c = MEM_NEW(struct checkpoint);
    c->io = io ? io : &io_posix;
    c->dir = mem_dup(dir, strlen(dir) + 1);
    c->name = name ? mem_dup(name, strlen(name) + 1) : NULL;
    c->notify = notify;
    c->context = context;
    c->fd = -1;
    const struct collate_ops ops = {.context = c, .write = gather, .store = store, .fetch = fetch, .forget = forget};
    c->collate = collate_new(&ops, KEPT_BYTES);
    const int failed = pthread_mutex_init(&c->lock, NULL) | pthread_cond_init(&c->changed, NULL);
    assert(!failed);
    (void)failed;
    return c;
}

static void start(struct checkpoint *c)
{
    const int failed = pthread_create(&c->thread, NULL, run, c);
    assert(!failed);
    (void)failed;
    (void)pthread_setname_np(c->thread, "relevo-save");
}

enum err checkpoint_begin(struct log *log, void (*notify)(void *context), void *context, struct checkpoint **out,
                          struct errmsg *m)
{
    assert(log->loaded && log->chain.epoch > 0);
    *out = NULL;
    (void)pthread_mutex_lock(&log->view);
    const bool busy = log->checkpoint_runs;
    log->checkpoint_runs = true;
    (void)pthread_mutex_unlock(&log->view);
    if (busy) return err_set(m, ERR_BUSY, "a checkpoint is being written already");
    const bool files = log->o.files;
    struct checkpoint *c = make(log->io, files ? log->path : log->o.dir, files ? NULL : SPARE_NAME, notify, context);
    c->log = log;
    c->position = log_position(log);
    log->must_checkpoint = false;
    c->place = (struct log_call){.run = take_place, .context = c};
    if (files) log_post(log, &c->place);
    start(c);
    *out = c;
    return ERR_OK;
}

enum err checkpoint_begin_file(const struct io_ops *io, const char *path, void (*notify)(void *context),
                               void *context, struct checkpoint **out, struct errmsg *m)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    *out = NULL;
    if (!*name) return err_set(m, ERR_INVALID, "%s is not the name of a file", path);
    struct buf dir = {0};
    buf_add(&dir, slash ? path : ".", slash ? (size_t)(name - path) : 1);
    buf_add_char(&dir, 0);
    *out = make(io, dir.p, name, notify, context);
    buf_free(&dir);
    start(*out);
    return ERR_OK;
}

struct position checkpoint_position(const struct checkpoint *c) { return c->position; }

static void feed(struct checkpoint *c, struct buf *b, bool pieces)
{
    if (b->len == 0) return;
    atomic_fetch_add(&c->backlog, b->len);
    lock(c);
    assert(!c->finished);
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->queue = mem_realloc(c->queue, c->room * sizeof *c->queue);
    }
    c->queue[c->count++] = (struct feed){.bytes = *b, .pieces = pieces};
    *b = pieces && c->spare_count ? c->spares[--c->spare_count] : (struct buf){0};
    unlock(c);
    (void)pthread_cond_broadcast(&c->changed); /* not before: the thread would wake up only to wait for the lock */
}

void checkpoint_compress(struct checkpoint *c)
{
    lock(c);
    assert(!c->count && !c->packer);
    c->packer = rdb_packer_new();
    unlock(c);
}

void checkpoint_feed(struct checkpoint *c, struct buf *b) { feed(c, b, false); }

void checkpoint_feed_pieces(struct checkpoint *c, struct buf *run) { feed(c, run, true); }

void checkpoint_seal(struct checkpoint *c)
{
    lock(c);
    c->sealed = true;
    unlock(c);
}

uint64_t checkpoint_backlog(const struct checkpoint *c) { return atomic_load(&c->backlog); }

bool checkpoint_is_behind(struct checkpoint *c)
{
    if (checkpoint_backlog(c) <= BACKLOG_BYTES) return false;
    atomic_store(&c->waited_for, true);
    /* It may have fallen before the thread could see that. */
    return checkpoint_backlog(c) > BACKLOG_BYTES || !atomic_exchange(&c->waited_for, false);
}

uint64_t checkpoint_written(const struct checkpoint *c) { return atomic_load(&c->written); }

void checkpoint_finish(struct checkpoint *c)
{
    lock(c);
    c->finished = true;
    (void)pthread_cond_broadcast(&c->changed);
    unlock(c);
}

void checkpoint_abort(struct checkpoint *c)
{
    lock(c);
    c->aborted = true;
    (void)pthread_cond_broadcast(&c->changed);
    unlock(c);
}

enum checkpoint_state checkpoint_poll(struct checkpoint *c, struct errmsg *m)
{
    lock(c);
    const enum checkpoint_state state = c->state;
    if (state == CHECKPOINT_FAILED && m) *m = c->why;
    unlock(c);
    return state;
}

enum checkpoint_state checkpoint_wait(struct checkpoint *c, struct errmsg *m)
{
    lock(c);
    while (c->state == CHECKPOINT_RUNNING) (void)pthread_cond_wait(&c->changed, &c->lock);
    unlock(c);
    return checkpoint_poll(c, m);
}

void checkpoint_free(struct checkpoint *c)
{
    if (!c) return;
    checkpoint_abort(c);
    (void)pthread_join(c->thread, NULL);
    for (size_t i = 0; i < c->count; i++) buf_free(&c->queue[i].bytes);
    for (unsigned i = 0; i < c->spare_count; i++) buf_free(&c->spares[i]);
    mem_free(c->queue);
    buf_free(&c->out);
    rdb_packer_free(c->packer);
    collate_free(c->collate);
    spill_free(c->spill);
    mem_free(c->dir);
    mem_free(c->name);
    mem_free(c->temp);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->changed);
    mem_free(c);
}
