#include "server/dispatch.h"

#include <stdio.h>

#include "common/engine.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/scripting.h"
#include "server/server.h"
#include "server/transaction.h"

/* The first arguments, quoted, for the error that names an unknown command. */
static void quote_arguments(const struct request *r, char *to, size_t room)
{
    enum { MOST = 128 };
    size_t n = 0;
    to[0] = '\0';
    for (size_t i = 1; i < r->argc && n < MOST; i++) {
        const int more = snprintf(to + n, room - n, "'%.*s' ",
                                  (int)(r->argv[i].n < MOST - n ? r->argv[i].n : MOST - n), r->argv[i].p);
        if (more < 0 || (size_t)more >= room - n) break;
        n += (size_t)more;
    }
}

static void reject_unknown(struct client *c, struct reply *reply, const struct request *r)
{
    const struct span name = r->argv[0];
    char arguments[512];
    /* A browser that was made to talk to us must not get another line through. */
    if (span_is(name, "post") || span_is(name, "host:")) {
        logger_line(c->server->logger, LOGGER_WARNING, "HTTP from %s: connection closed", c->addr);
        client_close_after_reply(c);
    }
    quote_arguments(r, arguments, sizeof arguments);
    reply_error(reply, "ERR unknown command '%.*s', with args beginning with: %s", (int)(name.n < 128 ? name.n : 128),
                name.p, arguments);
}

/* A container was named, but none of its subcommands. */
static void reject_subcommand(const struct command_entry *e, struct reply *reply, const struct request *r)
{
    char upper[32];
    size_t n = 0;
    for (; e->name[n] && n < sizeof upper - 1; n++)
        upper[n] = (char)(e->name[n] >= 'a' && e->name[n] <= 'z' ? e->name[n] - 'a' + 'A' : e->name[n]);
    upper[n] = '\0';
    const struct span sub = r->argv[1];
    reply_error(reply, "ERR unknown subcommand '%.*s'. Try %s HELP.", (int)(sub.n < 128 ? sub.n : 128), sub.p, upper);
}

static const char debug_refused[] =
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a "
    "local "
    "connection, otherwise you need to set this option in the configuration file, and then restart the server.";

static const char stopped_writes[] =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may "
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    "error.";

static const char confined[] = "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
                               "are allowed in this context";

/* DEBUG no, yes, local: as the words of the setting. */
static bool may_debug(const struct client *c)
{
    enum { NO, YES, LOCAL };
    const int64_t who = config_number(c->server->config, SET_ENABLE_DEBUG_COMMAND);
    return who == YES || (who == LOCAL && c->flags & CLIENT_LOCAL);
}

bool dispatch_is_stale(struct server *s)
{
    if (!s->read_only || config_number(s->config, SET_REPLICA_SERVE_STALE)) return false;
    struct node_status status;
    node_status(s->nodes.node, &status);
    return !status.link_up;
}

bool dispatch_may_write(struct server *s, struct reply *reply)
{
    if (s->journal.failed) reply_error(reply, "MISCONF Errors writing to the AOF file: %s", s->journal.failure);
    else if (!s->read_only && saver_stops_writes(s)) reply_error(reply, stopped_writes);
    else if (s->read_only) reply_error(reply, "READONLY You can't write against a read only replica.");
    else return true;
    return false;
}

