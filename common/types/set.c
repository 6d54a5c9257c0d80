/* The body of a set is one of three, and two low bits of the pointer to it say which. Only the empty set that was
 * never used has no body; it counts as an intset. */
#include "common/types/set.h"

#include <assert.h>

#include "common/intset.h"
#include "common/listpack.h"
#include "common/mem.h"
#include "common/types/member.h"

enum encoding { INTS, PACK, TABLE, ENCODING_MASK = 3 };

struct set {
    uintptr_t body; /* intset_t, lp_t or struct htable, and the encoding */
    const uint8_t *hash_key;
};

static inline enum encoding encoding_of(const struct set *s) { return (enum encoding)(s->body & ENCODING_MASK); }
static inline void *body_of(const struct set *s) { return (void *)(s->body & ~(uintptr_t)ENCODING_MASK); }
static inline struct htable *table_of(const struct set *s) { return body_of(s); }

static void set_body(struct set *s, void *body, enum encoding encoding)
{
    assert(((uintptr_t)body & ENCODING_MASK) == 0);
    s->body = (uintptr_t)body | encoding;
}

/* --- The table's members --------------------------------------------------------------------------------------- */

static const struct htable_kind members = {member_span, member_free};

static void table_put(struct htable *t, uint64_t hash, struct span member)
{
    htable_insert(t, hash, member_new(member));
}

static bool table_add(struct htable *t, struct span member)
{
    const uint64_t hash = htable_hash(t, member);
    if (htable_find(t, hash, member)) return false;
    table_put(t, hash, member);
    return true;
}

static void put_distinct(void *context, struct span member)
{
    table_put(context, htable_hash(context, member), member);
}

static struct htable *table_new(const uint8_t *hash_key, uint64_t expect)
{
    struct htable *t = MEM_NEW(struct htable);
    htable_init(t, &members, hash_key);
    htable_expect(t, expect);
    return t;
}

static void table_free(struct htable *t)
{
    htable_free(t);
    mem_free(t);
}

/* --- The whole set --------------------------------------------------------------------------------------------- */

struct set *set_new(const uint8_t *hash_key)
{
    struct set *s = MEM_NEW(struct set);
    s->hash_key = hash_key;
    return s;
}

static void free_body(struct set *s)
{
    if (encoding_of(s) == TABLE) table_free(table_of(s));
    else mem_free(body_of(s));
    s->body = 0;
}

void set_free(struct set *s)
{
    if (!s) return;
    free_body(s);
    mem_free(s);
}

struct set *set_dup(const struct set *s)
{
    struct set *copy = set_new(s->hash_key);
    switch (encoding_of(s)) {
    case INTS:
        if (s->body) set_body(copy, intset_dup(body_of(s)), INTS);
        break;
    case PACK: set_body(copy, lp_dup(body_of(s)), PACK); break;
    default: {
        struct htable *t = table_new(s->hash_key, set_size(s));
        set_each(s, put_distinct, t);
        set_body(copy, t, TABLE);
    }
    }
    return copy;
}

uint64_t set_size(const struct set *s)
{
    switch (encoding_of(s)) {
    case INTS: return s->body ? intset_count(body_of(s)) : 0;
    case PACK: return lp_count(body_of(s));
    default: return table_of(s)->count;
    }
}

bool set_has(const struct set *s, struct span member)
{
    int64_t v;
    switch (encoding_of(s)) {
    case INTS: return s->body && num_parse_i64(member, &v) && intset_has(body_of(s), v);
    case PACK: return lp_find(body_of(s), lp_first(body_of(s)), member, 0) != NULL;
    default: return htable_find(table_of(s), htable_hash(table_of(s), member), member) != NULL;
    }
}

/* --- Conversions: only ever to a larger encoding --------------------------------------------------------------- */

static void to_table(struct set *s)
{
    struct htable *t = table_new(s->hash_key, set_size(s) + 1);
    set_each(s, put_distinct, t);
    free_body(s);
    set_body(s, t, TABLE);
}

static void append_member(void *context, struct span member)
{
    lp_t **lp = context;
    *lp = lp_append(*lp, member);
}

static void to_pack(struct set *s)
{
    lp_t *lp = lp_new();
    set_each(s, append_member, &lp);
    free_body(s);
    set_body(s, lp, PACK);
}

/* Does an intset become a listpack by adding @member, which is no integer? */
static bool ints_fit_pack(const struct set *s, struct span member, const struct encoding_limits *limits)
{
    const size_t n = s->body ? intset_count(body_of(s)) : 0;
    if (n >= limits->set_max_listpack_entries || member.n > limits->set_max_listpack_value) return false;
    if (n == 0) return true;
    char text[NUM_I64_MAX_TEXT];
    return num_format_i64(text, intset_at(body_of(s), 0)) <= limits->set_max_listpack_value &&
           num_format_i64(text, intset_at(body_of(s), n - 1)) <= limits->set_max_listpack_value;
}

static bool ints_add(struct set *s, struct span member, const struct encoding_limits *limits)
{
    int64_t v;
    if (num_parse_i64(member, &v)) {
        bool added;
        set_body(s, intset_add(s->body ? body_of(s) : intset_new(), v, &added), INTS);
        if (added && intset_count(body_of(s)) > limits->set_max_intset_entries) to_table(s);
        return added;
    }
    if (ints_fit_pack(s, member, limits)) to_pack(s);
    else to_table(s);
    return set_add(s, member, limits);
}

