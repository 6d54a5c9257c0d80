/* A few cores in a room: messages arrive at once and in order, files answer at once, and everything is written down.
 * Time moves only when a test says so. */
#pragma once

#include "replication/core.h"
#include "replication/frame.h"

enum { RIG_NODES = 3 };

struct rig_message {
    struct rig_message *next;
    unsigned to;
    enum event_kind kind;
    uint32_t conn;
    struct buf header, payload;
    char text[64];
};

struct rig_wire {
    unsigned node[2]; /* RIG_NODES: gone */
    uint32_t conn[2];
};

struct rig_node {
    struct core *core;
    struct todo todo;
    struct node_id id;
    bool deaf;        /* does not answer a dial */
    bool holds_queue; /* the network takes nothing from it */
    size_t queued;
    uint32_t queue_conn;
    struct buf snapshot; /* received */
    struct position base;
    struct buf base_bytes; /* what followers are sent */
    bool base_there;
    uint64_t applied;
    bool applies; /* reports chunks as applied at once */
    unsigned stepped_down, fenced, following, confirmed, wanted_base, loaded, salvaged;
    bool fetched;
    struct buf data;  /* log bytes received */
    struct buf heard; /* bulletins received */
};

struct rig {
    struct rig_node nodes[RIG_NODES];
    struct rig_wire wires[64];
    unsigned wire_count;
    struct rig_message *first, **last;
    int64_t now_ms;
    struct buf trace;
    bool tracing;
};

void rig_open(struct rig *r);
void rig_close(struct rig *r);

/* Add node @i with this log: @lineage 0 is none. */
void rig_add(struct rig *r, unsigned i, uint8_t lineage, uint64_t epoch, uint64_t epoch_id, uint64_t end);
/* The process of node @i ends and begins anew, as primary, with this log and this peer. */
void rig_restart_primary(struct rig *r, unsigned i, const struct facts *self, const struct node_peer *peer);
void rig_give(struct rig *r, unsigned i, const struct core_event *ev);
void rig_settle(struct rig *r); /* until nothing is on its way */
void rig_pass(struct rig *r, int64_t ms);

void rig_start_primary(struct rig *r, unsigned i);
void rig_promote(struct rig *r, unsigned i, uint64_t epoch_id);
void rig_follow(struct rig *r, unsigned i, unsigned whom, bool take_any);
void rig_write(struct rig *r, unsigned i, const char *payload);
/* Publish @text in the channel "news", where the log ends. */
void rig_publish(struct rig *r, unsigned i, struct span text);
/* The log goes on to @offset without a batch for the window. */
void rig_advance(struct rig *r, unsigned i, uint64_t offset, uint32_t crc);
void rig_cut(struct rig *r, unsigned i, uint32_t conn);
