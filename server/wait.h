/* WAIT: clients that wait until enough replicas have executed what they wrote. */
#pragma once

#include <uv.h>

struct client;
struct server;

struct waiter;

struct waiters {
    struct waiter *first;
    uv_timer_t timer; /* the nearest deadline */
};

void wait_init(struct server *s);
/* Answer @c when @replicas have the log up to @position, or @timeout_ms (0: none) passed. */
void wait_begin(struct client *c, uint64_t position, size_t replicas, int64_t timeout_ms);
/* Acknowledgements came. */
void wait_check(struct server *s);
void wait_role_changed(struct server *s);
void wait_forget(struct client *c);
void wait_free(struct server *s);
