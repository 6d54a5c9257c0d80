#include "replication/bulletin.h"

#include <assert.h>

#include "common/le.h"
#include "common/mem.h"

enum { PREFIX = 9 };

void message_add(struct buf *to, const struct message *m)
{
    char prefix[PREFIX];
    prefix[0] = m->sharded;
    le_put(prefix + 1, 4, m->channel.n);
    le_put(prefix + 5, 4, m->text.n);
    buf_add(to, prefix, sizeof prefix);
    buf_add_span(to, m->channel);
    buf_add_span(to, m->text);
}

bool bulletin_add(struct buf *to, const struct message *m)
{
    if (m->channel.n > BULLETIN_MAX || m->text.n > BULLETIN_MAX) return false;
    const size_t n = PREFIX + m->channel.n + m->text.n;
    if (to->len > BULLETIN_MAX || n > BULLETIN_MAX - to->len) return false;
    message_add(to, m);
    return true;
}

bool bulletin_next(struct cursor *from, struct message *m)
{
    struct cursor c = *from;
    uint8_t kind;
    uint32_t channel, text;
    if (!take_u8(&c, &kind) || kind > 1 || !take_u32le(&c, &channel) || !take_u32le(&c, &text)) return false;
    if (!take_span(&c, channel, &m->channel) || !take_span(&c, text, &m->text)) return false;
    m->sharded = kind == 1;
    *from = c;
    return true;
}

struct bulletin *bulletin_take(struct buf *bytes, uint64_t position)
{
    struct cursor c = cursor_of(buf_span(bytes));
    struct message m;
    uint32_t count = 0;
    while (bulletin_next(&c, &m)) count++;
    if (cursor_left(&c) || bytes->len > BULLETIN_MAX) return NULL;
    struct bulletin *b = MEM_NEW(struct bulletin);
    atomic_init(&b->refs, 1);
    b->count = count;
    b->position = position;
    b->bytes = *bytes;
    *bytes = (struct buf){0};
    return b;
}

void bulletin_unref(struct bulletin *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
    buf_free(&b->bytes);
    mem_free(b);
}

static void grow(struct bulletin_queue *q)
{
    const size_t room = q->room ? q->room * 2 : 8;
    struct bulletin **ring = mem_zalloc(room, sizeof *ring);
    for (size_t i = 0; i < q->count; i++) ring[i] = q->ring[(q->head + i) % q->room];
    mem_free(q->ring);
    q->ring = ring;
    q->room = room;
    q->head = 0;
}

bool bulletin_queue_add(struct bulletin_queue *q, struct bulletin *b)
{
    if (b->bytes.len > BULLETIN_QUEUE_MAX - q->bytes) return false;
    if (q->count == q->room) grow(q);
    q->ring[(q->head + q->count++) % q->room] = bulletin_ref(b);
    q->bytes += b->bytes.len;
    return true;
}

struct bulletin *bulletin_queue_first(const struct bulletin_queue *q) { return q->count ? q->ring[q->head] : NULL; }

void bulletin_queue_sent(struct bulletin_queue *q, size_t n)
{
    struct bulletin *b = bulletin_queue_first(q);
    assert(b && n <= b->bytes.len - q->sent);
    q->sent += n;
    if (q->sent < b->bytes.len) return;
    q->bytes -= q->sent;
    q->sent = 0;
    q->head = (q->head + 1) % q->room;
    q->count--;
    bulletin_unref(b);
}

void bulletin_queue_free(struct bulletin_queue *q)
{
    for (; q->count; q->count--, q->head = (q->head + 1) % q->room) bulletin_unref(q->ring[q->head]);
    mem_free(q->ring);
    *q = (struct bulletin_queue){0};
}
