#include "common/rdb.h"

#include <assert.h>
#include <endian.h>
#include <isa-l/crc64.h>

#include "common/rdb_format.h"
#include "common/rdb_write.h"
#include "common/types/hash_expiry.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/stream.h"
#include "common/types/zset.h"

static void put_u8(struct buf *out, unsigned v) { buf_add_char(out, (char)v); }

static void put_u64le(struct buf *out, uint64_t v)
{
    v = htole64(v);
    buf_add(out, &v, sizeof v);
}

/* Write a length to @at, where LEN_MOST bytes have room; returns what is behind it. */
enum { LEN_MOST = 9 };
static inline char *write_len(char *at, uint64_t n)
{
    if (n < 64) {
        *at++ = (char)n;
    } else if (n < 1 << 14) {
        *at++ = (char)(RDB_LEN_14 | (unsigned)(n >> 8));
        *at++ = (char)(n & 0xFF);
    } else if (n <= UINT32_MAX) {
        const uint32_t v = htobe32((uint32_t)n);
        *at++ = (char)RDB_LEN_32;
        at = (char *)memcpy(at, &v, sizeof v) + sizeof v;
    } else {
        const uint64_t v = htobe64(n);
        *at++ = (char)RDB_LEN_64;
        at = (char *)memcpy(at, &v, sizeof v) + sizeof v;
    }
    return at;
}

static void put_len(struct buf *out, uint64_t n)
{
    char *at = buf_room(out, LEN_MOST);
    out->len += (size_t)(write_len(at, n) - at);
}

/* Most of a snapshot goes through here: one look at the room for both. */
static void put_raw(struct buf *out, struct span s)
{
    char *begin = out->cap - out->len >= s.n + LEN_MOST ? out->p + out->len : buf_room(out, s.n + LEN_MOST);
    char *at = write_len(begin, s.n);
    if (s.n) memcpy(at, s.p, s.n);
    out->len += (size_t)(at - begin) + s.n;
}

/* An integer as a string: in 2 to 5 bytes if 32 bits are enough, else as text. */
static void put_int(struct buf *out, int64_t v)
{
    const uint32_t le = htole32((uint32_t)v);
    if (v >= INT8_MIN && v <= INT8_MAX) {
        put_u8(out, RDB_INT8);
        buf_add(out, &le, 1);
    } else if (v >= INT16_MIN && v <= INT16_MAX) {
        put_u8(out, RDB_INT16);
        buf_add(out, &le, 2);
    } else if (v >= INT32_MIN && v <= INT32_MAX) {
        put_u8(out, RDB_INT32);
        buf_add(out, &le, 4);
    } else {
        char text[NUM_I64_MAX_TEXT];
        put_raw(out, span_of(text, num_format_i64(text, v)));
    }
}

static void put_string(struct buf *out, struct span s)
{
    int64_t v;
    if (s.n <= 11 && num_parse_i64(s, &v)) put_int(out, v);
    else put_raw(out, s);
}

static void put_double(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u64le(out, bits);
}

void rdb_put_header(struct buf *out) { buf_printf(out, "REDIS%04d", RDB_VERSION); }

void rdb_put_aux(struct buf *out, struct span name, struct span value)
{
    put_u8(out, RDB_AUX);
    put_string(out, name);
    put_string(out, value);
}

void rdb_put_aux_u64(struct buf *out, const char *name, uint64_t value)
{
    char text[NUM_I64_MAX_TEXT];
    rdb_put_aux(out, span_str(name), span_of(text, num_format_u64(text, value)));
}

void rdb_put_select(struct buf *out, unsigned id)
{
    put_u8(out, RDB_SELECTDB);
    put_len(out, id);
}

void rdb_put_db(struct buf *out, unsigned id, uint64_t keys, uint64_t expires)
{
    rdb_put_select(out, id);
    put_u8(out, RDB_RESIZEDB);
    put_len(out, keys);
    put_len(out, expires);
}

