/* A snapshot on its way to a file: pieces are written in order on the loop's thread pool.
 *
 * Happy path: store_new() -> store_write()... -> store_finish() -> done(ERR_OK), and store_keep() gives the file away.
 * Failures:   any step fails -> done(error), once, at once; the file goes with store_free().
 * Cancel:     store_free() at any time: the file is removed, done() is not called any more. */
#pragma once

#include <uv.h>

#include "common/buf.h"

struct store;

typedef void store_done(void *ctx, enum err e, const char *why);
/* The bytes that wait have risen above STORE_MUCH, or fallen below its half. */
typedef void store_full(void *ctx, bool full);

enum { STORE_MUCH = 8 << 20 };

/* @number: another one for each store of a process, since one that was given up may still hold its file. */
struct store *store_new(uv_loop_t *loop, const char *dir, unsigned number, store_done *done, store_full *full,
                        void *ctx);

/* Remove from @dir what stores of a process that was killed have left. Before the first store_new(). */
void store_clean(const char *dir);
void store_free(struct store *s); /* NULL is a no-op */
void store_write(struct store *s, struct span bytes);
void store_finish(struct store *s);

/* After done(ERR_OK): the path of the file, which store_free() does not remove any more. */
const char *store_keep(struct store *s);
