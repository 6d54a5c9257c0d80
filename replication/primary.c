#include "replication/primary.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "replication/core.h"
#include "replication/frame.h"

enum {
    LOG_LONG = 64 << 20, /* a base with more log than this (and than its own size) behind it is not worth sending */
    DISK_PAUSE_MS = 5,   /* where the window has not what the log thread has not yet written */
};

static const struct fsm_state states[] = {
    [FOLLOWER_FREE] = {"free", TO(FOLLOWER_CHECKING) | TO(FOLLOWER_OPENING) | TO(FOLLOWER_STREAMING)},
    [FOLLOWER_CHECKING] = {"checking", TO(FOLLOWER_STREAMING) | TO(FOLLOWER_OPENING) | TO(FOLLOWER_FREE)},
    [FOLLOWER_OPENING] = {"opening", TO(FOLLOWER_WAITING) | TO(FOLLOWER_SENDING) | TO(FOLLOWER_FREE)},
    [FOLLOWER_WAITING] = {"waiting", TO(FOLLOWER_OPENING) | TO(FOLLOWER_FREE)},
    [FOLLOWER_SENDING] = {"sending", TO(FOLLOWER_LOADING) | TO(FOLLOWER_FREE)},
    [FOLLOWER_LOADING] = {"loading", TO(FOLLOWER_STREAMING) | TO(FOLLOWER_FREE)},
    [FOLLOWER_STREAMING] = {"streaming", TO(FOLLOWER_FREE)},
};

const char *follower_state_name(const struct follower *f) { return states[f->state].name; }

#define EACH_FOLLOWER(f, c)                                                                                \
    for (struct follower *f = (c)->primary.followers; f < (c)->primary.followers + PRIMARY_FOLLOWERS; f++) \
        if (f->state != FOLLOWER_FREE)

static void move(struct follower *f, enum follower_state to) { fsm_move(states, &f->state, to); }

static struct follower *find_conn(const struct core *c, uint32_t conn)
{
    EACH_FOLLOWER(f, (struct core *)(uintptr_t)c) if (f->conn == conn) return f;
    return NULL;
}

bool primary_owns(const struct core *c, uint32_t conn) { return conn && find_conn(c, conn); }

const struct follower *primary_find(const struct core *c, const struct node_id *id)
{
    EACH_FOLLOWER(f, (struct core *)(uintptr_t)c) if (node_id_eq(&f->peer.id, id)) return f;
    return NULL;
}

size_t primary_count_applied(const struct core *c, uint64_t offset)
{
    size_t n = 0;
    EACH_FOLLOWER(f, (struct core *)(uintptr_t)c) n += f->state == FOLLOWER_STREAMING && f->applied >= offset;
    return n;
}

static void unpin(struct core *c, struct follower *f)
{
    if (f->pinned) window_unpin(c->window, &f->pin);
    f->pinned = false;
}

/* The follower is gone; @why is NULL if its connection is closed already. */
static void forget(struct core *c, struct follower *f, const char *why)
{
    if (why) todo_close(c->todo, f->conn, "%s", why);
    todo_say(c->todo, false, "follower %s:%u left: %s", f->peer.host, f->peer.port, why ? why : "closed");
    unpin(c, f);
    bulletin_queue_free(&f->bulletins);
    move(f, FOLLOWER_FREE);
    *f = (struct follower){0};
    c->primary.acked = true;
}

void primary_free(struct primary *p)
{
    for (size_t i = 0; i < PRIMARY_FOLLOWERS; i++) bulletin_queue_free(&p->followers[i].bulletins);
}

void primary_close_all(struct core *c, const char *why) { EACH_FOLLOWER(f, c) forget(c, f, why); }

static struct todo_item *send(struct core *c, struct follower *f, const Relevo__Message *m, size_t payload)
{
    struct todo_item *i = todo_send(c->todo, f->conn, m);
    f->queued += frame_size(true, i->header.n, payload);
    return i;
}

/* ---- What follows the hello: continue, or a base ---- */

