/* Happy path of a busy script: fiber_start() comes back unfinished -> the client is blocked, its reply gathers in `out` -> idle
 * callbacks of the loop give it slices -> it returns -> the reply goes to the client, which goes on.
 * Failures:   the client leaves -> the script goes on without it; its memory is kept until then (CLIENT_PINNED).
 * Cancel:     SCRIPT KILL, while it has not written; scripting_abort() whether it has or not. */
#include "server/scripting.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/functions.h"
#include "common/mem.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/kept_request.h"
#include "server/script/fiber.h"
#include "server/script/shebang.h"
#include "server/scripting_impl.h"
#include "server/server.h"
#include "server/version.h"

enum {
    STACK_BYTES = 8 << 20, /* only what is used takes memory */
    SLICE_US = 1000,       /* of a turn of the loop */
    KEPT_OUT = 64 << 10,
};

/* ---- States of Lua, made when they are first needed ---- */

static void say(void *context, const char *text)
{
    struct server *s = context;
    logger_line(s->logger, LOGGER_WARNING, "%s", text);
}

static struct script_vm_options vm_options(struct server *s)
{
    struct script_vm_options o = {.memory_limit = (size_t)config_number(s->config, SET_SCRIPT_MEMORY),
                                  .version = REDIS_VERSION,
                                  .version_number = script_host_version()};
    script_host_fill(s, &o.host);
    return o;
}

struct script_cache *scripting_cache(struct server *s)
{
    struct scripting *x = s->scripting;
    if (x->cache) return x->cache;
    const struct script_vm_options o = vm_options(s);
    x->cache = script_cache_new(&o);
    return x->cache;
}

struct libraries *scripting_libraries(struct server *s)
{
    struct scripting *x = s->scripting;
    const struct functions *data = engine_functions(s->engine);
    if (!x->libraries) {
        const struct script_vm_options o = vm_options(s);
        x->libraries = libraries_new(&o, say, s);
    }
    if (x->functions_seen != data->changes && !scripting_is_busy(s)) {
        x->load_until_ns = clock_ticks_ns() + SCRIPT_LOAD_MS * 1000000 * (int64_t)(data->count + 1);
        libraries_follow(x->libraries, data);
        x->functions_seen = data->changes;
    }
    return x->libraries;
}

void scripting_functions_changed(struct call *c, const struct span *argv, size_t argc)
{
    struct server *s = client_of(c)->server;
    struct scripting *x = s->scripting;
    engine_count_change(s->engine);
    x->functions_seen = engine_functions(s->engine)->changes;
    if (c->effects) effects_add(c->effects, 0, argv, argc);
    x->functions_position = journal_position(s);
}

void scripting_depends_on_functions(struct client *c)
{
    const struct journal *j = &c->server->journal;
    const uint64_t position = c->server->scripting->functions_position;
    if (j->hold && position > j->committed && position > c->depends) c->depends = position;
}

void scripting_configure(struct server *s)
{
    struct scripting *x = s->scripting;
    const size_t limit = (size_t)config_number(s->config, SET_SCRIPT_MEMORY);
    x->threshold_ns = config_number(s->config, SET_BUSY_THRESHOLD) * 1000000;
    if (x->cache) script_vm_limit_memory(script_cache_vm(x->cache), limit);
    if (x->libraries) script_vm_limit_memory(libraries_vm(x->libraries), limit);
}

/* ---- Doing something on the fiber ---- */

static void on_idle(uv_idle_t *h);

bool scripting_is_busy(const struct server *s) { return s->scripting && s->scripting->busy; }

static void run_body(void *context)
{
    struct scripting *x = context;
    x->body(x->client, &x->reply, x->context);
}

/* It came back unfinished: the command at hand returns without a reply, and the loop turns. */
static void become_busy(struct call *c)
{
    struct client *client = client_of(c);
    struct server *s = client->server;
    struct scripting *x = s->scripting;
    x->busy = true;
    x->now_ms = clock_now(&s->clock);
    const struct request r = {.argv = (struct span *)(uintptr_t)x->argv, .argc = x->argc};
    x->kept = kept_request_new(c->command, &r); /* the client's own bytes go with the command */
    x->argv = x->kept->argv;
    client->flags |= CLIENT_PINNED;
    client_block(client);
    (void)uv_idle_start(&x->idle, on_idle);
    logger_line(
        s->logger, LOGGER_WARNING,
        "Slow script detected: still in execution after %lld milliseconds. You can try killing the script using "
        "the %s command. Script name is: %s.",
        (long long)((clock_ticks_ns() - x->began_ns) / 1000000), x->job.is_function ? "FUNCTION KILL" : "SCRIPT KILL",
        x->job.name);
}

