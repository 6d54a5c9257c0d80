/* `relevo check --dump PATH`: what files hold, as commands that a person reads and redis-cli takes.
 *
 *     # appendonlydir/appendonly.aof.1.incr.aof
 *     # offset 0, epoch 1, 2026-11-22T16:30:00.250Z
 *     SET "k" "a \"b\"\x00"
 *
 * Strings are quoted as redis-cli shows them; lines that begin with '#' say where and when. A key of a snapshot stands
 * there as the commands that make it. In the memory of the largest command or key. */
#pragma once

#include "replication/files.h"

struct dump_options {
    const struct io_ops *io;                        /* NULL: the real ones */
    bool (*write)(void *context, struct span text); /* false: it cannot be written, and nothing more is wanted */
    void *context;
};

/* @path as for check_path(). Of a directory, the base and the log behind it.
 * Errors: damage, with its place; what came before it was written. ERR_CANCELED  write() said so. */
MUST_USE enum err dump_path(const char *path, const struct dump_options *options, struct errmsg *m);
