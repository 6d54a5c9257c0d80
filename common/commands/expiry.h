/* Expiry times as commands take them: relative or absolute, in seconds or milliseconds. */
#pragma once

#include "common/call.h"

/* How EX, PX, EXAT and PXAT, EXPIRE and its sisters count. */
struct time_unit {
    int64_t ms; /* 1000 or 1 */
    bool absolute;
};

/* Does the word (EX, PX, EXAT, PXAT) stand before a time, and in which unit? */
MUST_USE bool expiry_word(struct span word, struct time_unit *unit);

/* Read the expiry time that a SET-like command sets: it must be positive. False: the error was replied. */
MUST_USE bool expiry_read(struct call *c, struct span s, struct time_unit unit, int64_t *expiry);

/* As EXPIRE reads it: a time in the past is fine, only overflow is refused. */
MUST_USE bool expiry_read_any(struct call *c, struct span s, struct time_unit unit, int64_t *expiry);

/* Store a string with an expiry time, and log it with the time made absolute. */
void expiry_put_string(struct call *c, struct span key, struct span string, int64_t expiry);
