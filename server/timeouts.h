/* Deadlines of the main loop: one timer for all of them. */
#pragma once

#include <uv.h>

#include "server/deadlines.h"

struct server;

struct timeouts {
    struct deadlines deadlines;
    uv_timer_t timer; /* the nearest */
};

void timeouts_init(struct server *s);
void timeouts_free(struct server *s);

/* Call d->over() when @ms have passed, never sooner; at most once, and not after timeouts_clear(). Called from the loop, it
 * may set and clear any. */
void timeouts_set(struct server *s, struct deadline *d, int64_t ms);
void timeouts_clear(struct server *s, struct deadline *d); /* no-op if it is not set */
