#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/uv_node_impl.h"

enum { SWEEP_MS = 1000, ROUNDS = 16 };

static void work_off(struct node *n);
static void publish(struct node *n);

/* Give the core one event and do what it lists. */
static void step(struct node *n, const struct core_event *ev)
{
    if (n->stopping) return;
    assert(!n->stepping);
    n->stepping = true;
    core_step(n->core, node_now_ms(), ev, &n->todo);
    work_off(n);
    todo_reset(&n->todo);
    n->stepping = false;
    n->stepped = true;
}

/* ---- Files ---- */

static void on_source(void *ctx, uint32_t conn, const struct source_result *r)
{
    struct node *n = ctx;
    static const enum event_kind kinds[] = {
        [SOURCE_OPEN_LOG] = EVENT_LOG_OPENED,
        [SOURCE_READ_LOG] = EVENT_LOG_READ,
        [SOURCE_OPEN_BASE] = EVENT_BASE_OPENED,
        [SOURCE_READ_BASE] = EVENT_BASE_READ,
    };
    step(n, &(struct core_event){.kind = kinds[r->op],
                                 .conn = conn,
                                 .error = r->error,
                                 .payload = r->bytes,
                                 .size = r->size,
                                 .position = r->position});
}

static struct source *source_of(struct node *n, uint32_t conn)
{
    for (struct feed *f = n->feeds; f; f = f->next)
        if (f->conn == conn) return f->source;
    struct feed *f = MEM_NEW(struct feed);
    f->conn = conn;
    f->source = source_new(&n->loop, n->log, conn, on_source, n);
    f->next = n->feeds;
    n->feeds = f;
    return f->source;
}

static void drop_source(struct node *n, uint32_t conn)
{
    for (struct feed **at = &n->feeds; *at; at = &(*at)->next) {
        struct feed *f = *at;
        if (f->conn != conn) continue;
        *at = f->next;
        source_free(f->source);
        mem_free(f);
        return;
    }
}

static void drop_store(struct node *n)
{
    store_free(n->store);
    n->store = NULL;
}

static void on_stored(void *ctx, enum err e, const char *why)
{
    step(ctx, &(struct core_event){.kind = EVENT_SNAPSHOT_STORED, .error = e, .text = why});
}

static void on_store_full(void *ctx, bool full)
{
    struct node *n = ctx;
    struct conn *c = conn_find(&n->conns, n->core->replica.conn);
    if (c) conn_pause(c, CONN_PAUSE_DISK, full);
}

/* ---- What is to be done, for the main thread ---- */

static struct letter *mail_peer(enum letter_kind kind, const struct node_peer *peer)
{
    struct letter *l = letter_new(kind);
    l->peer = *peer;
    return l;
}

static void mail_snapshot(struct node *n)
{
    const struct replica *r = &n->core->replica;
    struct letter *l = letter_new(LETTER_SNAPSHOT);
    letter_set_text(l, store_keep(n->store));
    l->position = r->base;
    l->flag = r->salvage;
    history_copy(&l->facts.history, &r->upstream.history);
    drop_store(n);
    mail_put(&n->to_main, l);
}

static void mail_peers(struct node *n)
{
    struct node_peer known[HERALD_PEERS];
    struct letter *l = letter_new(LETTER_PEERS);
    l->peer_count = herald_list(n->core, known);
    l->peers = mem_dup(known, l->peer_count * sizeof *known);
    mail_put(&n->to_main, l);
}

/* A main thread that is busy does not let what was published fill the memory meanwhile. */
static bool has_room_for(struct node *n, const struct bulletin *b)
{
    if (atomic_load(&n->bulletins_waiting) > BULLETIN_QUEUE_MAX) {
        n->bulletins_lost += b->count;
        return false;
    }
    atomic_fetch_add(&n->bulletins_waiting, b->bytes.len);
    return true;
}

