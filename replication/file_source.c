#include "replication/file_source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

#include "common/mem.h"

enum { STEP = 256 << 10 };

enum err file_source_open(struct file_source *f, const struct io_ops *io, const char *path, uint64_t limit,
                          struct errmsg *m)
{
    *f = (struct file_source){.io = io, .fd = -1};
    const int64_t size = file_size(io, path);
    if (size < 0) return err_errno(m, "%s", path);
    f->fd = io->open(io->context, path, O_RDONLY, 0);
    if (f->fd < 0) return err_errno(m, "open %s", path);
    f->path = mem_dup(path, strlen(path) + 1);
    f->size = (uint64_t)size < limit ? (uint64_t)size : limit;
    return ERR_OK;
}

void file_source_close(struct file_source *f)
{
    if (f->path) (void)f->io->close(f->io->context, f->fd);
    mem_free(f->path);
    buf_free(&f->bytes);
    *f = (struct file_source){0};
}

static enum err refill(struct file_source *f, size_t n, struct errmsg *m)
{
    buf_drop(&f->bytes, f->skipped);
    f->skipped = 0;
    while (f->bytes.len < n) {
        const uint64_t from = f->at + f->bytes.len, left = f->size - from;
        size_t step = n - f->bytes.len > STEP ? n - f->bytes.len : STEP;
        if (step > left) step = (size_t)left;
        const ssize_t got = f->io->pread(f->io->context, f->fd, buf_room(&f->bytes, step), step, (off_t)from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(m, "read %s", f->path);
        if (got == 0) {
            /* Somebody cut the file while it was being read. */
            f->size = from;
            break;
        }
        f->bytes.len += (size_t)got;
    }
    return ERR_OK;
}

enum err file_source_want(struct file_source *f, size_t n, struct span *bytes, struct errmsg *m)
{
    assert(f->at <= f->size);
    if (n > f->size - f->at) n = (size_t)(f->size - f->at);
    if (f->bytes.len - f->skipped < n) {
        const enum err e = refill(f, n, m);
        if (e) return e;
    }
    *bytes = span_of(f->bytes.p + f->skipped, f->bytes.len - f->skipped);
    return ERR_OK;
}

enum err file_source_take(struct file_source *f, void *to, size_t n, size_t *got, struct errmsg *m)
{
    struct span bytes;
    const enum err e = file_source_want(f, 1, &bytes, m);
    if (e) return e;
    *got = n < bytes.n ? n : bytes.n;
    memcpy(to, bytes.p, *got);
    file_source_skip(f, *got);
    return ERR_OK;
}

void file_source_skip(struct file_source *f, size_t n)
{
    assert(n <= f->bytes.len - f->skipped);
    f->skipped += n;
    f->at += n;
}

void file_source_seek(struct file_source *f, uint64_t at)
{
    if (at >= f->at && at - f->at <= f->bytes.len - f->skipped) {
        file_source_skip(f, (size_t)(at - f->at));
        return;
    }
    f->at = at < f->size ? at : f->size;
    f->skipped = 0;
    f->bytes.len = 0;
}
