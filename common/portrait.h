/* The portrait of one large value: what it held at one moment, made in bounded parts while commands change it.
 *
 * A list or a stream is given node by node (portrait_list.c, portrait_stream.c), and a node that changes ahead of its turn
 * at once. A collection in a hash table is divided into granules, ranges of the hash, about a bucket each (granules.h). The
 * portrait walks over them; an element that changes in one that was not reached yet is given first, as it was, and its slot is
 * marked. So nothing is given twice, a change costs one element's bytes once, and the memory is one bit for each bucket.
 *
 * The elements' order is the table's, with those that were changed early before the others; loaders do not mind.
 *
 * A portrait waits until it is its turn: what changes give meanwhile goes to a stream of its own (piece.h). When it comes to
 * the front, its head, what was given so far and the rest go to stream 0 in one run.
 *
 * It is the watch (watch.h) of its collection from portrait_new() to portrait_free(). */
#pragma once

#include "common/keyspace.h"
#include "common/piece.h"

struct portrait;

/* How much is to be done at once: until the output has grown to so many bytes, or so many places were passed. */
struct portion {
    size_t full;
    uint64_t places;
};

static inline bool portion_left(const struct portion *p, const struct buf *out)
{
    return out->len < p->full && p->places > 0;
}

/* A collection of more than one node, or in a table, gets a portrait if it has more elements or takes more bytes; a
 * string if it is longer. */
struct portrait_bounds {
    uint64_t elements;
    size_t bytes;
};
bool portrait_is_due(const struct entry *e, const struct portrait_bounds *bounds);

/* Begin; O(1) but for the bits. The collection is as it is now. @w outlives the portrait. @head: what stands before the key's
 * record in the file (SELECTDB); copied. */
struct portrait *portrait_new(const struct entry *e, struct span head, struct piece_writer *w);

/* It is at the front of stream 0 from now on, until it is done. */
void portrait_come(struct portrait *p);

/* Give parts of one that is in front; false when all was given. */
bool portrait_step(struct portrait *p, struct portion *portion);

/* Stop watching, and free the portrait, at any time. If the collection was left to it, its type and *object come back,
 * the caller's to free; else *object is NULL. */
enum type portrait_free(struct portrait *p, void **object);

size_t portrait_bytes(const struct portrait *p);
