#include "replication/replica.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "replication/core.h"

static const struct fsm_state states[] = {
    [REPLICA_IDLE] = {"idle", TO(REPLICA_DIALING) | TO(REPLICA_LOADING)},
    [REPLICA_WAITING] = {"waiting", TO(REPLICA_DIALING) | TO(REPLICA_IDLE)},
    [REPLICA_DIALING] = {"dialing", TO(REPLICA_JOINING) | TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
    [REPLICA_JOINING] = {"joining",
                         TO(REPLICA_RECEIVING) | TO(REPLICA_STREAMING) | TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
    [REPLICA_RECEIVING] = {"receiving", TO(REPLICA_STORING) | TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
    [REPLICA_STORING] = {"storing", TO(REPLICA_LOADING) | TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
    [REPLICA_LOADING] = {"loading", TO(REPLICA_STREAMING) | TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
    [REPLICA_STREAMING] = {"streaming", TO(REPLICA_WAITING) | TO(REPLICA_IDLE)},
};

const char *replica_state_name(const struct replica *r) { return states[r->state].name; }

bool replica_linked(const struct replica *r) { return r->state == REPLICA_STREAMING; }

bool replica_owns(const struct core *c, uint32_t conn) { return conn && conn == c->replica.conn; }

void replica_free(struct replica *r)
{
    facts_free(&r->upstream);
    assembler_free(r->assembler);
    buf_free(&r->bulletin);
}

/* The one place where the state moves. */
static void move(struct core *c, enum replica_state to)
{
    struct replica *r = &c->replica;
    if (r->state == REPLICA_STREAMING) r->down_since_ms = c->now_ms;
    fsm_move(states, &r->state, to);
    if (to == REPLICA_STREAMING) {
        r->error[0] = '\0';
        r->tries = 0;
    }
    assert(to == REPLICA_IDLE || to == REPLICA_WAITING || to == REPLICA_LOADING || r->conn);
}

/* Give up the connection and what came over it; a snapshot that is being loaded goes on without it. */
static void drop(struct core *c, const char *why)
{
    struct replica *r = &c->replica;
    if (r->conn) todo_close(c->todo, r->conn, "%s", why);
    if (r->state == REPLICA_RECEIVING || r->state == REPLICA_STORING) (void)todo_add(c->todo, TODO_SNAPSHOT_DROP, 0);
    r->conn = 0;
    r->paused = false;
    r->ack_due = false;
    assembler_free(r->assembler);
    r->assembler = NULL;
    buf_free(&r->bulletin);
}

static void dial(struct core *c)
{
    struct replica *r = &c->replica;
    r->conn = ++c->last_conn;
    r->heard_ms = c->now_ms;
    r->acked_ms = c->now_ms;
    move(c, REPLICA_DIALING);
    struct todo_item *i = todo_add(c->todo, TODO_DIAL, r->conn);
    i->port = r->target.port;
    todo_set_text(c->todo, i, span_str(r->target.host));
}

/* The link failed: say why, and dial again after a pause. */
static void fail(struct core *c, const char *why)
{
    struct replica *r = &c->replica;
    if (strcmp(r->error, why) != 0) todo_say(c->todo, true, "link to %s:%u: %s", r->target.host, r->target.port, why);
    (void)snprintf(r->error, sizeof r->error, "%s", why);
    drop(c, why);
    r->retry_at_ms = core_retry_at(c, r->tries++);
    if (r->state != REPLICA_LOADING) move(c, REPLICA_WAITING);
}

static void fail_err(struct core *c, const struct errmsg *m) { fail(c, m->text); }

void replica_follow(struct core *c, const char *host, uint16_t port, bool take_any)
{
    struct replica *r = &c->replica;
    replica_unfollow(c);
    (void)snprintf(r->target.host, sizeof r->target.host, "%s", host);
    r->target.port = port;
    r->target.id = (struct node_id){{0}};
    r->take_any = take_any;
    r->need_base = false;
    r->tries = 0;
    r->fetch_until = 0;
    r->error[0] = '\0';
    if (r->loading) move(c, REPLICA_LOADING);
    else dial(c);
}

void replica_unfollow(struct core *c)
{
    struct replica *r = &c->replica;
    if (r->state == REPLICA_IDLE) return;
    drop(c, "no longer followed");
    r->fetch_until = 0;
    move(c, REPLICA_IDLE);
}

static void say_hello(struct core *c)
{
    struct replica *r = &c->replica;
    struct facts_message facts;
    facts_write(&c->self, &facts);
    Relevo__Hello hello = RELEVO__HELLO__INIT;
    Relevo__Message m = core_message(c);
    hello.facts = &facts.facts;
    hello.take_any = r->take_any;
    hello.need_base = r->need_base;
    m.body_case = RELEVO__MESSAGE__BODY_HELLO;
    m.hello = &hello;
    (void)todo_send(c->todo, r->conn, &m);
    facts_message_free(&facts);
    move(c, REPLICA_JOINING);
}

static void send_continue(struct core *c)
{
    Relevo__Continue body = RELEVO__CONTINUE__INIT;
    Relevo__Message m = core_message(c);
    body.offset = c->self.end;
    m.body_case = RELEVO__MESSAGE__BODY_CONTINUE;
    m.continue_ = &body;
    (void)todo_send(c->todo, c->replica.conn, &m);
}

static void send_ack(struct core *c)
{
    struct replica *r = &c->replica;
    Relevo__Ack body = RELEVO__ACK__INIT;
    Relevo__Message m = core_message(c);
    body.received = c->self.end;
    body.applied = c->applied;
    body.durable = c->set.forgets ? 0 : c->durable;
    body.time_ms = r->primary_time_ms;
    m.body_case = RELEVO__MESSAGE__BODY_ACK;
    m.ack = &body;
    (void)todo_send(c->todo, r->conn, &m);
    r->ack_due = false;
    r->acked_ms = c->now_ms;
}

/* Why the node that says @up must not be followed, or NULL. */
static const char *objection(const struct core *c, const struct facts *up)
{
    const uint64_t ours = facts_epoch(&c->self), theirs = facts_epoch(up);
    const bool have_data = lineage_is_set(&c->self.history.lineage);
    if (node_id_eq(&up->id, &c->self.id)) return "it carries our own node id: a copied directory, or ourselves?";
    if (!lineage_is_set(&up->history.lineage)) return "it has no data set yet";
    if (!have_data || c->replica.take_any) return NULL;
    if (!lineage_eq(&up->history.lineage, &c->self.history.lineage))
        return "it holds another data set (lineage); only an operator's REPLICAOF command replaces ours";
    const enum history_relation relation = facts_compare(&c->self, up);
    if (c->replica.fetch_until && epoch_rank(theirs) > epoch_rank(ours)) return "it knows of a higher epoch";
    if (c->replica.fetch_until) return relation == HISTORY_BEHIND ? NULL : "it no longer holds what we lack";
    if (relation == HISTORY_EQUAL || relation == HISTORY_BEHIND)
        return epoch_rank(theirs) < epoch_rank(ours) ? "its epoch is over: ours is higher" : NULL;
    if (theirs < ours) return "its epoch is over: ours is higher";
    if (theirs == ours)
        return "it parted from us in the same epoch; only an operator's REPLICAOF command replaces our data";
    if (epoch_rank(theirs) == epoch_rank(ours) && up->end < c->self.end)
        return "its log is shorter than ours; only an operator's REPLICAOF command replaces our data";
    return NULL;
}

static void take_welcome(struct core *c, const Relevo__Welcome *w)
{
    struct replica *r = &c->replica;
    struct errmsg m;
    if (r->state != REPLICA_JOINING) {
        fail(c, "it greets twice");
        return;
    }
    if (facts_read(w->facts, &r->upstream, &m) != ERR_OK) {
        fail_err(c, &m);
        return;
    }
    if (!node_id_eq(&r->upstream.id, &r->target.id)) {
        fail(c, "it names itself differently in the handshake and behind it");
        return;
    }
    const char *why = objection(c, &r->upstream);
    if (why) {
        fail(c, why);
        return;
    }
    r->primary_end = r->upstream.end;
    if (herald_learn(c, &r->target)) (void)todo_add(c->todo, TODO_PEERS, 0);
}

/* The upstream's epochs are ours from here on. */
static void adopt_history(struct core *c)
{
    struct replica *r = &c->replica;
    /* Nothing new is not passed on: nodes that came to follow one another in a ring would tell it for ever. */
    if (history_equal(&c->self.history, &r->upstream.history)) return;
    history_copy(&c->self.history, &r->upstream.history);
    core_heard_epoch(c, NULL);
    (void)todo_add(c->todo, TODO_HISTORY, 0);
    primary_tell_history(c);
}

static void begin_streaming(struct core *c)
{
    struct replica *r = &c->replica;
    assembler_free(r->assembler);
    r->assembler = assembler_new(&c->self.history, c->self.end, c->self.end_crc, BATCH_MAX);
    r->need_base = false;
    r->take_any = false;
    r->ack_due = true;
    move(c, REPLICA_STREAMING);
}

static void take_continue(struct core *c, const Relevo__Continue *body)
{
    struct replica *r = &c->replica;
    const enum history_relation relation = facts_compare(&c->self, &r->upstream);
    if (r->state != REPLICA_JOINING || !r->upstream.history.count || body->offset != c->self.end ||
        (relation != HISTORY_EQUAL && relation != HISTORY_BEHIND)) {
        fail(c, "it would continue where our log does not end");
        return;
    }
    adopt_history(c);
    begin_streaming(c);
    todo_say(c->todo, false, "following %s:%u: continuing at offset %" PRIu64, r->target.host, r->target.port,
             c->self.end);
}

static void begin_snapshot(struct core *c, const Relevo__SnapshotBegin *body)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_JOINING || !r->upstream.history.count || r->fetch_until) {
        fail(c, "it sends a snapshot that was not asked for");
        return;
    }
    r->base = (struct position){body->epoch, body->offset, body->crc};
    r->base_size = body->size;
    r->base_got = 0;
    r->base_crc = 0;
    const enum history_relation relation = facts_compare(&c->self, &r->upstream);
    r->salvage = lineage_is_set(&c->self.history.lineage) && relation != HISTORY_BEHIND && relation != HISTORY_EQUAL;
    move(c, REPLICA_RECEIVING);
    todo_add(c->todo, TODO_SNAPSHOT_CREATE, r->conn)->size = body->size;
    todo_say(c->todo, r->salvage, "following %s:%u: receiving a snapshot of %" PRIu64 " bytes, offset %" PRIu64 "%s",
             r->target.host, r->target.port, body->size, body->offset,
             r->salvage ? "; what we hold parted from it and is kept aside" : "");
}

static void take_piece(struct core *c, const Relevo__SnapshotPiece *body, struct span payload)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_RECEIVING || body->at != r->base_got || payload.n > r->base_size - r->base_got) {
        fail(c, "a piece of the snapshot does not fit");
        return;
    }
    r->base_got += payload.n;
    r->base_crc = batch_crc32c(r->base_crc, payload.p, payload.n);
    struct todo_item *i = todo_add(c->todo, TODO_SNAPSHOT_WRITE, r->conn);
    i->offset = body->at;
    i->payload = payload;
}

static void end_snapshot(struct core *c, const Relevo__SnapshotEnd *body)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_RECEIVING || r->base_got != r->base_size || body->crc != r->base_crc) {
        fail(c, "the snapshot did not arrive as it was sent");
        return;
    }
    move(c, REPLICA_STORING);
    (void)todo_add(c->todo, TODO_SNAPSHOT_FINISH, r->conn);
}

