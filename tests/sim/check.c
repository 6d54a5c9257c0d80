#include "tests/sim/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

/* A table from (epoch id, offset), or (epoch id, none), to a number. */
struct fact {
    uint64_t epoch_id, offset, value;
    bool used;
};

struct checks {
    struct fact *facts;
    size_t count, cap; /* a power of two */
};

struct checks *checks_new(void)
{
    struct checks *c = MEM_NEW(struct checks);
    c->cap = 1024;
    c->facts = mem_zalloc(c->cap, sizeof *c->facts);
    return c;
}

void checks_free(struct checks *c)
{
    mem_free(c->facts);
    mem_free(c);
}

void check_fail(const struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# seed %llu, at %.3f s: ", (unsigned long long)w->seed, (double)w->now_ms / 1000);
    (void)vprintf(format, args);
    va_end(args);
    printf("\nnot ok - seed %llu; repeat with: sim --seed %llu --runs 1 --verbose\n", (unsigned long long)w->seed,
           (unsigned long long)w->seed);
    (void)fflush(stdout);
    exit(1);
}

static struct fact *slot(struct fact *facts, size_t cap, uint64_t epoch_id, uint64_t offset)
{
    uint64_t h = (epoch_id ^ offset * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    size_t at = (size_t)(h >> 20) & (cap - 1);
    while (facts[at].used && (facts[at].epoch_id != epoch_id || facts[at].offset != offset))
        at = (at + 1) & (cap - 1);
    return &facts[at];
}

static void grow(struct checks *c)
{
    struct fact *more = mem_zalloc(c->cap * 2, sizeof *more);
    for (size_t i = 0; i < c->cap; i++)
        if (c->facts[i].used) *slot(more, c->cap * 2, c->facts[i].epoch_id, c->facts[i].offset) = c->facts[i];
    mem_free(c->facts);
    c->facts = more;
    c->cap *= 2;
}

/* The value that stands for the key; set to @value if none does yet. */
static uint64_t look_up(struct checks *c, uint64_t epoch_id, uint64_t offset, uint64_t value)
{
    if (c->count * 2 > c->cap) grow(c);
    struct fact *f = slot(c->facts, c->cap, epoch_id, offset);
    if (!f->used) {
        *f = (struct fact){epoch_id, offset, value, true};
        c->count++;
    }
    return f->value;
}

void check_prefix(struct world *w, const struct sim_node *n, uint64_t epoch_id, uint64_t offset, uint64_t digest)
{
    if (look_up(w->checks, epoch_id, offset, digest) != digest)
        check_fail(w, "n%u holds other data at offset %llu of an epoch than another node does", n->index,
                   (unsigned long long)offset);
}

/* The data set of @n's log at @offset, where a batch of somebody's ended. */
uint64_t check_digest_at(struct world *w, const struct sim_node *n, uint64_t offset)
{
    const struct epoch *e = history_at(&n->disk.history, offset - (offset > 0));
    const struct fact *f = e ? slot(w->checks->facts, w->checks->cap, e->id, offset) : NULL;
    return f && f->used ? f->value : 0;
}

static uint64_t who(const struct sim_node *n) { return (uint64_t)n->index << 32 | n->life; }

void check_opened(struct world *w, const struct sim_node *n, uint64_t epoch_id)
{
    struct fact *f = slot(w->checks->facts, w->checks->cap, epoch_id, UINT64_MAX);
    if (f->used) check_fail(w, "n%u opens an epoch that was opened before", n->index);
    (void)look_up(w->checks, epoch_id, UINT64_MAX, who(n));
}

void check_writer(struct world *w, const struct sim_node *n, uint64_t epoch_id)
{
    if (look_up(w->checks, epoch_id, UINT64_MAX, 0) != who(n))
        check_fail(w, "n%u writes in an epoch that it did not open in this life", n->index);
}

void check_snapshot_needed(struct world *w, struct sim_node *sender, struct sim_node *receiver, bool asked)
{
    struct facts a = {0}, b = {0};
    disk_facts(&receiver->disk, &a);
    disk_facts(&sender->disk, &b);
    const enum history_relation relation = facts_compare(&a, &b);
    struct batch_chain chain = {.offset = a.end, .crc = a.end_crc};
    const bool fits = (relation == HISTORY_EQUAL || relation == HISTORY_BEHIND) && history_enter(&b.history, &chain);
    const bool possible = fits && disk_verify(&sender->disk, a.end, a.end_crc, batch_seed(&chain)) == ERR_OK;
    if (possible && !asked)
        check_fail(w, "n%u sends n%u a snapshot although its log could be continued at %llu", sender->index,
                   receiver->index, (unsigned long long)a.end);
    facts_free(&a);
    facts_free(&b);
}

void check_fenced(struct world *w, struct sim_node *n, const Relevo__Announce *heard)
{
    struct facts f = {0};
    struct errmsg m;
    if (facts_read(heard->facts, &f, &m) != ERR_OK) check_fail(w, "an announcement cannot be read: %s", m.text);
    const bool higher = lineage_eq(&f.history.lineage, &n->core->self.history.lineage) &&
                        epoch_rank(facts_epoch(&f)) > epoch_rank(facts_epoch(&n->core->self));
    if (higher && core_role(n->core) == NODE_PRIMARY && !n->promoting)
        check_fail(w, "n%u heard of a primary of a higher rank and goes on as primary", n->index);
    facts_free(&f);
}

/* A message says itself behind which epoch's log it was published: see node_write(). */
void check_published(struct world *w, const struct sim_node *n, const struct bulletin *b)
{
    struct cursor c = cursor_of(buf_span(&b->bytes));
    struct message m;
    uint64_t epoch_id, position;
    if (!bulletin_next(&c, &m) || cursor_left(&c) || m.channel.n != sizeof epoch_id || m.text.n != sizeof position)
        check_fail(w, "n%u gets what was not published", n->index);
    memcpy(&epoch_id, m.channel.p, sizeof epoch_id);
    memcpy(&position, m.text.p, sizeof position);
    if (position != b->position || disk_end(&n->disk) < position)
        check_fail(w, "n%u is at %llu and delivers what was published at %llu", n->index,
                   (unsigned long long)disk_end(&n->disk), (unsigned long long)position);
    const struct epoch *e = history_at(&n->disk.history, position - 1);
    if (!e || e->id != epoch_id) check_fail(w, "n%u delivers what was published behind another log", n->index);
    w->published++;
}

void check_kept(struct world *w, struct sim_node *n, const struct sim_base *base)
{
    const struct history *ours = &n->disk.history;
    if (n->operator_spoke || !lineage_is_set(&ours->lineage)) return;
    if (!lineage_eq(&ours->lineage, &base->history.lineage))
        check_fail(w, "n%u replaces its data by another lineage's, and no operator said so", n->index);
    if (epoch_rank(history_last(&base->history)->number) < epoch_rank(history_last(ours)->number))
        check_fail(w, "n%u replaces its data by that of an epoch that is over", n->index);
}

struct sim_node *check_winner(struct world *w)
{
    struct sim_node *best = NULL;
    bool tie = false;
    for (unsigned i = 0; i < w->node_count; i++) {
        struct sim_node *n = &w->nodes[i];
        if (!n->up || core_role(n->core) != NODE_PRIMARY) continue;
        const uint64_t rank = epoch_rank(facts_epoch(&n->core->self));
        const uint64_t most = best ? epoch_rank(facts_epoch(&best->core->self)) : 0;
        if (!best || rank > most) {
            best = n;
            tie = false;
        } else if (rank == most) {
            tie = true;
        }
    }
    return tie ? NULL : best;
}

static bool follows(struct world *w, const struct sim_node *n, const struct sim_node *winner)
{
    for (unsigned hops = 0; hops < w->node_count; hops++) {
        if (n == winner) return true;
        if (!n->up || !replica_linked(&n->core->replica)) return false;
        n = node_by_host(w, n->core->replica.target.host);
    }
    return false;
}

/* Whether @n should have found its way to @winner without an operator. */
static bool should_follow(const struct sim_node *n, const struct sim_node *winner)
{
    if (core_role(n->core) == NODE_FENCED) return false;
    if (!lineage_is_set(&n->core->self.history.lineage)) return false;
    if (!core_is_rejoin(n->core, &winner->core->self)) return false;
    if (epoch_rank(facts_epoch(&winner->core->self)) <= epoch_rank(facts_epoch(&n->core->self))) return false;
    for (size_t i = 0; i < winner->core->herald.count; i++)
        if (node_id_eq(&winner->core->herald.known[i].peer.id, &n->id)) return true;
    return false;
}

void check_followed_alone(struct world *w, struct sim_node *winner)
{
    for (unsigned i = 0; i < w->node_count; i++) {
        struct sim_node *n = &w->nodes[i];
        if (n != winner && n->accepts &&
            epoch_rank(facts_epoch(&n->core->self)) < epoch_rank(facts_epoch(&winner->core->self)) &&
            lineage_eq(&n->core->self.history.lineage, &winner->core->self.history.lineage))
            for (size_t k = 0; k < winner->core->herald.count; k++)
                if (node_id_eq(&winner->core->herald.known[k].peer.id, &n->id))
                    check_fail(w, "n%u still accepts writes although n%u knows it and outranks it", i, winner->index);
        if (!follows(w, n, winner) && should_follow(n, winner))
            check_fail(w, "n%u (%s, %s) should follow n%u by now: %s", i, core_state_name(n->core),
                       replica_state_name(&n->core->replica), winner->index, n->core->replica.error);
    }
}

void check_healed(struct world *w, struct sim_node *winner)
{
    for (unsigned i = 0; i < w->node_count; i++) {
        struct sim_node *n = &w->nodes[i];
        if (!follows(w, n, winner))
            check_fail(w, "n%u (%s, %s) does not follow n%u after an operator said so: %s", i,
                       core_state_name(n->core), replica_state_name(&n->core->replica), winner->index,
                       n->core->replica.error);
        if (disk_end(&n->disk) != disk_end(&winner->disk) || disk_digest(&n->disk) != disk_digest(&winner->disk))
            check_fail(w, "n%u ends at %llu, n%u at %llu: their data differ", i,
                       (unsigned long long)disk_end(&n->disk), winner->index,
                       (unsigned long long)disk_end(&winner->disk));
    }
}
