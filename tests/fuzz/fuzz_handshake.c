/* Strangers at the node port: whatever they send, the responder never takes them for a member, never reads more than a
 * greeting, and never says more than one answer. */
#include <stdlib.h>
#include <string.h>

#include "replication/seal.h"
#include "tests/fuzz/target.h"

static const char secret[] = "relevo-cluster-key-v1 fuzz AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096) return 0;
    struct seal_keys *keys = NULL;
    struct errmsg m = {0};
    REQUIRE(seal_keys_parse(SPAN(secret), &keys, &m) == ERR_OK);
    struct seal_claim own = {.epoch = 1};
    struct seal_memory memory = {0};
    struct seal *s = seal_respond(keys, &own, &memory);
    struct buf out = {0};
    size_t portion = 1 + data[0], at = 1;
    while (at < size && seal_state(s) == SEAL_GREETING) {
        size_t length = portion < size - at ? portion : size - at;
        char *copy = malloc(length);
        memcpy(copy, data + at, length);
        struct cursor in = cursor_of(span_of(copy, length));
        REQUIRE(seal_feed(s, &in, &out, &m) != SEAL_OPEN);
        REQUIRE(in.at >= copy && in.at <= in.end);
        at += length;
        free(copy);
    }
    REQUIRE(out.len <= SEAL_ANSWER_BYTES);
    buf_free(&out);
    seal_free(s);
    seal_keys_free(keys);
    return 0;
}
