#include "replication/uv_node.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/uv_node_impl.h"

int64_t node_now_ms(void) { return (int64_t)(uv_hrtime() / 1000000); }

void node_read_log(struct log *log, struct facts *f)
{
    struct batch_chain chain;
    log_chain(log, &chain);
    history_copy(&f->history, log_history(log));
    f->end = chain.offset;
    f->end_crc = chain.crc;
}

/* ---- Mail from the link thread ---- */

/* What was decided about roles before an operator's last word reached the link thread counts no more. */
static bool overtaken(const struct node *n, const struct letter *l)
{
    const bool about_roles = l->kind == LETTER_CONFIRMED || l->kind == LETTER_STEP_DOWN ||
                             l->kind == LETTER_FOLLOWING || l->kind == LETTER_FENCED;
    return about_roles && l->word != n->words;
}

static void deliver(struct node *n, struct letter *l)
{
    const struct node_callbacks *cb = &n->callbacks;
    if (overtaken(n, l)) return;
    switch (l->kind) {
    case LETTER_RECEIVED:
        cb->received(n->ctx, l->chunk);
        l->chunk = NULL;
        break;
    case LETTER_HISTORY: cb->history_changed(n->ctx, &l->facts.history); break;
    case LETTER_SNAPSHOT: cb->snapshot(n->ctx, l->bytes.p, &l->position, &l->facts.history, l->flag); break;
    case LETTER_BASE_WANT: cb->snapshot_wanted(n->ctx); break;
    case LETTER_CONFIRMED: cb->confirmed(n->ctx, l->flag); break;
    case LETTER_STEP_DOWN: cb->step_down(n->ctx, &l->peer, l->number); break;
    case LETTER_FOLLOWING: cb->following(n->ctx, &l->peer); break;
    case LETTER_FENCED: cb->fenced(n->ctx, &l->peer, l->bytes.p); break;
    case LETTER_PEERS: cb->peers_changed(n->ctx, l->peers, l->peer_count); break;
    case LETTER_ACKED: cb->acked(n->ctx); break;
    case LETTER_PUBLISHED:
        atomic_fetch_sub(&n->bulletins_waiting, l->bulletin->bytes.len);
        cb->published(n->ctx, l->bulletin);
        break;
    case LETTER_LOG: cb->log(n->ctx, l->flag, l->bytes.p); break;
    default: assert(false && "a letter to the link thread came to the main thread"); break;
    }
}

static void read_mail(struct node *n)
{
    for (struct letter *l = mail_take(&n->to_main), *next; l; l = next) {
        next = l->next;
        deliver(n, l);
        letter_free(l);
    }
}

static void on_main_mail(uv_async_t *wake) { read_mail(wake->data); }

/* ---- Start and stop ---- */

static void fill_facts(const struct node_options *o, struct facts *f)
{
    f->id = *log_node(o->log);
    randombytes_buf(&f->boot, sizeof f->boot);
    node_read_log(o->log, f);
    if (o->announce_host) (void)snprintf(f->host, sizeof f->host, "%s", o->announce_host);
    f->port = o->port;
}

static struct core *make_core(const struct node_options *o)
{
    const uint32_t timeout_ms = o->timeout_ms ? o->timeout_ms : 10000;
    struct core_settings set = {
        .heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : 1000,
        .timeout_ms = timeout_ms,
        .retry_min_ms = 100,
        .retry_max_ms = 5000,
        .probe_ms = 1000,
        .window_bytes = o->window_bytes,
        .backlog_bytes = o->backlog_bytes ? o->backlog_bytes : 64 << 20,
        .forgets = o->forgets,
        .queue_bytes = 512 << 10,
    };
    struct facts self = {0};
    randombytes_buf(&set.seed, sizeof set.seed);
    fill_facts(o, &self);
    struct core *c = core_new(&set, &self, o->peers, o->peer_count);
    facts_free(&self);
    return c;
}

static void first_letter(struct node *n, const struct node_options *o, const char *host, uint16_t port, bool take_any)
{
    struct letter *l = letter_new(host ? LETTER_FOLLOW : LETTER_PROMOTED);
    l->flag = host ? take_any : true;
    l->peer.port = port;
    if (host) (void)snprintf(l->peer.host, sizeof l->peer.host, "%s", host);
    else node_read_log(o->log, &l->facts);
    mail_put(&n->to_link, l);
}

static void on_main_closed(uv_handle_t *handle)
{
    struct node *n = handle->data;
    uv_mutex_destroy(&n->to_main.mutex);
    mem_free(n);
}

enum err node_start(uv_loop_t *main_loop, const struct node_options *o, const char *follow_host, uint16_t follow_port,
                    bool take_any, struct node **to, struct errmsg *m)
{
    struct node *n = MEM_NEW(struct node);
    n->callbacks = *o->callbacks;
    n->ctx = o->ctx;
    n->log = o->log;
    n->dir = mem_dup(o->dir, strlen(o->dir) + 1);
    enum err e = ERR_OK;
    n->conns.has_secret = o->secret_file != NULL;
    if (o->secret_file) e = seal_keys_load(o->secret_file, &n->conns.keys, m);
    else n->conns.keys = seal_keys_none();
    if (e == ERR_OK) e = node_thread_init(n, o, m);
    if (e != ERR_OK) {
        seal_keys_free(n->conns.keys);
        mem_free(n->dir);
        mem_free(n);
        return e;
    }
    store_clean(o->dir);
    n->core = make_core(o);
    n->conns.own.epoch = n->core->epoch_seen;
    atomic_store(&n->applied, n->core->self.end);
    e = mail_init(&n->to_main, main_loop, on_main_mail, n, m);
    assert(e == ERR_OK);
    first_letter(n, o, follow_host, follow_port, take_any);
    const int r = uv_thread_create(&n->thread, node_thread_run, n);
    assert(r == 0);
    *to = n;
    return ERR_OK;
}

