#include "server/tracking.h"

#include <sodium.h>

#include "common/mem.h"
#include "server/client.h"
#include "server/observe.h"
#include "server/server.h"

enum { MOST_KEYS_OF_A_COMMAND = 256, FIRST_IDS = 2 };

/* A key that somebody has read. */
struct tracked_key {
    uint64_t *ids; /* of clients, rising; some may be gone */
    unsigned count, room;
    size_t len;
    char bytes[];
};

struct tracking_prefix {
    struct client **clients;
    size_t count, room;
    struct changed_key **changed; /* in this turn */
    size_t changed_count, changed_room;
    size_t len;
    char bytes[];
};

/* A key that changed in this turn, and that some prefix wants to hear of. */
struct changed_key {
    const struct client *by; /* NULL: by several, or by nobody */
    size_t len;
    char bytes[];
};

static struct span key_of(const void *item)
{
    const struct tracked_key *k = item;
    return span_of(k->bytes, k->len);
}

static struct span prefix_of(const void *item)
{
    const struct tracking_prefix *p = item;
    return span_of(p->bytes, p->len);
}

static struct span changed_of(const void *item)
{
    const struct changed_key *k = item;
    return span_of(k->bytes, k->len);
}

struct span tracking_prefix_name(const struct tracking_prefix *p) { return prefix_of(p); }

static void free_key(void *item)
{
    struct tracked_key *k = item;
    mem_free(k->ids);
    mem_free(k);
}

static const struct htable_kind keys_kind = {.key = key_of, .free = free_key}, prefixes_kind = {.key = prefix_of},
                                changed_kind = {.key = changed_of, .free = mem_free};

void tracking_init(struct tracking *t)
{
    randombytes_buf(t->hash_key, sizeof t->hash_key);
    htable_init(&t->keys, &keys_kind, t->hash_key);
    htable_init(&t->prefixes, &prefixes_kind, t->hash_key);
    htable_init(&t->changed, &changed_kind, t->hash_key);
}

void tracking_free(struct tracking *t)
{
    htable_free(&t->keys);
    htable_free(&t->prefixes);
    htable_free(&t->changed);
    mem_free(t->lengths);
}

/* ---- Telling ---- */

/* The message in the form that its reader speaks. @keys: an encoded array, in both versions the same; empty: all keys. */
static void tell(struct client *to, bool as_message, struct span keys, uint64_t position)
{
    struct buf text = {0};
    struct reply reply = {.out = &text, .resp = to->resp};
    reply_push(&reply, as_message ? 3 : 2);
    reply_bulk(&reply, as_message ? SPAN("message") : SPAN("invalidate"));
    if (as_message) reply_bulk(&reply, SPAN("__redis__:invalidate"));
    if (keys.n) buf_add_span(&text, keys);
    else reply_null_array(&reply);
    client_push(to, buf_span(&text), position);
    buf_free(&text);
}

static void tell_broken(struct client *c)
{
    struct buf text = {0};
    struct reply reply = {.out = &text, .resp = c->resp};
    if (c->tracking->redirect_broken) return;
    c->tracking->redirect_broken = true;
    if (c->resp < 3) return;
    reply_push(&reply, 2);
    reply_bulk(&reply, SPAN("tracking-redir-broken"));
    reply_int(&reply, (int64_t)c->tracking->redirect);
    client_push(c, buf_span(&text), 0);
    buf_free(&text);
}

/* Tell @c, or whom it named instead. Who speaks RESP2 hears of it only as a message, when it is subscribed to something. */
static void invalidate(struct client *c, struct span keys, uint64_t position)
{
    struct client *to = c;
    const uint64_t redirect = c->tracking->redirect;
    if (redirect) {
        to = clients_find(c->server, redirect);
        if (!to) {
            tell_broken(c);
            return;
        }
    }
    if (to->resp > 2) tell(to, false, keys, position);
    else if (redirect && to->subscriber) tell(to, true, keys, position);
}

static void encode_one(struct buf *to, struct span key)
{
    struct reply reply = {.out = to, .resp = 2};
    reply_array(&reply, 1);
    reply_bulk(&reply, key);
}

