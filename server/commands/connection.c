#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"
#include "server/version.h"

/* To a subscriber of RESP2: like a message, as all that it gets. */
static void pong(struct call *c)
{
    reply_array(c->reply, 2);
    reply_bulk(c->reply, SPAN("pong"));
    reply_bulk(c->reply, c->argc == 2 ? c->argv[1] : SPAN(""));
}

void connection_ping(struct call *c)
{
    if (c->argc > 2) reply_error(c->reply, "ERR wrong number of arguments for 'ping' command");
    else if (pubsub_confines(client_of(c))) pong(c);
    else if (c->argc == 2) reply_bulk(c->reply, c->argv[1]);
    else reply_simple(c->reply, "PONG");
}

void connection_echo(struct call *c) { reply_bulk(c->reply, c->argv[1]); }

void connection_quit(struct call *c)
{
    reply_ok(c->reply);
    client_close_after_reply(client_of(c));
}

void connection_reset(struct call *c)
{
    client_reset(client_of(c));
    c->reply->resp = 2;
    reply_simple(c->reply, "RESET");
}

static bool authenticate(struct call *c, struct span user, struct span password)
{
    if (access_authenticate(client_of(c), c->argv[0], user, password)) return true;
    reply_error(c->reply, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void connection_auth(struct call *c)
{
    const struct acl_user *fallback = acl_default(client_of(c)->server->access.users);
    const struct span password = c->argv[c->argc - 1];
    if (c->argc > 3) {
        reply_syntax_error(c->reply);
        return;
    }
    if (c->argc == 2 && fallback->open) {
        access_wipe(password);
        reply_error(c->reply,
                    "ERR AUTH <password> called without any password configured for the default user. Are you "
                    "sure your configuration is correct?");
        return;
    }
    if (authenticate(c, c->argc == 3 ? c->argv[1] : fallback->name, password)) reply_ok(c->reply);
}

static void describe_server(struct call *c)
{
    const struct client *client = client_of(c);
    reply_map(c->reply, 7);
    reply_bulk(c->reply, SPAN("server"));
    reply_bulk(c->reply, SPAN("redis"));
    reply_bulk(c->reply, SPAN("version"));
    reply_bulk(c->reply, SPAN(REDIS_VERSION));
    reply_bulk(c->reply, SPAN("proto"));
    reply_int(c->reply, c->reply->resp);
    reply_bulk(c->reply, SPAN("id"));
    reply_int(c->reply, (int64_t)client->id);
    reply_bulk(c->reply, SPAN("mode"));
    reply_bulk(c->reply, SPAN("standalone"));
    reply_bulk(c->reply, SPAN("role"));
    reply_bulk(c->reply, client->server->read_only ? SPAN("replica") : SPAN("master"));
    reply_bulk(c->reply, SPAN("modules"));
    reply_array(c->reply, 0);
}

void connection_hello(struct call *c)
{
    struct client *client = client_of(c);
    int64_t version = client->resp;
    size_t i = 1;
    struct span name = {0};
    if (c->argc > 1 && !call_int_in(c, c->argv[i++], INT64_MIN, INT64_MAX, &version,
                                    "ERR Protocol version is not an integer or out of range"))
        return;
    if (version < 2 || version > 3) {
        reply_error(c->reply, "NOPROTO unsupported protocol version");
        return;
    }
    for (; i < c->argc; i++) {
        const size_t more = c->argc - 1 - i;
        if (span_is(c->argv[i], "AUTH") && more >= 2) {
            if (!authenticate(c, c->argv[i + 1], c->argv[i + 2])) return;
            i += 2;
        } else if (span_is(c->argv[i], "SETNAME") && more >= 1) {
            name = c->argv[++i];
        } else {
            reply_error(c->reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)(c->argv[i].n < 128 ? c->argv[i].n : 128), c->argv[i].p);
            return;
        }
    }
    if (!access_is_known(client)) {
        reply_error(c->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> "
                    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
                    "version at the same time");
        return;
    }
    if (name.p && !client_set_text(c, &client->name, name, "Client names")) return;
    client->resp = c->reply->resp = (unsigned)version;
    describe_server(c);
}
