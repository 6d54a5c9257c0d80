/* DEBUG RELOAD and LOADAOF: the data set made anew out of what was just written, to see that it is the same. The server
 * stands still meanwhile. */
#pragma once

#include "common/err.h"

struct server;

/* Write dbfilename, and load it. Errors: as of saver_run() and loader_read_file(); then the data set is what it was. */
MUST_USE enum err reload_from_file(struct server *s, struct errmsg *m);

/* Make the log durable, and load its base and what follows. Errors: ERR_INVALID  there is no log on disk; or as above. */
MUST_USE enum err reload_from_log(struct server *s, struct errmsg *m);
