#include <assert.h>

#include "common/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/sim.h"

enum { LOG_KEPT = 24 * 1024 }; /* log in front of the base that is kept for those who were away */

uint64_t disk_end(const struct sim_disk *d) { return d->begin + d->bytes.len; }

uint32_t disk_crc(const struct sim_disk *d) { return d->count ? d->batches[d->count - 1].crc : d->begin_crc; }

uint64_t disk_digest(const struct sim_disk *d)
{
    return d->count ? d->batches[d->count - 1].digest : d->begin_digest;
}

void disk_facts(const struct sim_disk *d, struct facts *f)
{
    history_copy(&f->history, &d->history);
    f->end = disk_end(d);
    f->end_crc = disk_crc(d);
}

void disk_free(struct sim_disk *d)
{
    history_free(&d->history);
    history_free(&d->base.history);
    buf_free(&d->bytes);
    mem_free(d->batches);
    *d = (struct sim_disk){0};
}

static uint64_t digest_with(uint64_t digest, struct span payload)
{
    uint64_t z = digest + UINT64_C(0x9e3779b97f4a7c15) + batch_crc32c(0, payload.p, payload.n);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 31;
}

static void add_batch(struct world *w, struct sim_node *n, const struct batch *b)
{
    struct sim_disk *d = &n->disk;
    if (d->count == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 64;
        d->batches = mem_realloc(d->batches, d->cap * sizeof *d->batches);
    }
    const struct epoch *e = history_at(&d->history, b->offset);
    if (!e || e->number != b->epoch) check_fail(w, "n%u logs a batch of an epoch that it does not know", n->index);
    d->batches[d->count] = (struct sim_batch){batch_end(b), b->crc, digest_with(disk_digest(d), b->payload)};
    d->count++;
    check_prefix(w, n, e->id, batch_end(b), disk_digest(d));
}

/* Walk the batches of @bytes, which begin at our end. */
static void add_bytes(struct world *w, struct sim_node *n, struct span bytes)
{
    struct sim_disk *d = &n->disk;
    buf_add_span(&d->bytes, bytes);
    size_t at = d->bytes.len - bytes.n;
    while (at < d->bytes.len) {
        struct batch b;
        const enum err e = batch_read_line(span_of(d->bytes.p + at, d->bytes.len - at), BATCH_MAX, &b);
        if (e != ERR_OK || b.line + b.payload.n > d->bytes.len - at) check_fail(w, "n%u logs half a batch", n->index);
        b.payload.p = d->bytes.p + at + b.line;
        add_batch(w, n, &b);
        at += b.line + b.payload.n;
    }
}

void disk_append(struct world *w, struct sim_node *n, const struct chunk *c)
{
    if (c->offset != disk_end(&n->disk)) check_fail(w, "n%u receives log at another offset than its end", n->index);
    add_bytes(w, n, chunk_span(c));
    if (disk_crc(&n->disk) != c->crc) check_fail(w, "n%u receives a chunk that names another checksum", n->index);
}

struct chunk *disk_write(struct world *w, struct sim_node *n, struct span payload)
{
    struct sim_disk *d = &n->disk;
    struct batch_chain chain = {.offset = disk_end(d), .crc = disk_crc(d)};
    const bool known = history_enter(&d->history, &chain);
    assert(known);
    check_writer(w, n, chain.epoch_id);
    char line[BATCH_LINE_MAX];
    struct buf whole = {0};
    const uint64_t offset = chain.offset;
    buf_add(&whole, line, batch_seal(line, &chain, w->now_ms, payload));
    buf_add_span(&whole, payload);
    struct chunk *c = chunk_copy(buf_span(&whole));
    buf_free(&whole);
    c->offset = offset;
    c->epoch = chain.epoch;
    c->crc = chain.crc;
    c->time_ms = w->now_ms;
    disk_append(w, n, c);
    return c;
}

void disk_open_epoch(struct world *w, struct sim_node *n, uint64_t at_least)
{
    struct sim_disk *d = &n->disk;
    struct epoch e = {.number = d->epoch_seen + 1, .start = disk_end(d), .crc = disk_crc(d)};
    if (e.number < at_least) e.number = at_least;
    e.id = sim_random(w, UINT64_MAX);
    if (!lineage_is_set(&d->history.lineage)) {
        for (size_t i = 0; i < sizeof d->history.lineage.bytes; i++)
            d->history.lineage.bytes[i] = (uint8_t)(1 + sim_random(w, 255));
    }
    history_truncate(&d->history, e.start);
    const enum err added = history_add(&d->history, &e);
    assert(added == ERR_OK);
    d->epoch_seen = e.number;
    check_opened(w, n, e.id);
}

