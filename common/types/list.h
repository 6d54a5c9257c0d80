/* A list of byte strings: a chain of listpack nodes with a count in each, so both ends are cheap and an index is
 * found node by node. An element too large for a node stands in one of its own.
 *
 * Usable without the keyspace. Not thread-safe. */
#pragma once

#include "common/engine.h"
#include "common/watch.h"

struct list;

enum list_end { LIST_HEAD, LIST_TAIL };

struct list *list_new(void);
void list_free(struct list *l);
struct list *list_dup(const struct list *l);

uint64_t list_size(const struct list *l);
void list_push(struct list *l, enum list_end end, struct span element, const struct encoding_limits *limits);
/* Append the element to @to (which may be NULL) and remove it; false if the list is empty. */
bool list_pop(struct list *l, enum list_end end, struct buf *to);

/* Index from 0, or from -1 backwards. The element is borrowed or formatted into @scratch (NUM_I64_MAX_TEXT). */
bool list_get(const struct list *l, int64_t index, struct span *element, char *scratch);
bool list_set(struct list *l, int64_t index, struct span element, const struct encoding_limits *limits);

/* Insert beside the first element that equals @pivot; false if there is none. */
bool list_insert(struct list *l, struct span pivot, bool after, struct span element,
                 const struct encoding_limits *limits);
/* Remove @n elements from index @from (0 <= from <= size) on, fewer at the end. */
void list_remove_range(struct list *l, uint64_t from, uint64_t n);
/* Remove up to @most (0: all) elements that equal @element, seen from @end; returns how many. */
uint64_t list_remove_equal(struct list *l, struct span element, enum list_end end, uint64_t most);

/* Walk. An iterator dies with the next change of the list. */
struct list_iter {
    const struct list *list;
    const void *node;
    const unsigned char *at;
    bool backwards;
};
void list_iter_begin(struct list_iter *i, const struct list *l, int64_t index, bool backwards);
bool list_iter_next(struct list_iter *i, struct span *element, char *scratch);

const char *list_encoding(const struct list *l); /* "listpack" while it is one node that fits, else "quicklist" */
size_t list_bytes(const struct list *l, uint64_t samples);
void list_check(const struct list *l);

/* For the RDB codec: visit the nodes in order; @plain is true for one large element on its own. */
typedef void list_visit_node(void *context, struct span bytes, bool plain);
uint64_t list_nodes(const struct list *l);
void list_each_node(const struct list *l, list_visit_node *visit, void *context);
void list_show_node(const void *node, list_visit_node *visit, void *context); /* one of them */

/* Who watches the nodes (watch.h; its before() is not used). A node is known by its address. */
struct list_watch {
    struct watch watch;
    /* A node that was there at the beginning, and was not taken yet, is about to change or to go: once for each. */
    void (*keep)(struct list_watch *w, const void *node);
    /* A node is about to go, after keep() if that was due; @next (NULL: none) stands behind it. */
    void (*gone)(struct list_watch *w, const void *node, const void *next);
    uint64_t shape; /* the list's own */
};
void list_begin_watch(struct list *l, struct list_watch *w);
void list_end_watch(struct list *l, bool whole);  /* whole: every node was taken */
struct watch *list_watched(const struct list *l); /* NULL: nobody */
const void *list_first_node(const struct list *l);
const void *list_next_node(const void *node);
/* Take a node; false if it was taken or kept already, or is younger than the watch. */
bool list_take_node(const struct list *l, const void *node);
/* Append a listpack (approved by lp_valid(), not empty; taken) or one plain element (copied). */
void list_append_listpack(struct list *l, void *listpack);
void list_append_plain(struct list *l, struct span element);