/* ---- By key ---- */

static void forget_key(struct tracking *t, struct tracked_key *k)
{
    (void)htable_remove(&t->keys, htable_hash(&t->keys, key_of(k)), key_of(k));
    t->items -= k->count;
    free_key(k);
}

/* Tell all who have the key, and forget it. */
static void invalidate_key(struct server *s, struct tracked_key *k)
{
    const uint64_t position = journal_position(s);
    struct buf keys = {0};
    encode_one(&keys, key_of(k));
    for (unsigned i = 0; i < k->count; i++) {
        struct client *c = clients_find(s, k->ids[i]);
        if (!c || !c->tracking || c->tracking->options & TRACKING_BCAST) continue;
        if (c->tracking->options & TRACKING_NOLOOP && c == s->clients.executing) continue;
        invalidate(c, buf_span(&keys), position);
    }
    buf_free(&keys);
    forget_key(&s->tracking, k);
}

static void pick(void *context, void *item, bool marked)
{
    struct tracked_key **found = context;
    (void)marked;
    if (!*found) *found = item;
}

/* Wherever the last one was taken: readers do not know where that is. */
static void take_one_out(struct server *s)
{
    struct tracking *t = &s->tracking;
    struct tracked_key *found = NULL;
    while (!found && t->keys.count) t->evict_at = htable_scan(&t->keys, t->evict_at, false, pick, &found);
    if (found) invalidate_key(s, found);
}

static struct tracked_key *key_new(struct tracking *t, struct span key, uint64_t hash)
{
    struct tracked_key *k = mem_alloc(sizeof *k + key.n);
    *k = (struct tracked_key){.len = key.n};
    if (key.n) memcpy(k->bytes, key.p, key.n);
    htable_insert(&t->keys, hash, k);
    return k;
}

