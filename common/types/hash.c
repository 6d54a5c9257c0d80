/* A hash without regard to time; what its fields' expiry times add stands in hash_expiry.c, the layout in hash_impl.h. */
#include "common/types/hash.h"

#include "common/types/hash_impl.h"

/* --- The table's pairs ----------------------------------------------------------------------------------------- */

static struct span pair_field(const void *item) { return pair_of(item).field; }

static const struct htable_kind pairs = {pair_field, mem_free};

void *hash_pair_new(struct span field, struct span value, int64_t expiry)
{
    const bool timed = expiry != FIELD_STAYS;
    const size_t lengths = member_length_bytes(field.n) + member_length_bytes(value.n);
    unsigned char *item = mem_alloc(lengths + field.n + value.n + (timed ? sizeof expiry : 0)), *at = item;
    at += member_put_length(at, field.n);
    at += member_put_length(at, value.n);
    if (field.n) memcpy(at, field.p, field.n);
    if (value.n) memcpy(at + field.n, value.p, value.n);
    if (timed) le_put(at + field.n + value.n, sizeof expiry, (uint64_t)expiry);
    return item;
}

static void *pair_new(struct span field, struct span value) { return hash_pair_new(field, value, FIELD_STAYS); }

/* Give the pair in @slot another value: in place if the length is the same, as a counter's mostly is. */
static void pair_change(struct htable_slot *slot, struct span value)
{
    void *item = htable_slot_item(slot);
    const struct pair old = pair_of(item);
    if (old.value.n == value.n) {
        if (value.n) memmove((char *)item + (old.value.p - (const char *)item), value.p, value.n);
        return;
    }
    htable_slot_set(slot, pair_new(old.field, value));
    mem_free(item);
}

static bool table_set(struct htable *t, struct span field, struct span value)
{
    const uint64_t hash = htable_hash(t, field);
    struct htable_slot *slot = htable_find_slot(t, hash, field);
    if (slot) {
        htable_before_change(t, hash);
        pair_change(slot, value);
        return false;
    }
    htable_insert(t, hash, pair_new(field, value));
    return true;
}

static void put_distinct(void *context, struct span field, struct span value)
{
    htable_insert(context, htable_hash(context, field), pair_new(field, value));
}

struct htable *hash_table_new(const uint8_t *hash_key, uint64_t expect)
{
    struct htable *t = MEM_NEW(struct htable);
    htable_init(t, &pairs, hash_key);
    htable_expect(t, expect);
    return t;
}

void hash_table_free(struct htable *t)
{
    htable_free(t);
    mem_free(t);
}

/* --- The whole hash -------------------------------------------------------------------------------------------- */

struct hash *hash_new(const uint8_t *hash_key)
{
    struct hash *h = MEM_NEW(struct hash);
    put_pack(h, lp_new());
    h->hash_key = hash_key;
    return h;
}

void hash_free(struct hash *h)
{
    if (!h) return;
    if (in_table(h)) hash_table_free(table_of(h));
    else lp_free(pack_of(h));
    if (is_timed(h)) mem_free(times_of(h));
    mem_free(h);
}

struct hash *hash_dup(const struct hash *h)
{
    if (is_timed(h)) return hash_times_dup(h);
    struct hash *copy = MEM_NEW(struct hash);
    copy->hash_key = h->hash_key;
    if (in_table(h)) {
        struct htable *t = hash_table_new(h->hash_key, hash_size(h));
        hash_each(h, put_distinct, t);
        put_table(copy, t);
    } else {
        put_pack(copy, lp_dup(pack_of(h)));
    }
    return copy;
}

uint64_t hash_size(const struct hash *h)
{
    return in_table(h) ? table_of(h)->count : lp_count(pack_of(h)) / pack_stride(h);
}

/* Its value is the next element. */
const lp_t *hash_pack_find(const struct hash *h, struct span field)
{
    const lp_t *lp = pack_of(h);
    return lp_find(lp, lp_first(lp), field, pack_stride(h) - 1);
}

bool hash_get(const struct hash *h, struct span field, struct span *value, char *scratch)
{
    if (in_table(h)) {
        const void *item = htable_find(table_of(h), htable_hash(table_of(h), field), field);
        if (item) *value = pair_of(item).value;
        return item != NULL;
    }
    const lp_t *at = hash_pack_find(h, field);
    if (at) *value = lp_get(lp_next(pack_of(h), at), scratch);
    return at != NULL;
}

/* A table never turns into a listpack again. */
static void to_table(struct hash *h)
{
    struct htable *t = hash_table_new(h->hash_key, hash_size(h) + 1);
    hash_each(h, put_distinct, t);
    lp_free(pack_of(h));
    put_table(h, t);
}

bool hash_pack_fits(const struct hash *h, bool known, struct span field, struct span value,
                    const struct encoding_limits *limits)
{
    enum { OVERHEAD_MAX = 40 }; /* of three elements */
    const lp_t *lp = pack_of(h);
    const size_t longest = limits->hash_max_listpack_value;
    if (field.n > longest || value.n > longest) return false;
    if (!known && hash_size(h) >= limits->hash_max_listpack_entries) return false;
    return lp_fits(lp, field) && lp_fits(lp, value) &&
           lp_bytes(lp) + field.n + value.n + OVERHEAD_MAX <= LP_MAX_BYTES;
}

