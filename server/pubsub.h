/* Messages to clients who subscribed: of PUBLISH here, of PUBLISH on the primary that this node follows, and what keyspace
 * notifications tell.
 *
 *     PUBLISH -------------> pubsub_publish() --> subscribers here (client_push())
 *                                         \-----> the turn's bulletin -> link thread -> replicas -> pubsub_deliver() there
 *     a change to the data -> pubsub_event() ---> subscribers here: replicas notice themselves what they execute
 *
 * Under `appendfsync always` a message waits for what it stems from: its command's effects. Their position is known when the
 * command is over, so messages are kept until pubsub_settle(). Otherwise they are pushed at once; client_push() sees to it
 * that none lands inside a reply. A bulletin takes the position at which the turn's batch ends. Main thread. */
#pragma once

#include "common/engine.h"
#include "replication/bulletin.h"
#include "server/subscriptions.h"

struct client;
struct server;

struct pubsub {
    struct subscriptions *all;
    unsigned notify;       /* which events are told: bits of config_notify() */
    size_t clients;        /* that have subscriptions */
    struct buf unsettled;  /* messages of the command at hand, one behind the other as in a bulletin */
    struct buf bulletin;   /* messages of this turn, for replicas */
    struct buf name, text; /* scratch: a channel's name; a message as it is sent */
    uint64_t too_long;     /* messages that no bulletin could hold */
};

void pubsub_init(struct server *s);
void pubsub_free(struct server *s);
/* Take over notify-keyspace-events. */
void pubsub_configure(struct server *s);

/* Subscribe and unsubscribe; false: it was, or was not, already. */
bool pubsub_subscribe(struct client *c, enum topic_kind kind, struct span name);
bool pubsub_unsubscribe(struct client *c, enum topic_kind kind, struct span name);
/* End all subscriptions without a word: RESET, or it is being closed. */
void pubsub_forget(struct client *c);
size_t pubsub_count(const struct client *c, enum topic_kind kind);
/* Whether only a few commands are allowed: messages would look like their replies. */
bool pubsub_confines(const struct client *c);

/* Returns how many subscribers get it. */
size_t pubsub_publish(struct server *s, const struct message *m);

/* Is anybody told of events? */
bool pubsub_notifies(const struct server *s);
void pubsub_event(struct server *s, unsigned db, char event_class, const char *name, struct span key);

/* The command is over, its effects stand in the log's open batch or in the log: what it said goes out. */
void pubsub_settle(struct server *s);
/* The turn's batch is closed: what was published goes to replicas. */
void pubsub_end_turn(struct server *s);

/* What was published on the primary that we follow. */
void pubsub_deliver(struct server *s, const struct bulletin *b);