static void open_base(struct core *c, struct follower *f)
{
    move(f, FOLLOWER_OPENING);
    (void)todo_add(c->todo, TODO_BASE_OPEN, f->conn);
}

static void say_continue(struct core *c, struct follower *f)
{
    Relevo__Continue body = RELEVO__CONTINUE__INIT;
    Relevo__Message m = core_message(c);
    body.offset = f->next;
    m.body_case = RELEVO__MESSAGE__BODY_CONTINUE;
    m.continue_ = &body;
    (void)send(c, f, &m, 0);
    c->primary.sync_partial_ok++;
    move(f, FOLLOWER_STREAMING);
    todo_say(c->todo, false, "follower %s:%u continues at offset %" PRIu64, f->peer.host, f->peer.port, f->next);
}

static void use_window(struct core *c, struct follower *f)
{
    const enum err e = window_pin(c->window, f->next, &f->pin);
    assert(e == ERR_OK);
    f->pinned = true;
    f->source = SOURCE_WINDOW;
}

static void open_log(struct core *c, struct follower *f, const uint32_t *crc, uint32_t seed)
{
    unpin(c, f);
    f->source = SOURCE_OPENING;
    struct todo_item *i = todo_add(c->todo, TODO_LOG_OPEN, f->conn);
    i->offset = f->next;
    i->check = crc != NULL;
    i->crc = crc ? *crc : 0;
    i->seed = seed;
}

/* Choose by what the follower says that it has. */
static void answer(struct core *c, struct follower *f, const struct facts *theirs, bool need_base)
{
    const enum history_relation relation = facts_compare(theirs, &c->self);
    struct batch_chain chain = {.offset = theirs->end, .crc = theirs->end_crc};
    const bool fits = !need_base && (relation == HISTORY_EQUAL || relation == HISTORY_BEHIND) &&
                      history_enter(&c->self.history, &chain);
    if (!fits) {
        c->primary.sync_partial_err += lineage_is_set(&theirs->history.lineage);
        open_base(c, f);
        return;
    }
    f->next = theirs->end;
    const uint32_t seed = batch_seed(&chain);
    enum err e = theirs->end == c->self.end ? (theirs->end_crc == c->self.end_crc ? ERR_OK : ERR_DIVERGED)
                                            : window_verify(c->window, theirs->end, theirs->end_crc, seed);
    if (e == ERR_OK) {
        use_window(c, f);
        say_continue(c, f);
    } else if (e == ERR_STALE) {
        move(f, FOLLOWER_CHECKING);
        open_log(c, f, &theirs->end_crc, seed);
    } else {
        c->primary.sync_partial_err++;
        todo_say(c->todo, true, "follower %s:%u: its log does not fit ours although the epochs agree", f->peer.host,
                 f->peer.port);
        open_base(c, f);
    }
}

/* The same node id twice: its own new connection replaces the old one, another process's does not. */
static bool make_way(struct core *c, const struct facts *theirs)
{
    EACH_FOLLOWER(f, c)
    {
        if (!node_id_eq(&f->peer.id, &theirs->id)) continue;
        if (f->boot != theirs->boot && c->now_ms - f->heard_ms < 3 * (int64_t)c->set.heartbeat_ms) return false;
        forget(c, f, "replaced by a new connection of the same node");
    }
    return true;
}

/* Its log is ahead of ours, and by our epochs that is where ours is going: it only has to wait for us. */
static bool only_ahead(const struct core *c, const struct facts *theirs)
{
    uint64_t parting;
    return facts_compare(theirs, &c->self) == HISTORY_AHEAD &&
           history_compare(&theirs->history, theirs->end, &c->self.history, UINT64_MAX, &parting) == HISTORY_BEHIND;
}

struct refusal {
    Relevo__Reason reason;
    const char *text;
};

static struct refusal no_refusal(void) { return (struct refusal){RELEVO__REASON__REASON_UNKNOWN, NULL}; }

