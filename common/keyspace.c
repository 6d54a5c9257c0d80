#include "common/keyspace.h"

#include <assert.h>

#include "common/entry.h"
#include "common/expiry_map.h"
#include "common/field_index.h"
#include "common/graveyard.h"
#include "common/mem.h"

struct db {
    struct htable table;
    struct expiry_map expires; /* keys with an expiry time */
    int64_t mean_ttl_ms;
    struct graveyard *graveyard;
    struct field_index timed; /* hashes with fields that expire */
    unsigned id;
};

static void entry_free(void *item)
{
    entry_release_value(item, NULL);
    mem_free(item);
}

static struct span item_key(const void *item) { return entry_key(item); }

struct db *db_new(unsigned id, const uint8_t *hash_key)
{
    static const struct htable_kind kind = {.key = item_key, .free = entry_free};
    struct db *d = MEM_NEW(struct db);
    htable_init(&d->table, &kind, hash_key);
    d->id = id;
    return d;
}

void db_free(struct db *d)
{
    if (!d) return;
    field_index_clear(&d->timed);
    expiry_map_clear(&d->expires);
    htable_free(&d->table);
    mem_free(d);
}

void db_clear(struct db *d)
{
    field_index_clear(&d->timed);
    expiry_map_clear(&d->expires);
    htable_clear(&d->table);
    d->mean_ttl_ms = 0;
}

void db_set_graveyard(struct db *d, struct graveyard *g) { d->graveyard = g; }

void db_bury(struct db *d)
{
    struct db *buried = db_new(d->id, d->table.hash_key);
    db_swap(buried, d);
    graveyard_add_db(d->graveyard, buried);
}

unsigned db_id(const struct db *d) { return d->id; }
uint64_t db_size(const struct db *d) { return d->table.count; }
uint64_t db_expires(const struct db *d) { return d->expires.total; }
const struct expiry_map *db_expiry_map(const struct db *d) { return &d->expires; }
const struct htable *db_table(const struct db *d) { return &d->table; }
void db_expect(struct db *d, uint64_t keys) { htable_expect(&d->table, keys); }
bool db_resize_step(struct db *d, unsigned steps) { return htable_resize_step(&d->table, steps); }
uint64_t db_hash(const struct db *d, struct span key) { return htable_hash(&d->table, key); }

struct entry *db_find(const struct db *d, struct span key) { return db_find_at(d, db_hash(d, key), key); }

struct entry *db_find_at(const struct db *d, uint64_t hash, struct span key)
{
    return htable_find(&d->table, hash, key);
}

int64_t db_mean_ttl(const struct db *d) { return d->expires.total ? d->mean_ttl_ms : 0; }

void db_learn_ttl(struct db *d, int64_t sample_ms)
{
    enum { WEIGHT = 50 }; /* Redis's, so that monitors see what they know */
    const int64_t before = d->mean_ttl_ms;
    d->mean_ttl_ms = before ? before / WEIGHT * (WEIGHT - 1) + sample_ms / WEIGHT : sample_ms;
}

static struct htable_slot *must_find_slot(struct db *d, uint64_t hash, struct span key)
{
    struct htable_slot *slot = htable_find_slot(&d->table, hash, key);
    assert(slot);
    return slot;
}

/* Put @e into the slot of an older one, whose value is no longer needed or was taken over. */
static void replace(struct db *d, uint64_t hash, struct htable_slot *slot, struct entry *e)
{
    struct entry *old = htable_slot_item(slot);
    const bool had = entry_has_expiry(old), has = entry_has_expiry(e);
    htable_slot_set(slot, e);
    field_index_settle(&d->timed, e);
    if (had != has) {
        htable_slot_mark(slot, has);
        if (has) expiry_map_add(&d->expires, hash);
        else expiry_map_remove(&d->expires, hash);
    }
    mem_free(old);
}

static void insert(struct db *d, uint64_t hash, struct entry *e)
{
    htable_insert_marked(&d->table, hash, e, entry_has_expiry(e));
    if (entry_has_expiry(e)) expiry_map_add(&d->expires, hash);
    field_index_settle(&d->timed, e);
}

struct entry *db_put(struct db *d, struct span key, const struct value *v, int64_t expiry)
{
    return db_put_at(d, db_hash(d, key), key, v, expiry);
}

struct entry *db_put_at(struct db *d, uint64_t hash, struct span key, const struct value *v, int64_t expiry)
{
    struct entry_plan plan = entry_plan_value(key, v, expiry);
    struct htable_slot *slot = htable_find_slot(&d->table, hash, key);
    if (!slot) {
        struct entry *e = entry_build(&plan);
        insert(d, hash, e);
        return e;
    }
    struct entry *old = htable_slot_item(slot);
    if (entry_overwrite(old, &plan)) return old;
    plan.keep = entry_clock(old);
    struct entry *e = entry_build(&plan);
    field_index_remove(&d->timed, old);
    entry_release_value(old, d->graveyard);
    replace(d, hash, slot, e);
    return e;
}

