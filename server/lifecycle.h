/* From the first turn of the loop to the last. */
#pragma once

#include <stdbool.h>

struct client;
struct server;
struct lifecycle;

/* Handles that turn with the loop: prepare, timers, signals. */
void lifecycle_start(struct server *s);
void lifecycle_free(struct server *s);

bool lifecycle_is_stopping(const struct server *s);

/* The data set is there and this node knows its role: clients are served. */
void lifecycle_ready(struct server *s);

/* The rate of periodic work was set anew. */
void lifecycle_set_rate(struct server *s);
