/* The log's tail in memory: a range of offsets [begin, end) as a row of chunks, from which replicas are fed.
 *
 * Appending moves end; trimming moves begin so that the memory stays within its limit. A pin holds what lies
 * behind it up to a second, harder limit: who falls behind further reads from the disk (log_reader). Not
 * thread-safe: owned by the link thread. Pure. */
#pragma once

#include "replication/chunk.h"

struct window;

/* An empty window at offset @begin. Limits in bytes of memory; @pinned_limit >= @limit. */
struct window *window_new(uint64_t begin, size_t limit, size_t pinned_limit);
void window_free(struct window *w);

uint64_t window_begin(const struct window *w);
uint64_t window_end(const struct window *w);
size_t window_memory(const struct window *w);
void window_set_limits(struct window *w, size_t limit, size_t pinned_limit);

/* Empty it, and begin at @offset: after a snapshot was installed. Pins stay, and are stale. */
void window_reset(struct window *w, uint64_t offset);

/* Append a chunk (takes the caller's reference); its offset must be the window's end. */
void window_append(struct window *w, struct chunk *c);

/* The bytes from @offset on, as far as they lie in one chunk, at most @max: *bytes points into *c, which is
 * borrowed until the next append, trim or reset (take a reference to keep it). At the end *c is NULL and
 * bytes->n is 0. Errors: ERR_STALE  @offset lies before begin ERR_RANGE  @offset lies behind end */
MUST_USE enum err window_read(struct window *w, uint64_t offset, size_t max, struct chunk **c, struct span *bytes);

/* Whether a log whose last batch ends at @offset with checksum @crc continues with the window's bytes: the
 * batch at
 * @offset is verified with @seed (batch_seed()), or at the end @crc is compared with the last one's.
 * Errors: ERR_STALE, ERR_RANGE  as above
 *         ERR_DIVERGED  another history, or not the end of a batch */
MUST_USE enum err window_verify(struct window *w, uint64_t offset, uint32_t crc, uint32_t seed);

/* Hold what lies at and behind @offset until window_unpin(). A pin is the caller's struct; move it as the
 * reader goes on. Errors: ERR_STALE */
struct window_pin {
    struct window_pin *prev, *next;
    uint64_t offset;
};
MUST_USE enum err window_pin(struct window *w, uint64_t offset, struct window_pin *pin);
void window_pin_move(struct window *w, struct window_pin *pin, uint64_t offset);
void window_unpin(struct window *w, struct window_pin *pin); /* a pin that holds nothing is a no-op */
