/* Requests: whatever the bytes, and however they are cut into portions, the parser gives the same requests or the same
 * error, stays inside its input, and a request that came as an array is its own canonical encoding. */
#include <stdlib.h>
#include <string.h>

#include "common/resp.h"
#include "tests/fuzz/target.h"

static const struct resp_limits limits = {.max_args = 1000, .max_bulk = 4096, .max_inline = 512};

/* What a run over the bytes gave, as text that can be compared. */
struct outcome {
    struct buf text;
    char error[64];
};

static void note_request(struct outcome *o, const struct request *r)
{
    struct buf again = {0};
    resp_encode(&again, r->argv, r->argc);
    if (r->raw.n) {
        REQUIRE(again.len == r->raw.n);
        REQUIRE(!memcmp(again.p, r->raw.p, again.len));
    }
    buf_add(&o->text, again.p, again.len);
    buf_free(&again);
}

/* Parse @n bytes that arrive in portions of @portion, each time at another address. */
static void run(const uint8_t *data, size_t n, size_t portion, struct outcome *o)
{
    struct resp_parser parser = {0};
    size_t there = portion < n ? portion : n, taken = 0;
    for (;;) {
        struct request request;
        size_t used = 0, want = 0, length = there - taken;
        char *copy = malloc(length ? length : 1);
        memcpy(copy, data + taken, length);
        enum resp_status status = resp_parse(&parser, span_of(copy, length), &limits, &request, &used, &want);
        if (status == RESP_REQUEST) {
            REQUIRE(used > 0 && used <= length);
            taken += used;
            if (request.argc) note_request(o, &request);
        } else if (status == RESP_BAD) {
            REQUIRE(memchr(parser.error, 0, sizeof parser.error));
            memcpy(o->error, parser.error, sizeof o->error);
        } else {
            REQUIRE(want > length);
        }
        free(copy);
        if (status == RESP_BAD || (status == RESP_INCOMPLETE && there == n)) break;
        if (status == RESP_INCOMPLETE) there = n - there < portion ? n : there + portion;
    }
    resp_parser_free(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000) return 0;
    struct outcome whole = {0}, cut = {0};
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, 1 + data[0] % 61, &cut);
    REQUIRE(whole.text.len == cut.text.len);
    REQUIRE(!whole.text.len || !memcmp(whole.text.p, cut.text.p, whole.text.len));
    REQUIRE(!strcmp(whole.error, cut.error));
    buf_free(&whole.text);
    buf_free(&cut.text);
    return 0;
}
