#include "common/call.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

/* What SUBSCRIBE and its kin answer, once for each name: the word, the name, and how many subscriptions there are. */
struct words {
    struct span subscribe, unsubscribe;
};
static const struct words words[TOPIC_KINDS] = {
    [TOPIC_CHANNEL] = {{"subscribe", 9}, {"unsubscribe", 11}},
    [TOPIC_PATTERN] = {{"psubscribe", 10}, {"punsubscribe", 12}},
    [TOPIC_SHARD] = {{"ssubscribe", 10}, {"sunsubscribe", 12}},
};

static void reply_subscriptions(struct call *c, struct span word, struct span name, enum topic_kind kind)
{
    const struct client *client = client_of(c);
    const size_t count = kind == TOPIC_SHARD
                             ? pubsub_count(client, TOPIC_SHARD)
                             : pubsub_count(client, TOPIC_CHANNEL) + pubsub_count(client, TOPIC_PATTERN);
    reply_push(c->reply, 3);
    reply_bulk(c->reply, word);
    if (name.p) reply_bulk(c->reply, name);
    else reply_null(c->reply);
    reply_int(c->reply, (int64_t)count);
}

static void subscribe(struct call *c, enum topic_kind kind)
{
    if (kind == TOPIC_SHARD && client_of(c)->flags & CLIENT_MUST_NOT_BLOCK) {
        reply_error(c->reply, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
        return;
    }
    for (size_t i = 1; i < c->argc; i++) {
        (void)pubsub_subscribe(client_of(c), kind, c->argv[i]);
        reply_subscriptions(c, words[kind].subscribe, c->argv[i], kind);
    }
}

static void unsubscribe_all(struct call *c, enum topic_kind kind)
{
    struct client *client = client_of(c);
    struct buf name = {0};
    if (pubsub_count(client, kind) == 0) reply_subscriptions(c, words[kind].unsubscribe, (struct span){0}, kind);
    while (pubsub_count(client, kind) > 0) {
        name.len = 0;
        buf_add_span(&name, topic_name(subscriber_oldest(client->subscriber, kind)));
        const struct span copy = span_of(name.p ? name.p : "", name.len);
        (void)pubsub_unsubscribe(client, kind, copy);
        reply_subscriptions(c, words[kind].unsubscribe, copy, kind);
    }
    buf_free(&name);
}

static void unsubscribe(struct call *c, enum topic_kind kind)
{
    if (c->argc == 1) unsubscribe_all(c, kind);
    for (size_t i = 1; i < c->argc; i++) {
        (void)pubsub_unsubscribe(client_of(c), kind, c->argv[i]);
        reply_subscriptions(c, words[kind].unsubscribe, c->argv[i], kind);
    }
}

void pubsub_command_subscribe(struct call *c) { subscribe(c, TOPIC_CHANNEL); }
void pubsub_command_unsubscribe(struct call *c) { unsubscribe(c, TOPIC_CHANNEL); }
void pubsub_command_psubscribe(struct call *c) { subscribe(c, TOPIC_PATTERN); }
void pubsub_command_punsubscribe(struct call *c) { unsubscribe(c, TOPIC_PATTERN); }
void pubsub_command_ssubscribe(struct call *c) { subscribe(c, TOPIC_SHARD); }
void pubsub_command_sunsubscribe(struct call *c) { unsubscribe(c, TOPIC_SHARD); }

static void publish(struct call *c, bool sharded)
{
    const struct message m = {.sharded = sharded, .channel = c->argv[1], .text = c->argv[2]};
    reply_int(c->reply, (int64_t)pubsub_publish(client_of(c)->server, &m));
}

void pubsub_command_publish(struct call *c) { publish(c, false); }
void pubsub_command_spublish(struct call *c) { publish(c, true); }

/* ---- PUBSUB ---- */

static void list_topics(struct call *c, enum topic_kind kind)
{
    const struct subscriptions *all = client_of(c)->server->pubsub.all;
    const struct span pattern = c->argc > 2 ? c->argv[2] : SPAN("*");
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (const struct topic *t = subscriptions_next(all, kind, NULL); t; t = subscriptions_next(all, kind, t)) {
        if (c->argc > 2 && !glob_match(pattern, topic_name(t))) continue;
        reply_bulk(c->reply, topic_name(t));
        n++;
    }
    reply_end_array(c->reply, mark, n);
}

static void count_subscribers(struct call *c, enum topic_kind kind)
{
    const struct subscriptions *all = client_of(c)->server->pubsub.all;
    reply_array(c->reply, (c->argc - 2) * 2);
    for (size_t i = 2; i < c->argc; i++) {
        const struct topic *t = subscriptions_find(all, kind, c->argv[i]);
        reply_bulk(c->reply, c->argv[i]);
        reply_int(c->reply, t ? (int64_t)topic_subscribers(t) : 0);
    }
}

void pubsub_command_channels(struct call *c) { list_topics(c, TOPIC_CHANNEL); }
void pubsub_command_shardchannels(struct call *c) { list_topics(c, TOPIC_SHARD); }
void pubsub_command_numsub(struct call *c) { count_subscribers(c, TOPIC_CHANNEL); }
void pubsub_command_shardnumsub(struct call *c) { count_subscribers(c, TOPIC_SHARD); }

void pubsub_command_numpat(struct call *c)
{
    reply_int(c->reply, (int64_t)subscriptions_topics(client_of(c)->server->pubsub.all, TOPIC_PATTERN));
}
