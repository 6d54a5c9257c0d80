/* sim [--seed N] [--runs M] [--regressions FILE] [--verbose]: first the histories that FILE keeps, then M histories from seed
 * N on; TAP on the standard output, a case for each kept seed and for each block of RUNS_PER_CASE seeds. */
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
    uint64_t steps, writes, published, snapshots, salvaged;
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
    t->published += w->published;
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
    (void)fprintf(stderr, "usage: sim [--seed N] [--runs M] [--regressions FILE] [--verbose]\n");
    exit(2);
}

enum { RUNS_PER_CASE = 250, REGRESSIONS_MAX = 1000 };

struct regression {
    uint64_t seed;
    char what[200];
};

/* Lines "<seed> <what it found>"; those that are empty or begin with '#' say nothing. */
static size_t regressions_read(const char *path, struct regression *list)
{
    char line[256];
    size_t n = 0;
    unsigned long long seed;
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(2);
    }
    while (n < REGRESSIONS_MAX && fgets(line, sizeof line, f)) {
        if (line[0] == '#' || line[0] == '\n') continue;
        if (sscanf(line, "%llu %199[^\n]", &seed, list[n].what) != 2) {
            (void)fprintf(stderr, "%s: no seed with what it found: %s", path, line);
            exit(2);
        }
        list[n++].seed = seed;
    }
    (void)fclose(f);
    return n;
}

struct options {
    uint64_t seed, runs;
    bool verbose;
    const char *regressions;
};

static struct options options_of(int argc, char **argv)
{
    struct options o = {.seed = 1, .runs = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) o.verbose = true;
        else if (strcmp(argv[i], "--seed") == 0) o.seed = number(argv[++i]);
        else if (strcmp(argv[i], "--runs") == 0) o.runs = number(argv[++i]);
        else if (strcmp(argv[i], "--regressions") == 0 && argv[i + 1]) o.regressions = argv[++i];
        else (void)number(NULL);
    }
    return o;
}

int main(int argc, char **argv)
{
    static struct regression kept[REGRESSIONS_MAX];
    const struct options o = options_of(argc, argv);
    const size_t count = o.regressions ? regressions_read(o.regressions, kept) : 0;
    unsigned long long number = 0;
    struct totals t = {0};
    printf("TAP version 13\n1..%llu\n", (unsigned long long)(count + (o.runs + RUNS_PER_CASE - 1) / RUNS_PER_CASE));
    for (size_t i = 0; i < count; i++) {
        run_seed(kept[i].seed, o.verbose, &t);
        printf("ok %llu - seed %llu, which once found: %s\n", ++number, (unsigned long long)kept[i].seed,
               kept[i].what);
    }
    for (uint64_t done = 0; done < o.runs;) {
        const uint64_t begin = done;
        for (; done < o.runs && done < begin + RUNS_PER_CASE; done++) run_seed(o.seed + done, o.verbose, &t);
        printf("ok %llu - every check holds in the histories of seeds %llu to %llu\n", ++number,
               (unsigned long long)(o.seed + begin), (unsigned long long)(o.seed + done - 1));
        (void)fflush(stdout);
    }
    printf("# %llu steps, %llu writes, %llu messages delivered, %llu snapshots, %llu times data was kept aside\n",
           (unsigned long long)t.steps, (unsigned long long)t.writes, (unsigned long long)t.published,
           (unsigned long long)t.snapshots, (unsigned long long)t.salvaged);
    return 0;
}
