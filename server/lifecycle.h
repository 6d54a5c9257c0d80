/* From the first turn of the loop to the last. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct client;
struct server;
struct lifecycle;

/* Handles that turn with the loop: prepare, timers, signals. */
void lifecycle_start(struct server *s);
void lifecycle_free(struct server *s);

/* Clients are no longer read. */
bool lifecycle_is_stopping(const struct server *s);
/* How long a stop under way waits for replicas at most; -1: there is none. */
int64_t lifecycle_stops_in_ms(const struct server *s);

/* The data set is there and this node knows its role: clients are served. */
void lifecycle_ready(struct server *s);

/* DEBUG: let what has expired be deleted in the background, or not; let all periodic work rest, or go on. */
void lifecycle_set_expiry(struct server *s, bool active);
void lifecycle_pause_cron(struct server *s, bool paused);

/* The rate of periodic work was set anew. */
void lifecycle_set_rate(struct server *s);
