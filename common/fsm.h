/* State machines as tables: which state may follow which, and by what name a person reads it.
 *
 *     static const struct fsm_state link_states[] = {
 *         [LINK_IDLE]     = { "idle",     TO(LINK_DIALING) },
 *         [LINK_DIALING]  = { "dialing",  TO(LINK_GREETING) | TO(LINK_IDLE) },
 *     };
 *
 * One function of each machine moves its state; it goes through fsm_move(), which refuses (asserts) a step that the
 * table does not have. */
#pragma once

#include <assert.h>
#include <stdint.h>

struct fsm_state {
    const char *name;
    uint64_t next; /* bit set of the states that may follow: TO(x) | TO(y) */
};

#define TO(state) (UINT64_C(1) << (state))

static inline void fsm_move(const struct fsm_state *table, unsigned *state, unsigned to)
{
    assert(table[*state].next & TO(to));
    *state = to;
}
