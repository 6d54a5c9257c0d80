/* Members of large collections: one compact allocation each, which a hash table holds.
 *
 *     set member   | length | bytes |     or, of the three lengths below, | bytes |
 *     hash pair    | length of the field | length of the value | field | value |
 *
 * A length takes seven bits a byte, least significant first, the top bit saying that more follow (LEB128): one byte
 * below 128. So a pair of 15 and 15 takes an allocation of 32 bytes.
 *
 * Allocators round up to a multiple of 16, so with a byte of length a set's member of 16 bytes would take 32. Where
 * members fill by themselves what is allocated, the length stands in two low bits of the item's address instead, which
 * are free because blocks lie at multiples of 8 (bit 0 is the table's):
 *
 *     | address | 000 |   length and bytes        | address | 010 |    8 bytes
 *     | address | 100 |   16 bytes                | address | 110 |   32 bytes */
#pragma once

#include "common/htable.h"
#include "common/mem.h"

enum { MEMBER_LENGTH_MAX = 10 };

/* Write a length; returns the bytes it took (at most MEMBER_LENGTH_MAX). */
static inline size_t member_put_length(unsigned char *to, size_t length)
{
    size_t n = 0;
    for (; length >= 0x80; length >>= 7) to[n++] = (unsigned char)(length | 0x80);
    to[n++] = (unsigned char)length;
    return n;
}

static inline size_t member_length_bytes(size_t length)
{
    size_t n = 1;
    while (length >>= 7) n++;
    return n;
}

/* Read a length and step over it. */
static inline size_t member_take_length(const unsigned char **at)
{
    size_t length = *(*at)++;
    if (length < 0x80) return length;
    length &= 0x7f;
    for (unsigned shift = 7;; shift += 7) {
        const unsigned char byte = *(*at)++;
        length |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return length;
    }
}

/* Items of sets. */
enum { MEMBER_BARE = 6 };

/* What was allocated for an item of any table. */
static inline void *member_block(const void *item) { return (void *)((uintptr_t)item & ~(uintptr_t)MEMBER_BARE); }

/* A set's item that holds a copy of @bytes; ends by member_free(). */
void *member_new(struct span bytes);
static inline void member_free(void *item) { mem_free(member_block(item)); }

/* The bytes of a set's item, borrowed. */
static inline struct span member_span(const void *item)
{
    const unsigned bare = (uintptr_t)item & MEMBER_BARE;
    const unsigned char *at = member_block(item);
    if (bare) return span_of(at, (size_t)4 << bare / 2);
    const size_t length = member_take_length(&at);
    return span_of(at, length);
}

/* Bytes that a table and its items take; the first @samples items of it stand for all (0: each is looked at). */
size_t member_table_bytes(const struct htable *t, uint64_t samples);
