/* What the server executes becomes a log: the open batch, its way into the log, and the replies that wait for it.
 *
 *     commands of a turn -> effects in `batch` -> uv_prepare: journal_close_batch() -> log thread, link thread
 *                                                 log thread: written, fsynced -> journal wakes -> held replies leave
 *
 * Under `appendfsync always` a reply leaves when what it depends on is durable: a write on its own batch, a read on the
 * keys that it names as far as batches under way touched them, a look at the whole data set on all of them. Under
 * `everysec` nothing waits, unless the disk has fallen behind by more than log-unsynced-max-ms: then the replies to
 * writes do, until it has caught up. */
#pragma once

#include <uv.h>

#include "common/engine.h"
#include "common/resp.h"
#include "server/cohort.h"
#include "server/held.h"

struct chunk;
struct client;
struct command_entry;
struct log;
struct server;
struct touched;

struct journal {
    struct log *log;
    struct buf batch;
    struct effects effects;
    uv_async_t wake; /* the log thread has news */
    struct touched *touched;
    struct client *held;  /* clients with replies that wait */
    uint64_t committed;   /* as far as replies are concerned */
    struct cohort cohort; /* who waits for the next flush, while strict */
    bool enough;          /* so many that it should begin: the batch is closed behind what this client sent */
    bool strict;          /* appendfsync always: replies wait, those to reads too */
    bool late;            /* everysec, and the disk has fallen behind: replies to writes wait */
    bool hold;            /* strict or late */
    bool failed;          /* the disk is; writes are refused */
    char failure[512];
    bool choked;    /* so much waits for the disk that nothing is added */
    bool appending; /* the log has an epoch of ours: batches may be closed */
};

/* Open the log of `dir`; what is there is loaded by loader_run(). Errors: of log_open(). */
MUST_USE enum err journal_open(struct server *s, struct errmsg *m);
/* All that was appended is made durable. */
void journal_close(struct server *s);
void journal_free(struct server *s);

/* As a primary: open an epoch (at least @at_least), and go on from there. */
MUST_USE enum err journal_open_epoch(struct server *s, uint64_t at_least, struct errmsg *m);

/* The open batch goes into the log, if there is anything in it. */
void journal_close_batch(struct server *s);
/* The same if it has grown large within a turn: batches of like size keep the allocator's free space whole. A little less
 * than 64 KB, which is a size that it does not round up. */
static inline bool journal_is_large(const struct journal *j) { return j->batch.len > (60u << 10); }

/* The client executed a command that has effects. */
void journal_wrote(struct client *c);

/* A received chunk goes into the log. Borrows @c. */
void journal_append_chunk(struct server *s, struct chunk *c);

/* The position that a command depends on which the client just executed, its effects having begun at count @before;
 * 0: none. */
uint64_t journal_depends(struct server *s, const struct client *c, const struct command_entry *e,
                         const struct request *r, uint64_t before);

/* A position that the effects executed so far lie before, the open batch included. Commits move over whole batches,
 * so "one byte into the open batch" is committed exactly when the batch is. */
uint64_t journal_position(const struct server *s);

/* Take over appendfsync; also when the role changed. */
void journal_configure(struct server *s);

/* Look whether the disk keeps up with `everysec`: ten times a second. */
void journal_tend(struct server *s);

/* Wait until all is durable, and release what waited for it. */
void journal_sync(struct server *s);

/* This node is no primary any more: whoever waits for what could not be made durable is closed without an answer. */
void journal_give_up_held(struct server *s);

void journal_forget_client(struct client *c);

/* From the observer of the engine, under appendfsync always: a key was changed; all keys were. */
void journal_touched(struct server *s, unsigned db, struct span key);
void journal_flushed(struct server *s);
