/* Snapshots of the data set, without a fork: a base of the log (BGREWRITEAOF, or for a replica that joins), or the file
 * `dbfilename` (SAVE, BGSAVE, the rules of `save`).
 *
 * Happy path: begin (the open batch is closed; the traversal stands at the log's end) -> a slice per turn of the loop ->
 *             all given -> the thread has it on disk -> done.
 * Failures:   any step fails -> the old file stays, the state says so, a log line says why.
 * One at a time; what is asked for meanwhile comes next. */
#pragma once

#include <uv.h>

#include "common/rdb.h"

struct checkpoint;
struct server;
struct traversal;

enum saver_kind { SAVER_FILE, SAVER_BASE };

struct saver_result {
    bool failed;
    int64_t ended_ms;  /* wall clock of the last success; the start counts as one */
    int64_t took_s;    /* the last one; -1: none yet */
    uint64_t count;    /* successes */
    uint64_t failures; /* since the last success */
    struct errmsg why; /* the last one failed; empty: it did not */
};

/* What the loop had done when the last slice was given. */
struct saver_mark {
    uint64_t commands;
    int64_t us;        /* the time */
    uint64_t turns_us; /* that turns had taken */
};

struct saver {
    struct checkpoint *running; /* NULL: idle */
    enum saver_kind kind;
    struct traversal *walk;
    struct buf piece;      /* a run of pieces */
    uint64_t fed;          /* bytes of them that were handed over */
    uint64_t total;        /* keys of the running one */
    uint64_t most_waiting; /* bytes that may wait for the disk before writes are held */
    uv_idle_t idle;        /* active while slices are to be given */
    uv_timer_t pace;       /* until the next one, where commands come meanwhile */
    struct saver_mark last;
    uv_async_t wake; /* the thread has news */
    int64_t began_ms;
    uint64_t began_dirty, saved_dirty; /* engine_stats.dirty when the running, the last dbfilename began */
    bool set_aside;                    /* the running one gives way, and begins anew later: no failure */
    bool wanted[2];                    /* by kind: to begin when the running one has ended */
    bool for_nodes;                    /* a replica waits for the base */
    const char *file_name;             /* instead of dbfilename; NULL: that */
    struct saver_result file, base;
    int64_t retry_ms; /* after a failure, the rules rest until then */
};

void saver_init(struct server *s);
void saver_free(struct server *s);

/* Begin, or (one is running) see to it that it begins next; *later says so. Errors: why it cannot. */
MUST_USE enum err saver_start(struct server *s, enum saver_kind kind, bool *later, struct errmsg *m);
/* A replica needs a base: nodes_base_ready() or nodes_base_failed() follows. */
void saver_start_for_nodes(struct server *s);

/* Do it all now, without another turn of the loop. A base that is being written begins anew afterwards. */
MUST_USE enum err saver_run(struct server *s, enum saver_kind kind, struct errmsg *m);

/* The same to a file of another name in the directory. */
MUST_USE enum err saver_run_to(struct server *s, const char *file_name, struct errmsg *m);

/* To be called at the end of each turn: what commands made the traversal give goes to the thread. */
void saver_end_turn(struct server *s);

/* Give up what runs; the old file stays. */
void saver_abort(struct server *s);

static inline bool saver_is_running(const struct saver *v) { return v->running != NULL; }
/* Keys given and keys in all of the one that is running; zeros if none is. */
void saver_progress(const struct server *s, uint64_t *given, uint64_t *total);
/* Must writes be refused because snapshots fail (stop-writes-on-bgsave-error)? */
bool saver_stops_writes(const struct server *s);
uint64_t saver_changes(const struct server *s); /* since the last dbfilename */

/* Periodic: the rules of `save` and of auto-aof-rewrite. */
void saver_tend(struct server *s);
/* What had to wait may begin now. */
void saver_begin_wanted(struct server *s);
