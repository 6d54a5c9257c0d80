/* The texts of the log: a stream of batches in pieces of any size, both manifests, histories. Whatever the bytes, what is
 * taken is what was there, says the same again when it is written, and does not depend on the pieces. */
#include <stdlib.h>
#include <string.h>

#include "replication/assembler.h"
#include "replication/manifest.h"
#include "tests/fuzz/target.h"

static void read_commands(struct span payload)
{
    struct batch_commands commands = {.rest = payload};
    const struct span *argv;
    size_t argc;
    while (batch_next_command(&commands, &argv, &argc, NULL) == ERR_OK)
        for (size_t i = 0; i < argc; i++)
            REQUIRE(argv[i].n == 0 || (argv[i].p >= payload.p && argv[i].p + argv[i].n <= payload.p + payload.n));
    batch_commands_free(&commands);
}

/* Where the stream, fed in pieces of @portion bytes, stops being believed. */
static uint64_t assemble(const uint8_t *data, size_t n, size_t portion)
{
    struct history h = {.lineage = {{1}}};
    REQUIRE(history_add(&h, &(struct epoch){.number = 1, .id = 1}) == ERR_OK);
    struct assembler *a = assembler_new(&h, 0, 0, 1 << 20);
    enum err e = ERR_OK;
    for (size_t at = 0; at < n && !e; at += portion) {
        struct chunk *c = NULL;
        assembler_feed(a, span_of(data + at, n - at < portion ? n - at : portion));
        while (!(e = assembler_take(a, &c, NULL)) && c) {
            REQUIRE(chunk_end(c) <= n && memcmp(c->bytes, data + c->offset, c->len) == 0);
            struct batch b;
            REQUIRE(batch_read_line(chunk_span(c), BATCH_MAX, &b) == ERR_OK);
            read_commands(span_of(c->bytes + b.line, b.payload.n));
            chunk_unref(c);
        }
    }
    const uint64_t end = assembler_offset(a);
    assembler_free(a);
    history_free(&h);
    return end;
}

static void decode_ours(struct span text)
{
    struct manifest m = {0}, again = {0};
    struct buf first = {0}, second = {0}, summed = {0};
    /* Most inputs would end at the checksum: give them a right one. */
    buf_add_span(&summed, text);
    buf_printf(&summed, "crc %08x\n", (unsigned)batch_crc32c(0, text.p, text.n));
    if (manifest_decode(buf_span(&summed), &m, NULL) == ERR_OK) {
        manifest_encode(&m, &first);
        REQUIRE(manifest_decode(buf_span(&first), &again, NULL) == ERR_OK);
        manifest_encode(&again, &second);
        REQUIRE(span_eq(buf_span(&first), buf_span(&second)));
    }
    manifest_free(&m);
    manifest_free(&again);
    buf_free(&first);
    buf_free(&second);
    buf_free(&summed);
}

static void decode_redis(struct span text)
{
    struct aof_manifest a = {0}, again = {0};
    struct buf out = {0};
    if (aof_manifest_decode(text, &a, NULL) == ERR_OK) {
        aof_manifest_encode(&a, &out);
        REQUIRE(a.count == 0 || aof_manifest_decode(buf_span(&out), &again, NULL) == ERR_OK);
        REQUIRE(again.count == a.count);
        for (size_t i = 0; i < a.count; i++) REQUIRE(strcmp(a.files[i].name, again.files[i].name) == 0);
    }
    aof_manifest_free(&a);
    aof_manifest_free(&again);
    buf_free(&out);
}

static void decode_history(struct span text)
{
    struct history h = {0};
    struct position p;
    struct buf out = {0};
    if (history_decode(text, &h, NULL) == ERR_OK) {
        history_encode(&h, &out);
        REQUIRE(span_eq(buf_span(&out), text));
    }
    buf_free(&out);
    history_free(&h);
    if (position_decode(text, &p)) {
        position_encode(&p, &out);
        REQUIRE(span_eq(buf_span(&out), text));
    }
    buf_free(&out);
}

/* The first byte chooses: how long the pieces of a stream are, or which text it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 200000) return 0;
    char *copy = malloc(size - 1); /* so that a read beyond the end is seen */
    memcpy(copy, data + 1, size - 1);
    const struct span text = span_of(copy, size - 1);
    switch (data[0]) {
    case 'm': decode_ours(text); break;
    case 'r': decode_redis(text); break;
    case 'h': decode_history(text); break;
    default:
        REQUIRE(assemble((const uint8_t *)copy, size - 1, size) ==
                assemble((const uint8_t *)copy, size - 1, 1 + data[0]));
    }
    free(copy);
    return 0;
}
