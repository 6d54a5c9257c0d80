#include "server/access.h"

#include <sodium.h>

#include "common/mem.h"
#include "replication/files.h"
#include "server/client.h"
#include "server/server.h"

enum { FILE_MAX_BYTES = 64 << 20 };

/* ---- Start and settings ---- */

static enum err rename_commands(struct server *s, struct errmsg *m)
{
    const struct config_lists *l = config_lists(s->config);
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < l->rename_count; i++) {
        e = command_rename(s->commands, span_str(l->renames[i].from), span_str(l->renames[i].to));
        if (e == ERR_MISSING) e = err_set(m, e, "rename-command: No such command %s", l->renames[i].from);
        if (e == ERR_EXISTS)
            e = err_set(m, e, "rename-command: Target command name %s already exists", l->renames[i].to);
    }
    return e;
}

static enum err read_users(struct server *s, struct errmsg *m)
{
    const struct config_lists *l = config_lists(s->config);
    struct buf errors = {0};
    struct acl *before = NULL;
    enum err e = ERR_OK;
    if (config_text(s->config, SET_ACLFILE)[0] && l->users.len)
        return err_set(
            m, ERR_INVALID,
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is "
            "invalid. This setup is very likely to lead to configuration errors and security holes, please "
            "define either an ACL file or declare users directly in your redis.conf, but not both.");
    if (config_text(s->config, SET_ACLFILE)[0]) {
        e = access_load(s, NULL, &errors);
    } else if (l->users.len) {
        e = acl_parse(s->access.users, buf_span(&l->users), s->config_path ? s->config_path : "--user", &before,
                      &errors);
        acl_free(before);
    }
    if (e) e = err_set(m, e, "Aborting startup because of ACL errors: %.*s", (int)errors.len, errors.p);
    buf_free(&errors);
    return e;
}

enum err access_start(struct server *s, struct errmsg *m)
{
    s->access.users = acl_new(s->commands);
    s->access.log = acl_log_new();
    s->access.nobody = acl_user_new(SPAN("default"), s->commands, false);
    access_configure(s, SET_REQUIREPASS);
    access_configure(s, SET_ACLLOG_MAX_LEN);
    access_configure(s, SET_ACL_PUBSUB_DEFAULT);
    const enum err e = rename_commands(s, m);
    return e ? e : read_users(s, m);
}

void access_free(struct server *s)
{
    acl_free(s->access.users);
    acl_log_free(s->access.log);
    acl_user_free(s->access.nobody);
}

void access_configure(struct server *s, enum setting id)
{
    enum { ALL_CHANNELS, NO_CHANNELS }; /* the words of the setting */
    if (id == SET_REQUIREPASS) acl_set_password(s->access.users, span_str(config_text(s->config, SET_REQUIREPASS)));
    else if (id == SET_ACLLOG_MAX_LEN) acl_log_set_max(s->access.log, (size_t)config_number(s->config, id));
    else if (id == SET_ACL_PUBSUB_DEFAULT)
        acl_set_channels_default(s->access.users, config_number(s->config, id) == ALL_CHANNELS);
}

/* ---- Who ---- */

/* SORT asks, whose BY and GET name keys that stand in no argument. */
static bool reads_all_keys(const struct call *call)
{
    const struct acl_user *u = client_of(call)->user;
    return u->unlimited || acl_check_reads_all_keys(u, call->command, call->argv, call->argc);
}

void access_greet(struct client *c)
{
    c->user = acl_default(c->server->access.users);
    c->session.reads_all_keys = reads_all_keys;
    c->flags &= ~(unsigned)CLIENT_TRUSTED;
    (void)access_is_known(c);
}

bool access_is_known(struct client *c)
{
    if (c->flags & CLIENT_TRUSTED) return true;
    const struct acl *users = c->server->access.users;
    if (c->user != acl_default(users) || !acl_is_open(users)) return false;
    c->flags |= CLIENT_TRUSTED;
    return true;
}