static void for_main(struct node *n, struct todo_item *i)
{
    const struct superior *superior = &n->core->superior;
    struct letter *l = NULL;
    switch (i->kind) {
    case TODO_CHUNK:
        l = letter_new(LETTER_RECEIVED);
        l->chunk = i->chunk;
        i->chunk = NULL;
        break;
    case TODO_HISTORY:
        l = letter_new(LETTER_HISTORY);
        history_copy(&l->facts.history, &n->core->self.history);
        break;
    case TODO_BASE_WANT: l = letter_new(LETTER_BASE_WANT); break;
    case TODO_CONFIRMED:
        l = letter_new(LETTER_CONFIRMED);
        l->flag = i->check;
        break;
    case TODO_STEP_DOWN:
        l = mail_peer(LETTER_STEP_DOWN, &superior->peer);
        l->number = facts_epoch(&superior->facts);
        break;
    case TODO_FOLLOWING: l = mail_peer(LETTER_FOLLOWING, &n->core->replica.target); break;
    case TODO_FENCED:
        l = mail_peer(LETTER_FENCED, &superior->peer);
        letter_set_text(l, todo_string(&n->todo, i));
        break;
    case TODO_SAY:
        l = letter_new(LETTER_LOG);
        l->flag = i->check;
        letter_set_text(l, todo_string(&n->todo, i));
        break;
    case TODO_ACKED: n->acked = true; return;
    case TODO_PUBLISHED:
        if (!has_room_for(n, i->bulletin)) return;
        l = letter_new(LETTER_PUBLISHED);
        l->bulletin = i->bulletin;
        i->bulletin = NULL;
        break;
    default: assert(false && "not for the main thread"); return;
    }
    l->word = n->words_heard;
    mail_put(&n->to_main, l);
}

/* ---- What is to be done here ---- */

static void for_conn(struct node *n, const struct todo_item *i)
{
    struct conn *c = i->kind == TODO_DIAL ? NULL : conn_find(&n->conns, i->conn);
    switch (i->kind) {
    case TODO_DIAL: conn_dial(&n->conns, i->conn, todo_string(&n->todo, i), i->port); break;
    case TODO_SEND:
        if (c) conn_send(c, todo_header(&n->todo, i), todo_payload(&n->todo, i));
        break;
    case TODO_CLOSE:
        drop_source(n, i->conn);
        if (c) conn_close(c, node_now_ms());
        break;
    case TODO_PAUSE:
    case TODO_RESUME:
        if (c) conn_pause(c, CONN_PAUSE_APPLY, i->kind == TODO_PAUSE);
        break;
    default: assert(false && "not for a connection"); break;
    }
}

static void for_files(struct node *n, const struct todo_item *i)
{
    switch (i->kind) {
    case TODO_LOG_OPEN: source_open_log(source_of(n, i->conn), i->offset, i->check, i->crc, i->seed); break;
    case TODO_LOG_READ: source_read_log(source_of(n, i->conn), (size_t)i->size); break;
    case TODO_LOG_CLOSE: source_close_log(source_of(n, i->conn)); break;
    case TODO_BASE_OPEN: source_open_base(source_of(n, i->conn)); break;
    case TODO_BASE_READ: source_read_base(source_of(n, i->conn), i->offset, (size_t)i->size); break;
    case TODO_BASE_CLOSE: source_close_base(source_of(n, i->conn)); break;
    case TODO_SNAPSHOT_CREATE:
        drop_store(n);
        n->store = store_new(&n->loop, n->dir, ++n->stores, on_stored, on_store_full, n);
        break;
    case TODO_SNAPSHOT_WRITE: store_write(n->store, i->payload); break;
    case TODO_SNAPSHOT_FINISH: store_finish(n->store); break;
    case TODO_SNAPSHOT_DROP: drop_store(n); break;
    case TODO_SNAPSHOT_LOAD: mail_snapshot(n); break;
    default: assert(false && "not for files"); break;
    }
}

static void work_off(struct node *n)
{
    for (size_t at = 0; at < n->todo.count; at++) {
        struct todo_item *i = &n->todo.items[at];
        if (i->kind <= TODO_RESUME) for_conn(n, i);
        else if (i->kind == TODO_BASE_WANT || i->kind == TODO_CHUNK || i->kind == TODO_HISTORY ||
                 (i->kind >= TODO_CONFIRMED && i->kind != TODO_PEERS))
            for_main(n, i);
        else if (i->kind == TODO_PEERS) mail_peers(n);
        else for_files(n, i);
    }
}

