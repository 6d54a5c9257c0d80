/* A node of a stream: a listpack of entries that follow each other. Inside the stream only.
 *
 *     head:  live, deleted, number of fields, field ..., 0
 *     entry: flags, ms - node's ms, seq - node's seq, [number of fields], field or value ..., number of elements
 *
 * The node's ID is its first entry's when it was made. An entry whose fields are the head's, in that order, has only
 * the values (flag SAME_FIELDS). A deleted entry stays, with a flag. The number of elements at the end of each entry does not
 * count itself; by it a node is walked backwards, and the 0 of the head ends that. Byte for byte what Redis keeps and
 * writes to its files. */
#pragma once

#include "common/listpack.h"
#include "common/types/stream_id.h"

enum { STREAM_ENTRY_DELETED = 1, STREAM_ENTRY_SAME_FIELDS = 2 };

struct stream_head {
    const lp_t *live_at, *deleted_at;
    uint64_t live, deleted, fields;
    const lp_t *fields_at; /* the first field; the 0 if there is none */
    const lp_t *first;     /* the first entry; NULL: none */
};

struct stream_entry {
    const lp_t *at; /* its flags */
    unsigned flags;
    struct stream_id id;
    uint64_t fields;
    const lp_t *values; /* the first field, or with SAME_FIELDS the first value; NULL only if fields is 0 */
};

void stream_node_head(const lp_t *node, struct stream_head *h);

/* The entry whose flags are at @at. */
void stream_node_entry(const lp_t *node, const struct stream_head *h, struct stream_id node_id, const lp_t *at,
                       struct stream_entry *e);

/* Where the next entry begins, the one before, the last of the node; NULL: there is none. */
const lp_t *stream_node_after(const lp_t *node, const struct stream_entry *e);
const lp_t *stream_node_before(const lp_t *node, const lp_t *at);
const lp_t *stream_node_last(const lp_t *node);

/* A node without entries whose fields are those of @pairs (field, value, ...). */
lp_t *stream_node_new(const struct span *pairs, size_t count);
/* Add an entry. Its ID is above those in the node. */
MUST_USE lp_t *stream_node_append(lp_t *node, struct stream_id node_id, struct stream_id id, const struct span *pairs,
                                  size_t count);
/* Mark the entry at *at as deleted. */
MUST_USE lp_t *stream_node_delete(lp_t *node, const lp_t *at);

/* Is this valid listpack, from a stranger, a node with a live entry whose IDs grow and lie at or above @node_id?
 * @last is the last of them, deleted ones included. */
bool stream_node_valid(const lp_t *node, struct stream_id node_id, struct stream_id *last);