void node_stop(struct node *n)
{
    if (!n) return;
    mail_put(&n->to_link, letter_new(LETTER_STOP));
    (void)uv_thread_join(&n->thread);
    mem_free(n->dir);
    uv_mutex_destroy(&n->mutex);
    uv_cond_destroy(&n->unfollowed);
    mail_close(&n->to_main, on_main_closed);
}

/* ---- What the main thread says ---- */

void node_adopt(struct node *n, int fd, struct span read)
{
    struct letter *l = letter_new(LETTER_ADOPT);
    l->fd = fd;
    buf_add_span(&l->bytes, read);
    mail_put(&n->to_link, l);
}

void node_follow(struct node *n, const char *host, uint16_t port, bool take_any)
{
    struct letter *l = letter_new(LETTER_FOLLOW);
    (void)snprintf(l->peer.host, sizeof l->peer.host, "%s", host);
    l->peer.port = port;
    l->flag = take_any;
    l->word = ++n->words;
    mail_put(&n->to_link, l);
}

void node_unfollow(struct node *n)
{
    n->unfollow_done = false;
    mail_put(&n->to_link, letter_new(LETTER_UNFOLLOW));
    uv_mutex_lock(&n->mutex);
    while (!n->unfollow_done) uv_cond_wait(&n->unfollowed, &n->mutex);
    uv_mutex_unlock(&n->mutex);
    read_mail(n);
}

uint64_t node_next_epoch(struct node *n)
{
    uv_mutex_lock(&n->mutex);
    const uint64_t next = epoch_next_rank(n->status.epoch);
    uv_mutex_unlock(&n->mutex);
    return next;
}

void node_promoted(struct node *n)
{
    struct letter *l = letter_new(LETTER_PROMOTED);
    node_read_log(n->log, &l->facts);
    mail_put(&n->to_link, l);
}

void node_submit(struct node *n, struct chunk *c)
{
    if (atomic_load(&n->alone)) {
        mail_advance(&n->to_link, &(struct position){.epoch = c->epoch, .offset = chunk_end(c), .crc = c->crc});
        return;
    }
    struct letter *l = letter_new(LETTER_SUBMIT);
    l->chunk = chunk_ref(c);
    mail_put(&n->to_link, l);
}

bool node_is_followed(const struct node *n) { return atomic_load(&n->followed); }

void node_publish(struct node *n, struct bulletin *b)
{
    struct letter *l = letter_new(LETTER_PUBLISH);
    l->bulletin = bulletin_ref(b);
    mail_put(&n->to_link, l);
}

void node_progress(struct node *n, uint64_t applied, uint64_t durable)
{
    const bool news = atomic_exchange(&n->applied, applied) != applied;
    const bool more = atomic_exchange(&n->durable, durable) != durable || news;
    if (more && !atomic_load(&n->alone)) mail_poke(&n->to_link);
}

void node_loaded(struct node *n, bool ok)
{
    struct letter *l = letter_new(LETTER_LOADED);
    l->flag = ok;
    if (ok) {
        node_read_log(n->log, &l->facts);
        atomic_store(&n->applied, l->facts.end);
        atomic_store(&n->durable, l->facts.end);
    }
    mail_put(&n->to_link, l);
}

void node_base_ready(struct node *n) { mail_put(&n->to_link, letter_new(LETTER_BASE_READY)); }

void node_base_failed(struct node *n, const char *why)
{
    struct letter *l = letter_new(LETTER_BASE_FAILED);
    letter_set_text(l, why);
    mail_put(&n->to_link, l);
}

void node_stepped_down(struct node *n) { mail_put(&n->to_link, letter_new(LETTER_STEPPED_DOWN)); }

static size_t count_acked(struct node *n, uint64_t offset, bool durable)
{
    size_t count = 0;
    atomic_store(&n->acks_wanted, true);
    uv_mutex_lock(&n->mutex);
    for (size_t i = 0; i < n->status.follower_count; i++) {
        const struct node_follower_status *f = &n->status.followers[i];
        count += strcmp(f->state, "online") == 0 && (durable ? f->durable : f->applied) >= offset;
    }
    uv_mutex_unlock(&n->mutex);
    return count;
}

size_t node_acked(struct node *n, uint64_t offset) { return count_acked(n, offset, false); }
size_t node_fsynced(struct node *n, uint64_t offset) { return count_acked(n, offset, true); }

void node_status(struct node *n, struct node_status *to)
{
    uv_mutex_lock(&n->mutex);
    *to = n->status;
    const int64_t since = node_now_ms() - n->status_at_ms;
    uv_mutex_unlock(&n->mutex);
    const uint64_t later = since > 0 ? (uint64_t)since : 0;
    if (to->role == NODE_REPLICA) to->last_io_ms += later;
    if (to->role == NODE_REPLICA && !to->link_up) to->down_ms += later;
    for (size_t i = 0; i < to->follower_count; i++) to->followers[i].last_ack_ms += later;
}