static void add_id(struct tracking *t, struct tracked_key *k, uint64_t id)
{
    unsigned low = 0, high = k->count;
    while (low < high) {
        const unsigned middle = low + (high - low) / 2;
        if (k->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    if (low < k->count && k->ids[low] == id) return;
    if (k->count == k->room) {
        k->room = k->room ? k->room * 2 : FIRST_IDS;
        k->ids = mem_realloc(k->ids, k->room * sizeof *k->ids);
    }
    memmove(k->ids + low + 1, k->ids + low, (k->count - low) * sizeof *k->ids);
    k->ids[low] = id;
    k->count++;
    t->items++;
}

void tracking_read(struct client *c, const struct command_entry *e, const struct request *r)
{
    struct server *s = c->server;
    struct tracking *t = &s->tracking;
    const struct tracking_state *state = c->tracking;
    struct key_ref keys[MOST_KEYS_OF_A_COMMAND];
    if (!(e->flags & CMD_READONLY) || state->options & TRACKING_BCAST) return;
    if (state->options & TRACKING_OPTIN && !state->caching) return;
    if (state->options & TRACKING_OPTOUT && state->caching) return;
    const long n = command_keys(e, r->argv, r->argc, keys, MOST_KEYS_OF_A_COMMAND);
    struct key_ref *all = n > MOST_KEYS_OF_A_COMMAND ? mem_alloc((size_t)n * sizeof *all) : keys;
    if (all != keys) (void)command_keys(e, r->argv, r->argc, all, (size_t)n);
    for (long i = 0; i < n; i++) {
        const struct span key = r->argv[all[i].index];
        const uint64_t hash = htable_hash(&t->keys, key);
        struct tracked_key *k = htable_find(&t->keys, hash, key);
        add_id(t, k ? k : key_new(t, key, hash), c->id);
    }
    if (all != keys) mem_free(all);
    const uint64_t most = (uint64_t)config_number(s->config, SET_TRACKING_MAX_KEYS);
    while (most && t->keys.count > most) take_one_out(s);
}

void tracking_end_request(struct client *c, const struct command_entry *e)
{
    const bool was_told_now = e && e->parent && span_is(span_str(e->name), "client|caching");
    if (c->tracking && !c->transaction && !was_told_now) c->tracking->caching = false;
}

/* ---- By prefix ---- */

static void add_changed(struct tracking_prefix *p, struct changed_key *k)
{
    if (p->changed_count == p->changed_room) {
        p->changed_room = p->changed_room ? p->changed_room * 2 : FIRST_IDS;
        p->changed = mem_realloc(p->changed, p->changed_room * sizeof *p->changed);
    }
    p->changed[p->changed_count++] = k;
}

/* Gather the key with every prefix that it begins with. */
static void gather(struct server *s, struct span key)
{
    struct tracking *t = &s->tracking;
    const uint64_t hash = htable_hash(&t->changed, key);
    struct changed_key *k = htable_find(&t->changed, hash, key);
    const struct client *by = s->clients.executing;
    t->changed_position = journal_position(s);
    if (k) {
        if (k->by != by) k->by = NULL;
        return;
    }
    for (size_t n = 0; n < t->longest && n <= key.n; n++) {
        if (!t->lengths[n]) continue;
        const struct span front = span_of(key.p, n);
        struct tracking_prefix *p = htable_find(&t->prefixes, htable_hash(&t->prefixes, front), front);
        if (!p) continue;
        if (!k) {
            k = mem_alloc(sizeof *k + key.n);
            *k = (struct changed_key){.by = by, .len = key.n};
            if (key.n) memcpy(k->bytes, key.p, key.n);
            htable_insert(&t->changed, hash, k);
        }
        add_changed(p, k);
    }
}

/* The keys that changed below a prefix, as an array; @but: not those that this client changed itself. */
static void encode_changed(struct buf *to, const struct tracking_prefix *p, const struct client *but)
{
    struct reply reply = {.out = to, .resp = 2};
    size_t n = 0;
    for (size_t i = 0; i < p->changed_count; i++) n += !but || p->changed[i]->by != but;
    if (!n) return;
    reply_array(&reply, n);
    for (size_t i = 0; i < p->changed_count; i++)
        if (!but || p->changed[i]->by != but) reply_bulk(&reply, changed_of(p->changed[i]));
}

static void tell_prefix(struct server *s, struct tracking_prefix *p)
{
    struct buf all = {0};
    encode_changed(&all, p, NULL);
    for (size_t i = 0; i < p->count; i++) {
        struct client *c = p->clients[i];
        struct buf others = {0};
        const bool apart = c->tracking->options & TRACKING_NOLOOP;
        if (apart) encode_changed(&others, p, c);
        const struct span keys = buf_span(apart ? &others : &all);
        if (keys.n) invalidate(c, keys, s->tracking.changed_position);
        buf_free(&others);
    }
    buf_free(&all);
    p->changed_count = 0;
}

static void tell_if_changed(void *server, void *item, bool marked)
{
    struct tracking_prefix *p = item;
    (void)marked;
    if (p->changed_count) tell_prefix(server, p);
}

void tracking_end_turn(struct server *s)
{
    struct tracking *t = &s->tracking;
    uint64_t at = 0;
    if (!t->changed.count) return;
    do at = htable_scan(&t->prefixes, at, false, tell_if_changed, s);
    while (at);
    htable_clear(&t->changed);
}

static void count_length(struct tracking *t, size_t n, bool added)
{
    if (n >= t->longest) {
        t->lengths = mem_realloc(t->lengths, (n + 1) * sizeof *t->lengths);
        memset(t->lengths + t->longest, 0, (n + 1 - t->longest) * sizeof *t->lengths);
        t->longest = n + 1;
    }
    if (added) t->lengths[n]++;
    else t->lengths[n]--;
}

static struct tracking_prefix *prefix_named(struct tracking *t, struct span name)
{
    const uint64_t hash = htable_hash(&t->prefixes, name);
    struct tracking_prefix *p = htable_find(&t->prefixes, hash, name);
    if (p) return p;
    p = mem_alloc(sizeof *p + name.n);
    *p = (struct tracking_prefix){.len = name.n};
    if (name.n) memcpy(p->bytes, name.p, name.n);
    htable_insert(&t->prefixes, hash, p);
    count_length(t, name.n, true);
    return p;
}

static void prefix_free(struct tracking *t, struct tracking_prefix *p)
{
    (void)htable_remove(&t->prefixes, htable_hash(&t->prefixes, prefix_of(p)), prefix_of(p));
    count_length(t, p->len, false);
    mem_free(p->clients);
    mem_free(p->changed);
    mem_free(p);
}

static void join(struct client *c, struct span name)
{
    struct tracking_state *state = c->tracking;
    struct tracking_prefix *p = prefix_named(&c->server->tracking, name);
    for (size_t i = 0; i < state->prefix_count; i++)
        if (state->prefixes[i] == p) return;
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : FIRST_IDS;
        p->clients = mem_realloc(p->clients, p->room * sizeof(struct client *));
    }
    p->clients[p->count++] = c;
    state->prefixes = mem_realloc(state->prefixes, (state->prefix_count + 1) * sizeof(struct tracking_prefix *));
    /* In the order of their bytes, as Redis tells them. */
    size_t at = state->prefix_count++;
    for (; at && span_cmp(prefix_of(state->prefixes[at - 1]), name) > 0; at--)
        state->prefixes[at] = state->prefixes[at - 1];
    state->prefixes[at] = p;
}

static void leave(struct client *c, struct tracking_prefix *p)
{
    size_t i = 0;
    while (p->clients[i] != c) i++;
    p->clients[i] = p->clients[--p->count];
    if (!p->count) prefix_free(&c->server->tracking, p);
}

bool tracking_overlaps(const struct client *c, struct span prefix, struct span *other)
{
    for (size_t i = 0; c->tracking && i < c->tracking->prefix_count; i++) {
        *other = prefix_of(c->tracking->prefixes[i]);
        const size_t n = other->n < prefix.n ? other->n : prefix.n;
        if (span_eq(span_of(other->p, n), span_of(prefix.p, n))) return true;
    }
    return false;
}

/* ---- Who tracks ---- */

void tracking_start(struct client *c, unsigned options, uint64_t redirect, const struct span *prefixes, size_t n)
{
    struct tracking *t = &c->server->tracking;
    if (!c->tracking) {
        c->tracking = MEM_NEW(struct tracking_state);
        t->clients++;
    }
    const unsigned kept = c->tracking->options & TRACKING_BCAST;
    c->tracking->options = options | kept;
    c->tracking->redirect = redirect;
    c->tracking->redirect_broken = false;
    for (size_t i = 0; i < n; i++) join(c, prefixes[i]);
    if (options & TRACKING_BCAST && n == 0) join(c, SPAN(""));
    observe_configure(c->server);
}

void tracking_stop(struct client *c)
{
    struct tracking *t = &c->server->tracking;
    if (!c->tracking) return;
    /* Others may still be told what changed in this turn; who made it is compared only. */
    for (size_t i = 0; i < c->tracking->prefix_count; i++) leave(c, c->tracking->prefixes[i]);
    mem_free(c->tracking->prefixes);
    mem_free(c->tracking);
    c->tracking = NULL;
    t->clients--;
    if (!t->clients) { /* nobody is left to be told */
        htable_clear(&t->keys);
        htable_clear(&t->changed);
        t->items = 0;
    }
    observe_configure(c->server);
}

void tracking_touched(struct server *s, struct span key)
{
    struct tracking *t = &s->tracking;
    if (t->keys.count) {
        struct tracked_key *k = htable_find(&t->keys, htable_hash(&t->keys, key), key);
        if (k) invalidate_key(s, k);
    }
    if (t->prefixes.count) gather(s, key);
}

void tracking_flushed(struct server *s)
{
    struct tracking *t = &s->tracking;
    const uint64_t position = journal_position(s);
    for (struct client *c = s->clients.first; c; c = c->next)
        if (c->tracking) invalidate(c, SPAN(""), position);
    htable_clear(&t->keys);
    t->items = 0;
}