static void snapshot_stored(struct core *c, const struct core_event *ev)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_STORING && !(r->state == REPLICA_RECEIVING && ev->error)) return;
    if (ev->error) {
        char why[256];
        (void)snprintf(why, sizeof why, "the snapshot cannot be stored: %s",
                       ev->text ? ev->text : err_text(ev->error));
        fail(c, why);
        return;
    }
    move(c, REPLICA_LOADING);
    r->loading = true;
    (void)todo_add(c->todo, TODO_SNAPSHOT_LOAD, 0);
}

/* The main thread has loaded the snapshot (then core_set_log() was done), or could not. */
static void loaded(struct core *c, bool ok)
{
    struct replica *r = &c->replica;
    r->loading = false;
    if (r->state != REPLICA_LOADING) return;
    if (!ok) {
        fail(c, "the snapshot could not be loaded");
        move(c, REPLICA_WAITING);
    } else if (!r->conn) {
        r->retry_at_ms = c->now_ms;
        move(c, REPLICA_WAITING);
    } else {
        send_continue(c);
        begin_streaming(c);
    }
}

static void take_chunks(struct core *c)
{
    struct replica *r = &c->replica;
    struct errmsg m;
    struct chunk *chunk;
    enum err e;
    while ((e = assembler_take(r->assembler, &chunk, &m)) == ERR_OK && chunk) {
        c->self.end = chunk_end(chunk);
        c->self.end_crc = chunk->crc;
        window_append(c->window, chunk_ref(chunk));
        todo_add(c->todo, TODO_CHUNK, 0)->chunk = chunk;
        r->ack_due = true;
    }
    if (e != ERR_OK) {
        r->need_base = true;
        fail_err(c, &m);
    } else if (!r->paused && c->self.end - c->applied > c->set.backlog_bytes) {
        r->paused = true;
        (void)todo_add(c->todo, TODO_PAUSE, r->conn);
    }
}

