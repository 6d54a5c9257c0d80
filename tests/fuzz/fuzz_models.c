/* Commands of all families, chosen by the input, to the engine and to a naive model: the replies must be the same, the
 * structures keep their invariants, and replaying the effects gives the same data.
 *
 * The first byte chooses the settings: bit 0, small collections turn large early; the rest are the choices, each of one or
 * two bytes. */
#include <stdio.h>

#include "tests/fuzz/target.h"
#include "tests/lib/model/run.h"

struct choices {
    const uint8_t *at, *end;
};

static uint64_t from_input(void *context, uint64_t bound)
{
    struct choices *c = context;
    uint64_t v = 0;
    for (uint64_t most = 1; most < bound && c->at < c->end; most <<= 8) v = v << 8 | *c->at++;
    return v % bound;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096) return 0;
    struct choices c = {data + 1, data + size};
    struct model_run r;
    model_run_init(&r, model_all, (struct model_choice){from_input, &c}, data[0] & 1);
    while (c.at < c.end) {
        const bool same = model_run_step(&r);
        if (!same) (void)fputs(model_run_describe(&r), stderr);
        REQUIRE(same);
    }
    engine_check(r.engine);
    REQUIRE(model_run_replays(&r));
    model_run_free(&r);
    return 0;
}
