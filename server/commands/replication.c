#include <stdio.h>

#include "replication/log.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/nodes.h"
#include "server/server.h"
#include "server/wait.h"

static struct server *server_of(const struct call *c) { return client_of(c)->server; }

static void reply_followers(struct reply *r, const struct node_status *status)
{
    reply_array(r, status->follower_count);
    for (size_t i = 0; i < status->follower_count; i++) {
        const struct node_follower_status *f = &status->followers[i];
        reply_array(r, 3);
        reply_bulk(r, span_str(f->host));
        reply_bulk_int(r, f->port);
        reply_bulk_int(r, (int64_t)f->acked);
    }
}

void replication_role(struct call *c)
{
    struct server *s = server_of(c);
    struct node_status status;
    node_status(s->nodes.node, &status);
    if (!s->read_only) {
        reply_array(c->reply, 3);
        reply_bulk(c->reply, SPAN("master"));
        reply_int(c->reply, (int64_t)log_end(s->journal.log));
        reply_followers(c->reply, &status);
        return;
    }
    reply_array(c->reply, 5);
    reply_bulk(c->reply, SPAN("slave"));
    reply_bulk(c->reply, span_str(s->nodes.host));
    reply_int(c->reply, s->nodes.port);
    reply_bulk(c->reply,
               span_str(s->nodes.role == NODE_FENCED || !status.role_state ? "connect" : status.role_state));
    reply_int(c->reply, (int64_t)log_end(s->journal.log));
}

void replication_replicaof(struct call *c)
{
    struct server *s = server_of(c);
    struct errmsg m = {{0}};
    if (span_is(c->argv[1], "no") && span_is(c->argv[2], "one")) {
        if (s->read_only && nodes_promote(s, &m)) reply_error(c->reply, "ERR Cannot become primary: %s", m.text);
        else reply_ok(c->reply);
        return;
    }
    int64_t port;
    char host[NODE_HOST_MAX + 1];
    if (!call_int_in(c, c->argv[2], 0, 65535, &port, "ERR Invalid master port")) return;
    if (c->argv[1].n == 0 || c->argv[1].n > NODE_HOST_MAX || memchr(c->argv[1].p, 0, c->argv[1].n)) {
        reply_error(c->reply, "ERR Invalid master host");
        return;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)c->argv[1].n, c->argv[1].p);
    if (s->nodes.role == NODE_REPLICA && strcmp(host, s->nodes.host) == 0 && port == s->nodes.port) {
        reply_simple(c->reply, "OK Already connected to specified master");
        return;
    }
    nodes_follow(s, host, (uint16_t)port);
    reply_ok(c->reply);
}

void replication_wait(struct call *c)
{
    struct client *client = client_of(c);
    struct server *s = client->server;
    int64_t replicas, timeout;
    if (s->read_only) {
        reply_error(c->reply,
                    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a "
                    "replica is configured to be writable (which is not the default) writes to replicas are just "
                    "local and are not propagated.");
        return;
    }
    if (!call_int(c, c->argv[1], &replicas)) return;
    if (!call_timeout_ms(c, c->argv[2], &timeout)) return;
    const struct wait_goal goal = {.position = client->wrote, .replicas = replicas > 0 ? (size_t)replicas : 0};
    wait_begin(client, &goal, timeout, c->reply);
}

void replication_waitaof(struct call *c)
{
    struct client *client = client_of(c);
    struct server *s = client->server;
    int64_t local, replicas, timeout;
    if (!call_int_in(c, c->argv[1], 0, 1, &local, "ERR value is out of range, value must between 0 and 1")) return;
    if (!call_int_in(c, c->argv[2], 0, INT64_MAX, &replicas, "ERR value is out of range, must be positive")) return;
    if (!call_timeout_ms(c, c->argv[3], &timeout)) return;
    if (s->read_only) {
        reply_error(c->reply, "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
                              "replicas are just local and are not propagated.");
    } else if (local && !config_number(s->config, SET_APPENDONLY)) {
        reply_error(c->reply, "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    } else {
        const struct wait_goal goal = {
            .position = client->wrote, .durable = true, .local = (size_t)local, .replicas = (size_t)replicas};
        wait_begin(client, &goal, timeout, c->reply);
    }
}
