/* CLIENT TRACKING and its kin. */
#include "common/mem.h"
#include "common/num.h"
#include "server/client.h"
#include "server/commands/commands.h"
#include "server/server.h"

struct wish {
    unsigned options;
    uint64_t redirect;
    struct span *prefixes; /* of the arguments */
    size_t prefix_count;
};

static bool read_redirect(struct call *c, size_t i, struct wish *w)
{
    if (w->redirect) {
        reply_error(c->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    int64_t id;
    if (!call_int(c, c->argv[i], &id)) return false;
    if (id > 0 && clients_find(client_of(c)->server, (uint64_t)id)) {
        w->redirect = (uint64_t)id;
        return true;
    }
    reply_error(c->reply, "ERR The client ID you want redirect to does not exist");
    return false;
}

static bool read_options(struct call *c, struct wish *w)
{
    static const struct {
        const char *word;
        unsigned option;
    } words[] = {{"bcast", TRACKING_BCAST},
                 {"optin", TRACKING_OPTIN},
                 {"optout", TRACKING_OPTOUT},
                 {"noloop", TRACKING_NOLOOP}};
    for (size_t i = 3; i < c->argc; i++) {
        const bool more = i + 1 < c->argc;
        size_t k = 0;
        while (k < sizeof words / sizeof *words && !span_is(c->argv[i], words[k].word)) k++;
        if (k < sizeof words / sizeof *words) {
            w->options |= words[k].option;
        } else if (span_is(c->argv[i], "redirect") && more) {
            if (!read_redirect(c, ++i, w)) return false;
        } else if (span_is(c->argv[i], "prefix") && more) {
            w->prefixes[w->prefix_count++] = c->argv[++i];
        } else {
            reply_syntax_error(c->reply);
            return false;
        }
    }
    return true;
}

static bool refuse(struct call *c, const char *why)
{
    reply_error(c->reply, "ERR %s", why);
    return false;
}

static bool options_fit(struct call *c, const struct wish *w)
{
    const struct tracking_state *now = client_of(c)->tracking;
    const unsigned had = now ? now->options : 0, want = w->options, choice = TRACKING_OPTIN | TRACKING_OPTOUT;
    if (!(want & TRACKING_BCAST) && w->prefix_count)
        return refuse(c, "PREFIX option requires BCAST mode to be enabled");
    if (now && (had ^ want) & TRACKING_BCAST)
        return refuse(c, "You can't switch BCAST mode on/off before disabling tracking for this client, and then "
                         "re-enabling it with a different mode.");
    if (want & TRACKING_BCAST && want & choice) return refuse(c, "OPTIN and OPTOUT are not compatible with BCAST");
    if ((want & choice) == choice) return refuse(c, "You can't specify both OPTIN mode and OPTOUT mode");
    if ((want & TRACKING_OPTIN && had & TRACKING_OPTOUT) || (want & TRACKING_OPTOUT && had & TRACKING_OPTIN))
        return refuse(c, "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
                         "re-enabling it with a different mode.");
    return true;
}

static bool are_apart(struct span a, struct span b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    return !span_eq(span_of(a.p, n), span_of(b.p, n));
}

/* A key is told to a client once: so no prefix of its may begin with another. */
static bool prefixes_fit(struct call *c, const struct wish *w)
{
    for (size_t i = 0; i < w->prefix_count; i++) {
        const struct span p = w->prefixes[i];
        struct span other;
        if (tracking_overlaps(client_of(c), p, &other)) {
            reply_error(
                c->reply,
                "ERR Prefix '%.*s' overlaps with an existing prefix '%.*s'. Prefixes for a single client must "
                "not overlap.",
                (int)p.n, p.p, (int)other.n, other.p);
            return false;
        }
        for (size_t j = i + 1; j < w->prefix_count; j++) {
            other = w->prefixes[j];
            if (are_apart(p, other)) continue;
            reply_error(
                c->reply,
                "ERR Prefix '%.*s' overlaps with another provided prefix '%.*s'. Prefixes for a single client "
                "must not overlap.",
                (int)p.n, p.p, (int)other.n, other.p);
            return false;
        }
    }
    return true;
}

void tracking_command_tracking(struct call *c)
{
    struct client *client = client_of(c);
    struct wish w = {.prefixes = mem_alloc(c->argc * sizeof(struct span))};
    if (!read_options(c, &w)) {
        /* the error was replied */
    } else if (span_is(c->argv[2], "off")) {
        tracking_stop(client);
        reply_ok(c->reply);
    } else if (!span_is(c->argv[2], "on")) {
        reply_syntax_error(c->reply);
    } else if (options_fit(c, &w) && prefixes_fit(c, &w)) {
        tracking_start(client, w.options, w.redirect, w.prefixes, w.prefix_count);
        reply_ok(c->reply);
    }
    mem_free(w.prefixes);
}

void tracking_command_caching(struct call *c)
{
    struct tracking_state *now = client_of(c)->tracking;
    const bool yes = span_is(c->argv[2], "yes"), no = span_is(c->argv[2], "no");
    if (!now) {
        (void)refuse(
            c, "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
               "enabled");
    } else if (yes && !(now->options & TRACKING_OPTIN)) {
        (void)refuse(c, "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else if (no && !(now->options & TRACKING_OPTOUT)) {
        (void)refuse(c, "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else if (!yes && !no) {
        reply_syntax_error(c->reply);
    } else {
        now->caching = true;
        reply_ok(c->reply);
    }
}

void tracking_command_getredir(struct call *c)
{
    const struct tracking_state *now = client_of(c)->tracking;
    reply_int(c->reply, now ? (int64_t)now->redirect : -1);
}

static void reply_flags(struct reply *r, const struct tracking_state *now)
{
    const size_t mark = reply_begin(r);
    size_t n = 0;
    const struct {
        bool is;
        const char *word;
    } words[] = {
        {!now, "off"},
        {now, "on"},
        {now && now->options & TRACKING_BCAST, "bcast"},
        {now && now->options & TRACKING_OPTIN, "optin"},
        {now && now->options & TRACKING_OPTIN && now->caching, "caching-yes"},
        {now && now->options & TRACKING_OPTOUT, "optout"},
        {now && now->options & TRACKING_OPTOUT && now->caching, "caching-no"},
        {now && now->options & TRACKING_NOLOOP, "noloop"},
        {now && now->redirect_broken, "broken_redirect"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!words[i].is) continue;
        reply_bulk(r, span_str(words[i].word));
        n++;
    }
    reply_end_set(r, mark, n);
}

void tracking_command_trackinginfo(struct call *c)
{
    const struct tracking_state *now = client_of(c)->tracking;
    reply_map(c->reply, 3);
    reply_bulk(c->reply, SPAN("flags"));
    reply_flags(c->reply, now);
    reply_bulk(c->reply, SPAN("redirect"));
    reply_int(c->reply, now ? (int64_t)now->redirect : -1);
    reply_bulk(c->reply, SPAN("prefixes"));
    reply_array(c->reply, now ? now->prefix_count : 0);
    for (size_t i = 0; now && i < now->prefix_count; i++)
        reply_bulk(c->reply, tracking_prefix_name(now->prefixes[i]));
}
