#include "common/call.h"

#include <assert.h>

#include "common/engine_impl.h"
#include "common/types/hash_expiry.h"

/* The hash of a key, by which all databases find it. That of the first argument is kept: a handler that looks a key
 * up and then puts it asks twice. */
static uint64_t hash_of(struct call *c, struct span key)
{
    const bool first = c->argc > 1 && key.p == c->argv[1].p && key.n == c->argv[1].n;
    if (first && c->hash_known) return c->hash;
    const uint64_t hash = db_hash(c->db, key);
    if (first) {
        c->hash_known = true;
        c->hash = hash;
    }
    return hash;
}

/* As engine_before_change(); the hash is known mostly. */
static void before_change(struct call *c, unsigned db, struct span key)
{
    if (c->engine->traversal) traversal_before_change(c->engine->traversal, db, hash_of(c, key));
}

/* A large value goes to the graveyard if @lazy. */
static bool remove_at(struct engine *e, struct db *d, uint64_t hash, struct span key, bool lazy)
{
    const bool open = e->graveyard.open;
    e->graveyard.open = lazy;
    const bool removed = db_remove_at(d, hash, key);
    e->graveyard.open = open;
    return removed;
}

void engine_drop(struct engine *e, struct db *d, uint64_t hash, struct entry *entry, enum drop_reason why)
{
    const struct span key = entry_key(entry);
    if (e->traversal) traversal_before_change(e->traversal, db_id(d), hash);
    engine_touched_and_ready(e, db_id(d), key);
    e->stats.dirty++;
    if (why == DROP_EXPIRED) {
        e->stats.expired_keys++;
        engine_event(e, db_id(d), EVENT_EXPIRED, "expired", key);
    } else {
        e->stats.evicted_keys++;
        engine_event(e, db_id(d), EVENT_EVICTED, "evicted", key);
    }
    const bool lazy = why == DROP_EXPIRED ? e->options.lazy.expire : e->options.lazy.eviction;
    const bool removed = remove_at(e, d, hash, key, lazy);
    assert(removed);
}

/* Is this a primary whose changes go to the log, deaths among them? */
static bool is_logged(const struct call *c) { return c->engine->role == ENGINE_PRIMARY && c->effects; }

/* The same, and what is dead may go now. */
static bool buries(const struct call *c)
{
    return is_logged(c) && !(c->engine->keeps_dead && !(c->command->flags & CMD_WRITE));
}

/* The entry, unless its time has come: then there is none, and a primary deletes it at once. Replay ignores the
 * clock, and a replica waits for its primary's word. */
static struct entry *look_up(struct call *c, struct db *d, uint64_t hash, struct span key)
{
    struct entry *e = db_find_at(d, hash, key);
    if (!e || c->origin == ORIGIN_LOG || !entry_is_dead(e, c->now_ms)) return e;
    if (buries(c)) {
        const struct span del[] = {SPAN("DEL"), key};
        effects_add(c->effects, db_id(d), del, 2);
        engine_drop(c->engine, d, hash, e, DROP_EXPIRED);
    }
    return NULL;
}

/* The key was used. */
static void touch(struct call *c, struct entry *e)
{
    const struct eviction_settings *s = &c->engine->options.eviction;
    if (c->session->no_touch && !c->explicit_use) return;
    if (!eviction_is_lfu(s)) entry_set_clock(e, (uint32_t)(c->now_ms / 1000));
    else entry_set_clock(e, eviction_clock_used(s, entry_clock(e), c->now_ms, engine_random(c->engine)));
}

struct entry *call_find_any(struct call *c, struct span key, enum intent intent)
{
    struct entry *e = look_up(c, c->db, hash_of(c, key), key);
    if (intent != FOR_WRITE) {
        if (e) c->engine->stats.keyspace_hits++;
        else c->engine->stats.keyspace_misses++;
        if (!e && intent != FOR_GLANCE) engine_event(c->engine, db_id(c->db), EVENT_MISS, "keymiss", key);
    }
    if (e && intent == FOR_WRITE) before_change(c, db_id(c->db), key);
    if (e && (intent == FOR_READ || intent == FOR_WRITE)) touch(c, e);
    if (e && intent == FOR_WRITE) c->used = key.p;
    return e;
}

bool call_find(struct call *c, struct span key, enum type type, enum intent intent, struct entry **e)
{
    *e = call_find_any(c, key, intent);
    if (!*e || entry_type(*e) == type) return true;
    reply_wrong_type(c->reply);
    return false;
}

