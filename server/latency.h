/* The latency monitor: when something kept the loop for long, by kind of event ("command", "expire-cycle" ...). Of each event
 * the last LATENCY_SAMPLES seconds that had one are kept, with the longest of that second. Kinds are ours, so there are few;
 * their names are literals. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

enum { LATENCY_SAMPLES = 160, LATENCY_EVENTS = 16 };

struct latency_sample {
    int64_t at_s; /* Unix time */
    uint64_t ms;
};

struct latency_event {
    const char *name; /* NULL: unused */
    uint64_t longest_ms;
    struct latency_sample samples[LATENCY_SAMPLES]; /* a ring */
    size_t count, next;
};

struct latency;

struct latency *latency_new(void);
void latency_free(struct latency *l);

/* @event lasted @ms, at @at_s. */
void latency_add(struct latency *l, const char *event, uint64_t ms, int64_t at_s);

/* The event of that name, or number @i from 0 on; NULL if it never happened. */
const struct latency_event *latency_find(const struct latency *l, struct span name);
const struct latency_event *latency_at(const struct latency *l, size_t i);
/* Sample @i of its count, the oldest first. */
const struct latency_sample *latency_sample_at(const struct latency_event *e, size_t i);

/* Forget one event, false if it never happened; or all, returning how many there were. */
bool latency_reset(struct latency *l, struct span name);
size_t latency_reset_all(struct latency *l);

/* A picture of an event's samples: columns of height, with how long ago each was. */
void latency_graph(const struct latency_event *e, int64_t now_s, struct buf *to);
/* What the events tell, and what may be done about it, for people. @threshold_ms: 0: nothing is watched. */
void latency_report(const struct latency *l, int64_t threshold_ms, struct buf *to);
