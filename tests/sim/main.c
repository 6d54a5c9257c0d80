/* sim --seed N --runs M [--verbose]: run M histories, from seed N on; TAP on the standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/num.h"
#include "tests/sim/check.h"
#include "tests/sim/sim.h"

static void world_free(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->queue[i].drop) w->queue[i].drop(w->queue[i].what);
    mem_free(w->queue);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &w->nodes[i];
        core_free(n->core);
        todo_free(&n->todo);
        buf_free(&n->receiving);
        disk_free(&n->disk);
    }
    net_free(w->net);
    checks_free(w->checks);
    mem_free(w);
}

struct totals {
    uint64_t steps, writes, snapshots, salvaged;
};

static void run_seed(uint64_t seed, bool verbose, struct totals *t)
{
    struct world *w = MEM_NEW(struct world);
    w->seed = w->random = seed;
    w->verbose = verbose;
    w->net = net_new();
    w->checks = checks_new();
    scenario_run(w);
    t->steps += w->steps;
    t->writes += w->writes;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        t->snapshots += w->nodes[i].snapshots_taken;
        t->salvaged += w->nodes[i].salvaged;
    }
    world_free(w);
}

static uint64_t number(const char *text)
{
    uint64_t v;
    if (text && num_parse_u64(span_str(text), &v)) return v;
    (void)fprintf(stderr, "usage: sim [--seed N] [--runs M] [--verbose]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, runs = 1;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) verbose = true;
        else if (strcmp(argv[i], "--seed") == 0) seed = number(argv[++i]);
        else if (strcmp(argv[i], "--runs") == 0) runs = number(argv[++i]);
        else (void)number(NULL);
    }
    struct totals t = {0};
    printf("TAP version 13\n1..1\n");
    for (uint64_t i = 0; i < runs; i++) run_seed(seed + i, verbose, &t);
    printf("# %llu steps, %llu writes, %llu snapshots, %llu times data was kept aside\n", (unsigned long long)t.steps,
           (unsigned long long)t.writes, (unsigned long long)t.snapshots, (unsigned long long)t.salvaged);
    printf("ok 1 - every check holds in %llu histories from seed %llu on\n", (unsigned long long)runs,
           (unsigned long long)seed);
    return 0;
}
