/* What the portraits of the different structures have in common. For portrait*.c only.
 *
 * A portrait begins with a struct portrait, and the structure's own part follows. */
#pragma once

#include <stddef.h>

#include "common/portrait.h"

struct portrait_kind {
    /* As portrait_step(); the head is out already. */
    bool (*step)(struct portrait *p, struct portion *portion);
    /* Stop watching; free what hangs on the portrait. True: the collection was left to it. */
    bool (*end)(struct portrait *p);
    size_t (*bytes)(const struct portrait *p); /* of what hangs on it; NULL: nothing does */
};

struct portrait {
    const struct portrait_kind *kind;
    enum type type;
    void *object;
    struct piece_writer *pieces;
    struct buf head; /* the record up to its elements; empty when it is out */
    bool in_front;
    uint64_t stream; /* where elements go whose order does not matter: one of its own, in front 0 */
    bool waits;      /* something stands in its own */
};

/* Allocate @size bytes, zeroed, with the common part filled in and the key in the head. */
void *portrait_make(size_t size, const struct portrait_kind *kind, const struct entry *e, struct span head,
                    struct piece_writer *w);

/* The kinds. */
struct portrait *portrait_new_table(const struct entry *e, struct htable *table, struct span head,
                                    struct piece_writer *w);
struct portrait *portrait_new_string(const struct entry *e, struct span head, struct piece_writer *w);
struct portrait *portrait_new_list(const struct entry *e, struct span head, struct piece_writer *w);
struct portrait *portrait_new_stream(const struct entry *e, struct span head, struct piece_writer *w);

#define PORTRAIT_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
