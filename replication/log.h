/* The log: the ordered stream of batches, on disk and on its way there.
 *
 *     main thread                     log thread                        disk
 *     log_append() --- chunks ---->   group: writev, fdatasync  ----->
 * appendonlydir/appendonly.aof.N.incr.aof |                              |
 *         +-> log_end()                  +-> log_written(), log_durable(), notify()
 *
 * Every function is the main thread's, unless it says "any thread". The main thread never waits for a disk,
 * but in log_open(), log_load(), log_open_epoch(), log_adopt_history(), log_install_base(), log_sync() and
 * log_close().
 *
 * Life: log_open() looks at the directory and takes its lock; log_load() replays what is there; then a
 * primary calls log_open_epoch() (and so does a promotion), a replica log_adopt_history() or
 * log_install_base(). Appending before that is a bug. If log_load() reported `foreign`, the first thing must
 * be a checkpoint (checkpoint_begin(), feed, checkpoint_wait()) behind log_open_epoch(): it makes the
 * directory ours, under a new lineage.
 *
 * What is written cannot fail silently: a failed write or fsync puts the log in a failed state
 * (log_failed()), in which the server refuses writes. What was not durable is kept in memory and written anew
 * to a new segment, at once and then every second; when that succeeds the state is left again. With
 * `appendfsync no` nothing is kept once it was written, so that a failure of the fsync at a rotation is for
 * good. */
#pragma once

#include "replication/chunk.h"
#include "replication/files.h"
#include "replication/history.h"
#include "replication/manifest.h"

struct log;
struct rdb_source; /* common/rdb.h */
struct moment;     /* replication/moment.h */

enum log_sync_policy { LOG_SYNC_ALWAYS, LOG_SYNC_EVERYSEC, LOG_SYNC_NO };

enum log_say_level { LOG_SAY_NOTICE, LOG_SAY_WARNING };

struct log_options {
    const char *dir;         /* the setting `dir`; must exist */
    const char *append_dir;  /* appenddirname: "appendonlydir" */
    const char *append_name; /* appendfilename: "appendonly.aof" */
    const char *dump_name;   /* dbfilename: "dump.rdb"; loaded where there is no log */
    bool files;              /* appendonly; false: offsets and chunks only, nothing of the log is written */
    enum log_sync_policy sync;
    bool load_truncated;   /* aof-load-truncated, for files that Redis wrote */
    uint64_t retain_bytes; /* of segments older than the base that are kept for replicas */
    int64_t retain_ms;     /* and for how long; 0: no bound */
    unsigned keep_bases;   /* older bases that are kept, with the log from the oldest of them on */
    /* Called on the log thread (never with a lock held) when log_durable() moved, when log_written() moved if
     * log_notify_written() asked for it, and when the failed state changed. Cheap: uv_async_send(). */
    void (*notify)(void *context);
    /* A sentence for the operator. Any thread. */
    void (*say)(void *context, enum log_say_level level, const char *text);
    void *context;
    const struct io_ops *io; /* NULL: the real ones */
};
#define LOG_OPTIONS_DEFAULT                                                                                     \
    {                                                                                                           \
        .append_dir = "appendonlydir", .append_name = "appendonly.aof", .dump_name = "dump.rdb", .files = true, \
        .sync = LOG_SYNC_EVERYSEC, .load_truncated = true, .retain_bytes = UINT64_C(256) << 20,                 \
        .retain_ms = INT64_C(3600) * 1000                                                                       \
    }

/* Options are copied (the strings too). Takes an advisory lock on @dir and counts up the incarnation.
 * Errors: ERR_BUSY  another process has the directory; ERR_CORRUPT, ERR_FOREIGN  manifests; ERR_DENIED,
 * ERR_IO ... */
MUST_USE enum err log_open(const struct log_options *options, struct log **log, struct errmsg *m);

