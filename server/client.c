#include "server/client.h"

#include <assert.h>
#include <stdio.h>

#include "common/engine.h"
#include "common/mem.h"
#include "server/dispatch.h"
#include "server/nodes.h"
#include "server/server.h"
#include "server/wait.h"

enum {
    SMALL_TAIL = 8 * 1024,       /* a beginning this short travels in the shared buffer with what follows it */
    KEPT_OUT = 16 * 1024,        /* memory for replies that a client keeps between turns */
    WAITING_INPUT = 1024 * 1024, /* read ahead for a client that waits */
    /* No further request is looked at. */
    STOPPED = CLIENT_CLOSE_AFTER_REPLY | CLIENT_CLOSING | CLIENT_BLOCKED | CLIENT_THROTTLED | CLIENT_MUST_NOT_WRITE,
};

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void start_reading(struct client *c)
{
    if (c->flags & (CLIENT_READING | CLIENT_CLOSING | CLIENT_ENDED)) return;
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0) c->flags |= CLIENT_READING;
    else client_close(c);
}

void client_stop_reading(struct client *c)
{
    if (!(c->flags & CLIENT_READING)) return;
    (void)uv_read_stop((uv_stream_t *)&c->tcp);
    c->flags &= ~(unsigned)CLIENT_READING;
}

/* ---- Life ---- */

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
}

static void unmark_dirty(struct client *c)
{
    if (!(c->flags & CLIENT_DIRTY)) return;
    c->flags &= ~(unsigned)CLIENT_DIRTY;
    if (c->prev_dirty) c->prev_dirty->next_dirty = c->next_dirty;
    else c->server->clients.dirty = c->next_dirty;
    if (c->next_dirty) c->next_dirty->prev_dirty = c->prev_dirty;
    c->prev_dirty = c->next_dirty = NULL;
}

static void on_closed(uv_handle_t *h)
{
    struct client *c = h->data;
    resp_parser_free(&c->parser);
    held_free(&c->held);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->sending);
    mem_free(c->name);
    mem_free(c->lib_name);
    mem_free(c->lib_version);
    mem_free(c);
}

void client_close(struct client *c)
{
    if (c->flags & CLIENT_CLOSING) return;
    client_stop_reading(c);
    unmark_dirty(c);
    unlink_client(c);
    clients_forget(c);
    journal_forget_client(c);
    wait_forget(c);
    c->flags |= CLIENT_CLOSING;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* Tell a connection that cannot be a client why, as far as the socket takes it at once. */
static void turn_away(struct client *c, const char *why)
{
    uv_buf_t text = uv_buf_init((char *)(uintptr_t)why, (unsigned)strlen(why));
    (void)uv_try_write((uv_stream_t *)&c->tcp, &text, 1);
    c->server->stats.rejected_connections++;
    client_close(c);
}

static const char protected_mode_text[] =
    "-DENIED This server is in protected mode: it has no password, so it serves clients on its own machine only. "
    "Set one with requirepass, or protected-mode to no if the network is trusted.\r\n";

void client_accept(struct server *s, uv_stream_t *listener)
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
    s->stats.connections++;
    c->created_ms = c->active_ms = clock_now(&s->clock);
    learn_addresses(c);
    if (!s->clients.password_set) c->flags |= CLIENT_TRUSTED;
    if (s->clients.count > (size_t)config_number(s->config, SET_MAXCLIENTS)) {
        turn_away(c, "-ERR max number of clients reached\r\n");
        return;
    }
    if (config_number(s->config, SET_PROTECTED_MODE) && !s->clients.password_set && !(c->flags & CLIENT_LOCAL)) {
        if (!config_text(s->config, SET_CLUSTER_SECRET_FILE)[0]) {
            turn_away(c, protected_mode_text);
            return;
        }
        c->flags |= CLIENT_UNWELCOME; /* a node may still prove itself */
    }
    (void)uv_tcp_nodelay(&c->tcp, 1);
    const unsigned keepalive = (unsigned)config_number(s->config, SET_TCP_KEEPALIVE);
    if (keepalive) (void)uv_tcp_keepalive(&c->tcp, 1, keepalive);
    start_reading(c);
}

