/* Reading a data set from disk, into the engine, at the start; and a snapshot that was received, beside it. */
#pragma once

#include "common/engine.h"
#include "replication/history.h"

struct server;
struct log_report;
struct moment; /* replication/moment.h */

/* What the auxiliary fields of an RDB file say about its place in a log. */
struct loaded_place {
    bool known;
    struct position position;
    struct history history; /* the owner frees it */
};

/* Load what the journal's log has on disk. Clients are served meanwhile as far as they can be: with errors that say so.
 * Errors: what is wrong with the files; ERR_CANCELED  told to stop. */
MUST_USE enum err loader_run(struct server *s, const struct moment *until, struct log_report *report,
                             struct loaded_place *place, struct errmsg *m);

/* Load the RDB file at @path into @e, which is empty. Any thread that owns @e. */
MUST_USE enum err loader_read_file(const char *path, struct engine *e, struct loaded_place *place, struct errmsg *m);

/* Execute the commands of one batch of the log. Errors: ERR_CORRUPT  it is no row of commands, or does not fit the data. */
MUST_USE enum err loader_replay_batch(struct engine *e, struct session *session, struct span payload,
                                      struct errmsg *m);
