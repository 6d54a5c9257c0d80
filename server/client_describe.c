/* What CLIENT LIST tells of a connection, and what it costs. */
#include <inttypes.h>
#include <stdio.h>

#include "server/client.h"
#include "server/server.h"
#include "server/transaction.h"

size_t client_memory(const struct client *c)
{
    return sizeof *c + c->in.cap + c->out.cap + c->sending.cap + c->parser.argv.room * sizeof(struct span) +
           transaction_bytes(c) + (c->subscriber ? subscriber_memory(c->subscriber) : 0) + blocked_bytes(c);
}

/* Redis's letters. */
static void put_flags(const struct client *c, struct buf *to)
{
    static const struct {
        unsigned flag;
        char letter;
    } letters[] = {
        {CLIENT_BLOCKED, 'b'},  {CLIENT_CLOSE_AFTER_REPLY, 'c'}, {CLIENT_CHANGED_UNDER, 'd'},
        {CLIENT_NO_EVICT, 'e'}, {CLIENT_MONITOR, 'O'},
    };
    const size_t before = to->len;
    if (c->subscriber) buf_add_char(to, 'P');
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (c->flags & letters[i].flag) buf_add_char(to, letters[i].letter);
    if (c->transaction) buf_add_char(to, 'x');
    if (c->tracking) buf_add_char(to, 't');
    if (c->tracking && c->tracking->redirect_broken) buf_add_char(to, 'R');
    if (c->tracking && c->tracking->options & TRACKING_BCAST) buf_add_char(to, 'B');
    if (c->session.no_touch) buf_add_char(to, 'T');
    if (to->len == before) buf_add_char(to, 'N');
}

static void put_place(const struct client *c, struct buf *to)
{
    const int64_t now = clock_now(&c->server->clock);
    uv_os_fd_t fd = -1;
    (void)uv_fileno((const uv_handle_t *)&c->tcp, &fd);
    buf_printf(to, "id=%" PRIu64 " addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=", c->id, c->addr,
               c->laddr, (int)fd, c->name ? c->name : "", (long long)((now - c->created_ms) / 1000),
               (long long)((now - c->active_ms) / 1000));
    put_flags(c, to);
}

static void put_memory(const struct client *c, struct buf *to)
{
    const bool writing = c->flags & CLIENT_WRITING;
    buf_printf(
        to, " qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=%d omem=%zu tot-mem=%zu",
        c->in.len, c->in.cap - c->in.len, c->parser.argv.room * sizeof(struct span), transaction_bytes(c), c->out.cap,
        c->out.cap, c->out.len, writing ? 1 : 0, writing ? c->sending.len : 0, client_memory(c));
}

void client_describe(const struct client *c, struct buf *to)
{
    put_place(c, to);
    buf_printf(to, " db=%u sub=%zu psub=%zu ssub=%zu multi=%d", c->session.db, pubsub_count(c, TOPIC_CHANNEL),
               pubsub_count(c, TOPIC_PATTERN), pubsub_count(c, TOPIC_SHARD),
               c->transaction ? (int)transaction_length(c) : -1);
    put_memory(c, to);
    buf_printf(to, " events=%s%s cmd=%s user=%.*s redir=%lld resp=%u lib-name=%s lib-ver=%s\n",
               c->flags & CLIENT_READING ? "r" : "", c->flags & CLIENT_WRITING ? "w" : "",
               c->last_command ? c->last_command->name : "NULL", (int)c->user->name.n, c->user->name.p,
               c->tracking ? (long long)c->tracking->redirect : -1, c->resp, c->lib_name ? c->lib_name : "",
               c->lib_version ? c->lib_version : "");
}
