#include "server/acl_check.h"

#include "common/call.h"
#include "common/mem.h"

enum { KEYS_ON_STACK = 32 };

/* The keys of a request, found once for all selectors. */
struct keys {
    struct key_ref some[KEYS_ON_STACK], *at;
    size_t count;
    bool found;
};

/* Channels of commands: their place, and whether they are patterns. */
struct channels {
    size_t first, last; /* first 0: there are none */
    bool patterns;
};

static bool is_named(const struct command_entry *e, const char *name) { return strcmp(e->name, name) == 0; }

/* Nobody needs a permission to stop listening. */
static struct channels channels_of(const struct command_entry *e, size_t argc)
{
    if (!(e->flags & CMD_PUBSUB)) return (struct channels){0};
    if (is_named(e, "publish") || is_named(e, "spublish")) return (struct channels){1, 1, false};
    if (is_named(e, "subscribe") || is_named(e, "ssubscribe")) return (struct channels){1, argc - 1, false};
    if (is_named(e, "psubscribe")) return (struct channels){1, argc - 1, true};
    return (struct channels){0};
}

static bool may_run(const struct acl_selector *s, const struct command_entry *e, const struct span *argv, size_t argc)
{
    if (s->every || e->flags & CMD_NO_AUTH || acl_user_bit(s, e->id)) return true;
    if (argc < 2) return false;
    for (size_t i = 0; i < s->first_count; i++)
        if (s->firsts[i].id == e->id && span_is(argv[1], s->firsts[i].text)) return true;
    return false;
}

static bool may_touch(const struct acl_selector *s, struct span key, unsigned flags)
{
    unsigned need = 0;
    if (flags & KEY_ACCESS) need |= ACL_MAY_READ;
    if (flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE)) need |= ACL_MAY_WRITE;
    for (size_t i = 0; i < s->keys.count; i++) {
        const struct acl_pattern *p = &s->keys.at[i];
        if ((p->access & need) == need && glob_match(p->text, key)) return true;
    }
    return s->keys.all;
}

static bool may_hear(const struct acl_selector *s, struct span channel, bool is_pattern)
{
    for (size_t i = 0; i < s->channels.count; i++) {
        const struct span allowed = s->channels.at[i].text;
        if (is_pattern ? span_eq(allowed, channel) : glob_match(allowed, channel)) return true;
    }
    return s->channels.all;
}

static void find_keys(struct keys *k, const struct command_entry *e, const struct span *argv, size_t argc)
{
    if (k->found) return;
    k->found = true;
    k->at = k->some;
    const long n = command_keys(e, argv, argc, k->some, KEYS_ON_STACK);
    if (n <= 0) return;
    k->count = (size_t)n;
    if (k->count <= KEYS_ON_STACK) return;
    k->at = mem_alloc(k->count * sizeof *k->at);
    (void)command_keys(e, argv, argc, k->at, k->count);
}

static enum acl_verdict check_selector(const struct acl_selector *s, const struct command_entry *e,
                                       const struct span *argv, size_t argc, struct keys *k, size_t *index)
{
    if (!may_run(s, e, argv, argc)) return ACL_DENIED_COMMAND;
    if (!s->keys.all && e->row->keys[0].flags) {
        find_keys(k, e, argv, argc);
        for (size_t i = 0; i < k->count; i++) {
            *index = k->at[i].index;
            if (!(k->at[i].flags & KEY_NOT_KEY) && !may_touch(s, argv[*index], k->at[i].flags)) return ACL_DENIED_KEY;
        }
    }
    const struct channels c = s->channels.all ? (struct channels){0} : channels_of(e, argc);
    for (*index = c.first; *index && *index <= c.last && *index < argc; (*index)++)
        if (!may_hear(s, argv[*index], c.patterns)) return ACL_DENIED_CHANNEL;
    return ACL_OK;
}

enum acl_verdict acl_check(const struct acl_user *u, const struct command_entry *e, const struct span *argv,
                           size_t argc, size_t *index)
{
    struct keys keys;
    keys.found = false;
    keys.at = keys.some;
    keys.count = 0;
    enum acl_verdict worst = ACL_DENIED_COMMAND;
    *index = 0;
    if (u->unlimited) return ACL_OK;
    for (size_t i = 0; i < u->selector_count && worst != ACL_OK; i++) {
        size_t at = 0;
        const enum acl_verdict v = check_selector(u->selectors[i], e, argv, argc, &keys, &at);
        if (v != ACL_OK && (v < worst || (v == worst && at <= *index))) continue;
        worst = v;
        *index = at;
    }
    if (keys.at != keys.some) mem_free(keys.at);
    return worst;
}

static bool reads_all(const struct acl_selector *s)
{
    for (size_t i = 0; i < s->keys.count; i++)
        if (s->keys.at[i].access & ACL_MAY_READ && span_eq(s->keys.at[i].text, SPAN("*"))) return true;
    return s->keys.all;
}

bool acl_check_reads_all_keys(const struct acl_user *u, const struct command_entry *e, const struct span *argv,
                              size_t argc)
{
    for (size_t i = 0; i < u->selector_count; i++)
        if (reads_all(u->selectors[i]) && may_run(u->selectors[i], e, argv, argc)) return true;
    return false;
}

bool acl_check_channel(const struct acl_user *u, struct span channel, bool is_pattern)
{
    for (size_t i = 0; i < u->selector_count; i++)
        if (may_hear(u->selectors[i], channel, is_pattern)) return true;
    return false;
}
