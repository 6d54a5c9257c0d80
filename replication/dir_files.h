/* The files that a start would read from a directory, in its order. */
#pragma once

#include "replication/files.h"

struct dir_file {
    char *path;
    uint64_t bytes; /* that count of it; UINT64_MAX: all */
};

struct dir_files {
    struct dir_file *at;
    size_t count;
};

/* @dir is a working directory or an appendonlydir. Errors: ERR_MISSING  nothing of a log, nor a dump; ERR_CORRUPT  a
 * manifest. */
MUST_USE enum err dir_files_find(const struct io_ops *io, const char *dir, struct dir_files *f, struct errmsg *m);
void dir_files_free(struct dir_files *f);

/* The name of Redis's manifest in @dir, on the heap; NULL: there is none, nor a directory. Errors: it cannot be told. */
MUST_USE enum err dir_find_manifest(const struct io_ops *io, const char *dir, char **name, struct errmsg *m);
