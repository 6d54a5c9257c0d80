/* A node's connection: a socket, and the link (replication/link.h) that runs over it.
 *
 * Happy path: dial: look the name up -> connect -> handshake -> opened() -> frame()... -> closed()
 *             adopt: handshake -> opened() -> frame()... -> closed()
 * Failures:   any step fails -> closed(why), once. A stranger who was adopted and fails in the handshake is counted and
 *             nothing else: neither opened() nor closed() is called.
 * Close:      conn_close() writes out what was sent, then ends the connection; closed() is not called any more.
 *
 * Callbacks come out of the loop, never out of these functions, so they may call all of them. */
#pragma once

#include <uv.h>

#include "replication/link.h"

struct conn;

struct conn_events {
    void (*opened)(void *ctx, struct conn *c, uint32_t id, const struct seal_claim *peer, const char *address);
    void (*frame)(void *ctx, struct conn *c, uint32_t id, const struct frame *f);
    void (*queue)(void *ctx, uint32_t id, size_t bytes); /* what the network has not yet taken has changed */
    void (*closed)(void *ctx, uint32_t id, const char *why);
};

/* What all connections of a node share. */
struct conns {
    uv_loop_t *loop;
    const struct conn_events *events;
    void *ctx;
    struct seal_keys *keys;
    bool has_secret; /* false: loopback only, both ways */
    struct seal_claim own;
    struct seal_memory memory;
    char *read_buffer; /* CONN_READ bytes, shared */
    struct conn *first;
    unsigned greeting; /* adopted, and not yet known */
    uint64_t bytes_in, bytes_out, refused_handshakes;
    void (*emptied)(void *ctx); /* not NULL: called when the last one is gone */
};

enum { CONN_READ = 256 * 1024, CONN_GREETING_MAX = 256, CONN_GREETING_MS = 5000, CONN_LINGER_MS = 2000 };

void conn_dial(struct conns *all, uint32_t id, const char *host, uint16_t port);

/* Takes the descriptor, whatever comes of it. */
void conn_adopt(struct conns *all, uint32_t id, int fd, struct span read, int64_t now_ms);

/* NULL if there is none, or it is being closed. */
struct conn *conn_find(struct conns *all, uint32_t id);

void conn_send(struct conn *c, struct span header, struct span payload);
void conn_close(struct conn *c, int64_t now_ms);

/* Why nothing is read from a connection; reading goes on when none is left. */
enum conn_pause { CONN_PAUSE_APPLY = 1, CONN_PAUSE_DISK = 2 };
void conn_pause(struct conn *c, enum conn_pause why, bool pause);

/* Write what was sent since; true if bytes went out and more may be sent at once. */
bool conns_flush(struct conns *all);

/* End handshakes and lingering that take too long. About once a second. */
void conns_sweep(struct conns *all, int64_t now_ms);

/* End all at once. emptied() follows out of the loop, also if there were none. */
void conns_close_all(struct conns *all);
