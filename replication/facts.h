/* What a node is and has: told in the first message of each end of a link, and compared there.
 *
 * Epoch numbers have a rank, their upper bits. A start of a primary takes the next number, which stays in its rank; a
 * promotion begins the next rank. So a superseded primary never outranks the one that was promoted in its place,
 * however often it restarts, and "a higher epoch" that makes a node step down always means "a later promotion". */
#pragma once

#include "proto/relevo.pb-c.h"
#include "replication/history.h"
#include "replication/manifest.h"

enum { NODE_HOST_MAX = 255, EPOCH_RANK_SHIFT = 16 };

enum node_role {
    NODE_PRIMARY,
    NODE_REPLICA,
    NODE_FENCED, /* was primary, met a higher epoch, and holds log that the new primary does not have */
};

struct node_peer {
    struct node_id id;
    char host[NODE_HOST_MAX + 1];
    uint16_t port;
};

struct facts {
    struct node_id id;
    uint64_t boot; /* random per start of the process */
    enum node_role role;
    struct history history;
    uint64_t end;                 /* of the log */
    uint32_t end_crc;             /* of the batch that ends there */
    char host[NODE_HOST_MAX + 1]; /* how to dial it; empty: where it comes from */
    uint16_t port;
};

static inline uint64_t epoch_rank(uint64_t number) { return number >> EPOCH_RANK_SHIFT; }

/* The least number of the rank above @number's. */
static inline uint64_t epoch_next_rank(uint64_t number) { return (epoch_rank(number) + 1) << EPOCH_RANK_SHIFT; }

/* Number of the last epoch, 0 without one. */
uint64_t facts_epoch(const struct facts *f);

static inline bool node_id_eq(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* How a's log lies to b's. Without a lineage there is nothing in common. */
enum history_relation facts_compare(const struct facts *a, const struct facts *b);

void facts_free(struct facts *f);                            /* empty and valid again */
void facts_copy(struct facts *to, const struct facts *from); /* @to is freed first */

/* Fill @to from a message. Errors: ERR_INVALID  ids of a wrong length, a history that does not rise, a host that is
 * too long; @to is empty then. */
MUST_USE enum err facts_read(const Relevo__Facts *from, struct facts *to, struct errmsg *m);
MUST_USE enum err facts_read_history(Relevo__Epoch *const *epochs, size_t n, struct history *to);
bool facts_read_peer(const Relevo__Peer *from, struct node_peer *to);

/* Messages for sending: protobuf structs that borrow from what they were made of, and the arrays that they need. */
struct facts_message {
    Relevo__Facts facts;
    Relevo__Epoch *epochs;
    Relevo__Epoch **pointers;
};
void facts_write(const struct facts *from, struct facts_message *to);
void facts_message_free(struct facts_message *m);

struct peers_message {
    Relevo__Peer *peers;
    Relevo__Peer **pointers;
    size_t n;
};
void peers_write(const struct node_peer *from, size_t n, struct peers_message *to);
void peers_message_free(struct peers_message *m);