/* ---- Connections ---- */

static void on_opened(void *ctx, struct conn *c, uint32_t id, const struct seal_claim *peer, const char *address)
{
    (void)c;
    struct node *n = ctx;
    struct core_event ev = {.kind = EVENT_ADVANCE};
    if (mail_take_advance(&n->to_link, &ev.position)) step(n, &ev); /* whoever comes finds our log where it is */
    ev = (struct core_event){.kind = EVENT_OPENED, .conn = id, .text = address};
    memcpy(ev.peer_id.bytes, peer->node_id, sizeof ev.peer_id.bytes);
    step(ctx, &ev);
}

static void on_frame(void *ctx, struct conn *c, uint32_t id, const struct frame *f)
{
    (void)c;
    step(ctx, &(struct core_event){.kind = EVENT_MESSAGE, .conn = id, .message = f->message, .payload = f->payload});
}

static void on_queue(void *ctx, uint32_t id, size_t bytes)
{
    step(ctx, &(struct core_event){.kind = EVENT_QUEUE, .conn = id, .size = bytes});
}

static void on_conn_closed(void *ctx, uint32_t id, const char *why)
{
    struct node *n = ctx;
    drop_source(n, id);
    step(n, &(struct core_event){.kind = EVENT_CLOSED, .conn = id, .text = why});
}

static const struct conn_events conn_events = {on_opened, on_frame, on_queue, on_conn_closed};

/* ---- Mail from the main thread ---- */

static void on_all_closed(void *ctx);

static void stop(struct node *n)
{
    n->stopping = true;
    while (n->feeds) drop_source(n, n->feeds->conn);
    drop_store(n);
    n->conns.emptied = on_all_closed;
    conns_close_all(&n->conns);
}

static void unfollow(struct node *n)
{
    step(n, &(struct core_event){.kind = EVENT_UNFOLLOW});
    publish(n); /* node_next_epoch() goes by it */
    uv_mutex_lock(&n->mutex);
    n->unfollow_done = true;
    uv_cond_signal(&n->unfollowed);
    uv_mutex_unlock(&n->mutex);
}

static void adopt(struct node *n, struct letter *l)
{
    n->conns.own.epoch = n->core->epoch_seen;
    const int fd = l->fd;
    l->fd = -1; /* the connection's from here on */
    conn_adopt(&n->conns, core_visitor(n->core), fd, buf_span(&l->bytes), node_now_ms());
}

static void read_letter(struct node *n, struct letter *l)
{
    struct core_event ev = {.flag = l->flag, .facts = &l->facts, .chunk = l->chunk};
    switch (l->kind) {
    case LETTER_FOLLOW:
        ev.kind = EVENT_FOLLOW;
        n->words_heard = l->word;
        ev.text = l->peer.host;
        ev.port = l->peer.port;
        break;
    case LETTER_PROMOTED: ev.kind = EVENT_PROMOTED; break;
    case LETTER_SUBMIT: ev.kind = EVENT_SUBMIT; break;
    case LETTER_PUBLISH:
        ev.kind = EVENT_PUBLISH;
        ev.bulletin = l->bulletin;
        break;
    case LETTER_ADVANCE:
        ev.kind = EVENT_ADVANCE;
        ev.position = l->position;
        break;
    case LETTER_LOADED: ev.kind = EVENT_LOADED; break;
    case LETTER_BASE_READY: ev.kind = EVENT_BASE_READY; break;
    case LETTER_BASE_FAILED:
        ev.kind = EVENT_BASE_FAILED;
        ev.text = l->bytes.p;
        break;
    case LETTER_STEPPED_DOWN: ev.kind = EVENT_STEPPED_DOWN; break;
    case LETTER_UNFOLLOW: unfollow(n); return;
    case LETTER_ADOPT: adopt(n, l); return;
    case LETTER_STOP: stop(n); return;
    default: assert(false && "a letter to the main thread came to the link thread"); return;
    }
    step(n, &ev);
}

