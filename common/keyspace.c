#include "common/keyspace.h"

#include <assert.h>

#include "common/mem.h"

/* An entry in memory; each part in brackets is 8 bytes, and there if the header says so:
 *
 *     | header 8 | [expiry] | [length of a long key] | [integer or pointer] | key | embedded string |
 *
 * A key of 16 bytes with a string of 32 takes 56 bytes, 64 with an expiry time; with an integer 32. */
struct entry {
    uint32_t bits;
    uint16_t key_len;   /* 0 with BIT_LONG_KEY */
    uint16_t value_len; /* of an embedded string */
    char tail[];
};

enum {
    TYPE_SHIFT = ENTRY_CLOCK_BITS,
    TYPE_MASK = 7,
    FORM_SHIFT = 27,
    FORM_MASK = 3,
    BIT_EXPIRY = 1 << 29,
    BIT_LONG_KEY = 1 << 30,
};
#define BIT_EDITED (1u << 31) /* the string was changed in place: Redis calls it "raw" whatever its length */

enum form { FORM_EMBEDDED, FORM_INT, FORM_POINTER };

enum {
    WORD = 8,
    EMBED_MAX = 448, /* a longer string has an allocation of its own */
    KEY_SHORT_MAX = UINT16_MAX,
    EMBSTR_MAX = 44, /* OBJECT ENCODING says "embstr" up to here */
};

/* A long string. The room behind it is what the allocator rounded up to. */
struct blob {
    size_t len;
    char bytes[];
};

struct db {
    struct htable table;
    uint64_t expires;
    unsigned id;
};

/* Parts of an entry. */

static enum form form_of(const struct entry *e) { return (enum form)(e->bits >> FORM_SHIFT & FORM_MASK); }
static bool has_expiry(const struct entry *e) { return e->bits & BIT_EXPIRY; }

static size_t long_key_at(const struct entry *e) { return has_expiry(e) ? WORD : 0; }
static size_t word_at(const struct entry *e) { return long_key_at(e) + (e->bits & BIT_LONG_KEY ? WORD : 0); }
static size_t key_at(const struct entry *e) { return word_at(e) + (form_of(e) == FORM_EMBEDDED ? 0 : WORD); }

static uint64_t load_word(const struct entry *e, size_t at)
{
    uint64_t v;
    memcpy(&v, e->tail + at, sizeof v);
    return v;
}
static void store_word(struct entry *e, size_t at, uint64_t v) { memcpy(e->tail + at, &v, sizeof v); }

static void *load_pointer(const struct entry *e)
{
    void *p;
    memcpy(&p, e->tail + word_at(e), sizeof p);
    return p;
}
static void store_pointer(struct entry *e, void *p) { memcpy(e->tail + word_at(e), &p, sizeof p); }

const char *type_name(enum type t)
{
    static const char *const names[TYPE_COUNT] = {"string", "list", "set", "zset", "hash"};
    return names[t];
}

enum type entry_type(const struct entry *e) { return (enum type)(e->bits >> TYPE_SHIFT & TYPE_MASK); }

struct span entry_key(const struct entry *e)
{
    const size_t n = e->bits & BIT_LONG_KEY ? (size_t)load_word(e, long_key_at(e)) : e->key_len;
    return span_of(e->tail + key_at(e), n);
}

int64_t entry_expiry(const struct entry *e) { return has_expiry(e) ? (int64_t)load_word(e, 0) : NO_EXPIRY; }

uint32_t entry_clock(const struct entry *e) { return e->bits & ENTRY_CLOCK_MASK; }

void entry_set_clock(struct entry *e, uint32_t clock)
{
    const uint32_t bits = (e->bits & ~(uint32_t)ENTRY_CLOCK_MASK) | (clock & ENTRY_CLOCK_MASK);
    if (bits != e->bits) e->bits = bits; /* spare the cache line where nothing changes */
}

void *entry_object(const struct entry *e)
{
    assert(entry_type(e) != TYPE_STRING);
    return load_pointer(e);
}

bool entry_int(const struct entry *e, int64_t *v)
{
    if (form_of(e) != FORM_INT) return false;
    *v = (int64_t)load_word(e, word_at(e));
    return true;
}

void entry_set_int(struct entry *e, int64_t v)
{
    assert(form_of(e) == FORM_INT);
    store_word(e, word_at(e), (uint64_t)v);
}

struct span entry_string(const struct entry *e, char *scratch)
{
    assert(entry_type(e) == TYPE_STRING);
    const enum form form = form_of(e);
    if (form == FORM_EMBEDDED) {
        const struct span key = entry_key(e);
        return span_of(key.p + key.n, e->value_len);
    }
    if (form == FORM_INT) return span_of(scratch, num_format_i64(scratch, (int64_t)load_word(e, word_at(e))));
    const struct blob *blob = load_pointer(e);
    return span_of(blob->bytes, blob->len);
}