static void take_log(struct core *c, const Relevo__LogBytes *body, struct span payload)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_STREAMING || body->offset != assembler_received(r->assembler)) {
        fail(c, "a piece of the log does not fit");
        return;
    }
    assembler_feed(r->assembler, payload);
    take_chunks(c);
}

/* A bulletin, or a piece of one. The log that it follows was sent before it, and is with the main thread already. */
static void take_publish(struct core *c, const Relevo__Publish *body, struct span payload)
{
    struct replica *r = &c->replica;
    if (r->state != REPLICA_STREAMING || body->position > c->self.end || body->size > BULLETIN_MAX ||
        body->at != r->bulletin.len || payload.n > body->size - body->at) {
        fail(c, "a piece of what was published does not fit");
        return;
    }
    buf_add_span(&r->bulletin, payload);
    if (r->bulletin.len < body->size) return;
    struct bulletin *b = bulletin_take(&r->bulletin, body->position);
    if (!b) {
        fail(c, "what was published cannot be read");
        return;
    }
    primary_publish(c, b);
    todo_add(c->todo, TODO_PUBLISHED, 0)->bulletin = b;
}

static void take_history(struct core *c, const Relevo__History *body)
{
    struct replica *r = &c->replica;
    struct history h = {.lineage = r->upstream.history.lineage};
    uint64_t parting;
    if (r->fetch_until) {
        fail(c, "its epochs changed while it gave us what we lost");
        return;
    }
    if (r->state < REPLICA_RECEIVING || facts_read_history(body->history, body->n_history, &h) != ERR_OK ||
        h.count == 0) {
        history_free(&h);
        fail(c, "it tells of epochs that cannot be");
        return;
    }
    history_free(&r->upstream.history);
    r->upstream.history = h;
    if (r->state != REPLICA_STREAMING) return;
    const enum history_relation relation = history_compare(&c->self.history, c->self.end, &h, UINT64_MAX, &parting);
    if (relation != HISTORY_EQUAL && relation != HISTORY_BEHIND) {
        fail(c, "its log has parted from ours");
        return;
    }
    adopt_history(c);
    assembler_set_history(r->assembler, &h);
}

