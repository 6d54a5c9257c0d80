/* The inside of struct node, for uv_node.c (what the main thread calls) and uv_node_thread.c (the link thread) only. */
#pragma once

#include <stdatomic.h>

#include "replication/core.h"
#include "replication/uv_conn.h"
#include "replication/uv_mail.h"
#include "replication/uv_node.h"
#include "replication/uv_source.h"
#include "replication/uv_store.h"

struct feed {
    struct feed *next;
    uint32_t conn;
    struct source *source;
};

struct node {
    /* Set at the start, constant. */
    struct node_callbacks callbacks;
    void *ctx;
    struct log *log;
    char *dir;
    uv_thread_t thread;
    uint64_t words; /* times that the main thread has said whom to follow; its own */

    /* Shared. */
    struct mailbox to_link, to_main;
    _Atomic uint64_t applied, durable;
    atomic_bool followed;             /* somebody streams: what is published has somewhere to go */
    _Atomic size_t bulletins_waiting; /* bytes that the main thread has not yet delivered */
    atomic_bool alone;                /* core_is_alone(): the link thread need not see each batch */
    atomic_bool acks_wanted;          /* the main thread has counted and not been told of acknowledgements since */
    uv_mutex_t mutex;                 /* for what follows */
    uv_cond_t unfollowed;
    bool unfollow_done;
    struct node_status status;
    int64_t status_at_ms;

    /* The link thread's. */
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t timer, sweep;
    struct conns conns;
    struct core *core;
    struct todo todo;
    bool stepping;           /* the todo list is being worked off */
    bool stepped;            /* something happened in this turn */
    uint64_t bulletins_lost; /* published messages that found no room on their way to the main thread */
    bool stopping, acked;
    int64_t due_ms; /* what the timer is set to */
    uint64_t words_heard;
    struct feed *feeds;
    struct store *store;
    unsigned stores; /* that were made */
};

/* Prepare loop, connections and handles; on failure nothing is left. Main thread, before the thread runs. */
MUST_USE enum err node_thread_init(struct node *n, const struct node_options *o, struct errmsg *m);
void node_thread_run(void *node);

int64_t node_now_ms(void);

/* What the log holds now. Main thread. */
void node_read_log(struct log *log, struct facts *f);
