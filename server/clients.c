#include "server/clients.h"

#include <sodium.h>

#include "common/mem.h"
#include "replication/uv_conn.h"
#include "server/client.h"
#include "server/server.h"
#include "server/tls.h"

enum {
    PENDING_MAX = 256 << 20, /* a pipeline sent before its replies are read must not come to a stand below this */
    MAX_ARGS_BEFORE_AUTH = 10,
    MAX_BULK_BEFORE_AUTH = 16384,
    MAX_INLINE = 64 * 1024,
    IDLE_TRIM_MS = 2000,
};

bool clients_may_hear(const struct client *c)
{
    struct server *s = c->server;
    if (c->heard == s->clients.round) return false;
    if (!turn_is_full(&s->stats.turn)) return true;
    s->clients.passed_over = true;
    return false;
}

void clients_heard(struct client *c) { c->heard = c->server->clients.round; }

static void on_idle(uv_idle_t *idle)
{
    struct server *s = idle->data;
    (void)uv_idle_stop(idle);
    struct client *c = s->clients.resumed;
    s->clients.resumed = NULL;
    while (c) {
        struct client *next = c->next_resumed;
        c->next_resumed = NULL;
        c->flags &= ~(unsigned)CLIENT_RESUMED;
        s->clients.resuming = next; /* executing may close it: clients_forget() looks here */
        if (clients_may_hear(c)) client_resume(c);
        else clients_resume_later(c);
        c = s->clients.resuming;
    }
}

void clients_resume_later(struct client *c)
{
    struct clients *all = &c->server->clients;
    if (c->flags & (CLIENT_RESUMED | CLIENT_CLOSING)) return;
    c->flags |= CLIENT_RESUMED;
    c->next_resumed = all->resumed;
    all->resumed = c;
    (void)uv_idle_start(&all->idle, on_idle);
}

static void remove_resumed(struct client **list, struct client *c)
{
    while (*list && *list != c) list = &(*list)->next_resumed;
    if (*list) *list = c->next_resumed;
}

void clients_forget(struct client *c)
{
    c->server->clients.memory -= c->counted_memory;
    c->counted_memory = 0;
    if (c->server->clients.executing == c) c->server->clients.executing = NULL;
    if (!(c->flags & CLIENT_RESUMED)) return;
    remove_resumed(&c->server->clients.resumed, c);
    remove_resumed(&c->server->clients.resuming, c);
}

struct span clients_id_of(const void *client)
{
    const struct client *c = client;
    return span_of((const char *)&c->id, sizeof c->id);
}

static const struct htable_kind by_id = {.key = clients_id_of};

void clients_init(struct server *s)
{
    randombytes_buf(s->clients.hash_key, sizeof s->clients.hash_key);
    htable_init(&s->clients.by_id, &by_id, s->clients.hash_key);
    s->clients.round = 1;
    s->clients.read_buffer = mem_alloc(CLIENTS_READ_BYTES);
    s->clients.sealed_buffer = mem_alloc(CLIENTS_READ_BYTES);
    (void)uv_idle_init(&s->loop, &s->clients.idle);
    s->clients.idle.data = s;
    (void)uv_timer_init(&s->loop, &s->clients.pause);
    s->clients.pause.data = s;
    clients_configure(s);
}

void clients_free(struct server *s)
{
    htable_free(&s->clients.by_id);
    mem_free(s->clients.read_buffer);
    mem_free(s->clients.sealed_buffer);
    mem_free(s->clients.argv.at);
    buf_free(&s->clients.pushed);
}

void clients_configure(struct server *s)
{
    struct clients *all = &s->clients;
    const struct config *config = s->config;
    all->limits = (struct resp_limits){
        .max_args = INT32_MAX, .max_bulk = (size_t)config_number(config, SET_MAX_BULK), .max_inline = MAX_INLINE};
    all->limits_before_auth = (struct resp_limits){.max_args = MAX_ARGS_BEFORE_AUTH,
                                                   .max_bulk = MAX_BULK_BEFORE_AUTH,
                                                   .max_inline = MAX_INLINE,
                                                   .unauthenticated = true};
    config_output_limits(config, all->output);
    all->memory_max = (size_t)config_client_memory(config);
    for (struct client *c = all->first; c && all->memory_max; c = c->next) clients_count_memory(c);
    all->query_max = (size_t)config_number(config, SET_QUERY_BUFFER_LIMIT);
    const int64_t hard = all->output[OUTPUT_NORMAL].hard_bytes;
    all->pending_max = hard && hard < PENDING_MAX ? (size_t)hard : PENDING_MAX;
}

void clients_count_memory(struct client *c)
{
    struct clients *all = &c->server->clients;
    if (!all->memory_max) return;
    const size_t now = client_memory(c);
    all->memory += now - c->counted_memory;
    c->counted_memory = now;
}

