/* The serving end of links: the nodes that follow us, each at its own place in the log.
 *
 *      free -> checking -> streaming          its log is a beginning of ours
 *        |        v            ^
 *        +---> opening ----> sending -> loading
 *                |  ^
 *                v  |
 *              waiting (for a fresh base)
 *
 * A follower is a cursor on the log. While it is near the end it reads from the window, pinned within the window's
 * limits; behind that from the disk, one piece at a time, so a slow follower costs no memory. What is published goes
 * between pieces of the log, as soon as the log up to its position is sent; for a follower that is too far behind for
 * that, a bounded queue waits, and what finds no room in it is lost to this follower. */
#pragma once

#include "replication/bulletin.h"
#include "replication/facts.h"
#include "replication/window.h"

struct core;
struct core_event;

enum { PRIMARY_FOLLOWERS = 64 };

enum follower_state {
    FOLLOWER_FREE,
    FOLLOWER_CHECKING, /* the disk is asked whether its log is a beginning of ours */
    FOLLOWER_OPENING,  /* the base */
    FOLLOWER_WAITING,  /* for the main thread to write a base */
    FOLLOWER_SENDING,  /* the base */
    FOLLOWER_LOADING,  /* it loads the base */
    FOLLOWER_STREAMING,
};

enum follower_source { SOURCE_NONE, SOURCE_WINDOW, SOURCE_OPENING, SOURCE_DISK, SOURCE_READING };

struct follower {
    unsigned state; /* enum follower_state */
    enum follower_source source;
    uint32_t conn;
    struct node_peer peer; /* as it can be dialed */
    uint64_t boot, epoch;
    bool fresh_base_asked, reading, had_data;
    uint64_t next;                       /* offset of the next byte to send */
    uint64_t received, applied, durable; /* as acknowledged */
    size_t queued;
    int64_t heard_ms, beat_ms, disk_at_ms;
    struct position base;
    uint64_t base_size, base_at;
    uint32_t base_crc;
    struct window_pin pin;
    bool pinned;
    struct bulletin_queue bulletins;
    bool bulletin_last; /* sent, and no log since */
};

struct primary {
    struct follower followers[PRIMARY_FOLLOWERS];
    bool base_wanted;
    bool acked; /* something was acknowledged in this turn */
    bool met;   /* somebody followed us since the start */
    uint64_t sync_full, sync_partial_ok, sync_partial_err;
    uint64_t forwarded, unforwarded; /* published messages that were queued for a follower; that found no room */
};

/* A visitor wants to follow us. */
void primary_hello(struct core *c, uint32_t conn, const struct node_id *claimed, const char *address,
                   const struct core_event *ev);

bool primary_owns(const struct core *c, uint32_t conn);
void primary_event(struct core *c, const struct core_event *ev);
void primary_base_ready(struct core *c);
void primary_base_failed(struct core *c, const char *why);
void primary_tick(struct core *c);
int64_t primary_deadline(const struct core *c);

/* Pass on what was published, to those who follow at their places in the log. */
void primary_publish(struct core *c, struct bulletin *b);

/* Our epochs or our peers changed: followers are told. */
void primary_tell_history(struct core *c);
void primary_tell_peers(struct core *c);

void primary_free(struct primary *p);

/* End all links, saying why. */
void primary_close_all(struct core *c, const char *why);

/* The follower of that id, or NULL. */
const struct follower *primary_find(const struct core *c, const struct node_id *id);
size_t primary_count_applied(const struct core *c, uint64_t offset);
const char *follower_state_name(const struct follower *f);
