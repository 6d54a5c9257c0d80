#include "server/blocked.h"

#include <assert.h>

#include "common/keyspace.h"
#include "common/mem.h"
#include "common/ready.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/kept_request.h"
#include "server/server.h"

/* A client's place in the queue of a key. */
struct blocked_link {
    struct blocked *owner;
    struct awaited *key;
    struct blocked_link *before, *behind;
};

/* Whoever waits for a list lets those pass who wait for a stream of the same name. */
enum queue { QUEUE_LIST, QUEUE_ZSET, QUEUE_STREAM, QUEUES };

struct blocked {
    struct client *client;
    struct kept_request *request;
    struct deadline deadline;
    enum queue queue;
    size_t count;
    struct blocked_link links[];
};

/* What the awaited key owns: its queues. */
struct queues {
    struct {
        struct blocked_link *first, *last;
    } of[QUEUES];
};

static enum queue queue_for(unsigned type)
{
    assert(type == TYPE_LIST || type == TYPE_ZSET || type == TYPE_STREAM);
    return type == TYPE_LIST ? QUEUE_LIST : type == TYPE_ZSET ? QUEUE_ZSET : QUEUE_STREAM;
}

/* ---- Queues ---- */

static struct queues *queues_of(struct awaited *a)
{
    void **owned = awaited_owned(a);
    if (!*owned) *owned = MEM_NEW(struct queues);
    return *owned;
}

static void join(struct blocked *b, struct awaited *a)
{
    struct queues *q = queues_of(a);
    struct blocked_link *l = &b->links[b->count++], *last = q->of[b->queue].last;
    *l = (struct blocked_link){.owner = b, .key = a, .before = last};
    *(last ? &last->behind : &q->of[b->queue].first) = l;
    q->of[b->queue].last = l;
}

static bool is_last_in(const struct blocked *b, struct awaited *a)
{
    const struct blocked_link *last = queues_of(a)->of[b->queue].last;
    return last && last->owner == b;
}

static void leave(struct server *s, struct blocked_link *l)
{
    const enum queue queue = l->owner->queue;
    struct queues *q = queues_of(l->key);
    if (s->blocking.next == l) s->blocking.next = l->behind;
    *(l->before ? &l->before->behind : &q->of[queue].first) = l->behind;
    *(l->behind ? &l->behind->before : &q->of[queue].last) = l->before;
    bool empty = true;
    for (size_t i = 0; i < QUEUES; i++) empty = empty && !q->of[i].first;
    if (empty) {
        mem_free(q);
        *awaited_owned(l->key) = NULL;
    }
    engine_wait_over(s->engine, l->key);
}

/* ---- Beginning and end ---- */

static void answer_late(struct blocked *b);

static void on_timeout(struct deadline *d)
{
    answer_late((struct blocked *)(void *)((char *)d - offsetof(struct blocked, deadline)));
}

static void begin(struct session *session, const struct wait_wish *w)
{
    struct client *c = client_of_session(session);
    struct server *s = c->server;
    struct blocked *b = mem_zalloc(1, sizeof *b + w->count * sizeof *b->links);
    assert(!c->blocked);
    b->client = c;
    b->request = kept_request_new(w->command, &w->request);
    b->deadline.over = on_timeout;
    b->queue = queue_for(w->type);
    for (size_t i = w->first; i < w->first + w->count; i++) {
        struct awaited *a = engine_wait_for(s->engine, session->db, w->request.argv[i]);
        if (is_last_in(b, a)) engine_wait_over(s->engine, a); /* the same key again */
        else join(b, a);
    }
    if (w->timeout_ms) timeouts_set(s, &b->deadline, w->timeout_ms);
    c->blocked = b;
    s->blocking.count++;
    client_block(c);
}

void blocked_init(struct server *s) { s->blocking.waiting.begin = begin; }

