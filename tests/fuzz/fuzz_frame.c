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

static bool has_unknown(const ProtobufCMessage *m);

static bool field_has_unknown(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *base = (const char *)m;
    const void *at = base + f->offset;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE) return false;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count;
        memcpy(&count, base + f->quantifier_offset, sizeof count);
        for (size_t i = 0; i < count; i++)
            if (has_unknown((*(ProtobufCMessage *const *const *)at)[i])) return true;
        return false;
    }
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which;
        memcpy(&which, base + f->quantifier_offset, sizeof which);
        if (which != f->id) return false;
    }
    return *(ProtobufCMessage *const *)at && has_unknown(*(ProtobufCMessage *const *)at);
}

/* Fields of a later version are taken, but nobody packs them again: protobuf-c would spoil numbers above 2^29. */
static bool has_unknown(const ProtobufCMessage *m)
{
    bool found = m->n_unknown_fields > 0;
    for (unsigned i = 0; !found && i < m->descriptor->n_fields; i++)
        found = field_has_unknown(m, &m->descriptor->fields[i]);
    return found;
}

static void note_frame(struct outcome *o, const struct frame *f)
{
    REQUIRE(f->message);
    REQUIRE(f->header.n <= FRAME_HEADER_MAX && f->payload.n <= FRAME_PAYLOAD_MAX);
    struct buf packed = {0};
    frame_pack(f->message, &packed);
    struct frame_arena arena = {0};
    REQUIRE(frame_unpack(&arena, span_of(packed.p, packed.len)) || has_unknown(&f->message->base));
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
