/* ACL: the users of the server, seen and changed. */
#include <sodium.h>

#include "common/command_docs.h"
#include "common/mem.h"
#include "server/acl_check.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

static struct access *access_of(const struct call *c) { return &client_of(c)->server->access; }

static int shown(struct span s) { return (int)(s.n < 128 ? s.n : 128); }

static void reply_wrong_count(struct call *c)
{
    reply_error(c->reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try ACL HELP.",
                shown(c->argv[1]), c->argv[1].p);
}

/* ---- CAT ---- */

static size_t reply_members(struct call *c, const struct command_entry *e, const char *category)
{
    const struct words words = command_category_words(e);
    size_t n = 0;
    for (size_t i = 0; i < words.count; i++)
        if (words.word[i] == category) {
            reply_bulk(c->reply, span_str(e->name));
            n++;
        }
    for (size_t i = 0; i < e->sub_count; i++) n += reply_members(c, e->subs[i], category);
    return n;
}

static void reply_category(struct call *c, const char *category)
{
    const struct command_set *commands = client_of(c)->server->commands;
    const size_t mark = reply_begin(c->reply);
    size_t n = 0;
    for (size_t i = 0; i < command_count(commands); i++) n += reply_members(c, command_at(commands, i), category);
    reply_end_array(c->reply, mark, n);
}

void acl_command_cat(struct call *c)
{
    const struct words all = command_categories(); /* "@read" ... */
    if (c->argc > 3) {
        reply_wrong_count(c);
        return;
    }
    if (c->argc == 2) {
        reply_array(c->reply, all.count);
        for (size_t i = 0; i < all.count; i++) reply_bulk(c->reply, span_str(all.word[i] + 1));
        return;
    }
    for (size_t i = 0; i < all.count; i++)
        if (span_is(c->argv[2], all.word[i] + 1)) {
            reply_category(c, all.word[i]);
            return;
        }
    reply_error(c->reply, "ERR Unknown category '%.*s'", shown(c->argv[2]), c->argv[2].p);
}

/* ---- Users ---- */

void acl_command_whoami(struct call *c) { reply_bulk(c->reply, client_of(c)->user->name); }

void acl_command_users(struct call *c)
{
    const struct acl *users = access_of(c)->users;
    reply_array(c->reply, acl_count(users));
    for (size_t i = 0; i < acl_count(users); i++) reply_bulk(c->reply, acl_at(users, i)->name);
}

void acl_command_list(struct call *c)
{
    struct buf text = {0};
    struct span line;
    acl_format(access_of(c)->users, &text);
    struct cursor at = cursor_of(buf_span(&text));
    reply_array(c->reply, acl_count(access_of(c)->users));
    while (take_line(&at, &line)) reply_bulk(c->reply, line);
    buf_free(&text);
}

static void reply_selector(struct call *c, const struct acl_selector *s)
{
    struct buf text = {0};
    reply_bulk(c->reply, SPAN("commands"));
    acl_user_describe_commands(s, &text);
    reply_bulk(c->reply, buf_span(&text));
    reply_bulk(c->reply, SPAN("keys"));
    text.len = 0;
    acl_user_describe_keys(s, &text);
    reply_bulk(c->reply, buf_span(&text));
    reply_bulk(c->reply, SPAN("channels"));
    text.len = 0;
    acl_user_describe_channels(s, false, &text);
    reply_bulk(c->reply, buf_span(&text));
    buf_free(&text);
}

