#include <criterion/criterion.h>

#include "replication/frame.h"

static void pack_log_bytes(struct buf *header, uint64_t offset)
{
    Relevo__LogBytes body = RELEVO__LOG_BYTES__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    body.offset = offset;
    m.epoch = 3;
    m.body_case = RELEVO__MESSAGE__BODY_LOG_BYTES;
    m.log_bytes = &body;
    header->len = 0;
    frame_pack(&m, header);
}

static void open_pair(struct seal_keys **keys, struct seal **a, struct seal **b)
{
    struct buf one = {0}, two = {0};
    struct errmsg m;
    const struct seal_claim claim = {.epoch = 1};
    *keys = seal_keys_none();
    *a = seal_initiate(*keys, &claim, &one);
    *b = seal_respond(*keys, &claim, NULL);
    struct cursor in = cursor_of(buf_span(&one));
    cr_assert_eq(seal_feed(*b, &in, &two, &m), SEAL_GREETING);
    one.len = 0;
    in = cursor_of(buf_span(&two));
    cr_assert_eq(seal_feed(*a, &in, &one, &m), SEAL_OPEN);
    in = cursor_of(buf_span(&one));
    cr_assert_eq(seal_feed(*b, &in, &two, &m), SEAL_OPEN);
    buf_free(&one);
    buf_free(&two);
}

static void expect_frame(struct frame_reader *r, struct seal *s, struct cursor *in, uint64_t offset,
                         struct span payload)
{
    struct frame f;
    struct errmsg m;
    cr_assert_eq(frame_read(r, s, in, &f, &m), FRAME_READY, "%s", m.text);
    cr_assert_eq(f.message->body_case, RELEVO__MESSAGE__BODY_LOG_BYTES);
    cr_assert_eq(f.message->log_bytes->offset, offset);
    cr_assert(span_eq(f.payload, payload));
}

Test(frame, frames_are_read_as_they_were_written_however_the_stream_is_cut)
{
    struct seal_keys *keys;
    struct buf stream = {0}, header = {0};
    struct errmsg m;
    static char big[FRAME_PAYLOAD_MAX];
    memset(big, 'b', sizeof big);
    const struct span payloads[] = {SPAN("abc"), SPAN(""), SPAN("0123456789")};
    for (unsigned sealed = 0; sealed < 2; sealed++)
        for (size_t cut = 0; cut < 200; cut++) {
            struct seal *from = NULL, *to = NULL;
            struct frame_reader r = {0};
            struct frame f;
            if (sealed) open_pair(&keys, &from, &to);
            stream.len = 0;
            for (unsigned i = 0; i < 3; i++) {
                pack_log_bytes(&header, i * 1000);
                const size_t before = stream.len;
                frame_write(from, buf_span(&header), payloads[i], &stream);
                cr_assert_eq(stream.len - before, frame_size(sealed, header.len, payloads[i].n));
            }
            const size_t first = cut < stream.len ? cut : stream.len;
            struct cursor in = cursor_of(span_of(stream.p, first));
            unsigned seen = 0;
            enum frame_status status;
            for (unsigned part = 0; part < 2; part++) {
                while ((status = frame_read(&r, to, &in, &f, &m)) == FRAME_READY) {
                    cr_assert_eq(f.message->log_bytes->offset, seen * 1000);
                    cr_assert(span_eq(f.payload, payloads[seen]));
                    seen++;
                }
                cr_assert_eq(status, FRAME_MORE);
                cr_assert_eq(cursor_left(&in), 0);
                in = cursor_of(span_of(stream.p + first, stream.len - first));
            }
            cr_assert_eq(seen, 3);
            stream.len = 0;
            pack_log_bytes(&header, 77);
            frame_write(from, buf_span(&header), span_of(big, sizeof big), &stream);
            in = cursor_of(buf_span(&stream));
            expect_frame(&r, to, &in, 77, span_of(big, sizeof big));
            frame_reader_free(&r);
            seal_free(from);
            seal_free(to);
            if (sealed) seal_keys_free(keys);
        }
    buf_free(&stream);
    buf_free(&header);
}

Test(frame, a_length_beyond_the_limit_is_refused_before_anything_is_allocated)
{
    static const unsigned char claims[][8] = {
        {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
        {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
        {1, 0, 4, 0, 0, 0, 0, 0},
        {1, 0, 0, 0, 1, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct frame_reader r = {0};
        struct frame f;
        struct errmsg m;
        struct cursor in = cursor_of(span_of(claims[i], 8));
        cr_expect_eq(frame_read(&r, NULL, &in, &f, &m), FRAME_BAD);
        cr_expect_eq(r.pending.cap + r.plain.cap, 0);
        frame_reader_free(&r);
    }
}

Test(frame, what_is_no_message_is_refused)
{
    struct buf stream = {0};
    struct frame f;
    struct errmsg m;
    const struct span headers[] = {SPAN(""), SPAN("\xff\xff\xff"), SPAN("\x08\x01"), SPAN("\x12\x7f")};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct frame_reader r = {0};
        stream.len = 0;
        frame_write(NULL, headers[i], span_of(NULL, 0), &stream);
        struct cursor in = cursor_of(buf_span(&stream));
        cr_expect_eq(frame_read(&r, NULL, &in, &f, &m), FRAME_BAD, "%zu", i);
        frame_reader_free(&r);
    }
    buf_free(&stream);
}

Test(frame, a_frame_that_was_changed_on_its_way_is_refused)
{
    struct buf stream = {0}, header = {0};
    pack_log_bytes(&header, 5);
    const size_t size = frame_size(true, header.len, 4);
    for (size_t at = 0; at < size; at++) {
        struct seal_keys *keys;
        struct seal *from, *to;
        struct frame_reader r = {0};
        struct frame f;
        struct errmsg m;
        open_pair(&keys, &from, &to);
        stream.len = 0;
        frame_write(from, buf_span(&header), SPAN("data"), &stream);
        stream.p[at] = (char)(stream.p[at] ^ 1);
        struct cursor in = cursor_of(buf_span(&stream));
        const enum frame_status status = frame_read(&r, to, &in, &f, &m);
        cr_expect(status != FRAME_READY, "byte %zu", at);
        frame_reader_free(&r);
        seal_free(from);
        seal_free(to);
        seal_keys_free(keys);
    }
    buf_free(&stream);
    buf_free(&header);
}

Test(frame, a_long_history_passes_through_the_arena)
{
    enum { N = 4096 };
    static Relevo__Epoch epochs[N];
    static Relevo__Epoch *pointers[N];
    Relevo__History body = RELEVO__HISTORY__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    for (unsigned i = 0; i < N; i++) {
        relevo__epoch__init(&epochs[i]);
        epochs[i].number = UINT64_MAX - N + i;
        epochs[i].id = i;
        epochs[i].start = UINT64_MAX - i;
        epochs[i].seed = i;
        pointers[i] = &epochs[i];
    }
    body.n_history = N;
    body.history = pointers;
    m.body_case = RELEVO__MESSAGE__BODY_HISTORY;
    m.history = &body;
    struct buf header = {0};
    struct frame_arena arena = {0};
    frame_pack(&m, &header);
    for (unsigned round = 0; round < 2; round++) {
        const Relevo__Message *back = frame_unpack(&arena, buf_span(&header));
        cr_assert(back && back->history->n_history == N && back->history->history[N - 1]->id == N - 1);
    }
    frame_arena_free(&arena);
    buf_free(&header);
}
