#include <assert.h>
#include <stdio.h>

#include "common/mem.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/config_moot.h"
#include "server/server.h"

static bool matches_any(const struct call *c, const char *name)
{
    for (size_t i = 2; i < c->argc; i++) {
        const struct span pattern = c->argv[i];
        char lower[128];
        if (pattern.n >= sizeof lower) continue;
        for (size_t j = 0; j < pattern.n; j++) lower[j] = ascii_lower(pattern.p[j]);
        if (glob_match(span_of(lower, pattern.n), span_str(name))) return true;
    }
    return false;
}

static size_t reply_setting(struct call *c, enum setting id, const char *name)
{
    if (!name || !matches_any(c, name)) return 0;
    struct buf value = {0};
    config_format(client_of(c)->server->config, id, &value);
    reply_bulk(c->reply, span_str(name));
    reply_bulk(c->reply, buf_span(&value));
    if (value.len) explicit_bzero(value.p, value.len);
    buf_free(&value);
    return 1;
}

void config_command_get(struct call *c)
{
    const size_t mark = reply_begin(c->reply);
    size_t pairs = 0;
    for (unsigned i = 0; i < SET_COUNT; i++) {
        pairs += reply_setting(c, (enum setting)i, config_row((enum setting)i)->name);
        pairs += reply_setting(c, (enum setting)i, config_row((enum setting)i)->alias);
    }
    reply_end_map(c->reply, mark, pairs);
}

static void fail_set(struct call *c, struct span name, const char *why)
{
    reply_error(c->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                (int)(name.n < 128 ? name.n : 128), name.p, why);
}

/* Names first: nothing is changed if one of them is unknown. */
static bool find_settings(struct call *c, enum setting *ids)
{
    for (size_t i = 2; i < c->argc; i += 2) {
        enum setting *id = &ids[(i - 2) / 2];
        const char *why;
        if (!config_find(c->argv[i], id) && config_moot_find(c->argv[i], &why)) {
            fail_set(c, c->argv[i], why);
            return false;
        }
        if (!config_find(c->argv[i], id)) {
            reply_error(c->reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                        (int)(c->argv[i].n < 128 ? c->argv[i].n : 128), c->argv[i].p);
            return false;
        }
        if (config_row(*id)->flags & SETTING_FIXED) {
            fail_set(c, c->argv[i], "can't set immutable config");
            return false;
        }
        for (const enum setting *other = ids; other < id; other++)
            if (*other == *id) {
                fail_set(c, c->argv[i], "duplicate parameter");
                return false;
            }
    }
    return true;
}

/* Settings of TLS are taken over together, or not at all. */
static enum err apply_tls(struct server *s, const enum setting *ids, size_t n, size_t *at, struct errmsg *m)
{
    for (*at = 0; *at < n; ++*at) {
        if (ids[*at] < SET_TLS_CERT_FILE || ids[*at] > SET_TLS_DH_PARAMS_FILE) continue;
        const enum err e = listeners_configure_tls(s, m);
        if (e) logger_line(s->logger, LOGGER_WARNING, "TLS stays as it was: %s", m->text);
        return e;
    }
    return ERR_OK;
}

void config_command_set(struct call *c)
{
    struct server *s = client_of(c)->server;
    enum setting ids[SET_COUNT];
    struct buf old[SET_COUNT] = {{0}};
    if (c->argc % 2 || (c->argc - 2) / 2 > SET_COUNT) {
        reply_error(c->reply, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    if (!find_settings(c, ids)) return;
    const size_t n = (c->argc - 2) / 2;
    size_t done = 0;
    struct errmsg m;
    enum err e = ERR_OK;
    while (!e && done < n) {
        config_format(s->config, ids[done], &old[done]);
        e = config_set(s->config, ids[done], c->argv[2 + done * 2 + 1], &m);
        if (!e) done++;
    }
    size_t at = done;
    if (!e) e = apply_tls(s, ids, n, &at, &m);
    if (e) {
        fail_set(c, c->argv[2 + at * 2], m.text);
        for (size_t i = 0; i < done; i++) {
            e = config_set(s->config, ids[i], buf_span(&old[i]), NULL);
            assert(e == ERR_OK);
        }
    } else {
        for (size_t i = 0; i < n; i++) server_apply(s, ids[i]);
        reply_ok(c->reply);
    }
    for (size_t i = 0; i < n; i++) {
        if (old[i].len) explicit_bzero(old[i].p, old[i].len);
        buf_free(&old[i]);
    }
}

void config_command_rewrite(struct call *c)
{
    struct server *s = client_of(c)->server;
    struct errmsg m;
    if (!s->config_path) {
        reply_error(c->reply, "ERR The server is running without a config file");
        return;
    }
    struct buf users = {0};
    /* In a file without users there are none as long as nobody changes what the settings say. */
    if (!config_text(s->config, SET_ACLFILE)[0] && !acl_is_plain(s->access.users))
        acl_format(s->access.users, &users);
    const enum err e = config_rewrite(s->config, buf_span(&users), s->config_path, &m);
    buf_free(&users);
    if (e) {
        logger_line(s->logger, LOGGER_WARNING, "CONFIG REWRITE failed: %s", m.text);
        reply_error(c->reply, "ERR Rewriting config file: %s", m.text);
        return;
    }
    logger_line(s->logger, LOGGER_NOTICE, "CONFIG REWRITE wrote %s", s->config_path);
    reply_ok(c->reply);
}

void config_command_resetstat(struct call *c)
{
    struct server *s = client_of(c)->server;
    stats_reset(&s->stats);
    engine_reset_stats(s->engine);
    s->reaper.freed = 0;
    reply_ok(c->reply);
}
