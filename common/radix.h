/* Radix tree from 128-bit numbers to pointers, in the order of the numbers.
 *
 * A number is 16 bytes, the highest first. A node holds the bytes that all its keys share from its depth on, and one
 * child per next byte, sorted; at the last byte the children are the values. So numbers that lie close together, as
 * the IDs of a stream do, take about nine bytes each, and nothing is compared but bytes on the way down:
 *
 *     00 00 01 8b .. 2f | 00 .. 07 |-> value        the node's shared bytes | the next byte |-> child
 *                       | 00 .. 09 |-> value
 *                       | 30 .. .. |-> node
 *
 * Zero-initialised is empty and valid. Values are never NULL and belong to the caller. Not thread-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct radix_node;

struct radix {
    struct radix_node *root; /* NULL: empty */
    uint64_t size;
};

struct radix_key {
    uint64_t hi, lo;
};

/* NULL if there is none. */
void *radix_find(const struct radix *r, struct radix_key key);

/* Add or overwrite; returns the value that stood there, or NULL. */
void *radix_put(struct radix *r, struct radix_key key, void *value);

/* Remove; returns the value that stood there, or NULL. */
void *radix_take(struct radix *r, struct radix_key key);

/* The nearest key at or above, at or below; its value, or NULL if there is none. */
void *radix_at_or_after(const struct radix *r, struct radix_key key, struct radix_key *found);
void *radix_at_or_before(const struct radix *r, struct radix_key key, struct radix_key *found);

/* Remove everything; @free_value (may be NULL) gets each value. */
void radix_clear(struct radix *r, void (*free_value)(void *value));

/* Memory of the nodes. */
size_t radix_bytes(const struct radix *r);

/* How many nodes a tree would have in which a run of shared bytes, a branching and a value take a node each: what
 * Redis calls "radix-tree-nodes". */
uint64_t radix_plain_nodes(const struct radix *r);

void radix_check(const struct radix *r);
