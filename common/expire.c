/* Active expiry of keys (that of hash fields stands in expire_fields.c): dead keys that nobody touches are found by walking
 * the marked slots of the tables.
 *
 * A round walks on from where the last one stopped, past ranges of the table that have none (expiry_map.h). It goes on as
 * long as lately one in DEAD_SHARE or more of what it looked at was dead, so that nowhere more than a tenth are, and stops early where there are few; so
 * where nothing is dead it costs next to nothing, and after a mass of keys died at once it uses its whole budget, round
 * after round, until few of them are left. */
#include "common/call.h"
#include "common/engine_impl.h"
#include "common/expiry_map.h"

enum {
    BATCH = 64,      /* keys that one DEL names */
    STRETCH = 20,    /* marked keys to look at before what was found is deleted */
    SAMPLE = 100,    /* and in a round at least */
    MEMORY = 1000,   /* looks that the share of dead ones is judged by, so that chance does not end a round early */
    DEAD_SHARE = 16, /* one in so many, where the walk stands; elsewhere they are fewer, since it was there later */
    BUCKETS_PER_UNIT = 4, /* passing an empty bucket costs a fraction of what looking at a key does */
    RESIZE_STEPS = 8,
};

/* What one stretch of the walk found. Keys stay where they are until the table is changed. */
struct harvest {
    int64_t now_ms;
    uint64_t looked_at, dead;
    int64_t ttl_ms; /* of all that were looked at and are not dead */
    struct entry *found[BATCH];
    size_t count;
};

static void add_ttl(struct harvest *h, int64_t ttl_ms)
{
    if (ttl_ms > INT64_MAX - h->ttl_ms) ttl_ms = INT64_MAX - h->ttl_ms;
    h->ttl_ms += ttl_ms;
}

static void look_at(void *context, void *item, bool marked)
{
    struct harvest *h = context;
    struct entry *e = item;
    (void)marked;
    h->looked_at++;
    if (!entry_is_dead(e, h->now_ms)) {
        add_ttl(h, entry_expiry(e) - h->now_ms);
        return;
    }
    h->dead++;
    if (h->count < BATCH) h->found[h->count++] = e;
}

/* Delete what was found, and log it as one DEL. */
static void reap(struct engine *e, struct db *d, struct harvest *h, struct effects *effects)
{
    struct span argv[1 + BATCH] = {SPAN("DEL")};
    if (h->count == 0) return;
    for (size_t i = 0; i < h->count; i++) argv[1 + i] = entry_key(h->found[i]);
    effects_add(effects, db_id(d), argv, 1 + h->count);
    for (size_t i = 0; i < h->count; i++) engine_drop(e, d, db_hash(d, argv[1 + i]), h->found[i], DROP_EXPIRED);
    h->count = 0;
}

/* One stretch in the database where the walk stands: until a batch is nearly full, the sample is taken, or the table
 * ends. Returns what it cost. */
static unsigned walk(struct engine *e, struct harvest *h, unsigned budget, struct effects *effects)
{
    enum { BUCKET_MAX = 24 }; /* leave room for what one more bucket may hold; more waits for the next round */
    struct db *d = e->data->dbs[e->expire.db];
    unsigned buckets = 0;
    const uint64_t before = h->looked_at, dead_before = h->dead;
    uint64_t at = e->expire.position;
    h->ttl_ms = 0;
    do {
        at = htable_scan(db_table(d), expiry_map_next(db_expiry_map(d), at), true, look_at, h);
        buckets++;
    } while (at && h->count < BATCH - BUCKET_MAX && h->looked_at - before < STRETCH && buckets < budget);
    const uint64_t looked_at = h->looked_at - before, alive = looked_at - (h->dead - dead_before);
    if (alive) db_learn_ttl(d, h->ttl_ms / (int64_t)alive);
    reap(e, d, h, effects);
    e->expire.position = at;
    if (at == 0) e->expire.db = (e->expire.db + 1) % e->data->count;
    return (unsigned)looked_at + buckets / BUCKETS_PER_UNIT + 1;
}

/* Take what a stretch found into the share of dead keys; true if that is large enough to go on. */
static bool many_are_dead(struct expire_share *s, uint64_t looked_at, uint64_t dead)
{
    s->looked_at += looked_at;
    s->dead += dead;
    if (s->looked_at > MEMORY) *s = (struct expire_share){s->looked_at / 2, s->dead / 2};
    return s->dead * DEAD_SHARE > s->looked_at;
}

/* True if the budget ended before the dead became few. */
static bool expire_some(struct engine *e, int64_t now_ms, unsigned budget, struct effects *effects)
{
    struct harvest h = {.now_ms = now_ms};
    unsigned used = 0, empty = 0;
    bool many = false;
    while (used < budget) {
        if (db_expires(e->data->dbs[e->expire.db]) == 0) {
            e->expire = (struct expire_cursor){(e->expire.db + 1) % e->data->count, 0};
            if (++empty == e->data->count) return false;
            continue;
        }
        empty = 0;
        const uint64_t looked_at = h.looked_at, dead = h.dead;
        used += walk(e, &h, budget - used, effects);
        many = many_are_dead(&e->expire_share, h.looked_at - looked_at, h.dead - dead);
        if (!many && h.looked_at >= SAMPLE) return false;
    }
    return many;
}

bool engine_cycle(struct engine *e, int64_t now_ms, unsigned budget, struct effects *effects)
{
    e->now_ms = now_ms;
    bool more = false;
    if (e->role == ENGINE_PRIMARY && effects) {
        more = expire_some(e, now_ms, budget, effects);
        more |= engine_expire_fields(e, now_ms, budget, effects);
    }
    if (e->leases) leases_tend(e->leases, now_ms);
    for (unsigned i = 0; i < e->data->count; i++) more |= db_resize_step(e->data->dbs[i], RESIZE_STEPS);
    return more;
}
