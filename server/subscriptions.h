/* Who listens to what: channels, patterns and shard channels, and their subscribers.
 *
 *                       subscriber A       subscriber B
 *                            |                  |
 *     topic "news" ---- subscription ---- subscription
 *                            |
 *     topic "b*"   ---- subscription
 *
 * A subscription stands in two lists, its topic's and its subscriber's, each in the order of coming; a table of all of
 * them by (topic, subscriber) finds it, so that every change takes constant time however many there are on either side.
 * A topic is there as long as it has subscribers. Pure; not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

enum topic_kind { TOPIC_CHANNEL, TOPIC_PATTERN, TOPIC_SHARD, TOPIC_KINDS };

struct subscriptions;
struct subscriber;
struct topic;

/* @hash_key: secret, HTABLE_KEY_BYTES; copied. */
struct subscriptions *subscriptions_new(const uint8_t *hash_key);
/* All subscribers must be gone. NULL is a no-op. */
void subscriptions_free(struct subscriptions *all);

/* Somebody without subscriptions. @owner is given back when a topic is walked; borrowed. */
struct subscriber *subscriber_new(void *owner);
/* End all its subscriptions, and free it. NULL is a no-op. */
void subscriber_free(struct subscriptions *all, struct subscriber *s);

/* Begin or end to listen; false: it did, or did not, already. */
bool subscriptions_add(struct subscriptions *all, enum topic_kind kind, struct span name, struct subscriber *s);
bool subscriptions_remove(struct subscriptions *all, enum topic_kind kind, struct span name, struct subscriber *s);

size_t subscriber_count(const struct subscriber *s, enum topic_kind kind);
/* The topic of its oldest subscription of that kind; NULL: it has none. */
const struct topic *subscriber_oldest(const struct subscriber *s, enum topic_kind kind);
/* Does @test hold for the names of all its subscriptions of that kind? */
typedef bool topic_test(void *context, struct span name);
bool subscriber_all(const struct subscriber *s, enum topic_kind kind, topic_test *test, void *context);

/* The topic of that name; NULL: nobody listens to it. */
const struct topic *subscriptions_find(const struct subscriptions *all, enum topic_kind kind, struct span name);
size_t subscriptions_topics(const struct subscriptions *all, enum topic_kind kind);
/* All topics of a kind, in the order of their first subscription. @from NULL: the first one. NULL: no more. */
const struct topic *subscriptions_next(const struct subscriptions *all, enum topic_kind kind,
                                       const struct topic *from);
/* The same, of patterns: only those that @channel matches. */
const struct topic *subscriptions_next_match(const struct subscriptions *all, struct span channel,
                                             const struct topic *from);

struct span topic_name(const struct topic *t); /* lives as long as the topic */
size_t topic_subscribers(const struct topic *t);

/* Call @visit for each subscriber, in the order of their coming. It may end the subscriptions of that one. */
typedef void topic_visit(void *context, void *owner);
void topic_each(const struct topic *t, topic_visit *visit, void *context);

/* Bytes in use, allocator's rounding apart: by one subscriber, without the names; by all. */
size_t subscriber_memory(const struct subscriber *s);
size_t subscriptions_memory(const struct subscriptions *all);
