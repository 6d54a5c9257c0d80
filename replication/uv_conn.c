#include "replication/uv_conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"

enum { OUT_KEEP = 1 << 20 };

struct conn {
    struct conns *all;
    struct conn *next, **at;
    uint32_t id;
    bool dialed, opened;
    bool muted;   /* no callback any more */
    bool closing; /* write out, then end */
    bool ended;   /* uv_close() was called */
    unsigned paused;
    int64_t until_ms; /* of the handshake, then of lingering; 0: none */
    struct link *link;
    struct buf sending; /* being written by uv_write() */
    size_t reported;    /* queue that was reported last */
    bool unreported;    /* something was sent since */
    char address[64];
    char why[256];
    uv_tcp_t tcp;
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    unsigned holds; /* the handle, and a look-up under way */
    bool looking_up, writing, shut;
    struct addrinfo *addresses, *trying;
};

static void start_reading(struct conn *c);
static void try_address(struct conn *c);

static struct conn *conn_new(struct conns *all, uint32_t id, bool dialed)
{
    struct conn *c = MEM_NEW(struct conn);
    c->all = all;
    c->id = id;
    c->dialed = dialed;
    c->holds = 1;
    c->next = all->first;
    c->at = &all->first;
    if (c->next) c->next->at = &c->next;
    all->first = c;
    return c;
}

static void release(struct conn *c)
{
    struct conns *all = c->all;
    if (--c->holds) return;
    *c->at = c->next;
    if (c->next) c->next->at = c->at;
    if (c->addresses) uv_freeaddrinfo(c->addresses);
    link_free(c->link);
    buf_free(&c->sending);
    mem_free(c);
    if (!all->first && all->emptied) all->emptied(all->ctx);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (!c->opened && !c->dialed) {
        c->all->greeting--;
        c->all->refused_handshakes++;
    } else if (!c->muted) {
        c->all->events->closed(c->all->ctx, c->id, c->why);
    }
    c->muted = true;
    release(c);
}

/* End it now. The first reason stays; a long one is cut. */
static void end(struct conn *c, const char *why)
{
    if (c->ended) return;
    c->ended = true;
    if (!c->why[0]) {
        const size_t n = strnlen(why, sizeof c->why - 1);
        memmove(c->why, why, n);
        c->why[n] = '\0';
    }
    if (c->looking_up) (void)uv_cancel((uv_req_t *)&c->lookup);
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) uv_close((uv_handle_t *)&c->tcp, on_closed);
}

struct conn *conn_find(struct conns *all, uint32_t id)
{
    for (struct conn *c = all->first; c; c = c->next)
        if (c->id == id) return c->muted || c->ended ? NULL : c;
    return NULL;
}

static size_t queued(const struct conn *c) { return (c->link ? link_out(c->link)->len : 0) + c->sending.len; }

/* ---- Writing ---- */

static void on_written(uv_write_t *w, int status)
{
    struct conn *c = w->data;
    c->writing = false;
    buf_reset(&c->sending, OUT_KEEP);
    if (status < 0) end(c, uv_strerror(status));
}

static void on_shutdown(uv_shutdown_t *s, int status)
{
    (void)status;
    (void)s;
}

/* Write what is there; what the socket does not take goes to uv_write(). True if all went out. */
static bool flush(struct conn *c)
{
    struct buf *out = c->link ? link_out(c->link) : NULL;
    if (!out || !out->len || c->writing || c->ended) return false;
    uv_buf_t b = uv_buf_init(out->p, (unsigned)out->len);
    const int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (n < 0 && n != UV_EAGAIN) {
        end(c, uv_strerror(n));
        return false;
    }
    c->all->bytes_out += out->len;
    if (n >= 0 && (size_t)n == out->len) {
        buf_reset(out, OUT_KEEP);
        return true;
    }
    if (n > 0) buf_drop(out, (size_t)n);
    const struct buf empty = c->sending;
    c->sending = *out;
    *out = empty;
    b = uv_buf_init(c->sending.p, (unsigned)c->sending.len);
    c->write.data = c;
    c->writing = true;
    const int r = uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written);
    if (r < 0) {
        c->writing = false;
        end(c, uv_strerror(r));
    }
    return false;
}

bool conns_flush(struct conns *all)
{
    bool more = false;
    for (struct conn *c = all->first, *next; c; c = next) {
        next = c->next;
        more |= flush(c);
        if (!c->muted && !c->ended && c->opened && (c->unreported || queued(c) != c->reported)) {
            c->unreported = false;
            c->reported = queued(c);
            all->events->queue(all->ctx, c->id, c->reported);
        }
        if (c->closing && !c->shut && !c->ended && queued(c) == 0) {
            c->shut = true;
            c->shutdown.data = c;
            if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) < 0) end(c, "closed");
        }
    }
    return more;
}

void conn_send(struct conn *c, struct span header, struct span payload)
{
    c->unreported = true;
    link_send(c->link, header, payload);
}

void conn_close(struct conn *c, int64_t now_ms)
{
    c->muted = true;
    c->closing = true;
    c->until_ms = now_ms + CONN_LINGER_MS;
    /* Before the handshake is over nothing that matters waits to be written. */
    if (!c->opened) end(c, "closed");
    c->paused = 0;
    if (!c->ended) start_reading(c);
}

