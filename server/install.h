/* Taking over a snapshot that was received: it is loaded on a thread, into an engine of its own, while the old data is
 * still served; then the log begins anew with it and the engines change places.
 *
 * Failures: the file cannot be loaded, or the log cannot take it -> the old data stays, nodes_installed(false). */
#pragma once

#include "replication/history.h"

struct server;

/* Copies all. nodes_installed() follows. */
void install_start(struct server *s, const char *path, const struct position *position, const struct history *h,
                   bool salvage);

/* Done, by the main loop. */
void nodes_installed(struct server *s, bool ok);