void rdb_put_list_node(void *context, struct span bytes, bool plain)
{
    struct buf *out = context;
    put_len(out, plain ? RDB_NODE_PLAIN : RDB_NODE_PACKED);
    put_raw(out, bytes);
}

static void put_list(struct buf *out, const struct list *l)
{
    put_len(out, list_nodes(l));
    list_each_node(l, rdb_put_list_node, out);
}

static void put_member(void *context, struct span member) { put_string(context, member); }

static void put_set(struct buf *out, const struct set *s)
{
    const struct span ints = set_intset(s);
    if (ints.n) {
        put_raw(out, ints);
        return;
    }
    put_len(out, set_size(s));
    set_each(s, put_member, out);
}

static void put_pair(void *context, struct span field, struct span value)
{
    put_string(context, field);
    put_string(context, value);
}

/* The earliest expiry time, then each field behind the time that it has beyond that and one; 0 if it stays. */
struct timed_walk {
    struct buf *out;
    int64_t first;
};

static void put_timed_field(void *context, struct span field, struct span value, int64_t expiry)
{
    const struct timed_walk *w = context;
    put_len(w->out, expiry == FIELD_STAYS ? 0 : (uint64_t)(expiry - w->first) + 1);
    put_string(w->out, field);
    put_string(w->out, value);
}

static void put_timed_hash(struct buf *out, const struct hash *h)
{
    struct timed_walk w = {out, hash_first_expiry(h)};
    put_u64le(out, (uint64_t)w.first);
    put_len(out, hash_size(h));
    hash_each_timed(h, put_timed_field, &w);
}

static void put_hash(struct buf *out, const struct hash *h)
{
    if (hash_timed_fields(h)) {
        put_timed_hash(out, h);
        return;
    }
    const struct span packed = hash_listpack(h);
    if (packed.n) {
        put_raw(out, packed);
        return;
    }
    put_len(out, hash_size(h));
    hash_each(h, put_pair, out);
}

static void put_zset(struct buf *out, const struct zset *z)
{
    const struct span packed = zset_listpack(z);
    if (packed.n) {
        put_raw(out, packed);
        return;
    }
    put_len(out, zset_size(z));
    struct zset_iter i;
    struct span member;
    double score;
    char scratch[NUM_I64_MAX_TEXT];
    /* From the highest down: Redis inserts at the front of its list then. */
    for (zset_iter_begin(&i, z, zset_size(z) - 1, true); zset_iter_next(&i, &member, &score, scratch);) {
        put_string(out, member);
        put_double(out, score);
    }
}

static enum rdb_kind kind_of_hash(const struct hash *h)
{
    if (hash_timed_fields(h)) return RDB_HASH_TIMED;
    return hash_listpack(h).n ? RDB_HASH_LISTPACK : RDB_HASH;
}

static enum rdb_kind kind_of(const struct entry *e)
{
    switch (entry_type(e)) {
    case TYPE_STRING: return RDB_STRING;
    case TYPE_LIST: return RDB_LIST_QUICKLIST_2;
    case TYPE_SET: return set_intset(entry_object(e)).n ? RDB_SET_INTSET : RDB_SET;
    case TYPE_HASH: return kind_of_hash(entry_object(e));
    case TYPE_ZSET: return zset_listpack(entry_object(e)).n ? RDB_ZSET_LISTPACK : RDB_ZSET_2;
    case TYPE_STREAM: return RDB_STREAM_LISTPACKS_2;
    case TYPE_COUNT: break;
    }
    assert(entry_type(e) < TYPE_COUNT);
    return RDB_STRING;
}

