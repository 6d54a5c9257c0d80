/* Files and directories, through a table of calls so that tests can make any of them fail. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/buf.h"

/* The system calls of the log. Each behaves as POSIX's of the same name (errno included). */
struct io_ops {
    void *context;
    int (*open)(void *context, const char *path, int flags, mode_t mode);
    int (*close)(void *context, int fd);
    ssize_t (*pread)(void *context, int fd, void *to, size_t n, off_t at);
    ssize_t (*writev)(void *context, int fd, const struct iovec *v, int count);
    int (*fdatasync)(void *context, int fd);
    int (*fsync)(void *context, int fd);
    int (*ftruncate)(void *context, int fd, off_t size);
    /* Forget what is cached of the file's range, so that it is read from the disk again; what is not written yet stays.
     * posix_fadvise(POSIX_FADV_DONTNEED): a hint, nobody minds if it fails. */
    void (*drop_cache)(void *context, int fd, off_t at, off_t n);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*mkdir)(void *context, const char *path, mode_t mode);
    int (*rmdir)(void *context, const char *path);
    int (*stat)(void *context, const char *path, struct stat *st);
    /* opendir, readdir, closedir: @each gets every name but "." and "..". 0, or -1 with errno. */
    int (*list)(void *context, const char *dir, void (*each)(void *to, const char *name), void *to);
};

/* The real ones. */
extern const struct io_ops io_posix;

/* "<dir>/<name>" on the heap. */
char *path_join(const char *dir, const char *name);

/* Write all of @v, which is used up; continues short writes. */
MUST_USE enum err file_write_all(const struct io_ops *io, int fd, struct iovec *v, int count, struct errmsg *m);

/* The whole file at @path, at most @max bytes. Errors: ERR_MISSING, ERR_RANGE (longer), ERR_IO ... */
MUST_USE enum err file_read(const struct io_ops *io, const char *path, size_t max, struct buf *out, struct errmsg *m);

/* Replace @dir/@name by @content so that a crash leaves the old one or the new one, whole: a temporary file,
 * fsync, rename, fsync of the directory. On failure the old file is still there. */
MUST_USE enum err file_replace(const struct io_ops *io, const char *dir, const char *name, struct span content,
                               struct errmsg *m);

/* file_replace() without the last fsync: after it the new file is there, but a power cut may bring back the old one. */
MUST_USE enum err file_put(const struct io_ops *io, const char *dir, const char *name, struct span content,
                           struct errmsg *m);

/* fsync of a directory: what was created, renamed or removed in it survives a power cut. */
MUST_USE enum err dir_sync(const struct io_ops *io, const char *dir, struct errmsg *m);

/* Create @dir if it is missing, with its entry in the parent made durable. */
MUST_USE enum err dir_make(const struct io_ops *io, const char *dir, struct errmsg *m);

/* Size in bytes, or -1 with errno. */
int64_t file_size(const struct io_ops *io, const char *path);
/* Whether something is at @path. Where a decision hangs on it: an error is not an absence. */
MUST_USE enum err file_look(const struct io_ops *io, const char *path, bool *there, struct errmsg *m);
/* The same for what is only said or counted: false also where it cannot be told. */
bool file_exists(const struct io_ops *io, const char *path);

/* Remove a directory and the files in it (no subdirectories). Missing ones are no error. */
MUST_USE enum err dir_remove(const struct io_ops *io, const char *dir, struct errmsg *m);