/* Why a node that says @theirs cannot follow us now. */
static struct refusal objection(struct core *c, const struct facts *theirs, const Relevo__Hello *hello)
{
    const uint64_t ours = facts_epoch(&c->self);
    const bool other_lineage =
        lineage_is_set(&theirs->history.lineage) && !lineage_eq(&theirs->history.lineage, &c->self.history.lineage);
    if (node_id_eq(&theirs->id, &c->self.id))
        return (struct refusal){RELEVO__REASON__REASON_SAME_NODE, "your node id is mine: a copied directory?"};
    if (c->state == CORE_FENCED || c->state == CORE_STEPPING)
        return (struct refusal){RELEVO__REASON__REASON_FENCED, "I was superseded by a primary of a higher epoch"};
    if (!lineage_is_set(&c->self.history.lineage) || c->replica.loading || c->state == CORE_PROBING ||
        c->state == CORE_FETCHING)
        return (struct refusal){RELEVO__REASON__REASON_NOT_READY, "I am not ready yet"};
    /* Also while we are only about to: the two of us may have begun at the same time. */
    if (c->replica.conn && node_id_eq(&c->replica.target.id, &theirs->id))
        return (struct refusal){RELEVO__REASON__REASON_LOOP, "I follow you"};
    if (other_lineage && !hello->take_any)
        return (struct refusal){RELEVO__REASON__REASON_LINEAGE, "we hold data sets of different lineage"};
    if (!other_lineage && !hello->take_any && epoch_rank(facts_epoch(theirs)) > epoch_rank(ours))
        return (struct refusal){RELEVO__REASON__REASON_STALE_EPOCH, "your epoch is higher than mine"};
    if (!other_lineage && (!hello->take_any || replica_linked(&c->replica)) && only_ahead(c, theirs))
        return (struct refusal){RELEVO__REASON__REASON_NOT_READY, "your log is ahead of mine"};
    if (!make_way(c, theirs))
        return (struct refusal){RELEVO__REASON__REASON_SAME_NODE,
                                "a node of your id is connected: a copied directory?"};
    return no_refusal();
}

static void say_welcome(struct core *c, struct follower *f)
{
    struct facts_message facts;
    Relevo__Welcome body = RELEVO__WELCOME__INIT;
    Relevo__Message m = core_message(c);
    facts_write(&c->self, &facts);
    body.facts = &facts.facts;
    m.body_case = RELEVO__MESSAGE__BODY_WELCOME;
    m.welcome = &body;
    (void)send(c, f, &m, 0);
    facts_message_free(&facts);
}

static void tell_peers(struct core *c, struct follower *f)
{
    struct node_peer known[HERALD_PEERS];
    struct peers_message peers;
    Relevo__Peers body = RELEVO__PEERS__INIT;
    Relevo__Message m = core_message(c);
    peers_write(known, herald_list(c, known), &peers);
    body.n_peers = peers.n;
    body.peers = peers.pointers;
    m.body_case = RELEVO__MESSAGE__BODY_PEERS;
    m.peers = &body;
    (void)send(c, f, &m, 0);
    peers_message_free(&peers);
}

void primary_tell_peers(struct core *c) { EACH_FOLLOWER(f, c) tell_peers(c, f); }

static void admit(struct core *c, struct follower *f, uint32_t conn, const struct facts *theirs, const char *address)
{
    *f = (struct follower){.conn = conn, .boot = theirs->boot, .epoch = facts_epoch(theirs)};
    c->primary.met = true;
    f->peer.id = theirs->id;
    (void)snprintf(f->peer.host, sizeof f->peer.host, "%s", theirs->host[0] ? theirs->host : address);
    f->peer.port = theirs->port;
    f->heard_ms = c->now_ms;
    f->beat_ms = c->now_ms;
    f->had_data = lineage_is_set(&theirs->history.lineage);
}