static void put_content(struct buf *out, const struct entry *e)
{
    int64_t v;
    switch (entry_type(e)) {
    case TYPE_STRING:
        if (entry_int(e, &v)) put_int(out, v);
        else put_string(out, entry_string(e, NULL));
        break;
    case TYPE_LIST: put_list(out, entry_object(e)); break;
    case TYPE_SET: put_set(out, entry_object(e)); break;
    case TYPE_HASH: put_hash(out, entry_object(e)); break;
    case TYPE_ZSET: put_zset(out, entry_object(e)); break;
    case TYPE_STREAM: rdb_put_stream(out, entry_object(e)); break;
    case TYPE_COUNT: break;
    }
}

void rdb_put_value(struct buf *out, const struct entry *e)
{
    put_u8(out, kind_of(e));
    put_content(out, e);
}

void rdb_put_key(struct buf *out, const struct entry *e)
{
    if (entry_expiry(e) != NO_EXPIRY) {
        put_u8(out, RDB_EXPIRETIME_MS);
        put_u64le(out, (uint64_t)entry_expiry(e));
    }
    put_u8(out, kind_of(e));
    put_string(out, entry_key(e));
}

void rdb_put_entry(struct buf *out, const struct entry *e)
{
    rdb_put_key(out, e);
    put_content(out, e);
}

void rdb_put_function(struct buf *out, struct span code)
{
    put_u8(out, RDB_FUNCTION2);
    put_raw(out, code);
}

/* Parts. */

void rdb_put_length(struct buf *out, uint64_t n) { put_len(out, n); }
void rdb_put_raw(struct buf *out, struct span s) { put_raw(out, s); }
void rdb_put_string(struct buf *out, struct span s) { put_string(out, s); }
void rdb_put_u64le(struct buf *out, uint64_t v) { put_u64le(out, v); }

int64_t rdb_put_first_time(struct buf *out, const struct entry *e)
{
    if (entry_type(e) != TYPE_HASH || hash_timed_fields(entry_object(e)) == 0) return INT64_MAX;
    const int64_t first = hash_next_expiry(entry_object(e)); /* the exact one would take a look at all fields */
    put_u64le(out, (uint64_t)first);
    return first;
}

struct elements {
    struct buf *out;
    int64_t first_ms;
    uint64_t count;
};

static void put_one_member(void *context, struct span member)
{
    struct elements *e = context;
    e->count++;
    put_member(e->out, member);
}

static void put_one_pair(void *context, struct span field, struct span value)
{
    struct elements *e = context;
    e->count++;
    put_pair(e->out, field, value);
}

static void put_one_timed(void *context, struct span field, struct span value, int64_t expiry)
{
    struct elements *e = context;
    e->count++;
    put_timed_field(&(struct timed_walk){e->out, e->first_ms}, field, value, expiry);
}

static void put_one_scored(void *context, struct span member, double score)
{
    struct elements *e = context;
    e->count++;
    put_string(e->out, member);
    put_double(e->out, score);
}

uint64_t rdb_put_elements(struct buf *out, enum type type, const void *object, int64_t first_ms,
                          const struct htable_choice *c)
{
    struct elements e = {.out = out, .first_ms = first_ms};
    if (type == TYPE_SET) set_visit_chosen(object, c, put_one_member, &e);
    else if (type == TYPE_HASH && first_ms != INT64_MAX) hash_visit_chosen_timed(object, c, put_one_timed, &e);
    else if (type == TYPE_HASH) hash_visit_chosen(object, c, put_one_pair, &e);
    else zset_visit_chosen(object, c, put_one_scored, &e);
    return e.count;
}

void rdb_put_eof(struct buf *out) { put_u8(out, RDB_EOF); }

void rdb_sum_add(struct rdb_sum *sum, struct span bytes)
{
    /* The library inverts on its way in and out; Redis's sum does not. */
    sum->crc = ~crc64_jones_refl(~sum->crc, (const unsigned char *)bytes.p, bytes.n);
    sum->bytes += bytes.n;
}

void rdb_put_checksum(struct buf *out, const struct rdb_sum *sum) { put_u64le(out, sum->bytes ? sum->crc : 0); }
