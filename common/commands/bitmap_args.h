/* What the commands on bits have in common: their offsets, and their strings for reading and for writing. */
#pragma once

#include "common/call.h"

/* Read a position in bits. @width > 0: "#N" is taken too and counts in fields of that width. False: the error was
 * replied. */
MUST_USE bool bitmap_offset(struct call *c, struct span s, unsigned width, uint64_t *offset);

/* The string at @key, empty if there is none; borrowed, or formatted into @scratch (NUM_I64_MAX_TEXT bytes). False:
 * another type, the error was replied. */
MUST_USE bool bitmap_find(struct call *c, struct span key, char *scratch, struct span *s);

/* A string that is being written. */
struct bitmap {
    char *bytes; /* until the next change of the keyspace */
    size_t n;
    bool grown; /* it was made, or became longer: the caller reports that as a change */
};

/* The string at @key for writing; it is made, or grows by zeros, so that it has @last_bit. False: another type, the
 * error was replied. */
MUST_USE bool bitmap_edit(struct call *c, struct span key, uint64_t last_bit, struct bitmap *b);