void primary_hello(struct core *c, uint32_t conn, const struct node_id *claimed, const char *address,
                   const struct core_event *ev)
{
    const Relevo__Hello *hello = ev->message->hello;
    struct facts theirs = {0};
    struct errmsg m;
    if (facts_read(hello->facts, &theirs, &m) != ERR_OK || !node_id_eq(claimed, &theirs.id)) {
        core_refuse(c, conn, RELEVO__REASON__REASON_PROTOCOL, "what you say of yourself cannot be");
        facts_free(&theirs);
        return;
    }
    const struct refusal refusal = objection(c, &theirs, hello);
    struct follower *f = c->primary.followers;
    while (f < c->primary.followers + PRIMARY_FOLLOWERS && f->state != FOLLOWER_FREE) f++;
    if (refusal.text) {
        core_refuse(c, conn, refusal.reason, refusal.text);
    } else if (f == c->primary.followers + PRIMARY_FOLLOWERS) {
        core_refuse(c, conn, RELEVO__REASON__REASON_FULL, "I have no room for one more follower");
    } else {
        admit(c, f, conn, &theirs, address);
        say_welcome(c, f);
        answer(c, f, &theirs, hello->need_base);
        const bool news = herald_learn(c, &f->peer);
        if (news) (void)todo_add(c->todo, TODO_PEERS, 0);
        if (news) primary_tell_peers(c);
        if (!news) tell_peers(c, f);
        c->primary.acked = true;
    }
    facts_free(&theirs);
}

/* ---- The base ---- */

void primary_base_ready(struct core *c)
{
    c->primary.base_wanted = false;
    EACH_FOLLOWER(f, c) if (f->state == FOLLOWER_WAITING) open_base(c, f);
}

void primary_base_failed(struct core *c, const char *why)
{
    c->primary.base_wanted = false;
    EACH_FOLLOWER(f, c)
    {
        if (f->state != FOLLOWER_WAITING) continue;
        core_refuse(c, f->conn, RELEVO__REASON__REASON_NO_SNAPSHOT, why);
        forget(c, f, NULL);
    }
}

static void want_base(struct core *c, struct follower *f)
{
    if (f->fresh_base_asked) {
        core_refuse(c, f->conn, RELEVO__REASON__REASON_NO_SNAPSHOT,
                    "no snapshot could be made that the log continues");
        forget(c, f, NULL);
        return;
    }
    f->fresh_base_asked = true;
    move(f, FOLLOWER_WAITING);
    if (!c->primary.base_wanted) (void)todo_add(c->todo, TODO_BASE_WANT, 0);
    c->primary.base_wanted = true;
}

static void base_opened(struct core *c, struct follower *f, const struct core_event *ev)
{
    if (f->state != FOLLOWER_OPENING) return;
    const uint64_t behind = ev->error ? 0 : c->self.end - ev->position.offset;
    const bool too_long = behind > LOG_LONG && behind > ev->size;
    const bool ours = !ev->error && ev->position.offset <= c->self.end &&
                      (ev->position.epoch == 0 || history_find(&c->self.history, ev->position.epoch));
    if (!ours || (too_long && !f->fresh_base_asked)) {
        if (!ev->error) (void)todo_add(c->todo, TODO_LOG_CLOSE, f->conn);
        if (!ev->error) (void)todo_add(c->todo, TODO_BASE_CLOSE, f->conn);
        want_base(c, f);
        return;
    }
    Relevo__SnapshotBegin body = RELEVO__SNAPSHOT_BEGIN__INIT;
    Relevo__Message m = core_message(c);
    f->base = ev->position;
    f->base_size = ev->size;
    f->base_at = 0;
    f->base_crc = 0;
    body.id = core_random(c, UINT64_MAX);
    body.size = ev->size;
    body.epoch = f->base.epoch;
    body.offset = f->base.offset;
    body.crc = f->base.crc;
    m.body_case = RELEVO__MESSAGE__BODY_SNAPSHOT_BEGIN;
    m.snapshot_begin = &body;
    (void)send(c, f, &m, 0);
    c->primary.sync_full++;
    move(f, FOLLOWER_SENDING);
    todo_say(c->todo, false, "follower %s:%u is sent a snapshot of %" PRIu64 " bytes at offset %" PRIu64,
             f->peer.host, f->peer.port, f->base_size, f->base.offset);
}