/* Where there is a state of the data set in which not everything is allowed. */
static bool is_served_now(struct server *s, const struct command_entry *e, uint32_t flags, struct reply *reply)
{
    if (s->loading && !(flags & CMD_LOADING)) {
        reply_error(reply, "LOADING Redis is loading the dataset in memory");
    } else if (flags & CMD_WRITE && !dispatch_may_write(s, reply)) {
        return false;
    } else if (!(e->flags & CMD_STALE) && dispatch_is_stale(s)) {
        reply_error(reply, "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
    } else {
        return true;
    }
    return false;
}

/* What the data set's state allows. False: refused, and the error replied. */
static inline bool is_served(struct server *s, const struct command_entry *e, uint32_t flags, struct reply *reply)
{
    return (!s->loading && !s->read_only && !(flags & CMD_WRITE)) || is_served_now(s, e, flags, reply);
}

/* What every command is checked for, in Redis's order. @flags: the command's and, for EXEC, those of all that it will
 * execute. False: refused, and the error replied. */
static bool is_allowed(struct client *c, const struct command_entry *e, const struct request *r, uint32_t flags,
                       struct reply *reply)
{
    struct server *s = c->server;
    const bool queued = c->transaction && !(e->flags & CMD_IN_MULTI);
    if (e->sub_count && r->argc > 1) {
        reject_subcommand(e, reply, r);
    } else if (!command_arity_fits(e, r->argc)) {
        reply_error(reply, "ERR wrong number of arguments for '%s' command", e->name);
    } else if (e == s->debug_command && !may_debug(c)) {
        reply_error(reply, debug_refused);
    } else if (!(c->flags & CLIENT_TRUSTED) && !access_is_known(c) && !(e->flags & CMD_NO_AUTH)) {
        reply_error(reply, "NOAUTH Authentication required.");
    } else if (c->transaction && e->flags & CMD_NO_MULTI) {
        reply_error(reply, "ERR Command not allowed inside a transaction");
    } else if (!c->user->unlimited && !access_permits(c, e, r, reply)) {
        return false;
    } else if (scripting_is_busy(s) && !(e->flags & CMD_ALLOW_BUSY)) {
        scripting_refuse(s, reply);
    } else if (s->limits.max_bytes && !limits_make_room(s) && (queued || flags & CMD_DENYOOM)) {
        reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
    } else if (c->subscriber && pubsub_confines(c) && !(e->flags & CMD_IN_PUBSUB)) {
        reply_error(reply, confined, e->name);
    } else {
        return is_served(s, e, flags, reply);
    }
    return false;
}

/* The reply at byte @mark refuses a command: then there will be no transaction. Where it is EXEC itself that was refused,
 * that ends it, and the watches. */
static void break_transaction(struct client *c, const struct command_entry *e, size_t mark)
{
    if (!e || e->row->run != transaction_command_exec) {
        transaction_break(c);
        return;
    }
    static const char general[] = "-ERR ";
    const bool coded = memcmp(c->out.p + mark, general, sizeof general - 1) != 0; /* Redis leaves ERR out here */
    const size_t skip = coded ? 1 : sizeof general - 1;
    struct buf why = {0};
    buf_add(&why, c->out.p + mark + skip, c->out.len - mark - skip - 2);
    c->out.len = mark;
    transaction_discard(c);
    struct reply reply = {.out = &c->out, .resp = c->resp};
    reply_error(&reply, "EXECABORT Transaction discarded because of: %.*s", (int)why.len, why.p);
    buf_free(&why);
}

static void execute(struct client *c, const struct command_entry *e, const struct request *r, struct reply *reply)
{
    struct server *s = c->server;
    struct effects *effects = s->read_only ? NULL : &s->journal.effects;
    if (e->flags & CMD_ENGINE) {
        engine_execute(s->engine, &c->session, clock_now(&s->clock), e, r, reply, effects);
        return;
    }
    struct call call = {.engine = s->engine,
                        .session = &c->session,
                        .command = e,
                        .argv = r->argv,
                        .argc = r->argc,
                        .raw = r->raw,
                        .now_ms = clock_now(&s->clock),
                        .origin = ORIGIN_CLIENT,
                        .reply = reply,
                        .effects = effects};
    e->row->run(&call);
}

/* Execute, and count time and failures. */
static inline void execute_timed(struct client *c, const struct command_entry *e, const struct request *r,
                                 struct reply *reply)
{
    struct stats *stats = &c->server->stats;
    struct command_stat *stat = &stats->by_command[e->id];
    struct server *s = c->server;
    const uint64_t effects = s->journal.effects.count;
    const size_t mark = reply->out->len;
    if (s->monitors.count && scripting_is_script(e)) monitors_feed(c, e, r); /* before what it calls */
    execute(c, e, r, reply);
    if (s->journal.effects.count != effects) journal_wrote(c);
    if (s->journal.hold) {
        const uint64_t position = journal_depends(s, c, e, r, effects);
        if (position > c->depends) c->depends = position;
    }
    const uint64_t took = turn_end_command(&stats->turn, e);
    stat->ticks += took;
    if (s->insight.tracking) stats_latency(stats, stat, took);
    if (took >= s->insight.notable) insight_note(c, e, r, took);
    if (!reply->errors || reply->out->len <= mark || reply->out->p[mark] != '-') return;
    stat->failed++;
    stats_error(stats, span_of(reply->out->p + mark, reply->out->len - mark));
}

/* The same, and count the call. */
static void execute_counted(struct client *c, const struct command_entry *e, const struct request *r,
                            struct reply *reply)
{
    struct server *s = c->server;
    execute_timed(c, e, r, reply);
    s->stats.commands++;
    s->stats.by_command[e->id].calls++;
    if (c->tracking) tracking_read(c, e, r);
    if (s->monitors.count && !scripting_is_script(e)) monitors_feed(c, e, r);
}

void dispatch_inside(struct client *c, const struct command_entry *e, const struct request *r, struct reply *reply)
{
    /* EXEC has looked already, and has words of its own; nobody has for what a script asks. */
    if (!access_permits_script(c, e, r, reply)) {
        c->server->stats.by_command[e->id].rejected++;
        return;
    }
    /* A command before it may have changed the role, or failed to write. */
    if (e->flags & CMD_WRITE && !is_served(c->server, e, e->flags, reply)) {
        c->server->stats.by_command[e->id].rejected++;
        return;
    }
    execute_counted(c, e, r, reply);
}

const struct command_entry *dispatch_find(const struct client *c, const struct request *r)
{
    return command_find(c->server->commands, r->argv[0], r->argc > 1 ? r->argv[1] : SPAN(""));
}

void dispatch_silence(struct client *c, size_t mark)
{
    if (c->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP)) c->out.len = mark;
    c->flags &= ~(unsigned)CLIENT_REPLY_SKIP;
    if (c->flags & CLIENT_REPLY_SKIP_NEXT) c->flags ^= CLIENT_REPLY_SKIP_NEXT | CLIENT_REPLY_SKIP;
}

