/* What the server knows about how long things take: the slow log, the latency monitor, and histograms by command
 * (stats.h). A command that is neither slow nor watched pays one comparison, and with latency-tracking one count. */
#pragma once

#include "common/resp.h"
#include "server/latency.h"
#include "server/slowlog.h"
#include "server/stats.h"

struct client;
struct server;

struct insight {
    struct slowlog *slowlog;
    struct latency *latency;
    uint64_t notable;    /* ticks: of commands that take so long more is told; UINT64_MAX: of none */
    bool tracking;       /* latency-tracking */
    uint64_t syncs_seen; /* of the log's disk, so far */
};

void insight_init(struct server *s);
void insight_free(struct server *s);
/* The settings changed, or the length of a tick is known better. */
void insight_configure(struct server *s);

/* A command of @c ended that took so many ticks; it is notable. */
void insight_note(struct client *c, const struct command_entry *e, const struct request *r, uint64_t took);

/* Something that keeps others waiting began at @begin_ns (clock_ticks_ns()) and is over. Events are listed in latency.c. */
void insight_event(struct server *s, const char *event, int64_t begin_ns);

/* Look at the disk of the log; several times a second. */
void insight_tend(struct server *s);