static void end_base(struct core *c, struct follower *f)
{
    Relevo__SnapshotEnd body = RELEVO__SNAPSHOT_END__INIT;
    Relevo__Message m = core_message(c);
    body.crc = f->base_crc;
    m.body_case = RELEVO__MESSAGE__BODY_SNAPSHOT_END;
    m.snapshot_end = &body;
    (void)send(c, f, &m, 0);
    (void)todo_add(c->todo, TODO_BASE_CLOSE, f->conn);
    move(f, FOLLOWER_LOADING);
}

static void base_read(struct core *c, struct follower *f, const struct core_event *ev)
{
    f->reading = false;
    if (f->state != FOLLOWER_SENDING) return;
    if (ev->error || ev->payload.n == 0 || ev->payload.n > f->base_size - f->base_at) {
        forget(c, f, "the snapshot cannot be read to its end");
        return;
    }
    Relevo__SnapshotPiece body = RELEVO__SNAPSHOT_PIECE__INIT;
    Relevo__Message m = core_message(c);
    body.at = f->base_at;
    m.body_case = RELEVO__MESSAGE__BODY_SNAPSHOT_PIECE;
    m.snapshot_piece = &body;
    send(c, f, &m, ev->payload.n)->payload = ev->payload;
    f->base_crc = batch_crc32c(f->base_crc, ev->payload.p, ev->payload.n);
    f->base_at += ev->payload.n;
}

static void pump_base(struct core *c, struct follower *f)
{
    if (f->reading || f->queued >= c->set.queue_bytes) return;
    if (f->base_at == f->base_size) {
        end_base(c, f);
        return;
    }
    const uint64_t left = f->base_size - f->base_at;
    struct todo_item *i = todo_add(c->todo, TODO_BASE_READ, f->conn);
    i->offset = f->base_at;
    i->size = left < FRAME_PAYLOAD_MAX ? left : FRAME_PAYLOAD_MAX;
    f->reading = true;
}

/* The follower has loaded the base and wants the log from there. */
static void take_continue(struct core *c, struct follower *f, const Relevo__Continue *body)
{
    if (f->state != FOLLOWER_LOADING || body->offset != f->base.offset) {
        forget(c, f, "it asked for log out of turn");
        return;
    }
    f->next = body->offset;
    f->received = f->applied = body->offset;
    move(f, FOLLOWER_STREAMING);
    if (f->next >= window_begin(c->window)) {
        (void)todo_add(c->todo, TODO_LOG_CLOSE, f->conn);
        use_window(c, f);
    } else {
        open_log(c, f, NULL, 0);
    }
}

/* ---- The stream ---- */

static struct todo_item *send_log(struct core *c, struct follower *f, size_t n)
{
    Relevo__LogBytes body = RELEVO__LOG_BYTES__INIT;
    Relevo__Message m = core_message(c);
    body.offset = f->next;
    m.body_case = RELEVO__MESSAGE__BODY_LOG_BYTES;
    m.log_bytes = &body;
    f->next += n;
    f->bulletin_last = false;
    return send(c, f, &m, n);
}

/* Many small chunks make one piece: copy up to FRAME_PIECE_MIN bytes from @at on into the todo list's memory. */
static struct todo_text gather(struct core *c, uint64_t at)
{
    struct todo_text g = {c->todo->bytes.len, 0};
    while (g.n < FRAME_PIECE_MIN) {
        struct chunk *chunk;
        struct span bytes;
        if (window_read(c->window, at + g.n, FRAME_PIECE_MIN - g.n, &chunk, &bytes) != ERR_OK || !chunk) break;
        buf_add_span(&c->todo->bytes, bytes);
        g.n += bytes.n;
    }
    return g;
}

