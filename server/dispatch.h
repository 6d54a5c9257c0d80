/* From a request to its reply: look the command up, check what every command is checked for, execute it. */
#pragma once

#include "common/command.h"
#include "common/err.h"
#include "common/resp.h"

struct client;

/* The command that a request names; NULL if there is none. */
const struct command_entry *dispatch_find(const struct client *c, const struct request *request);

/* Execute a request of @command, as dispatch_find() gave it. Exactly one reply is appended to the client's `out` (unless the
 * command blocks it). False: nothing was done, writes are held; the request must come again (CLIENT_MUST_NOT_WRITE is
 * set). */
bool dispatch(struct client *c, const struct command_entry *command, const struct request *request);

/* Execute a request again that waited, because a key of its is ready: what w->goes_on (engine.h) says afterwards counts. It was
 * counted as a call when it came, and time and failures are counted now. */
void dispatch_again(struct client *c, const struct command_entry *command, const struct request *request);

/* CLIENT REPLY: the answer that begins at byte @mark of `out` is complete, and may not have to be sent. */
void dispatch_silence(struct client *c, size_t mark);
/* May anything be written here now? False: the error was replied. */
struct reply;
struct server;
MUST_USE bool dispatch_may_write(struct server *s, struct reply *reply);
/* Is this a replica whose primary is away, and which must not answer then? */
bool dispatch_is_stale(struct server *s);

/* Execute one command of several that a command of the client consists of (a transaction, a script): its checks were done
 * before, but for those whose outcome may have changed since. One reply is appended to @reply. What it depends on is added
 * to c->depends. The caller frames the effects (effects_frame()) and sees to it that no batch is closed in between. */
void dispatch_inside(struct client *c, const struct command_entry *command, const struct request *request,
                     struct reply *reply);
