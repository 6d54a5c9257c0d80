#include "replication/history.h"

#include <assert.h>

#include "common/mem.h"
#include "replication/hex.h"

bool lineage_is_set(const struct lineage *l)
{
    static const struct lineage none;
    return !lineage_eq(l, &none);
}

void lineage_format(const struct lineage *l, char text[33])
{
    hex_write_bytes(text, l->bytes, sizeof l->bytes);
    text[32] = 0;
}

bool lineage_parse(struct span text, struct lineage *l) { return hex_parse_bytes(text, l->bytes, sizeof l->bytes); }

/* Epochs are kept in room for a power of two of them, so that the count tells when more is needed. */
static size_t room_for(size_t count)
{
    size_t room = 1;
    while (room < count) room *= 2;
    return room;
}

void history_free(struct history *h)
{
    mem_free(h->epochs);
    *h = (struct history){0};
}

bool history_equal(const struct history *a, const struct history *b)
{
    if (!lineage_eq(&a->lineage, &b->lineage) || a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct epoch *x = &a->epochs[i], *y = &b->epochs[i];
        if (x->number != y->number || x->id != y->id || x->start != y->start || x->crc != y->crc) return false;
    }
    return true;
}

void history_copy(struct history *to, const struct history *from)
{
    assert(to != from);
    history_free(to);
    *to = *from;
    to->epochs = NULL;
    if (!from->count) return;
    to->epochs = mem_alloc(room_for(from->count) * sizeof *from->epochs);
    memcpy(to->epochs, from->epochs, from->count * sizeof *from->epochs);
}

enum err history_add(struct history *h, const struct epoch *e)
{
    const struct epoch *last = history_last(h);
    if (e->number == 0 || (last && (e->number <= last->number || e->start < last->start))) return ERR_INVALID;
    if (h->count == HISTORY_EPOCHS_MAX) {
        memmove(h->epochs, h->epochs + 1, (h->count - 1) * sizeof *h->epochs);
        h->count--;
    }
    if ((h->count & (h->count - 1)) == 0)
        h->epochs = mem_realloc(h->epochs, room_for(h->count + 1) * sizeof *h->epochs);
    h->epochs[h->count++] = *e;
    return ERR_OK;
}

void history_truncate(struct history *h, uint64_t end)
{
    while (h->count && h->epochs[h->count - 1].start > end) h->count--;
    if (h->count) {
        h->epochs = mem_realloc(h->epochs, room_for(h->count) * sizeof *h->epochs);
    } else {
        mem_free(h->epochs);
        h->epochs = NULL;
    }
}

const struct epoch *history_at(const struct history *h, uint64_t offset)
{
    size_t low = 0, high = h->count; /* epochs[low - 1].start <= offset < epochs[high].start */
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (h->epochs[mid].start <= offset) low = mid + 1;
        else high = mid;
    }
    return low ? &h->epochs[low - 1] : NULL;
}

const struct epoch *history_last(const struct history *h) { return h->count ? &h->epochs[h->count - 1] : NULL; }

const struct epoch *history_find(const struct history *h, uint64_t number)
{
    for (size_t i = h->count; i > 0; i--)
        if (h->epochs[i - 1].number == number) return &h->epochs[i - 1];
    return NULL;
}

bool history_enter(const struct history *h, struct batch_chain *chain)
{
    const struct epoch *e = history_at(h, chain->offset);
    if (!e || (e->start == chain->offset && e->crc != chain->crc)) return false;
    chain->epoch = e->number;
    chain->epoch_id = e->id;
    chain->epoch_start = e->start;
    return true;
}

/* Where the bytes of the epoch that writes at @offset end. */
static uint64_t region_end(const struct history *h, uint64_t offset, uint64_t end)
{
    const struct epoch *next = history_at(h, offset) + 1;
    return next < h->epochs + h->count && next->start < end ? next->start : end;
}

