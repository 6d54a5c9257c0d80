/* Batches: the unit in which the log is written, checked, sent and cut.
 *
 *     #B <offset> <epoch> <time_ms> <length> <crc>\r\n      the annotation line, shorter than BATCH_LINE_MAX
 *     *3\r\n$3\r\nSET\r\n ...                               <length> bytes: commands as RESP arrays
 *
 * All numbers are lower-case hexadecimal without leading zeros, but the crc, which always has 8 digits.
 * <offset> is the position in the log of the '#'; every byte counts. <crc> is CRC-32C (RFC 3720) over the
 * line up to and with the space before the crc, and over the payload, continued from the crc of the batch
 * before. The first batch of an epoch continues from that value mixed with the epoch's random id
 * (batch_mix()), so that equal (offset, epoch id, crc) means equal history. Pure: no I/O, no clock. */
#pragma once

#include "common/buf.h"
#include "common/resp.h"

enum { BATCH_LINE_MAX = 128 };

/* Bytes of a payload. A single command may be long (SPOP of a whole set is logged as one SREM); whoever reads a batch
 * takes memory only as its bytes arrive, never for a length that is merely stated. */
#define BATCH_MAX (UINT64_C(1) << 36)

/* Where the next batch is expected: the state that the checksum chain carries from batch to batch. */
struct batch_chain {
    uint64_t offset;
    uint32_t crc; /* of the batch that ends at `offset` (0 where the log begins) */
    uint64_t epoch, epoch_id, epoch_start;
};

struct batch {
    uint64_t offset, epoch;
    int64_t time_ms; /* the writer's wall clock */
    uint32_t crc;
    size_t line;         /* bytes of the annotation line, its CRLF included */
    struct span payload; /* borrowed from the input */
};

static inline uint64_t batch_end(const struct batch *b) { return b->offset + b->line + b->payload.n; }

/* CRC-32C of @p continued from @crc (0 to begin). */
uint32_t batch_crc32c(uint32_t crc, const void *p, size_t n);

/* The value from which an epoch's first batch continues: @crc over the 8 bytes of @epoch_id, lowest first. */
uint32_t batch_mix(uint32_t crc, uint64_t epoch_id);

/* The value from which the batch at the chain's offset continues. */
uint32_t batch_seed(const struct batch_chain *chain);

/* An open batch. batch_begin() empties @b and keeps room for the annotation line at its front; effects are
 * appended behind (effects_begin(&fx, b)); log_append() seals it. batch_payload() is what was appended so
 * far. */
void batch_begin(struct buf *b);
static inline struct span batch_payload(const struct buf *b)
{
    return b->len <= BATCH_LINE_MAX ? span_of(NULL, 0) : span_of(b->p + BATCH_LINE_MAX, b->len - BATCH_LINE_MAX);
}

/* Write the annotation line of a batch of @payload at @chain's place, and move the chain behind it. Returns
 * the line's length. @payload is at most BATCH_MAX. */
size_t batch_seal(char line[BATCH_LINE_MAX], struct batch_chain *chain, int64_t time_ms, struct span payload);

/* Read an annotation line at the front of @in; payload.n is the length that the line states, payload.p is
 * NULL. Errors: ERR_TRUNCATED  @in ends before the line does, and could become one ERR_CORRUPT    it is none,
 * or states more than @max bytes */
MUST_USE enum err batch_read_line(struct span in, size_t max, struct batch *b);

/* Read and verify the batch at the front of @in, which must be the one that @chain expects; the chain moves
 * behind it. Errors: ERR_TRUNCATED  incomplete; *need bytes in all are needed (a bound for the line, exact
 * for the rest) ERR_CORRUPT    no annotation line, another checksum, another offset or an epoch that is not
 * expected */
MUST_USE enum err batch_take(struct span in, size_t max, struct batch_chain *chain, struct batch *b, size_t *need,
                             struct errmsg *m);

/* The commands of a payload, one by one. Zero-initialise, set `rest`. */
struct batch_commands {
    struct span rest;
    struct resp_parser parser;
};

/* The next command into *argv, which stays valid until the next call; ERR_MISSING at the end.
 * Errors: ERR_CORRUPT  what is there is no RESP array, or ends in the middle of one. */
MUST_USE enum err batch_next_command(struct batch_commands *c, const struct span **argv, size_t *argc,
                                     struct errmsg *m);
void batch_commands_free(struct batch_commands *c);
