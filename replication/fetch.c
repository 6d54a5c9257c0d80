/* Happy path: connect -> handshake -> Hello, as if the log ended at the damage -> Welcome, Continue -> LogBytes up to the
 *             end that is wanted -> closed.
 * Failures:   Refuse, a snapshot instead of the log, silence, bytes that do not fit: an error that says which. */
#include "replication/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/facts.h"
#include "replication/link.h"

struct fetch {
    const struct fetch_options *o;
    const struct history *history;
    struct batch_chain *chain;
    uint64_t end;
    enum err (*take)(void *context, struct span batches, struct errmsg *m);
    void *context;
    struct seal_claim own;
    struct link *link;
    int fd;
    bool going;         /* Continue came */
    struct buf pending; /* a batch of which not all has come */
};

/* ---- The socket ---- */

static enum err wait_for(struct fetch *f, short what, struct errmsg *m)
{
    struct pollfd p = {.fd = f->fd, .events = what};
    int n;
    do n = poll(&p, 1, f->o->timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_errno(m, "poll");
    return n ? ERR_OK : err_set(m, ERR_TIMEOUT, "it did not answer in time");
}

static enum err try_address(struct fetch *f, const struct addrinfo *a, struct errmsg *m)
{
    int failure = 0;
    socklen_t size = sizeof failure;
    f->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (f->fd < 0) return err_errno(m, "socket");
    enum err e = ERR_OK;
    if (connect(f->fd, a->ai_addr, a->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) e = err_errno(m, "connect");
        else e = wait_for(f, POLLOUT, m);
    }
    if (!e && getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure) {
        errno = failure;
        e = err_errno(m, "connect");
    }
    if (e) {
        (void)close(f->fd);
        f->fd = -1;
    }
    return e;
}

static enum err dial(struct fetch *f, struct errmsg *m)
{
    char port[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    (void)snprintf(port, sizeof port, "%u", f->o->port);
    const int failure = getaddrinfo(f->o->host, port, &hints, &found);
    if (failure) return err_set(m, ERR_MISSING, "%s", gai_strerror(failure));
    enum err e = ERR_MISSING;
    for (const struct addrinfo *a = found; a && e; a = a->ai_next) e = try_address(f, a, m);
    freeaddrinfo(found);
    return e;
}

static enum err send_all(struct fetch *f, struct errmsg *m)
{
    struct buf *out = link_out(f->link);
    while (out->len) {
        const ssize_t n = send(f->fd, out->p, out->len, MSG_NOSIGNAL);
        if (n > 0) buf_drop(out, (size_t)n);
        else if (n < 0 && errno == EAGAIN) {
            const enum err e = wait_for(f, POLLOUT, m);
            if (e) return e;
        } else if (n < 0 && errno != EINTR) return err_errno(m, "send");
    }
    return ERR_OK;
}

static enum err receive(struct fetch *f, char *to, size_t room, size_t *got, struct errmsg *m)
{
    for (;;) {
        const ssize_t n = recv(f->fd, to, room, 0);
        if (n > 0) {
            *got = (size_t)n;
            return ERR_OK;
        }
        if (n == 0) return err_set(m, ERR_IO, "it closed the connection");
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return err_errno(m, "receive");
        const enum err e = wait_for(f, POLLIN, m);
        if (e) return e;
    }
}

/* ---- What is said ---- */

static void say_hello(struct fetch *f)
{
    struct facts self = {.role = NODE_REPLICA, .end = f->chain->offset, .end_crc = f->chain->crc};
    struct facts_message facts;
    struct buf header = {0};
    Relevo__Hello hello = RELEVO__HELLO__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    memcpy(self.id.bytes, f->own.node_id, sizeof self.id.bytes);
    memcpy(&self.boot, f->own.node_id, sizeof self.boot);
    history_copy(&self.history, f->history);
    history_truncate(&self.history, f->chain->offset);
    facts_write(&self, &facts);
    hello.facts = &facts.facts;
    m.epoch = facts_epoch(&self);
    m.body_case = RELEVO__MESSAGE__BODY_HELLO;
    m.hello = &hello;
    frame_pack(&m, &header);
    link_send(f->link, buf_span(&header), span_of(NULL, 0));
    buf_free(&header);
    facts_message_free(&facts);
    facts_free(&self);
}

/* Whole batches at the front of what came, up to the end that is wanted. */
static enum err take_batches(struct fetch *f, struct errmsg *m)
{
    struct batch b;
    size_t used = 0, need;
    enum err e = ERR_OK;
    while (!e && f->chain->offset < f->end) {
        const struct span rest = span_of(f->pending.p + used, f->pending.len - used);
        if (!history_enter(f->history, f->chain))
            return err_set(m, ERR_DIVERGED, "its log does not fit the epochs here, at offset %" PRIu64,
                           f->chain->offset);
        e = batch_take(rest, BATCH_MAX, f->chain, &b, &need, m);
        if (e == ERR_TRUNCATED) break;
        if (!e) e = f->take(f->context, span_of(rest.p, need), m);
        if (!e) used += need;
    }
    buf_drop(&f->pending, used);
    if (e == ERR_TRUNCATED) return ERR_OK;
    if (!e && f->chain->offset > f->end)
        e = err_set(m, ERR_DIVERGED, "its batches are cut otherwise than those here, at offset %" PRIu64, f->end);
    return e;
}

static enum err take_frame(struct fetch *f, const struct frame *frame, struct errmsg *m)
{
    const Relevo__Message *message = frame->message;
    switch (message->body_case) {
    case RELEVO__MESSAGE__BODY_REFUSE:
        return err_set(m, ERR_DIVERGED, "it refuses: %.200s", message->refuse->text ? message->refuse->text : "");
    case RELEVO__MESSAGE__BODY_SNAPSHOT_BEGIN:
        return err_set(m, ERR_STALE, "it no longer has the log from offset %" PRIu64 " on, only a snapshot",
                       f->chain->offset);
    case RELEVO__MESSAGE__BODY_CONTINUE:
        if (message->continue_->offset != f->chain->offset)
            return err_set(m, ERR_DIVERGED, "it goes on at offset %" PRIu64, message->continue_->offset);
        f->going = true;
        return ERR_OK;
    case RELEVO__MESSAGE__BODY_LOG_BYTES:
        if (!f->going || message->log_bytes->offset != f->chain->offset + f->pending.len)
            return err_set(m, ERR_DIVERGED, "its log has a gap at offset %" PRIu64, message->log_bytes->offset);
        buf_add_span(&f->pending, frame->payload);
        return take_batches(f, m);
    case RELEVO__MESSAGE__BODY_HEARTBEAT:
        if (f->going && message->heartbeat->end < f->end)
            return err_set(m, ERR_RANGE, "its own log ends at offset %" PRIu64 ", before %" PRIu64,
                           message->heartbeat->end, f->end);
        return ERR_OK;
    default: return ERR_OK;
    }
}

static enum err take_input(struct fetch *f, struct span bytes, struct errmsg *m)
{
    struct cursor in = cursor_of(bytes);
    struct frame frame;
    while (f->chain->offset < f->end) {
        enum err e = ERR_OK;
        switch (link_take(f->link, &in, &frame, m)) {
        case LINK_OPENED: say_hello(f); break;
        case LINK_FRAME: e = take_frame(f, &frame, m); break;
        case LINK_FAILED: return ERR_AUTH;
        case LINK_MORE: return ERR_OK;
        }
        if (e) return e;
    }
    return ERR_OK;
}

static enum err run(struct fetch *f, struct errmsg *m)
{
    enum { ROOM = 64 << 10 };
    struct buf in = {0};
    enum err e = dial(f, m);
    if (!e) f->link = link_dial(f->o->keys, &f->own);
    while (!e && f->chain->offset < f->end) {
        size_t got = 0;
        e = send_all(f, m);
        if (!e) e = receive(f, buf_room(&in, ROOM), ROOM, &got, m);
        if (!e) e = take_input(f, span_of(in.p, got), m);
    }
    buf_free(&in);
    return e;
}

enum err fetch_log(const struct fetch_options *options, const struct history *history, struct batch_chain *chain,
                   uint64_t end, enum err (*take)(void *context, struct span batches, struct errmsg *m),
                   void *context, struct errmsg *m)
{
    struct fetch f = {
        .o = options, .history = history, .chain = chain, .end = end, .take = take, .context = context, .fd = -1};
    const ssize_t got = getrandom(f.own.node_id, sizeof f.own.node_id, 0);
    if (got != (ssize_t)sizeof f.own.node_id) return err_errno(m, "getrandom");
    f.own.epoch = history_last(history) ? history_last(history)->number : 0;
    const enum err e = run(&f, m);
    link_free(f.link);
    if (f.fd >= 0) (void)close(f.fd);
    buf_free(&f.pending);
    return e ? err_wrap(m, e, "%s:%u", options->host, options->port) : ERR_OK;
}
