/* Who watches one large collection while others change it: a checkpoint that makes its portrait (portrait.h).
 *
 * A collection has at most one watch, borrowed, and tells it of each change before that happens. Whoever drops a watched
 * collection does not free it: watch_leave() makes it the watch's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct watch {
    /* Something is about to change; @what is the hash of an item of a table. Reads the collection, and changes
     * nothing in it. */
    void (*before)(struct watch *w, uint64_t what);
    bool left; /* the collection's owner is gone, and it belongs to the watch */
};

/* Leave the collection to its watch, if it has one (@w may be NULL). True: it must not be freed. */
static inline bool watch_leave(struct watch *w)
{
    if (w) w->left = true;
    return w;
}
