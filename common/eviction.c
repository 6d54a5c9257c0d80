#include "common/eviction.h"

#include <assert.h>

#include "common/call.h"
#include "common/engine_impl.h"
#include "common/expiry_map.h"
#include "common/mem.h"

enum { LFU_NEW = 5, LFU_MAX = 255, LFU_BITS = 8, MINUTES_MASK = 0xffff };

/* The clock. */

static uint32_t minutes(int64_t now_ms) { return (uint32_t)(now_ms / 60000) & MINUTES_MASK; }

uint32_t eviction_clock_new(const struct eviction_settings *s, int64_t now_ms)
{
    if (eviction_is_lfu(s)) return minutes(now_ms) << LFU_BITS | LFU_NEW;
    return (uint32_t)(now_ms / 1000) & ENTRY_CLOCK_MASK;
}

unsigned eviction_frequency(const struct eviction_settings *s, uint32_t clock, int64_t now_ms)
{
    const unsigned counter = clock & LFU_MAX;
    if (s->lfu_decay_minutes == 0) return counter;
    const uint32_t lost = ((minutes(now_ms) - (clock >> LFU_BITS)) & MINUTES_MASK) / s->lfu_decay_minutes;
    return lost < counter ? counter - lost : 0;
}

uint32_t eviction_clock_used(const struct eviction_settings *s, uint32_t clock, int64_t now_ms, uint64_t random)
{
    if (!eviction_is_lfu(s)) return eviction_clock_new(s, now_ms);
    unsigned counter = eviction_frequency(s, clock, now_ms);
    const uint64_t over = counter > LFU_NEW ? counter - LFU_NEW : 0;
    /* with a probability of 1 / (over * factor + 1) */
    if (counter < LFU_MAX && random <= UINT64_MAX / (over * s->lfu_log_factor + 1)) counter++;
    return minutes(now_ms) << LFU_BITS | counter;
}

uint32_t eviction_clock_told(const struct eviction_settings *s, int64_t idle_s, int64_t frequency, int64_t now_ms)
{
    enum {
        LONGEST = ENTRY_CLOCK_MASK / 2
    }; /* such a key looks idle for as long again, before the clock has come around */
    if (eviction_is_lfu(s) && frequency >= 0)
        return minutes(now_ms) << LFU_BITS | (uint32_t)(frequency < LFU_MAX ? frequency : LFU_MAX);
    const uint32_t fresh = eviction_clock_new(s, now_ms);
    if (eviction_is_lfu(s) || idle_s < 0) return fresh;
    return (fresh - (uint32_t)(idle_s < LONGEST ? idle_s : LONGEST)) & ENTRY_CLOCK_MASK;
}

uint32_t eviction_idle_seconds(uint32_t clock, int64_t now_ms)
{
    return ((uint32_t)(now_ms / 1000) - clock) & ENTRY_CLOCK_MASK;
}

/* The pool: candidates in the order of how little they are worth, the one to go first at the end. They are names only:
 * what became of the keys meanwhile is looked up when one is chosen. */

enum { POOL = 16 };

struct candidate {
    uint64_t badness; /* the higher, the sooner it goes */
    unsigned db;
    struct buf key;
};

struct eviction_pool {
    struct candidate candidates[POOL];
    unsigned count;
    unsigned next_db; /* whose turn it is, for the random policies */
};

struct eviction_pool *eviction_pool_new(void) { return MEM_NEW(struct eviction_pool); }

void eviction_pool_free(struct eviction_pool *p)
{
    if (!p) return;
    for (unsigned i = 0; i < POOL; i++) buf_free(&p->candidates[i].key);
    mem_free(p);
}

void eviction_pool_clear(struct eviction_pool *p) { p->count = 0; }

static uint64_t badness_of(const struct eviction_settings *s, const struct entry *e, int64_t now_ms)
{
    if (s->policy == EVICT_VOLATILE_TTL) return UINT64_MAX - (uint64_t)entry_expiry(e);
    if (eviction_is_lfu(s)) return LFU_MAX - eviction_frequency(s, entry_clock(e), now_ms);
    return eviction_idle_seconds(entry_clock(e), now_ms);
}

