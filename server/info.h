/* INFO: the state of the server as lines of text, in sections. */
#pragma once

#include "common/buf.h"

struct server;

/* Append the sections that @names ask for; none: the usual ones. Unknown names are passed over. */
void info_write(struct server *s, const struct span *names, size_t count, struct buf *to);
