/* Happy path: connect -> handshake -> Hello -> Welcome -> what was asked for -> closed. That is
 *             Continue, LogBytes up to the end that is wanted; or SnapshotBegin, SnapshotPiece..., SnapshotEnd; or, where
 *             only the epochs are asked for, Refuse instead of Welcome.
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

enum fetch_kind { FETCH_LOG, FETCH_BASE, FETCH_EPOCHS };

struct fetch {
    const struct fetch_options *o;
    enum fetch_kind kind;
    const struct history *history;
    struct position at; /* where we say that our log ends */
    struct fetch_sink to;
    struct seal_claim own;
    struct link *link;
    int fd;
    bool going; /* Continue or SnapshotBegin came */
    bool done;
    struct { /* FETCH_LOG */
        struct batch_chain *chain;
        uint64_t end;
        struct buf pending; /* a batch of which not all has come */
    } log;
    struct { /* FETCH_BASE */
        struct fetch_base *got;
        uint64_t size, at; /* bytes of the file */
        uint32_t crc;
    } base;
    struct history *epochs; /* FETCH_EPOCHS */
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

static void say(struct fetch *f, Relevo__Message *m)
{
    struct buf header = {0};
    const struct epoch *last = history_last(f->history);
    m->epoch = last ? last->number : 0;
    frame_pack(m, &header);
    link_send(f->link, buf_span(&header), span_of(NULL, 0));
    buf_free(&header);
}

static void say_hello(struct fetch *f)
{
    struct facts self = {.role = NODE_REPLICA, .end = f->at.offset, .end_crc = f->at.crc};
    struct facts_message facts;
    Relevo__Hello hello = RELEVO__HELLO__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    memcpy(self.id.bytes, f->own.node_id, sizeof self.id.bytes);
    memcpy(&self.boot, f->own.node_id, sizeof self.boot);
    history_copy(&self.history, f->history);
    history_truncate(&self.history, f->at.offset);
    facts_write(&self, &facts);
    hello.facts = &facts.facts;
    hello.need_base = f->kind == FETCH_BASE;
    m.body_case = RELEVO__MESSAGE__BODY_HELLO;
    m.hello = &hello;
    say(f, &m);
    facts_message_free(&facts);
    facts_free(&self);
}

/* We are still there, and have nothing: nobody's write is held to be replicated because of us. */
static void say_ack(struct fetch *f, uint64_t time_ms)
{
    Relevo__Ack ack = RELEVO__ACK__INIT;
    Relevo__Message m = RELEVO__MESSAGE__INIT;
    ack.time_ms = time_ms;
    m.body_case = RELEVO__MESSAGE__BODY_ACK;
    m.ack = &ack;
    say(f, &m);
}

/* Whole batches at the front of what came, up to the end that is wanted. */
static enum err take_batches(struct fetch *f, struct errmsg *m)
{
    struct batch_chain *chain = f->log.chain;
    struct buf *pending = &f->log.pending;
    struct batch b;
    size_t used = 0, need;
    enum err e = ERR_OK;
    while (!e && chain->offset < f->log.end) {
        const struct span rest = span_of(pending->p + used, pending->len - used);
        if (!history_enter(f->history, chain))
            return err_set(m, ERR_DIVERGED, "its log does not fit the epochs here, at offset %" PRIu64,
                           chain->offset);
        e = batch_take(rest, BATCH_MAX, chain, &b, &need, m);
        if (e == ERR_TRUNCATED) break;
        if (!e) e = f->to.take(f->to.context, span_of(rest.p, need), m);
        if (!e) used += need;
    }
    buf_drop(pending, used);
    if (e == ERR_TRUNCATED) return ERR_OK;
    if (!e && chain->offset > f->log.end)
        e = err_set(m, ERR_DIVERGED, "its batches are cut otherwise than those here, at offset %" PRIu64, f->log.end);
    f->done = !e;
    return e;
}