static bool is_in_pool(const struct eviction_pool *p, unsigned db, struct span key)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->candidates[i].db == db && span_eq(buf_span(&p->candidates[i].key), key)) return true;
    return false;
}

static void pool_offer(struct eviction_pool *p, uint64_t badness, unsigned db, struct span key)
{
    enum { KEPT_BYTES = 256 };
    unsigned at = 0;
    while (at < p->count && p->candidates[at].badness < badness) at++;
    if (at == 0 && p->count == POOL) return; /* worth more than all of them */
    if (is_in_pool(p, db, key)) return;
    /* A full pool loses its first, else the tail moves up; the slot that becomes free brings its buffer along. */
    struct candidate spare;
    if (p->count == POOL) {
        spare = p->candidates[0];
        at--;
        memmove(p->candidates, p->candidates + 1, at * sizeof spare);
    } else {
        spare = p->candidates[p->count];
        memmove(p->candidates + at + 1, p->candidates + at, (p->count - at) * sizeof spare);
        p->count++;
    }
    spare.badness = badness;
    spare.db = db;
    buf_reset(&spare.key, KEPT_BYTES);
    buf_add_span(&spare.key, key);
    p->candidates[at] = spare;
}

/* Samples. */

static uint64_t random_bits(void *engine) { return engine_random(engine); }

struct sample {
    struct engine *engine;
    unsigned db;
    int64_t now_ms;
    unsigned seen;
    struct entry *chosen; /* for the random policies: each that was seen with equal chance */
};

static void look_at(void *context, void *item, bool marked)
{
    struct sample *s = context;
    const struct eviction_settings *settings = &s->engine->options.eviction;
    (void)marked;
    s->seen++;
    if (engine_random(s->engine) % s->seen == 0) s->chosen = item;
    if (settings->policy == EVICT_VOLATILE_RANDOM) return;
    pool_offer(s->engine->pool, badness_of(settings, item, s->now_ms), s->db, entry_key(item));
}

static uint64_t random_below(struct engine *e, uint64_t bound)
{
    return (uint64_t)((unsigned __int128)engine_random(e) * bound >> 64);
}

/* Look into buckets from position @from on, at most @most of them, until @wanted keys were seen or the end of the table or
 * @to lies behind. Returns where it stopped. */
static uint64_t search(struct sample *s, uint64_t from, uint64_t to, uint64_t most, unsigned wanted)
{
    const bool marked_only = eviction_is_volatile(&s->engine->options.eviction);
    const struct htable *table = db_table(s->engine->data->dbs[s->db]);
    uint64_t n = 0;
    while (n < most && from < to && s->seen < wanted) {
        from = htable_scan(table, from, marked_only, look_at, s);
        n++;
        if (from == 0) break;
    }
    s->engine->stats.eviction_buckets += n;
    return from;
}

/* Where few keys expire: draw one of them after the other, each with about equal chance. The buckets that are looked into
 * are those of one range of the map for each. */
static void draw_expiring(struct sample *s, unsigned wanted)
{
    const struct expiry_map *map = db_expiry_map(s->engine->data->dbs[s->db]);
    for (unsigned draw = 0; draw < wanted && s->seen < wanted; draw++) {
        uint64_t from, to;
        expiry_map_find(map, random_below(s->engine, map->total), &from, &to);
        const uint64_t start = from + random_below(s->engine, to - from);
        const unsigned one_more = s->seen + 1;
        (void)search(s, start, to, UINT64_MAX, one_more);
        (void)search(s, from, start, UINT64_MAX, one_more);
    }
}

/* Look at whole buckets from a random one on. Neighbours in the table have nothing in common but their hash, so they
 * are as good a sample as any. A table that is far larger than its content is walked until something is found. */
