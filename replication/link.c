#include "replication/link.h"

#include <assert.h>

#include "common/fsm.h"
#include "common/mem.h"

static const struct fsm_state states[] = {
    [LINK_GREETING] = {"greeting", TO(LINK_OPEN) | TO(LINK_CLOSED)},
    [LINK_OPEN] = {"open", TO(LINK_CLOSED)},
    [LINK_CLOSED] = {"closed", 0},
};

struct link {
    unsigned state; /* enum link_state */
    struct seal *seal;
    struct frame_reader reader;
    struct buf out;
};

static void move(struct link *l, enum link_state to) { fsm_move(states, &l->state, to); }

struct link *link_dial(const struct seal_keys *keys, const struct seal_claim *own)
{
    struct link *l = MEM_NEW(struct link);
    l->seal = seal_initiate(keys, own, &l->out);
    return l;
}

struct link *link_accept(const struct seal_keys *keys, const struct seal_claim *own, struct seal_memory *memory)
{
    struct link *l = MEM_NEW(struct link);
    l->seal = seal_respond(keys, own, memory);
    return l;
}

void link_free(struct link *l)
{
    if (!l) return;
    seal_free(l->seal);
    frame_reader_free(&l->reader);
    buf_free(&l->out);
    mem_free(l);
}

static enum link_event greet(struct link *l, struct cursor *in, struct errmsg *m)
{
    switch (seal_feed(l->seal, in, &l->out, m)) {
    case SEAL_OPEN: move(l, LINK_OPEN); return LINK_OPENED;
    case SEAL_FAILED: move(l, LINK_CLOSED); return LINK_FAILED;
    case SEAL_GREETING: break;
    }
    return LINK_MORE;
}

enum link_event link_take(struct link *l, struct cursor *in, struct frame *f, struct errmsg *m)
{
    if (l->state == LINK_GREETING) return greet(l, in, m);
    if (l->state == LINK_CLOSED) {
        (void)err_set(m, ERR_CANCELED, "the link is closed");
        return LINK_FAILED;
    }
    switch (frame_read(&l->reader, l->seal, in, f, m)) {
    case FRAME_READY: return LINK_FRAME;
    case FRAME_BAD: move(l, LINK_CLOSED); return LINK_FAILED;
    case FRAME_MORE: break;
    }
    return LINK_MORE;
}

void link_send(struct link *l, struct span header, struct span payload)
{
    assert(l->state == LINK_OPEN);
    frame_write(l->seal, header, payload, &l->out);
}

struct buf *link_out(struct link *l) { return &l->out; }

enum link_state link_state(const struct link *l) { return (enum link_state)l->state; }

const struct seal_claim *link_peer(const struct link *l) { return seal_peer(l->seal); }
