/* A whole cluster in one process: real cores (replication/core.h), on a virtual clock, with a hostile network and disks
 * that lose what was not synced. One seed is one history, repeatable to the byte.
 *
 *      world.c     clock, chance, the queue of what is going to happen
 *      net.c       connections: delay, cuts, partitions
 *      disk.c      what a node has on its disk: log, base, epochs, peers
 *      node.c      a process: its core, and a model of the main and log threads that work off the todo list
 *      scenario.c  clients, operators, faults; then the healing
 *      check_*.c   what must hold: see check.h
 *      main.c      seeds, TAP */
#pragma once

#include "replication/core.h"

enum { SIM_NODES = 5, SIM_FAR = INT64_C(1) << 60 };

struct world;
struct sim_node;

/* ---- world.c ---- */

struct happening {
    int64_t at_ms;
    uint64_t order;
    void (*run)(struct world *w, void *what);
    void (*drop)(void *what); /* frees `what` if it never happens; may be NULL */
    void *what;
};

uint64_t sim_random(struct world *w, uint64_t bound); /* below @bound */
bool sim_chance(struct world *w, unsigned percent);
void sim_later(struct world *w, int64_t delay_ms, void (*run)(struct world *, void *), void (*drop)(void *),
               void *what);

/* Let everything happen that is due until @until_ms. */
void sim_run(struct world *w, int64_t until_ms);

/* ---- disk.c ---- */

struct sim_base {
    bool there;
    struct position position;
    struct history history;
    uint64_t digest;
    uint64_t size;
};

struct sim_batch {
    uint64_t end;
    uint32_t crc;
    uint64_t digest; /* of the data set behind it */
};

struct sim_pin {
    uint32_t conn;
    uint64_t offset;
};

/* Log bytes [begin, end), the state at `begin`, and what makes sense of them. */
struct sim_disk {
    struct history history;
    uint64_t epoch_seen;
    uint64_t begin, begin_digest;
    uint32_t begin_crc;
    struct buf bytes;
    struct sim_batch *batches;
    size_t count, cap;
    uint64_t durable;
    struct sim_base base;
    struct node_peer peers[HERALD_PEERS];
    size_t peer_count;
    struct sim_pin pins[PRIMARY_FOLLOWERS];
    size_t pin_count;
};

uint64_t disk_end(const struct sim_disk *d);
uint32_t disk_crc(const struct sim_disk *d);
uint64_t disk_digest(const struct sim_disk *d);
void disk_facts(const struct sim_disk *d, struct facts *f); /* history, end, checksum */
void disk_append(struct world *w, struct sim_node *n, const struct chunk *c);
struct chunk *disk_write(struct world *w, struct sim_node *n, struct span payload); /* as primary; one reference */
void disk_open_epoch(struct world *w, struct sim_node *n, uint64_t at_least);
void disk_adopt(struct sim_disk *d, const struct history *h);
void disk_make_base(struct world *w, struct sim_disk *d);
void disk_install(struct sim_disk *d, const struct sim_base *base);
void disk_lose_tail(struct world *w, struct sim_disk *d, bool power_cut); /* as a crash does */
enum err disk_verify(const struct sim_disk *d, uint64_t offset, uint32_t crc, uint32_t seed);
struct span disk_read(const struct sim_disk *d, uint64_t offset, size_t max);
void disk_pin(struct sim_disk *d, uint32_t conn, uint64_t offset);
void disk_unpin(struct sim_disk *d, uint32_t conn);
void disk_free(struct sim_disk *d);

/* ---- node.c ---- */

struct sim_node {
    unsigned index;
    struct node_id id;
    bool up;
    bool promoting;       /* between an operator's word and the new epoch */
    bool accepts;         /* writes */
    bool keeps_following; /* what the node was told by others to follow survives a restart, as if configured */
    uint64_t life;        /* counts starts; what an earlier life asked for does not happen */
    struct sim_disk disk;
    char follow[NODE_HOST_MAX + 1]; /* configuration; empty: primary */
    struct core *core;
    struct todo todo;
    int64_t tick_at_ms;
    struct buf receiving;
    bool base_coming;
    uint64_t salvaged, snapshots_taken;
    bool operator_spoke; /* its REPLICAOF command may cost data */
};

void node_boot(struct world *w, struct sim_node *n);
void node_crash(struct world *w, struct sim_node *n, bool power_cut);
void node_give(struct world *w, struct sim_node *n, const struct core_event *ev); /* if it is up */
void node_write(struct world *w, struct sim_node *n);
void node_operator_promote(struct world *w, struct sim_node *n);
void node_operator_follow(struct world *w, struct sim_node *n, const struct sim_node *whom);
struct sim_node *node_by_host(struct world *w, const char *host);

/* ---- net.c ---- */

struct net;
struct net *net_new(void);
void net_free(struct net *net);
void net_dial(struct world *w, struct sim_node *from, uint32_t conn, const char *host);
void net_send(struct world *w, struct sim_node *from, uint32_t conn, struct span header, struct span payload);
void net_close(struct world *w, struct sim_node *from, uint32_t conn);
void net_pause(struct world *w, struct sim_node *from, uint32_t conn, bool pause);
void net_crashed(struct world *w, struct sim_node *n); /* its ends are gone; the others learn of it, or not */
void net_cut_one(struct world *w);
void net_set_partition(struct world *w, unsigned side); /* bit set of the nodes on one side; 0: healed */
struct sim_node *net_other_end(struct world *w, struct sim_node *n, uint32_t conn);

/* ---- the world ---- */

struct checks;

struct world {
    uint64_t seed, random;
    int64_t now_ms;
    uint64_t order;
    struct happening *queue; /* a heap */
    size_t count, cap;
    struct sim_node nodes[SIM_NODES];
    unsigned node_count;
    struct net *net;
    struct checks *checks;
    bool calm; /* the faults are over */
    bool verbose;
    unsigned delay_ms;
    uint64_t writes, steps, published;
};

/* ---- scenario.c ---- */

void scenario_run(struct world *w);
