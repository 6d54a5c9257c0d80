/* A stream: entries (lists of fields and values) under IDs that only grow, and the groups of consumers that read it.
 *
 * A radix tree of nodes of entries (stream_node.h), by the IDs the nodes begin with. Deleted entries leave a mark in
 * their node until all of it is gone. Usable without the keyspace. Not thread-safe. */
#pragma once

#include "common/engine.h"
#include "common/types/stream_groups.h"
#include "common/types/stream_node.h"
#include "common/watch.h"

struct stream;

/* What a stream remembers beside its entries. */
struct stream_marks {
    struct stream_id last;        /* the highest ID that was ever given */
    struct stream_id first;       /* of the entries that are there; zero if there are none */
    struct stream_id max_deleted; /* the highest ID that was deleted by name */
    uint64_t added;               /* entries since the stream began: not fewer than there are, at most INT64_MAX */
};

struct stream *stream_new(void);
void stream_free(struct stream *s);
struct stream *stream_dup(const struct stream *s);
uint64_t stream_size(const struct stream *s);
size_t stream_bytes(const struct stream *s, uint64_t samples);
void stream_check(const struct stream *s);

const struct stream_marks *stream_marks(const struct stream *s);
void stream_set_marks(struct stream *s, const struct stream_marks *m); /* the first ID is the stream's own matter */
struct stream_groups *stream_groups(struct stream *s);
const struct stream_groups *stream_groups_of(const struct stream *s);

/* Do these @count pairs of a field and a value fit into a node? */
bool stream_fits(const struct span *pairs, size_t count);
/* Add an entry that fits, under an ID above the last. */
void stream_append(struct stream *s, struct stream_id id, const struct span *pairs, size_t count,
                   const struct encoding_limits *limits);
bool stream_has(const struct stream *s, struct stream_id id);
/* Delete an entry by name; false if there is none. */
bool stream_delete(struct stream *s, struct stream_id id);

/* Remove the oldest entries: down to a number of them, or up to an ID. */
struct stream_trim {
    bool by_id, approximate; /* approximate: only whole nodes */
    uint64_t max_length;
    struct stream_id min;
    uint64_t limit; /* remove at most this many, 0: any number */
};
uint64_t stream_trim(struct stream *s, const struct stream_trim *t);

/* The ID of the first entry; deleted ones count if @deleted_too. Zero if there is none. */
struct stream_id stream_first(const struct stream *s, bool deleted_too);
/* The ID of the last entry that is there; zero if there is none. */
struct stream_id stream_last(const struct stream *s);

/* Walk over the entries in [@start, @end], upwards or downwards. An iterator dies with the next change. */
struct stream_iter {
    const struct stream *stream;
    struct stream_id start, end, node_id;
    bool backwards;
    const lp_t *node, *at, *field, *value; /* `at`: the entry that comes next */
    struct stream_head head;
    struct stream_entry entry;
    uint64_t fields_left;
};
void stream_iter_begin(struct stream_iter *i, const struct stream *s, struct stream_id start, struct stream_id end,
                       bool backwards);
bool stream_iter_next(struct stream_iter *i, struct stream_id *id, uint64_t *fields);
/* The next field of that entry. Each scratch has NUM_I64_MAX_TEXT bytes. */
bool stream_iter_field(struct stream_iter *i, struct span *field, struct span *value, char *scratch, char *scratch2);

/* How far into all entries that ever were @id lies, counted from 1; -1 where it cannot be told. */
int64_t stream_position(const struct stream *s, struct stream_id id);
/* Was anything deleted by name from @from on, among the entries that are there? */
bool stream_has_gaps(const struct stream *s, struct stream_id from);

/* Shape, as Redis's XINFO tells it. */
uint64_t stream_nodes(const struct stream *s);
uint64_t stream_tree_nodes(const struct stream *s);

/* For the walk: the node that begins at or before @id (@before), or at or after it; NULL if there is none. */
const lp_t *stream_node_near(const struct stream *s, struct stream_id id, bool before, struct stream_id *node_id);

/* Who watches the nodes (watch.h; its before() is not used). */
struct stream_watch {
    struct watch watch;
    /* The node of this ID is about to change or to go; NULL: to come. */
    void (*node)(struct stream_watch *w, struct stream_id id, const lp_t *node);
};
void stream_set_watch(struct stream *s, struct stream_watch *w); /* NULL: nobody any more */
struct watch *stream_watched(const struct stream *s);            /* NULL: nobody */

/* For the RDB codec: the nodes in order. */
typedef void stream_visit_node(void *context, struct stream_id id, struct span listpack);
void stream_each_node(const struct stream *s, stream_visit_node *visit, void *context);
/* Take a listpack that lp_valid() approved as the node behind all others. False: it is no node, or not behind them;
 * then the caller keeps it. */
MUST_USE bool stream_append_node(struct stream *s, struct stream_id id, lp_t *node);