static void on_link_mail(uv_async_t *wake)
{
    struct node *n = wake->data;
    for (struct letter *l = mail_take(&n->to_link), *next; l; l = next) {
        next = l->next;
        if (!n->stopping) read_letter(n, l);
        letter_free(l);
    }
}

/* What the main and log threads have done since. */
static void look_at_progress(struct node *n)
{
    const struct core_event ev = {
        .kind = EVENT_PROGRESS, .applied = atomic_load(&n->applied), .durable = atomic_load(&n->durable)};
    if (ev.applied > n->core->applied || ev.durable > n->core->durable) step(n, &ev);
}

/* ---- Turns of the loop ---- */

static void follower_status(const struct core *c, const struct follower *f, struct node_follower_status *to)
{
    static const char *const words[] = {
        [FOLLOWER_FREE] = "wait_bgsave",    [FOLLOWER_CHECKING] = "wait_bgsave", [FOLLOWER_OPENING] = "wait_bgsave",
        [FOLLOWER_WAITING] = "wait_bgsave", [FOLLOWER_SENDING] = "send_bulk",    [FOLLOWER_LOADING] = "send_bulk",
        [FOLLOWER_STREAMING] = "online",
    };
    memcpy(to->host, f->peer.host, sizeof to->host);
    to->port = f->peer.port;
    to->id = f->peer.id;
    to->state = words[f->state];
    to->acked = f->received;
    to->applied = f->applied;
    to->durable = f->durable;
    to->lag_bytes = c->self.end > f->applied ? c->self.end - f->applied : 0;
    to->last_ack_ms = (uint64_t)(node_now_ms() - f->heard_ms);
}

static void replica_status(const struct core *c, struct node_status *s)
{
    static const char *const words[] = {
        [REPLICA_IDLE] = "connect",       [REPLICA_WAITING] = "connect",     [REPLICA_DIALING] = "connecting",
        [REPLICA_JOINING] = "connecting", [REPLICA_RECEIVING] = "sync",      [REPLICA_STORING] = "sync",
        [REPLICA_LOADING] = "sync",       [REPLICA_STREAMING] = "connected",
    };
    const struct replica *r = &c->replica;
    const int64_t now = node_now_ms();
    memcpy(s->primary_host, r->target.host, sizeof s->primary_host);
    s->primary_port = r->target.port;
    s->link_state = replica_state_name(r);
    s->role_state = words[r->state];
    s->link_up = replica_linked(r);
    memcpy(s->link_error, r->error, sizeof s->link_error);
    s->last_io_ms = r->heard_ms ? (uint64_t)(now - r->heard_ms) : 0;
    s->down_ms = s->link_up || !r->down_since_ms ? 0 : (uint64_t)(now - r->down_since_ms);
    s->primary_end = r->primary_end;
    const bool receiving = r->state == REPLICA_RECEIVING;
    s->sync_total_bytes = receiving ? r->base_size : 0;
    s->sync_left_bytes = receiving ? r->base_size - r->base_got : 0;
}

static void publish(struct node *n)
{
    const struct core *c = n->core;
    uv_mutex_lock(&n->mutex);
    struct node_status *s = &n->status;
    s->role = core_role(c);
    s->epoch = c->epoch_seen;
    s->confirmed = c->state == CORE_PRIMARY;
    s->end = c->self.end;
    replica_status(c, s);
    s->follower_count = 0;
    bool followed = false;
    for (size_t i = 0; i < PRIMARY_FOLLOWERS; i++) {
        if (c->primary.followers[i].state == FOLLOWER_FREE) continue;
        followed |= c->primary.followers[i].state == FOLLOWER_STREAMING;
        follower_status(c, &c->primary.followers[i], &s->followers[s->follower_count++]);
    }
    s->forwarded = c->primary.forwarded;
    s->unforwarded = c->primary.unforwarded + n->bulletins_lost;
    s->sync_full = c->primary.sync_full;
    s->sync_partial_ok = c->primary.sync_partial_ok;
    s->sync_partial_err = c->primary.sync_partial_err;
    s->bytes_in = n->conns.bytes_in;
    s->bytes_out = n->conns.bytes_out;
    s->window_begin = window_begin(c->window);
    s->window_end = window_end(c->window);
    s->window_bytes = window_memory(c->window);
    s->refused_handshakes = n->conns.refused_handshakes;
    n->status_at_ms = node_now_ms();
    uv_mutex_unlock(&n->mutex);
    atomic_store(&n->alone, core_is_alone(c));
    atomic_store(&n->followed, followed);
}

