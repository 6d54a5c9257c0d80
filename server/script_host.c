/* What scripts ask of the server: to execute commands, to write log lines, to be stopped in time. */
#include <stdio.h>

#include "server/acl_check.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/script/fiber.h"
#include "server/script/shebang.h"
#include "server/scripting_impl.h"
#include "server/server.h"
#include "server/version.h"

/* XREAD and XREADGROUP would wait: refused where others of their kind are refused as a whole. */
static bool asks_to_block(const struct command_entry *e, const struct span *argv, size_t argc)
{
    if (!(e->flags & CMD_BLOCKING)) return false;
    for (size_t i = 1; i < argc && !span_is(argv[i], "streams"); i++)
        if (span_is(argv[i], "block")) return true;
    return false;
}

/* False: refused, and replied. */
static bool may_call(struct server *s, const struct command_entry *e, const struct request *r, struct reply *reply)
{
    struct scripting *x = s->scripting;
    const bool read_only = x->job.read_only || x->job.flags & SCRIPT_NO_WRITES;
    if (!e || (e->sub_count && r->argc > 1)) {
        reply_error(reply, "ERR Unknown Redis command called from script");
    } else if (!command_arity_fits(e, r->argc)) {
        reply_error(reply, "ERR Wrong number of args calling Redis command from script");
    } else if (e->flags & CMD_NOSCRIPT) {
        reply_error(reply, "ERR This Redis command is not allowed from script");
    } else if (!(e->flags & CMD_STALE) && dispatch_is_stale(s)) {
        reply_error(reply, "ERR Can not execute the command on a stale replica");
    } else if (read_only && e->flags & (CMD_WRITE | CMD_MAY_REPLICATE)) {
        reply_error(reply, "ERR Write commands are not allowed from read-only scripts.");
    } else if (x->oom && e->flags & CMD_DENYOOM && !x->wrote && !(x->job.flags & SCRIPT_ALLOW_OOM)) {
        reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
    } else if (asks_to_block(e, r->argv, r->argc)) {
        const struct span name = r->argv[0];
        reply_error(reply, "ERR %.*s command is not allowed with BLOCK option from scripts", (int)name.n, name.p);
    } else {
        return true;
    }
    return false;
}

static void call(void *context, const struct span *argv, size_t argc, unsigned resp, struct buf *out)
{
    struct server *s = context;
    struct scripting *x = s->scripting;
    struct client *c = x->client;
    struct reply reply = {.out = out, .resp = resp};
    struct request r = {.argv = (struct span *)(uintptr_t)argv, .argc = argc};
    const struct command_entry *e = dispatch_find(c, &r);
    if (!may_call(s, e, &r, &reply)) return;
    c->flags |= CLIENT_IN_SCRIPT;
    dispatch_inside(c, e, &r, &reply); /* what is pushed to the client meanwhile is as the client wants it */
    c->flags &= ~(unsigned)CLIENT_IN_SCRIPT;
    if (e->flags & CMD_WRITE && !reply.errors) x->wrote = true;
}

static void log_line(void *context, enum script_log_level level, struct span text)
{
    static const enum logger_level levels[] = {LOGGER_DEBUG, LOGGER_VERBOSE, LOGGER_NOTICE, LOGGER_WARNING};
    struct server *s = context;
    enum { MOST = 1000 };
    logger_line(s->logger, levels[level], "%.*s", (int)(text.n < MOST ? text.n : MOST), text.p);
}

static enum script_acl may_user_call(void *context, const struct span *argv, size_t argc)
{
    struct server *s = context;
    struct request r = {.argv = (struct span *)(uintptr_t)argv, .argc = argc};
    const struct command_entry *e = dispatch_find(s->scripting->client, &r);
    if (!e || (e->sub_count && argc > 1)) return SCRIPT_ACL_NO_COMMAND;
    size_t index;
    if (!command_arity_fits(e, argc)) return SCRIPT_ACL_ALLOWED; /* it will be refused for that */
    return acl_check(s->scripting->client->user, e, argv, argc, &index) == ACL_OK ? SCRIPT_ACL_ALLOWED
                                                                                  : SCRIPT_ACL_DENIED;
}

/* Go on, pause, or end? A library that is being loaded does not pause. */
static const char *tick(void *context)
{
    struct server *s = context;
    struct scripting *x = s->scripting;
    const int64_t now = clock_ticks_ns();
    if (!x->running) return now > x->load_until_ns ? "ERR FUNCTION LOAD timeout" : NULL;
    if (x->stop) return x->stop;
    if (x->busy ? now < x->slice_end_ns : !x->threshold_ns || now - x->began_ns < x->threshold_ns) return NULL;
    fiber_pause(x->fiber);
    return x->stop;
}

void script_host_fill(struct server *s, struct script_host *host)
{
    *host =
        (struct script_host){.context = s, .call = call, .log = log_line, .may_call = may_user_call, .tick = tick};
}

unsigned script_host_version(void)
{
    unsigned major = 0, minor = 0, patch = 0;
    (void)sscanf(REDIS_VERSION, "%u.%u.%u", &major, &minor, &patch);
    return major << 16 | minor << 8 | patch;
}
