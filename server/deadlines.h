/* What must happen at its time, the nearest first: a binary heap of pointers, so that setting and clearing are O(log n). A
 * deadline is embedded in what waits for it, and stays there while it is set. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is not set. */
struct deadline {
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*over)(struct deadline *d);
};

/* Zero-initialised is empty. */
struct deadlines {
    struct deadline **heap;
    size_t count, room;
};

/* @d is not set. */
void deadlines_set(struct deadlines *all, struct deadline *d, int64_t at_ms);
void deadlines_clear(struct deadlines *all, struct deadline *d); /* no-op if it is not set */
struct deadline *deadlines_first(const struct deadlines *all);   /* NULL: none is set */
void deadlines_free(struct deadlines *all);
