#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"
#include "server/transaction.h"

void transaction_command_multi(struct call *c)
{
    struct client *client = client_of(c);
    if (client->transaction) {
        reply_error(c->reply, "ERR MULTI calls can not be nested");
        return;
    }
    transaction_begin(client);
    reply_ok(c->reply);
}

void transaction_command_exec(struct call *c)
{
    if (client_of(c)->transaction) transaction_execute(c);
    else reply_error(c->reply, "ERR EXEC without MULTI");
}

void transaction_command_discard(struct call *c)
{
    struct client *client = client_of(c);
    if (!client->transaction) {
        reply_error(c->reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_discard(client);
    reply_ok(c->reply);
}

void transaction_command_watch(struct call *c)
{
    struct client *client = client_of(c);
    if (client->transaction) {
        reply_error(c->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    /* Once a key has changed it no longer matters what else is watched. */
    for (size_t i = 1; i < c->argc && !(client->flags & CLIENT_CHANGED_UNDER); i++) watches_add(client, c->argv[i]);
    reply_ok(c->reply);
}

void transaction_command_unwatch(struct call *c)
{
    struct client *client = client_of(c);
    watches_forget(client);
    client->flags &= ~(unsigned)CLIENT_CHANGED_UNDER;
    reply_ok(c->reply);
}
