#include "common/piece.h"

#include <assert.h>

#include "common/le.h"

#define INSERT (UINT64_C(1) << 63)

bool piece_take(struct cursor *c, struct piece *p)
{
    struct cursor at = *c;
    uint64_t what;
    if (!take_u64le(&at, &p->stream) || !take_u64le(&at, &what)) return false;
    p->insert = what == INSERT;
    p->bytes = span_of(NULL, 0);
    if (!p->insert && (what > SIZE_MAX || !take_span(&at, (size_t)what, &p->bytes))) return false;
    *c = at;
    return true;
}

static void put_head(struct buf *out, uint64_t stream, uint64_t what)
{
    char head[PIECE_HEAD_BYTES];
    le_put(head, 8, stream);
    le_put(head + 8, 8, what);
    buf_add(out, head, sizeof head);
}

uint64_t piece_stream(struct piece_writer *w) { return ++w->streams; }

struct buf *piece_to(struct piece_writer *w, uint64_t stream)
{
    if (w->open && w->stream == stream) return w->out;
    piece_close(w);
    w->open = true;
    w->stream = stream;
    w->head = w->out->len;
    put_head(w->out, stream, 0);
    return w->out;
}

void piece_insert(struct piece_writer *w, uint64_t stream)
{
    assert(stream > 0);
    piece_close(w);
    put_head(w->out, stream, INSERT);
}

void piece_close(struct piece_writer *w)
{
    if (!w->open) return;
    const size_t length = w->out->len - w->head - PIECE_HEAD_BYTES;
    if (length) le_put(w->out->p + w->head + 8, 8, length);
    else w->out->len = w->head;
    w->open = false;
}