/* Execute what was checked; what is pushed to the client meanwhile follows its reply. */
static void execute_outside(struct client *c, const struct command_entry *e, const struct request *r,
                            struct reply *reply)
{
    struct server *s = c->server;
    const size_t mark = c->out.len;
    c->last_command = e;
    c->depends = 0;
    s->clients.executing = c;
    if (e->flags & CMD_BLOCKING) c->session.waiting = &s->blocking.waiting;
    execute_counted(c, e, r, reply);
    c->session.waiting = NULL;
    s->clients.executing = NULL;
    if (c->flags & CLIENT_REPLY_FLAGS && !(c->flags & CLIENT_BLOCKED)) dispatch_silence(c, mark);
    if (c->depends) client_hold_reply(c, mark, c->depends);
    if (s->pubsub.unsettled.len) pubsub_settle(s);
    if (s->clients.pushed.len) client_push_deferred(c);
}

void dispatch_again(struct client *c, const struct command_entry *e, const struct request *r)
{
    struct server *s = c->server;
    struct reply reply = {.out = &c->out, .resp = c->resp};
    const size_t mark = c->out.len;
    c->depends = 0;
    s->clients.executing = c;
    c->session.waiting = &s->blocking.waiting;
    execute_timed(c, e, r, &reply);
    c->session.waiting = NULL;
    s->clients.executing = NULL;
    if (c->depends && c->out.len > mark) client_hold_reply(c, mark, c->depends);
    if (s->clients.pushed.len) client_push_deferred(c);
}

static bool is_held(const struct clients *all, const struct command_entry *e, uint32_t flags)
{
    const bool may_write = scripting_is_script(e) && !(flags & CMD_READONLY);
    return all->writes_held & HOLD_ALL || may_write || flags & (CMD_WRITE | CMD_MAY_REPLICATE);
}

bool dispatch(struct client *c, const struct command_entry *e, const struct request *r)
{
    struct server *s = c->server;
    struct reply reply = {.out = &c->out, .resp = c->resp};
    const size_t mark = c->out.len;
    const uint32_t flags = !e                                        ? 0
                           : e->row->run == transaction_command_exec ? e->flags | transaction_flags(c)
                                                                     : e->flags;
    c->commands++;
    if (e && is_allowed(c, e, r, flags, &reply)) {
        if (s->clients.writes_held && is_held(&s->clients, e, flags)) {
            c->flags |= CLIENT_MUST_NOT_WRITE;
            c->commands--;
            return false;
        }
        if (c->transaction && !(e->flags & CMD_IN_MULTI)) {
            if (transaction_queue(c, e, r)) reply_simple(&reply, "QUEUED");
            if (c->flags & CLIENT_REPLY_FLAGS) dispatch_silence(c, mark);
        } else {
            execute_outside(c, e, r, &reply);
            blocked_serve(s);
        }
    } else {
        if (e) s->stats.by_command[e->id].rejected++;
        else reject_unknown(c, &reply, r);
        break_transaction(c, e, mark);
        stats_error(&s->stats, span_of(c->out.p + mark, c->out.len - mark));
        if (c->flags & CLIENT_REPLY_FLAGS) dispatch_silence(c, mark);
    }
    if (c->tracking) tracking_end_request(c, e);
    if (journal_is_large(&s->journal)) journal_close_batch(s);
    return true;
}