/* ---- In ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct client *c = h->data;
    char *shared = c->server->clients.read_buffer;
    (void)suggested;
    /* libuv would read on while there is more: but a round takes one read of each, so that nobody waits long for others, and
     * what is logged goes its way before more is. */
    if (c->flags & CLIENT_RESUMED || !clients_may_hear(c)) {
        *buf = uv_buf_init(NULL, 0);
        return;
    }
    if (c->in.len <= SMALL_TAIL) {
        if (c->in.len) memcpy(shared, c->in.p, c->in.len);
        *buf = uv_buf_init(shared + c->in.len, (unsigned)(CLIENTS_READ_BYTES - c->in.len));
        return;
    }
    /* A large request gathers in memory of its own, which grows as the bytes come and not because they were promised. */
    size_t room = c->want > c->in.len + 1 ? c->want - c->in.len : CLIENTS_READ_BYTES;
    const size_t most = c->in.len > CLIENTS_READ_BYTES ? c->in.len : CLIENTS_READ_BYTES;
    if (room > most) room = most;
    *buf = uv_buf_init(buf_room(&c->in, room), (unsigned)room);
}

static void protocol_error(struct client *c)
{
    struct server *s = c->server;
    struct reply reply = {.out = &c->out, .resp = c->resp};
    reply_error(&reply, "%s", c->parser.error);
    stats_error(&s->stats, SPAN("-ERR "));
    s->stats.protocol_errors++;
    logger_line(s->logger, LOGGER_VERBOSE, "Closing the connection from %s: %s", c->addr, c->parser.error);
    client_close_after_reply(c);
}

/* What lies behind the requests that were executed. */
struct parsed {
    enum resp_status status;
    size_t used;                         /* bytes of a whole request */
    struct request request;              /* a whole request */
    const struct command_entry *command; /* its command, or NULL */
};

static void parse(struct client *c, struct span in, struct parsed *p)
{
    const struct clients *all = &c->server->clients;
    const struct resp_limits *limits = c->flags & CLIENT_TRUSTED ? &all->limits : &all->limits_before_auth;
    p->status = resp_parse(&c->parser, in, limits, &p->request, &p->used, &c->want);
    if (p->status != RESP_REQUEST) return;
    c->want = 1;
    p->command = p->request.argc ? dispatch_find(c, &p->request) : NULL;
}

/* Commands of the engine change nothing that parsing depends on, and are executed unless writes are held; inline requests
 * share one buffer. */
static bool may_look_ahead(const struct client *c, const struct parsed *now, struct span rest)
{
    return now->command && now->command->flags & CMD_ENGINE && !c->server->clients.writes_held &&
           now->request.raw.n && rest.n && rest.p[0] == '*';
}

/* Parse the request behind the one at hand before that is executed, so that its data come from memory meanwhile. */
static void look_ahead(struct client *c, struct span rest, struct parsed *next)
{
    resp_parser_exchange(&c->parser, &c->server->clients.argv);
    parse(c, rest, next);
    if (next->status == RESP_REQUEST && next->command && next->command->flags & CMD_ENGINE)
        engine_foresee(c->server->engine, &c->session, next->command, &next->request);
}

/* Execute the requests at the front of @in; returns how many bytes are done with. */
static size_t consume(struct client *c, struct span in)
{
    struct server *s = c->server;
    struct parsed both[2], *now = &both[0], *next = &both[1];
    bool ahead = false; /* @next is parsed */
    size_t done = 0;
    c->want = 1;
    while (!(c->flags & STOPPED)) {
        if (!ahead) parse(c, span_of(in.p + done, in.n - done), now);
        if (now->status == RESP_BAD) protocol_error(c);
        if (now->status != RESP_REQUEST) break;
        const struct span rest = span_of(in.p + done + now->used, in.n - done - now->used);
        ahead = may_look_ahead(c, now, rest);
        if (ahead) look_ahead(c, rest, next);
        if (now->request.argc && !dispatch(c, now->command, &now->request)) break;
        done += now->used;
        if (turn_is_full(&s->stats.turn) && done < in.n) {
            clients_resume_later(c);
            break;
        }
        if (c->out.len > s->clients.pending_max) c->flags |= CLIENT_THROTTLED;
        if (!ahead) continue;
        if (next->status == RESP_REQUEST) engine_foresee_more(s->engine, &c->session, &next->request);
        struct parsed *const spent = now;
        now = next;
        next = spent;
    }
    if (c->out.len) client_mark_dirty(c);
    return c->flags & (CLIENT_CLOSE_AFTER_REPLY | CLIENT_CLOSING) ? in.n : done;
}

