#include "server/wait.h"

#include "common/mem.h"
#include "server/client.h"
#include "server/nodes.h"
#include "server/server.h"

struct waiter {
    struct waiter *next;
    struct client *client;
    uint64_t position;
    size_t replicas;
    int64_t deadline_ms; /* of uv_now(); 0: none */
};

static void on_timer(uv_timer_t *t) { wait_check(t->data); }

void wait_init(struct server *s)
{
    (void)uv_timer_init(&s->loop, &s->waiters.timer);
    s->waiters.timer.data = s;
}

static void answer(struct client *c, size_t acked)
{
    struct reply reply = {.out = &c->out, .resp = c->resp};
    reply_int(&reply, (int64_t)acked);
    client_unblock(c);
}

static void set_timer(struct server *s)
{
    int64_t nearest = 0;
    for (const struct waiter *w = s->waiters.first; w; w = w->next)
        if (w->deadline_ms && (!nearest || w->deadline_ms < nearest)) nearest = w->deadline_ms;
    (void)uv_timer_stop(&s->waiters.timer);
    if (!nearest) return;
    const int64_t now = (int64_t)uv_now(&s->loop);
    (void)uv_timer_start(&s->waiters.timer, on_timer, nearest > now ? (uint64_t)(nearest - now) : 0, 0);
}

void wait_begin(struct client *c, uint64_t position, size_t replicas, int64_t timeout_ms)
{
    struct server *s = c->server;
    struct waiter *w = MEM_NEW(struct waiter);
    *w = (struct waiter){.next = s->waiters.first,
                         .client = c,
                         .position = position,
                         .replicas = replicas,
                         .deadline_ms = timeout_ms ? (int64_t)uv_now(&s->loop) + timeout_ms : 0};
    s->waiters.first = w;
    client_block(c);
    set_timer(s);
}

void wait_check(struct server *s)
{
    const int64_t now = (int64_t)uv_now(&s->loop);
    for (struct waiter **at = &s->waiters.first; *at;) {
        struct waiter *w = *at;
        const size_t acked = nodes_acked(s, w->position);
        if (acked < w->replicas && !(w->deadline_ms && w->deadline_ms <= now)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(w->client, acked);
        mem_free(w);
    }
    set_timer(s);
}

void wait_role_changed(struct server *s)
{
    if (!s->read_only) return;
    while (s->waiters.first) {
        struct waiter *w = s->waiters.first;
        s->waiters.first = w->next;
        struct reply reply = {.out = &w->client->out, .resp = w->client->resp};
        reply_error(&reply,
                    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");
        client_unblock(w->client);
        mem_free(w);
    }
}

void wait_forget(struct client *c)
{
    for (struct waiter **at = &c->server->waiters.first; *at; at = &(*at)->next) {
        if ((*at)->client != c) continue;
        struct waiter *w = *at;
        *at = w->next;
        mem_free(w);
        return;
    }
}

void wait_free(struct server *s)
{
    while (s->waiters.first) {
        struct waiter *w = s->waiters.first;
        s->waiters.first = w->next;
        mem_free(w);
    }
}