void disk_adopt(struct sim_disk *d, const struct history *h)
{
    history_copy(&d->history, h);
    const uint64_t number = history_last(h) ? history_last(h)->number : 0;
    if (number > d->epoch_seen) d->epoch_seen = number;
}

static void drop_front(struct sim_disk *d, uint64_t keep_from)
{
    for (size_t i = 0; i < d->pin_count; i++)
        if (d->pins[i].offset < keep_from) keep_from = d->pins[i].offset;
    size_t n = 0;
    while (n < d->count && d->batches[n].end <= keep_from) n++;
    if (!n) return;
    const struct sim_batch last = d->batches[n - 1];
    buf_drop(&d->bytes, (size_t)(last.end - d->begin));
    d->begin = last.end;
    d->begin_crc = last.crc;
    d->begin_digest = last.digest;
    memmove(d->batches, d->batches + n, (d->count - n) * sizeof *d->batches);
    d->count -= n;
}

void disk_make_base(struct world *w, struct sim_disk *d)
{
    const struct epoch *e = disk_end(d) ? history_at(&d->history, disk_end(d) - 1) : NULL;
    d->base.there = true;
    d->base.position = (struct position){e ? e->number : 0, disk_end(d), disk_crc(d)};
    history_copy(&d->base.history, &d->history);
    d->base.digest = disk_digest(d);
    d->base.size = 8 + sim_random(w, sim_chance(w, 20) ? 300000 : 1000);
    drop_front(d, disk_end(d) > LOG_KEPT ? disk_end(d) - LOG_KEPT : 0);
}

void disk_install(struct sim_disk *d, const struct sim_base *base)
{
    d->begin = base->position.offset;
    d->begin_crc = base->position.crc;
    d->begin_digest = base->digest;
    d->bytes.len = 0;
    d->count = 0;
    d->durable = d->begin;
    disk_adopt(d, &base->history);
    d->base.there = true;
    d->base.position = base->position;
    d->base.digest = base->digest;
    d->base.size = base->size;
    history_copy(&d->base.history, &base->history);
}

void disk_lose_tail(struct world *w, struct sim_disk *d, bool power_cut)
{
    /* A kill spares what the log thread had written: all but the last moments'. */
    const uint64_t recent = disk_end(d) > 2000 ? disk_end(d) - 2000 : 0;
    const uint64_t least = power_cut || d->durable > recent ? d->durable : recent;
    while (d->count) {
        const uint64_t before = d->count > 1 ? d->batches[d->count - 2].end : d->begin;
        if (before < least || before < d->base.position.offset || sim_chance(w, 30)) break;
        d->count--;
        d->bytes.len = (size_t)(before - d->begin);
    }
    d->pin_count = 0;
}

enum err disk_verify(const struct sim_disk *d, uint64_t offset, uint32_t crc, uint32_t seed)
{
    if (offset < d->begin) return ERR_STALE;
    if (offset > disk_end(d)) return ERR_RANGE;
    if (offset == disk_end(d)) return crc == disk_crc(d) ? ERR_OK : ERR_DIVERGED;
    struct batch b;
    size_t need;
    const struct span rest = span_of(d->bytes.p + (offset - d->begin), (size_t)(disk_end(d) - offset));
    if (batch_read_line(rest, BATCH_MAX, &b) != ERR_OK) return ERR_DIVERGED;
    struct batch_chain chain = {.offset = offset, .crc = seed, .epoch = b.epoch, .epoch_start = offset + 1};
    return batch_take(rest, BATCH_MAX, &chain, &b, &need, NULL) == ERR_OK ? ERR_OK : ERR_DIVERGED;
}

struct span disk_read(const struct sim_disk *d, uint64_t offset, size_t max)
{
    if (offset < d->begin || offset >= disk_end(d)) return span_of(NULL, 0);
    const uint64_t left = disk_end(d) - offset;
    return span_of(d->bytes.p + (offset - d->begin), left < max ? (size_t)left : max);
}

void disk_unpin(struct sim_disk *d, uint32_t conn)
{
    for (size_t i = 0; i < d->pin_count; i++)
        if (d->pins[i].conn == conn) d->pins[i--] = d->pins[--d->pin_count];
}

void disk_pin(struct sim_disk *d, uint32_t conn, uint64_t offset)
{
    disk_unpin(d, conn);
    assert(d->pin_count < PRIMARY_FOLLOWERS);
    d->pins[d->pin_count++] = (struct sim_pin){conn, offset};
}
