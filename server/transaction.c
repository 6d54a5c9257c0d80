#include "server/transaction.h"

#include "common/mem.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/kept_request.h"
#include "server/server.h"

enum { FIRST_ROOM = 4 };

struct transaction {
    struct kept_request **queued;
    size_t count, room;
    size_t bytes;
    uint32_t flags;
    bool broken;
};

void transaction_begin(struct client *c) { c->transaction = MEM_NEW(struct transaction); }

/* Among these commands are those that are given passwords. */
static bool may_hold_secrets(const struct command_entry *e) { return e->flags & (CMD_NO_AUTH | CMD_ADMIN); }

static void wipe_arguments(const struct request *r)
{
    for (size_t i = 1; i < r->argc; i++) access_wipe(r->argv[i]);
}

static void free_queued(struct kept_request *k)
{
    const struct request r = kept_request_get(k);
    if (may_hold_secrets(k->command)) wipe_arguments(&r);
    mem_free(k);
}

void transaction_free(struct transaction *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->count; i++) free_queued(t->queued[i]);
    mem_free(t->queued);
    mem_free(t);
}

void transaction_discard(struct client *c)
{
    transaction_free(c->transaction);
    c->transaction = NULL;
    c->flags &= ~(unsigned)CLIENT_CHANGED_UNDER;
    watches_forget(c);
}

bool transaction_queue(struct client *c, const struct command_entry *e, const struct request *r)
{
    struct server *s = c->server;
    struct transaction *t = c->transaction;
    if (t->broken) return true; /* it will not be executed */
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : FIRST_ROOM;
        t->queued = mem_realloc(t->queued, t->room * sizeof *t->queued);
    }
    struct kept_request *k = t->queued[t->count++] = kept_request_new(e, r);
    t->bytes += kept_request_bytes(k);
    t->flags |= e->flags;
    if (may_hold_secrets(e)) wipe_arguments(r);
    if (scripting_is_script(e) && !(e->flags & CMD_READONLY)) t->flags |= CMD_MAY_REPLICATE; /* it may write */
    if (t->bytes <= s->clients.query_max) return true;
    logger_line(s->logger, LOGGER_WARNING, "Closing the client %s: its transaction is longer than %zu bytes", c->addr,
                s->clients.query_max);
    s->stats.query_limit_closed++;
    client_close(c);
    return false;
}

void transaction_break(struct client *c)
{
    if (c->transaction) c->transaction->broken = true;
}

uint32_t transaction_flags(const struct client *c) { return c->transaction ? c->transaction->flags : 0; }
size_t transaction_length(const struct client *c) { return c->transaction ? c->transaction->count : 0; }

size_t transaction_bytes(const struct client *c)
{
    const struct transaction *t = c->transaction;
    return t ? sizeof *t + t->bytes + t->room * sizeof(struct kept_request *) : 0;
}

/* Commands that close the batch, because they begin a snapshot or change the role: what stands before and behind them is one
 * batch each. */
static bool may_close_batch(const struct command_entry *e)
{
    return !(e->flags & CMD_ENGINE) && e->flags & CMD_ADMIN;
}

/* All of it, whatever becomes of the single ones. */
static void execute_all(struct client *c, struct transaction *t, struct reply *reply)
{
    struct effects *effects = &c->server->journal.effects;
    reply_array(reply, t->count);
    c->flags |= CLIENT_MUST_NOT_BLOCK;
    effects_frame(effects);
    for (size_t i = 0; i < t->count; i++) {
        struct kept_request *k = t->queued[i];
        struct request r = kept_request_get(k);
        if (may_close_batch(k->command)) effects_unframe(effects);
        if (access_permits_still(c, k->command, &r, reply)) dispatch_inside(c, k->command, &r, reply);
        if (may_close_batch(k->command)) effects_frame(effects);
    }
    effects_unframe(effects);
    c->flags &= ~(unsigned)CLIENT_MUST_NOT_BLOCK;
}

static bool has_scripts(const struct transaction *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (scripting_is_script(t->queued[i]->command)) return true;
    return false;
}

static void execute_with_scripts(struct client *c, struct reply *reply, void *context)
{
    execute_all(c, context, reply);
    transaction_free(context);
}

void transaction_execute(struct call *call)
{
    struct client *c = client_of(call);
    const bool changed = watches_changed(c);
    struct transaction *t = c->transaction;
    c->transaction = NULL; /* what is executed is in none */
    c->flags &= ~(unsigned)CLIENT_CHANGED_UNDER;
    watches_forget(c);
    if (t->broken) reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
    else if (changed) reply_null_array(call->reply);
    else if (has_scripts(t)) { /* they may not end soon: it frees itself when they have */
        scripting_execute(call, execute_with_scripts, t);
        return;
    } else execute_all(c, t, call->reply);
    transaction_free(t);
}
