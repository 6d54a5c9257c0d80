/* What expiry times of fields add to a hash; the layout is drawn in hash_impl.h.
 *
 * The search for dead fields walks the marked pairs of a table in the order of their hash, a stretch at each call, and
 * remembers the earliest time of those it leaves alive; so when it has passed the whole table, next_ms is exact. A time
 * that is set meanwhile lowers both. Clearing a time raises neither: the next pass does. */
#include "common/types/hash_expiry.h"

#include "common/types/hash_impl.h"

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static bool is_over(int64_t expiry, int64_t now_ms) { return expiry != FIELD_STAYS && expiry < now_ms; }

uint64_t hash_timed_fields(const struct hash *h) { return is_timed(h) ? times_of(h)->count : 0; }
int64_t hash_next_expiry(const struct hash *h) { return is_timed(h) ? times_of(h)->next_ms : INT64_MAX; }
uint64_t *hash_place(struct hash *h) { return is_timed(h) ? &times_of(h)->place : NULL; }

/* --- The listpack of field, value, time ------------------------------------------------------------------------- */

static const lp_t *pack_time(const lp_t *lp, const lp_t *field) { return lp_next(lp, lp_next(lp, field)); }

static int64_t pack_expiry(const lp_t *at)
{
    int64_t v = 0;
    const bool is_int = lp_get_int(at, &v);
    assert(is_int);
    return v ? v : FIELD_STAYS;
}

static lp_t *pack_append(lp_t *lp, struct span field, struct span value, int64_t expiry)
{
    return lp_append_int(lp_append(lp_append(lp, field), value), expiry == FIELD_STAYS ? 0 : expiry);
}

/* --- Making and counting times ---------------------------------------------------------------------------------- */

static void count_time(struct hash_times *t, int64_t expiry)
{
    if (expiry == FIELD_STAYS) return;
    t->count++;
    t->next_ms = earlier(t->next_ms, expiry);
    t->seen_ms = earlier(t->seen_ms, expiry);
}

static void forget_time(struct hash_times *t)
{
    assert(t->count > 0);
    if (--t->count == 0) t->next_ms = t->seen_ms = INT64_MAX;
}

static void append_staying(void *context, struct span field, struct span value)
{
    lp_t **lp = context;
    *lp = pack_append(*lp, field, value, FIELD_STAYS);
}

/* The hash gets its times, none of which is set. */
static void make_timed(struct hash *h)
{
    if (is_timed(h)) return;
    struct hash_times *t = MEM_NEW(struct hash_times);
    *t = (struct hash_times){.body = h->body, .next_ms = INT64_MAX, .seen_ms = INT64_MAX, .place = HASH_NOWHERE};
    if (!in_table(h)) {
        lp_t *lp = lp_new();
        hash_each(h, append_staying, &lp);
        lp_free(pack_of(h));
        t->body = (uintptr_t)lp;
    }
    h->body = (uintptr_t)t | TIMED;
}

static void put_pair(void *context, struct span field, struct span value, int64_t expiry)
{
    struct htable *t = context;
    htable_insert_marked(t, htable_hash(t, field), hash_pair_new(field, value, expiry), expiry != FIELD_STAYS);
}

static struct htable *table_of_all(const struct hash *h, uint64_t room)
{
    struct htable *t = hash_table_new(h->hash_key, hash_size(h) + room);
    hash_each_timed(h, put_pair, t);
    return t;
}

static void to_table(struct hash *h)
{
    struct htable *t = table_of_all(h, 1);
    lp_free(pack_of(h));
    put_table(h, t);
}

struct hash *hash_times_dup(const struct hash *h)
{
    struct hash *copy = MEM_NEW(struct hash);
    struct hash_times *t = MEM_NEW(struct hash_times);
    *t = *times_of(h);
    t->sweep = 0; /* the copied table begins its own walk */
    t->seen_ms = INT64_MAX;
    t->place = HASH_NOWHERE;
    *copy = (struct hash){(uintptr_t)t | TIMED, h->hash_key};
    if (in_table(h)) put_table(copy, table_of_all(h, 0));
    else put_pack(copy, lp_dup(pack_of(h)));
    return copy;
}

/* --- Single fields ---------------------------------------------------------------------------------------------- */

static struct htable_slot *find_slot(const struct hash *h, struct span field)
{
    return htable_find_slot(table_of(h), htable_hash(table_of(h), field), field);
}