static void take_heartbeat(struct core *c, const Relevo__Heartbeat *body)
{
    struct replica *r = &c->replica;
    r->primary_end = body->end;
    r->primary_committed = body->committed;
    r->primary_time_ms = body->time_ms;
    if (r->state >= REPLICA_RECEIVING) r->ack_due = true;
}

/* We are refused. If whom we follow was superseded and says by whom, that is whom to ask. */
static void take_refusal(struct core *c, const Relevo__Refuse *body)
{
    struct replica *r = &c->replica;
    struct node_peer hint;
    char why[256];
    (void)snprintf(why, sizeof why, "refused: %s", body->text);
    const bool redirected = body->reason == RELEVO__REASON__REASON_FENCED && body->primary && !r->fetch_until &&
                            facts_read_peer(body->primary, &hint) && hint.port && hint.host[0] &&
                            !node_id_eq(&hint.id, &c->self.id);
    fail(c, why);
    if (!redirected || r->state != REPLICA_WAITING) return;
    r->target = hint;
    (void)todo_add(c->todo, TODO_FOLLOWING, 0);
}

static void take_peers(struct core *c, const Relevo__Peers *body)
{
    bool news = false;
    for (size_t i = 0; i < body->n_peers; i++) {
        struct node_peer p;
        if (facts_read_peer(body->peers[i], &p)) news |= herald_learn(c, &p);
    }
    if (news) (void)todo_add(c->todo, TODO_PEERS, 0);
}