static enum history_relation order(uint64_t a_end, uint64_t b_end)
{
    return a_end == b_end ? HISTORY_EQUAL : a_end < b_end ? HISTORY_BEHIND : HISTORY_AHEAD;
}

enum history_relation history_compare(const struct history *a, uint64_t a_end, const struct history *b,
                                      uint64_t b_end, uint64_t *parting)
{
    const uint64_t a_begin = a->count ? a->epochs[0].start : 0, b_begin = b->count ? b->epochs[0].start : 0;
    const uint64_t end = a_end < b_end ? a_end : b_end, begin = a_begin > b_begin ? a_begin : b_begin;
    *parting = 0;
    if (!lineage_eq(&a->lineage, &b->lineage)) return HISTORY_UNRELATED;
    if (end == 0) return order(a_end, b_end);
    if (begin >= end) return HISTORY_UNRELATED;
    uint64_t at = begin;
    while (at < end) {
        const struct epoch *x = history_at(a, at), *y = history_at(b, at);
        if (!x || !y || x->number != y->number || x->id != y->id) break;
        const uint64_t x_end = region_end(a, at, end), y_end = region_end(b, at, end);
        at = x_end < y_end ? x_end : y_end;
    }
    /* Nothing is known of what lies before the oldest epochs that both remember, unless they agree there. */
    *parting = at > begin || begin == 0 ? at : 0;
    return at < end ? HISTORY_DIVERGED : order(a_end, b_end);
}

void history_encode(const struct history *h, struct buf *out)
{
    char lineage[33];
    lineage_format(&h->lineage, lineage);
    buf_add(out, lineage, 32);
    for (size_t i = 0; i < h->count; i++) {
        const struct epoch *e = &h->epochs[i];
        buf_add_char(out, ' ');
        hex_add(out, e->number);
        buf_add_char(out, ':');
        hex_add_fixed(out, e->id, 16);
        buf_add_char(out, ':');
        hex_add(out, e->start);
        buf_add_char(out, ':');
        hex_add_fixed(out, e->crc, 8);
    }
}

static bool take_epoch(struct cursor *c, struct epoch *e)
{
    uint8_t space, colon;
    uint64_t crc;
    if (!take_u8(c, &space) || space != ' ' || !hex_take(c, ':', &e->number) || !hex_take_fixed(c, 16, &e->id) ||
        !take_u8(c, &colon) || colon != ':' || !hex_take(c, ':', &e->start) || !hex_take_fixed(c, 8, &crc))
        return false;
    e->crc = (uint32_t)crc;
    return true;
}

enum err history_decode(struct span text, struct history *h, struct errmsg *m)
{
    struct cursor c = cursor_of(text);
    struct span lineage;
    history_free(h);
    if (!take_span(&c, 32, &lineage) || !lineage_parse(lineage, &h->lineage))
        return err_set(m, ERR_CORRUPT, "a history without a lineage");
    while (cursor_left(&c)) {
        struct epoch e;
        if (h->count == HISTORY_EPOCHS_MAX || !take_epoch(&c, &e) || history_add(h, &e)) {
            history_free(h);
            return err_set(m, ERR_CORRUPT, "a history with an epoch that cannot be");
        }
    }
    return ERR_OK;
}

void position_encode(const struct position *p, struct buf *out)
{
    hex_add(out, p->epoch);
    buf_add_char(out, ' ');
    hex_add(out, p->offset);
    buf_add_char(out, ' ');
    hex_add_fixed(out, p->crc, 8);
}

bool position_decode(struct span text, struct position *p)
{
    struct cursor c = cursor_of(text);
    uint64_t crc;
    if (!hex_take(&c, ' ', &p->epoch) || !hex_take(&c, ' ', &p->offset) || !hex_take_fixed(&c, 8, &crc) ||
        cursor_left(&c))
        return false;
    p->crc = (uint32_t)crc;
    return true;
}
