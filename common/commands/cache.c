/* The cache helpers: single-flight loading for a cache in front of a slower store.
 *
 *     CACHE.GET key LEASE ms   ->  hit    the value is there, and fresh
 *                                  load   it is not, and the caller has the lease: it loads, and stores by CACHE.FILL
 *                                  wait   it is not, and somebody else loads
 *                                  stale  it is there but past its time, and somebody else loads anew
 *                                  miss   it is not, and no lease is given here: the command asked for none, or this is a
 *                                         replica
 *
 * Leases (leases.h) live in memory only. What CACHE.FILL stores is plain data: a string with an expiry time. If it may be
 * served stale, its expiry time is the end of that, and beside it stands its mark: a key whose value is the moment until
 * which it is fresh, and which expires when the value does. A mark whose expiry time is not the value's says nothing: so
 * SET, EXPIRE, PERSIST, RENAME and the rest make it void without knowing of it. */
#include "common/commands/commands.h"
#include "common/commands/expiry.h"
#include "common/leases.h"

#define MARK_PREFIX "relevo:fresh:"

enum { LEASE_MAX_MS = 3600 * 1000 };

static void mark_name(struct buf *to, struct span key)
{
    buf_add_span(to, SPAN(MARK_PREFIX));
    buf_add_span(to, key);
}

/* The moment that the mark of @key tells, if it belongs to a value that expires at @expiry; else that one. */
static int64_t marked_moment(struct call *c, struct span key, int64_t expiry)
{
    struct buf name = {0};
    int64_t moment;
    mark_name(&name, key);
    struct entry *mark = call_peek(c, c->session->db, buf_span(&name));
    buf_free(&name);
    if (!mark || entry_type(mark) != TYPE_STRING || entry_expiry(mark) != expiry || !entry_int(mark, &moment))
        return expiry;
    call_use(c, mark);
    return moment < expiry ? moment : expiry;
}

/* For how long what stands at @key is fresh: -1: for ever; 0: it is stale, or there is nothing. */
static int64_t fresh_ms(struct call *c, struct span key)
{
    const struct entry *e = call_peek(c, c->session->db, key);
    if (!e) return 0;
    const int64_t expiry = entry_expiry(e);
    if (expiry == NO_EXPIRY) return -1;
    const int64_t until = marked_moment(c, key, expiry);
    return until > c->now_ms ? until - c->now_ms : 0;
}

/* Every answer has the same form. @e and @token may be missing. */
static void answer(struct call *c, const char *state, const struct entry *e, struct span token, int64_t ms)
{
    char scratch[NUM_I64_MAX_TEXT];
    reply_array(c->reply, 4);
    reply_bulk(c->reply, span_str(state));
    if (e) reply_bulk(c->reply, entry_string(e, scratch));
    else reply_null(c->reply);
    if (token.p) reply_bulk(c->reply, token);
    else reply_null(c->reply);
    reply_int(c->reply, ms);
}

static bool read_lease(struct call *c, int64_t *length_ms)
{
    *length_ms = 0;
    if (c->argc == 2) return true;
    if (c->argc != 4 || !span_is(c->argv[2], "LEASE")) {
        reply_syntax_error(c->reply);
        return false;
    }
    return call_int_in(c, c->argv[3], 1, LEASE_MAX_MS, length_ms, "ERR LEASE is out of range: 1 to 3600000 ms");
}

static void cache_get(struct call *c)
{
    const struct span key = c->argv[1];
    char token[LEASE_TOKEN_CHARS];
    int64_t length_ms;
    struct entry *e;
    if (!read_lease(c, &length_ms)) return;
    const int64_t fresh = fresh_ms(c, key);
    if (!call_find(c, key, TYPE_STRING, FOR_READ, &e)) return;
    if (e && fresh) {
        answer(c, "hit", e, (struct span){0}, fresh);
        return;
    }
    struct leases *leases = call_leases(c);
    if (leases && length_ms && leases_take(leases, c->session->db, key, c->now_ms, length_ms, token)) {
        call_count(c)->cache_loads++;
        answer(c, "load", e, span_of(token, sizeof token), length_ms);
        return;
    }
    const int64_t left = leases ? leases_left_ms(leases, c->session->db, key, c->now_ms) : 0;
    if (e || left) call_count(c)->cache_waits++;
    answer(c, e ? "stale" : left ? "wait" : "miss", e, (struct span){0}, left);
}

/* Who takes leases decides on who may write. */
static uint16_t get_key_flags(const struct span *argv, size_t argc)
{
    (void)argv;
    return argc > 2 ? KEY_RW | KEY_ACCESS | KEY_UPDATE : KEY_RO | KEY_ACCESS;
}

struct fill_options {
    int64_t fresh_until; /* NO_EXPIRY: for ever */
    int64_t stale_s, jitter;
};

