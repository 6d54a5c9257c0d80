/* Listpack: a list of short strings and integers in one run of bytes.
 *
 *     | total bytes u32 le | count u16 le | element ... | 0xFF |
 *     element = | encoding and data | length of that, backwards readable, 1-5 bytes |
 *
 * Byte for byte the format of Redis 7 (its design document "listpack.md"), so an RDB file takes and gives it as it
 * is. A count of 65535 means "walk to know". Integers that are written canonically are stored as such.
 *
 * A listpack is one allocation that the caller owns through a pointer; what changes it may move it and returns the
 * new place. Elements are named by a pointer into it, valid until the next change. Not thread-safe. */
#pragma once

#include "common/err.h"
#include "common/num.h"
#include "common/span.h"

enum { LP_HEADER_BYTES = 6, LP_MAX_BYTES = 1 << 30 };

typedef unsigned char lp_t; /* the first byte of a listpack */

lp_t *lp_new(void);
void lp_free(lp_t *lp); /* NULL is a no-op */
lp_t *lp_dup(const lp_t *lp);

size_t lp_bytes(const lp_t *lp);
size_t lp_count(const lp_t *lp);

/* NULL where there is none. Index counts from 0, or from -1 backwards. */
const lp_t *lp_first(const lp_t *lp);
const lp_t *lp_last(const lp_t *lp);
const lp_t *lp_next(const lp_t *lp, const lp_t *at);
const lp_t *lp_prev(const lp_t *lp, const lp_t *at);
const lp_t *lp_seek(const lp_t *lp, int64_t index);

/* The element as text. An integer is formatted into @scratch (NUM_I64_MAX_TEXT bytes), anything else is borrowed. */
struct span lp_get(const lp_t *at, char *scratch);
bool lp_get_int(const lp_t *at, int64_t *v); /* false: it is stored as a string */
bool lp_equal(const lp_t *at, struct span s);

/* First element equal to @s at or behind @from, looking at one and then passing over @skip. */
const lp_t *lp_find(const lp_t *lp, const lp_t *from, struct span s, unsigned skip);

/* Would @s still fit under LP_MAX_BYTES? */
bool lp_fits(const lp_t *lp, struct span s);

MUST_USE lp_t *lp_append(lp_t *lp, struct span s);
MUST_USE lp_t *lp_append_int(lp_t *lp, int64_t v);
MUST_USE lp_t *lp_prepend(lp_t *lp, struct span s);
/* Insert before @at, or at the end if @at is NULL. *inserted (may be NULL) is set to the new element. */
MUST_USE lp_t *lp_insert(lp_t *lp, const lp_t *at, struct span s, const lp_t **inserted);
/* *at is set to the element in its new form. */
MUST_USE lp_t *lp_replace(lp_t *lp, const lp_t **at, struct span s);
MUST_USE lp_t *lp_replace_int(lp_t *lp, const lp_t **at, int64_t v);
/* Delete @n elements from *at on; *at is set to what follows them, or NULL. */
MUST_USE lp_t *lp_delete(lp_t *lp, const lp_t **at, size_t n);

/* Is this run of bytes from a stranger a whole, well-formed listpack of exactly @n bytes? */
bool lp_valid(const void *bytes, size_t n);
