#include "common/collate.h"

#include <assert.h>

#include "common/htable.h"
#include "common/mem.h"

enum { FETCH_BYTES = 64 * 1024 };

/* A run of bytes in the store. */
struct extent {
    uint64_t at, length;
};

/* A stream that waits: what is in the store comes before what is in memory. */
struct stream {
    uint64_t number;
    struct buf extents; /* of struct extent */
    struct buf bytes;
};

struct collate {
    struct collate_ops ops;
    size_t most_bytes;
    size_t bytes;    /* in memory, all streams together */
    uint64_t stored; /* in the store, likewise */
    struct htable streams;
};

static struct span stream_key(const void *item)
{
    const struct stream *s = item;
    return span_of(&s->number, sizeof s->number);
}

static void stream_free(void *item)
{
    struct stream *s = item;
    buf_free(&s->extents);
    buf_free(&s->bytes);
    mem_free(s);
}

struct collate *collate_new(const struct collate_ops *ops, size_t most_bytes)
{
    static const struct htable_kind kind = {.key = stream_key, .free = stream_free};
    static const uint8_t hash_key[HTABLE_KEY_BYTES]; /* the numbers are ours: nobody chooses them to collide */
    struct collate *c = MEM_NEW(struct collate);
    c->ops = *ops;
    c->most_bytes = most_bytes;
    htable_init(&c->streams, &kind, hash_key);
    return c;
}

void collate_free(struct collate *c)
{
    if (!c) return;
    htable_free(&c->streams);
    mem_free(c);
}

static struct stream *stream_of(struct collate *c, uint64_t number)
{
    const struct span key = span_of(&number, sizeof number);
    const uint64_t hash = htable_hash(&c->streams, key);
    struct stream *s = htable_find(&c->streams, hash, key);
    if (s) return s;
    s = MEM_NEW(struct stream);
    s->number = number;
    htable_insert(&c->streams, hash, s);
    return s;
}

/* Move what is in memory to the store, the streams one behind the other. */
struct spill {
    struct collate *c;
    struct errmsg *m;
    enum err e;
};

static void spill_stream(void *context, void *item, bool marked)
{
    (void)marked;
    struct spill *spill = context;
    struct stream *s = item;
    struct collate *c = spill->c;
    struct extent x = {.length = s->bytes.len};
    if (spill->e || x.length == 0) return;
    spill->e = c->ops.store(c->ops.context, buf_span(&s->bytes), &x.at, spill->m);
    if (spill->e) return;
    buf_add(&s->extents, &x, sizeof x);
    c->stored += x.length;
    c->bytes -= s->bytes.len;
    buf_free(&s->bytes);
}

static enum err spill_all(struct collate *c, struct errmsg *m)
{
    struct spill spill = {.c = c, .m = m};
    uint64_t at = 0;
    do at = htable_scan(&c->streams, at, false, spill_stream, &spill);
    while (at);
    assert(spill.e || c->bytes == 0);
    return spill.e;
}

/* Write what is in one extent. */
static enum err write_extent(struct collate *c, struct extent x, char *room, struct errmsg *m)
{
    while (x.length > 0) {
        const size_t n = x.length < FETCH_BYTES ? (size_t)x.length : FETCH_BYTES;
        enum err e = c->ops.fetch(c->ops.context, x.at, room, n, m);
        if (!e) e = c->ops.write(c->ops.context, span_of(room, n), m);
        if (e) return e;
        x.at += n;
        x.length -= n;
        c->stored -= n;
    }
    return ERR_OK;
}

static enum err write_stored(struct collate *c, const struct stream *s, struct errmsg *m)
{
    if (s->extents.len == 0) return ERR_OK;
    char *room = mem_alloc(FETCH_BYTES);
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < s->extents.len; i += sizeof(struct extent)) {
        struct extent x;
        memcpy(&x, s->extents.p + i, sizeof x);
        e = write_extent(c, x, room, m);
    }
    mem_free(room);
    if (!e && c->stored == 0) e = c->ops.forget(c->ops.context, m);
    return e;
}

static enum err insert(struct collate *c, uint64_t number, struct errmsg *m)
{
    const struct span key = span_of(&number, sizeof number);
    struct stream *s = htable_remove(&c->streams, htable_hash(&c->streams, key), key);
    if (!s) return err_set(m, ERR_CORRUPT, "stream %llu of a snapshot is missing", (unsigned long long)number);
    enum err e = write_stored(c, s, m);
    if (!e && s->bytes.len > 0) e = c->ops.write(c->ops.context, buf_span(&s->bytes), m);
    c->bytes -= s->bytes.len;
    stream_free(s);
    return e;
}

static enum err keep(struct collate *c, const struct piece *p, struct errmsg *m)
{
    buf_add_span(&stream_of(c, p->stream)->bytes, p->bytes);
    c->bytes += p->bytes.n;
    return c->ops.store && c->bytes > c->most_bytes ? spill_all(c, m) : ERR_OK;
}

enum err collate_take(struct collate *c, struct span run, struct errmsg *m)
{
    struct cursor at = cursor_of(run);
    struct piece p;
    while (piece_take(&at, &p)) {
        enum err e;
        if (p.insert) e = insert(c, p.stream, m);
        else if (p.stream) e = keep(c, &p, m);
        else e = c->ops.write(c->ops.context, p.bytes, m);
        if (e) return e;
    }
    return cursor_left(&at) ? err_set(m, ERR_CORRUPT, "a piece of a snapshot is cut off") : ERR_OK;
}

bool collate_pending(const struct collate *c) { return c->streams.count > 0; }
size_t collate_bytes(const struct collate *c) { return c->bytes; }
uint64_t collate_stored(const struct collate *c) { return c->stored; }
