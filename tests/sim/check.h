/* What must hold. A check that fails prints the seed and ends the process.
 *
 *   prefix     equal (epoch id, offset) means an equal data set, on any node, at any time, after any crash
 *   opener     an epoch is opened once, and only its opener writes in it, and only in the life that opened it
 *   snapshot   no node is sent a snapshot whose log could have been continued
 *   fencing    a primary that hears of a primary of a higher rank accepts no write afterwards
 *   publishing a message reaches a node's clients only behind its position of the log, and only where the log up to there is the
 *              one that it was published behind
 *   keeping    nobody's data is replaced by another lineage, or by a log that is a mere beginning of it, without an operator
 *   healing    when the faults are over everybody ends up with equal data, within a bound of time; who can continue does
 *              so without an operator */
#pragma once

#include "tests/sim/sim.h"

struct checks *checks_new(void);
void checks_free(struct checks *c);

void check_fail(const struct world *w, const char *format, ...) PRINTF(2, 3) __attribute__((noreturn));

void check_prefix(struct world *w, const struct sim_node *n, uint64_t epoch_id, uint64_t offset, uint64_t digest);
uint64_t check_digest_at(struct world *w, const struct sim_node *n, uint64_t offset);
void check_opened(struct world *w, const struct sim_node *n, uint64_t epoch_id);
void check_writer(struct world *w, const struct sim_node *n, uint64_t epoch_id);
void check_snapshot_needed(struct world *w, struct sim_node *sender, struct sim_node *receiver, bool asked);
void check_fenced(struct world *w, struct sim_node *n, const Relevo__Announce *heard);
void check_kept(struct world *w, struct sim_node *n, const struct sim_base *base);

void check_published(struct world *w, const struct sim_node *n, const struct bulletin *b);

/* The primary that outranks all others, or NULL if two are of equal rank. */
struct sim_node *check_winner(struct world *w);
void check_followed_alone(struct world *w, struct sim_node *winner);
void check_healed(struct world *w, struct sim_node *winner);