static struct client *largest(const struct clients *all)
{
    struct client *found = NULL;
    for (struct client *c = all->first; c; c = c->next)
        if (!(c->flags & CLIENT_NO_EVICT) && (!found || c->counted_memory > found->counted_memory)) found = c;
    return found;
}

/* The largest go first: mostly one is all that it takes. */
static void evict(struct server *s)
{
    struct client *c;
    while (s->clients.memory > s->clients.memory_max && (c = largest(&s->clients))) {
        logger_line(s->logger, LOGGER_NOTICE,
                    "Closing the client %s, which takes %zu bytes: all clients together take %zu", c->addr,
                    c->counted_memory, s->clients.memory);
        s->stats.evicted_clients++;
        client_close(c);
    }
}

void clients_flush(struct server *s)
{
    while (s->clients.dirty) client_flush(s->clients.dirty);
    if (s->clients.memory_max && s->clients.memory > s->clients.memory_max) evict(s);
    if (!s->clients.passed_over) s->clients.round++;
    s->clients.passed_over = false;
}

void clients_tend(struct server *s)
{
    const int64_t now = clock_now(&s->clock), timeout = config_number(s->config, SET_TIMEOUT) * 1000;
    for (struct client *c = s->clients.first, *next; c; c = next) {
        next = c->next;
        const int64_t idle = now - c->active_ms;
        if (timeout && idle > timeout && !(c->flags & CLIENT_BLOCKED) && !c->subscriber) {
            logger_line(s->logger, LOGGER_VERBOSE, "Closing the idle client %s", c->addr);
            s->stats.timeout_closed++;
            client_close(c);
            continue;
        }
        /* A node that is welcome says so at once, and a client by TLS begins; who only holds the place has no time to lose. */
        const bool silent = c->flags & CLIENT_UNWELCOME || (c->tls && !tls_is_open(c->tls));
        if (silent && now - c->created_ms > CONN_GREETING_MS) {
            logger_line(s->logger, LOGGER_VERBOSE, "Closing %s, which said nothing", c->addr);
            client_close(c);
            continue;
        }
        if (c->soft_since_ms) client_mark_dirty(c); /* its time may be over */
        if (idle > IDLE_TRIM_MS && c->out.len == 0) buf_reset(&c->out, 0);
        if (idle > IDLE_TRIM_MS && c->tls) tls_rest(c->tls);
    }
}

struct client *clients_find(struct server *s, uint64_t id)
{
    const struct span key = span_of((const char *)&id, sizeof id);
    return htable_find(&s->clients.by_id, htable_hash(&s->clients.by_id, key), key);
}

size_t clients_blocked(const struct server *s)
{
    size_t n = 0;
    for (const struct client *c = s->clients.first; c; c = c->next) n += (c->flags & CLIENT_BLOCKED) != 0;
    return n;
}

void clients_close_all(struct server *s)
{
    while (s->clients.first) client_close(s->clients.first);
}

void clients_stop(struct server *s)
{
    for (struct client *c = s->clients.first, *next; c; c = next) {
        next = c->next;
        client_close_after_reply(c);
    }
}

void clients_hold_writes(struct server *s, unsigned why, bool held)
{
    const unsigned before = s->clients.writes_held, now = held ? before | why : before & ~why;
    s->clients.writes_held = now;
    engine_keep_dead(s->engine, now & (HOLD_FOR_PAUSE | HOLD_FOR_REPLICAS));
    /* Those who may still not go on are held again. */
    const bool go_on = !now || (before & ~now & HOLD_ALL);
    for (struct client *c = s->clients.first; go_on && c; c = c->next) {
        if (!(c->flags & CLIENT_MUST_NOT_WRITE)) continue;
        c->flags &= ~(unsigned)CLIENT_MUST_NOT_WRITE;
        clients_resume_later(c);
    }
}

static void on_pause_over(uv_timer_t *t) { clients_unpause(t->data); }

void clients_pause(struct server *s, int64_t ms, bool all)
{
    struct clients *k = &s->clients;
    const int64_t now = (int64_t)uv_now(&s->loop), end = ms > INT64_MAX - now ? INT64_MAX : now + ms;
    if (!clients_are_paused(k) || end > k->pause_end_ms) k->pause_end_ms = end;
    if (all) clients_hold_writes(s, HOLD_ALL, true);
    clients_hold_writes(s, HOLD_FOR_PAUSE, true);
    const int64_t rest = k->pause_end_ms - now;
    (void)uv_timer_start(&k->pause, on_pause_over, rest > 0 ? (uint64_t)rest : 0, 0);
}

void clients_unpause(struct server *s)
{
    (void)uv_timer_stop(&s->clients.pause);
    clients_hold_writes(s, HOLD_ALL | HOLD_FOR_PAUSE, false);
}
