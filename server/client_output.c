#include <assert.h>

#include "server/client.h"
#include "server/server.h"
#include "server/tls.h"

enum { KEPT_OUT = 16 * 1024 }; /* memory for replies that a client keeps between turns */

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

void client_unmark_dirty(struct client *c)
{
    if (!(c->flags & CLIENT_DIRTY)) return;
    c->flags &= ~(unsigned)CLIENT_DIRTY;
    if (c->prev_dirty) c->prev_dirty->next_dirty = c->next_dirty;
    else c->server->clients.dirty = c->next_dirty;
    if (c->next_dirty) c->next_dirty->prev_dirty = c->prev_dirty;
    c->prev_dirty = c->next_dirty = NULL;
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

/* Hand `sending` to libuv, but for the first @from bytes. */
static void write_sending(struct client *c, size_t from)
{
    assert(!(c->flags & CLIENT_WRITING));
    uv_buf_t bytes = uv_buf_init(c->sending.p + from, (unsigned)(c->sending.len - from));
    c->write.data = c;
    c->flags |= CLIENT_WRITING;
    c->server->stats.writes++;
    c->server->stats.bytes_out += bytes.len;
    c->bytes_out += bytes.len;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) != 0) {
        c->flags &= ~(unsigned)CLIENT_WRITING;
        client_close(c);
    }
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
    write_sending(c, from);
}

/* ---- By TLS ---- */

/* Offer the socket what was sealed; what it does not take is left to libuv. */
static void send_sealed(struct client *c)
{
    tls_take(c->tls, &c->sending);
    if (!c->sending.len) return;
    uv_buf_t bytes = uv_buf_init(c->sending.p, (unsigned)c->sending.len);
    int taken = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
    if (taken == UV_EAGAIN) taken = 0;
    if (taken < 0) {
        client_close(c);
        return;
    }
    c->server->stats.writes++;
    c->server->stats.bytes_out += (size_t)taken;
    c->bytes_out += (size_t)taken;
    if ((size_t)taken == c->sending.len) buf_reset(&c->sending, 0);
    else write_sending(c, (size_t)taken);
}

/* As offer(), in pieces: what is sealed is a copy, and of a slow reader there shall not be two of everything. */
static void offer_sealed(struct client *c, size_t n)
{
    enum { PIECE = 64 * 1024 };
    size_t done = 0;
    while (done < n && !(c->flags & (CLIENT_WRITING | CLIENT_CLOSING))) {
        const size_t piece = n - done < PIECE ? n - done : PIECE;
        if (!tls_write(c->tls, span_of(c->out.p + done, piece))) {
            client_close(c);
            return;
        }
        done += piece;
        send_sealed(c);
    }
    c->left += done;
    if (done == c->out.len) buf_reset(&c->out, KEPT_OUT);
    else buf_drop(&c->out, done);
}

void client_say_end(struct client *c)
{
    if (c->flags & CLIENT_WRITING) return; /* it cannot overtake */
    tls_end(c->tls);
    tls_take(c->tls, &c->sending);
    if (!c->sending.len) return;
    uv_buf_t bytes = uv_buf_init(c->sending.p, (unsigned)c->sending.len);
    (void)uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
}

void client_hold_reply(struct client *c, size_t mark, uint64_t position)
{
    struct journal *j = &c->server->journal;
    if (position == 0 || c->flags & CLIENT_CLOSING) return; /* it is in no list any more */
    if (!held_any(&c->held)) {
        c->next_held = j->held;
        if (j->held) j->held->prev_held = c;
        j->held = c;
    }
    held_add(&c->held, c->left + mark, position);
}

void client_answer_error(struct client *c, const char *text)
{
    struct reply reply = {.out = &c->out, .resp = c->resp};
    const size_t mark = c->out.len;
    reply_error(&reply, "%s", text);
    stats_error(&c->server->stats, span_of(c->out.p + mark, c->out.len - mark));
}

static void push_now(struct client *c, struct span message, uint64_t position)
{
    const size_t mark = c->out.len;
    buf_add_span(&c->out, message);
    if (c->server->journal.hold) client_hold_reply(c, mark, position);
    client_mark_dirty(c);
}

void client_push(struct client *c, struct span message, uint64_t position)
{
    struct clients *all = &c->server->clients;
    const bool later = c == all->executing;
    const int64_t most = all->output[c->output].hard_bytes;
    if (c->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY | CLIENT_OVERRUN)) return;
    if (most && (int64_t)(client_pending_bytes(c) + (later ? all->pushed.len : 0) + message.n) > most) {
        c->flags |= CLIENT_OVERRUN;
        client_mark_dirty(c);
    } else if (later) {
        buf_add_span(&all->pushed, message);
        if (position > all->pushed_position) all->pushed_position = position;
    } else {
        push_now(c, message, position);
    }
}

void client_push_deferred(struct client *c)
{
    enum { KEPT_PUSHED = 16 * 1024 };
    struct clients *all = &c->server->clients;
    if (all->pushed.len && !(c->flags & CLIENT_CLOSING)) push_now(c, buf_span(&all->pushed), all->pushed_position);
    buf_reset(&all->pushed, KEPT_PUSHED);
    all->pushed_position = 0;
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
    const struct output_limit *limit = &s->clients.output[c->output];
    const int64_t pending = (int64_t)client_pending_bytes(c);
    bool over = c->flags & CLIENT_OVERRUN || (limit->hard_bytes && pending > limit->hard_bytes);
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
        else if (c->flags & CLIENT_ENDED && !(c->flags & (CLIENT_BLOCKED | CLIENT_THROTTLED | CLIENT_RESUMED)))
            client_close(c);
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
    c->server->stats.writes++;
    c->server->stats.bytes_out += sent;
    c->bytes_out += sent;
    c->left += sent;
    if (sent == c->out.len) buf_reset(&c->out, KEPT_OUT);
    else if (sent == n) buf_drop(&c->out, sent);
    else write_rest(c, sent, n);
}

void client_flush(struct client *c)
{
    client_unmark_dirty(c);
    if (c->tls && !(c->flags & CLIENT_WRITING)) send_sealed(c); /* the handshake's */
    if (!(c->flags & (CLIENT_WRITING | CLIENT_CLOSING)) && c->out.len) {
        const size_t n = sendable(c);
        if (n && !c->tls) offer(c, n);
        else if (n && tls_is_open(c->tls)) offer_sealed(c, n);
    }
    if (!(c->flags & CLIENT_CLOSING)) after_flush(c);
    if (!(c->flags & CLIENT_CLOSING)) clients_count_memory(c);
}
