#include "server/pubsub.h"

#include <sodium.h>

#include "common/htable.h"
#include "server/client.h"
#include "server/nodes.h"
#include "server/observe.h"
#include "server/server.h"

enum { KEPT = 16 * 1024 }; /* scratch memory between messages */

void pubsub_init(struct server *s)
{
    uint8_t key[HTABLE_KEY_BYTES];
    randombytes_buf(key, sizeof key);
    s->pubsub.all = subscriptions_new(key);
    pubsub_configure(s);
}

void pubsub_free(struct server *s)
{
    struct pubsub *p = &s->pubsub;
    subscriptions_free(p->all);
    buf_free(&p->unsettled);
    buf_free(&p->bulletin);
    buf_free(&p->name);
    buf_free(&p->text);
}

void pubsub_configure(struct server *s)
{
    s->pubsub.notify = config_notify(s->config);
    observe_configure(s);
}

/* ---- Subscriptions ---- */

size_t pubsub_count(const struct client *c, enum topic_kind kind)
{
    return c->subscriber ? subscriber_count(c->subscriber, kind) : 0;
}

bool pubsub_confines(const struct client *c) { return c->subscriber && c->resp == 2; }

bool pubsub_subscribe(struct client *c, enum topic_kind kind, struct span name)
{
    struct pubsub *p = &c->server->pubsub;
    pubsub_settle(c->server); /* what was said before is not for it */
    if (!c->subscriber) {
        c->subscriber = subscriber_new(c);
        c->output = OUTPUT_PUBSUB;
        p->clients++;
    }
    return subscriptions_add(p->all, kind, name, c->subscriber);
}

bool pubsub_unsubscribe(struct client *c, enum topic_kind kind, struct span name)
{
    if (!c->subscriber) return false;
    pubsub_settle(c->server); /* what was said before is for it still */
    const bool was = subscriptions_remove(c->server->pubsub.all, kind, name, c->subscriber);
    size_t left = 0;
    for (unsigned k = 0; k < TOPIC_KINDS; k++) left += subscriber_count(c->subscriber, k);
    if (!left) pubsub_forget(c);
    return was;
}

void pubsub_forget(struct client *c)
{
    if (!c->subscriber) return;
    subscriber_free(c->server->pubsub.all, c->subscriber);
    c->subscriber = NULL;
    c->output = OUTPUT_NORMAL;
    c->server->pubsub.clients--;
}

/* ---- Messages ---- */

/* A message on its way to one topic's subscribers. It is encoded once: RESP2 and RESP3 differ in the first byte. */
struct push {
    struct buf *text;
    uint64_t position;
};

static void push(void *context, void *owner)
{
    const struct push *p = context;
    struct client *c = owner;
    p->text->p[0] = c->resp == 2 ? '*' : '>';
    client_push(c, buf_span(p->text), p->position);
}

/* Push a message of these parts to all who subscribed to @t. Returns how many those are. */
static size_t push_parts(struct server *s, const struct topic *t, const struct span *parts, size_t n,
                         uint64_t position)
{
    struct push p = {.text = &s->pubsub.text, .position = position};
    struct reply r = {.out = p.text, .resp = 3};
    const size_t count = topic_subscribers(t);
    buf_reset(p.text, KEPT);
    reply_push(&r, n);
    for (size_t i = 0; i < n; i++) reply_bulk(&r, parts[i]);
    topic_each(t, push, &p);
    return count;
}

static size_t push_message(struct server *s, const struct message *m, uint64_t position)
{
    const struct subscriptions *all = s->pubsub.all;
    const struct topic *t = subscriptions_find(all, m->sharded ? TOPIC_SHARD : TOPIC_CHANNEL, m->channel);
    size_t count = 0;
    if (t) {
        const struct span parts[] = {m->sharded ? SPAN("smessage") : SPAN("message"), m->channel, m->text};
        count += push_parts(s, t, parts, 3, position);
    }
    if (m->sharded) return count;
    for (t = subscriptions_next_match(all, m->channel, NULL); t; t = subscriptions_next_match(all, m->channel, t)) {
        const struct span parts[] = {SPAN("pmessage"), topic_name(t), m->channel, m->text};
        count += push_parts(s, t, parts, 4, position);
    }
    return count;
}

static size_t count_receivers(const struct subscriptions *all, const struct message *m)
{
    const struct topic *t = subscriptions_find(all, m->sharded ? TOPIC_SHARD : TOPIC_CHANNEL, m->channel);
    size_t count = t ? topic_subscribers(t) : 0;
    if (m->sharded) return count;
    for (t = subscriptions_next_match(all, m->channel, NULL); t; t = subscriptions_next_match(all, m->channel, t))
        count += topic_subscribers(t);
    return count;
}

/* To the subscribers here; returns how many those are. */
static size_t announce(struct server *s, const struct message *m)
{
    struct pubsub *p = &s->pubsub;
    if (!s->journal.strict) return push_message(s, m, 0);
    const size_t count = count_receivers(p->all, m);
    if (count) message_add(&p->unsettled, m);
    return count;
}

size_t pubsub_publish(struct server *s, const struct message *m)
{
    struct pubsub *p = &s->pubsub;
    if (nodes_are_followed(s) && !bulletin_add(&p->bulletin, m)) p->too_long++;
    return announce(s, m);
}

void pubsub_settle(struct server *s)
{
    struct pubsub *p = &s->pubsub;
    if (p->unsettled.len == 0) return;
    const uint64_t position = journal_position(s);
    struct cursor c = cursor_of(buf_span(&p->unsettled));
    struct message m;
    while (bulletin_next(&c, &m)) (void)push_message(s, &m, position);
    buf_reset(&p->unsettled, KEPT);
}

void pubsub_end_turn(struct server *s)
{
    struct pubsub *p = &s->pubsub;
    if (p->bulletin.len) nodes_publish(s, &p->bulletin);
}

void pubsub_deliver(struct server *s, const struct bulletin *b)
{
    struct cursor c = cursor_of(buf_span(&b->bytes));
    struct message m;
    while (bulletin_next(&c, &m)) (void)announce(s, &m);
}

/* ---- Keyspace notifications ---- */

bool pubsub_notifies(const struct server *s) { return s->pubsub.notify & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT); }

static struct span event_channel(struct buf *room, const char *kind, unsigned db, struct span what)
{
    buf_reset(room, KEPT);
    buf_printf(room, "__%s@%u__:", kind, db);
    buf_add_span(room, what);
    return buf_span(room);
}

void pubsub_event(struct server *s, unsigned db, char event_class, const char *name, struct span key)
{
    struct pubsub *p = &s->pubsub;
    const struct span event = span_str(name);
    if (!(p->notify & notify_bit(event_class)) || p->clients == 0) return;
    if (p->notify & NOTIFY_KEYSPACE)
        (void)announce(s, &(struct message){.channel = event_channel(&p->name, "keyspace", db, key), .text = event});
    if (p->notify & NOTIFY_KEYEVENT)
        (void)announce(s, &(struct message){.channel = event_channel(&p->name, "keyevent", db, event), .text = key});
}
