/* From a request to its reply: look the command up, check what every command is checked for, execute it. */
#pragma once

#include "common/command.h"
#include "common/resp.h"

struct client;

/* The command that a request names; NULL if there is none. */
const struct command_entry *dispatch_find(const struct client *c, const struct request *request);

/* Execute a request of @command, as dispatch_find() gave it. Exactly one reply is appended to the client's `out` (unless the
 * command blocks it). False: nothing was done, writes are held; the request must come again (CLIENT_MUST_NOT_WRITE is
 * set). */
bool dispatch(struct client *c, const struct command_entry *command, const struct request *request);

/* Execute one command of several that a command of the client consists of (a transaction, a script): its checks were done
 * before, but for those whose outcome may have changed since. One reply is appended to @reply. What it depends on is added
 * to c->depends. The caller frames the effects (effects_frame()) and sees to it that no batch is closed in between. */
struct reply;
void dispatch_inside(struct client *c, const struct command_entry *command, const struct request *request,
                     struct reply *reply);
