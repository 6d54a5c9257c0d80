/* One connection between two nodes: first the handshake, then frames. Bytes go in and come out; no socket, no clock.
 *
 *      greeting -> open -> closed
 *           +-------------^
 *
 * Before it is open at most SEAL_GREETING_MAX bytes are kept, whatever arrives. */
#pragma once

#include "replication/frame.h"

struct link;

enum link_state { LINK_GREETING, LINK_OPEN, LINK_CLOSED };

enum link_event {
    LINK_MORE,   /* the input is used up */
    LINK_OPENED, /* the peer is a member: link_peer() */
    LINK_FRAME,  /* one frame; it lives until the next call */
    LINK_FAILED, /* the connection is to be closed */
};

/* @keys and @memory are borrowed until the link is open. */
struct link *link_dial(const struct seal_keys *keys, const struct seal_claim *own);
struct link *link_accept(const struct seal_keys *keys, const struct seal_claim *own, struct seal_memory *memory);
void link_free(struct link *l); /* NULL is a no-op */

/* Take the next thing from the front of @in. After LINK_FAILED nothing more is taken. */
enum link_event link_take(struct link *l, struct cursor *in, struct frame *f, struct errmsg *m);

/* The link must be open. */
void link_send(struct link *l, struct span header, struct span payload);

/* What is to be written to the connection; whoever writes it drops it from the front, or takes the memory. */
struct buf *link_out(struct link *l);

enum link_state link_state(const struct link *l);
const struct seal_claim *link_peer(const struct link *l);