static int64_t slot_expiry(const struct htable_slot *slot)
{
    return htable_slot_marked(slot) ? pair_expiry(htable_slot_item(slot)) : FIELD_STAYS;
}

/* Tell who watches the table of a change of a pair. */
static void before_change(const struct hash *h, const void *item)
{
    htable_before_change(table_of(h), htable_hash(table_of(h), pair_of(item).field));
}

/* Put another value and time behind the name of a pair that is there. */
static void replace_pair(struct hash *h, struct htable_slot *slot, struct span value, int64_t expiry)
{
    void *old = htable_slot_item(slot);
    before_change(h, old);
    const bool had = htable_slot_marked(slot);
    htable_slot_set(slot, hash_pair_new(pair_of(old).field, value, expiry));
    htable_slot_mark(slot, expiry != FIELD_STAYS);
    mem_free(old);
    count_time(times_of(h), expiry);
    if (had) forget_time(times_of(h));
}

/* Another time where a pair has one already. */
static void move_time(struct hash *h, void *item, int64_t expiry)
{
    const struct pair p = pair_of(item);
    before_change(h, item);
    le_put((char *)item + (p.value.p + p.value.n - (const char *)item), sizeof expiry, (uint64_t)expiry);
    count_time(times_of(h), expiry);
    forget_time(times_of(h));
}

static bool set_in_table(struct hash *h, struct span field, struct span value, int64_t expiry)
{
    struct htable_slot *slot = find_slot(h, field);
    if (slot) {
        replace_pair(h, slot, value, expiry);
        return false;
    }
    put_pair(table_of(h), field, value, expiry);
    count_time(times_of(h), expiry);
    return true;
}

/* @at is the time of a field. */
static void replace_time(struct hash *h, const lp_t *at, int64_t expiry)
{
    const bool had = pack_expiry(at) != FIELD_STAYS;
    put_pack(h, lp_replace_int(pack_of(h), &at, expiry == FIELD_STAYS ? 0 : expiry));
    count_time(times_of(h), expiry);
    if (had) forget_time(times_of(h));
}

/* A time of 0 would mean none in a listpack, and both are as long ago as can be. */
static int64_t storable(int64_t expiry) { return expiry == 0 ? 1 : expiry; }

bool hash_set_timed(struct hash *h, struct span field, struct span value, int64_t expiry,
                    const struct encoding_limits *limits)
{
    expiry = storable(expiry);
    if (expiry != FIELD_STAYS) make_timed(h);
    if (!is_timed(h)) return hash_set(h, field, value, limits);
    if (in_table(h)) return set_in_table(h, field, value, expiry);
    const lp_t *at = hash_pack_find(h, field);
    if (!hash_pack_fits(h, at, field, value, limits)) {
        to_table(h);
        return set_in_table(h, field, value, expiry);
    }
    if (!at) {
        put_pack(h, pack_append(pack_of(h), field, value, expiry));
        count_time(times_of(h), expiry);
        return true;
    }
    at = lp_next(pack_of(h), at);
    put_pack(h, lp_replace(pack_of(h), &at, value));
    replace_time(h, lp_next(pack_of(h), at), expiry);
    return false;
}

bool hash_expiry(const struct hash *h, struct span field, int64_t *expiry)
{
    *expiry = FIELD_STAYS;
    if (in_table(h)) {
        const struct htable_slot *slot = find_slot(h, field);
        if (slot) *expiry = slot_expiry(slot);
        return slot != NULL;
    }
    const lp_t *at = hash_pack_find(h, field);
    if (at && is_timed(h)) *expiry = pack_expiry(pack_time(pack_of(h), at));
    return at != NULL;
}

void hash_set_expiry(struct hash *h, struct span field, int64_t expiry)
{
    expiry = storable(expiry);
    if (expiry == FIELD_STAYS && !is_timed(h)) return;
    make_timed(h);
    if (in_table(h)) {
        struct htable_slot *slot = find_slot(h, field);
        assert(slot);
        if (expiry != FIELD_STAYS && htable_slot_marked(slot)) move_time(h, htable_slot_item(slot), expiry);
        else replace_pair(h, slot, pair_of(htable_slot_item(slot)).value, expiry);
        return;
    }
    const lp_t *at = hash_pack_find(h, field);
    assert(at);
    replace_time(h, pack_time(pack_of(h), at), expiry);
}

