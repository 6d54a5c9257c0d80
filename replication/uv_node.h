/* The node end: everything that one Relevo says to another, on a thread and a loop of its own.
 *
 *      MAIN thread                               LINK thread
 *      node_submit(batch)   ---- mail ---->      window, followers          (primary)
 *      callbacks.received() <--- mail -----      following link, checked    (replica)
 *
 * A slow command on the main loop therefore never looks like a dead node, and the main loop never pays for
 * encryption. What is decided here is decided by the pure core (replication/node.h); this is its shell.
 *
 * All functions are for the MAIN thread, return at once (but for the two that say so) and copy what they are given.
 * All callbacks come on the MAIN thread, out of the main loop and never from inside one of these functions (but for
 * node_unfollow(), which says so), in the order in which the facts behind them came about.
 *
 * Happy path of a replica:  node_start(follow X) -> [snapshot() -> node_loaded()] -> received() ... node_progress()
 * Of a primary:             node_start() -> confirmed() -> node_submit() ...
 *                           a follower needs a fresh base: snapshot_wanted() -> checkpoint -> node_base_ready()
 * Promotion by hand:        node_unfollow() -> log_open_epoch(at least node_next_epoch()) -> node_promoted()
 * A higher epoch was met:   step_down() -> node_stepped_down() -> following() or fenced()
 * Stop:                     node_stop() closes every link, joins the thread; no callback after it. */
#pragma once

#include "replication/facts.h"
#include "replication/log.h"

struct bulletin;
struct uv_loop_s;
struct node;

/* The first byte of every node's hello; no client command starts with it. */
enum { NODE_FIRST_BYTE = 0xf5 };

struct node_callbacks {
    /* Replica: whole, checked batches that continue the log, all of one epoch. Takes the reference to @c. The main
     * thread executes them, gives them to its log, and reports by node_progress(); reading pauses while more than
     * `backlog_bytes` are not reported applied. */
    void (*received)(void *ctx, struct chunk *c);

    /* Replica: the epochs that we follow are these now: for log_adopt_history(), before the chunks that come next.
     * Borrows @h. */
    void (*history_changed)(void *ctx, const struct history *h);

    /* Replica: a whole snapshot lies in the file @path (in options.dir; the callee owns the file), fsynced and checked
     * against the sender's checksum: the data set of @h at @position. Load it, log_install_base(), then answer by
     * node_loaded(); until then nothing else is received. @salvage: what we held parted from it, and is to be kept
     * aside. Borrows all. */
    void (*snapshot)(void *ctx, const char *path, const struct position *position, const struct history *h,
                     bool salvage);

    /* Primary: a follower needs a base, and there is none, or the log behind it is too long. Take a checkpoint, then
     * call node_base_ready() or node_base_failed(). Asked once, however many wait. */
    void (*snapshot_wanted)(void *ctx);

    /* Primary: every known peer was asked (or did not answer in time) and none knew of a higher epoch. Before this, a
     * primary that has just started does not accept writes. If @fetched, received() gave what peers held beyond our
     * log, behind the epoch that was opened at the start: open another one, and call node_promoted(). */
    void (*confirmed)(void *ctx, bool fetched);

    /* Primary or fenced: a primary of higher epoch speaks for this data set. Refuse writes from now on, submit the open
     * batch, then call node_stepped_down(). */
    void (*step_down)(void *ctx, const struct node_peer *to, uint64_t epoch);

    /* This node follows @to now without an operator's word: after step_down(), or because a new primary announced
     * itself to a replica. */
    void (*following)(void *ctx, const struct node_peer *to);

    /* After step_down(): we hold log that the new primary does not have. Read-only until an operator's REPLICAOF. */
    void (*fenced)(void *ctx, const struct node_peer *by, const char *why);

    /* The known peers changed: to be persisted with the manifest, and given to node_start() next time. */
    void (*peers_changed)(void *ctx, const struct node_peer *peers, size_t n);

    /* Followers acknowledged something, or came or went, since node_acked() was called last: whoever waits (WAIT)
     * counts again with it. */
    void (*acked)(void *ctx);

    /* Replica: what was published where our log comes from; the log up to its position was given by received(). Borrows @b. */
    void (*published)(void *ctx, const struct bulletin *b);

    /* One line for the server's log. */
    void (*log)(void *ctx, bool warning, const char *line);
};

struct node_options {
    struct log *log; /* loaded; identity, history and position are read from it now, and what lies behind the window
                        later, from other threads; borrowed until node_stop() */
    const char *announce_host;     /* may be NULL: others dial the address that we come from */
    uint16_t port;                 /* where others dial us */
    const char *secret_file;       /* may be NULL: loopback only */
    const char *dir;               /* for received snapshots; same file system as the data */
    size_t window_bytes;           /* repl-backlog-size: memory for followers at the tail */
    size_t backlog_bytes;          /* received and not yet applied; 0: 64 MB */
    bool forgets;                  /* the log is kept in no files: nothing is ever reported durable */
    uint32_t heartbeat_ms;         /* repl-ping-replica-period; 0: 1000 */
    uint32_t timeout_ms;           /* repl-timeout; 0: 10000 */
    const struct node_peer *peers; /* known from before */
    size_t peer_count;
    const struct node_callbacks *callbacks;
    void *ctx;
};

