/* Where in a table the keys that expire are: how many of them each of some thousand equal ranges of the hash holds.
 *
 *     position of a key (htable.h), 48 bits = | range: 12 | ... |
 *
 * The table is walked in the order of the hash, so who searches for keys that expire passes over the ranges that have none
 * without a look at the table: a handful among millions is found by some thousand additions and the buckets of one range,
 * however the table is resized. 16 KB, from the first key that expires on. Belongs to keyspace.c. */
#pragma once

#include "common/htable.h"

enum { EXPIRY_MAP_BITS = 12, EXPIRY_MAP_RANGES = 1 << EXPIRY_MAP_BITS };

struct expiry_map {
    uint32_t *counts; /* NULL: nothing expired ever */
    uint64_t total;
};

void expiry_map_clear(struct expiry_map *m);
/* A key with this hash expires from now on, or does no more (or is gone). */
void expiry_map_add(struct expiry_map *m, uint64_t hash);
void expiry_map_remove(struct expiry_map *m, uint64_t hash);

/* The first position from @position on in whose range a key expires; that behind the last one if there is none. */
uint64_t expiry_map_next(const struct expiry_map *m, uint64_t position);

/* The range [*from, *to) of positions that holds key number @n < total of those that expire, in the order of the hash. */
void expiry_map_find(const struct expiry_map *m, uint64_t n, uint64_t *from, uint64_t *to);