size_t entry_bytes(const struct entry *e)
{
    const size_t own = mem_size(e);
    if (form_of(e) != FORM_POINTER) return own;
    return own +
           (entry_type(e) == TYPE_STRING ? mem_size(load_pointer(e)) : object_bytes(entry_type(e), load_pointer(e)));
}

const char *entry_encoding(const struct entry *e)
{
    if (entry_type(e) != TYPE_STRING) return object_encoding(entry_type(e), load_pointer(e));
    if (form_of(e) == FORM_INT) return "int";
    return form_of(e) == FORM_EMBEDDED && e->value_len <= EMBSTR_MAX && !(e->bits & BIT_EDITED) ? "embstr" : "raw";
}

/* Making entries. */

/* What an entry is to hold, decided before its size is known. */
struct plan {
    enum type type;
    enum form form;
    struct span key, string;
    uint64_t word; /* integer, or pointer */
    int64_t expiry;
    uint32_t keep; /* clock and BIT_EDITED that go over from an older entry */
};

static bool may_be_int(struct span s)
{
    return s.n && s.n <= NUM_I64_MAX_TEXT && ((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-');
}

static struct blob *blob_new(struct span s)
{
    struct blob *b = mem_alloc(sizeof *b + s.n);
    b->len = s.n;
    memcpy(b->bytes, s.p, s.n);
    return b;
}

static struct plan plan_value(struct span key, const struct value *v, int64_t expiry)
{
    struct plan p = {.type = v->type, .key = key, .expiry = expiry};
    int64_t number;
    if (v->type != TYPE_STRING) {
        p.form = FORM_POINTER;
        p.word = (uint64_t)(uintptr_t)v->object;
    } else if (may_be_int(v->string) && num_parse_i64(v->string, &number)) {
        p.form = FORM_INT;
        p.word = (uint64_t)number;
    } else if (v->string.n <= EMBED_MAX) {
        p.form = FORM_EMBEDDED;
        p.string = v->string;
    } else {
        p.form = FORM_POINTER;
        p.word = (uint64_t)(uintptr_t)blob_new(v->string);
    }
    return p;
}

/* The plan of an entry as it is, to be built again with something changed. */
static struct plan plan_of(const struct entry *e)
{
    struct plan p = {.type = entry_type(e),
                     .form = form_of(e),
                     .key = entry_key(e),
                     .expiry = entry_expiry(e),
                     .keep = e->bits & (ENTRY_CLOCK_MASK | BIT_EDITED)};
    if (p.form == FORM_EMBEDDED) p.string = entry_string(e, NULL);
    else p.word = load_word(e, word_at(e));
    return p;
}

static size_t plan_size(const struct plan *p)
{
    const unsigned words = (unsigned)(p->expiry != NO_EXPIRY) + (unsigned)(p->key.n > KEY_SHORT_MAX) +
                           (unsigned)(p->form != FORM_EMBEDDED);
    return sizeof(struct entry) + words * WORD + p->key.n + p->string.n;
}

/* Allocators hand out multiples of 16: what rounds to the same size fits in the same place. */
static size_t round_up(size_t n) { return (n + 15) & ~(size_t)15; }

static struct entry *build(const struct plan *p)
{
    struct entry *e = mem_alloc(round_up(plan_size(p)));
    const bool long_key = p->key.n > KEY_SHORT_MAX;
    e->bits = p->keep | (uint32_t)p->type << TYPE_SHIFT | (uint32_t)p->form << FORM_SHIFT |
              (p->expiry != NO_EXPIRY ? BIT_EXPIRY : 0) | (long_key ? BIT_LONG_KEY : 0);
    e->key_len = long_key ? 0 : (uint16_t)p->key.n;
    e->value_len = (uint16_t)p->string.n;
    if (p->expiry != NO_EXPIRY) store_word(e, 0, (uint64_t)p->expiry);
    if (long_key) store_word(e, long_key_at(e), p->key.n);
    if (p->form != FORM_EMBEDDED) store_word(e, word_at(e), p->word);
    char *key = e->tail + key_at(e);
    if (p->key.n) memcpy(key, p->key.p, p->key.n);
    if (p->string.n) memcpy(key + p->key.n, p->string.p, p->string.n);
    return e;
}

/* Overwrite the value where it stands, if the new one fits there: the usual case of a SET on an existing key. */
static bool overwrite(struct entry *e, const struct plan *p)
{
    if (form_of(e) != p->form || p->form == FORM_POINTER || has_expiry(e) != (p->expiry != NO_EXPIRY)) return false;
    if (p->form == FORM_EMBEDDED) {
        const struct span key = entry_key(e);
        const size_t fixed = (size_t)(key.p + key.n - (const char *)e);
        if (round_up(fixed + e->value_len) != round_up(fixed + p->string.n)) return false;
        if (p->string.n) memmove((char *)e + fixed, p->string.p, p->string.n);
        e->value_len = (uint16_t)p->string.n;
        e->bits &= ~BIT_EDITED;
    } else {
        store_word(e, word_at(e), p->word);
    }
    if (has_expiry(e)) store_word(e, 0, (uint64_t)p->expiry);
    return true;
}

/* Free what hangs on the entry. */
static void release_value(struct entry *e)
{
    if (form_of(e) != FORM_POINTER) return;
    if (entry_type(e) == TYPE_STRING) mem_free(load_pointer(e));
    else object_free(entry_type(e), load_pointer(e));
}

static void entry_free(void *item)
{
    release_value(item);
    mem_free(item);
}

void value_free(struct value *v)
{
    if (v->type != TYPE_STRING) object_free(v->type, v->object);
    v->object = NULL;
}

/* Databases. */

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
    htable_free(&d->table);
    mem_free(d);
}

void db_clear(struct db *d)
{
    htable_clear(&d->table);
    d->expires = 0;
}

unsigned db_id(const struct db *d) { return d->id; }
uint64_t db_size(const struct db *d) { return d->table.count; }
uint64_t db_expires(const struct db *d) { return d->expires; }
const struct htable *db_table(const struct db *d) { return &d->table; }
void db_expect(struct db *d, uint64_t keys) { htable_expect(&d->table, keys); }
bool db_resize_step(struct db *d, unsigned steps) { return htable_resize_step(&d->table, steps); }
uint64_t db_hash(const struct db *d, struct span key) { return htable_hash(&d->table, key); }

struct entry *db_find(const struct db *d, struct span key) { return db_find_at(d, db_hash(d, key), key); }

struct entry *db_find_at(const struct db *d, uint64_t hash, struct span key)
{
    return htable_find(&d->table, hash, key);
}

static struct htable_slot *must_find_slot(struct db *d, uint64_t hash, struct span key)
{
    struct htable_slot *slot = htable_find_slot(&d->table, hash, key);
    assert(slot);
    return slot;
}

/* Put @e into the slot of an older one, whose value is no longer needed or was taken over. */
static void replace(struct db *d, struct htable_slot *slot, struct entry *e)
{
    struct entry *old = htable_slot_item(slot);
    const bool had = has_expiry(old), has = has_expiry(e);
    htable_slot_set(slot, e);
    if (had != has) {
        htable_slot_mark(slot, has);
        d->expires += has ? 1 : UINT64_MAX;
    }
    mem_free(old);
}

static void insert(struct db *d, uint64_t hash, struct entry *e)
{
    htable_insert_marked(&d->table, hash, e, has_expiry(e));
    d->expires += has_expiry(e);
}

struct entry *db_put(struct db *d, struct span key, const struct value *v, int64_t expiry)
{
    return db_put_at(d, db_hash(d, key), key, v, expiry);
}

struct entry *db_put_at(struct db *d, uint64_t hash, struct span key, const struct value *v, int64_t expiry)
{
    struct plan plan = plan_value(key, v, expiry);
    struct htable_slot *slot = htable_find_slot(&d->table, hash, key);
    if (!slot) {
        struct entry *e = build(&plan);
        insert(d, hash, e);
        return e;
    }
    struct entry *old = htable_slot_item(slot);
    if (overwrite(old, &plan)) return old;
    plan.keep = old->bits & ENTRY_CLOCK_MASK;
    struct entry *e = build(&plan);
    release_value(old);
    replace(d, slot, e);
    return e;
}

/* Build @e anew by @plan, which took over its value, and free the old one. */
static struct entry *rebuild(struct db *d, struct entry *e, const struct plan *plan)
{
    const struct span key = entry_key(e);
    struct htable_slot *slot = must_find_slot(d, db_hash(d, key), key);
    struct entry *fresh = build(plan);
    replace(d, slot, fresh);
    return fresh;
}

struct entry *db_set_expiry(struct db *d, struct entry *e, int64_t expiry)
{
    if (has_expiry(e) && expiry != NO_EXPIRY) {
        store_word(e, 0, (uint64_t)expiry);
        return e;
    }
    if (!has_expiry(e) && expiry == NO_EXPIRY) return e;
    struct plan plan = plan_of(e);
    plan.expiry = expiry;
    return rebuild(d, e, &plan);
}

/* The blob with room for @n bytes: doubled while it is small, so that appending costs O(1) a byte. */
static struct blob *blob_resize(struct blob *b, size_t n)
{
    enum { DOUBLE_UP_TO = 1 << 20 };
    if (mem_size(b) < sizeof *b + n) {
        const size_t spare = n < DOUBLE_UP_TO ? n : DOUBLE_UP_TO;
        b = mem_realloc(b, sizeof *b + n + spare);
    }
    if (n > b->len) memset(b->bytes + b->len, 0, n - b->len);
    b->len = n;
    return b;
}

/* Turn a string of any form into a blob of @n bytes. */
static struct entry *edit_as_blob(struct db *d, struct entry *e, size_t n, char **bytes)
{
    struct blob *blob;
    if (form_of(e) == FORM_POINTER) {
        blob = blob_resize(load_pointer(e), n);
        store_pointer(e, blob);
    } else {
        char scratch[NUM_I64_MAX_TEXT];
        blob = blob_resize(blob_new(entry_string(e, scratch)), n);
        struct plan plan = plan_of(e);
        plan.form = FORM_POINTER;
        plan.string = span_of(NULL, 0);
        plan.word = (uint64_t)(uintptr_t)blob;
        plan.keep |= BIT_EDITED;
        e = rebuild(d, e, &plan);
    }
    *bytes = blob->bytes;
    return e;
}

struct entry *db_edit_string(struct db *d, struct entry *e, size_t n, char **bytes)
{
    assert(entry_type(e) == TYPE_STRING && n > 0);
    if (form_of(e) == FORM_POINTER || n > EMBED_MAX) return edit_as_blob(d, e, n, bytes);
    char scratch[NUM_I64_MAX_TEXT], content[EMBED_MAX];
    const struct span old = entry_string(e, scratch);
    struct plan plan = plan_of(e);
    memset(content, 0, n);
    memcpy(content, old.p, old.n < n ? old.n : n);
    plan.form = FORM_EMBEDDED;
    plan.string = span_of(content, n);
    plan.word = 0;
    plan.keep |= BIT_EDITED;
    if (overwrite(e, &plan)) e->bits |= BIT_EDITED;
    else e = rebuild(d, e, &plan);
    const struct span now = entry_string(e, NULL);
    *bytes = e->tail + (now.p - e->tail);
    return e;
}

bool db_remove(struct db *d, struct span key) { return db_remove_at(d, db_hash(d, key), key); }

bool db_remove_at(struct db *d, uint64_t hash, struct span key)
{
    struct entry *e = htable_remove(&d->table, hash, key);
    if (!e) return false;
    if (has_expiry(e)) d->expires--;
    entry_free(e);
    return true;
}

struct entry *db_move(struct db *d, struct span key, struct db *to, struct span to_key)
{
    assert(d != to || !span_eq(key, to_key));
    struct entry *e = htable_remove(&d->table, db_hash(d, key), key);
    assert(e);
    if (has_expiry(e)) d->expires--;
    struct plan plan = plan_of(e);
    plan.key = to_key;
    struct entry *fresh = build(&plan);
    mem_free(e);
    const uint64_t hash = db_hash(to, to_key);
    db_remove_at(to, hash, to_key);
    insert(to, hash, fresh);
    return fresh;
}

bool db_take(struct db *d, struct span key, struct value *v, int64_t *expiry, struct buf *string)
{
    struct entry *e = htable_remove(&d->table, db_hash(d, key), key);
    if (!e) return false;
    *v = (struct value){.type = entry_type(e)};
    *expiry = entry_expiry(e);
    if (has_expiry(e)) d->expires--;
    if (v->type == TYPE_STRING) {
        char scratch[NUM_I64_MAX_TEXT];
        buf_reset(string, SIZE_MAX);
        buf_add_span(string, entry_string(e, scratch));
        v->string = buf_span(string);
        release_value(e);
    } else {
        v->object = load_pointer(e);
    }
    mem_free(e);
    return true;
}

void db_swap(struct db *a, struct db *b)
{
    const struct db old = *a;
    a->table = b->table;
    a->expires = b->expires;
    b->table = old.table;
    b->expires = old.expires;
}

struct tally {
    uint64_t items, marked;
};

static void check_item(void *context, void *item, bool marked)
{
    struct tally *tally = context;
    const struct entry *e = item;
    tally->items++;
    tally->marked += marked;
    assert(marked == has_expiry(e));
    assert(entry_type(e) < TYPE_COUNT);
    assert((entry_type(e) == TYPE_STRING) || form_of(e) == FORM_POINTER);
    assert(mem_size(e) >= sizeof *e + key_at(e) + entry_key(e).n + e->value_len);
}

void db_check(const struct db *d)
{
    struct tally tally = {0, 0};
    uint64_t at = 0;
    do at = htable_scan(&d->table, at, false, check_item, &tally);
    while (at);
    assert(tally.items == d->table.count);
    assert(tally.marked == d->expires);
    htable_check(&d->table);
}
