/* Libraries of functions as Lua has them: loaded, their functions by name.
 *
 * The data set keeps libraries as source text (common/functions.h); this follows it:
 *
 *     FUNCTION LOAD    libraries_load(): compiled and run here, then the text is put into the data
 *     replay, RESTORE  change the data; the next look here finds another functions_version() and libraries_follow() loads
 *                      what is new and drops what is gone
 *
 * Names of functions are compared without regard to case, those of libraries with it, as in Redis 7.0. One thread. */
#pragma once

#include "common/err.h"
#include "common/span.h"
#include "server/script/vm.h"

struct functions;
struct libraries;

struct library_function {
    struct span name;        /* owned */
    struct span description; /* owned; p is NULL: none */
    unsigned flags;
    int reference; /* for script_run */
};

struct library {
    struct span name, code; /* owned; name points into code */
    struct library_function *functions;
    size_t count;
};

/* @vm: the options of the Lua state, which is made anew when everything is flushed. @say is told of libraries in the data that
 * cannot be loaded. */
struct libraries *libraries_new(const struct script_vm_options *vm, void (*say)(void *context, const char *text),
                                void *context);
void libraries_free(struct libraries *l);

/* Load what @code defines beside, or (@replace) in place of, what is there. Errors: ERR_INVALID, ERR_EXISTS with the reply's text
 * in @m; then nothing has changed. On success *name points into the loaded code. */
MUST_USE enum err libraries_load(struct libraries *l, struct span code, bool replace, struct span *name,
                                 struct errmsg *m);
bool libraries_delete(struct libraries *l, struct span name); /* false: there is none */
void libraries_clear(struct libraries *l);

/* Have what @data has. */
void libraries_follow(struct libraries *l, const struct functions *data);

/* NULL: there is none. Valid until something changes. */
const struct library_function *libraries_find(const struct libraries *l, struct span function);

size_t libraries_count(const struct libraries *l);
const struct library *libraries_at(const struct libraries *l, size_t i);
size_t libraries_functions(const struct libraries *l); /* of all */
size_t libraries_bytes(const struct libraries *l);     /* names, code and tables, without Lua's memory */
struct script_vm *libraries_vm(const struct libraries *l);