static bool pack_add(struct set *s, struct span member, const struct encoding_limits *limits)
{
    lp_t *lp = body_of(s);
    if (lp_find(lp, lp_first(lp), member, 0)) return false;
    if (lp_count(lp) < limits->set_max_listpack_entries && member.n <= limits->set_max_listpack_value &&
        lp_fits(lp, member)) {
        set_body(s, lp_append(lp, member), PACK);
        return true;
    }
    to_table(s);
    put_distinct(table_of(s), member);
    return true;
}

bool set_add(struct set *s, struct span member, const struct encoding_limits *limits)
{
    switch (encoding_of(s)) {
    case INTS: return ints_add(s, member, limits);
    case PACK: return pack_add(s, member, limits);
    default: return table_add(table_of(s), member);
    }
}

static bool ints_remove(struct set *s, struct span member)
{
    int64_t v;
    bool removed = false;
    if (s->body && num_parse_i64(member, &v)) set_body(s, intset_remove(body_of(s), v, &removed), INTS);
    return removed;
}

static bool pack_remove(struct set *s, struct span member)
{
    lp_t *lp = body_of(s);
    const lp_t *at = lp_find(lp, lp_first(lp), member, 0);
    if (!at) return false;
    set_body(s, lp_delete(lp, &at, 1), PACK);
    return true;
}

bool set_remove(struct set *s, struct span member)
{
    switch (encoding_of(s)) {
    case INTS: return ints_remove(s, member);
    case PACK: return pack_remove(s, member);
    default: {
        void *item = htable_remove(table_of(s), htable_hash(table_of(s), member), member);
        member_free(item);
        return item != NULL;
    }
    }
}

/* --- Walking --------------------------------------------------------------------------------------------------- */

struct walk {
    set_visit *visit;
    void *context;
};

static void visit_item(void *context, void *item, bool marked)
{
    (void)marked;
    const struct walk *w = context;
    w->visit(w->context, member_span(item));
}

static void visit_ints(const struct set *s, set_visit *visit, void *context)
{
    const size_t n = s->body ? intset_count(body_of(s)) : 0;
    for (size_t i = 0; i < n; i++) {
        char text[NUM_I64_MAX_TEXT];
        visit(context, span_of(text, num_format_i64(text, intset_at(body_of(s), i))));
    }
}

static void visit_pack(const lp_t *lp, set_visit *visit, void *context)
{
    char scratch[NUM_I64_MAX_TEXT];
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) visit(context, lp_get(at, scratch));
}

uint64_t set_scan(const struct set *s, uint64_t from, set_visit *visit, void *context)
{
    switch (encoding_of(s)) {
    case INTS: visit_ints(s, visit, context); return 0;
    case PACK: visit_pack(body_of(s), visit, context); return 0;
    default: return htable_scan(table_of(s), from, false, visit_item, &(struct walk){visit, context});
    }
}

void set_visit_chosen(const struct set *s, const struct htable_choice *c, set_visit *visit, void *context)
{
    htable_visit_chosen(table_of(s), c, visit_item, &(struct walk){visit, context});
}

struct htable *set_table(const struct set *s) { return encoding_of(s) == TABLE ? table_of(s) : NULL; }

void set_each(const struct set *s, set_visit *visit, void *context)
{
    uint64_t at = 0;
    do at = set_scan(s, at, visit, context);
    while (at);
}

void set_random(const struct set *s, uint64_t (*random)(void *context), void *context, struct buf *to)
{
    const uint64_t size = set_size(s);
    assert(size > 0);
    if (encoding_of(s) == TABLE) {
        buf_add_span(to, member_span(htable_random(table_of(s), random, context)));
        return;
    }
    const uint64_t index = (uint64_t)((unsigned __int128)random(context) * size >> 64);
    char scratch[NUM_I64_MAX_TEXT];
    if (encoding_of(s) == INTS) buf_add(to, scratch, num_format_i64(scratch, intset_at(body_of(s), index)));
    else buf_add_span(to, lp_get(lp_seek(body_of(s), (int64_t)index), scratch));
}

/* --- Looking in ------------------------------------------------------------------------------------------------ */

const char *set_encoding(const struct set *s)
{
    static const char *const names[] = {[INTS] = "intset", [PACK] = "listpack", [TABLE] = "hashtable"};
    return names[encoding_of(s)];
}

size_t set_bytes(const struct set *s, uint64_t samples)
{
    const size_t bytes = mem_size(s) + mem_size(body_of(s));
    return encoding_of(s) == TABLE ? bytes + member_table_bytes(table_of(s), samples) : bytes;
}

void set_check(const struct set *s)
{
    switch (encoding_of(s)) {
    case INTS: assert(!s->body || intset_valid(body_of(s), intset_bytes(body_of(s)))); break;
    case PACK: {
        const lp_t *lp = body_of(s);
        assert(lp_valid(lp, lp_bytes(lp)));
        for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) {
            char scratch[NUM_I64_MAX_TEXT];
            assert(!lp_find(lp, lp_next(lp, at), lp_get(at, scratch), 0));
        }
        break;
    }
    default: htable_check(table_of(s));
    }
}

struct span set_intset(const struct set *s)
{
    if (encoding_of(s) != INTS || !s->body) return span_of(NULL, 0);
    return span_of(body_of(s), intset_bytes(body_of(s)));
}

struct set *set_of_intset(void *intset, const uint8_t *hash_key, const struct encoding_limits *limits)
{
    struct set *s = set_new(hash_key);
    set_body(s, intset, INTS);
    if (intset_count(intset) > limits->set_max_intset_entries) to_table(s);
    return s;
}
