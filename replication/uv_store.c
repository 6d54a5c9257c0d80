#include "replication/uv_store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"

struct store {
    uv_loop_t *loop;
    store_done *done;
    store_full *full;
    void *ctx;
    uv_work_t work;
    bool busy, freed, kept, finishing, synced, reported, is_full;
    int fd;
    struct buf waiting, writing;
    enum err error;
    struct errmsg m;
    char path[4096];
};

static void begin(struct store *s);

#define PREFIX "receiving-"
#define SUFFIX ".rdb"

void store_clean(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    while (d && (entry = readdir(d))) {
        const size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 && n > suffix &&
            strcmp(entry->d_name + n - suffix, SUFFIX) == 0)
            (void)unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d) (void)closedir(d);
}

struct store *store_new(uv_loop_t *loop, const char *dir, unsigned number, store_done *done, store_full *full,
                        void *ctx)
{
    struct store *s = MEM_NEW(struct store);
    s->loop = loop;
    s->done = done;
    s->full = full;
    s->ctx = ctx;
    s->fd = -1;
    const int n = snprintf(s->path, sizeof s->path, "%s/" PREFIX "%ld-%u" SUFFIX, dir, (long)getpid(), number);
    if (n < 0 || (size_t)n >= sizeof s->path)
        s->error = err_set(&s->m, ERR_RANGE, "the directory's name is too long");
    begin(s);
    return s;
}

static void really_free(struct store *s)
{
    if (s->fd >= 0) (void)close(s->fd);
    if (!s->kept && s->path[0]) (void)unlink(s->path);
    buf_free(&s->waiting);
    buf_free(&s->writing);
    mem_free(s);
}

void store_free(struct store *s)
{
    if (!s || s->freed) return;
    s->freed = true;
    if (!s->busy) really_free(s);
}

/* ---- On the thread pool ---- */

static enum err write_all(struct store *s)
{
    size_t at = 0;
    while (at < s->writing.len) {
        const ssize_t n = write(s->fd, s->writing.p + at, s->writing.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(&s->m, "write %s", s->path);
        at += (size_t)n;
    }
    return ERR_OK;
}

static void work(uv_work_t *w)
{
    struct store *s = w->data;
    if (s->error) return;
    if (s->fd < 0) {
        s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (s->fd < 0) s->error = err_errno(&s->m, "create %s", s->path);
    }
    if (!s->error) s->error = write_all(s);
    if (!s->error && s->synced && fsync(s->fd) != 0) s->error = err_errno(&s->m, "fsync %s", s->path);
}

/* ---- On the loop ---- */

static void tell_fullness(struct store *s)
{
    const bool full = s->waiting.len > (s->is_full ? STORE_MUCH / 2 : STORE_MUCH);
    if (full == s->is_full) return;
    s->is_full = full;
    s->full(s->ctx, full);
}

static void after(uv_work_t *w, int status)
{
    struct store *s = w->data;
    s->busy = false;
    if (s->freed) {
        really_free(s);
        return;
    }
    if (status < 0) s->error = ERR_CANCELED;
    buf_reset(&s->writing, STORE_MUCH);
    if (!s->error && (s->waiting.len || (s->finishing && !s->synced))) {
        begin(s);
        tell_fullness(s);
        return;
    }
    if ((s->error || s->synced) && !s->reported) {
        s->reported = true;
        s->done(s->ctx, s->error, s->error ? s->m.text : "");
    }
}

static void begin(struct store *s)
{
    if (s->busy || s->reported) return;
    const struct buf empty = s->writing;
    s->writing = s->waiting;
    s->waiting = empty;
    s->synced = s->finishing;
    s->busy = true;
    s->work.data = s;
    const int r = uv_queue_work(s->loop, &s->work, work, after);
    assert(r == 0);
}

void store_write(struct store *s, struct span bytes)
{
    assert(!s->finishing);
    if (s->reported) return;
    buf_add_span(&s->waiting, bytes);
    begin(s);
    tell_fullness(s);
}

void store_finish(struct store *s)
{
    s->finishing = true;
    begin(s);
}

const char *store_keep(struct store *s)
{
    assert(s->synced && !s->error);
    s->kept = true;
    return s->path;
}
