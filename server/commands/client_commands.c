#include <stdio.h>

#include "common/mem.h"
#include "common/num.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

bool client_set_text(struct call *c, char **to, struct span text, const char *what)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '!' || text.p[i] > '~') {
            reply_error(c->reply, "ERR %s cannot contain spaces, newlines or special characters.", what);
            return false;
        }
    mem_free(*to);
    *to = NULL;
    if (text.n == 0) return true;
    *to = mem_alloc(text.n + 1);
    memcpy(*to, text.p, text.n);
    (*to)[text.n] = '\0';
    return true;
}

void client_command_getname(struct call *c)
{
    const char *name = client_of(c)->name;
    if (name) reply_bulk(c->reply, span_str(name));
    else reply_null(c->reply);
}

void client_command_setname(struct call *c)
{
    if (client_set_text(c, &client_of(c)->name, c->argv[2], "Client names")) reply_ok(c->reply);
}

void client_command_setinfo(struct call *c)
{
    struct client *client = client_of(c);
    char **to = NULL;
    char what[64];
    if (span_is(c->argv[2], "lib-name")) to = &client->lib_name;
    if (span_is(c->argv[2], "lib-ver")) to = &client->lib_version;
    if (!to) {
        reply_error(c->reply, "ERR Unrecognized option '%.*s'", (int)(c->argv[2].n < 128 ? c->argv[2].n : 128),
                    c->argv[2].p);
        return;
    }
    (void)snprintf(what, sizeof what, "%.*s", (int)c->argv[2].n, c->argv[2].p);
    if (client_set_text(c, to, c->argv[3], what)) reply_ok(c->reply);
}

void client_command_id(struct call *c) { reply_int(c->reply, (int64_t)client_of(c)->id); }

void client_command_unblock(struct call *c)
{
    int64_t id;
    const bool error = c->argc == 4 && span_is(c->argv[3], "error");
    if (c->argc > 4) {
        reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT HELP.",
                    (int)c->argv[1].n, c->argv[1].p);
    } else if (c->argc == 4 && !error && !span_is(c->argv[3], "timeout")) {
        reply_error(c->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    } else if (call_int(c, c->argv[2], &id)) {
        struct client *other = id > 0 ? clients_find(client_of(c)->server, (uint64_t)id) : NULL;
        reply_int(c->reply, other && (blocked_unblock(other, error) || wait_unblock(other, error)));
    }
}

void client_command_info(struct call *c)
{
    struct buf text = {0};
    client_describe(client_of(c), &text);
    reply_verbatim(c->reply, "txt", buf_span(&text));
    buf_free(&text);
}

/* The kinds of connections that can be asked for. Nodes are no clients here, so of theirs there are none. */
enum client_type { CLIENTS_NORMAL, CLIENTS_PUBSUB, CLIENTS_NODES };

static bool read_type(struct span s, enum client_type *type)
{
    static const struct {
        const char *word;
        enum client_type type;
    } words[] = {{"normal", CLIENTS_NORMAL},
                 {"pubsub", CLIENTS_PUBSUB},
                 {"master", CLIENTS_NODES},
                 {"slave", CLIENTS_NODES},
                 {"replica", CLIENTS_NODES}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!span_is(s, words[i].word)) continue;
        *type = words[i].type;
        return true;
    }
    return false;
}

static bool is_of_type(const struct client *c, enum client_type type)
{
    return type == (c->subscriber ? CLIENTS_PUBSUB : CLIENTS_NORMAL);
}

static void list_ids(struct call *c, struct buf *text)
{
    for (size_t i = 3; i < c->argc; i++) {
        uint64_t id;
        if (!num_parse_u64(c->argv[i], &id) || id == 0) {
            reply_error(c->reply, "ERR Invalid client ID");
            return;
        }
        const struct client *client = clients_find(client_of(c)->server, id);
        if (client) client_describe(client, text);
    }
    reply_verbatim(c->reply, "txt", buf_span(text));
}

void client_command_list(struct call *c)
{
    struct buf text = {0};
    const bool typed = c->argc == 4 && span_is(c->argv[2], "type");
    enum client_type type;
    if (c->argc > 3 && span_is(c->argv[2], "id")) {
        list_ids(c, &text);
    } else if (typed && !read_type(c->argv[3], &type)) {
        reply_error(c->reply, "ERR Unknown client type '%.*s'", (int)(c->argv[3].n < 128 ? c->argv[3].n : 128),
                    c->argv[3].p);
    } else if (c->argc != 2 && !typed) {
        reply_syntax_error(c->reply);
    } else {
        for (const struct client *i = client_of(c)->server->clients.first; i; i = i->next)
            if (!typed || is_of_type(i, type)) client_describe(i, &text);
        reply_verbatim(c->reply, "txt", buf_span(&text));
    }
    buf_free(&text);
}

/* Which connections CLIENT KILL means; a member that is unset fits all. */
struct kill_filter {
    uint64_t id;
    struct span addr, laddr;
    enum client_type type;
    const struct acl_user *user;
    bool typed, skip_me;
};

