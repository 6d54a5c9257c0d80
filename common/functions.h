/* Libraries of functions (FUNCTION LOAD): kept as they came from a Redis's files, and written back.
 *
 * Nothing here runs one. A library is its source text, whose first line says what it is called:
 *
 *     #!lua name=mylib
 *
 * A data set has few of them; they stand in the order in which they came. Zero-initialised is empty. Not thread-safe. */
#pragma once

#include "common/buf.h"

struct function_library {
    struct span name; /* points into the text */
    struct span code;
};

struct functions {
    struct function_library *at;
    size_t count;
    uint64_t changes; /* another number after each change, also when another data set comes */
};

/* Copies @code. Errors: ERR_INVALID  its first line names no library; ERR_EXISTS  there is one of that name, and not
 * @replace. */
MUST_USE enum err functions_load(struct functions *f, struct span code, bool replace, struct errmsg *m);
bool functions_delete(struct functions *f, struct span name); /* false: there is none of that name */
void functions_clear(struct functions *f);

/* Replay a FUNCTION command of a Redis's log: LOAD, DELETE, FLUSH, RESTORE. Errors: ERR_CORRUPT  it does not fit. */
MUST_USE enum err functions_replay(struct functions *f, const struct span *argv, size_t argc, struct errmsg *m);
