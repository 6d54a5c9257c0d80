/* A start with the data of an earlier moment (relevo server --restore-until).
 *
 * Happy path: the log is loaded up to the moment -> a snapshot of that -> it becomes the base of a new lineage -> the old
 *             directory lies beside it, whole, under a name that says "salvage".
 * Failures:   said; the old directory is where it was, as it was. */
#pragma once

#include "common/err.h"
#include "replication/moment.h"

struct server;
struct log_report;

/* Before the load: may this node do that, and which moment is meant? */
MUST_USE enum err restore_check(struct server *s, struct moment *until, struct errmsg *m);

/* Behind a load up to that moment; @report->foreign is settled then. */
MUST_USE enum err restore_install(struct server *s, struct log_report *report, struct errmsg *m);
