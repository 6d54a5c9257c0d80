/* Replies that must not leave yet: each waits for the log to be committed up to a position, and the order of the replies
 * of a client never changes.
 *
 *     out:   [ free to go ........ | waits for 700 .... | waits for 920 ...... ]
 *            released              ^ from 0x40          ^ from 0x7c            made
 *
 * Counts are bytes of all replies that the client was ever made. Positions are offsets of the log. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct held_part {
    uint64_t from;     /* first byte that waits */
    uint64_t position; /* for this */
};

/* Zero-initialised is empty. */
struct held {
    struct held_part *parts; /* a ring; `from` and `position` both rise */
    size_t head, count, room;
};

/* The reply whose first byte is @from waits for @position; 0: for nothing but its turn. */
void held_add(struct held *h, uint64_t from, uint64_t position);

/* Up to where bytes may leave, now that the log is committed up to @committed; @made if nothing waits. */
uint64_t held_release(struct held *h, uint64_t committed, uint64_t made);

static inline bool held_any(const struct held *h) { return h->count > 0; }

void held_free(struct held *h);
