/* Frames: how messages lie on a connection.
 *
 *      +-----------------+-----------------+---------------------+------------------------+
 *      | header length   | payload length  | header, sealed      | payload, sealed        |
 *      | u32 LE, plain   | u32 LE, plain   | a relevo.Message    | raw bytes, may be none |
 *      +-----------------+-----------------+---------------------+------------------------+
 *
 * Lengths are those of the plain bytes, and are authenticated with the header; an empty payload is not sealed. Both are
 * held against their limits before anything is allocated. With seal NULL the bytes lie there plain (tests, fuzzing). */
#pragma once

#include "common/buf.h"
#include "proto/relevo.pb-c.h"
#include "replication/seal.h"

enum {
    FRAME_PREFIX = 8,
    FRAME_HEADER_MAX = 256 * 1024, /* the longest history fits */
    FRAME_PAYLOAD_MAX = 64 * 1024,
    FRAME_PIECE_MIN = 16 * 1024, /* a stream of log or snapshot is cut into pieces between these two sizes */
};

/* Memory for the unpacking of one message: grows as needed, forgotten at once. Zero-initialised is empty. */
struct frame_arena {
    char *p;
    size_t used, cap;
    void **more; /* what did not fit any more */
    size_t more_count, more_cap;
};

/* Unpack @header; the message lives until the next arena call. NULL: it is no Message. */
Relevo__Message *frame_unpack(struct frame_arena *a, struct span header);
void frame_arena_free(struct frame_arena *a);

/* Append the packed message to @out. */
void frame_pack(const Relevo__Message *m, struct buf *out);

/* Append a frame to @out. @header is a packed message of at most FRAME_HEADER_MAX bytes; @payload of at most
 * FRAME_PAYLOAD_MAX. */
void frame_write(struct seal *s, struct span header, struct span payload, struct buf *out);

/* Bytes that frame_write() appends. */
size_t frame_size(bool sealed, size_t header, size_t payload);

/* Reads frames out of a stream that arrives in any portions. Zero-initialised is at the start. */
struct frame_reader {
    struct buf pending; /* a frame of which not all is there */
    struct buf plain;   /* header and payload of the last frame */
    struct frame_arena arena;
};

struct frame {
    Relevo__Message *message;
    struct span header; /* the message, packed */
    struct span payload;
};

enum frame_status {
    FRAME_READY, /* *f is a frame; it lives until the next call */
    FRAME_MORE,  /* @in is used up, and the next frame is not whole */
    FRAME_BAD,   /* the connection is to be closed; the reason is in @m */
};

/* Take the next frame from the front of @in. */
enum frame_status frame_read(struct frame_reader *r, struct seal *s, struct cursor *in, struct frame *f,
                             struct errmsg *m);
void frame_reader_free(struct frame_reader *r);
