/* The peers that a node knows of, and the primary's word to them.
 *
 * Who ever followed us or was followed by us is a peer. A node that becomes primary (at its start or by promotion) dials
 * each peer that is not linked to it and announces its epoch; it tries again, with growing pauses, until the peer has
 * answered in this epoch. The answers tell a superseded primary that it is one, and a restarted one what its replicas
 * hold beyond its own log. */
#pragma once

#include "replication/facts.h"

struct core;
struct core_event;

enum { HERALD_PEERS = 64 };

struct acquaintance {
    struct node_peer peer;
    uint32_t conn;    /* of a call; 0: none */
    bool told, tried; /* in this epoch */
    unsigned tries;
    unsigned refused; /* the reason given last; each is said once */
    int64_t call_at_ms, until_ms;
    struct facts answer; /* what it said of itself in this epoch; without lineage: nothing */
};

struct herald {
    struct acquaintance known[HERALD_PEERS];
    size_t count;
    bool calling; /* we are primary */
};

void herald_free(struct herald *h);

/* Learn of a peer, or where it is now; true if that is news. Without port: it cannot be dialed, and is not learnt. */
bool herald_learn(struct core *c, const struct node_peer *p);

/* We are primary in a new epoch: everybody is to be told. Or not any longer. */
void herald_begin(struct core *c);
void herald_stop(struct core *c);

/* Every peer was tried at least once, and none is being called. */
bool herald_tried_all(const struct core *c);

bool herald_owns(const struct core *c, uint32_t conn);
void herald_event(struct core *c, const struct core_event *ev);
void herald_tick(struct core *c);
int64_t herald_deadline(const struct core *c);

/* Copy the known peers; returns how many. */
size_t herald_list(const struct core *c, struct node_peer to[HERALD_PEERS]);
