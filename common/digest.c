/* Digests of data sets, so that two of them, or one of ours and one of Redis's, compare by 20 bytes.
 *
 * Redis's DEBUG DIGEST, found by its output: two ways to take bytes in, from SHA-1. "Unordered" xors the hash of the
 * bytes into the state; "ordered" does the same and then replaces the state by its own hash. Databases and the
 * elements of lists go in ordered; keys, members of sets, (member, score) and (field, value) pairs unordered. */
#include <arpa/inet.h>
#include <sha1.h>
#include <stdio.h>

#include "common/engine_impl.h"
#include "common/types/hash_expiry.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/stream.h"
#include "common/types/zset.h"

_Static_assert((int)ENGINE_DIGEST_BYTES == (int)SHA1_DIGEST_LENGTH, "a digest is one SHA-1 hash");

struct digest {
    uint8_t bytes[SHA1_DIGEST_LENGTH];
};

static void hash_bytes_of(struct digest *to, const void *p, size_t n)
{
    SHA1_CTX ctx;
    SHA1Init(&ctx);
    SHA1Update(&ctx, p, n);
    SHA1Final(to->bytes, &ctx);
}

static void add_unordered(struct digest *d, const void *p, size_t n)
{
    struct digest hash;
    hash_bytes_of(&hash, p, n);
    for (size_t i = 0; i < sizeof d->bytes; i++) d->bytes[i] ^= hash.bytes[i];
}

static void add_ordered(struct digest *d, const void *p, size_t n)
{
    add_unordered(d, p, n);
    const struct digest state = *d;
    hash_bytes_of(d, state.bytes, sizeof state.bytes);
}

static void add_number(struct digest *d, uint32_t v)
{
    const uint32_t big_endian = htonl(v);
    add_ordered(d, &big_endian, sizeof big_endian);
}

static void add_u64(struct digest *d, uint64_t v)
{
    add_number(d, (uint32_t)(v >> 32));
    add_number(d, (uint32_t)v);
}

static void add_list(struct digest *d, const struct list *list)
{
    struct list_iter i;
    struct span element;
    char scratch[NUM_I64_MAX_TEXT];
    list_iter_begin(&i, list, 0, false);
    while (list_iter_next(&i, &element, scratch)) add_ordered(d, element.p, element.n);
}

static void add_member(void *context, struct span member) { add_unordered(context, member.p, member.n); }

/* The digest of two byte strings, as one element. */
static void add_pair(struct digest *d, struct span a, struct span b)
{
    struct digest pair = {{0}};
    add_ordered(&pair, a.p, a.n);
    add_ordered(&pair, b.p, b.n);
    add_unordered(d, pair.bytes, sizeof pair.bytes);
}

/* Redis says that a field expires, not when; @full: that as well. */
struct field_walk {
    struct digest *to;
    bool full;
};

static void add_field(void *context, struct span field, struct span value, int64_t expiry)
{
    static const char mark[] = "!!hexpire!!";
    const struct field_walk *walk = context;
    struct digest one = {{0}};
    add_ordered(&one, field.p, field.n);
    add_ordered(&one, value.p, value.n);
    if (expiry != FIELD_STAYS) add_unordered(&one, mark, sizeof mark - 1);
    if (expiry != FIELD_STAYS && walk->full) add_u64(&one, (uint64_t)expiry);
    add_unordered(walk->to, one.bytes, sizeof one.bytes);
}

/* @full: a zero has no sign. As in Redis it depends on the encoding whether -0 keeps it, and a snapshot that is loaded
 * may choose another encoding. */
static void add_zset(struct digest *d, const struct zset *zset, bool full)
{
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT], text[64];
    zset_iter_begin(&i, zset, 0, false);
    while (zset_iter_next(&i, &member, &score, scratch)) {
        const int n = snprintf(text, sizeof text, "%.17g", full && score == 0 ? 0.0 : score);
        add_pair(d, member, span_of(text, (size_t)n));
    }
}

static void add_id(struct digest *d, struct stream_id id)
{
    add_u64(d, id.ms);
    add_u64(d, id.seq);
}