static bool read_filter(struct call *c, struct kill_filter *f)
{
    for (size_t i = 2; i + 1 < c->argc; i += 2) {
        const struct span name = c->argv[i], value = c->argv[i + 1];
        if (span_is(name, "id")) {
            if (!num_parse_u64(value, &f->id) || f->id == 0) {
                reply_error(c->reply, "ERR client-id should be greater than 0");
                return false;
            }
        } else if (span_is(name, "type")) {
            f->typed = true;
            if (!read_type(value, &f->type)) {
                reply_error(c->reply, "ERR Unknown client type '%.*s'", (int)(value.n < 128 ? value.n : 128),
                            value.p);
                return false;
            }
        } else if (span_is(name, "addr")) {
            f->addr = value;
        } else if (span_is(name, "laddr")) {
            f->laddr = value;
        } else if (span_is(name, "user")) {
            f->user = acl_find(client_of(c)->server->access.users, value);
            if (!f->user) {
                reply_error(c->reply, "ERR No such user '%.*s'", (int)(value.n < 128 ? value.n : 128), value.p);
                return false;
            }
        } else if (span_is(name, "skipme") && (span_is(value, "yes") || span_is(value, "no"))) {
            f->skip_me = span_is(value, "yes");
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    return true;
}

static bool filter_fits(const struct kill_filter *f, const struct client *c, const struct client *me)
{
    if (f->id && c->id != f->id) return false;
    if (f->typed && !is_of_type(c, f->type)) return false;
    if (f->user && c->user != f->user) return false;
    if (f->addr.p && !span_eq(f->addr, span_str(c->addr))) return false;
    if (f->laddr.p && !span_eq(f->laddr, span_str(c->laddr))) return false;
    return !(f->skip_me && c == me);
}

void client_command_kill(struct call *c)
{
    struct client *me = client_of(c);
    struct kill_filter filter = {.skip_me = true};
    const bool old_form = c->argc == 3;
    if (old_form) {
        filter.addr = c->argv[2];
        filter.skip_me = false;
    } else if (c->argc % 2) {
        reply_syntax_error(c->reply);
        return;
    } else if (!read_filter(c, &filter)) {
        return;
    }
    int64_t killed = 0;
    for (struct client *i = me->server->clients.first, *next; i; i = next) {
        next = i->next;
        if (!filter_fits(&filter, i, me)) continue;
        killed++;
        if (i == me) client_close_after_reply(i); /* it still gets its answer */
        else client_close(i);
        if (old_form) break;
    }
    if (!old_form) reply_int(c->reply, killed);
    else if (killed) reply_ok(c->reply);
    else reply_error(c->reply, "ERR No such client");
}

void client_command_pause(struct call *c)
{
    int64_t ms;
    const bool all = c->argc == 3 || span_is(c->argv[3], "all");
    if (c->argc > 4 || (!all && !span_is(c->argv[3], "write"))) {
        reply_error(c->reply, c->argc > 4 ? "ERR syntax error" : "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!call_int_in(c, c->argv[2], INT64_MIN, INT64_MAX, &ms, "ERR timeout is not an integer or out of range"))
        return;
    if (ms < 0) {
        reply_error(c->reply, "ERR timeout is negative");
        return;
    }
    clients_pause(client_of(c)->server, ms, all);
    reply_ok(c->reply);
}

void client_command_unpause(struct call *c)
{
    clients_unpause(client_of(c)->server);
    reply_ok(c->reply);
}

void client_command_reply(struct call *c)
{
    struct client *client = client_of(c);
    const struct span mode = c->argv[2];
    if (span_is(mode, "on")) {
        client->flags &= ~(unsigned)CLIENT_REPLY_FLAGS;
        reply_ok(c->reply);
    } else if (span_is(mode, "off")) {
        client->flags |= CLIENT_REPLY_OFF;
    } else if (span_is(mode, "skip")) {
        if (!(client->flags & CLIENT_REPLY_OFF)) client->flags |= CLIENT_REPLY_SKIP_NEXT;
    } else {
        reply_syntax_error(c->reply);
    }
}

/* "on" or "off"; else the error was replied. */
static bool read_switch(struct call *c, bool *on)
{
    *on = span_is(c->argv[2], "on");
    if (*on || span_is(c->argv[2], "off")) return true;
    reply_syntax_error(c->reply);
    return false;
}

void client_command_no_evict(struct call *c)
{
    struct client *client = client_of(c);
    bool on;
    if (!read_switch(c, &on)) return;
    if (on) client->flags |= CLIENT_NO_EVICT;
    else client->flags &= ~(unsigned)CLIENT_NO_EVICT;
    reply_ok(c->reply);
}

void client_command_no_touch(struct call *c)
{
    bool on;
    if (!read_switch(c, &on)) return;
    c->session->no_touch = on;
    reply_ok(c->reply);
}
