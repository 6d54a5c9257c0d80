/* A file that is read from its front through one buffer, which grows only when one record is larger. */
#pragma once

#include "replication/files.h"

struct file_source {
    const struct io_ops *io;
    int fd;
    char *path;
    uint64_t size; /* bytes that count; what lies behind them is not looked at */
    uint64_t at;   /* position in the file of the first byte that was not skipped */
    struct buf bytes;
    size_t skipped; /* of `bytes` */
};

/* Open @path; at most @limit bytes of it count. */
MUST_USE enum err file_source_open(struct file_source *f, const struct io_ops *io, const char *path, uint64_t limit,
                                   struct errmsg *m);
void file_source_close(struct file_source *f); /* zero-initialised is closed */

/* Borrow the bytes at `at`: at least @n of them, fewer only at the end. Valid until the next call. */
MUST_USE enum err file_source_want(struct file_source *f, size_t n, struct span *bytes, struct errmsg *m);

/* Copy some of the bytes at `at`, at least one and at most @n, and go on behind them; *got is 0 at the end. */
MUST_USE enum err file_source_take(struct file_source *f, void *to, size_t n, size_t *got, struct errmsg *m);

/* Go on behind @n bytes that were borrowed, or anywhere. */
void file_source_skip(struct file_source *f, size_t n);
void file_source_seek(struct file_source *f, uint64_t at);