/* Where what is on disk goes. Any error that a member returns ends the load. */
struct log_loader {
    void *context;
    /* A base in RDB format is to be pulled from @source (rdb_load() does). *used: its length in bytes; an old-style
     * AOF goes on behind it. */
    enum err (*rdb)(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m);
    /* One effect. SELECT comes through here as well; MULTI and EXEC of a Redis do not. */
    enum err (*command)(void *context, const struct span *argv, size_t argc, struct errmsg *m);
    /* About every 4 MB and at the end. May be NULL. */
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
};

struct log_report {
    bool fresh;   /* nothing was there */
    bool foreign; /* a Redis wrote it, wholly or its tail: a checkpoint must follow */
    uint64_t batches, commands;
    uint64_t cut_bytes;       /* of a torn tail */
    uint64_t restored_offset; /* log_restore(): the end of what was loaded, */
    int64_t restored_ms;      /* and the time of its last part */
    char source[256];         /* "appendonlydir, base 3 and 2 segments", "dump.rdb" ... */
};

/* Replay what is on disk, and cut a torn tail. Once, right after log_open().
 * Errors: ERR_CORRUPT (with file, offset and remedy), ERR_MISSING (a segment), ERR_FOREIGN, and what the
 * loader says. Nothing is changed then. */
MUST_USE enum err log_load(struct log *log, const struct log_loader *loader, struct log_report *report,
                           struct errmsg *m);

/* Instead of log_load(): only up to a moment, from the newest base that is not later; kept bases count too. Nothing on disk
 * changes. What must follow is log_open_epoch(), which begins a new lineage, and log_install_base() with a snapshot of
 * what was loaded. Errors: ERR_RANGE  the moment is not covered (the message says what is); ERR_MISSING  no log of ours;
 * and as log_load(). */
MUST_USE enum err log_restore(struct log *log, const struct moment *until, const struct log_loader *loader,
                              struct log_report *report, struct errmsg *m);

/* All is written and synced (as far as that is possible), the thread ended, the lock given back. NULL is a
 * no-op. */
void log_close(struct log *log);

/* Open an epoch at log_end() with the next free number (at least @at_least) and a random id, persisted on
 * return. On a log without a lineage it begins one, with the directory and its first segment. */
MUST_USE enum err log_open_epoch(struct log *log, uint64_t at_least, struct errmsg *m);

/* A replica follows @history, of which its own log is a beginning (history_compare() says EQUAL or BEHIND;
 * epochs that start behind our end are taken as well). Persisted on return or, if the disk fails now, before any
 * byte that is written after it (log_failed()). Errors: ERR_DIVERGED */
MUST_USE enum err log_adopt_history(struct log *log, const struct history *history, struct errmsg *m);

/* Start over from a snapshot that was received: @file (complete, in RDB format, fsynced, on the same file
 * system; it is moved) becomes the base, and the log is empty at @position of @history. The old directory is
 * kept aside if @salvage, under a name that is reported through `say`, else removed. With files off, only the
 * position is taken, and @file removed (NULL: the data came from dump.rdb). Must not run while a checkpoint
 * does. On failure the old state stays, the file included. */
MUST_USE enum err log_install_base(struct log *log, const char *file, const struct position *position,
                                   const struct history *history, bool salvage, struct errmsg *m);

/* Seal the open batch @b (batch_begin(), with something appended) and hand it to the log thread. @b is begun
 * anew. The caller gets one reference to the chunk. */
struct chunk *log_append(struct log *log, int64_t now_ms, struct buf *b);

/* Append a chunk that was received; it must follow log_end(), be verified (assembler), and its epoch be
 * adopted. Takes a reference of its own. */
void log_append_chunk(struct log *log, struct chunk *c);

/* Positions. log_end() moves with log_append(); the others follow: log_written() <= log_durable()'s bound of
 * what a kill -9 spares, log_durable() what a power cut spares. Any thread. */
uint64_t log_end(const struct log *log);
uint64_t log_written(const struct log *log);
uint64_t log_durable(const struct log *log);

/* The chain at log_end(): epoch, its id, and the last checksum; for a hello. */
void log_chain(const struct log *log, struct batch_chain *chain);
struct position log_position(const struct log *log);

