/* A run of strings of one length: a form of a list's node in which elements take not a byte beside their own.
 *
 *     | width | begin | end | room | free | element | element | ... | free |
 *                                  0    begin                      end   room     (offsets in bytes)
 *
 * Free room may be on both sides, so both ends are pushed and popped without moving anything; a push on the side that
 * has none moves the elements over, once. An element is named by a pointer to it, valid until the next change.
 * An allocation that ends by mem_free(). Not thread-safe. */
#pragma once

#include "common/listpack.h"

struct flat {
    uint32_t width; /* bytes of an element, not 0 */
    uint32_t begin, end, room;
    unsigned char bytes[];
};

/* An empty run for elements of @width bytes that takes @bytes of memory in all; at least one element fits. */
struct flat *flat_new(size_t bytes, size_t width);
/* A copy without free room. */
struct flat *flat_dup(const struct flat *f);
/* The same elements in as little memory as they need; takes @f. */
MUST_USE struct flat *flat_trim(struct flat *f);
/* The same elements as a listpack, which the caller owns. */
lp_t *flat_to_listpack(const struct flat *f);

static inline size_t flat_count(const struct flat *f) { return (f->end - f->begin) / f->width; }
static inline struct span flat_get(const struct flat *f, const unsigned char *at) { return span_of(at, f->width); }

/* NULL where there is none. */
const unsigned char *flat_at(const struct flat *f, size_t index);
const unsigned char *flat_next(const struct flat *f, const unsigned char *at);
const unsigned char *flat_prev(const struct flat *f, const unsigned char *at);
const unsigned char *flat_find(const struct flat *f, const unsigned char *from, struct span s);

/* False: it has another length, or there is no room. */
bool flat_push(struct flat *f, bool at_head, struct span s);
/* False: it has another length. */
bool flat_set(struct flat *f, const unsigned char *at, struct span s);
/* Delete @n elements from *at on, which are there; *at is set to what follows them, or NULL. */
void flat_delete(struct flat *f, const unsigned char **at, size_t n);

void flat_check(const struct flat *f);