struct entry *call_peek(struct call *c, unsigned db, struct span key)
{
    struct db *d = engine_db(c->engine, db);
    assert(d);
    return look_up(c, d, hash_of(c, key), key);
}

void call_use(struct call *c, struct entry *e) { touch(c, e); }

struct entry *call_put(struct call *c, struct span key, const struct value *v, int64_t expiry)
{
    return call_put_in(c, db_id(c->db), key, v, expiry);
}

struct entry *call_put_in(struct call *c, unsigned db, struct span key, const struct value *v, int64_t expiry)
{
    struct db *d = c->engine->data->dbs[db];
    if (c->engine->observer.event)
        (void)look_up(c, d, hash_of(c, key), key); /* what is overwritten dead has expired */
    const uint64_t before = db_size(d);
    before_change(c, db, key);
    struct entry *e = db_put_at(d, hash_of(c, key), key, v, expiry);
    if (db_size(d) != before) {
        entry_set_clock(e, eviction_clock_new(&c->engine->options.eviction, c->now_ms));
        engine_event(c->engine, db, EVENT_NEW, "new", key);
    } else if (c->used != key.p) {
        touch(c, e);
    }
    return e;
}

bool call_delete(struct call *c, struct span key) { return call_unlink(c, key, c->engine->options.lazy.server_del); }

bool call_unlink(struct call *c, struct span key, bool lazy)
{
    before_change(c, db_id(c->db), key);
    return remove_at(c->engine, c->db, hash_of(c, key), key, lazy);
}

struct entry *call_move(struct call *c, struct span key, unsigned to, struct span to_key)
{
    before_change(c, db_id(c->db), key);
    before_change(c, to, to_key);
    engine_event(c->engine, to, EVENT_NEW, "new", to_key);
    return db_move(c->db, key, c->engine->data->dbs[to], to_key);
}

struct entry *call_set_expiry(struct call *c, struct entry *e, int64_t expiry)
{
    return db_set_expiry(c->db, e, expiry);
}

struct entry *call_put_int(struct call *c, struct span key, struct entry *e, int64_t v)
{
    int64_t old;
    if (e && entry_int(e, &old)) {
        entry_set_int(e, v);
        return e;
    }
    char text[NUM_I64_MAX_TEXT];
    const struct value value = {.type = TYPE_STRING, .string = span_of(text, num_format_i64(text, v))};
    return call_put(c, key, &value, e ? entry_expiry(e) : NO_EXPIRY);
}

struct entry *call_edit_string(struct call *c, struct span key, struct entry *e, size_t n, char **bytes)
{
    if (!e) e = call_put(c, key, &(struct value){.type = TYPE_STRING}, NO_EXPIRY);
    return db_edit_string(c->db, e, n, bytes);
}

void call_swap(struct call *c, unsigned a, unsigned b)
{
    struct engine *e = c->engine;
    if (e->traversal) traversal_before_swap(e->traversal, a, b);
    engine_flushed(e, (int)a, (int)b);
    engine_flushed(e, (int)b, (int)a);
    db_swap(e->data->dbs[a], e->data->dbs[b]);
}

uint64_t call_flush(struct call *c, int db, bool lazy)
{
    struct engine *e = c->engine;
    uint64_t removed = 0;
    for (unsigned i = 0; i < e->data->count; i++)
        if (db < 0 || (unsigned)db == i) removed += db_size(e->data->dbs[i]);
    if (e->traversal) traversal_before_flush(e->traversal, db);
    engine_flushed(e, db, -1);
    for (unsigned i = 0; i < e->data->count; i++) {
        if (db >= 0 && (unsigned)db != i) continue;
        if (lazy && db_size(e->data->dbs[i]) > 0) db_bury(e->data->dbs[i]);
        else db_clear(e->data->dbs[i]);
    }
    return removed;
}

int64_t call_fields_now(const struct call *c) { return c->origin == ORIGIN_LOG ? FIELDS_ALL : c->now_ms; }

struct entry *call_reap_fields(struct call *c, struct entry *e)
{
    enum { LOOKS = 20, BUCKETS = 20, ROUNDS = 4 }; /* a large hash is left to the cycle */
    const struct field_search search = {call_fields_now(c), LOOKS, BUCKETS};
    struct field_harvest got;
    if (!buries(c)) return e;
    for (unsigned i = 0; i < ROUNDS && hash_may_have_dead(entry_object(e), search.now_ms); i++)
        if (engine_reap_fields(c->engine, c->db, e, &search, c->effects, &got)) return NULL;
    return e;
}

