/* Intset: a sorted array of distinct integers, all of the width that the widest one needs.
 *
 *     | width u32 le: 2, 4 or 8 | count u32 le | integers, ascending, little endian |
 *
 * The format of Redis's RDB_TYPE_SET_INTSET, so an RDB file takes and gives it as it is. One allocation, owned by
 * the caller; what changes it may move it and returns the new place. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/span.h"

typedef unsigned char intset_t;

intset_t *intset_new(void);
void intset_free(intset_t *s);
intset_t *intset_dup(const intset_t *s);
size_t intset_count(const intset_t *s);
size_t intset_bytes(const intset_t *s);
bool intset_has(const intset_t *s, int64_t v);
int64_t intset_at(const intset_t *s, size_t index);
MUST_USE intset_t *intset_add(intset_t *s, int64_t v, bool *added);
MUST_USE intset_t *intset_remove(intset_t *s, int64_t v, bool *removed);

/* Is this run of bytes from a stranger a whole intset of exactly @n bytes, ascending and without duplicates? */
bool intset_valid(const void *bytes, size_t n);
