/* The inside of struct log, for log*.c and checkpoint.c only.
 *
 * Three groups of members: the main thread's, the log thread's, and what is shared under one of two locks. `lock` guards
 * the hand-over, `view` what readers look at; no call into the kernel that may take long is made under either. */
#pragma once

#include <pthread.h>

#include "replication/log.h"
#include "replication/moment.h"

#define LOG_MANIFEST "relevo.manifest"
/* "<this><name of the directory>-<seconds>": what a snapshot has replaced, to be removed whatever is left in it. No person
 * would call a copy so. */
#define LOG_REPLACED "temp-replaced-"

/* Something for the log thread to do between two batches. Its owner keeps the struct until `done`. */
struct log_call {
    enum err (*run)(struct log *log, void *context, struct errmsg *m);
    void *context;
    enum err result;
    struct errmsg m;
    bool done;
    bool detached; /* nobody waits: the thread frees the allocation that begins with this struct */
};

/* A queued thing: one of the two is set. */
struct log_op {
    struct chunk *chunk;
    struct log_call *call;
};

/* A row of chunks, taken from the front. */
struct chunk_row {
    struct chunk **at;
    size_t first, count, room;
};
void chunk_row_push(struct chunk_row *r, struct chunk *c);
struct chunk *chunk_row_pop(struct chunk_row *r);
static inline struct chunk *chunk_row_get(const struct chunk_row *r, size_t i) { return r->at[r->first + i]; }
void chunk_row_free(struct chunk_row *r);

struct names {
    char **at;
    size_t count;
};
void names_add(struct names *n, const char *name);
void names_free(struct names *n);

enum log_found {
    LOG_FOUND_NOTHING,
    LOG_FOUND_OURS,
    LOG_FOUND_AOF_DIR,  /* Redis 7: a manifest, a base and incremental files */
    LOG_FOUND_AOF_FILE, /* Redis up to 6: one file */
    LOG_FOUND_DUMP,     /* an RDB file only */
};

enum log_sleep { LOG_AWAKE, LOG_DOZING, LOG_ASLEEP };

struct log {
    struct log_options o; /* strings are owned */
    const struct io_ops *io;
    char *path; /* of the directory of segments */
    int lock_fd;
    enum log_found found;
    struct aof_manifest aof;            /* Redis's manifest as it was found */
    uint64_t seq_floor, base_seq_floor; /* numbers up to here have been used in names, by us or by a Redis */

    /* Main thread. */
    struct batch_chain chain; /* at the end */
    struct history history;
    struct node_id node;
    uint64_t incarnation, epoch_seen;
    struct manifest known; /* only its peers count: as they were at the start */
    bool loaded, loaded_foreign;
    bool must_checkpoint; /* the data is a Redis's: no batch before a checkpoint was begun */

    /* Any thread. */
    _Atomic uint64_t end, written, durable;
    _Atomic uint64_t flushes;          /* times that the log thread took something */
    _Atomic int64_t unsynced_since_ms; /* wall clock; 0: all is durable */
    atomic_int policy;
    atomic_bool notify_written;

    /* Hand-over, under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t wake, answered;
    struct log_op *inbox;
    size_t inbox_count, inbox_room;
    uint64_t inbox_bytes;
    enum log_sleep sleep;
    bool urgent; /* somebody waits for an answer, or enough wait for a flush */
    bool quit, running;
    pthread_t thread;

    /* Log thread. */
    struct log_op *taken; /* the inbox that is being worked on */
    size_t taken_room;
    int fd; /* of the open segment, or -1 */
    uint64_t fd_start;
    struct chunk_row pending;       /* not written */
    struct chunk_row unsynced;      /* written, not durable; empty with LOG_SYNC_NO */
    uint64_t unsynced_bytes;        /* in them */
    uint32_t written_crc, kept_crc; /* of the batches that end at `written` and where `unsynced` begins */
    int64_t sync_due_us, retry_due_us, retain_due_us, group_us; /* monotonic; 0: not due */
    int64_t flush_us;                                           /* what a write and sync take: moving average */
    bool sync_failed, broken;                                   /* broken: nothing can be saved any more */
    bool aof_stale;                                             /* Redis's manifest is older than ours */
    bool foreign; /* until the first checkpoint: nothing of ours is in the manifest */

    struct log_sweep {
        pthread_t thread;   /* that removes files */
        bool begun;         /* and is to be joined */
        atomic_bool busy;   /* and has not ended */
        struct names files; /* its own while it is busy */
        char *dir;          /* likewise: a directory that goes as a whole, or NULL */
    } sweep;

