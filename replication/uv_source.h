/* What a follower is sent from the disk: log behind the window, and the base. Reads run on the loop's thread pool, one at
 * a time per source.
 *
 * Happy path: source_open_base() -> done -> source_read_base()... -> source_close_base() -> source_open_log() -> ...
 * Failures:   done(error); the source can be used again.
 * Cancel:     source_free() at any time; done() is not called any more.
 *
 * From the first opening on the log is pinned from where it will be read, until source_close_log(). */
#pragma once

#include <uv.h>

#include "replication/log.h"

struct source;

enum source_op { SOURCE_OPEN_LOG, SOURCE_READ_LOG, SOURCE_OPEN_BASE, SOURCE_READ_BASE };

struct source_result {
    enum source_op op;
    enum err error;
    struct span bytes;        /* of a read; valid during the call */
    uint64_t size;            /* of the base */
    struct position position; /* of the base */
};

typedef void source_done(void *ctx, uint32_t conn, const struct source_result *r);

struct source *source_new(uv_loop_t *loop, struct log *log, uint32_t conn, source_done *done, void *ctx);
void source_free(struct source *s); /* NULL is a no-op */

void source_open_log(struct source *s, uint64_t offset, bool check, uint32_t crc, uint32_t seed);
void source_read_log(struct source *s, size_t max);
void source_close_log(struct source *s);
void source_open_base(struct source *s);
void source_read_base(struct source *s, uint64_t at, size_t max);
void source_close_base(struct source *s);