bool hash_times_remove(struct hash *h, struct span field)
{
    int64_t expiry;
    if (!hash_expiry(h, field, &expiry)) return false;
    if (in_table(h)) {
        mem_free(htable_remove(table_of(h), htable_hash(table_of(h), field), field));
    } else {
        const lp_t *at = hash_pack_find(h, field);
        put_pack(h, lp_delete(pack_of(h), &at, pack_stride(h)));
    }
    if (expiry != FIELD_STAYS) forget_time(times_of(h));
    return true;
}

bool hash_is_dead(const struct hash *h, struct span field, int64_t now_ms)
{
    int64_t expiry;
    return hash_may_have_dead(h, now_ms) && hash_expiry(h, field, &expiry) && is_over(expiry, now_ms);
}

bool hash_get_live(const struct hash *h, struct span field, int64_t now_ms, struct span *value, char *scratch)
{
    return hash_get(h, field, value, scratch) && !hash_is_dead(h, field, now_ms);
}

/* --- Walking ---------------------------------------------------------------------------------------------------- */

struct walk {
    hash_timed_visit *visit;
    void *context;
};

static void visit_item(void *context, void *item, bool marked)
{
    const struct walk *w = context;
    const struct pair p = pair_of(item);
    w->visit(w->context, p.field, p.value, marked ? pair_expiry(item) : FIELD_STAYS);
}

uint64_t hash_scan_timed(const struct hash *h, uint64_t from, hash_timed_visit *visit, void *context)
{
    if (in_table(h)) return htable_scan(table_of(h), from, false, visit_item, &(struct walk){visit, context});
    const lp_t *lp = pack_of(h);
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) {
        char field_text[NUM_I64_MAX_TEXT], value_text[NUM_I64_MAX_TEXT];
        const struct span field = lp_get(at, field_text);
        at = lp_next(lp, at);
        const struct span value = lp_get(at, value_text);
        if (is_timed(h)) at = lp_next(lp, at);
        visit(context, field, value, is_timed(h) ? pack_expiry(at) : FIELD_STAYS);
    }
    return 0;
}

void hash_visit_chosen_timed(const struct hash *h, const struct htable_choice *c, hash_timed_visit *visit,
                             void *context)
{
    htable_visit_chosen(table_of(h), c, visit_item, &(struct walk){visit, context});
}

void hash_each_timed(const struct hash *h, hash_timed_visit *visit, void *context)
{
    uint64_t at = 0;
    do at = hash_scan_timed(h, at, visit, context);
    while (at);
}

struct filter {
    int64_t now_ms;
    hash_visit *visit;
    void *context;
};

static void pass_living(void *context, struct span field, struct span value, int64_t expiry)
{
    const struct filter *f = context;
    if (!is_over(expiry, f->now_ms)) f->visit(f->context, field, value);
}

uint64_t hash_scan_live(const struct hash *h, uint64_t from, int64_t now_ms, hash_visit *visit, void *context)
{
    if (!hash_may_have_dead(h, now_ms)) return hash_scan(h, from, visit, context);
    return hash_scan_timed(h, from, pass_living, &(struct filter){now_ms, visit, context});
}

void hash_each_live(const struct hash *h, int64_t now_ms, hash_visit *visit, void *context)
{
    uint64_t at = 0;
    do at = hash_scan_live(h, at, now_ms, visit, context);
    while (at);
}

/* What a look at all times finds out. */
struct census {
    int64_t now_ms, first_ms;
    uint64_t timed, living;
};

static void take_census(void *context, struct span field, struct span value, int64_t expiry)
{
    struct census *c = context;
    (void)field;
    (void)value;
    if (expiry != FIELD_STAYS) {
        c->timed++;
        c->first_ms = earlier(c->first_ms, expiry);
    }
    c->living += !is_over(expiry, c->now_ms);
}

static struct census census_of(const struct hash *h, int64_t now_ms)
{
    struct census c = {.now_ms = now_ms, .first_ms = INT64_MAX};
    hash_each_timed(h, take_census, &c);
    return c;
}

uint64_t hash_live(const struct hash *h, int64_t now_ms)
{
    return hash_may_have_dead(h, now_ms) ? census_of(h, now_ms).living : hash_size(h);
}

int64_t hash_first_expiry(const struct hash *h)
{
    return hash_timed_fields(h) ? census_of(h, FIELDS_ALL).first_ms : INT64_MAX;
}

/* The pair of a number among the living. */
struct choice {
    uint64_t left;
    struct buf *field, *value;
};

static void choose(void *context, struct span field, struct span value)
{
    struct choice *c = context;
    if (c->left-- != 0) return;
    buf_add_span(c->field, field);
    if (c->value) buf_add_span(c->value, value);
}

