/* Reading the atoms of an RDB file: bytes, lengths, strings. Inside the codec only: rdb_load.c builds data of them.
 *
 * Every function returns an error whose message names the offset. No length is believed beyond what the source can
 * still give and what the target takes, and memory grows no faster than bytes arrive. */
#pragma once

#include "common/rdb.h"

struct rdb_reader {
    const struct rdb_source *source;
    size_t max_string;
    struct errmsg *m;
    unsigned char *chunk; /* bytes read ahead: [at, end) are still to be taken, [summed, at) to be summed */
    size_t at, end, summed;
    uint64_t offset; /* bytes taken */
    struct rdb_sum sum;
    struct buf packed; /* LZF input */
};

/* For functions that return enum err. */
#define TRY(call)                          \
    do {                                   \
        const enum err try_error = (call); \
        if (try_error) return try_error;   \
    } while (0)

void rdb_reader_init(struct rdb_reader *r, const struct rdb_source *source, size_t max_string, struct errmsg *m);
void rdb_reader_free(struct rdb_reader *r);

/* Set the message to "<formatted>, at offset N"; returns @e. */
enum err rdb_fail(struct rdb_reader *r, enum err e, const char *format, ...) PRINTF(3, 4);

MUST_USE enum err rdb_read(struct rdb_reader *r, void *to, size_t n);
MUST_USE enum err rdb_read_u8(struct rdb_reader *r, unsigned *v);
MUST_USE enum err rdb_read_u32le(struct rdb_reader *r, uint32_t *v);
MUST_USE enum err rdb_read_u64le(struct rdb_reader *r, uint64_t *v);
MUST_USE enum err rdb_read_double(struct rdb_reader *r, double *v);
/* A double as text behind a length byte, as versions up to 7 wrote scores. */
MUST_USE enum err rdb_read_text_double(struct rdb_reader *r, double *v);

/* A number, as lengths are written. */
MUST_USE enum err rdb_read_number(struct rdb_reader *r, uint64_t *v);
/* A number of things that take at least a byte each. */
MUST_USE enum err rdb_read_count(struct rdb_reader *r, uint64_t *n);
/* A string of any form takes the place of what is in @to. */
MUST_USE enum err rdb_read_string(struct rdb_reader *r, struct buf *to);
/* A packed collection in memory of just its size, which may be taken out of @to. */
MUST_USE enum err rdb_read_blob(struct rdb_reader *r, struct buf *to);

/* The checksum of the bytes that were taken so far. */
uint64_t rdb_reader_crc(struct rdb_reader *r);
