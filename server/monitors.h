/* MONITOR: clients that are told of every command that is executed.
 *
 *     +1795377721.170378 [0 127.0.0.1:40046] "set" "k" "v"
 *
 * A command is told after it was executed, as Redis does, so those of a transaction stand before their EXEC; never are
 * administration (CMD_ADMIN), what says so itself (CMD_SKIP_MONITOR), and passwords. A line waits for the log as the reply to its
 * command does. Its arguments are cut after MONITORS_LINE_BYTES. A monitor that does not read is closed at the output limit
 * of the class `pubsub`, whose messages are as little asked for as these lines. */
#pragma once

#include "common/buf.h"
#include "common/command.h"
#include "common/resp.h"

enum { MONITORS_LINE_BYTES = 1 << 20 };

struct client;
struct server;

struct monitors {
    struct client **list;
    size_t count, room;
    struct buf line; /* scratch */
};

void monitors_free(struct server *s);

void monitors_add(struct client *c);
/* Tell it no more: it is closed, or reset. A no-op for others. */
void monitors_forget(struct client *c);

/* @c executed a command, or a script of its called one; a script is told of before what it calls. */
void monitors_feed(struct client *c, const struct command_entry *e, const struct request *r);
