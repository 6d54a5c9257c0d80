#include "replication/frame.h"

#include <assert.h>

#include "common/mem.h"

enum { ARENA_FIRST = 4096, ARENA_ALIGN = 16, KEEP = FRAME_PREFIX + FRAME_PAYLOAD_MAX + 4096 };

static void arena_reset(struct frame_arena *a)
{
    for (size_t i = 0; i < a->more_count; i++) mem_free(a->more[i]);
    a->more_count = 0;
    a->used = 0;
}

static void *arena_alloc(void *context, size_t n)
{
    struct frame_arena *a = context;
    if (!a->p) {
        a->p = mem_alloc(ARENA_FIRST);
        a->cap = ARENA_FIRST;
    }
    const size_t rounded = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (rounded <= a->cap - a->used) {
        void *p = a->p + a->used;
        a->used += rounded;
        return p;
    }
    if (a->more_count == a->more_cap) {
        a->more_cap = a->more_cap ? a->more_cap * 2 : 8;
        a->more = mem_realloc(a->more, a->more_cap * sizeof *a->more);
    }
    return a->more[a->more_count++] = mem_alloc(n);
}

/* What an arena gave is freed with the whole arena. */
static void arena_ignore(void *context, void *p)
{
    (void)context;
    (void)p;
}

Relevo__Message *frame_unpack(struct frame_arena *a, struct span header)
{
    arena_reset(a);
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_ignore, .allocator_data = a};
    return relevo__message__unpack(&allocator, header.n, (const uint8_t *)header.p);
}

void frame_arena_free(struct frame_arena *a)
{
    arena_reset(a);
    mem_free(a->p);
    mem_free(a->more);
    *a = (struct frame_arena){0};
}

void frame_pack(const Relevo__Message *m, struct buf *out)
{
    const size_t n = relevo__message__get_packed_size(m);
    assert(n <= FRAME_HEADER_MAX);
    out->len += relevo__message__pack(m, (uint8_t *)buf_room(out, n));
}

static void put_u32(char *to, size_t v)
{
    for (unsigned i = 0; i < 4; i++) to[i] = (char)(v >> 8 * i);
}

void frame_write(struct seal *s, struct span header, struct span payload, struct buf *out)
{
    assert(header.n <= FRAME_HEADER_MAX && payload.n <= FRAME_PAYLOAD_MAX);
    char prefix[FRAME_PREFIX];
    put_u32(prefix, header.n);
    put_u32(prefix + 4, payload.n);
    buf_add(out, prefix, sizeof prefix);
    if (!s) {
        buf_add_span(out, header);
        buf_add_span(out, payload);
        return;
    }
    seal_push(s, span_of(prefix, sizeof prefix), header, out);
    if (payload.n) seal_push(s, span_of(NULL, 0), payload, out);
}

size_t frame_size(bool sealed, size_t header, size_t payload)
{
    const size_t overhead = sealed ? SEAL_OVERHEAD : 0;
    return FRAME_PREFIX + header + overhead + payload + (payload ? overhead : 0);
}

/* Open the frame that fills @whole. */
static enum frame_status open_frame(struct frame_reader *r, struct seal *s, struct span whole, size_t header,
                                    size_t payload, struct frame *f, struct errmsg *m)
{
    struct span sealed_header = {0}, sealed_payload;
    struct cursor c = cursor_of(whole);
    struct span prefix;
    const size_t overhead = s ? SEAL_OVERHEAD : 0;
    const bool fits = take_span(&c, FRAME_PREFIX, &prefix) && take_span(&c, header + overhead, &sealed_header);
    assert(fits);
    sealed_payload = span_of(c.at, cursor_left(&c));
    buf_reset(&r->plain, KEEP);
    char *to = buf_room(&r->plain, header + payload + 1);
    if (!s) {
        if (header) memcpy(to, sealed_header.p, header);
        if (payload) memcpy(to + header, sealed_payload.p, payload);
    } else if (!seal_pull(s, prefix, sealed_header, to) ||
               (payload && !seal_pull(s, span_of(NULL, 0), sealed_payload, to + header))) {
        (void)err_set(m, ERR_AUTH, "a frame was not sealed by the peer");
        return FRAME_BAD;
    }
    f->header = span_of(to, header);
    f->payload = span_of(to + header, payload);
    f->message = frame_unpack(&r->arena, f->header);
    if (f->message && f->message->body_case != RELEVO__MESSAGE__BODY__NOT_SET) return FRAME_READY;
    (void)err_set(m, ERR_FOREIGN, "a frame holds no message that is known here");
    return FRAME_BAD;
}

/* Move bytes from @in until @want are pending; true when they are. */
static bool gather(struct frame_reader *r, struct cursor *in, size_t want)
{
    const size_t lack = want - r->pending.len, left = cursor_left(in), n = lack < left ? lack : left;
    buf_add(&r->pending, in->at, n);
    in->at += n;
    return r->pending.len == want;
}

enum frame_status frame_read(struct frame_reader *r, struct seal *s, struct cursor *in, struct frame *f,
                             struct errmsg *m)
{
    const bool direct = r->pending.len == 0 && cursor_left(in) >= FRAME_PREFIX;
    if (!direct && r->pending.len < FRAME_PREFIX && !gather(r, in, FRAME_PREFIX)) return FRAME_MORE;
    uint32_t header, payload;
    struct cursor c = cursor_of(span_of(direct ? in->at : r->pending.p, FRAME_PREFIX));
    if (!take_u32le(&c, &header) || !take_u32le(&c, &payload) || header > FRAME_HEADER_MAX ||
        payload > FRAME_PAYLOAD_MAX) {
        (void)err_set(m, ERR_CORRUPT, "a frame claims to be longer than frames can be");
        return FRAME_BAD;
    }
    const size_t size = frame_size(s != NULL, header, payload);
    struct span whole;
    if (direct && take_span(in, size, &whole)) return open_frame(r, s, whole, header, payload, f, m);
    if (!gather(r, in, size)) return FRAME_MORE;
    const enum frame_status status = open_frame(r, s, buf_span(&r->pending), header, payload, f, m);
    buf_reset(&r->pending, KEEP);
    return status;
}

void frame_reader_free(struct frame_reader *r)
{
    buf_free(&r->pending);
    buf_free(&r->plain);
    frame_arena_free(&r->arena);
}
