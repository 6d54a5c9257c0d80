/* Which keys were touched by what the log has not yet committed, and up to which position: what a read depends on.
 *
 * Kept are hashes of keys under a secret, in two generations that go as a whole when everything in them is committed. Two
 * keys with the same hash make a read wait in vain, no more. Pure. */
#pragma once

#include "common/span.h"

struct touched;

struct touched *touched_new(const uint8_t hash_key[16]);
void touched_free(struct touched *t);

/* A command whose effects stand before @position of the log changed @key. Positions never fall. */
void touched_add(struct touched *t, unsigned db, struct span key, uint64_t position);
/* It changed every key. */
void touched_add_all(struct touched *t, uint64_t position);

/* The position that a reader of @key depends on; 0: none. */
uint64_t touched_find(const struct touched *t, unsigned db, struct span key);

/* The log is committed up to @committed. */
void touched_forget(struct touched *t, uint64_t committed);

size_t touched_count(const struct touched *t);
