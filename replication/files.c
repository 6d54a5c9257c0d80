#include "replication/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"

enum { FILE_MODE = 0640, DIR_MODE = 0750 };

static int posix_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context;
    return open(path, flags | O_CLOEXEC, mode);
}

static int posix_close(void *context, int fd)
{
    (void)context;
    return close(fd);
}

static ssize_t posix_pread(void *context, int fd, void *to, size_t n, off_t at)
{
    (void)context;
    return pread(fd, to, n, at);
}

static ssize_t posix_writev(void *context, int fd, const struct iovec *v, int count)
{
    (void)context;
    return writev(fd, v, count);
}

static int posix_fdatasync(void *context, int fd)
{
    (void)context;
    return fdatasync(fd);
}

static int posix_fsync(void *context, int fd)
{
    (void)context;
    return fsync(fd);
}

static int posix_ftruncate(void *context, int fd, off_t size)
{
    (void)context;
    return ftruncate(fd, size);
}

static void posix_drop_cache(void *context, int fd, off_t at, off_t n)
{
    (void)context;
    (void)posix_fadvise(fd, at, n, POSIX_FADV_DONTNEED);
}

static int posix_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to);
}

static int posix_unlink(void *context, const char *path)
{
    (void)context;
    return unlink(path);
}

static int posix_mkdir(void *context, const char *path, mode_t mode)
{
    (void)context;
    return mkdir(path, mode);
}

static int posix_rmdir(void *context, const char *path)
{
    (void)context;
    return rmdir(path);
}

static int posix_stat(void *context, const char *path, struct stat *st)
{
    (void)context;
    return stat(path, st);
}

static int posix_list(void *context, const char *dir, void (*each)(void *to, const char *name), void *to)
{
    (void)context;
    DIR *d = opendir(dir);
    if (!d) return -1;
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) each(to, entry->d_name);
    const int failed = errno;
    (void)closedir(d);
    errno = failed;
    return failed ? -1 : 0;
}

const struct io_ops io_posix = {
    .open = posix_open,
    .close = posix_close,
    .pread = posix_pread,
    .writev = posix_writev,
    .fdatasync = posix_fdatasync,
    .fsync = posix_fsync,
    .ftruncate = posix_ftruncate,
    .drop_cache = posix_drop_cache,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .stat = posix_stat,
    .list = posix_list,
};

char *path_join(const char *dir, const char *name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", dir, name);
    buf_add_char(&b, 0);
    return b.p;
}

enum err file_write_all(const struct io_ops *io, int fd, struct iovec *v, int count, struct errmsg *m)
{
    while (count > 0) {
        if (v->iov_len == 0) {
            v++;
            count--;
            continue;
        }
        const ssize_t n = io->writev(io->context, fd, v, count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(m, "write");
        if (n == 0) return err_set(m, ERR_NO_SPACE, "write: nothing was taken");
        size_t left = (size_t)n;
        while (count > 0 && left >= v->iov_len) {
            left -= v->iov_len;
            v++;
            count--;
        }
        if (count > 0) {
            v->iov_base = (char *)v->iov_base + left;
            v->iov_len -= left;
        }
    }
    return ERR_OK;
}

enum err file_read(const struct io_ops *io, const char *path, size_t max, struct buf *out, struct errmsg *m)
{
    enum { STEP = 64 << 10 };
    const int fd = io->open(io->context, path, O_RDONLY, 0);
    if (fd < 0) return err_errno(m, "open %s", path);
    enum err e = ERR_OK;
    size_t got = 0;
    for (;;) {
        const ssize_t n = io->pread(io->context, fd, buf_room(out, STEP), STEP, (off_t)got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) e = err_errno(m, "read %s", path);
        if (n <= 0) break;
        got += (size_t)n;
        out->len += (size_t)n;
        if (got > max) {
            e = err_set(m, ERR_RANGE, "%s is larger than it can be", path);
            break;
        }
    }
    (void)io->close(io->context, fd);
    return e;
}

static enum err write_and_sync(const struct io_ops *io, const char *path, struct span content, struct errmsg *m)
{
    const int fd = io->open(io->context, path, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    if (fd < 0) return err_errno(m, "open %s", path);
    struct iovec v = {.iov_base = (void *)(uintptr_t)content.p, .iov_len = content.n};
    enum err e = file_write_all(io, fd, &v, 1, m);
    if (e) e = err_wrap(m, e, "%s", path);
    if (!e && io->fsync(io->context, fd)) e = err_errno(m, "fsync %s", path);
    if (io->close(io->context, fd) && !e) e = err_errno(m, "close %s", path);
    return e;
}

enum err file_put(const struct io_ops *io, const char *dir, const char *name, struct span content, struct errmsg *m)
{
    struct buf temp_name = {0};
    buf_printf(&temp_name, "temp-%s", name);
    buf_add_char(&temp_name, 0);
    char *temp = path_join(dir, temp_name.p), *path = path_join(dir, name);
    enum err e = write_and_sync(io, temp, content, m);
    if (!e && io->rename(io->context, temp, path)) e = err_errno(m, "rename %s", temp);
    if (e) (void)io->unlink(io->context, temp);
    mem_free(temp);
    mem_free(path);
    buf_free(&temp_name);
    return e;
}

enum err file_replace(const struct io_ops *io, const char *dir, const char *name, struct span content,
                      struct errmsg *m)
{
    const enum err e = file_put(io, dir, name, content, m);
    return e ? e : dir_sync(io, dir, m);
}

enum err dir_sync(const struct io_ops *io, const char *dir, struct errmsg *m)
{
    const int fd = io->open(io->context, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return err_errno(m, "open %s", dir);
    const enum err e = io->fsync(io->context, fd) ? err_errno(m, "fsync %s", dir) : ERR_OK;
    (void)io->close(io->context, fd);
    return e;
}

enum err dir_make(const struct io_ops *io, const char *dir, struct errmsg *m)
{
    if (io->mkdir(io->context, dir, DIR_MODE) && errno != EEXIST) return err_errno(m, "mkdir %s", dir);
    char *parent = path_join(dir, "..");
    const enum err e = dir_sync(io, parent, m);
    mem_free(parent);
    return e;
}

int64_t file_size(const struct io_ops *io, const char *path)
{
    struct stat st;
    return io->stat(io->context, path, &st) ? -1 : (int64_t)st.st_size;
}

enum err file_look(const struct io_ops *io, const char *path, bool *there, struct errmsg *m)
{
    struct stat st;
    *there = io->stat(io->context, path, &st) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR ? ERR_OK : err_errno(m, "look at %s", path);
}

bool file_exists(const struct io_ops *io, const char *path)
{
    struct stat st;
    return io->stat(io->context, path, &st) == 0;
}

struct removal {
    const struct io_ops *io;
    const char *dir;
    struct errmsg *m;
    enum err e;
};

static void remove_one(void *context, const char *name)
{
    struct removal *r = context;
    if (r->e) return;
    char *path = path_join(r->dir, name);
    if (r->io->unlink(r->io->context, path) && errno != ENOENT) r->e = err_errno(r->m, "unlink %s", path);
    mem_free(path);
}

enum err dir_remove(const struct io_ops *io, const char *dir, struct errmsg *m)
{
    struct removal r = {.io = io, .dir = dir, .m = m};
    if (io->list(io->context, dir, remove_one, &r)) return errno == ENOENT ? ERR_OK : err_errno(m, "read %s", dir);
    if (!r.e && io->rmdir(io->context, dir) && errno != ENOENT) r.e = err_errno(m, "rmdir %s", dir);
    return r.e;
}
