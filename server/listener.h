/* The sockets that accept connections. */
#pragma once

#include "common/err.h"

struct server;
struct listener;

enum { LISTENERS_MAX = 16 };

struct listeners {
    struct listener *sockets[LISTENERS_MAX];
    unsigned count;
};

/* Listen on the addresses of `bind`. Errors: ERR_INVALID  no such address; ERR_BUSY  the port is in use ... */
MUST_USE enum err listeners_open(struct server *s, struct errmsg *m);
void listeners_close(struct server *s);