/* Start the thread, as primary (whose log has just opened an epoch), or as replica if @follow_host is not NULL
 * (@take_any: see node_follow()).
 *
 * Errors: ERR_DENIED   the secret file's mode or owner is not safe
 *         ERR_INVALID  the secret file is not one
 *         ERR_IO ...   it cannot be read, or the thread cannot start */
MUST_USE enum err node_start(struct uv_loop_s *main_loop, const struct node_options *o, const char *follow_host,
                             uint16_t follow_port, bool take_any, struct node **n, struct errmsg *m);

/* Close all links, join the thread, free. Blocks until the thread has ended (no network wait in it). NULL is a no-op.
 * The main loop must turn once more afterwards, so that the mail handle closes. */
void node_stop(struct node *n);

/* A connection whose first byte was NODE_FIRST_BYTE. Takes the descriptor; copies @read, the bytes read so far. */
void node_adopt(struct node *n, int fd, struct span read);

/* Become a replica of host:port, or be re-pointed. @take_any: an operator's REPLICAOF command said so, so data of another
 * lineage or a longer history of our own may be replaced (once). */
void node_follow(struct node *n, const char *host, uint16_t port, bool take_any);

/* Stop following, in order to be promoted. When this returns, everything that had been received was delivered by
 * callbacks from inside this call, and nothing more comes: until node_promoted() or node_follow() the node follows nobody
 * and steps down before nobody. */
void node_unfollow(struct node *n);

/* The least epoch number that a promotion takes (for log_open_epoch()). Numbers have a rank (their upper bits): a
 * restart stays in its rank, a promotion begins the next one, so that however often a superseded primary restarts, it
 * never outranks the one that was promoted. */
uint64_t node_next_epoch(struct node *n);

/* The log has opened a new epoch: this node is primary and tells its peers. */
void node_promoted(struct node *n);

/* Primary: a closed batch. Takes a reference of its own. */
void node_submit(struct node *n, struct chunk *c);

/* Primary: whether anybody would be told what is published; and what was, behind the batches that were submitted so far.
 * Takes a reference of its own. What finds no room on its way is lost, and counted in struct node_status. */
bool node_is_followed(const struct node *n);
void node_publish(struct node *n, struct bulletin *b);

/* How far this node's main and log threads are. Any thread; cheap; wakes the link thread at most once per turn. */
void node_progress(struct node *n, uint64_t applied, uint64_t durable);

/* The snapshot that snapshot() gave is loaded and our log begins with it; or it could not be (@ok false), and the node
 * tries again later. */
void node_loaded(struct node *n, bool ok);

/* A fresh base stands in the log (log_base_open() gives it). */
void node_base_ready(struct node *n);
void node_base_failed(struct node *n, const char *why);

/* After step_down(): writes are refused and the last batch is submitted. */
void node_stepped_down(struct node *n);

/* Followers that have executed the log up to @offset at least. */
size_t node_acked(struct node *n, uint64_t offset);
/* That have it on their disks. */
size_t node_fsynced(struct node *n, uint64_t offset);

enum { NODE_STATUS_FOLLOWERS = 64 };

struct node_follower_status {
    char host[NODE_HOST_MAX + 1]; /* as it can be dialed */
    uint16_t port;
    struct node_id id;
    const char *state; /* Redis's words: "wait_bgsave", "send_bulk", "online" */
    uint64_t acked;    /* received there */
    uint64_t applied;
    uint64_t durable; /* fsynced there */
    uint64_t lag_bytes;
    uint64_t last_ack_ms; /* since the last acknowledgement */
};

struct node_status {
    enum node_role role;
    uint64_t epoch; /* the highest it knows of */
    bool confirmed; /* see confirmed() */
    uint64_t end;

    /* Replica: */
    char primary_host[NODE_HOST_MAX + 1];
    uint16_t primary_port;
    const char
        *link_state; /* our word: "idle", "waiting", "dialing", "joining", "receiving", "loading", "streaming" */
    const char *role_state; /* ROLE's words: "connect", "connecting", "sync", "connected" */
    bool link_up;
    char link_error[256]; /* why it is not up; empty if it is */
    uint64_t last_io_ms;  /* since the primary was heard */
    uint64_t down_ms;     /* since the link went down; 0 if it is up */
    uint64_t primary_end; /* as last heard */
    uint64_t sync_left_bytes, sync_total_bytes;

    /* Serving: */
    struct node_follower_status followers[NODE_STATUS_FOLLOWERS];
    size_t follower_count;
    uint64_t sync_full, sync_partial_ok, sync_partial_err;
    uint64_t forwarded, unforwarded; /* published messages, counted per follower: queued; dropped for want of room */
    uint64_t bytes_in, bytes_out;    /* on node links since the start */
    uint64_t window_begin, window_end; /* what of the log's tail is in memory; nothing while nobody could want it */
    uint64_t window_bytes;
    uint64_t refused_handshakes;
};

/* A copy of the state as the LINK thread last published it (at most one turn of its loop old). */
void node_status(struct node *n, struct node_status *to);
