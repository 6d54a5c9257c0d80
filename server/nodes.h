/* This server among the nodes: whom it follows, who follows it, and what changes with that. The wiring between the link
 * thread (replication/uv_node.h), the log and the engine.
 *
 *     primary   commands are executed, batches go to the log and to the followers
 *     replica   batches come in, go to the log and are replayed; clients read
 *     fenced    was primary, holds log that the new primary does not have; clients read, until an operator decides
 *
 * A primary that has just started is `waiting` until its peers were asked whether it still is; it serves no clients
 * before. */
#pragma once

#include "common/engine.h"
#include "replication/uv_node.h"

struct chunk;
struct client;
struct server;

struct nodes {
    struct node *node; /* NULL: not started */
    enum node_role role;
    bool waiting;
    bool joining;                 /* a snapshot is being loaded */
    char host[NODE_HOST_MAX + 1]; /* of the primary that is followed; empty: none */
    uint16_t port;
    char configured[512]; /* replicaof, as it was set at the start */
    int64_t heard_ms;
    uint64_t applied; /* end of the log, as the link thread was told last */
    char fence[256];  /* why it is fenced */
    struct session replay;
    struct chunk **received; /* while a script is busy: logged, to be executed behind it */
    size_t received_count, received_bytes;
};

/* After the log was loaded. Errors: of node_start(), of opening an epoch. */
MUST_USE enum err nodes_start(struct server *s, bool foreign, struct errmsg *m);
void nodes_stop(struct server *s);

/* As a primary: is there a replica that what is published could be sent to; and send it, behind the log that there is now.
 * Takes the bytes of @bulletin. */
bool nodes_are_followed(const struct server *s);
void nodes_publish(struct server *s, struct buf *bulletin);

/* A batch of ours. */
void nodes_submit(struct server *s, struct chunk *c);
/* No script is busy any more: execute what was received meanwhile. */
void nodes_catch_up(struct server *s);
/* The log or the engine have come further. */
void nodes_progress(struct server *s);

/* An operator's words: data of another lineage may be replaced. */
void nodes_follow(struct server *s, const char *host, uint16_t port);
MUST_USE enum err nodes_promote(struct server *s, struct errmsg *m);

/* A connection turned out to be a node's: its socket goes over to the link thread. */
void nodes_adopt(struct client *c, struct span read);

void nodes_base_ready(struct server *s);
void nodes_base_failed(struct server *s, const char *why);

/* Followers that executed the log up to @position; that have it on their disks. */
size_t nodes_acked(struct server *s, uint64_t position);
size_t nodes_fsynced(struct server *s, uint64_t position);