    /* Under `view`; written by the log thread only. */
    pthread_mutex_t view;
    struct manifest manifest;
    uint64_t generation; /* counts fresh starts: what a reader knew is void */
    uint64_t view_written;
    uint32_t view_crc;    /* of the batch that ends there */
    struct log_pin *pins; /* written by any thread */
    struct names old_bases;
    struct log_stats stats;
    bool failed;
    struct errmsg failure;
    bool checkpoint_runs;
};

void log_say(struct log *log, enum log_say_level level, const char *format, ...) PRINTF(3, 4);
int64_t log_monotonic_us(void);
int64_t log_wall_ms(void);
void log_random(void *to, size_t n);

/* log_thread.c */
void log_thread_start(struct log *log);
void log_thread_stop(struct log *log);
void log_queue_chunk(struct log *log, struct chunk *c); /* takes the reference */
void log_post(struct log *log, struct log_call *call);
enum err log_wait(struct log *log, struct log_call *call, struct errmsg *m);
/* Post and wait; without a thread (files off) it runs at once. */
enum err log_run(struct log *log, enum err (*run)(struct log *, void *, struct errmsg *), void *context,
                 struct errmsg *m);

/* Log thread from here on. */

/* log_write.c: everything pending is written, or written and durable. On failure the log is in the failed state. */
enum err log_flush(struct log *log, struct errmsg *m);
enum err log_flush_sync(struct log *log, struct errmsg *m);
/* Write what is pending, and sync as the policy says; or try again, in the failed state. Reports by state. */
void log_settle(struct log *log);
/* The failed state, without a way out. */
void log_fail_for_good(struct log *log, const struct errmsg *why);
/* The same until a new segment could be written; that is tried from then on. */
void log_fail_for_now(struct log *log, const struct errmsg *why);
/* When log_settle() is to be called again without anything new; 0: not before. */
int64_t log_due_us(const struct log *log);
/* Begin at @offset: nothing is pending, all is durable. */
void log_begin_at(struct log *log, uint64_t offset, uint32_t crc);

/* log_files.c: make @next the manifest, on disk and in memory (its content is taken). */
enum err log_persist(struct log *log, struct manifest *next, struct errmsg *m);
uint64_t log_next_seq(const struct log *log, bool base);
char *log_file_name(const struct log *log, uint64_t seq, bool base);
/* Create an empty segment file for @seq; *fd is open for appending. */
enum err log_create_segment(struct log *log, uint64_t seq, int *fd, char **name, struct errmsg *m);
/* Go on in a new segment, if the open one has bytes. */
enum err log_rotate(struct log *log, void *context, struct errmsg *m);
/* The base of @next is about to be replaced by one at @offset: it is kept, or goes when nobody reads it any more. */
void log_retire_base(struct log *log, struct manifest *next, uint64_t offset);

/* log_retain.c */
/* Take what retention no longer needs out of @next, and list its files. */
void log_collect(struct log *log, struct manifest *next, struct names *files);
void log_remove_files(struct log *log, struct names *files);
/* Look what may go, and have it removed. */
void log_retain(struct log *log);
void log_retain_later(struct log *log); /* a start */
/* Have the directory @path (taken) removed; the next start does it if something else is being removed. */
void log_sweep_dir(struct log *log, char *path);
/* Wait until what is being removed is. */
void log_sweep_wait(struct log *log);

/* Loading; main thread, before the log thread starts. */
struct scan;
struct load {
    struct log *log;
    const struct log_loader *loader;
    struct log_report *report;
    const struct moment *until;  /* NULL: all */
    bool reached;                /* the moment */
    uint64_t done, total, shown; /* bytes, for progress */
};
void load_progress(struct load *l, uint64_t bytes);
/* log_load.c: @base (NULL: none) and the log behind it; *chain then stands at the end. */
enum err load_from(struct load *l, const struct base *base, struct batch_chain *chain, struct errmsg *m);
/* The log goes on at @chain; @foreign: without a lineage, and nothing on disk is ours before a checkpoint. */
enum err load_take_over(struct log *log, const struct batch_chain *chain, bool foreign, struct errmsg *m);
/* log_restore.c: this batch lies behind the moment up to which is loaded. */
bool load_is_over(struct load *l, const struct batch *b);
/* log_foreign.c: what a Redis wrote; all of it, an RDB at the front of a file, plain commands up to its end. */
enum err load_foreign(struct load *l, struct errmsg *m);
enum err load_rdb(struct load *l, struct scan *s, struct errmsg *m);
enum err load_plain(struct load *l, struct scan *s, bool last, struct errmsg *m);