/* Build @e anew by @plan, which took its value over, and free the old one. */
static struct entry *rebuild(struct db *d, struct entry *e, const struct entry_plan *plan)
{
    const struct span key = entry_key(e);
    const uint64_t hash = db_hash(d, key);
    struct htable_slot *slot = must_find_slot(d, hash, key);
    struct entry *fresh = entry_build(plan);
    replace(d, hash, slot, fresh);
    return fresh;
}

struct entry *db_set_expiry(struct db *d, struct entry *e, int64_t expiry)
{
    if (entry_has_expiry(e) && expiry != NO_EXPIRY) {
        entry_store_expiry(e, expiry);
        return e;
    }
    if (!entry_has_expiry(e) && expiry == NO_EXPIRY) return e;
    struct entry_plan plan = entry_plan_of(e);
    plan.expiry = expiry;
    return rebuild(d, e, &plan);
}

struct entry *db_edit_string(struct db *d, struct entry *e, size_t n, char **bytes)
{
    struct entry_plan plan;
    char room[ENTRY_EMBED_MAX];
    if (!entry_stretch(e, n, &plan, room)) e = rebuild(d, e, &plan);
    *bytes = entry_string_bytes(e);
    return e;
}

bool db_remove(struct db *d, struct span key) { return db_remove_at(d, db_hash(d, key), key); }

bool db_remove_at(struct db *d, uint64_t hash, struct span key)
{
    struct entry *e = htable_remove(&d->table, hash, key);
    if (!e) return false;
    if (entry_has_expiry(e)) expiry_map_remove(&d->expires, hash);
    field_index_remove(&d->timed, e);
    entry_release_value(e, d->graveyard);
    mem_free(e);
    return true;
}

struct entry *db_move(struct db *d, struct span key, struct db *to, struct span to_key)
{
    assert(d != to || !span_eq(key, to_key));
    const uint64_t old_hash = db_hash(d, key);
    struct entry *e = htable_remove(&d->table, old_hash, key);
    assert(e);
    if (entry_has_expiry(e)) expiry_map_remove(&d->expires, old_hash);
    field_index_remove(&d->timed, e);
    struct entry_plan plan = entry_plan_of(e);
    plan.key = to_key;
    struct entry *fresh = entry_build(&plan);
    mem_free(e);
    const uint64_t hash = db_hash(to, to_key);
    db_remove_at(to, hash, to_key);
    insert(to, hash, fresh);
    return fresh;
}

void db_swap(struct db *a, struct db *b)
{
    const struct db old = *a;
    a->table = b->table;
    a->expires = b->expires;
    a->mean_ttl_ms = b->mean_ttl_ms;
    a->timed = b->timed;
    b->table = old.table;
    b->expires = old.expires;
    b->mean_ttl_ms = old.mean_ttl_ms;
    b->timed = old.timed;
}

void db_settle_fields(struct db *d, struct entry *e) { field_index_settle(&d->timed, e); }
uint64_t db_timed_hashes(const struct db *d) { return d->timed.count; }
struct entry *db_due_hash(const struct db *d, int64_t now_ms) { return field_index_due(&d->timed, now_ms); }

void db_put_off(struct db *d, struct entry *e, int64_t until_ms) { field_index_put_off(&d->timed, e, until_ms); }

struct tally {
    uint64_t items, marked, timed;
    const struct db *db;
    struct expiry_map expires;
};

static void check_item(void *context, void *item, bool marked)
{
    struct tally *tally = context;
    const struct entry *e = item;
    tally->items++;
    tally->marked += marked;
    tally->timed += field_index_has(e);
    assert(marked == entry_has_expiry(e));
    if (marked) expiry_map_add(&tally->expires, db_hash(tally->db, entry_key(e)));
    entry_check(e);
}

void db_check(const struct db *d)
{
    struct tally tally = {.db = d};
    uint64_t at = 0;
    do at = htable_scan(&d->table, at, false, check_item, &tally);
    while (at);
    assert(tally.items == d->table.count);
    assert(tally.marked == d->expires.total);
    assert(tally.marked == 0 ||
           memcmp(tally.expires.counts, d->expires.counts, EXPIRY_MAP_RANGES * sizeof *d->expires.counts) == 0);
    expiry_map_clear(&tally.expires);
    assert(tally.timed == d->timed.count);
    field_index_check(&d->timed);
    htable_check(&d->table);
}
