/* Loading what lies on a disk into an engine, as a starting server does, and without waiting for the disk: for tests that
 * load thousands of damaged directories. */
#pragma once

#include "common/engine.h"
#include "replication/log.h"

/* The real calls, but for those that only wait until bytes are safe. */
struct io_ops disk_load_io(void);

/* Open the working directory @dir, replay what is there into @into, close it. Errors: log_open()'s, log_load()'s, rdb_load()'s
 * and engine_replay()'s; *m says why then. */
MUST_USE enum err disk_load(const char *dir, struct engine *into, struct log_report *report, struct errmsg *m);
