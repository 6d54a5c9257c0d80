#include <stdio.h>

#include "tests/sim/check.h"
#include "tests/sim/sim.h"

enum { JOIN_MS = 5000, SETTLE_MS = 90000, REPAIR_MS = 60000, QUIET_MS = 8000 };

static struct sim_node *any_node(struct world *w) { return &w->nodes[sim_random(w, w->node_count)]; }

/* Clients write to every node that lets them. */
static void clients(struct world *w, void *what)
{
    const bool *writing = what;
    if (!*writing) return;
    node_write(w, any_node(w));
    if (sim_chance(w, 5))
        for (unsigned i = 0; i < 30; i++) node_write(w, &w->nodes[i % w->node_count]);
    sim_later(w, 5 + (int64_t)sim_random(w, w->calm ? 2000 : 150), clients, NULL, what);
}

static void boot_again(struct world *w, void *what)
{
    struct sim_node *n = what;
    if (!n->up) node_boot(w, n);
}

static void heal_partition(struct world *w, void *what)
{
    (void)what;
    net_set_partition(w, 0);
}

static void one_fault(struct world *w)
{
    struct sim_node *n = any_node(w);
    switch (sim_random(w, 12)) {
    case 0:
    case 1:
    case 2:
        if (!n->up) break;
        node_crash(w, n, sim_chance(w, 40));
        sim_later(w, (int64_t)sim_random(w, sim_chance(w, 50) ? 200 : 15000), boot_again, NULL, n);
        break;
    case 3:
        net_set_partition(w, (unsigned)sim_random(w, 1u << w->node_count));
        sim_later(w, (int64_t)sim_random(w, 12000), heal_partition, NULL, NULL);
        break;
    case 4:
    case 5:
    case 6: net_cut_one(w); break;
    case 7:
        if (sim_chance(w, 40)) node_operator_promote(w, n);
        break;
    case 8:
        if (sim_chance(w, 30)) node_operator_follow(w, n, any_node(w));
        break;
    case 9:
        if (n->up && lineage_is_set(&n->disk.history.lineage)) disk_make_base(w, &n->disk);
        break;
    default: break; /* a quiet moment */
    }
}

static void faults(struct world *w, void *what)
{
    const int64_t *until_ms = what;
    if (w->now_ms >= *until_ms) return;
    one_fault(w);
    sim_later(w, 20 + (int64_t)sim_random(w, 2500), faults, NULL, what);
}

/* An operator looks at the ruins: who is primary from now on, and who is told to follow. */
static struct sim_node *choose_winner(struct world *w)
{
    struct sim_node *winner = check_winner(w);
    for (unsigned i = 0; !winner && i < w->node_count; i++) {
        if (!lineage_is_set(&w->nodes[i].disk.history.lineage) || w->nodes[i].core->replica.loading) continue;
        node_operator_promote(w, &w->nodes[i]);
        sim_run(w, w->now_ms + 100);
        winner = check_winner(w);
    }
    if (!winner) check_fail(w, "no node can be made primary");
    return winner;
}

static void repair(struct world *w, struct sim_node *winner)
{
    for (unsigned i = 0; i < w->node_count; i++) {
        struct sim_node *n = &w->nodes[i];
        const bool at_home =
            replica_linked(&n->core->replica) && node_by_host(w, n->core->replica.target.host) == winner;
        if (n != winner && !at_home) node_operator_follow(w, n, winner);
    }
}

static void set_up(struct world *w)
{
    w->node_count = 2 + (unsigned)sim_random(w, SIM_NODES - 1);
    w->delay_ms = 1 + (unsigned)sim_random(w, 80);
    for (unsigned i = 0; i < w->node_count; i++) {
        struct sim_node *n = &w->nodes[i];
        n->index = i;
        for (size_t b = 0; b < sizeof n->id.bytes; b++) n->id.bytes[b] = (uint8_t)(1 + sim_random(w, 255));
        n->keeps_following = sim_chance(w, 50);
        if (i > 0) (void)snprintf(n->follow, sizeof n->follow, "n0");
        node_boot(w, n);
    }
}

void scenario_run(struct world *w)
{
    bool writing = true;
    set_up(w);
    clients(w, &writing);
    sim_run(w, JOIN_MS);

    int64_t until_ms = JOIN_MS + 5000 + (int64_t)sim_random(w, 35000);
    faults(w, &until_ms);
    sim_run(w, until_ms + 3000);

    w->calm = true;
    net_set_partition(w, 0);
    for (unsigned i = 0; i < w->node_count; i++)
        if (!w->nodes[i].up) node_boot(w, &w->nodes[i]);
    sim_run(w, w->now_ms + 16000); /* what was begun under faults comes to its end */
    for (unsigned i = 0; i < w->node_count; i++)
        if (!w->nodes[i].up) node_boot(w, &w->nodes[i]);
    struct sim_node *winner = check_winner(w);
    sim_run(w, w->now_ms + SETTLE_MS);
    if (winner && winner == check_winner(w)) check_followed_alone(w, winner);

    winner = choose_winner(w);
    repair(w, winner);
    sim_run(w, w->now_ms + REPAIR_MS);
    writing = false;
    sim_run(w, w->now_ms + QUIET_MS);
    check_healed(w, winner);
}
