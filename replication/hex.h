/* The numbers of the log and of the manifest: lower-case hexadecimal, one text for one value. Pure. */
#pragma once

#include "common/buf.h"

enum { HEX_MAX_TEXT = 16 };

static inline bool hex_is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/* Without leading zeros; returns the length. */
size_t hex_write(char *to, uint64_t v);

/* Exactly @digits of them. */
void hex_write_fixed(char *to, uint64_t v, unsigned digits);
void hex_write_bytes(char *to, const uint8_t *p, size_t n); /* two digits a byte, no terminating zero */

void hex_add(struct buf *b, uint64_t v);
void hex_add_fixed(struct buf *b, uint64_t v, unsigned digits);

/* A whole span. */
bool hex_parse(struct span s, uint64_t *v);
bool hex_parse_fixed(struct span s, unsigned digits, uint64_t *v);
bool hex_parse_bytes(struct span s, uint8_t *p, size_t n);

/* A number in its canonical form, and the @end character behind it. */
bool hex_take(struct cursor *c, char end, uint64_t *v);
bool hex_take_fixed(struct cursor *c, unsigned digits, uint64_t *v);