static enum err take_log_frame(struct fetch *f, const struct frame *frame, struct errmsg *m)
{
    const Relevo__Message *message = frame->message;
    const uint64_t offset = f->log.chain->offset;
    switch (message->body_case) {
    case RELEVO__MESSAGE__BODY_SNAPSHOT_BEGIN:
        return err_set(m, ERR_STALE, "it no longer has the log from offset %" PRIu64 " on, only a snapshot", offset);
    case RELEVO__MESSAGE__BODY_CONTINUE:
        if (message->continue_->offset != offset)
            return err_set(m, ERR_DIVERGED, "it goes on at offset %" PRIu64, message->continue_->offset);
        f->going = true;
        return ERR_OK;
    case RELEVO__MESSAGE__BODY_LOG_BYTES:
        if (!f->going || message->log_bytes->offset != offset + f->log.pending.len)
            return err_set(m, ERR_DIVERGED, "its log has a gap at offset %" PRIu64, message->log_bytes->offset);
        buf_add_span(&f->log.pending, frame->payload);
        return take_batches(f, m);
    case RELEVO__MESSAGE__BODY_HEARTBEAT:
        if (f->going && message->heartbeat->end < f->log.end)
            return err_set(m, ERR_RANGE, "its own log ends at offset %" PRIu64 ", before %" PRIu64,
                           message->heartbeat->end, f->log.end);
        return ERR_OK;
    default: return ERR_OK;
    }
}

static enum err begin_base(struct fetch *f, const Relevo__SnapshotBegin *begin, struct errmsg *m)
{
    if (f->going) return err_set(m, ERR_DIVERGED, "it begins a second snapshot");
    f->going = true;
    f->base.size = begin->size;
    f->base.got->position = (struct position){.epoch = begin->epoch, .offset = begin->offset, .crc = begin->crc};
    return ERR_OK;
}

static enum err take_piece(struct fetch *f, uint64_t at, struct span bytes, struct errmsg *m)
{
    if (!f->going || at != f->base.at || bytes.n > f->base.size - at)
        return err_set(m, ERR_DIVERGED, "its snapshot has a gap at byte %" PRIu64, at);
    f->base.at += bytes.n;
    f->base.crc = batch_crc32c(f->base.crc, bytes.p, bytes.n);
    return f->to.take(f->to.context, bytes, m);
}

static enum err take_base_frame(struct fetch *f, const struct frame *frame, struct errmsg *m)
{
    const Relevo__Message *message = frame->message;
    switch (message->body_case) {
    case RELEVO__MESSAGE__BODY_SNAPSHOT_BEGIN: return begin_base(f, message->snapshot_begin, m);
    case RELEVO__MESSAGE__BODY_SNAPSHOT_PIECE: return take_piece(f, message->snapshot_piece->at, frame->payload, m);
    case RELEVO__MESSAGE__BODY_SNAPSHOT_END:
        if (!f->going || f->base.at != f->base.size || f->base.crc != message->snapshot_end->crc)
            return err_set(m, ERR_CORRUPT, "its snapshot did not arrive whole");
        f->done = true;
        return ERR_OK;
    default: return ERR_OK;
    }
}

static enum err take_facts(const struct fetch *f, const Relevo__Facts *said, struct errmsg *m)
{
    struct facts facts = {0};
    enum err e = facts_read(said, &facts, m);
    if (!e && !lineage_is_set(&facts.history.lineage)) e = err_set(m, ERR_MISSING, "it has no data");
    if (!e) history_copy(f->kind == FETCH_BASE ? &f->base.got->history : f->epochs, &facts.history);
    if (!e && f->kind == FETCH_BASE) f->base.got->end = facts.end;
    facts_free(&facts);
    return e;
}