static void take_sample(struct sample *s, unsigned wanted)
{
    enum { PATIENCE = 256, DENSE = 16 }; /* buckets for a sample; for each key that expires */
    const struct db *d = s->engine->data->dbs[s->db];
    const uint64_t buckets = db_table(d)->live.buckets + db_table(d)->next.buckets;
    const bool any_key = !eviction_is_volatile(&s->engine->options.eviction);
    if (any_key || db_expires(d) * DENSE >= buckets) {
        const uint64_t start = engine_random(s->engine) >> (64 - HTABLE_POSITION_BITS);
        uint64_t at = search(s, start, UINT64_MAX, PATIENCE, wanted);
        if (at == 0) at = search(s, 0, UINT64_MAX, PATIENCE, wanted);
        if (any_key && s->seen == 0) at = search(s, at, UINT64_MAX, UINT64_MAX, 1);
        if (any_key && s->seen == 0) (void)search(s, 0, UINT64_MAX, UINT64_MAX, 1);
    }
    if (!any_key && s->seen == 0) draw_expiring(s, wanted);
}

static uint64_t eligible(const struct engine *e, unsigned db)
{
    const struct db *d = e->data->dbs[db];
    return eviction_is_volatile(&e->options.eviction) ? db_expires(d) : db_size(d);
}

/* Offer some keys of each database to the pool; false if there is none that may go. */
static bool fill_pool(struct engine *e, int64_t now_ms)
{
    bool any = false;
    for (unsigned i = 0; i < e->data->count; i++) {
        if (eligible(e, i) == 0) continue;
        struct sample s = {.engine = e, .db = i, .now_ms = now_ms};
        take_sample(&s, e->options.eviction.samples);
        any = true;
    }
    return any;
}

static void evict(struct engine *e, struct db *d, struct entry *entry, struct effects *effects)
{
    const struct span del[] = {SPAN("DEL"), entry_key(entry)};
    if (effects) effects_add(effects, db_id(d), del, 2);
    engine_drop(e, d, db_hash(d, del[1]), entry, DROP_EVICTED);
}

/* The worst of the pool that still is as bad as it was. One that is gone is forgotten; one that was used meanwhile too,
 * it will be looked at again. */
static struct entry *choose_from_pool(struct engine *e, int64_t now_ms, struct db **d)
{
    const struct eviction_settings *settings = &e->options.eviction;
    struct eviction_pool *p = e->pool;
    while (p->count > 0) {
        const struct candidate *c = &p->candidates[--p->count];
        *d = e->data->dbs[c->db];
        struct entry *entry = db_find(*d, buf_span(&c->key));
        if (!entry || (eviction_is_volatile(settings) && entry_expiry(entry) == NO_EXPIRY)) continue;
        if (badness_of(settings, entry, now_ms) >= c->badness) return entry;
    }
    return NULL;
}

/* A key by chance, of one database after the other. */
static struct entry *choose_random(struct engine *e, int64_t now_ms, struct db **d)
{
    for (unsigned i = 0; i < e->data->count; i++) {
        const unsigned db = e->pool->next_db++ % e->data->count;
        if (eligible(e, db) == 0) continue;
        *d = e->data->dbs[db];
        if (e->options.eviction.policy == EVICT_ALLKEYS_RANDOM) return htable_random(db_table(*d), random_bits, e);
        struct sample s = {.engine = e, .db = db, .now_ms = now_ms};
        take_sample(&s, 1);
        return s.chosen;
    }
    return NULL;
}

bool engine_evict(struct engine *e, int64_t now_ms, struct effects *effects)
{
    const enum eviction_policy policy = e->options.eviction.policy;
    struct db *d = NULL;
    struct entry *entry = NULL;
    e->now_ms = now_ms;
    if (policy == EVICT_NOTHING || e->role != ENGINE_PRIMARY) return false;
    if (policy == EVICT_ALLKEYS_RANDOM || policy == EVICT_VOLATILE_RANDOM) entry = choose_random(e, now_ms, &d);
    else
        while (!entry && fill_pool(e, now_ms)) entry = choose_from_pool(e, now_ms, &d);
    if (entry) evict(e, d, entry, effects);
    return entry;
}

void engine_set_eviction(struct engine *e, const struct eviction_settings *s)
{
    e->options.eviction = *s;
    eviction_pool_clear(e->pool);
}

const struct eviction_settings *engine_eviction(const struct engine *e) { return &e->options.eviction; }
