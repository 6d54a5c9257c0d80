#include "replication/spill.h"

#include <errno.h>
#include <fcntl.h>

#include "common/mem.h"

enum { FILE_MODE = 0600 };

struct spill {
    const struct io_ops *io;
    char *path;
    int fd; /* -1: not used yet */
    uint64_t end;
};

struct spill *spill_new(const struct io_ops *io, const char *path)
{
    struct spill *s = MEM_NEW(struct spill);
    s->io = io;
    s->path = mem_dup(path, strlen(path) + 1);
    s->fd = -1;
    return s;
}

void spill_free(struct spill *s)
{
    if (!s) return;
    if (s->fd >= 0) (void)s->io->close(s->io->context, s->fd);
    mem_free(s->path);
    mem_free(s);
}

static enum err open_file(struct spill *s, struct errmsg *m)
{
    s->fd = s->io->open(s->io->context, s->path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, FILE_MODE);
    if (s->fd < 0) return err_errno(m, "create %s", s->path);
    if (s->io->unlink(s->io->context, s->path)) return err_errno(m, "unlink %s", s->path);
    return ERR_OK;
}

enum err spill_put(struct spill *s, struct span bytes, uint64_t *at, struct errmsg *m)
{
    enum err e = s->fd < 0 ? open_file(s, m) : ERR_OK;
    struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    if (!e) e = file_write_all(s->io, s->fd, &v, 1, m);
    if (e) return err_wrap(m, e, "keep a part of the checkpoint");
    *at = s->end;
    s->end += bytes.n;
    return ERR_OK;
}

enum err spill_get(struct spill *s, uint64_t at, void *to, size_t n, struct errmsg *m)
{
    char *p = to;
    while (n > 0) {
        const ssize_t got = s->io->pread(s->io->context, s->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(m, "read %s", s->path);
        if (got == 0) return err_set(m, ERR_IO, "%s ends too early", s->path);
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return ERR_OK;
}

enum err spill_clear(struct spill *s, struct errmsg *m)
{
    s->end = 0;
    return s->io->ftruncate(s->io->context, s->fd, 0) ? err_errno(m, "truncate %s", s->path) : ERR_OK;
}
