#include "server/client.h"

#include <stdio.h>

#include "common/mem.h"
#include "server/blocked.h"
#include "server/server.h"
#include "server/tls.h"
#include "server/transaction.h"
#include "server/wait.h"
#include "server/watches.h"

static void format_address(const struct sockaddr_storage *a, char *to, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        (void)uv_ip4_name(in, host, sizeof host);
        (void)snprintf(to, room, "%s:%d", host, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const void *)a;
        (void)uv_ip6_name(in, host, sizeof host);
        (void)snprintf(to, room, "[%s]:%d", host, ntohs(in->sin6_port));
    }
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static void learn_addresses(struct client *c)
{
    struct sockaddr_storage a;
    int n = sizeof a;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &n) == 0) {
        format_address(&a, c->addr, sizeof c->addr);
        if (is_loopback(&a)) c->flags |= CLIENT_LOCAL;
    }
    n = sizeof a;
    if (uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&a, &n) == 0) format_address(&a, c->laddr, sizeof c->laddr);
}

static void link_client(struct client *c)
{
    struct clients *all = &c->server->clients;
    c->id = ++all->next_id;
    htable_insert(&all->by_id, htable_hash(&all->by_id, clients_id_of(c)), c);
    c->prev = all->last;
    if (all->last) all->last->next = c;
    else all->first = c;
    all->last = c;
    all->count++;
}

static void unlink_client(struct client *c)
{
    struct clients *all = &c->server->clients;
    if (c->prev) c->prev->next = c->next;
    else all->first = c->next;
    if (c->next) c->next->prev = c->prev;
    else all->last = c->prev;
    all->count--;
    (void)htable_remove(&all->by_id, htable_hash(&all->by_id, clients_id_of(c)), clients_id_of(c));
}

static void free_client(struct client *c)
{
    resp_parser_free(&c->parser);
    held_free(&c->held);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->sending);
    tls_free(c->tls);
    transaction_free(c->transaction);
    mem_free(c->name);
    mem_free(c->lib_name);
    mem_free(c->lib_version);
    mem_free(c);
}

static void on_closed(uv_handle_t *h)
{
    struct client *c = h->data;
    if (c->flags & CLIENT_PINNED) c->flags |= CLIENT_GONE;
    else free_client(c);
}

void client_unpin(struct client *c)
{
    c->flags &= ~(unsigned)CLIENT_PINNED;
    if (c->flags & CLIENT_GONE) free_client(c);
}

void client_close(struct client *c)
{
    if (c->flags & CLIENT_CLOSING) return;
    client_stop_reading(c);
    client_unmark_dirty(c);
    if (c->tls) client_say_end(c);
    unlink_client(c);
    clients_forget(c);
    journal_forget_client(c);
    wait_forget(c);
    blocked_forget(c);
    watches_forget(c);
    monitors_forget(c);
    tracking_stop(c);
    pubsub_forget(c);
    c->flags |= CLIENT_CLOSING;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* Tell a connection that cannot be a client why, as far as the socket takes it at once. */
static void turn_away(struct client *c, const char *why)
{
    uv_buf_t text = uv_buf_init((char *)(uintptr_t)why, (unsigned)strlen(why));
    if (!c->tls) (void)uv_try_write((uv_stream_t *)&c->tcp, &text, 1);
    c->server->stats.rejected_connections++;
    client_close(c);
}

static const char protected_mode_text[] =
    "-DENIED This server is in protected mode: it has no password, so it serves clients on its own machine only. "
    "Set one with requirepass, or protected-mode to no if the network is trusted.\r\n";

static void drop_text(char **text)
{
    mem_free(*text);
    *text = NULL;
}

void client_reset(struct client *c)
{
    transaction_discard(c);
    monitors_forget(c);
    tracking_stop(c);
    pubsub_forget(c);
    c->session.db = 0;
    c->resp = 2;
    drop_text(&c->name);
    c->flags &= ~(unsigned)(CLIENT_REPLY_FLAGS | CLIENT_NO_EVICT);
    c->session.no_touch = false;
    access_greet(c);
}

void client_refuse_stranger(struct client *c) { turn_away(c, protected_mode_text); }

void client_accept(struct server *s, uv_stream_t *listener, struct tls_context *tls)
{
    struct client *c = MEM_NEW(struct client);
    c->server = s;
    c->resp = 2;
    c->tcp.data = c;
    if (uv_tcp_init(&s->loop, &c->tcp) != 0) {
        mem_free(c);
        return;
    }
    link_client(c);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        client_close(c);
        return;
    }
    if (tls && !(c->tls = tls_new(tls))) {
        client_close(c);
        return;
    }
    s->stats.connections++;
    c->created_ms = c->active_ms = clock_now(&s->clock);
    learn_addresses(c);
    access_greet(c);
    if (s->clients.count > (size_t)config_number(s->config, SET_MAXCLIENTS)) {
        turn_away(c, "-ERR max number of clients reached\r\n");
        return;
    }
    if (config_number(s->config, SET_PROTECTED_MODE) && acl_default(s->access.users)->open &&
        !(c->flags & CLIENT_LOCAL)) {
        if (c->tls || !config_text(s->config, SET_CLUSTER_SECRET_FILE)[0]) { /* nodes come by the plain port */
            client_refuse_stranger(c);
            return;
        }
        c->flags |= CLIENT_UNWELCOME; /* a node may still prove itself */
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    const unsigned keepalive = (unsigned)config_number(s->config, SET_TCP_KEEPALIVE);
    if (keepalive) (void)uv_tcp_keepalive(&c->tcp, 1, keepalive);
    client_start_reading(c);
}
