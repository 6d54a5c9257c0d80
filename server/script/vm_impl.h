/* What the files of the Lua state share among themselves. */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "server/script/vm.h"

enum {
    VM_HOOK_INSTRUCTIONS = 10000, /* between two looks at the host: some 50 us */
    VM_KEYS = 7,                  /* names of fields by which a table is told to be more than an array */
};

struct script_vm {
    lua_State *L;
    struct script_host host;
    size_t memory, memory_limit;
    const char *version;
    unsigned version_number;

    /* References. */
    int globals;   /* the table behind the read-only one that scripts see */
    int load_time; /* the same for libraries while they are loaded */
    int handler, runner;

    unsigned resp;       /* of the replies that a script gets: redis.setresp() */
    const char *stopped; /* the error that ends it */
    unsigned short random[3];
    struct script_run run;
    char name[128];
    const struct script_register *registering;

    struct buf reply;   /* of the command at hand */
    struct buf numbers; /* of its arguments, as text */
    struct span *argv;
    size_t argv_room;
};

/* The state's owner, from any of its threads. */
static inline struct script_vm *vm_of(lua_State *L)
{
    void *vm;
    (void)lua_getallocf(L, &vm);
    return vm;
}

/* ---- sandbox.c ---- */

/* Make the globals, from Lua's own libraries and ours; sets vm->globals and vm->load_time. */
void sandbox_open(struct script_vm *vm);
/* Replace the table on top by one that shows the same and cannot be changed. With @complain, what is not there is an error. */
void sandbox_protect(lua_State *L, bool complain);
/* As luaL_loadbuffer(), for source code only. */
int sandbox_load(lua_State *L, struct span code, const char *name);
/* Push a new environment for a library's code: it shows vm->load_time, and from sandbox_release_library() on all globals. */
void sandbox_push_library(struct script_vm *vm);
void sandbox_release_library(struct script_vm *vm, int environment);

/* ---- redis_api.c ---- */

/* Push the table `redis`, as scripts see it, or (@load_time) as a library sees it while it is loaded. */
void redis_api_push(struct script_vm *vm, bool load_time);
/* Push {err = @text}. */
void redis_api_push_error(lua_State *L, const char *text);

/* ---- values.c ---- */

/* Push the first value of a well-formed reply; returns where it ends. */
const char *values_push(lua_State *L, const char *reply);
/* Append the value on top of the stack as a reply, and pop it. To be called from the runner, which has the names of fields as
 * upvalues 1 .. VM_KEYS. @lua_resp: the protocol that the script has chosen. */
void values_reply(lua_State *L, struct reply *to, unsigned lua_resp);
/* Append "-text", made one line. */
void values_reply_error(struct reply *to, struct span text);
/* Push the names of the fields; see values_reply(). */
void values_push_keys(lua_State *L);
