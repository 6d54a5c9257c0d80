/* maxmemory: is there room for what a command may add, and if not, what has to go?
 *
 *     used = bytes in use, as of the last look at the allocator's figures
 *            + what this thread has allocated and freed since    (two counters of the allocator's own, in reach of a load)
 *            - what it has handed to the log and to a checkpoint since
 *
 * So asking costs next to nothing, and the figure is exact again several times a second. What the log holds for the disk
 * and for replicas, and a checkpoint for its picture of the data, is left out: evicting keys adds to both, so it would
 * never come to an end. Owned by the main loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/eviction.h"

struct server;
struct config;

struct limits {
    int64_t max_bytes; /* 0: no limit */
    bool over;         /* more has to go than there was time for */

    const volatile uint64_t *allocated, *freed; /* this thread's; NULL: the allocator counts by no thread */
    int64_t base;                               /* in use at the last look, less those counters' difference then */
    int64_t left_out;                           /* at the last look */
    int64_t looked_ns;
};

void limits_init(struct server *s);
/* Take over the settings. */
void limits_configure(struct server *s);

struct eviction_settings limits_eviction(const struct config *c);

/* Before a command: make room if there is a limit and it is passed, for half a millisecond at most. False: it is passed,
 * and nothing can be done about it. */
bool limits_make_room(struct server *s);

/* Is more in use than maxmemory now? */
bool limits_are_exceeded(struct server *s);

/* Look at the allocator's figures; several times a second, and when much was freed elsewhere. */
void limits_look(struct server *s);

/* @bytes that this thread allocated belong to the log, or to a checkpoint's file, now. */
void limits_gave(struct server *s, size_t bytes);

/* Of what is in use, bytes that do not count. */
size_t limits_left_out(const struct server *s);