/* Keep what consume() left of @in, which lies in c->in if @own. */
static void keep_rest(struct client *c, struct span in, size_t done, bool own)
{
    if (own) {
        buf_drop(&c->in, done);
    } else {
        c->in.len = 0;
        buf_add(&c->in, in.p + done, in.n - done);
    }
    if (c->in.len == 0) buf_reset(&c->in, SMALL_TAIL);
    if (c->flags & (CLIENT_BLOCKED | CLIENT_THROTTLED | CLIENT_MUST_NOT_WRITE) && c->in.len > WAITING_INPUT)
        client_stop_reading(c);
}

static void on_end(struct client *c)
{
    client_stop_reading(c);
    c->flags |= CLIENT_ENDED;
    if (c->flags & CLIENT_BLOCKED || !(c->out.len || c->flags & (CLIENT_WRITING | CLIENT_THROTTLED))) client_close(c);
}

/* The first byte tells a client from a node. False: it is no client that may stay. */
static bool greet(struct client *c, struct span in)
{
    c->flags |= CLIENT_SPOKE;
    if ((unsigned char)in.p[0] == NODE_FIRST_BYTE) {
        client_stop_reading(c);
        nodes_adopt(c, in);
        return false;
    }
    if (!(c->flags & CLIENT_UNWELCOME)) return true;
    turn_away(c, protected_mode_text);
    return false;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;
    struct server *s = c->server;
    if (n == 0 || n == UV_ENOBUFS) return;
    if (n == UV_EOF) {
        on_end(c);
        return;
    }
    if (n < 0) {
        client_close(c);
        return;
    }
    const bool own = c->in.len > SMALL_TAIL;
    s->stats.bytes_in += (size_t)n;
    turn_begin_commands(&s->stats.turn);
    c->bytes_in += (size_t)n;
    c->active_ms = clock_now(&s->clock);
    if (own) c->in.len += (size_t)n;
    const struct span in = own ? buf_span(&c->in) : span_of(buf->base - c->in.len, c->in.len + (size_t)n);
    if (!(c->flags & CLIENT_SPOKE) && !greet(c, in)) return;
    if (in.n > s->clients.query_max) {
        logger_line(s->logger, LOGGER_WARNING, "Closing the client %s: it sent more ahead than %zu bytes", c->addr,
                    s->clients.query_max);
        s->stats.query_limit_closed++;
        client_close(c);
        return;
    }
    if (!own && in.n < c->want) { /* not enough to go on */
        keep_rest(c, in, 0, own);
        return;
    }
    const size_t done = consume(c, in);
    if (done) clients_heard(c);
    if (!(c->flags & CLIENT_CLOSING)) keep_rest(c, in, done, own);
}

void client_resume(struct client *c)
{
    if (c->flags & STOPPED) return;
    if (c->in.len) {
        turn_begin_commands(&c->server->stats.turn);
        const size_t done = consume(c, buf_span(&c->in));
        if (c->flags & CLIENT_CLOSING) return;
        if (done) clients_heard(c);
        keep_rest(c, buf_span(&c->in), done, true);
    }
    if (c->flags & CLIENT_ENDED) client_mark_dirty(c); /* it is closed when all is sent */
    else if (!(c->flags & CLIENT_CLOSE_AFTER_REPLY)) start_reading(c);
}

void client_block(struct client *c) { c->flags |= CLIENT_BLOCKED; }

void client_unblock(struct client *c)
{
    if (!(c->flags & CLIENT_BLOCKED)) return;
    c->flags &= ~(unsigned)CLIENT_BLOCKED;
    client_mark_dirty(c);
    clients_resume_later(c);
}

/* ---- Out ---- */

void client_mark_dirty(struct client *c)
{
    struct clients *all = &c->server->clients;
    if (c->flags & (CLIENT_DIRTY | CLIENT_CLOSING)) return;
    c->flags |= CLIENT_DIRTY;
    c->prev_dirty = NULL;
    c->next_dirty = all->dirty;
    if (all->dirty) all->dirty->prev_dirty = c;
    all->dirty = c;
}

void client_close_after_reply(struct client *c)
{
    c->flags |= CLIENT_CLOSE_AFTER_REPLY;
    client_stop_reading(c);
    client_mark_dirty(c);
}

size_t client_pending_bytes(const struct client *c)
{
    return c->out.len + (c->flags & CLIENT_WRITING ? c->sending.len : 0);
}

static void on_written(uv_write_t *write, int status)
{
    struct client *c = write->data;
    c->flags &= ~(unsigned)CLIENT_WRITING;
    buf_reset(&c->sending, 0);
    if (c->flags & CLIENT_CLOSING) return;
    if (status < 0) client_close(c);
    else client_mark_dirty(c);
}

