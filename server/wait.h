/* WAIT and WAITAOF: clients that wait until what they wrote is executed by enough replicas, or is on enough disks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply;
struct client;
struct server;
struct waiter;

struct waiters {
    struct waiter *first;
};

/* What a client waits for. */
struct wait_goal {
    uint64_t position; /* of the log, behind its last write */
    bool durable;      /* WAITAOF: fsynced counts, not executed */
    size_t local;      /* 1: here, too */
    size_t replicas;
};

/* Answer @c when the goal is reached, or @timeout_ms (0: none) have passed: now, if it must not wait. */
void wait_begin(struct client *c, const struct wait_goal *goal, int64_t timeout_ms, struct reply *now);
/* Acknowledgements came, or the disk has come further. */
void wait_check(struct server *s);
/* Answer as if its time were over, or (@error) that it was unblocked. False: it does not wait. */
bool wait_unblock(struct client *c, bool error);
/* This node became a replica: all are told so, and closed. */
void wait_role_changed(struct server *s);
void wait_forget(struct client *c);
/* Clients whose time will be over. */
size_t wait_timed(const struct server *s);
