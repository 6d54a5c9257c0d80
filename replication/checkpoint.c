#include "replication/checkpoint.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/log_impl.h"

enum { FILE_MODE = 0640, SYNC_BYTES = 32 << 20 };

/* The base of a log without files: it exists for joining replicas, and while the process does. */
#define SPARE_NAME "relevo.snapshot.rdb"

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
    struct buf *queue;
    size_t count, room;
    bool finished, aborted;
    enum checkpoint_state state;
    struct errmsg why;

    _Atomic uint64_t backlog, written;

    /* The thread's. */
    struct log_call place; /* the log goes on in a new segment, and the base gets its number */
    uint64_t seq;
    int fd;
    uint64_t unsynced;
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
    c->fd = c->io->open(c->io->context, c->temp, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    return c->fd < 0 ? err_errno(m, "create %s", c->temp) : ERR_OK;
}

static enum err write_piece(struct checkpoint *c, const struct buf *b, struct errmsg *m)
{
    struct iovec v = {.iov_base = b->p, .iov_len = b->len};
    const enum err e = file_write_all(c->io, c->fd, &v, 1, m);
    if (e) return err_wrap(m, e, "write %s", c->temp);
    c->unsynced += b->len;
    /* Now and then, so that the log's own fsync never has a whole base queued before it. */
    if (c->unsynced >= SYNC_BYTES) {
        c->unsynced = 0;
        if (c->io->fdatasync(c->io->context, c->fd)) return err_errno(m, "fsync %s", c->temp);
    }
    return ERR_OK;
}

/* Wait for a piece; false when there are no more, or no more are wanted. */
static bool next_piece(struct checkpoint *c, struct buf *b)
{
    lock(c);
    while (!c->count && !c->finished && !c->aborted) (void)pthread_cond_wait(&c->changed, &c->lock);
    const bool got = c->count && !c->aborted;
    if (got) {
        *b = c->queue[0];
        c->count--;
        memmove(c->queue, c->queue + 1, c->count * sizeof *c->queue);
    }
    unlock(c);
    return got;
}

static enum err write_pieces(struct checkpoint *c, struct errmsg *m)
{
    struct buf b;
    enum err e = ERR_OK;
    while (!e && next_piece(c, &b)) {
        e = write_piece(c, &b, m);
        atomic_fetch_add(&c->written, b.len);
        atomic_fetch_sub(&c->backlog, b.len);
        buf_free(&b);
        if (c->notify) c->notify(c->context);
    }
    lock(c);
    if (!e && c->aborted) e = err_set(m, ERR_CANCELED, "canceled");
    unlock(c);
    return e;
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
    if (!e) e = write_pieces(c, &m);
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

void checkpoint_feed(struct checkpoint *c, struct buf *b)
{
    if (b->len == 0) return;
    atomic_fetch_add(&c->backlog, b->len);
    lock(c);
    assert(!c->finished);
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->queue = mem_realloc(c->queue, c->room * sizeof *c->queue);
    }
    c->queue[c->count++] = *b;
    (void)pthread_cond_broadcast(&c->changed);
    unlock(c);
    *b = (struct buf){0};
}

uint64_t checkpoint_backlog(const struct checkpoint *c) { return atomic_load(&c->backlog); }

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
    for (size_t i = 0; i < c->count; i++) buf_free(&c->queue[i]);
    mem_free(c->queue);
    mem_free(c->dir);
    mem_free(c->name);
    mem_free(c->temp);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->changed);
    mem_free(c);
}