static void on_timer(uv_timer_t *timer) { (void)timer; /* the turn's end does the rest */ }

static void set_timer(struct node *n, bool again)
{
    const int64_t now = node_now_ms(), due = again ? now : core_deadline(n->core);
    if (due == n->due_ms && uv_is_active((uv_handle_t *)&n->timer)) return;
    n->due_ms = due;
    uv_update_time(&n->loop);
    if (due == INT64_MAX) (void)uv_timer_stop(&n->timer);
    else (void)uv_timer_start(&n->timer, on_timer, due > now ? (uint64_t)(due - now) : 0, 0);
}

/* The end of a turn: timers, acknowledgements, and as much log as the network takes. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct node *n = prepare->data;
    if (n->stopping) return;
    look_at_progress(n);
    bool more = conns_flush(&n->conns);
    if (n->stepped || node_now_ms() >= n->due_ms) {
        more = true;
        for (unsigned round = 0; more && round < ROUNDS; round++) {
            step(n, &(struct core_event){.kind = EVENT_TICK});
            more = conns_flush(&n->conns);
        }
        n->stepped = false;
        publish(n);
        /* Told only after it is published, and only if the main thread counts: else each acknowledgement would wake it. */
        if (n->acked && atomic_exchange(&n->acks_wanted, false)) mail_put(&n->to_main, letter_new(LETTER_ACKED));
        n->acked = false;
    }
    set_timer(n, more);
}

static void on_sweep(uv_timer_t *timer)
{
    struct node *n = timer->data;
    conns_sweep(&n->conns, node_now_ms());
    n->stepped = true; /* the status ages */
}

/* ---- Life ---- */

enum err node_thread_init(struct node *n, const struct node_options *o, struct errmsg *m)
{
    int r = uv_loop_init(&n->loop);
    if (r < 0) return err_set(m, ERR_IO, "cannot make an event loop: %s", uv_strerror(r));
    const enum err e = mail_init(&n->to_link, &n->loop, on_link_mail, n, m);
    if (e != ERR_OK) {
        (void)uv_loop_close(&n->loop);
        return e;
    }
    (void)uv_mutex_init(&n->mutex);
    (void)uv_cond_init(&n->unfollowed);
    (void)uv_prepare_init(&n->loop, &n->prepare);
    (void)uv_timer_init(&n->loop, &n->timer);
    (void)uv_timer_init(&n->loop, &n->sweep);
    n->prepare.data = n->timer.data = n->sweep.data = n;
    n->conns.loop = &n->loop;
    n->conns.events = &conn_events;
    n->conns.ctx = n;
    n->conns.read_buffer = mem_alloc(CONN_READ);
    memcpy(n->conns.own.node_id, log_node(o->log)->bytes, sizeof n->conns.own.node_id);
    return ERR_OK;
}

/* Every connection is gone: now the rest of the loop. */
static void on_all_closed(void *ctx)
{
    struct node *n = ctx;
    n->conns.emptied = NULL;
    uv_close((uv_handle_t *)&n->prepare, NULL);
    uv_close((uv_handle_t *)&n->timer, NULL);
    uv_close((uv_handle_t *)&n->sweep, NULL);
    mail_close(&n->to_link, NULL);
}

void node_thread_run(void *node)
{
    struct node *n = node;
    (void)uv_prepare_start(&n->prepare, on_prepare);
    (void)uv_timer_start(&n->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    publish(n);
    (void)uv_run(&n->loop, UV_RUN_DEFAULT);
    const int r = uv_loop_close(&n->loop);
    assert(r == 0);
    todo_free(&n->todo);
    core_free(n->core);
    seal_keys_free(n->conns.keys);
    mem_free(n->conns.read_buffer);
    uv_mutex_destroy(&n->to_link.mutex);
}
