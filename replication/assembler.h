/* The receiving end of a log stream: pieces of any size go in, chunks of whole verified batches come out.
 *
 * Owned by the thread that feeds it. Nothing that it gives out was not checked: offsets are gapless, the
 * checksum chain holds, the epochs are those of the history. Pure. */
#pragma once

#include "replication/chunk.h"
#include "replication/history.h"

struct assembler;

/* Expect the stream to continue at @offset, where the last batch's checksum is @crc. @history (copied) names
 * the epochs that may come. @batch_max caps what one batch may make us hold. */
struct assembler *assembler_new(const struct history *history, uint64_t offset, uint32_t crc, size_t batch_max);
void assembler_free(struct assembler *a);

/* More epochs are known now. */
void assembler_set_history(struct assembler *a, const struct history *history);

/* Add the bytes that follow those fed before (copied). */
void assembler_feed(struct assembler *a, struct span piece);

/* The next chunk: as many whole batches of one epoch as are there. The caller gets its reference. *c is NULL
 * if none is complete yet. Errors: ERR_CORRUPT  the stream is not what must follow; the assembler is of no
 * use any more. */
MUST_USE enum err assembler_take(struct assembler *a, struct chunk **c, struct errmsg *m);

/* Offset behind the last whole batch that was taken; offset behind the last byte that was fed. */
uint64_t assembler_offset(const struct assembler *a);
uint64_t assembler_received(const struct assembler *a);