void acl_command_getuser(struct call *c)
{
    const struct acl_user *u = acl_find(access_of(c)->users, c->argv[2]);
    const char *flags[ACL_FLAGS_MAX];
    if (!u) {
        reply_null(c->reply);
        return;
    }
    reply_map(c->reply, 6);
    reply_bulk(c->reply, SPAN("flags"));
    const size_t n = acl_user_flags(u, flags);
    reply_set(c->reply, n);
    for (size_t i = 0; i < n; i++) reply_bulk(c->reply, span_str(flags[i]));
    reply_bulk(c->reply, SPAN("passwords"));
    reply_array(c->reply, u->hash_count);
    for (size_t i = 0; i < u->hash_count; i++) {
        char hex[2 * ACL_HASH_BYTES + 1];
        (void)sodium_bin2hex(hex, sizeof hex, u->hashes[i], ACL_HASH_BYTES);
        reply_bulk(c->reply, span_of(hex, sizeof hex - 1));
    }
    reply_selector(c, u->selectors[0]);
    reply_bulk(c->reply, SPAN("selectors"));
    reply_array(c->reply, u->selector_count - 1);
    for (size_t i = 1; i < u->selector_count; i++) {
        reply_map(c->reply, 3);
        reply_selector(c, u->selectors[i]);
    }
}

void acl_command_setuser(struct call *c)
{
    struct acl_failure f;
    struct acl_user *u, *before = NULL;
    if (!acl_rules_name_fits(c->argv[2])) {
        reply_error(c->reply, "ERR Usernames can't contain spaces or null characters");
    } else if ((u = acl_set_user(access_of(c)->users, c->argv[2], c->argv + 3, c->argc - 3, &before, &f))) {
        access_changed(u, before, client_of(c));
        reply_ok(c->reply);
    } else if (f.why) {
        reply_error(c->reply, "ERR Error in ACL SETUSER modifier '%s': %s", f.rule, f.why);
    } else {
        reply_error(c->reply, "ERR Unmatched parenthesis in acl selector starting at '%s'.", f.rule);
    }
    acl_user_free(before);
    for (size_t i = 3; i < c->argc; i++) access_wipe(c->argv[i]);
}

void acl_command_deluser(struct call *c)
{
    struct client *me = client_of(c);
    int64_t deleted = 0;
    for (size_t i = 2; i < c->argc; i++)
        if (span_eq(c->argv[i], acl_default(access_of(c)->users)->name)) {
            reply_error(c->reply, "ERR The 'default' user cannot be removed");
            return;
        }
    for (size_t i = 2; i < c->argc; i++) deleted += access_remove(me->server, c->argv[i], me);
    reply_int(c->reply, deleted);
}

/* ---- DRYRUN, GENPASS ---- */

static void reply_verdict(struct call *c, enum acl_verdict v, const struct command_entry *e, struct span argument)
{
    struct buf text = {0};
    if (v == ACL_OK) {
        reply_ok(c->reply);
        return;
    }
    buf_add_span(&text, SPAN("This user has no permissions to "));
    if (v == ACL_DENIED_COMMAND) {
        buf_printf(&text, "run the '%s' command", e->name);
    } else {
        buf_add_span(&text, SPAN("access the '"));
        buf_add_span(&text, argument);
        buf_printf(&text, "' %s", acl_log_reason(v));
    }
    reply_bulk(c->reply, buf_span(&text));
    buf_free(&text);
}

void acl_command_dryrun(struct call *c)
{
    const struct acl_user *u = acl_find(access_of(c)->users, c->argv[2]);
    const struct span *argv = c->argv + 3;
    const size_t argc = c->argc - 3;
    const struct command_entry *e =
        command_find(client_of(c)->server->commands, argv[0], argc > 1 ? argv[1] : SPAN(""));
    size_t index = 0;
    if (!u) {
        reply_error(c->reply, "ERR User '%.*s' not found", shown(c->argv[2]), c->argv[2].p);
    } else if (!e || (e->sub_count && argc > 1)) {
        reply_error(c->reply, "ERR Command '%.*s' not found", shown(argv[0]), argv[0].p);
    } else if (!command_arity_fits(e, argc)) {
        reply_error(c->reply, "ERR wrong number of arguments for '%s' command", e->name);
    } else {
        const enum acl_verdict v = acl_check(u, e, argv, argc, &index);
        reply_verdict(c, v, e, argv[index]);
    }
}

