/* What was published, on its way to replicas: it travels beside the log, takes no offset, and may be lost.
 *
 * A bulletin is what one turn of a primary's main loop published, and the position of the log behind which replicas
 * deliver it. It lies there as it is sent, message behind message:
 *
 *      +-------+----------------+----------------+---------+---------+
 *      | kind  | channel length | message length | channel | message |     kind: 1 if the channel is a shard's, else 0
 *      | u8    | u32 LE         | u32 LE         |         |         |
 *      +-------+----------------+----------------+---------+---------+
 *
 * Immutable and shared, once made: the main thread makes it (or a replica receives it), the link thread queues it for
 * each follower. Pure. */
#pragma once

#include <stdatomic.h>

#include "common/buf.h"

enum {
    BULLETIN_MAX = 16 << 20,       /* bytes of one */
    BULLETIN_QUEUE_MAX = 16 << 20, /* bytes that wait for one follower; what comes on top is not sent to it */
};

struct bulletin {
    atomic_uint refs;
    uint32_t count;    /* messages */
    uint64_t position; /* offset of the log, where a batch ends */
    struct buf bytes;
};

struct message {
    bool sharded;
    struct span channel, text;
};

/* Append a message of any length as it stands in a bulletin. */
void message_add(struct buf *to, const struct message *m);

/* Append a message to the bytes of a bulletin to be; false: it would become too long, and nothing was appended. */
MUST_USE bool bulletin_add(struct buf *to, const struct message *m);

/* Take the next message off the front; false: there is none, or (bytes are left) it is broken. */
bool bulletin_next(struct cursor *from, struct message *m);

/* A bulletin of what bulletin_add() gathered in @bytes, which is empty afterwards; the caller gets its reference.
 * NULL: these are no whole messages (of another node), and @bytes stays. */
struct bulletin *bulletin_take(struct buf *bytes, uint64_t position);
static inline struct bulletin *bulletin_ref(struct bulletin *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}
/* The last reference frees. NULL is a no-op. Any thread. */
void bulletin_unref(struct bulletin *b);

/* Bulletins that wait for one follower. Zero-initialised is empty. */
struct bulletin_queue {
    struct bulletin **ring;
    size_t head, count, room;
    size_t bytes; /* of all */
    size_t sent;  /* of the first */
};

/* Takes a reference of its own. False: too much waits already. */
MUST_USE bool bulletin_queue_add(struct bulletin_queue *q, struct bulletin *b);
/* NULL: nothing waits. Borrowed. */
struct bulletin *bulletin_queue_first(const struct bulletin_queue *q);
/* @n more bytes of the first were sent; when those were all, it goes. */
void bulletin_queue_sent(struct bulletin_queue *q, size_t n);
void bulletin_queue_free(struct bulletin_queue *q);