struct entry *call_expire_field(struct call *c, struct entry *e, struct span field)
{
    return engine_expire_field(c->engine, c->db, e, field, is_logged(c) ? c->effects : NULL) ? NULL : e;
}

void call_settle_fields(struct call *c, struct entry *e) { db_settle_fields(c->db, e); }

/* Unlike expiry and eviction, a command makes void what is being loaded for the key. */
static void void_lease(const struct engine *e, unsigned db, struct span key)
{
    if (e->leases) leases_void(e->leases, db, key);
}

/* May somebody who waits for the key get something by this change, or hear that there will be nothing? Of a stream's that is
 * so if it gets entries, or loses a group. */
static bool serves(enum event_class event_class, const char *event)
{
    return event_class != EVENT_STREAM || strcmp(event, "xadd") == 0 || strcmp(event, "xgroup-destroy") == 0;
}

void call_changed_in(struct call *c, unsigned db, enum event_class event_class, const char *event, struct span key)
{
    struct engine *e = c->engine;
    engine_touched(e, db, key);
    if (e->ready && serves(event_class, event)) ready_touched(e, db, key);
    void_lease(e, db, key);
    engine_event(e, db, (char)event_class, event, key);
}

void call_changed(struct call *c, enum event_class event_class, const char *event, struct span key, uint64_t changes)
{
    c->changes += changes;
    call_changed_in(c, db_id(c->db), event_class, event, key);
}

void call_touched(struct call *c, struct span key, uint64_t changes)
{
    c->changes += changes;
    engine_touched_and_ready(c->engine, db_id(c->db), key);
    void_lease(c->engine, db_id(c->db), key);
}

bool call_remove_if_empty(struct call *c, struct span key, struct entry *e)
{
    if (entry_type(e) == TYPE_STRING || object_size(entry_type(e), entry_object(e)) > 0) return false;
    call_delete(c, key);
    call_changed(c, EVENT_GENERIC, "del", key, 0);
    return true;
}

void call_effect(struct call *c, const struct span *argv, size_t argc)
{
    c->effects_listed = true;
    if (c->effects) effects_add(c->effects, db_id(c->db), argv, argc);
}

uint64_t call_random(void *call) { return engine_random(((struct call *)call)->engine); }

uint64_t call_random_below(struct call *c, uint64_t bound)
{
    assert(bound > 0);
    /* Reject the incomplete last run, so that every number is equally likely. */
    const uint64_t reject = (UINT64_MAX - bound + 1) % bound;
    uint64_t r;
    do r = call_random(c);
    while (r < reject);
    return r % bound;
}

bool call_is_dead(const struct call *c, const struct entry *e)
{
    return c->origin == ORIGIN_CLIENT && entry_is_dead(e, c->now_ms);
}

bool call_is_past(const struct call *c, int64_t expiry)
{
    return expiry <= c->now_ms && c->origin == ORIGIN_CLIENT && c->engine->role == ENGINE_PRIMARY;
}

size_t call_max_bulk(const struct call *c)
{
    return c->origin == ORIGIN_LOG ? SIZE_MAX : c->engine->options.max_bulk;
}

bool call_wait(struct call *c, enum type type, size_t first, size_t count, int64_t timeout_ms,
               const struct span *argv)
{
    struct waiting *w = c->session->waiting;
    if (!w) return false;
    if (w->again) {
        w->goes_on = true;
        return true;
    }
    const struct wait_wish wish = {
        .command = c->command,
        .request = {.argv = (struct span *)(uintptr_t)(argv ? argv : c->argv),
                    .argc = c->argc,
                    .raw = argv ? span_of(NULL, 0) : c->raw},
        .type = type,
        .first = first,
        .count = count,
        .timeout_ms = timeout_ms,
    };
    w->begin(c->session, &wish);
    return true;
}

struct leases *call_leases(struct call *c)
{
    struct engine *e = c->engine;
    if (!is_logged(c)) return NULL;
    if (!e->leases) e->leases = leases_new(e->options.hash_key, engine_random(e));
    return e->leases;
}

struct engine_stats *call_count(struct call *c) { return &c->engine->stats; }
const struct lazy_settings *call_lazy(const struct call *c) { return &c->engine->options.lazy; }
size_t call_max_effect(const struct call *c) { return c->engine->options.max_effect; }
const struct encoding_limits *call_limits(const struct call *c) { return &c->engine->options.limits; }
struct db *call_db(struct call *c, unsigned id) { return engine_db(c->engine, id); }
const uint8_t *call_hash_key(const struct call *c) { return c->engine->data->hash_key; }