void access_wipe(struct span secret) { sodium_memzero((void *)(uintptr_t)secret.p, secret.n); }

/* Note a denial for ACL LOG and INFO. */
static void note(struct client *c, enum acl_verdict v, const char *context, struct span object, struct span user)
{
    struct server *s = c->server;
    struct buf info = {0};
    uint64_t *const counters[] = {[ACL_DENIED_COMMAND] = &s->stats.denied_command,
                                  [ACL_DENIED_KEY] = &s->stats.denied_key,
                                  [ACL_DENIED_AUTH] = &s->stats.denied_auth,
                                  [ACL_DENIED_CHANNEL] = &s->stats.denied_channel};
    (*counters[v])++;
    client_describe(c, &info);
    acl_log_add(s->access.log, v, context, object, user, span_of(info.p, info.len - 1), clock_now(&s->clock));
    buf_free(&info);
}

bool access_authenticate(struct client *c, struct span command, struct span name, struct span password)
{
    struct acl_user *u = acl_authenticate(c->server->access.users, name, password);
    access_wipe(password);
    if (u) {
        c->user = u;
        c->flags |= CLIENT_TRUSTED;
        return true;
    }
    note(c, ACL_DENIED_AUTH, c->transaction ? "multi" : "toplevel", command, name);
    logger_line(c->server->logger, LOGGER_VERBOSE, "Wrong password from %s", c->addr);
    return false;
}

/* ---- What ---- */

enum acl_verdict access_check(struct client *c, const char *context, const struct command_entry *e,
                              const struct span *argv, size_t argc)
{
    size_t index;
    const enum acl_verdict v = acl_check(c->user, e, argv, argc, &index);
    if (v != ACL_OK) c->last_command = e; /* for what is noted of the client */
    if (v == ACL_DENIED_COMMAND) note(c, v, context, span_str(e->name), c->user->name);
    else if (v != ACL_OK) note(c, v, context, argv[index], c->user->name);
    return v;
}

bool access_permits(struct client *c, const struct command_entry *e, const struct request *r, struct reply *reply)
{
    const enum acl_verdict v = access_check(c, c->transaction ? "multi" : "toplevel", e, r->argv, r->argc);
    if (v == ACL_DENIED_COMMAND)
        reply_error(reply, "NOPERM this user has no permissions to run the '%s' command", e->name);
    else if (v != ACL_OK)
        reply_error(reply, "NOPERM this user has no permissions to access one of the %ss used as arguments",
                    acl_log_reason(v));
    return v == ACL_OK;
}

bool access_permits_still(struct client *c, const struct command_entry *e, const struct request *r,
                          struct reply *reply)
{
    static const char *const reasons[] = {[ACL_DENIED_COMMAND] = "no permission to execute the command or subcommand",
                                          [ACL_DENIED_KEY] = "no permission to touch the specified keys",
                                          [ACL_DENIED_CHANNEL] =
                                              "no permission to access one of the channels used as arguments"};
    if (c->user->unlimited) return true;
    const enum acl_verdict v = access_check(c, "multi", e, r->argv, r->argc);
    if (v == ACL_OK) return true;
    reply_error(
        reply,
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This "
        "command is no longer allowed for the following reason: %s",
        reasons[v]);
    return false;
}

bool access_permits_script(struct client *c, const struct command_entry *e, const struct request *r,
                           struct reply *reply)
{
    static const char *const refusals[] = {[ACL_DENIED_COMMAND] = "run this command or subcommand",
                                           [ACL_DENIED_KEY] =
                                               "access at least one of the keys mentioned in the command arguments",
                                           [ACL_DENIED_CHANNEL] = "publish to the channel mentioned in the command"};
    if (c->user->unlimited) return true;
    const enum acl_verdict v = access_check(c, "lua", e, r->argv, r->argc);
    if (v != ACL_OK) reply_error(reply, "ERR The user executing the script can't %s", refusals[v]);
    return v == ACL_OK;
}