void hash_random_live(const struct hash *h, int64_t now_ms, uint64_t (*random)(void *context), void *context,
                      struct buf *field, struct buf *value)
{
    enum { TRIES = 32 }; /* the living are nine in ten, but just after a mass of fields died */
    const size_t begin = field->len, value_begin = value ? value->len : 0;
    for (unsigned i = 0; i < TRIES; i++) {
        hash_random(h, random, context, field, value);
        const struct span name = span_of(field->p + begin, field->len - begin);
        if (!hash_is_dead(h, name, now_ms)) return;
        field->len = begin;
        if (value) value->len = value_begin;
    }
    const uint64_t living = hash_live(h, now_ms);
    assert(living > 0);
    struct choice c = {(uint64_t)((unsigned __int128)random(context) * living >> 64), field, value};
    hash_each_live(h, now_ms, choose, &c);
}

/* --- Taking out the dead ---------------------------------------------------------------------------------------- */

struct search {
    struct hash_times *times;
    struct hash_reaped *reaped;
    int64_t now_ms;
};

/* Is the field to be taken out? If not, its time is remembered. */
static bool is_found(const struct search *s, int64_t expiry)
{
    s->reaped->looked_at++;
    if (is_over(expiry, s->now_ms) && s->reaped->count < HASH_REAP_MAX) return true;
    s->times->seen_ms = earlier(s->times->seen_ms, expiry);
    return false;
}

static void search_item(void *context, void *item, bool marked)
{
    const struct search *s = context;
    (void)marked;
    if (is_found(s, pair_expiry(item))) s->reaped->items[s->reaped->count++] = item;
}

static void search_table(struct hash *h, uint64_t looks, uint64_t buckets, struct search *s)
{
    enum { BUCKET_USUAL = 24 }; /* marked pairs that one bucket hardly exceeds; more of them wait for the next pass */
    struct hash_times *t = times_of(h);
    struct hash_reaped *r = s->reaped;
    struct htable *table = table_of(h);
    if (t->sweep == 0) t->seen_ms = INT64_MAX;
    do {
        t->sweep = htable_scan(table, t->sweep, true, search_item, s);
        r->passed++;
    } while (t->sweep && r->count + BUCKET_USUAL <= HASH_REAP_MAX && r->looked_at < looks && r->passed < buckets);
    for (size_t i = 0; i < r->count; i++) {
        const struct span name = r->names[i] = pair_of(r->items[i]).field;
        (void)htable_remove(table, htable_hash(table, name), name);
    }
}

static void search_pack(struct hash *h, struct search *s)
{
    struct hash_reaped *r = s->reaped;
    const lp_t *lp = pack_of(h);
    lp_t *rest = lp_new();
    s->times->seen_ms = INT64_MAX;
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) {
        char value_text[NUM_I64_MAX_TEXT];
        const struct span field = lp_get(at, r->texts[r->count]);
        at = lp_next(lp, at);
        const struct span value = lp_get(at, value_text);
        at = lp_next(lp, at);
        const int64_t expiry = pack_expiry(at);
        if (expiry != FIELD_STAYS && is_found(s, expiry)) r->names[r->count++] = field;
        else rest = pack_append(rest, field, value, expiry);
    }
    r->old = pack_of(h);
    put_pack(h, rest);
}

void hash_reap(struct hash *h, int64_t now_ms, uint64_t looks, uint64_t buckets, struct hash_reaped *r)
{
    r->count = 0;
    r->looked_at = r->passed = 0;
    r->old = NULL;
    if (!hash_may_have_dead(h, now_ms)) return;
    struct hash_times *t = times_of(h);
    struct search s = {t, r, now_ms};
    if (in_table(h)) search_table(h, looks, buckets, &s);
    else search_pack(h, &s);
    if (t->sweep == 0) t->next_ms = t->seen_ms;
    for (size_t i = 0; i < r->count; i++) forget_time(t);
}

void hash_reaped_free(struct hash_reaped *r)
{
    if (r->old) {
        lp_free(r->old);
        return;
    }
    for (size_t i = 0; i < r->count; i++) mem_free(r->items[i]);
}

/* --- Checking --------------------------------------------------------------------------------------------------- */

void hash_times_check(const struct hash *h)
{
    const struct hash_times *t = times_of(h);
    const struct census c = census_of(h, FIELDS_ALL);
    assert(t->count == c.timed);
    assert(t->next_ms <= c.first_ms);
    assert(in_table(h) || t->sweep == 0);
}
