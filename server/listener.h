/* The sockets that accept connections. */
#pragma once

#include "common/err.h"

struct server;
struct listener;
struct tls_context;

enum { LISTENERS_MAX = 16 };

struct listeners {
    struct listener *sockets[LISTENERS_MAX];
    unsigned count;
    struct tls_context *tls; /* of connections to come by tls-port; NULL: there is none */
};

/* Listen on the addresses of `bind`. Errors: ERR_INVALID  no such address, or
 * TLS cannot be spoken as the settings say; ERR_BUSY  the port is in use ... */
MUST_USE enum err listeners_open(struct server *s, struct errmsg *m);
void listeners_close(struct server *s);
void listeners_free(struct server *s);

/* Take over the settings of TLS: for connections to come. Errors: of tls_context_new(); then nothing has changed. */
MUST_USE enum err listeners_configure_tls(struct server *s, struct errmsg *m);
