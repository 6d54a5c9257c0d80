/* One connection: bytes in, requests, replies, bytes out.
 *
 *   open -> first byte: a node's goes to the link thread; else
 *        -> read: parse in place, execute, append the reply to `out` -> flush (once a turn) -> ... -> close
 *
 * Failures:  a protocol error is answered and closes behind the answer; an error of the socket closes at once.
 * Slow reader: what the socket does not take is written by libuv (`sending`); `out` gathers what follows. Above
 *              clients.pending_max nothing more is executed until it drained; above the output limit it is closed.
 * Memory goes in the close callback, so a client may be closed from anywhere in the main loop; whoever calls
 * something that may close it looks at the CLIENT_CLOSING flag afterwards. */
#pragma once

#include <uv.h>

#include "common/call.h"
#include "common/resp.h"
#include "server/config.h"
#include "server/held.h"

struct acl_user;
struct blocked;
struct server;
struct subscriber;
struct tls;
struct tracking_state;
struct tls_context;
struct transaction;
struct waiter;
struct watch_entry;

enum client_flag {
    CLIENT_READING = 1 << 0,
    CLIENT_DIRTY = 1 << 1,             /* in clients.dirty */
    CLIENT_WRITING = 1 << 2,           /* a uv_write is under way */
    CLIENT_CLOSE_AFTER_REPLY = 1 << 3, /* no more requests */
    CLIENT_CLOSING = 1 << 4,           /* uv_close() was called */
    CLIENT_BLOCKED = 1 << 5,           /* waits for something; later requests wait with it */
    CLIENT_THROTTLED = 1 << 6,         /* too many replies pending */
    CLIENT_TRUSTED = 1 << 7,           /* gave a password, or none is needed: access_is_known() */
    CLIENT_SPOKE = 1 << 8,             /* its first byte was looked at */
    CLIENT_UNWELCOME = 1 << 9,         /* protected mode: only a node may speak */
    CLIENT_LOCAL = 1 << 10,            /* from this machine */
    CLIENT_ENDED = 1 << 11,            /* the peer will send no more */
    CLIENT_RESUMED = 1 << 12,          /* in clients.resumed */
    CLIENT_ASKED_STOP = 1 << 13,       /* blocked by SHUTDOWN */
    CLIENT_MUST_NOT_WRITE = 1 << 14,   /* the request at the front of `in` waits for clients_hold_writes() to end */
    CLIENT_CHANGED_UNDER = 1 << 15,    /* a key that it watches was changed: its EXEC does nothing */
    CLIENT_MUST_NOT_BLOCK = 1 << 17,   /* a transaction of its, or a script, is at work */
    CLIENT_NO_EVICT = 1 << 18,         /* not closed to save memory */
    CLIENT_REPLY_OFF = 1 << 19,        /* CLIENT REPLY: no request is answered; */
    CLIENT_REPLY_SKIP_NEXT = 1 << 20,  /* the next one is not; */
    CLIENT_REPLY_SKIP = 1 << 21,       /* this one is not */
    CLIENT_REPLY_FLAGS = CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP_NEXT | CLIENT_REPLY_SKIP,
    CLIENT_MONITOR = 1 << 28,   /* in monitors.list */
    CLIENT_PINNED = 1 << 22,    /* a script of its is at work: it is kept when it is closed */
    CLIENT_GONE = 1 << 23,      /* closed meanwhile */
    CLIENT_IN_SCRIPT = 1 << 24, /* what is executed for it, a script called */
    CLIENT_OVERRUN = 1 << 16,   /* more messages came for it than its output limit allows: it is closed */
};

struct client {
    struct session session;
    struct server *server;
    struct acl_user *user;                  /* borrowed */
    struct client *prev, *next;             /* all clients */
    struct client *prev_dirty, *next_dirty; /* clients.dirty */
    struct client *next_resumed;            /* clients.resumed */
    struct client *prev_held, *next_held;   /* journal.held */
    uint64_t id;
    unsigned flags;
    unsigned resp; /* 2 or 3 */

