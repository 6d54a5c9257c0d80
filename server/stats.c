#include "server/stats.h"

#include <stdio.h>

#include "common/mem.h"

void stats_init(struct stats *s, size_t command_ids)
{
    *s = (struct stats){.command_ids = command_ids};
    turn_init(&s->turn);
    s->by_command = mem_zalloc(command_ids, sizeof *s->by_command);
}

static void free_histograms(struct stats *s)
{
    for (size_t i = 0; i < s->command_ids; i++) histogram_free(s->by_command[i].latency);
}

void stats_make_histogram(struct command_stat *t) { t->latency = MEM_NEW(struct histogram); }

void stats_free(struct stats *s)
{
    if (s->by_command) free_histograms(s);
    mem_free(s->by_command);
    s->by_command = NULL;
}

void stats_reset(struct stats *s)
{
    struct command_stat *by_command = s->by_command;
    const size_t ids = s->command_ids;
    const struct turn turn = s->turn;
    free_histograms(s);
    memset(by_command, 0, ids * sizeof *by_command);
    *s = (struct stats){.by_command = by_command, .command_ids = ids, .turn = turn};
    turn_reset(&s->turn);
}

void stats_error(struct stats *s, struct span reply)
{
    size_t n = 1;
    s->errors++;
    while (n < reply.n && reply.p[n] != ' ' && reply.p[n] != '\r') n++;
    if (n - 1 >= STATS_ERROR_NAME || n == 1) return;
    const struct span name = span_of(reply.p + 1, n - 1);
    size_t i = 0;
    while (i < s->error_kinds && !span_eq(span_str(s->by_error[i].name), name)) i++;
    if (i == STATS_ERROR_KINDS) return; /* more kinds than Redis has: not worth a line */
    if (i == s->error_kinds) {
        s->error_kinds++;
        memcpy(s->by_error[i].name, name.p, name.n);
        s->by_error[i].name[name.n] = '\0';
    }
    s->by_error[i].count++;
}

static void rate_sample(struct rate *r, uint64_t count, uint64_t elapsed_ns)
{
    r->samples[r->next] = (uint64_t)((double)(count - r->last_count) * 1e9 / (double)elapsed_ns);
    r->next = (r->next + 1) % STATS_SAMPLES;
    r->last_count = count;
}

void stats_sample(struct stats *s, int64_t now_ns, uint64_t link_in, uint64_t link_out)
{
    const int64_t elapsed = now_ns - s->sampled_ns;
    if (s->sampled_ns && elapsed > 0) {
        rate_sample(&s->command_rate, s->commands, (uint64_t)elapsed);
        rate_sample(&s->in_rate, s->bytes_in, (uint64_t)elapsed);
        rate_sample(&s->out_rate, s->bytes_out, (uint64_t)elapsed);
        rate_sample(&s->link_in_rate, link_in, (uint64_t)elapsed);
        rate_sample(&s->link_out_rate, link_out, (uint64_t)elapsed);
        rate_sample(&s->turn_rate, s->turn.figures.turns, (uint64_t)elapsed);
        rate_sample(&s->wall_rate, s->turn.figures.wall, (uint64_t)elapsed);
    }
    s->sampled_ns = now_ns;
    turn_measure(&s->turn);
}

uint64_t rate_get(const struct rate *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < STATS_SAMPLES; i++) sum += r->samples[i];
    return sum / STATS_SAMPLES;
}