void scripting_execute(struct call *c, void (*body)(struct client *c, struct reply *reply, void *context),
                       void *context)
{
    struct client *client = client_of(c);
    struct server *s = client->server;
    struct scripting *x = s->scripting;
    if (!x->fiber) x->fiber = fiber_new(STACK_BYTES);
    if (fiber_is_inside(x->fiber)) { /* a script of a transaction */
        body(client, c->reply, context);
        return;
    }
    x->client = client;
    x->body = body;
    x->context = context;
    x->stop = NULL;
    x->effects_before = s->journal.effects.count;
    x->reply = (struct reply){.out = &x->out, .resp = client->resp};
    buf_reset(&x->out, KEPT_OUT);
    if (!fiber_start(x->fiber, run_body, x)) {
        become_busy(c);
        return;
    }
    x->client = NULL;
    buf_add_span(c->reply->out, buf_span(&x->out));
    c->reply->errors += x->reply.errors;
}

/* The reply of what was busy, as execute_outside() in dispatch.c does with others. */
static void answer(struct server *s, struct client *c)
{
    struct scripting *x = s->scripting;
    const size_t mark = c->out.len;
    const bool wrote = s->journal.effects.count != x->effects_before;
    buf_add_span(&c->out, buf_span(&x->out));
    if (wrote) c->wrote = journal_position(s);
    if (wrote && s->journal.hold && c->wrote > c->depends) c->depends = c->wrote;
    if (c->depends) client_hold_reply(c, mark, c->depends);
    dispatch_silence(c, mark);
    pubsub_settle(s);
    if (x->pushed.len) client_push(c, buf_span(&x->pushed), x->pushed_position);
    client_unblock(c);
    client_mark_dirty(c);
}

static void finish(struct server *s)
{
    struct scripting *x = s->scripting;
    struct client *c = x->client;
    (void)uv_idle_stop(&x->idle);
    x->busy = false;
    x->client = NULL;
    if (!(c->flags & CLIENT_CLOSING)) answer(s, c);
    client_unpin(c);
    buf_reset(&x->pushed, 0);
    x->pushed_position = 0;
    mem_free(x->kept);
    x->kept = NULL;
    if (x->stop_asked) {
        x->stop_asked = false;
        server_shutdown(s, SHUTDOWN_SAVE_DEFAULT, false, false);
    }
}

/* The script goes on for a while: with the time that it began with, and with messages for its client kept apart. */
static bool go_on(struct server *s)
{
    struct scripting *x = s->scripting;
    struct clients *all = &s->clients;
    const struct clock clock = s->clock;
    s->clock.now_ms = x->now_ms;
    s->clock.fresh = true;
    all->executing = x->client;
    x->slice_end_ns = clock_ticks_ns() + SLICE_US * 1000;
    const bool done = fiber_resume(x->fiber);
    all->executing = NULL;
    s->clock = clock;
    buf_add_span(&x->pushed, buf_span(&all->pushed));
    if (all->pushed_position > x->pushed_position) x->pushed_position = all->pushed_position;
    buf_reset(&all->pushed, 0);
    all->pushed_position = 0;
    return done;
}

static void on_idle(uv_idle_t *h)
{
    struct server *s = h->data;
    turn_begin(&s->stats.turn);
    if (!go_on(s)) return;
    finish(s);
    saver_begin_wanted(s);
    nodes_catch_up(s);
}

void scripting_abort(struct server *s)
{
    struct scripting *x = s->scripting;
    /* What follows a script in its transaction does not end it. */
    if (!scripting_is_busy(s) || fiber_is_inside(x->fiber)) return;
    do x->stop = "ERR the script was ended: this node's role or data have changed"; /* each one of a transaction */
    while (!go_on(s));
    finish(s);
    nodes_catch_up(s);
}

bool scripting_delays_stop(struct server *s)
{
    if (!scripting_is_busy(s)) return false;
    if (!s->scripting->stop_asked)
        logger_line(s->logger, LOGGER_WARNING,
                    "A script is running: this server stops when it has ended, or by SHUTDOWN NOSAVE");
    s->scripting->stop_asked = true;
    return true;
}

/* ---- Running a script ---- */

bool scripting_is_script(const struct command_entry *e) { return e->row->categories & ACL_SCRIPTING && !e->parent; }