static enum err take_frame(struct fetch *f, const struct frame *frame, struct errmsg *m)
{
    const Relevo__Message *message = frame->message;
    if (message->body_case == RELEVO__MESSAGE__BODY_HEARTBEAT) say_ack(f, message->heartbeat->time_ms);
    if (message->body_case == RELEVO__MESSAGE__BODY_REFUSE && f->kind == FETCH_EPOCHS) {
        f->done = true;
        return take_facts(f, message->refuse->facts, m);
    }
    if (message->body_case == RELEVO__MESSAGE__BODY_REFUSE)
        return err_set(m, ERR_DIVERGED, "it refuses: %.200s", message->refuse->text ? message->refuse->text : "");
    if (message->body_case == RELEVO__MESSAGE__BODY_WELCOME)
        return f->kind == FETCH_BASE ? take_facts(f, message->welcome->facts, m) : ERR_OK;
    switch (f->kind) {
    case FETCH_LOG: return take_log_frame(f, frame, m);
    case FETCH_BASE: return take_base_frame(f, frame, m);
    case FETCH_EPOCHS: break;
    }
    return err_set(m, ERR_DIVERGED, "it does not refuse what it cannot have");
}

static enum err take_input(struct fetch *f, struct span bytes, struct errmsg *m)
{
    struct cursor in = cursor_of(bytes);
    struct frame frame;
    while (!f->done) {
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

static enum err converse(struct fetch *f, struct errmsg *m)
{
    enum { ROOM = 64 << 10 };
    struct buf in = {0};
    enum err e = dial(f, m);
    if (!e) f->link = link_dial(f->o->keys, &f->own);
    while (!e && !f->done) {
        size_t got = 0;
        e = send_all(f, m);
        if (!e) e = receive(f, buf_room(&in, ROOM), ROOM, &got, m);
        if (!e) e = take_input(f, span_of(in.p, got), m);
    }
    buf_free(&in);
    return e;
}

/* Ask, under an id of this conversation's own. */
static enum err run(struct fetch *f, struct errmsg *m)
{
    const ssize_t got = getrandom(f->own.node_id, sizeof f->own.node_id, 0);
    if (got != (ssize_t)sizeof f->own.node_id) return err_errno(m, "getrandom");
    f->fd = -1;
    f->own.epoch = history_last(f->history) ? history_last(f->history)->number : 0;
    const enum err e = converse(f, m);
    link_free(f->link);
    if (f->fd >= 0) (void)close(f->fd);
    buf_free(&f->log.pending);
    return e ? err_wrap(m, e, "%s", f->o->name) : ERR_OK;
}

static enum err fetch_log(void *context, const struct history *history, struct batch_chain *chain, uint64_t end,
                          const struct fetch_sink *to, struct errmsg *m)
{
    struct fetch f = {.o = context,
                      .kind = FETCH_LOG,
                      .history = history,
                      .at = {.offset = chain->offset, .crc = chain->crc},
                      .to = *to,
                      .log = {.chain = chain, .end = end}};
    return chain->offset == end ? ERR_OK : run(&f, m);
}

static enum err fetch_base(void *context, const struct history *history, const struct position *at,
                           struct fetch_base *got, const struct fetch_sink *to, struct errmsg *m)
{
    struct fetch f = {
        .o = context, .kind = FETCH_BASE, .history = history, .at = *at, .to = *to, .base = {.got = got}};
    *got = (struct fetch_base){.end = 0};
    return run(&f, m);
}

static enum err fetch_epochs(void *context, struct history *history, struct errmsg *m)
{
    struct history stranger = {0};
    struct fetch f = {.o = context, .kind = FETCH_EPOCHS, .history = &stranger, .epochs = history};
    if (getrandom(stranger.lineage.bytes, sizeof stranger.lineage.bytes, 0) != sizeof stranger.lineage.bytes)
        return err_errno(m, "getrandom");
    enum err e = history_add(&stranger, &(struct epoch){.number = 1, .id = 1});
    if (!e) e = run(&f, m);
    history_free(&stranger);
    return e;
}

struct fetch_from fetch_from_node(const struct fetch_options *options)
{
    return (struct fetch_from){.name = options->name,
                               .context = (void *)(uintptr_t)options,
                               .log = fetch_log,
                               .base = fetch_base,
                               .epochs = fetch_epochs};
}