/* ---- Reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *b)
{
    (void)suggested;
    const struct conn *c = handle->data;
    *b = uv_buf_init(c->all->read_buffer, CONN_READ);
}

static void opened(struct conn *c)
{
    c->opened = true;
    c->until_ms = 0;
    if (!c->dialed) c->all->greeting--;
    (void)uv_tcp_nodelay(&c->tcp, 1);
    c->all->events->opened(c->all->ctx, c, c->id, link_peer(c->link), c->address);
}

static void feed(struct conn *c, struct span bytes)
{
    struct cursor in = cursor_of(bytes);
    struct errmsg m = {0};
    struct frame f;
    while (!c->muted && !c->ended) {
        switch (link_take(c->link, &in, &f, &m)) {
        case LINK_OPENED: opened(c); break;
        case LINK_FRAME: c->all->events->frame(c->all->ctx, c, c->id, &f); break;
        case LINK_FAILED: end(c, m.text); return;
        case LINK_MORE: return;
        }
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = stream->data;
    if (n < 0) {
        const bool greeting = c->dialed && !c->opened && n == UV_EOF;
        end(c, greeting      ? "refused in the handshake: is its cluster secret ours?"
               : n == UV_EOF ? "closed by the other end"
                             : uv_strerror((int)n));
        return;
    }
    if (n > 0) c->all->bytes_in += (uint64_t)n;
    if (n > 0 && !c->muted) feed(c, span_of(b->base, (size_t)n));
}

static void start_reading(struct conn *c)
{
    if (c->paused || c->ended || !c->link) return;
    const int r = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (r < 0 && r != UV_EALREADY) end(c, uv_strerror(r));
}

void conn_pause(struct conn *c, enum conn_pause why, bool pause)
{
    c->paused = pause ? c->paused | (unsigned)why : c->paused & ~(unsigned)why;
    if (c->ended) return;
    if (c->paused) (void)uv_read_stop((uv_stream_t *)&c->tcp);
    else start_reading(c);
}

/* ---- Where from, where to ---- */

/* Set the text of the other end's address; true if it is this machine's loopback. */
static bool look_at_peer(struct conn *c)
{
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &n) != 0) return false;
    if (a.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a;
        (void)uv_ip4_name(in, c->address, sizeof c->address);
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (a.ss_family != AF_INET6) return false;
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a;
    (void)uv_ip6_name(in, c->address, sizeof c->address);
    if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr)) {
        memmove(c->address, c->address + 7, strlen(c->address + 7) + 1); /* without ::ffff: */
        return in->sin6_addr.s6_addr[12] == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
}

static const char refused_stranger[] = "without a cluster secret nodes are linked over loopback only";

/* The handle of an address that did not answer is closed: a new one for the next address. */
static void on_retry(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (c->ended) {
        on_closed(handle);
        return;
    }
    c->trying = c->trying->ai_next;
    (void)uv_tcp_init(c->all->loop, &c->tcp);
    c->tcp.data = c;
    try_address(c);
}

static void cannot_connect(struct conn *c, int status)
{
    (void)snprintf(c->why, sizeof c->why, "cannot connect: %s", uv_strerror(status));
    if (c->trying->ai_next) uv_close((uv_handle_t *)&c->tcp, on_retry);
    else end(c, c->why);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct conn *c = request->data;
    if (c->ended) return;
    if (status < 0) {
        cannot_connect(c, status);
        return;
    }
    c->why[0] = '\0';
    if (!look_at_peer(c) && !c->all->has_secret) {
        end(c, refused_stranger);
        return;
    }
    c->link = link_dial(c->all->keys, &c->all->own);
    start_reading(c);
    (void)flush(c);
}

static void try_address(struct conn *c)
{
    c->connect.data = c;
    const int r = uv_tcp_connect(&c->connect, &c->tcp, c->trying->ai_addr, on_connected);
    if (r < 0) cannot_connect(c, r);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct conn *c = request->data;
    c->looking_up = false;
    c->addresses = addresses;
    if (!c->ended && status < 0) {
        (void)snprintf(c->why, sizeof c->why, "cannot look the name up: %s", uv_strerror(status));
        end(c, c->why);
    } else if (!c->ended) {
        c->trying = addresses;
        try_address(c);
    }
    release(c);
}

void conn_dial(struct conns *all, uint32_t id, const char *host, uint16_t port)
{
    struct conn *c = conn_new(all, id, true);
    char service[8];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    (void)snprintf(service, sizeof service, "%u", port);
    (void)uv_tcp_init(all->loop, &c->tcp);
    c->tcp.data = c;
    c->lookup.data = c;
    const int r = uv_getaddrinfo(all->loop, &c->lookup, on_looked_up, host, service, &hints);
    if (r < 0) {
        end(c, uv_strerror(r));
        return;
    }
    c->looking_up = true;
    c->holds++;
}

void conn_adopt(struct conns *all, uint32_t id, int fd, struct span read, int64_t now_ms)
{
    struct conn *c = conn_new(all, id, false);
    all->greeting++;
    (void)uv_tcp_init(all->loop, &c->tcp);
    c->tcp.data = c;
    c->until_ms = now_ms + CONN_GREETING_MS;
    if (uv_tcp_open(&c->tcp, fd) < 0) {
        (void)close(fd);
        end(c, "not a socket");
        return;
    }
    if (!look_at_peer(c) && !all->has_secret) {
        end(c, refused_stranger);
        return;
    }
    if (all->greeting > CONN_GREETING_MAX) {
        end(c, "too many strangers at the door");
        return;
    }
    c->link = link_accept(all->keys, &all->own, &all->memory);
    start_reading(c);
    feed(c, read);
}

void conns_sweep(struct conns *all, int64_t now_ms)
{
    for (struct conn *c = all->first, *next; c; c = next) {
        next = c->next;
        if (c->until_ms && now_ms >= c->until_ms) end(c, "not done in time");
    }
}

void conns_close_all(struct conns *all)
{
    for (struct conn *c = all->first, *next; c; c = next) {
        next = c->next;
        c->muted = true;
        end(c, "stopped");
    }
    if (!all->first && all->emptied) all->emptied(all->ctx);
}
