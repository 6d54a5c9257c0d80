/* How large keys are: counts by type in steps that double. For strings the size is in bytes, for collections in elements.
 *
 * Made when it is asked for, so that it costs nothing before: all keys of a small database, of a large one a run of the table
 * from a random place on. Keys stand in the table in the order of a secret hash, so any run is a fair sample. */
#pragma once

#include "common/engine.h"
#include "common/keyspace.h"

enum { KEY_SIZES_STEPS = 64 };

struct key_sizes {
    uint64_t keys, looked_at; /* in the database; in the sample */
    /* [type][0]: of size 0; [type][i]: from 2^(i-1) up to 2^i - 1. */
    uint64_t counts[TYPE_COUNT][KEY_SIZES_STEPS + 1];
};

/* Look at about @most keys of database @db, beginning where @random says. */
void key_sizes_look(struct engine *e, unsigned db, uint64_t most, uint64_t random, struct key_sizes *s);

/* How many keys of the database there are in a step, as far as the sample tells. */
uint64_t key_sizes_get(const struct key_sizes *s, enum type type, unsigned step);
