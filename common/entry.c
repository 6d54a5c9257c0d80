/* How an entry lies in memory. */
#include "common/entry.h"

#include <assert.h>

#include "common/graveyard.h"
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
    KEY_SHORT_MAX = UINT16_MAX,
    EMBSTR_MAX = 44, /* OBJECT ENCODING says "embstr" up to here */
};

/* A long string. The room behind it is what the allocator rounded up to. */
struct blob {
    size_t len; /* with HELD and LEFT */
    char bytes[];
};

/* A snapshot reads the bytes: they must not change or go (HELD). The entry has no use for them any more (LEFT). */
#define HELD       ((size_t)1 << 63)
#define LEFT       ((size_t)1 << 62)
#define BLOB_FLAGS (HELD | LEFT)

/* Parts of an entry. */

static enum form form_of(const struct entry *e) { return (enum form)(e->bits >> FORM_SHIFT & FORM_MASK); }
bool entry_has_expiry(const struct entry *e) { return e->bits & BIT_EXPIRY; }

static size_t long_key_at(const struct entry *e) { return entry_has_expiry(e) ? WORD : 0; }
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
    static const char *const names[TYPE_COUNT] = {"string", "list", "set", "zset", "hash", NULL, "stream"};
    return names[t];
}

enum type entry_type(const struct entry *e) { return (enum type)(e->bits >> TYPE_SHIFT & TYPE_MASK); }

struct span entry_key(const struct entry *e)
{
    const size_t n = e->bits & BIT_LONG_KEY ? (size_t)load_word(e, long_key_at(e)) : e->key_len;
    return span_of(e->tail + key_at(e), n);
}

int64_t entry_expiry(const struct entry *e) { return entry_has_expiry(e) ? (int64_t)load_word(e, 0) : NO_EXPIRY; }

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
    return span_of(blob->bytes, blob->len & ~BLOB_FLAGS);
}

size_t entry_bytes(const struct entry *e, uint64_t samples)
{
    const size_t own = mem_size(e);
    if (form_of(e) != FORM_POINTER) return own;
    if (entry_type(e) == TYPE_STRING) return own + mem_size(load_pointer(e));
    return own + object_bytes(entry_type(e), load_pointer(e), samples);
}

const char *entry_encoding(const struct entry *e)
{
    if (entry_type(e) != TYPE_STRING) return object_encoding(entry_type(e), load_pointer(e));
    if (form_of(e) == FORM_INT) return "int";
    return form_of(e) == FORM_EMBEDDED && e->value_len <= EMBSTR_MAX && !(e->bits & BIT_EDITED) ? "embstr" : "raw";
}

/* Making entries. */

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

struct entry_plan entry_plan_value(struct span key, const struct value *v, int64_t expiry)
{
    struct entry_plan p = {.type = v->type, .key = key, .expiry = expiry};
    int64_t number;
    if (v->type != TYPE_STRING) {
        p.form = FORM_POINTER;
        p.word = (uint64_t)(uintptr_t)v->object;
    } else if (may_be_int(v->string) && num_parse_i64(v->string, &number)) {
        p.form = FORM_INT;
        p.word = (uint64_t)number;
    } else if (v->string.n <= ENTRY_EMBED_MAX) {
        p.form = FORM_EMBEDDED;
        p.string = v->string;
    } else {
        p.form = FORM_POINTER;
        p.word = (uint64_t)(uintptr_t)blob_new(v->string);
    }
    return p;
}

struct entry_plan entry_plan_of(const struct entry *e)
{
    struct entry_plan p = {.type = entry_type(e),
                           .form = form_of(e),
                           .key = entry_key(e),
                           .expiry = entry_expiry(e),
                           .keep = e->bits & (ENTRY_CLOCK_MASK | BIT_EDITED)};
    if (p.form == FORM_EMBEDDED) p.string = entry_string(e, NULL);
    else p.word = load_word(e, word_at(e));
    return p;
}

static size_t plan_size(const struct entry_plan *p)
{
    const unsigned words = (unsigned)(p->expiry != NO_EXPIRY) + (unsigned)(p->key.n > KEY_SHORT_MAX) +
                           (unsigned)(p->form != FORM_EMBEDDED);
    return sizeof(struct entry) + words * WORD + p->key.n + p->string.n;
}

/* Allocators hand out multiples of 16: what rounds to the same size fits in the same place. */
static size_t round_up(size_t n) { return (n + 15) & ~(size_t)15; }

struct entry *entry_build(const struct entry_plan *p)
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

