#include "replication/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <stdio.h>

#include "replication/hex.h"

enum { CRC_DIGITS = 8 };

uint32_t batch_crc32c(uint32_t crc, const void *p, size_t n)
{
    /* The library wants a mutable pointer to what it only reads, and a length that is an int. */
    unsigned char *at = (unsigned char *)(uintptr_t)p;
    while (n > 0) {
        const int step = n > INT_MAX / 2 ? INT_MAX / 2 : (int)n;
        crc = ~crc32_iscsi(at, step, ~crc);
        at += step;
        n -= (size_t)step;
    }
    return crc;
}

uint32_t batch_mix(uint32_t crc, uint64_t epoch_id)
{
    unsigned char id[8];
    for (unsigned i = 0; i < sizeof id; i++) id[i] = (unsigned char)(epoch_id >> (8 * i));
    return batch_crc32c(crc, id, sizeof id);
}

uint32_t batch_seed(const struct batch_chain *chain)
{
    return chain->offset == chain->epoch_start ? batch_mix(chain->crc, chain->epoch_id) : chain->crc;
}

void batch_begin(struct buf *b)
{
    enum { KEEP = 256 << 10 };
    buf_reset(b, KEEP);
    (void)buf_room(b, BATCH_LINE_MAX);
    b->len = BATCH_LINE_MAX;
}

/* What the checksum of a batch covers: the line without the checksum itself, and the payload. */
static uint32_t batch_checksum(const struct batch_chain *chain, struct span head, struct span payload)
{
    const uint32_t crc = batch_crc32c(batch_seed(chain), head.p, head.n);
    return batch_crc32c(crc, payload.p, payload.n);
}

static void advance(struct batch_chain *chain, uint64_t bytes, uint32_t crc)
{
    chain->offset += bytes;
    chain->crc = crc;
}

size_t batch_seal(char line[BATCH_LINE_MAX], struct batch_chain *chain, int64_t time_ms, struct span payload)
{
    assert(payload.n <= BATCH_MAX && time_ms >= 0 && chain->epoch > 0);
    char *at = line;
    memcpy(at, "#B ", 3);
    at += 3;
    const uint64_t fields[] = {chain->offset, chain->epoch, (uint64_t)time_ms, payload.n};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        at += hex_write(at, fields[i]);
        *at++ = ' ';
    }
    const uint32_t crc = batch_checksum(chain, span_of(line, (size_t)(at - line)), payload);
    hex_write_fixed(at, crc, CRC_DIGITS);
    at += CRC_DIGITS;
    memcpy(at, "\r\n", 2);
    const size_t n = (size_t)(at + 2 - line);
    assert(n < BATCH_LINE_MAX);
    advance(chain, n + payload.n, crc);
    return n;
}

/* Whether @in, in which no line ends, could still become an annotation line. */
static bool line_may_come(struct span in)
{
    static const char begin[] = "#B ";
    if (in.n >= BATCH_LINE_MAX - 1) return false;
    for (size_t i = 0; i < in.n; i++) {
        const char c = in.p[i];
        if (i < sizeof begin - 1 ? c != begin[i] : !(hex_is_digit(c) || c == ' ' || (c == '\r' && i + 1 == in.n)))
            return false;
    }
    return true;
}

enum err batch_read_line(struct span in, size_t max, struct batch *b)
{
    const size_t looked = in.n < BATCH_LINE_MAX - 1 ? in.n : BATCH_LINE_MAX - 1;
    const char *end = looked ? memchr(in.p, '\n', looked) : NULL;
    if (!end) return line_may_come(in) ? ERR_TRUNCATED : ERR_CORRUPT;
    struct cursor c = {in.p, end + 1};
    struct span tag, tail;
    uint64_t time_ms, length, crc;
    if (!take_span(&c, 3, &tag) || !span_eq(tag, SPAN("#B ")) || !hex_take(&c, ' ', &b->offset) ||
        !hex_take(&c, ' ', &b->epoch) || !hex_take(&c, ' ', &time_ms) || !hex_take(&c, ' ', &length) ||
        !hex_take_fixed(&c, CRC_DIGITS, &crc) || !take_span(&c, 2, &tail) || !span_eq(tail, SPAN("\r\n")) ||
        cursor_left(&c) || length > max || time_ms > INT64_MAX)
        return ERR_CORRUPT;
    b->time_ms = (int64_t)time_ms;
    b->crc = (uint32_t)crc;
    b->line = (size_t)(end + 1 - in.p);
    b->payload = span_of(NULL, (size_t)length);
    return ERR_OK;
}

enum err batch_take(struct span in, size_t max, struct batch_chain *chain, struct batch *b, size_t *need,
                    struct errmsg *m)
{
    *need = BATCH_LINE_MAX;
    const enum err e = batch_read_line(in, max, b);
    if (e == ERR_TRUNCATED) return err_set(m, e, "an annotation line is cut off");
    if (e) return err_set(m, e, "no annotation line where one must be");
    if (b->offset != chain->offset)
        return err_set(m, ERR_CORRUPT, "a batch of offset %" PRIu64 " where %" PRIu64 " must be", b->offset,
                       chain->offset);
    if (b->epoch != chain->epoch)
        return err_set(m, ERR_CORRUPT, "a batch of epoch %" PRIu64 " where %" PRIu64 " must be", b->epoch,
                       chain->epoch);
    *need = b->line + b->payload.n;
    if (in.n < *need) return err_set(m, ERR_TRUNCATED, "a batch is cut off");
    b->payload.p = in.p + b->line;
    if (batch_checksum(chain, span_of(in.p, b->line - CRC_DIGITS - 2), b->payload) != b->crc)
        return err_set(m, ERR_CORRUPT, "a batch has another checksum than it states");
    advance(chain, *need, b->crc);
    return ERR_OK;
}

enum err batch_next_command(struct batch_commands *c, const struct span **argv, size_t *argc, struct errmsg *m)
{
    /* An argument takes at least 6 bytes ("$0\r\n\r\n"), so the payload itself bounds what is believed. */
    const struct resp_limits limits = {.max_args = c->rest.n / 6 + 1, .max_bulk = BATCH_MAX, .max_inline = 64};
    struct request request;
    do {
        if (c->rest.n == 0) return ERR_MISSING;
        if (c->rest.p[0] != '*') return err_set(m, ERR_CORRUPT, "no command where one must be");
        size_t used, want;
        switch (resp_parse(&c->parser, c->rest, &limits, &request, &used, &want)) {
        case RESP_BAD: return err_set(m, ERR_CORRUPT, "a command that cannot be read (%s)", c->parser.error);
        case RESP_INCOMPLETE: return err_set(m, ERR_CORRUPT, "a command is cut off");
        case RESP_REQUEST: break;
        }
        c->rest = span_of(c->rest.p + used, c->rest.n - used);
    } while (request.argc == 0);
    *argv = request.argv;
    *argc = request.argc;
    return ERR_OK;
}

void batch_commands_free(struct batch_commands *c)
{
    resp_parser_free(&c->parser);
    *c = (struct batch_commands){0};
}
