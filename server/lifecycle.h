/* From the first turn of the loop to the last. */
#pragma once

struct client;
struct server;
struct lifecycle;

/* Handles that turn with the loop: prepare, timers, signals. */
void lifecycle_start(struct server *s);
void lifecycle_free(struct server *s);

/* The rate of periodic work was set anew. */
void lifecycle_set_rate(struct server *s);
