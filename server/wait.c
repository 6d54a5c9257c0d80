#include "server/wait.h"

#include <assert.h>

#include "common/mem.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/nodes.h"
#include "server/server.h"

struct waiter {
    struct waiter *before, *behind;
    struct client *client;
    struct wait_goal goal;
    struct deadline deadline;
};

/* How far it is. */
struct state {
    size_t local, replicas;
};

static struct state look(struct server *s, const struct wait_goal *g)
{
    if (!g->durable) return (struct state){.replicas = nodes_acked(s, g->position)};
    const bool kept = config_number(s->config, SET_APPENDONLY);
    return (struct state){.local = kept && log_durable(s->journal.log) >= g->position,
                          .replicas = nodes_fsynced(s, g->position)};
}

static bool is_reached(const struct wait_goal *g, struct state at)
{
    return at.local >= g->local && at.replicas >= g->replicas;
}

static void answer(struct reply *reply, const struct wait_goal *g, struct state at)
{
    if (g->durable) {
        reply_array(reply, 2);
        reply_int(reply, (int64_t)at.local);
    }
    reply_int(reply, (int64_t)at.replicas);
}

void wait_forget(struct client *c)
{
    struct server *s = c->server;
    struct waiter *w = c->waiter;
    if (!w) return;
    *(w->before ? &w->before->behind : &s->waiters.first) = w->behind;
    if (w->behind) w->behind->before = w->before;
    timeouts_clear(s, &w->deadline);
    mem_free(w);
    c->waiter = NULL;
}

/* Its answer is made, from byte @mark on. */
static void end(struct client *c, size_t mark)
{
    wait_forget(c);
    client_unblock_answered(c, mark);
}

static void answer_now(struct waiter *w)
{
    struct client *c = w->client;
    const size_t mark = c->out.len;
    struct reply reply = {.out = &c->out, .resp = c->resp};
    answer(&reply, &w->goal, look(c->server, &w->goal));
    end(c, mark);
}

static void answer_error(struct client *c, const char *text)
{
    const size_t mark = c->out.len;
    client_answer_error(c, text);
    end(c, mark);
}

static void on_timeout(struct deadline *d)
{
    answer_now((struct waiter *)(void *)((char *)d - offsetof(struct waiter, deadline)));
}

void wait_begin(struct client *c, const struct wait_goal *goal, int64_t timeout_ms, struct reply *now)
{
    struct server *s = c->server;
    const struct state at = look(s, goal);
    if (is_reached(goal, at) || c->flags & CLIENT_MUST_NOT_BLOCK) {
        answer(now, goal, at);
        return;
    }
    assert(!c->waiter);
    struct waiter *w = c->waiter = MEM_NEW(struct waiter);
    *w = (struct waiter){.behind = s->waiters.first, .client = c, .goal = *goal, .deadline.over = on_timeout};
    if (w->behind) w->behind->before = w;
    s->waiters.first = w;
    if (timeout_ms) timeouts_set(s, &w->deadline, timeout_ms);
    client_block(c);
}

void wait_check(struct server *s)
{
    for (struct waiter *w = s->waiters.first, *next; w; w = next) {
        next = w->behind;
        if (is_reached(&w->goal, look(s, &w->goal))) answer_now(w);
    }
}

bool wait_unblock(struct client *c, bool error)
{
    if (!c->waiter) return false;
    if (error) answer_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else answer_now(c->waiter);
    return true;
}

void wait_role_changed(struct server *s)
{
    while (s->waiters.first) {
        struct client *c = s->waiters.first->client;
        answer_error(c,
                     "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");
        client_close_after_reply(c);
    }
}

size_t wait_timed(const struct server *s)
{
    size_t n = 0;
    for (const struct waiter *w = s->waiters.first; w; w = w->behind) n += w->deadline.place != 0;
    return n;
}