/* ---- Changes ---- */

/* It may do nothing any more, and goes. */
static void expel(struct client *c, const struct client *me)
{
    c->user = c->server->access.nobody;
    c->flags &= ~(unsigned)CLIENT_TRUSTED;
    if (c == me) client_close_after_reply(c);
    else client_close(c);
}

static bool may_hear(void *client, struct span channel)
{
    return acl_check_channel(((const struct client *)client)->user, channel, false);
}

static bool may_hear_pattern(void *client, struct span pattern)
{
    return acl_check_channel(((const struct client *)client)->user, pattern, true);
}

/* All that it listens to. */
static bool may_hear_all(struct client *c)
{
    return !c->subscriber || (subscriber_all(c->subscriber, TOPIC_CHANNEL, may_hear, c) &&
                              subscriber_all(c->subscriber, TOPIC_SHARD, may_hear, c) &&
                              subscriber_all(c->subscriber, TOPIC_PATTERN, may_hear_pattern, c));
}

void access_changed(const struct acl_user *u, const struct acl_user *before, struct client *me)
{
    if (!before || acl_user_hears_as_much(u, before)) return;
    for (struct client *c = me->server->clients.first, *next; c; c = next) {
        next = c->next;
        if (c->user == u && !may_hear_all(c)) expel(c, me);
    }
}

bool access_remove(struct server *s, struct span name, struct client *me)
{
    struct acl_user *u = acl_take(s->access.users, name);
    if (!u) return false;
    for (struct client *c = s->clients.first, *next; c; c = next) {
        next = c->next;
        if (c->user == u) expel(c, me);
    }
    acl_user_free(u);
    return true;
}

/* ---- The file ---- */

static bool is_same(const struct acl_user *a, const struct acl_user *b)
{
    struct buf x = {0}, y = {0};
    acl_user_describe(a, &x);
    acl_user_describe(b, &y);
    const bool same = span_eq(buf_span(&x), buf_span(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

/* All users are others now: clients go to the one of the same name, if it may do the same. Those of the default user stay. */
static void move_clients(struct server *s, const struct acl *before, const struct client *me)
{
    for (struct client *c = s->clients.first, *next; c; c = next) {
        next = c->next;
        if (c->user == s->access.nobody) continue;
        struct acl_user *u = acl_find(s->access.users, c->user->name);
        const bool was_default = c->user == acl_default(before);
        if (!u || !(was_default || is_same(u, c->user))) {
            expel(c, me);
            continue;
        }
        c->user = u;
        if (was_default && !may_hear_all(c)) expel(c, me);
    }
}

enum err access_load(struct server *s, struct client *me, struct buf *errors)
{
    const char *path = config_text(s->config, SET_ACLFILE);
    struct buf text = {0};
    struct errmsg m;
    struct acl *before = NULL;
    enum err e = file_read(&io_posix, path, FILE_MAX_BYTES, &text, &m);
    if (e) {
        buf_printf(errors, "Error loading ACLs, opening file '%s': %s", path, m.text);
    } else {
        e = acl_parse(s->access.users, buf_span(&text), path, &before, errors);
        if (e)
            buf_add_span(
                errors,
                SPAN("WARNING: ACL errors detected, no change to the previously active ACL rules was performed"));
        else move_clients(s, before, me);
    }
    acl_free(before);
    if (text.len) sodium_memzero(text.p, text.len); /* it may hold passwords */
    buf_free(&text);
    return e;
}

enum err access_save(struct server *s, struct errmsg *m)
{
    struct buf text = {0};
    acl_format(s->access.users, &text);
    const enum err e = config_replace_file(config_text(s->config, SET_ACLFILE), buf_span(&text), m);
    buf_free(&text);
    return e;
}