/* When a consumer was last heard of is left out: reading says so, and is not logged. */
static void add_group(struct digest *d, const struct stream_group *g)
{
    add_ordered(d, g->name.p, g->name.n);
    add_id(d, g->last);
    add_u64(d, (uint64_t)g->read);
    for (size_t i = 0; i < g->consumer_count; i++) {
        const struct stream_consumer *c = g->consumers[i];
        add_ordered(d, c->name.p, c->name.n);
        const struct stream_pending *p;
        for (struct stream_id id = STREAM_ID_ZERO; (p = stream_pending_from(&c->pending, &id));) {
            add_id(d, id);
            add_u64(d, (uint64_t)p->delivered_ms);
            add_u64(d, p->deliveries);
            if (!stream_id_increment(&id)) break;
        }
    }
}

/* Redis takes in the entries only; @full: groups and what the stream remembers as well. */
static void add_stream(struct digest *d, const struct stream *s, bool full)
{
    struct stream_iter i;
    struct stream_id id;
    struct span field, value;
    uint64_t fields;
    char scratch[NUM_I64_MAX_TEXT], scratch2[NUM_I64_MAX_TEXT], name[2 * NUM_I64_MAX_TEXT + 2];
    stream_iter_begin(&i, s, STREAM_ID_ZERO, STREAM_ID_MAX, false);
    while (stream_iter_next(&i, &id, &fields)) {
        const int n = snprintf(name, sizeof name, "%llu.%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
        add_ordered(d, name, (size_t)n);
        while (stream_iter_field(&i, &field, &value, scratch, scratch2)) {
            add_ordered(d, field.p, field.n);
            add_ordered(d, value.p, value.n);
        }
    }
    if (!full) return;
    const struct stream_marks *m = stream_marks(s);
    const struct stream_groups *groups = stream_groups_of(s);
    add_id(d, m->last);
    add_id(d, m->max_deleted);
    add_u64(d, m->added);
    for (size_t g = 0; g < groups->count; g++) add_group(d, groups->list[g]);
}

static void add_value(struct digest *d, const struct entry *e, bool full)
{
    char scratch[NUM_I64_MAX_TEXT];
    struct span s;
    add_number(d, (uint32_t)entry_type(e));
    switch (entry_type(e)) {
    case TYPE_STRING:
        s = entry_string(e, scratch);
        add_ordered(d, s.p, s.n);
        break;
    case TYPE_LIST: add_list(d, entry_object(e)); break;
    case TYPE_SET: set_each(entry_object(e), add_member, d); break;
    case TYPE_ZSET: add_zset(d, entry_object(e), full); break;
    case TYPE_HASH: hash_each_timed(entry_object(e), add_field, &(struct field_walk){d, full}); break;
    case TYPE_STREAM: add_stream(d, entry_object(e), full); break;
    case TYPE_COUNT: break;
    }
    /* Only that it expires, not when. */
    static const char mark[] = "!!expire!!";
    if (entry_expiry(e) != NO_EXPIRY) add_unordered(d, mark, sizeof mark - 1);
}

struct walk {
    struct digest *to;
    bool full;
};

static void add_entry(void *context, void *item, bool marked)
{
    const struct walk *walk = context;
    const struct entry *e = item;
    const struct span key = entry_key(e);
    struct digest one = {{0}};
    add_ordered(&one, key.p, key.n);
    add_value(&one, e, walk->full);
    if (walk->full && marked) {
        const uint64_t ms = (uint64_t)entry_expiry(e);
        add_number(&one, (uint32_t)(ms >> 32));
        add_number(&one, (uint32_t)ms);
    }
    add_unordered(walk->to, one.bytes, sizeof one.bytes);
}

static void digest_all(const struct engine *e, bool full, uint8_t *to)
{
    struct digest d = {{0}};
    struct walk walk = {&d, full};
    for (unsigned i = 0; i < e->data->count; i++) {
        const struct db *db = e->data->dbs[i];
        if (db_size(db) == 0) continue;
        add_number(&d, i);
        uint64_t at = 0;
        do at = htable_scan(db_table(db), at, false, add_entry, &walk);
        while (at);
    }
    memcpy(to, d.bytes, sizeof d.bytes);
}

void engine_digest(const struct engine *e, uint8_t digest[ENGINE_DIGEST_BYTES]) { digest_all(e, false, digest); }
void engine_digest_full(const struct engine *e, uint8_t digest[ENGINE_DIGEST_BYTES]) { digest_all(e, true, digest); }

void engine_digest_value(const struct engine *e, unsigned db, struct span key, uint8_t digest[ENGINE_DIGEST_BYTES])
{
    struct digest d = {{0}};
    const struct entry *entry = db_find(e->data->dbs[db], key);
    if (entry) add_value(&d, entry, false);
    memcpy(digest, d.bytes, sizeof d.bytes);
}