/* One option with its argument at argv[i]; each may stand once. */
static bool take_option(struct call *c, size_t i, struct fill_options *o)
{
    const struct span word = c->argv[i], value = c->argv[i + 1];
    struct time_unit unit;
    if (span_is(word, "STALE") && !o->stale_s)
        return call_int_in(c, value, 1, INT64_MAX / 1000, &o->stale_s, "ERR STALE is out of range, must be positive");
    if (span_is(word, "JITTER") && !o->jitter)
        return call_int_in(c, value, 1, 100, &o->jitter, "ERR JITTER is out of range: 1 to 100 percent");
    if (expiry_word(word, &unit) && !unit.absolute && o->fresh_until == NO_EXPIRY)
        return expiry_read(c, value, unit, &o->fresh_until);
    reply_syntax_error(c->reply);
    return false;
}

static bool read_options(struct call *c, struct fill_options *o, int64_t *expiry)
{
    *o = (struct fill_options){.fresh_until = NO_EXPIRY};
    if (c->argc % 2) {
        reply_syntax_error(c->reply);
        return false;
    }
    for (size_t i = 4; i < c->argc; i += 2)
        if (!take_option(c, i, o)) return false;
    *expiry = o->fresh_until;
    if (o->fresh_until == NO_EXPIRY && (o->stale_s || o->jitter)) {
        reply_error(c->reply, "ERR STALE and JITTER need EX or PX");
        return false;
    }
    if (o->stale_s && __builtin_add_overflow(o->fresh_until, o->stale_s * 1000, expiry)) {
        reply_error(c->reply, "ERR invalid expire time in '%s' command", c->command->name);
        return false;
    }
    return true;
}

/* Earlier by a random share of what it has to live, so that what was filled at once does not end at once. Never later: the
 * time that was asked for stays the bound. */
static int64_t shorten_ms(struct call *c, const struct fill_options *o)
{
    const int64_t life = o->fresh_until - c->now_ms;
    const int64_t most = (int64_t)((double)(life - 1) * (double)o->jitter / 100);
    return most > 0 ? (int64_t)call_random_below(c, (uint64_t)most + 1) : 0;
}

static void put_mark(struct call *c, struct span key, int64_t moment, int64_t expiry)
{
    struct buf name = {0};
    char text[NUM_I64_MAX_TEXT];
    mark_name(&name, key);
    expiry_put_string(c, buf_span(&name), span_of(text, num_format_i64(text, moment)), expiry);
    buf_free(&name);
}

static void cache_fill(struct call *c)
{
    const struct span key = c->argv[1], token = c->argv[2], value = c->argv[3];
    struct leases *leases = call_leases(c);
    struct fill_options o;
    int64_t expiry;
    if (!read_options(c, &o, &expiry)) return;
    const bool good = leases && leases_end(leases, c->session->db, key, c->now_ms, token);
    if (!good) {
        call_count(c)->cache_refused++;
        reply_int(c->reply, 0);
        return;
    }
    call_count(c)->cache_fills++;
    if (expiry == NO_EXPIRY) {
        call_put(c, key, &(struct value){.type = TYPE_STRING, .string = value}, NO_EXPIRY);
        CALL_EFFECT(c, SPAN("SET"), key, value);
        call_changed(c, EVENT_STRING, "set", key, 1);
    } else {
        const int64_t less = shorten_ms(c, &o);
        expiry_put_string(c, key, value, expiry - less);
        if (o.stale_s) put_mark(c, key, o.fresh_until - less, expiry - less);
    }
    reply_int(c->reply, 1);
}

static void cache_release(struct call *c)
{
    struct leases *leases = call_leases(c);
    reply_int(c->reply, leases && leases_end(leases, c->session->db, c->argv[1], c->now_ms, c->argv[2]));
}

const struct command cache_commands[] = {
    COMMAND("CACHE.FILL",
            "key token value expiration=[EX seconds|PX milliseconds] [STALE seconds] [JITTER percent(integer)]",
            "Store what was loaded under a lease, if the lease still holds.", "0.1.0", "O(1)",
            CMD_WRITE | CMD_DENYOOM | CMD_FAST, ACL_STRING, KEYS(KEY_OW | KEY_UPDATE, 1), cache_fill),
    COMMAND("CACHE.GET", "key [LEASE milliseconds(integer)]",
            "Read a string; where it is missing or stale, let one caller load it and tell the others.", "0.1.0",
            "O(1)", CMD_READONLY | CMD_FAST, ACL_STRING,
            KEYS(KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS, 1), cache_get, .key_flags = get_key_flags),
    COMMAND("CACHE.RELEASE", "key token", "Give a lease back without a value, so that the next caller may load.",
            "0.1.0", "O(1)", CMD_READONLY | CMD_FAST, ACL_STRING, KEYS(KEY_RW | KEY_UPDATE, 1), cache_release),
    COMMANDS_END,
};
