/* The first line of a script: which engine, and what the script promises.
 *
 *     #!lua flags=no-writes,allow-stale        a script for EVAL
 *     #!lua name=mylib                         a library of functions */
#pragma once

#include "common/err.h"
#include "common/span.h"

/* What a script or function may do, or promises not to do. */
enum script_flag {
    SCRIPT_NO_WRITES = 1 << 0,
    SCRIPT_ALLOW_OOM = 1 << 1,
    SCRIPT_ALLOW_STALE = 1 << 2,
    SCRIPT_NO_CLUSTER = 1 << 3,
    SCRIPT_ALLOW_CROSS_SLOT = 1 << 4,
    SCRIPT_COMPAT = 1 << 5, /* it has no first line: checks come with each command, as before Redis 7 */
};

/* The flag of that name, or 0. */
unsigned shebang_flag(struct span name);
/* The name of flag number @i, or NULL behind the last. */
const char *shebang_flag_name(unsigned i);

/* A script for EVAL: its flags, and its code without the first line but for the line's end, so that lines keep their numbers.
 * Without "#!" the flags are SCRIPT_COMPAT. Errors: ERR_INVALID, with the reply's text in @m. */
MUST_USE enum err shebang_of_script(struct span body, unsigned *flags, struct span *code, struct errmsg *m);

/* A library: its name. Errors: as above. */
MUST_USE enum err shebang_of_library(struct span body, struct span *name, struct span *code, struct errmsg *m);

/* Is @name one that a library or a function may have? */
bool shebang_is_name(struct span name);
