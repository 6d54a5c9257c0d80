/* Pieces: a data set on its way out while it is still being used, in the order in which parts of it had to be made.
 *
 * What comes out in the end is one run of bytes, stream 0. It cannot be made in its own order: an RDB file has a large
 * key in one run, but while that run is being made, a command may change another key whose old image must go out now.
 * So that image goes to a stream of its own, and its place is said later:
 *
 *     piece of bytes    append these bytes to stream S
 *     piece of a place  append to stream 0 all that stream S holds; S ends with that
 *
 * Whoever takes the pieces keeps the streams apart, in memory or wherever there is room, and lets stream 0 flow. The
 * number of a stream is never used again. At the end every stream but 0 was inserted; before, some hold what is yet
 * to be placed. A piece says nothing about what its bytes mean.
 *
 * Pieces stand one behind the other in a struct buf. Such a run may be cut between pieces and put together again:
 *
 *     | stream u64 le | length of the bytes u64 le | bytes |
 *     | stream u64 le | 2^63 |
 */
#pragma once

#include "common/buf.h"

enum { PIECE_HEAD_BYTES = 16 };

struct piece {
    uint64_t stream;
    bool insert;       /* its place is here; no bytes */
    struct span bytes; /* borrowed */
};

/* Take the next piece of a run; false if no whole one is left. */
MUST_USE bool piece_take(struct cursor *c, struct piece *p);

/* Writes pieces. What is written for one stream without a break becomes one piece. */
struct piece_writer {
    struct buf *out;
    bool open;        /* the last piece in `out` may still grow */
    size_t head;      /* where that piece begins */
    uint64_t stream;  /* and whose it is */
    uint64_t streams; /* numbers that were given away */
};

/* The number of a new stream. */
uint64_t piece_stream(struct piece_writer *w);

/* Where bytes of @stream are to be appended now, if any; until the next call. */
struct buf *piece_to(struct piece_writer *w, uint64_t stream);

/* Append to stream 0 all that @stream holds, which is something. */
void piece_insert(struct piece_writer *w, uint64_t stream);

/* End the last piece. To be called before the run is used, and before @w->out is set to another buf. */
void piece_close(struct piece_writer *w);
