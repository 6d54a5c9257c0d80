/* Members of large collections: one compact allocation each, which a hash table holds.
 *
 *     set member   | length | bytes |
 *     hash pair    | length of the field | length of the value | field | value |
 *
 * A length takes seven bits a byte, least significant first, the top bit saying that more follow (LEB128): one byte
 * below 128. So a member of 16 bytes, or a pair of 15 and 15, takes an allocation of 32 bytes. */
#pragma once

#include "common/htable.h"

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

/* Bytes that a table and its items take, from the first items of it (about 64) when there are many. */
size_t member_table_bytes(const struct htable *t);