void acl_command_genpass(struct call *c)
{
    enum { MOST_BITS = 4096, BITS = 256 };
    int64_t bits = BITS;
    unsigned char random[MOST_BITS / 8];
    char hex[sizeof random * 2 + 1];
    if (c->argc > 3) {
        reply_wrong_count(c);
        return;
    }
    if (c->argc == 3 && !call_int(c, c->argv[2], &bits)) return;
    if (bits <= 0 || bits > MOST_BITS) {
        reply_error(c->reply,
                    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                    "number up to 4096");
        return;
    }
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(hex, sizeof hex, random, sizeof random);
    reply_bulk(c->reply, span_of(hex, ((size_t)bits + 3) / 4));
    sodium_memzero(random, sizeof random);
    sodium_memzero(hex, sizeof hex);
}

/* ---- LOG ---- */

static void reply_entry(struct call *c, const struct acl_entry *e)
{
    const int64_t now = clock_now(&client_of(c)->server->clock);
    reply_map(c->reply, 10);
    reply_bulk(c->reply, SPAN("count"));
    reply_int(c->reply, (int64_t)e->count);
    reply_bulk(c->reply, SPAN("reason"));
    reply_bulk(c->reply, span_str(acl_log_reason(e->reason)));
    reply_bulk(c->reply, SPAN("context"));
    reply_bulk(c->reply, span_str(e->context));
    reply_bulk(c->reply, SPAN("object"));
    reply_bulk(c->reply, buf_span(&e->object));
    reply_bulk(c->reply, SPAN("username"));
    reply_bulk(c->reply, buf_span(&e->user));
    reply_bulk(c->reply, SPAN("age-seconds"));
    reply_double(c->reply, (double)(now - e->created_ms) / 1000);
    reply_bulk(c->reply, SPAN("client-info"));
    reply_bulk(c->reply, buf_span(&e->client));
    reply_bulk(c->reply, SPAN("entry-id"));
    reply_int(c->reply, (int64_t)e->id);
    reply_bulk(c->reply, SPAN("timestamp-created"));
    reply_int(c->reply, e->created_ms);
    reply_bulk(c->reply, SPAN("timestamp-last-updated"));
    reply_int(c->reply, e->updated_ms);
}

void acl_command_log(struct call *c)
{
    struct acl_log *l = access_of(c)->log;
    int64_t most = 10;
    if (c->argc > 3) {
        reply_wrong_count(c);
        return;
    }
    if (c->argc == 3 && span_is(c->argv[2], "reset")) {
        acl_log_reset(l);
        reply_ok(c->reply);
        return;
    }
    if (c->argc == 3 && !call_int(c, c->argv[2], &most)) return;
    const size_t have = acl_log_count(l);
    const size_t n = most < 0 ? 0 : (uint64_t)most < have ? (size_t)most : have;
    reply_array(c->reply, n);
    for (size_t i = 0; i < n; i++) reply_entry(c, acl_log_at(l, i));
}

/* ---- LOAD, SAVE ---- */

/* False: there is no file, and the error was replied. */
static bool has_file(struct call *c)
{
    if (config_text(client_of(c)->server->config, SET_ACLFILE)[0]) return true;
    reply_error(
        c->reply,
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
        "SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in "
        "order to store users in the Redis configuration.");
    return false;
}

void acl_command_load(struct call *c)
{
    struct client *me = client_of(c);
    struct buf errors = {0};
    if (!has_file(c)) return;
    if (access_load(me->server, me, &errors) == ERR_OK) {
        logger_line(me->server->logger, LOGGER_NOTICE, "ACL LOAD: %zu users", acl_count(access_of(c)->users));
        reply_ok(c->reply);
    } else {
        reply_error(c->reply, "ERR %.*s", (int)errors.len, errors.p);
    }
    buf_free(&errors);
}

void acl_command_save(struct call *c)
{
    struct server *s = client_of(c)->server;
    struct errmsg m;
    if (!has_file(c)) return;
    if (access_save(s, &m) == ERR_OK) {
        reply_ok(c->reply);
        return;
    }
    logger_line(s->logger, LOGGER_WARNING, "ACL SAVE failed: %s", m.text);
    reply_error(c->reply,
                "ERR There was an error trying to save the ACLs. Please check the server logs for more information");
}
