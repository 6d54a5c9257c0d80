/* What the server counts. Plain numbers, written by the main loop only; server/info.c tells them. */
#pragma once

#include "common/command.h"
#include "server/histogram.h"
#include "server/turn.h"

struct command_stat {
    uint64_t calls, ticks, rejected, failed;
    struct histogram *latency; /* NULL: nothing was counted yet */
};

enum { STATS_ERROR_KINDS = 128, STATS_ERROR_NAME = 32, STATS_SAMPLES = 16 };

struct error_stat {
    char name[STATS_ERROR_NAME]; /* "WRONGTYPE" */
    uint64_t count;
};

/* A rate per second, out of samples of a counter. */
struct rate {
    uint64_t last_count;
    uint64_t samples[STATS_SAMPLES];
    unsigned next;
};

struct stats {
    uint64_t connections, rejected_connections, commands;
    uint64_t bytes_in, bytes_out;
    uint64_t reads, writes;             /* of sockets of clients */
    uint64_t expiry_ns, expiry_cut;     /* deleting what expired: time; rounds that had no time for all */
    uint64_t exceeded_ms, exceeding_ms; /* above maxmemory: in all; since when it is */
    uint64_t query_limit_closed, output_limit_closed, timeout_closed, evicted_clients;
    uint64_t errors, protocol_errors;
    uint64_t denied_auth, denied_command, denied_key, denied_channel; /* as in ACL LOG */
    struct rate command_rate, in_rate, out_rate, turn_rate, wall_rate, link_in_rate, link_out_rate;
    int64_t sampled_ns;

    struct command_stat *by_command; /* by command_entry.id */
    size_t command_ids;

    struct error_stat by_error[STATS_ERROR_KINDS];
    size_t error_kinds;

    struct turn turn; /* how long turns and commands take */
};

void stats_init(struct stats *s, size_t command_ids);
void stats_free(struct stats *s);
/* CONFIG RESETSTAT. */
void stats_reset(struct stats *s);

/* A command took so many ticks: count that in its histogram. */
void stats_make_histogram(struct command_stat *t);
static inline void stats_latency(struct stats *s, struct command_stat *t, uint64_t took)
{
    if (__builtin_expect(!t->latency, 0)) stats_make_histogram(t);
    histogram_add(t->latency, ticks_ns(&s->turn.ticks, took));
}

/* An error was replied; @reply begins with '-'. */
void stats_error(struct stats *s, struct span reply);

/* Take samples for the rates; several times a second. @link_in, @link_out: bytes on links so far. */
void stats_sample(struct stats *s, int64_t now_ns, uint64_t link_in, uint64_t link_out);
uint64_t rate_get(const struct rate *r);
