/* Writing a checkpoint: the data set at one exact offset, as an RDB file.
 *
 * The main thread makes the bytes (a traversal of the data, in slices) and feeds them here; a thread puts them
 * into their order, sums them up and writes them.
 *
 * Happy path: begin (the log goes on in a new segment) -> feed ... -> finish -> fsync -> rename -> manifest
 * -> done; then the old base and the segments that nobody needs are deleted, by the same thread. Failures:
 * any step fails -> the partial file is removed, the old base stays, checkpoint_poll() says so. Cancel:
 * checkpoint_abort() at any time; the same as a failure, without a reason. */
#pragma once

#include "replication/log.h"

struct checkpoint;

enum checkpoint_state { CHECKPOINT_RUNNING, CHECKPOINT_DONE, CHECKPOINT_FAILED };

/* Begin a base of @log at log_end(), where the caller's traversal must begin too: in the same turn, with the
 * open batch closed. With files off it goes to a file that serves joining replicas only. @notify is called on
 * the thread when the state changed, or the backlog fell after checkpoint_is_behind(); cheap. Errors: ERR_BUSY  another
 * base is being written; ERR_IO ... */
MUST_USE enum err checkpoint_begin(struct log *log, void (*notify)(void *context), void *context,
                                   struct checkpoint **c, struct errmsg *m);

/* Begin a plain file at @path (SAVE, BGSAVE), which replaces an older one when it is complete. @io as in log_options. */
MUST_USE enum err checkpoint_begin_file(const struct io_ops *io, const char *path, void (*notify)(void *context),
                                        void *context, struct checkpoint **c, struct errmsg *m);

/* The place of the log that it stands for; goes into the RDB's auxiliary fields. Zero for a plain file. */
struct position checkpoint_position(const struct checkpoint *c);

/* Have the thread compress long strings of the RDB file that is fed. Before anything is. */
void checkpoint_compress(struct checkpoint *c);

/* Append @b's bytes; its memory is taken and @b is empty afterwards. */
void checkpoint_feed(struct checkpoint *c, struct buf *b);
/* The same with a run of pieces (piece.h), which the thread puts into their order. What it must keep for that beyond some
 * megabytes goes to a temporary file. @run is empty afterwards, and may have got memory that was fed before, for the next one:
 * the caller's to free. */
void checkpoint_feed_pieces(struct checkpoint *c, struct buf *run);
/* All that an RDB file needs but its end was fed: EOF and the checksum of all bytes are to follow it. */
void checkpoint_seal(struct checkpoint *c);

/* Does so much wait for the thread that the caller should feed no more? If so, @notify follows when half of it is written. */
bool checkpoint_is_behind(struct checkpoint *c);

/* Bytes that wait for the thread, and written so far. */
uint64_t checkpoint_backlog(const struct checkpoint *c);
uint64_t checkpoint_written(const struct checkpoint *c);

/* All was fed. */
void checkpoint_finish(struct checkpoint *c);
void checkpoint_abort(struct checkpoint *c);

enum checkpoint_state checkpoint_poll(struct checkpoint *c, struct errmsg *m);

/* Wait for the end. */
enum checkpoint_state checkpoint_wait(struct checkpoint *c, struct errmsg *m);

/* Aborts if it runs, and waits for its thread. NULL is a no-op. */
void checkpoint_free(struct checkpoint *c);