static void pump_window(struct core *c, struct follower *f)
{
    while (f->queued < c->set.queue_bytes && f->next < window_end(c->window)) {
        struct chunk *chunk;
        struct span bytes;
        if (window_read(c->window, f->next, FRAME_PAYLOAD_MAX, &chunk, &bytes) != ERR_OK) {
            open_log(c, f, NULL, 0);
            return;
        }
        if (bytes.n >= FRAME_PIECE_MIN || f->next + bytes.n == window_end(c->window)) {
            struct todo_item *i = send_log(c, f, bytes.n);
            i->payload = bytes;
            i->chunk = chunk_ref(chunk); /* the window may let go of it before it is sent */
        } else {
            const struct todo_text g = gather(c, f->next);
            send_log(c, f, g.n)->gathered = g;
        }
    }
    if (f->next >= window_begin(c->window)) window_pin_move(c->window, &f->pin, f->next);
}

static void log_opened(struct core *c, struct follower *f, enum err e)
{
    if (f->source != SOURCE_OPENING) return;
    f->source = e ? SOURCE_NONE : SOURCE_DISK;
    if (e == ERR_OK && f->state == FOLLOWER_CHECKING) {
        say_continue(c, f);
    } else if (e && f->state == FOLLOWER_CHECKING) {
        c->primary.sync_partial_err++;
        open_base(c, f);
    } else if (e) {
        forget(c, f, "the log that it needs is not there any more");
    }
}

static void log_read(struct core *c, struct follower *f, const struct core_event *ev)
{
    if (f->source != SOURCE_READING) return;
    f->source = SOURCE_DISK;
    if (ev->error) {
        forget(c, f, "the log that it needs cannot be read any more");
        return;
    }
    if (ev->payload.n) send_log(c, f, ev->payload.n)->payload = ev->payload;
    else f->disk_at_ms = c->now_ms + DISK_PAUSE_MS;
}

static void pump_disk(struct core *c, struct follower *f)
{
    if (f->queued >= c->set.queue_bytes) return;
    if (f->next >= window_begin(c->window)) {
        (void)todo_add(c->todo, TODO_LOG_CLOSE, f->conn);
        use_window(c, f);
        pump_window(c, f);
        return;
    }
    if (c->now_ms < f->disk_at_ms) return;
    struct todo_item *i = todo_add(c->todo, TODO_LOG_READ, f->conn);
    i->offset = f->next;
    i->size = FRAME_PAYLOAD_MAX;
    f->source = SOURCE_READING;
}

void primary_publish(struct core *c, struct bulletin *b)
{
    EACH_FOLLOWER(f, c)
    {
        if (f->state != FOLLOWER_STREAMING) continue;
        if (bulletin_queue_add(&f->bulletins, b)) c->primary.forwarded += b->count;
        else c->primary.unforwarded += b->count;
    }
}

static void send_bulletin(struct core *c, struct follower *f, const struct bulletin *b)
{
    Relevo__Publish body = RELEVO__PUBLISH__INIT;
    Relevo__Message m = core_message(c);
    const size_t at = f->bulletins.sent, left = b->bytes.len - at;
    const size_t n = left < FRAME_PAYLOAD_MAX ? left : FRAME_PAYLOAD_MAX;
    body.position = b->position;
    body.size = (uint32_t)b->bytes.len;
    body.at = (uint32_t)at;
    m.body_case = RELEVO__MESSAGE__BODY_PUBLISH;
    m.publish = &body;
    const struct todo_text copy = {c->todo->bytes.len, n};
    buf_add(&c->todo->bytes, b->bytes.p + at, n);
    send(c, f, &m, n)->gathered = copy;
    bulletin_queue_sent(&f->bulletins, n);
    f->bulletin_last = true;
}

/* What waits and whose place in the log is sent. With log to be sent as well the two take turns. */
static void pump_bulletins(struct core *c, struct follower *f)
{
    const struct bulletin *b;
    while ((b = bulletin_queue_first(&f->bulletins)) != NULL && b->position <= f->next) {
        const bool all_sent = f->next == c->self.end;
        if (f->queued >= c->set.queue_bytes + (all_sent ? 0 : FRAME_PAYLOAD_MAX)) return;
        if (f->bulletin_last && !all_sent) return;
        send_bulletin(c, f, b);
    }
}

