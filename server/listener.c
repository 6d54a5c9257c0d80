#include "server/listener.h"

#include <stdio.h>

#include "common/mem.h"
#include "server/client.h"
#include "server/server.h"
#include "server/tls.h"
#include "server/words.h"

struct listener {
    uv_tcp_t tcp;
    struct server *server;
    bool tls;
};

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    if (status < 0) {
        logger_line(l->server->logger, LOGGER_WARNING, "Accepting a connection failed: %s", uv_strerror(status));
        return;
    }
    client_accept(l->server, stream, l->tls ? l->server->listeners.tls : NULL);
}

static void on_closed(uv_handle_t *h) { mem_free(h->data); }

static int bind_and_listen(struct server *s, struct listener *l, const char *address, int port)
{
    struct sockaddr_storage to;
    unsigned flags = 0;
    int rc = uv_ip4_addr(strcmp(address, "*") == 0 ? "0.0.0.0" : address, port, (struct sockaddr_in *)&to);
    if (rc) {
        rc = uv_ip6_addr(strcmp(address, "::*") == 0 ? "::" : address, port, (struct sockaddr_in6 *)&to);
        flags = UV_TCP_IPV6ONLY;
    }
    if (!rc) rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&to, flags);
    if (!rc) rc = uv_listen((uv_stream_t *)&l->tcp, (int)config_number(s->config, SET_TCP_BACKLOG), on_connection);
    return rc;
}

/* Addresses that this machine may lack without harm. */
static bool is_missing(int rc) { return rc == UV_EADDRNOTAVAIL || rc == UV_EAFNOSUPPORT || rc == UV_EPROTONOSUPPORT; }

static enum err open_one(struct server *s, struct span word, int port, bool tls, struct errmsg *m)
{
    char address[128];
    if (s->listeners.count == LISTENERS_MAX) return err_set(m, ERR_RANGE, "too many addresses to listen on");
    const bool may_be_missing = word.n && word.p[0] == '-';
    if (may_be_missing) word = span_of(word.p + 1, word.n - 1);
    (void)snprintf(address, sizeof address, "%.*s", (int)word.n, word.p);
    struct listener *l = MEM_NEW(struct listener);
    l->server = s;
    l->tls = tls;
    int rc = uv_tcp_init(&s->loop, &l->tcp);
    l->tcp.data = l;
    if (!rc) rc = bind_and_listen(s, l, address, port);
    if (!rc) {
        s->listeners.sockets[s->listeners.count++] = l;
        return ERR_OK;
    }
    uv_close((uv_handle_t *)&l->tcp, on_closed);
    if (may_be_missing && is_missing(rc)) return ERR_OK;
    return err_set(m, err_of_errno(-rc), "cannot listen on %s port %d: %s", address, port, uv_strerror(rc));
}

static struct tls_settings tls_settings(const struct config *c)
{
    return (struct tls_settings){
        .cert_file = config_text(c, SET_TLS_CERT_FILE),
        .key_file = config_text(c, SET_TLS_KEY_FILE),
        .key_file_pass = config_text(c, SET_TLS_KEY_FILE_PASS),
        .ca_cert_file = config_text(c, SET_TLS_CA_CERT_FILE),
        .ca_cert_dir = config_text(c, SET_TLS_CA_CERT_DIR),
        .dh_params_file = config_text(c, SET_TLS_DH_PARAMS_FILE),
        .protocols = config_text(c, SET_TLS_PROTOCOLS),
        .ciphers = config_text(c, SET_TLS_CIPHERS),
        .ciphersuites = config_text(c, SET_TLS_CIPHERSUITES),
        .clients = (enum tls_clients)config_number(c, SET_TLS_AUTH_CLIENTS),
        .prefer_server_ciphers = config_number(c, SET_TLS_PREFER_SERVER_CIPHERS),
        .session_caching = config_number(c, SET_TLS_SESSION_CACHING),
        .session_cache_size = config_number(c, SET_TLS_SESSION_CACHE_SIZE),
        .session_cache_timeout_s = config_number(c, SET_TLS_SESSION_CACHE_TIMEOUT),
    };
}

enum err listeners_configure_tls(struct server *s, struct errmsg *m)
{
    struct tls_context *next;
    if (!config_number(s->config, SET_TLS_PORT)) return ERR_OK;
    const struct tls_settings settings = tls_settings(s->config);
    const enum err e = tls_context_new(&settings, &next, m);
    if (e) return e;
    tls_context_free(s->listeners.tls);
    s->listeners.tls = next;
    return ERR_OK;
}

/* Listen on every address of `bind`. */
static enum err open_port(struct server *s, enum setting port, struct errmsg *m)
{
    const int number = (int)config_number(s->config, port);
    struct span rest = span_str(config_text(s->config, SET_BIND)), word;
    enum err e = ERR_OK;
    while (number && !e && word_next(&rest, ' ', &word)) e = open_one(s, word, number, port == SET_TLS_PORT, m);
    return e;
}

enum err listeners_open(struct server *s, struct errmsg *m)
{
    enum err e = listeners_configure_tls(s, m);
    if (!e) e = open_port(s, SET_PORT, m);
    if (!e) e = open_port(s, SET_TLS_PORT, m);
    if (e) return e;
    return s->listeners.count
               ? ERR_OK
               : err_set(m, ERR_INVALID, "there is no address to listen on, or neither port nor tls-port");
}

void listeners_close(struct server *s)
{
    for (unsigned i = 0; i < s->listeners.count; i++)
        uv_close((uv_handle_t *)&s->listeners.sockets[i]->tcp, on_closed);
    s->listeners.count = 0;
}

void listeners_free(struct server *s)
{
    tls_context_free(s->listeners.tls);
    s->listeners.tls = NULL;
}
