/* A connection of the command line tools to a node: one command, one reply, and patience for a few seconds. */
#pragma once

#include "common/buf.h"
#include "common/err.h"

struct connection {
    int fd;
    struct buf in;
    size_t at; /* bytes of `in` that were read */
};

/* Whether @address is one, HOST:PORT; says so on stderr if not. */
MUST_USE bool connection_address_ok(const char *address);

/* Its parts: "host:port", "[v6]:port". False: it is none. */
MUST_USE bool connection_split_address(const char *address, char host[256], char port[8]);

/* "host:port", "[v6]:port". Errors: ERR_INVALID  the address; ERR_MISSING  nobody answers there. If the environment
 * has REDISCLI_AUTH, its password is given. */
MUST_USE enum err connection_open(const char *address, struct connection *c, struct errmsg *m);
void connection_close(struct connection *c);

/* Send a command of words; its reply's text is borrowed until the next one. Errors: ERR_INVALID  the reply is an error
 * (whose text is in @m); ERR_IO, ERR_TIMEOUT. An array reply gives its members, each ended by '\n'. */
MUST_USE enum err connection_ask(struct connection *c, const char *const *words, size_t n, struct span *reply,
                                 struct errmsg *m);

/* The value of @field in a reply of INFO; empty if there is none. */
struct span info_field(struct span info, const char *field);
