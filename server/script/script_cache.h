/* Scripts of EVAL and SCRIPT LOAD, compiled, by the SHA-1 of their text. They stay until script_cache_flush(), as in Redis 7.0. One
 * thread. */
#pragma once

#include "common/err.h"
#include "common/span.h"
#include "server/script/vm.h"

enum { SCRIPT_HEX = 40 };

struct script_cache;

struct cached_script {
    int function; /* for script_run */
    unsigned flags;
    char sha[SCRIPT_HEX + 1];
    struct span body;
};

struct script_cache *script_cache_new(const struct script_vm_options *vm);
void script_cache_free(struct script_cache *c);

/* The script of this text, compiled if it is new. NULL: @m says in the reply's text, "ERR " left out, what is wrong with it. */
const struct cached_script *script_cache_get(struct script_cache *c, struct span body, struct errmsg *m);
/* By its SHA-1 as hex digits of any case. NULL: there is none. */
const struct cached_script *script_cache_find(const struct script_cache *c, struct span sha);

/* Forget all, with the Lua state and what scripts left in it. */
void script_cache_flush(struct script_cache *c);

size_t script_cache_count(const struct script_cache *c);
size_t script_cache_bytes(const struct script_cache *c); /* texts and tables, without Lua's memory */
struct script_vm *script_cache_vm(const struct script_cache *c);