void blocked_forget(struct client *c)
{
    struct server *s = c->server;
    struct blocked *b = c->blocked;
    if (!b) return;
    for (size_t i = 0; i < b->count; i++) leave(s, &b->links[i]);
    timeouts_clear(s, &b->deadline);
    mem_free(b->request);
    mem_free(b);
    c->blocked = NULL;
    s->blocking.count--;
}

/* Its answer is made, from byte @mark on. */
static void end(struct client *c, size_t mark)
{
    blocked_forget(c);
    client_unblock_answered(c, mark);
}

/* That there was nothing is something that was seen: it waits for the log as any look at the keys. */
static void answer_late(struct blocked *b)
{
    struct client *c = b->client;
    struct server *s = c->server;
    struct reply reply = {.out = &c->out, .resp = c->resp};
    const size_t mark = c->out.len;
    if (s->journal.hold) {
        const struct request r = kept_request_get(b->request);
        client_hold_reply(c, mark, journal_depends(s, c, b->request->command, &r, s->journal.effects.count));
    }
    reply_null_array(&reply);
    end(c, mark);
}

static void answer_error(struct client *c, const char *text)
{
    const size_t mark = c->out.len;
    client_answer_error(c, text);
    end(c, mark);
}

bool blocked_unblock(struct client *c, bool error)
{
    if (!c->blocked) return false;
    if (error) answer_error(c, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else answer_late(c->blocked);
    return true;
}

void blocked_role_changed(struct server *s)
{
    for (struct client *c = s->clients.first, *next; c && s->blocking.count; c = next) {
        next = c->next;
        if (!c->blocked) continue;
        answer_error(c,
                     "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");
        client_close_after_reply(c);
    }
}

/* ---- Serving ---- */

static bool may_serve(struct server *s, enum queue queue, const struct awaited *a)
{
    /* Readers of a group are told, too, when their stream is gone. */
    if (queue == QUEUE_STREAM) return true;
    const int type = engine_key_type(s->engine, awaited_db(a), awaited_key(a), clock_now(&s->clock));
    return type == (queue == QUEUE_LIST ? TYPE_LIST : TYPE_ZSET);
}

static void serve_client(struct server *s, struct blocked *b, struct span key)
{
    struct waiting *w = &s->blocking.waiting;
    struct client *c = b->client;
    const struct request r = kept_request_get(b->request);
    const size_t mark = c->out.len;
    w->again = true;
    w->goes_on = false;
    w->key = key;
    dispatch_again(c, b->request->command, &r);
    w->again = false;
    if (!w->goes_on) end(c, mark);
}

static void serve_key(struct server *s, struct awaited *a)
{
    awaited_once_more(a); /* it stays while we look at it */
    for (enum queue q = 0; q < QUEUES; q++) {
        const struct queues *all = *awaited_owned(a);
        struct blocked_link *l = all ? all->of[q].first : NULL;
        for (; l && may_serve(s, q, a); l = s->blocking.next) {
            s->blocking.next = l->behind;
            serve_client(s, l->owner, awaited_key(a));
        }
    }
    s->blocking.next = NULL;
    engine_wait_over(s->engine, a);
}

void blocked_serve_ready(struct server *s)
{
    struct awaited *a;
    if (scripting_is_busy(s)) return; /* half of what it does must not be seen */
    while ((a = engine_next_ready(s->engine))) serve_key(s, a);
}

void blocked_end_turn(struct server *s)
{
    if (!s->blocking.count) return;
    turn_begin_commands(&s->stats.turn);
    blocked_serve_ready(s);
}

size_t blocked_timed(const struct server *s)
{
    size_t n = 0;
    for (const struct client *c = s->clients.first; c; c = c->next) n += c->blocked && c->blocked->deadline.place;
    return n;
}

size_t blocked_bytes(const struct client *c)
{
    const struct blocked *b = c->blocked;
    return b ? sizeof *b + b->count * sizeof *b->links + kept_request_bytes(b->request) : 0;
}