    struct resp_parser parser;
    struct buf in;  /* the beginning of a request that is not all here, or requests that must wait */
    size_t want;    /* bytes of `in` at which looking again is worth while */
    uint64_t heard; /* clients.round in which requests were executed last */
    struct buf out; /* replies that the socket was not offered yet */
    struct buf sending;
    uv_write_t write;
    uint64_t left;            /* bytes of replies that have left `out` */
    struct held held;         /* of those in `out`, which must wait */
    uint64_t wrote;           /* position of the log behind its last write */
    uint64_t joined;          /* flush of the log that its last write was to ride in: for cohort_join() */
    uint64_t depends;         /* position that the reply being made depends on; 0: none */
    enum output_class output; /* whose limits apply to what waits for it */
    int64_t soft_since_ms;    /* above the soft output limit since, or 0 */

    uv_tcp_t tcp;
    struct tls *tls;                     /* NULL: it speaks plainly */
    char addr[64], laddr[64];            /* "127.0.0.1:4711" */
    char *name, *lib_name, *lib_version; /* NULL: none */
    int64_t created_ms, active_ms;
    const struct command_entry *last_command;
    struct transaction *transaction; /* NULL: outside of MULTI */
    struct tracking_state *tracking; /* NULL: it does not track */
    struct blocked *blocked;         /* NULL: does not wait for a key */
    struct waiter *waiter;           /* NULL: is not in WAIT */
    struct watch_entry *watched;     /* keys that it watches */
    struct subscriber *subscriber;   /* NULL: it has no subscriptions */
    uint64_t commands, bytes_in, bytes_out;
    size_t counted_memory; /* as it is contained in clients.memory */
};

static inline struct client *client_of_session(struct session *s)
{
    return (struct client *)(void *)((char *)s - offsetof(struct client, session));
}
/* The client that a server command came from. */
static inline struct client *client_of(const struct call *c) { return client_of_session(c->session); }

/* Accept a connection; @tls: which is to speak TLS, or NULL. */
void client_accept(struct server *s, uv_stream_t *listener, struct tls_context *tls);

void client_close(struct client *c);
/* CLIENT_PINNED no more: its memory goes, if it was closed meanwhile. */
void client_unpin(struct client *c);
void client_stop_reading(struct client *c);
/* Close when the replies are sent; nothing more is executed. */
void client_close_after_reply(struct client *c);

/* There are bytes in c->out: send them at the end of the turn. */
void client_mark_dirty(struct client *c);
/* Offer the socket what there is. May close. */
void client_flush(struct client *c);

/* A message that answers no request of its: it goes behind the reply that is being made, if one is, never into it. It waits
 * for the log to be committed up to @position, as a reply does. Never closes: a client that is over its output limit gets
 * no more, and is closed when the turn ends. */
void client_push(struct client *c, struct span message, uint64_t position);
/* The reply of a command that was executed for @c is complete: what was pushed meanwhile follows it. */
void client_push_deferred(struct client *c);

/* The reply that begins at byte @mark of `out` waits for the log to be committed up to @position (0: for its turn). */
void client_hold_reply(struct client *c, size_t mark, uint64_t position);

/* Whether replies of it wait for the log still. */
bool client_waits_for_log(struct client *c);

/* An error in answer to a request that was not executed to its end; it is counted. */
void client_answer_error(struct client *c, const char *text);

/* Execute no more of its requests until client_unblock(), which goes on with those that came meanwhile. */
void client_block(struct client *c);
void client_unblock(struct client *c);
/* The same; the answer that it waited for begins at byte @mark of `out`. */
void client_unblock_answered(struct client *c, size_t mark);
/* Go on with the requests that came meanwhile (through clients_resume_later()). */
void client_resume(struct client *c);

size_t client_pending_bytes(const struct client *c); /* replies not yet taken by the socket */

/* RESET: as it was when it was accepted, but for its id and addresses. */
void client_reset(struct client *c);

/* Between the files client*.c. */
void client_start_reading(struct client *c);
void client_refuse_stranger(struct client *c); /* in protected mode */
void client_unmark_dirty(struct client *c);
void client_say_end(struct client *c); /* to a peer by TLS, as far as the socket takes it at once */

/* Memory that it takes, buffers and what it queued included. */
size_t client_memory(const struct client *c);

/* One line of CLIENT LIST. */
void client_describe(const struct client *c, struct buf *to);

/* Replace a text that a client gave itself by one of printable characters; empty: none. On failure the error, which
 * begins with @what, was replied. */
MUST_USE bool client_set_text(struct call *c, char **to, struct span text, const char *what);