bool entry_overwrite(struct entry *e, const struct entry_plan *p)
{
    if (form_of(e) != p->form || p->form == FORM_POINTER || entry_has_expiry(e) != (p->expiry != NO_EXPIRY))
        return false;
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
    if (entry_has_expiry(e)) store_word(e, 0, (uint64_t)p->expiry);
    return true;
}

/* The entry has no use for it any more. */
static void blob_release(struct blob *b, struct graveyard *g)
{
    if (b->len & HELD) b->len |= LEFT;
    else if (g && graveyard_wants_string(g, b->len)) graveyard_add_object(g, TYPE_STRING, b);
    else mem_free(b);
}

struct blob *entry_hold_string(const struct entry *e, struct span *bytes)
{
    if (entry_type(e) != TYPE_STRING || form_of(e) != FORM_POINTER) return NULL;
    struct blob *b = load_pointer(e);
    assert(!(b->len & HELD));
    *bytes = span_of(b->bytes, b->len);
    b->len |= HELD;
    return b;
}

void entry_let_go(struct blob *b)
{
    assert(b->len & HELD);
    if (b->len & LEFT) mem_free(b);
    else b->len &= ~HELD;
}

void entry_release_value(struct entry *e, struct graveyard *g)
{
    if (form_of(e) != FORM_POINTER) return;
    const enum type type = entry_type(e);
    void *object = load_pointer(e);
    if (type == TYPE_STRING) blob_release(object, g);
    else if (object_leave(type, object)) return;
    else if (g && graveyard_wants(g, type, object)) graveyard_add_object(g, type, object);
    else object_free(type, object);
}

void value_free(struct value *v)
{
    if (v->type != TYPE_STRING) object_free(v->type, v->object);
    v->object = NULL;
}

void entry_store_expiry(struct entry *e, int64_t expiry)
{
    assert(entry_has_expiry(e) && expiry != NO_EXPIRY);
    store_word(e, 0, (uint64_t)expiry);
}

/* Strings that are edited in place. */

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

/* Plan @e with its string, of any form, in a blob of @n bytes; true if it was in one and is now. */
static bool stretch_blob(struct entry *e, size_t n, struct entry_plan *p)
{
    if (form_of(e) == FORM_POINTER) {
        struct blob *b = load_pointer(e);
        if (b->len & HELD) {
            struct blob *copy = blob_new(span_of(b->bytes, b->len & ~BLOB_FLAGS));
            blob_release(b, NULL);
            b = copy;
        }
        store_pointer(e, blob_resize(b, n));
        return true;
    }
    char scratch[NUM_I64_MAX_TEXT];
    struct blob *blob = blob_resize(blob_new(entry_string(e, scratch)), n);
    *p = entry_plan_of(e);
    p->form = FORM_POINTER;
    p->string = span_of(NULL, 0);
    p->word = (uint64_t)(uintptr_t)blob;
    p->keep |= BIT_EDITED;
    return false;
}

bool entry_stretch(struct entry *e, size_t n, struct entry_plan *p, char *room)
{
    assert(entry_type(e) == TYPE_STRING && n > 0);
    if (form_of(e) == FORM_POINTER || n > ENTRY_EMBED_MAX) return stretch_blob(e, n, p);
    char scratch[NUM_I64_MAX_TEXT];
    const struct span old = entry_string(e, scratch);
    *p = entry_plan_of(e);
    memset(room, 0, n);
    memcpy(room, old.p, old.n < n ? old.n : n);
    p->form = FORM_EMBEDDED;
    p->string = span_of(room, n);
    p->word = 0;
    p->keep |= BIT_EDITED;
    if (!entry_overwrite(e, p)) return false;
    e->bits |= BIT_EDITED;
    return true;
}

char *entry_string_bytes(struct entry *e)
{
    if (form_of(e) == FORM_POINTER) return ((struct blob *)load_pointer(e))->bytes;
    assert(entry_type(e) == TYPE_STRING && form_of(e) == FORM_EMBEDDED);
    return e->tail + key_at(e) + entry_key(e).n;
}

void entry_check(const struct entry *e)
{
    assert(entry_type(e) < TYPE_COUNT);
    assert(entry_type(e) == TYPE_STRING || form_of(e) == FORM_POINTER);
    if (entry_type(e) != TYPE_STRING) {
        object_check(entry_type(e), load_pointer(e));
        assert(entry_type(e) == TYPE_STREAM || object_size(entry_type(e), load_pointer(e)) > 0);
    }
    assert(mem_size(e) >= sizeof *e + key_at(e) + entry_key(e).n + e->value_len);
}