static void send_heartbeat(struct core *c, struct follower *f)
{
    Relevo__Heartbeat body = RELEVO__HEARTBEAT__INIT;
    Relevo__Message m = core_message(c);
    body.end = c->self.end;
    body.committed = c->durable;
    body.durable = c->durable;
    body.time_ms = (uint64_t)c->now_ms;
    m.body_case = RELEVO__MESSAGE__BODY_HEARTBEAT;
    m.heartbeat = &body;
    (void)send(c, f, &m, 0);
    f->beat_ms = c->now_ms;
}

void primary_tell_history(struct core *c)
{
    struct facts_message facts;
    Relevo__History body = RELEVO__HISTORY__INIT;
    Relevo__Message m = core_message(c);
    facts_write(&c->self, &facts);
    body.n_history = facts.facts.n_history;
    body.history = facts.facts.history;
    m.body_case = RELEVO__MESSAGE__BODY_HISTORY;
    m.history = &body;
    EACH_FOLLOWER(f, c)(void) send(c, f, &m, 0);
    facts_message_free(&facts);
}

static void take_ack(struct core *c, struct follower *f, const Relevo__Ack *body)
{
    if (body->received > c->self.end || body->applied > body->received) {
        forget(c, f, "it acknowledges what was never sent");
        return;
    }
    c->primary.acked |= body->received != f->received || body->applied != f->applied || body->durable != f->durable;
    f->received = body->received;
    f->applied = body->applied;
    f->durable = body->durable;
}

static void take_message(struct core *c, struct follower *f, const struct core_event *ev)
{
    f->heard_ms = c->now_ms;
    switch (ev->message->body_case) {
    case RELEVO__MESSAGE__BODY_ACK:
        if (f->state == FOLLOWER_STREAMING) take_ack(c, f, ev->message->ack);
        break;
    case RELEVO__MESSAGE__BODY_CONTINUE: take_continue(c, f, ev->message->continue_); break;
    default: forget(c, f, "it says what a follower does not say"); break;
    }
}

void primary_event(struct core *c, const struct core_event *ev)
{
    struct follower *f = find_conn(c, ev->conn);
    assert(f);
    switch (ev->kind) {
    case EVENT_MESSAGE: take_message(c, f, ev); break;
    case EVENT_QUEUE: f->queued = ev->size; break;
    case EVENT_CLOSED: forget(c, f, NULL); break;
    case EVENT_LOG_OPENED: log_opened(c, f, ev->error); break;
    case EVENT_LOG_READ: log_read(c, f, ev); break;
    case EVENT_BASE_OPENED: base_opened(c, f, ev); break;
    case EVENT_BASE_READ: base_read(c, f, ev); break;
    default: break;
    }
}

void primary_tick(struct core *c)
{
    EACH_FOLLOWER(f, c)
    {
        if (c->now_ms - f->heard_ms >= (int64_t)c->set.timeout_ms) {
            forget(c, f, "timed out: nothing was heard");
            continue;
        }
        if (c->now_ms - f->beat_ms >= (int64_t)c->set.heartbeat_ms) send_heartbeat(c, f);
        if (f->state == FOLLOWER_SENDING) pump_base(c, f);
        if (f->state == FOLLOWER_STREAMING && f->source == SOURCE_WINDOW) pump_window(c, f);
        if (f->state == FOLLOWER_STREAMING && f->source == SOURCE_DISK) pump_disk(c, f);
        if (f->state == FOLLOWER_STREAMING) pump_bulletins(c, f);
    }
    if (c->primary.acked) (void)todo_add(c->todo, TODO_ACKED, 0);
    c->primary.acked = false;
}

int64_t primary_deadline(const struct core *c)
{
    int64_t at = INT64_MAX;
    EACH_FOLLOWER(f, (struct core *)(uintptr_t)c)
    {
        const int64_t beat = f->beat_ms + c->set.heartbeat_ms, silence = f->heard_ms + c->set.timeout_ms;
        at = beat < at ? beat : at;
        at = silence < at ? silence : at;
        if (f->source == SOURCE_DISK && f->disk_at_ms > c->now_ms && f->disk_at_ms < at) at = f->disk_at_ms;
    }
    return at;
}
