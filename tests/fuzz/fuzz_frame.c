/* Frames, as they lie inside the sealed stream: whatever the bytes and portions, the reader gives the same messages or
 * refuses, and a message that it gave can be packed and read again. */
#include <stdlib.h>
#include <string.h>

#include "replication/frame.h"
#include "tests/fuzz/target.h"

struct outcome {
    struct buf text;
    bool bad;
};

static void note_frame(struct outcome *o, const struct frame *f)
{
    REQUIRE(f->message);
    REQUIRE(f->header.n <= FRAME_HEADER_MAX && f->payload.n <= FRAME_PAYLOAD_MAX);
    struct buf packed = {0};
    frame_pack(f->message, &packed);
    struct frame_arena arena = {0};
    REQUIRE(frame_unpack(&arena, span_of(packed.p, packed.len)));
    frame_arena_free(&arena);
    buf_add(&o->text, packed.p, packed.len);
    buf_add(&o->text, f->payload.p, f->payload.n);
    buf_free(&packed);
}

static void run(const uint8_t *data, size_t n, size_t portion, struct outcome *o)
{
    struct frame_reader reader = {0};
    for (size_t at = 0; at < n && !o->bad;) {
        size_t length = portion < n - at ? portion : n - at;
        char *copy = malloc(length);
        memcpy(copy, data + at, length);
        at += length;
        struct cursor in = cursor_of(span_of(copy, length));
        enum frame_status status;
        struct frame frame;
        struct errmsg m = {0};
        while ((status = frame_read(&reader, NULL, &in, &frame, &m)) == FRAME_READY) note_frame(o, &frame);
        if (status == FRAME_MORE) REQUIRE(in.at == in.end);
        o->bad = status == FRAME_BAD;
        free(copy);
    }
    frame_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 200000) return 0;
    struct outcome whole = {0}, cut = {0};
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, 1 + data[0], &cut);
    REQUIRE(whole.bad == cut.bad);
    REQUIRE(whole.text.len == cut.text.len);
    REQUIRE(!whole.text.len || !memcmp(whole.text.p, cut.text.p, whole.text.len));
    buf_free(&whole.text);
    buf_free(&cut.text);
    return 0;
}
