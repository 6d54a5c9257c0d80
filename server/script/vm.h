/* A Lua state that runs scripts of strangers: Redis's globals and nothing else, bounded memory, and a way to stop.
 *
 *     struct script_vm *vm = script_vm_new(&options);
 *     int f; if (!script_vm_compile(vm, code, "@user_script", &f, &m)) ...
 *     script_vm_run(vm, &run);                           // one reply is appended to run.reply
 *
 * What a script asks of the server goes through the host. Nothing here knows a socket, a file, a clock or the event loop.
 * One thread. A script's errors, its lack of memory among them, are replies; they never reach the caller otherwise. */
#pragma once

#include "common/buf.h"
#include "common/reply.h"

struct script_vm;

/* Levels of redis.log(). */
enum script_log_level { SCRIPT_LOG_DEBUG, SCRIPT_LOG_VERBOSE, SCRIPT_LOG_NOTICE, SCRIPT_LOG_WARNING };

enum script_acl { SCRIPT_ACL_ALLOWED, SCRIPT_ACL_DENIED, SCRIPT_ACL_NO_COMMAND };

/* What scripts ask of the server. */
struct script_host {
    void *context;
    /* Execute a command (at least one argument); append one reply of protocol @resp. */
    void (*call)(void *context, const struct span *argv, size_t argc, unsigned resp, struct buf *reply);
    void (*log)(void *context, enum script_log_level level, struct span text);
    enum script_acl (*may_call)(void *context, const struct span *argv, size_t argc);
    /* Every so many instructions. May leave the stack and come back later (fiber.h). NULL: go on; else the script ends with
     * this error ("ERR ..."). */
    const char *(*tick)(void *context);
};

struct script_vm_options {
    struct script_host host; /* copied */
    size_t memory_limit;     /* bytes that Lua may take */
    const char *version;     /* "7.0.15": what redis.REDIS_VERSION says; borrowed */
    unsigned version_number; /* 0x0007000f */
};

struct script_vm *script_vm_new(const struct script_vm_options *o);
/* A script that has left the stack is never gone on with. NULL is a no-op. */
void script_vm_free(struct script_vm *vm);

void script_vm_limit_memory(struct script_vm *vm, size_t bytes);
size_t script_vm_memory(const struct script_vm *vm); /* bytes that Lua took */

/* Compile @code; *function is a reference that script_vm_release() frees. @name stands in error messages: "@user_script".
 * Errors: ERR_INVALID  with Lua's message in @m; ERR_NO_MEMORY. */
MUST_USE enum err script_vm_compile(struct script_vm *vm, struct span code, const char *name, int *function,
                                    struct errmsg *m);
void script_vm_release(struct script_vm *vm, int function);

struct script_run {
    int function;
    bool by_arguments;              /* function(keys, args), rather than the globals KEYS and ARGV */
    const struct span *keys, *args; /* needed until the script begins */
    size_t key_count, arg_count;
    const char *name;    /* in errors: a SHA-1 or a function's name; at most 127 bytes are copied */
    struct reply *reply; /* gets one reply, when the script has ended; needed until then */
};

/* Run it. */
void script_vm_run(struct script_vm *vm, const struct script_run *run);

/* ---- For libraries of functions (library.c) ---- */

/* A function that a library registered while it was loaded. */
struct script_function {
    struct span name;        /* valid only during the call */
    struct span description; /* p is NULL: none */
    unsigned flags;
    int reference; /* the receiver owns it: script_vm_release() */
};

struct script_register {
    void *context;
    /* NULL: taken; else the reason why not. */
    const char *(*add)(void *context, const struct script_function *f);
};

/* Run a library's code, which finds nothing but redis.register_function() and a few more. On the caller's stack. Errors:
 * ERR_INVALID, with the reply's text in @m, "ERR " left out. */
MUST_USE enum err script_vm_load_library(struct script_vm *vm, struct span code, const struct script_register *r,
                                         struct errmsg *m);
