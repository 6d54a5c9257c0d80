#include "server/client.h"
#include "server/commands/commands.h"
#include "server/script/shebang.h"
#include "server/scripting.h"
#include "server/server.h"

static const char no_script[] = "NOSCRIPT No matching script. Please use EVAL.";

/* script numkeys [key ...] [arg ...]: the keys and the rest. False: @not_a_number or another error was replied. */
bool scripts_take_arguments(struct call *c, const char *not_a_number, struct script_job *job)
{
    int64_t keys;
    if (!call_int_in(c, c->argv[2], INT64_MIN, INT64_MAX, &keys, not_a_number)) return false;
    if (keys > (int64_t)c->argc - 3) {
        reply_error(c->reply, "ERR Number of keys can't be greater than number of args");
    } else if (keys < 0) {
        reply_error(c->reply, "ERR Number of keys can't be negative");
    } else {
        job->keys = c->argv + 3;
        job->key_count = (size_t)keys;
        job->args = c->argv + 3 + keys;
        job->arg_count = c->argc - 3 - (size_t)keys;
        return true;
    }
    return false;
}

static void run(struct call *c, const struct cached_script *script, struct script_job *job)
{
    job->vm = script_cache_vm(scripting_cache(client_of(c)->server));
    job->function = script->function;
    job->flags = script->flags;
    job->read_only = c->command->flags & CMD_READONLY;
    memcpy(job->name, script->sha, sizeof script->sha);
    scripting_run(c, job);
}

void scripts_eval(struct call *c)
{
    struct script_job job = {0};
    struct errmsg m = {{0}};
    if (!scripts_take_arguments(c, NULL, &job)) return;
    const struct cached_script *s = script_cache_get(scripting_cache(client_of(c)->server), c->argv[1], &m);
    if (s) run(c, s, &job);
    else reply_error(c->reply, "ERR %s", m.text);
}

void scripts_evalsha(struct call *c)
{
    struct script_job job = {0};
    if (c->argv[1].n != SCRIPT_HEX) {
        reply_error(c->reply, no_script);
        return;
    }
    if (!scripts_take_arguments(c, NULL, &job)) return;
    const struct cached_script *s = script_cache_find(scripting_cache(client_of(c)->server), c->argv[1]);
    if (s) run(c, s, &job);
    else reply_error(c->reply, no_script);
}

void scripts_load(struct call *c)
{
    struct errmsg m = {{0}};
    const struct cached_script *s = script_cache_get(scripting_cache(client_of(c)->server), c->argv[2], &m);
    if (s) reply_bulk(c->reply, span_str(s->sha));
    else reply_error(c->reply, "ERR %s", m.text);
}

void scripts_exists(struct call *c)
{
    const struct script_cache *cache = scripting_cache(client_of(c)->server);
    reply_array(c->reply, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) reply_int(c->reply, script_cache_find(cache, c->argv[i]) != NULL);
}

void scripts_flush(struct call *c)
{
    const bool fits = c->argc == 2 || (c->argc == 3 && (span_is(c->argv[2], "sync") || span_is(c->argv[2], "async")));
    if (!fits) {
        reply_error(c->reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    script_cache_flush(scripting_cache(client_of(c)->server));
    reply_ok(c->reply);
}

void scripts_kill(struct call *c) { scripting_kill(c, false); }

void scripts_debug(struct call *c)
{
    const struct span mode = c->argv[2];
    if (span_is(mode, "no")) reply_ok(c->reply);
    else if (span_is(mode, "yes") || span_is(mode, "sync"))
        reply_error(c->reply, "ERR There is no debugger for scripts in this server");
    else reply_error(c->reply, "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}