bool hash_set(struct hash *h, struct span field, struct span value, const struct encoding_limits *limits)
{
    if (is_timed(h)) return hash_set_timed(h, field, value, FIELD_STAYS, limits);
    if (!in_table(h)) {
        lp_t *lp = pack_of(h);
        const lp_t *at = hash_pack_find(h, field);
        if (hash_pack_fits(h, at, field, value, limits)) {
            if (at) {
                at = lp_next(lp, at);
                put_pack(h, lp_replace(lp, &at, value));
                return false;
            }
            put_pack(h, lp_append(lp_append(lp, field), value));
            return true;
        }
        to_table(h);
    }
    return table_set(table_of(h), field, value);
}

bool hash_remove(struct hash *h, struct span field)
{
    if (is_timed(h)) return hash_times_remove(h, field);
    if (in_table(h)) {
        void *item = htable_remove(table_of(h), htable_hash(table_of(h), field), field);
        mem_free(item);
        return item != NULL;
    }
    const lp_t *at = hash_pack_find(h, field);
    const bool found = at != NULL;
    if (found) put_pack(h, lp_delete(pack_of(h), &at, 2));
    return found;
}

/* --- Walking --------------------------------------------------------------------------------------------------- */

struct walk {
    hash_visit *visit;
    void *context;
};

static void visit_item(void *context, void *item, bool marked)
{
    (void)marked;
    const struct walk *w = context;
    const struct pair p = pair_of(item);
    w->visit(w->context, p.field, p.value);
}

uint64_t hash_scan(const struct hash *h, uint64_t from, hash_visit *visit, void *context)
{
    if (in_table(h)) return htable_scan(table_of(h), from, false, visit_item, &(struct walk){visit, context});
    const lp_t *lp = pack_of(h);
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) {
        char field_text[NUM_I64_MAX_TEXT], value_text[NUM_I64_MAX_TEXT];
        const struct span field = lp_get(at, field_text);
        at = lp_next(lp, at);
        visit(context, field, lp_get(at, value_text));
        if (is_timed(h)) at = lp_next(lp, at);
    }
    return 0;
}

void hash_visit_chosen(const struct hash *h, const struct htable_choice *c, hash_visit *visit, void *context)
{
    htable_visit_chosen(table_of(h), c, visit_item, &(struct walk){visit, context});
}

struct htable *hash_table(const struct hash *h) { return in_table(h) ? table_of(h) : NULL; }

void hash_each(const struct hash *h, hash_visit *visit, void *context)
{
    uint64_t at = 0;
    do at = hash_scan(h, at, visit, context);
    while (at);
}

void hash_random(const struct hash *h, uint64_t (*random)(void *context), void *context, struct buf *field,
                 struct buf *value)
{
    const uint64_t size = hash_size(h);
    assert(size > 0);
    if (in_table(h)) {
        const struct pair p = pair_of(htable_random(table_of(h), random, context));
        buf_add_span(field, p.field);
        if (value) buf_add_span(value, p.value);
        return;
    }
    const uint64_t index = (uint64_t)((unsigned __int128)random(context) * size >> 64);
    const lp_t *lp = pack_of(h), *at = lp_seek(lp, (int64_t)(pack_stride(h) * index));
    char scratch[NUM_I64_MAX_TEXT];
    buf_add_span(field, lp_get(at, scratch));
    if (value) buf_add_span(value, lp_get(lp_next(lp, at), scratch));
}

/* --- Looking in ------------------------------------------------------------------------------------------------ */

const char *hash_encoding(const struct hash *h)
{
    if (in_table(h)) return "hashtable";
    return is_timed(h) ? "listpackex" : "listpack";
}

size_t hash_bytes(const struct hash *h, uint64_t samples)
{
    const size_t own = mem_size(h) + (is_timed(h) ? mem_size(times_of(h)) : 0);
    if (!in_table(h)) return own + mem_size(pack_of(h));
    return own + mem_size(table_of(h)) + member_table_bytes(table_of(h), samples);
}

void hash_check(const struct hash *h)
{
    if (is_timed(h)) hash_times_check(h);
    if (in_table(h)) {
        htable_check(table_of(h));
        return;
    }
    const lp_t *lp = pack_of(h);
    assert(lp_valid(lp, lp_bytes(lp)) && lp_count(lp) % pack_stride(h) == 0);
    for (const lp_t *at = lp_first(lp); at;) {
        char scratch[NUM_I64_MAX_TEXT];
        const struct span field = lp_get(at, scratch);
        for (unsigned i = 0; i < pack_stride(h); i++) at = lp_next(lp, at);
        assert(!lp_find(lp, at, field, pack_stride(h) - 1));
    }
}

struct span hash_listpack(const struct hash *h)
{
    return in_table(h) || is_timed(h) ? span_of(NULL, 0) : span_of(pack_of(h), lp_bytes(pack_of(h)));
}

/* Put a pair of a listpack from outside into a table; remember if its field was there. */
struct gather {
    struct htable *table;
    bool twice;
};

static void gather_pair(void *context, struct span field, struct span value)
{
    struct gather *g = context;
    if (!table_set(g->table, field, value)) g->twice = true;
}

bool hash_of_listpack(void *listpack, const uint8_t *hash_key, const struct encoding_limits *limits, struct hash **h)
{
    struct hash *made = MEM_NEW(struct hash);
    put_pack(made, listpack);
    made->hash_key = hash_key;
    /* A table shows duplicates in linear time, however large the stranger's listpack is. */
    struct gather g = {hash_table_new(hash_key, hash_size(made)), false};
    hash_each(made, gather_pair, &g);
    if (g.twice) {
        hash_table_free(g.table);
        hash_free(made);
        return false;
    }
    if (hash_size(made) > limits->hash_max_listpack_entries) {
        lp_free(listpack);
        put_table(made, g.table);
    } else {
        hash_table_free(g.table);
    }
    *h = made;
    return true;
}