/* Hand bytes [@from, @to) of `out` to libuv; what stands behind them stays in `out`. */
static void write_rest(struct client *c, size_t from, size_t to)
{
    assert(!(c->flags & CLIENT_WRITING));
    if (to - from > INT32_MAX) to = from + INT32_MAX; /* of one uv_buf_t */
    struct buf rest = {0};
    buf_add(&rest, c->out.p + to, c->out.len - to);
    buf_free(&c->sending);
    c->sending = c->out;
    c->sending.len = to;
    c->out = rest;
    c->left += to - from;
    uv_buf_t bytes = uv_buf_init(c->sending.p + from, (unsigned)(to - from));
    c->write.data = c;
    c->flags |= CLIENT_WRITING;
    c->server->stats.bytes_out += to - from;
    c->bytes_out += to - from;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) != 0) {
        c->flags &= ~(unsigned)CLIENT_WRITING;
        client_close(c);
    }
}

void client_hold_reply(struct client *c, size_t mark, uint64_t position)
{
    struct journal *j = &c->server->journal;
    if (position == 0) return;
    if (!held_any(&c->held)) {
        c->next_held = j->held;
        if (j->held) j->held->prev_held = c;
        j->held = c;
    }
    held_add(&c->held, c->left + mark, position);
}

/* Bytes at the front of `out` that may leave. */
static size_t sendable(struct client *c)
{
    if (!held_any(&c->held)) return c->out.len;
    const uint64_t limit = held_release(&c->held, c->server->journal.committed, c->left + c->out.len);
    if (!held_any(&c->held)) journal_forget_client(c);
    return (size_t)(limit - c->left);
}

bool client_waits_for_log(struct client *c)
{
    (void)sendable(c);
    return held_any(&c->held);
}

/* False: too slow a reader, closed. */
static bool within_output_limit(struct client *c)
{
    struct server *s = c->server;
    const struct output_limit *limit = &s->clients.output[OUTPUT_NORMAL];
    const int64_t pending = (int64_t)client_pending_bytes(c);
    bool over = limit->hard_bytes && pending > limit->hard_bytes;
    if (limit->soft_bytes && pending > limit->soft_bytes) {
        const int64_t now = clock_now(&s->clock);
        if (!c->soft_since_ms) c->soft_since_ms = now;
        if (now - c->soft_since_ms > limit->soft_seconds * 1000) over = true;
    } else {
        c->soft_since_ms = 0;
    }
    if (!over) return true;
    logger_line(s->logger, LOGGER_WARNING,
                "Closing the client %s: %lld bytes of replies wait for it, beyond its output limit", c->addr,
                (long long)pending);
    s->stats.output_limit_closed++;
    client_close(c);
    return false;
}

static void after_flush(struct client *c)
{
    if (!within_output_limit(c)) return;
    if (client_pending_bytes(c) == 0) {
        if (c->flags & CLIENT_CLOSE_AFTER_REPLY) client_close(c);
        else if (c->flags & CLIENT_ENDED && !(c->flags & (CLIENT_BLOCKED | CLIENT_THROTTLED))) client_close(c);
    }
    if (c->flags & CLIENT_THROTTLED && client_pending_bytes(c) <= c->server->clients.pending_max / 2) {
        c->flags &= ~(unsigned)CLIENT_THROTTLED;
        clients_resume_later(c);
    }
}

/* Offer the socket the first @n bytes of `out`. */
static void offer(struct client *c, size_t n)
{
    uv_buf_t bytes = uv_buf_init(c->out.p, (unsigned)(n < INT32_MAX ? n : INT32_MAX));
    int taken = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
    if (taken == UV_EAGAIN) taken = 0;
    if (taken < 0) {
        client_close(c);
        return;
    }
    const size_t sent = (size_t)taken;
    c->server->stats.bytes_out += sent;
    c->bytes_out += sent;
    c->left += sent;
    if (sent == c->out.len) buf_reset(&c->out, KEPT_OUT);
    else if (sent == n) buf_drop(&c->out, sent);
    else write_rest(c, sent, n);
}

void client_flush(struct client *c)
{
    unmark_dirty(c);
    if (!(c->flags & CLIENT_WRITING) && c->out.len) {
        const size_t n = sendable(c);
        if (n) offer(c, n);
    }
    if (!(c->flags & CLIENT_CLOSING)) after_flush(c);
}