/* What @flags promise against what the server allows. False: refused, and replied. */
static bool may_run(struct server *s, const struct script_job *job, bool oom, struct reply *reply)
{
    if (!(job->flags & SCRIPT_ALLOW_STALE) && dispatch_is_stale(s)) {
        reply_error(reply, "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
    } else if (job->flags & (SCRIPT_COMPAT | SCRIPT_NO_WRITES)) {
        return true;
    } else if (!dispatch_may_write(s, reply)) {
        return false;
    } else if (job->read_only) {
        reply_error(reply, "ERR Can not execute a script with write flag using *_ro command.");
    } else if (oom && !(job->flags & SCRIPT_ALLOW_OOM)) {
        reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
    } else {
        return true;
    }
    return false;
}

static void run_job(struct client *c, struct reply *reply, void *context)
{
    struct server *s = context;
    struct scripting *x = s->scripting;
    const struct script_run run = {.function = x->job.function,
                                   .by_arguments = x->job.is_function,
                                   .keys = x->job.keys,
                                   .args = x->job.args,
                                   .key_count = x->job.key_count,
                                   .arg_count = x->job.arg_count,
                                   .name = x->job.name,
                                   .reply = reply};
    const unsigned db = c->session.db, blocking = c->flags & CLIENT_MUST_NOT_BLOCK;
    c->flags |= CLIENT_MUST_NOT_BLOCK;
    x->running = true;
    effects_frame(&s->journal.effects);
    script_vm_run(x->job.vm, &run);
    effects_unframe(&s->journal.effects);
    x->running = false;
    x->stop = NULL;
    c->session.db = db;
    if (!blocking) c->flags &= ~(unsigned)CLIENT_MUST_NOT_BLOCK;
}

void scripting_run(struct call *c, const struct script_job *job)
{
    struct client *client = client_of(c);
    struct server *s = client->server;
    struct scripting *x = s->scripting;
    const bool oom = !limits_make_room(s);
    if (!may_run(s, job, oom, c->reply)) return;
    x->job = *job;
    x->argv = c->argv;
    x->argc = c->argc;
    x->oom = oom;
    x->wrote = false;
    x->began_ns = clock_ticks_ns();
    scripting_execute(c, run_job, s);
}

/* ---- Stopping it, asking about it ---- */

static const char busy_script[] =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
static const char busy_function[] =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

void scripting_refuse(const struct server *s, struct reply *reply)
{
    reply_error(reply, "%s", s->scripting->job.is_function ? busy_function : busy_script);
}

void scripting_kill(struct call *c, bool function)
{
    struct server *s = client_of(c)->server;
    struct scripting *x = s->scripting;
    if (!x->busy || !x->running) {
        reply_error(c->reply, "NOTBUSY No scripts in execution right now.");
    } else if (x->wrote) {
        reply_error(c->reply,
                    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
                    "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
                    "NOSAVE command.");
    } else if (function != x->job.is_function) {
        scripting_refuse(s, c->reply);
    } else {
        x->stop = "ERR Script killed by user with SCRIPT KILL..."; /* so say both in Redis */
        reply_ok(c->reply);
    }
}

bool scripting_at_work(const struct server *s, struct script_at_work *w)
{
    const struct scripting *x = s->scripting;
    if (!x->busy || !x->running) return false;
    *w = (struct script_at_work){.name = x->job.name,
                                 .argv = x->argv,
                                 .argc = x->argc,
                                 .ms = (clock_ticks_ns() - x->began_ns) / 1000000,
                                 .is_function = x->job.is_function};
    return true;
}

void scripting_memory(struct server *s, struct scripting_memory *m)
{
    struct scripting *x = s->scripting;
    *m = (struct scripting_memory){0};
    if (x->cache) {
        m->eval_vm = script_vm_memory(script_cache_vm(x->cache));
        m->scripts = script_cache_bytes(x->cache);
        m->script_count = script_cache_count(x->cache);
    }
    if (!x->libraries && !engine_functions(s->engine)->count) return;
    const struct libraries *l = scripting_libraries(s);
    m->function_vm = script_vm_memory(libraries_vm(l));
    m->functions = libraries_bytes(l);
    m->function_count = libraries_functions(l);
    m->library_count = libraries_count(l);
}

/* ---- Life ---- */

void scripting_init(struct server *s)
{
    struct scripting *x = s->scripting = MEM_NEW(struct scripting);
    (void)uv_idle_init(&s->loop, &x->idle);
    x->idle.data = s;
    scripting_configure(s);
}

void scripting_free(struct server *s)
{
    struct scripting *x = s->scripting;
    if (!x) return;
    if (x->client) client_unpin(x->client);
    fiber_free(x->fiber);
    script_cache_free(x->cache);
    libraries_free(x->libraries);
    buf_free(&x->out);
    buf_free(&x->pushed);
    mem_free(x->kept);
    mem_free(x);
    s->scripting = NULL;
}