static void take_message(struct core *c, const struct core_event *ev)
{
    const Relevo__Message *m = ev->message;
    c->replica.heard_ms = c->now_ms;
    switch (m->body_case) {
    case RELEVO__MESSAGE__BODY_WELCOME: take_welcome(c, m->welcome); break;
    case RELEVO__MESSAGE__BODY_CONTINUE: take_continue(c, m->continue_); break;
    case RELEVO__MESSAGE__BODY_SNAPSHOT_BEGIN: begin_snapshot(c, m->snapshot_begin); break;
    case RELEVO__MESSAGE__BODY_SNAPSHOT_PIECE: take_piece(c, m->snapshot_piece, ev->payload); break;
    case RELEVO__MESSAGE__BODY_SNAPSHOT_END: end_snapshot(c, m->snapshot_end); break;
    case RELEVO__MESSAGE__BODY_LOG_BYTES: take_log(c, m->log_bytes, ev->payload); break;
    case RELEVO__MESSAGE__BODY_PUBLISH: take_publish(c, m->publish, ev->payload); break;
    case RELEVO__MESSAGE__BODY_HISTORY: take_history(c, m->history); break;
    case RELEVO__MESSAGE__BODY_HEARTBEAT: take_heartbeat(c, m->heartbeat); break;
    case RELEVO__MESSAGE__BODY_PEERS: take_peers(c, m->peers); break;
    case RELEVO__MESSAGE__BODY_REFUSE: take_refusal(c, m->refuse); break;
    default: fail(c, "it says what only a follower says"); break;
    }
}

void replica_event(struct core *c, const struct core_event *ev)
{
    struct replica *r = &c->replica;
    switch (ev->kind) {
    case EVENT_OPENED:
        r->heard_ms = c->now_ms;
        r->target.id = ev->peer_id;
        say_hello(c);
        break;
    case EVENT_MESSAGE: take_message(c, ev); break;
    case EVENT_CLOSED:
        r->conn = 0;
        fail(c, ev->text && ev->text[0] ? ev->text : "closed by the other end");
        break;
    case EVENT_SNAPSHOT_STORED: snapshot_stored(c, ev); break;
    case EVENT_LOADED: loaded(c, ev->flag); break;
    default: break;
    }
}

static int64_t silence_ends(const struct core *c) { return c->replica.heard_ms + c->set.timeout_ms; }

void replica_tick(struct core *c)
{
    struct replica *r = &c->replica;
    if (r->state == REPLICA_WAITING && c->now_ms >= r->retry_at_ms) dial(c);
    if (r->conn && c->now_ms >= silence_ends(c)) {
        fail(c, r->state == REPLICA_DIALING ? "no connection in time" : "timed out: nothing was heard");
        return;
    }
    if (r->paused && c->self.end - c->applied <= c->set.backlog_bytes / 2) {
        r->paused = false;
        r->heard_ms = c->now_ms; /* its heartbeats waited behind the log */
        (void)todo_add(c->todo, TODO_RESUME, r->conn);
    }
    if (r->paused) r->heard_ms = c->now_ms;
    const bool beat = c->now_ms - r->acked_ms >= c->set.heartbeat_ms;
    if (r->conn && r->state >= REPLICA_RECEIVING && (r->ack_due || beat)) send_ack(c);
}

int64_t replica_deadline(const struct core *c)
{
    const struct replica *r = &c->replica;
    if (r->state == REPLICA_WAITING) return r->retry_at_ms;
    if (!r->conn) return INT64_MAX;
    const int64_t ack = r->state >= REPLICA_RECEIVING ? r->acked_ms + c->set.heartbeat_ms : INT64_MAX;
    const int64_t silence = silence_ends(c);
    return ack < silence ? ack : silence;
}
