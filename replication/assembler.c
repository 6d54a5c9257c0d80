#include "replication/assembler.h"

#include <assert.h>
#include <inttypes.h>

#include "common/mem.h"

enum { CHUNK_AIM = 256 << 10 }; /* bytes after which a chunk takes no further batch */

struct assembler {
    struct history history;
    struct batch_chain chain;
    size_t batch_max;
    struct buf bytes; /* fed; those before `at` were taken */
    size_t at;
    size_t need; /* bytes behind `at` without which the next batch is incomplete */
};

struct assembler *assembler_new(const struct history *history, uint64_t offset, uint32_t crc, size_t batch_max)
{
    assert(batch_max <= BATCH_MAX);
    struct assembler *a = MEM_NEW(struct assembler);
    history_copy(&a->history, history);
    a->chain = (struct batch_chain){.offset = offset, .crc = crc};
    a->batch_max = batch_max;
    return a;
}

void assembler_free(struct assembler *a)
{
    if (!a) return;
    history_free(&a->history);
    buf_free(&a->bytes);
    mem_free(a);
}

void assembler_set_history(struct assembler *a, const struct history *history) { history_copy(&a->history, history); }

void assembler_feed(struct assembler *a, struct span piece)
{
    /* Taken bytes go when that costs no more than it frees. */
    if (a->at >= a->bytes.len - a->at) {
        buf_drop(&a->bytes, a->at);
        a->at = 0;
    }
    buf_add_span(&a->bytes, piece);
}

/* Verify one more batch behind @taken bytes; false if it is incomplete or belongs to another epoch than @c's. */
static enum err take_one(struct assembler *a, size_t taken, struct batch *b, struct errmsg *m)
{
    const struct span rest = span_of(a->bytes.p + a->at + taken, a->bytes.len - a->at - taken);
    if (rest.n == 0 || rest.n < a->need) return ERR_TRUNCATED;
    if (!history_enter(&a->history, &a->chain))
        return err_set(m, ERR_CORRUPT, "the epochs do not fit the log at offset %" PRIu64, a->chain.offset);
    size_t need;
    const enum err e = batch_take(rest, a->batch_max, &a->chain, b, &need, m);
    /* For a line that is cut off the need is a bound only; a shorter one may be complete before. */
    a->need = e == ERR_TRUNCATED && need > BATCH_LINE_MAX ? need : 0;
    return e;
}

enum err assembler_take(struct assembler *a, struct chunk **c, struct errmsg *m)
{
    struct batch b = {0}, last = {0};
    size_t taken = 0;
    enum err e = ERR_OK;
    *c = NULL;
    while (taken < CHUNK_AIM) {
        const struct batch_chain before = a->chain;
        if ((e = take_one(a, taken, &b, m))) break;
        if (taken && b.epoch != last.epoch) {
            a->chain = before;
            break;
        }
        last = b;
        taken += b.line + b.payload.n;
    }
    if (taken) {
        /* An error behind whole batches is found again by the next call. */
        *c = chunk_copy(span_of(a->bytes.p + a->at, taken));
        (*c)->offset = batch_end(&last) - taken;
        (*c)->epoch = last.epoch;
        (*c)->time_ms = last.time_ms;
        (*c)->crc = last.crc;
        a->at += taken;
        return ERR_OK;
    }
    return e == ERR_TRUNCATED ? ERR_OK : e;
}

uint64_t assembler_offset(const struct assembler *a) { return a->chain.offset; }

uint64_t assembler_received(const struct assembler *a) { return a->chain.offset + (a->bytes.len - a->at); }
