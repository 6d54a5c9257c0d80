/* Expiry of hash fields: the dead are deleted, and logged as HDEL, when their hash is touched or found by the cycle.
 *
 * The cycle takes hashes in the order of when their first field dies (field_index.h) and searches each for as long as
 * more than a twentieth of the timed fields that it looks at are dead. Then the hash waits a moment: so where few die all
 * the time, looking costs little. Where the search stands is what has waited longest, and samples err; so no more than a
 * tenth of all the fields are dead. The larger the hash, the larger the sample: a search that chance ends early would never
 * get around a large one. A hash that is not done goes behind those that became due before now, so that it does not keep
 * others waiting. */
#include "common/call.h"
#include "common/engine_impl.h"
#include "common/types/hash_expiry.h"

enum {
    SAMPLE_MIN = 60, /* fields to look at before the share of dead ones is judged: */
    SAMPLE_MAX = 512,
    SAMPLE_SHARE = 64,    /* one in so many of the hash's, within these bounds */
    DEAD_SHARE = 20,      /* one in so many */
    REST_MS = 50,         /* how long a hash waits in which few were dead */
    BUCKETS_PER_UNIT = 4, /* passing an empty bucket costs a fraction of what looking at a field does */
};

/* @n fields were taken out of the hash, which is removed if that was all of it. True: it is gone. */
static bool after_fields(struct engine *e, struct db *d, struct entry *entry, size_t n)
{
    const struct span key = entry_key(entry);
    e->stats.dirty += n;
    e->stats.expired_fields += n;
    engine_touched(e, db_id(d), key);
    engine_event(e, db_id(d), EVENT_HASH, "hexpired", key);
    if (hash_size(entry_object(entry)) > 0) {
        db_settle_fields(d, entry);
        return false;
    }
    engine_event(e, db_id(d), EVENT_GENERIC, "del", key);
    (void)db_remove(d, key);
    return true;
}

bool engine_reap_fields(struct engine *e, struct db *d, struct entry *entry, const struct field_search *search,
                        struct effects *effects, struct field_harvest *harvest)
{
    struct hash_reaped r;
    struct span argv[2 + HASH_REAP_MAX] = {SPAN("HDEL"), entry_key(entry)};
    struct hash *h = entry_object(entry);
    *harvest = (struct field_harvest){0};
    if (!hash_may_have_dead(h, search->now_ms)) return false;
    engine_before_change(e, db_id(d), argv[1]);
    hash_reap(h, search->now_ms, search->looks, search->buckets, &r);
    *harvest = (struct field_harvest){r.looked_at, r.passed, r.count};
    bool gone = false;
    if (r.count) {
        memcpy(argv + 2, r.names, r.count * sizeof *r.names);
        effects_add(effects, db_id(d), argv, 2 + r.count);
        gone = after_fields(e, d, entry, r.count);
    } else {
        db_settle_fields(d, entry);
    }
    hash_reaped_free(&r);
    return gone;
}

bool engine_expire_field(struct engine *e, struct db *d, struct entry *entry, struct span field,
                         struct effects *effects)
{
    const struct span argv[] = {SPAN("HDEL"), entry_key(entry), field};
    engine_before_change(e, db_id(d), argv[1]);
    if (effects) effects_add(effects, db_id(d), argv, 3);
    const bool removed = hash_remove(entry_object(entry), field);
    return removed && after_fields(e, d, entry, 1);
}

static unsigned sample_size(const struct hash *h)
{
    const uint64_t n = hash_timed_fields(h) / SAMPLE_SHARE;
    return n < SAMPLE_MIN ? SAMPLE_MIN : n > SAMPLE_MAX ? SAMPLE_MAX : (unsigned)n;
}

/* Are few dead? A sample that the end of the table or of the budget cut off says nothing. */
static bool few_dead(const struct field_harvest *got, unsigned sample)
{
    const bool enough = got->looked_at >= sample || got->passed >= (uint64_t)sample * BUCKETS_PER_UNIT;
    return enough && got->dead * DEAD_SHARE < got->looked_at;
}

/* A stretch of the search in the hash that is due first; returns what it cost, 0 if none is due. */
static unsigned search_first(struct engine *e, struct db *d, int64_t now_ms, unsigned budget, struct effects *effects)
{
    struct entry *entry = db_due_hash(d, now_ms);
    if (!entry) return 0;
    struct field_harvest got;
    const unsigned sample = sample_size(entry_object(entry));
    const struct field_search search = {now_ms, sample, 1 + (uint64_t)budget * BUCKETS_PER_UNIT};
    if (!engine_reap_fields(e, d, entry, &search, effects, &got) && hash_may_have_dead(entry_object(entry), now_ms)) {
        db_put_off(d, entry, few_dead(&got, sample) ? now_ms + REST_MS : now_ms - 1);
    }
    return (unsigned)(got.looked_at + got.passed / BUCKETS_PER_UNIT) + 1;
}

bool engine_expire_fields(struct engine *e, int64_t now_ms, unsigned budget, struct effects *effects)
{
    unsigned used = 0;
    for (unsigned idle = 0; idle < e->data->count && used < budget;) {
        struct db *d = e->data->dbs[e->fields_db];
        const unsigned cost = search_first(e, d, now_ms, budget - used, effects);
        used += cost;
        idle = cost ? 0 : idle + 1;
        e->fields_db = (e->fields_db + 1) % e->data->count;
    }
    return used >= budget;
}
