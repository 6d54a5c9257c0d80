/* Scripts and functions at work: who runs one, what it may do, and what becomes of one that does not end.
 *
 *     idle --EVAL, FCALL--> running --it returns--> idle                    within one turn of the loop, as any command
 *                             |  busy-reply-threshold
 *                             v
 *                            busy --it returns, or is stopped--> idle       the loop turns, the script gets slices of it
 *
 * A script runs on a stack of its own (script/fiber.h), so it can be left in the middle. While it is busy its client is
 * blocked; everybody else is answered -BUSY, but for the commands that may still be called (CMD_ALLOW_BUSY). Since half
 * of what it does must not be seen: no batch of the log is closed, nothing expires or is evicted, no snapshot begins, and
 * what a replica receives waits.
 *
 * A transaction that has a script in it is executed in the same way, as a whole. Main thread. */
#pragma once

#include <uv.h>

#include "common/call.h"
#include "server/script/library.h"
#include "server/script/script_cache.h"

struct client;
struct server;
struct scripting; /* opaque */

void scripting_init(struct server *s);
/* Whatever was at work is forgotten. */
void scripting_free(struct server *s);
/* Take over the settings. */
void scripting_configure(struct server *s);

struct script_cache *scripting_cache(struct server *s);
/* The functions, brought into line with the data set. */
struct libraries *scripting_libraries(struct server *s);
/* A command has changed the functions of the data set, and scripting_libraries() likewise: log @argv. */
void scripting_functions_changed(struct call *c, const struct span *argv, size_t argc);

/* What a script is to be run with; spans are borrowed until it begins. */
struct script_job {
    struct script_vm *vm;
    int function;
    unsigned flags;   /* enum script_flag */
    bool is_function; /* FCALL, rather than EVAL */
    bool read_only;   /* by one of the commands *_RO */
    const struct span *keys, *args;
    size_t key_count, arg_count;
    char name[128]; /* SHA-1, or name of the function */
};

/* From a command: check what the flags promise, run, reply. Copies @job. */
void scripting_run(struct call *c, const struct script_job *job);

/* Does this command run a script? */
bool scripting_is_script(const struct command_entry *e);
/* From a command: do something that runs scripts. @body writes one reply into @reply; it may be called on another stack, and
 * the command may have returned before it ends. */
void scripting_execute(struct call *c, void (*body)(struct client *c, struct reply *reply, void *context),
                       void *context);

/* Is something of a script's half done, and the loop turns? */
bool scripting_is_busy(const struct server *s);
/* Refuse a command because of that: replies -BUSY. */
void scripting_refuse(const struct server *s, struct reply *reply);

/* SCRIPT KILL, FUNCTION KILL: replies. */
void scripting_kill(struct call *c, bool function);
/* This node's role or data are about to change: what is busy ends with an error, now. */
void scripting_abort(struct server *s);

/* A stop was asked for: true if it must wait for the script, and will be asked for again behind it. */
MUST_USE bool scripting_delays_stop(struct server *s);

/* The script at work, for FUNCTION STATS; false: there is none. */
struct script_at_work {
    const char *name;
    const struct span *argv;
    size_t argc;
    int64_t ms;
    bool is_function;
};
MUST_USE bool scripting_at_work(const struct server *s, struct script_at_work *w);

/* Memory, for INFO. */
struct scripting_memory {
    size_t eval_vm, function_vm; /* of Lua */
    size_t scripts, functions;   /* texts and tables */
    size_t script_count, function_count, library_count;
};
void scripting_memory(struct server *s, struct scripting_memory *m);