/* Borrowed until the next call that changes it. */
const struct history *log_history(const struct log *log);
const struct node_id *log_node(const struct log *log);
uint64_t log_incarnation(const struct log *log);

/* Write the peers into the manifest (copied; does not wait), and what was there at the start (borrowed). */
void log_set_peers(struct log *log, const struct peer *peers, size_t count);
size_t log_peers(struct log *log, const struct peer **peers);

/* Bytes that wait for the log thread: the server bounds them by reading less. Any thread. */
uint64_t log_backlog(const struct log *log);

/* Milliseconds since the oldest byte that is not durable was appended; 0 if all is. @now_ms as of
 * log_append(). */
int64_t log_unsynced_ms(const struct log *log, int64_t now_ms);

/* True, with the reason, while the disk fails. Any thread. */
bool log_failed(struct log *log, struct errmsg *m);

/* Under `always`: what was appended so far is to be flushed as soon as the flush under way is over. Else the log thread
 * rests for a moment between two flushes, and takes more by the next. */
void log_hurry(struct log *log);
/* Counted from 1: the flush that will take what is appended now (if it does not begin this very moment). Any thread. */
uint64_t log_next_flush(const struct log *log);

void log_set_sync(struct log *log, enum log_sync_policy policy);
void log_set_retention(struct log *log, uint64_t bytes, int64_t ms);
void log_set_keep(struct log *log, unsigned bases); /* takes effect with the next base */
void log_notify_written(struct log *log, bool wanted);

/* Wait until all that was appended is durable, whatever the policy. */
MUST_USE enum err log_sync(struct log *log, struct errmsg *m);

struct log_stats {
    bool files;
    bool has_base;
    uint64_t segments, base_bytes, base_offset, kept_bases;
    uint64_t log_bytes; /* on disk, behind the base */
    uint64_t begin;     /* the oldest offset that is on disk */
    uint64_t groups, syncs, failures;
    int64_t last_sync_us, longest_sync_us;
};
void log_get_stats(struct log *log, struct log_stats *s);

/* Reading the log from disk, at its own pace. A reader belongs to one thread, any; it must be closed before
 * the log. */
struct log_reader;

/* Errors: ERR_STALE  @offset is no longer, or was never, on disk: a snapshot is needed; ERR_RANGE  behind the
 * end. */
MUST_USE enum err log_reader_open(struct log *log, uint64_t offset, struct log_reader **r, struct errmsg *m);

/* Up to @max bytes at the reader's offset, which moves. *n is 0 at log_written().
 * Errors: ERR_STALE  the next segment was deleted meanwhile. */
MUST_USE enum err log_reader_read(struct log_reader *r, char *to, size_t max, size_t *n, struct errmsg *m);
uint64_t log_reader_offset(const struct log_reader *r);
void log_reader_close(struct log_reader *r);

/* window_verify() for what is on disk. Any thread. */
MUST_USE enum err log_verify(struct log *log, uint64_t offset, uint32_t crc, uint32_t seed, struct errmsg *m);

/* The newest base, open for reading: it stays readable also when it is replaced and deleted. Any thread. */
struct log_base {
    int fd;
    char *path; /* where it lies; a log_pin() at its position keeps it there */
    uint64_t size;
    struct position position;
    struct history history;
};
/* Errors: ERR_MISSING  there is none yet. */
MUST_USE enum err log_base_open(struct log *log, struct log_base *b, struct errmsg *m);
void log_base_close(struct log_base *b);

/* Keep what lies at and behind an offset on disk, beyond what retention would: segments, and a base of that offset or a
 * later one. Any thread. */
struct log_pin {
    struct log_pin *prev, *next;
    uint64_t offset;
};
MUST_USE enum err log_pin(struct log *log, uint64_t offset, struct log_pin *pin); /* ERR_STALE */
void log_pin_move(struct log *log, struct log_pin *pin, uint64_t offset);
void log_unpin(struct log *log, struct log_pin *pin);
