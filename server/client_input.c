#include "common/engine.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/nodes.h"
#include "server/server.h"
#include "server/tls.h"

enum {
    SMALL_TAIL = 8 * 1024,       /* a beginning this short travels in the shared buffer with what follows it */
    WAITING_INPUT = 1024 * 1024, /* read ahead for a client that waits */
    /* No further request is looked at. */
    STOPPED = CLIENT_CLOSE_AFTER_REPLY | CLIENT_CLOSING | CLIENT_BLOCKED | CLIENT_THROTTLED | CLIENT_MUST_NOT_WRITE,
};

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

void client_start_reading(struct client *c)
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

/* Where what comes next goes: behind what there is of a request. */
static uv_buf_t room_for_more(struct client *c)
{
    char *shared = c->server->clients.read_buffer;
    if (c->in.len <= SMALL_TAIL) {
        if (c->in.len) memcpy(shared, c->in.p, c->in.len);
        return uv_buf_init(shared + c->in.len, (unsigned)(CLIENTS_READ_BYTES - c->in.len));
    }
    /* A large request gathers in memory of its own, which grows as the bytes come and not because they were promised. */
    size_t room = c->want > c->in.len + 1 ? c->want - c->in.len : CLIENTS_READ_BYTES;
    const size_t most = c->in.len > CLIENTS_READ_BYTES ? c->in.len : CLIENTS_READ_BYTES;
    if (room > most) room = most;
    return uv_buf_init(buf_room(&c->in, room), (unsigned)room);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct client *c = h->data;
    (void)suggested;
    /* libuv would read on while there is more: but a round takes one read of each, so that nobody waits long for others, and
     * what is logged goes its way before more is. */
    if (c->flags & CLIENT_RESUMED) *buf = uv_buf_init(NULL, 0);
    else if (c->tls) *buf = uv_buf_init(c->server->clients.sealed_buffer, CLIENTS_READ_BYTES);
    else *buf = room_for_more(c);
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
    if (s->journal.enough) journal_close_batch(s);
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
    clients_count_memory(c);
}

static void on_end(struct client *c)
{
    client_stop_reading(c);
    c->flags |= CLIENT_ENDED;
    const unsigned busy = CLIENT_WRITING | CLIENT_THROTTLED | CLIENT_RESUMED;
    if (c->flags & CLIENT_BLOCKED || !(c->out.len || c->flags & busy)) client_close(c);
}

/* The first byte tells a client from a node. False: it is no client that may stay. */
static bool greet(struct client *c, struct span in)
{
    c->flags |= CLIENT_SPOKE;
    if ((unsigned char)in.p[0] == NODE_FIRST_BYTE && !c->tls) { /* links have a seal of their own */
        client_stop_reading(c);
        nodes_adopt(c, in);
        return false;
    }
    if (!(c->flags & CLIENT_UNWELCOME)) return true;
    client_refuse_stranger(c);
    return false;
}

/* @n bytes came, into room_for_more(), which began at @at. */
static void take_plain(struct client *c, const char *at, size_t n)
{
    struct server *s = c->server;
    const bool own = c->in.len > SMALL_TAIL;
    if (own) c->in.len += n;
    const struct span in = own ? buf_span(&c->in) : span_of(at - c->in.len, c->in.len + n);
    if (!(c->flags & CLIENT_SPOKE) && !greet(c, in)) return;
    if (in.n > s->clients.query_max) {
        logger_line(s->logger, LOGGER_WARNING, "Closing the client %s: it sent more ahead than %zu bytes", c->addr,
                    s->clients.query_max);
        s->stats.query_limit_closed++;
        client_close(c);
        return;
    }
    if (c->flags & CLIENT_RESUMED || (!own && in.n < c->want)) { /* not now, or not enough to go on */
        keep_rest(c, in, 0, own);
        return;
    }
    const size_t done = consume(c, in);
    if (done) clients_heard(c);
    if (!(c->flags & CLIENT_CLOSING)) keep_rest(c, in, done, own);
}

/* All that was fed is read, so that none of it waits for bytes that may never come. */
static void take_sealed(struct client *c, struct span sealed)
{
    enum tls_status status = TLS_DATA;
    tls_feed(c->tls, sealed);
    while (status == TLS_DATA) {
        const uv_buf_t room = room_for_more(c);
        size_t n;
        status = tls_read(c->tls, room.base, room.len, &n);
        if (status == TLS_DATA) take_plain(c, room.base, n);
        if (c->flags & CLIENT_CLOSING) return;
    }
    if (tls_has_sealed(c->tls)) client_mark_dirty(c);
    if (status == TLS_END) on_end(c);
    if (status != TLS_BAD) return;
    logger_line(c->server->logger, LOGGER_VERBOSE, "Closing the connection from %s: TLS failed: %s", c->addr,
                tls_error(c->tls));
    client_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;
    struct server *s = c->server;
    if (n == UV_ENOBUFS) { /* it has enough to do already; the poll would bring it again and again */
        if (!(c->flags & STOPPED)) client_stop_reading(c);
        return;
    }
    if (n == 0) return;
    if (n == UV_EOF) {
        on_end(c);
        return;
    }
    if (n < 0) {
        client_close(c);
        return;
    }
    /* Whose time is not now is read all the same, once: with thousands of ready sockets, to leave them ready makes each poll
     * of a turn bring all of them. */
    if (!(c->flags & STOPPED) && !clients_may_hear(c)) clients_resume_later(c);
    s->stats.bytes_in += (size_t)n;
    s->stats.reads++;
    turn_begin_commands(&s->stats.turn);
    c->bytes_in += (size_t)n;
    c->active_ms = clock_now(&s->clock);
    if (c->tls) take_sealed(c, span_of(buf->base, (size_t)n));
    else take_plain(c, buf->base, (size_t)n);
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
    else if (!(c->flags & CLIENT_CLOSE_AFTER_REPLY)) client_start_reading(c);
}

void client_block(struct client *c) { c->flags |= CLIENT_BLOCKED; }

void client_unblock(struct client *c)
{
    if (!(c->flags & CLIENT_BLOCKED)) return;
    c->flags &= ~(unsigned)CLIENT_BLOCKED;
    client_mark_dirty(c);
    clients_resume_later(c);
}

void client_unblock_answered(struct client *c, size_t mark)
{
    if (c->flags & CLIENT_REPLY_FLAGS) dispatch_silence(c, mark);
    client_unblock(c);
}
