#include <assert.h>
#include <math.h>

#include "common/functions.h"
#include "common/listpack.h"
#include "common/intset.h"
#include "common/rdb_format.h"
#include "common/rdb_legacy.h"
#include "common/rdb_read.h"
#include "common/rdb_stream.h"
#include "common/types/hash_expiry.h"
#include "common/types/list.h"
#include "common/types/set.h"
#include "common/types/zset.h"

/* What one load works with. */
struct load {
    struct rdb_reader in;
    const struct rdb_target *to;
    struct rdb_loaded *done;
    struct db *db; /* the database that is being filled */
    struct heading {
        int64_t expiry;            /* of the key that comes next */
        int64_t idle_s, frequency; /* and how long it had not been used, or how often it was; -1: not told */
    } heading;
    struct buf key, string, pair; /* scratch: the key, a string or blob, the first half of a pair */
    bool have_first;              /* `pair` holds a field or member that waits for its other half */
    struct value value;           /* under construction; its object is freed if it stays unfinished */
};

static enum err twice(struct load *l) { return rdb_fail(&l->in, ERR_CORRUPT, "an element stands there twice"); }
static enum err damaged(struct load *l, const char *what)
{
    return rdb_fail(&l->in, ERR_CORRUPT, "a damaged %s", what);
}

static enum err add_score(struct load *l, struct span member, double score)
{
    if (isnan(score)) return rdb_fail(&l->in, ERR_CORRUPT, "a score is not a number");
    return zset_set(l->value.zset, member, score, l->to->limits) ? ERR_OK : twice(l);
}

static enum err add_pair(struct load *l, struct span first, struct span second)
{
    double score;
    if (l->value.type == TYPE_HASH) return hash_set(l->value.hash, first, second, l->to->limits) ? ERR_OK : twice(l);
    if (!num_parse_double(second, &score)) return rdb_fail(&l->in, ERR_CORRUPT, "a score is not a number");
    return add_score(l, first, score);
}

/* One element more for the collection under construction; fields and values, members and scores come in turn. */
static enum err add_element(void *context, struct span s)
{
    struct load *l = context;
    switch (l->value.type) {
    case TYPE_LIST: list_push(l->value.list, LIST_TAIL, s, l->to->limits); return ERR_OK;
    case TYPE_SET: return set_add(l->value.set, s, l->to->limits) ? ERR_OK : twice(l);
    default: break;
    }
    if (l->have_first) {
        l->have_first = false;
        return add_pair(l, buf_span(&l->pair), s);
    }
    buf_reset(&l->pair, SIZE_MAX);
    buf_add_span(&l->pair, s);
    l->have_first = true;
    return ERR_OK;
}

static enum err end_pairs(struct load *l)
{
    return l->have_first ? rdb_fail(&l->in, ERR_CORRUPT, "a field without a value") : ERR_OK;
}

/* Strings one after the other: @per_unit of them for each of the number that stands first. */
static enum err load_strings(struct load *l, unsigned per_unit)
{
    uint64_t n;
    TRY(rdb_read_count(&l->in, &n));
    for (; n > 0; n--) {
        for (unsigned i = 0; i < per_unit; i++) {
            TRY(rdb_read_string(&l->in, &l->string));
            TRY(add_element(l, buf_span(&l->string)));
        }
    }
    return ERR_OK;
}

static enum err load_scores(struct load *l, bool as_text)
{
    uint64_t n;
    double score;
    TRY(rdb_read_count(&l->in, &n));
    for (; n > 0; n--) {
        TRY(rdb_read_string(&l->in, &l->string));
        TRY(as_text ? rdb_read_text_double(&l->in, &score) : rdb_read_double(&l->in, &score));
        TRY(add_score(l, buf_span(&l->string), score));
    }
    return ERR_OK;
}

static enum err load_ziplist(struct load *l)
{
    TRY(rdb_read_blob(&l->in, &l->string));
    const enum err e = rdb_ziplist_each(buf_span(&l->string), add_element, l);
    if (e == ERR_CORRUPT && l->in.m && !l->in.m->text[0]) return damaged(l, "ziplist");
    return e ? e : end_pairs(l);
}

static enum err load_zipmap(struct load *l)
{
    TRY(rdb_read_blob(&l->in, &l->string));
    const enum err e = rdb_zipmap_each(buf_span(&l->string), add_element, l);
    if (e == ERR_CORRUPT && l->in.m && !l->in.m->text[0]) return damaged(l, "zipmap");
    return e ? e : end_pairs(l);
}

/* A blob that is a valid listpack, in l->string. */
static enum err read_listpack(struct load *l)
{
    TRY(rdb_read_blob(&l->in, &l->string));
    return lp_valid(l->string.p, l->string.len) ? ERR_OK : damaged(l, "listpack");
}

/* Give the blob away. */
static void *take_blob(struct load *l)
{
    void *p = l->string.p;
    l->string = (struct buf){0};
    return p;
}

static enum err load_quicklist(struct load *l, bool second_version)
{
    uint64_t nodes, container = RDB_NODE_PACKED;
    TRY(rdb_read_count(&l->in, &nodes));
    for (; nodes > 0; nodes--) {
        if (!second_version) {
            TRY(load_ziplist(l));
            continue;
        }
        TRY(rdb_read_number(&l->in, &container));
        if (container == RDB_NODE_PLAIN) {
            TRY(rdb_read_string(&l->in, &l->string));
            list_append_plain(l->value.list, buf_span(&l->string));
        } else if (container == RDB_NODE_PACKED) {
            TRY(read_listpack(l));
            if (lp_first((const lp_t *)l->string.p)) list_append_listpack(l->value.list, take_blob(l));
        } else {
            return damaged(l, "list node");
        }
    }
    return ERR_OK;
}

static enum err load_intset(struct load *l)
{
    TRY(rdb_read_blob(&l->in, &l->string));
    if (!intset_valid(l->string.p, l->string.len)) return damaged(l, "intset");
    set_free(l->value.set);
    l->value.set = set_of_intset(take_blob(l), l->to->hash_key, l->to->limits);
    return ERR_OK;
}

static enum err load_set_listpack(struct load *l)
{
    char scratch[NUM_I64_MAX_TEXT];
    TRY(read_listpack(l));
    const lp_t *lp = (const lp_t *)l->string.p;
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) TRY(add_element(l, lp_get(at, scratch)));
    return ERR_OK;
}

static enum err load_pairs_listpack(struct load *l)
{
    TRY(read_listpack(l));
    if (lp_count((const lp_t *)l->string.p) % 2) return rdb_fail(&l->in, ERR_CORRUPT, "a field without a value");
    if (l->value.type == TYPE_HASH) {
        hash_free(l->value.hash);
        l->value.hash = NULL;
        if (hash_of_listpack(take_blob(l), l->to->hash_key, l->to->limits, &l->value.hash)) return ERR_OK;
        l->value.hash = NULL;
        return twice(l);
    }
    zset_free(l->value.zset);
    l->value.zset = NULL;
    if (zset_of_listpack(take_blob(l), l->to->hash_key, l->to->limits, &l->value.zset)) return ERR_OK;
    l->value.zset = NULL;
    return damaged(l, "sorted set: a member twice, out of order, or a score that is no number");
}

static enum err add_timed_field(struct load *l, struct span field, struct span value, uint64_t expiry)
{
    if (expiry > FIELD_EXPIRY_MAX) return rdb_fail(&l->in, ERR_CORRUPT, "a field expires beyond all times");
    const int64_t when = expiry ? (int64_t)expiry : FIELD_STAYS;
    return hash_set_timed(l->value.hash, field, value, when, l->to->limits) ? ERR_OK : twice(l);
}

/* The earliest time, then the number of fields, then each behind its time. */
static enum err load_timed_hash(struct load *l)
{
    uint64_t first, n, after;
    TRY(rdb_read_u64le(&l->in, &first));
    TRY(rdb_read_count(&l->in, &n));
    for (; n > 0; n--) {
        TRY(rdb_read_number(&l->in, &after));
        TRY(rdb_read_string(&l->in, &l->pair));
        TRY(rdb_read_string(&l->in, &l->string));
        const bool sane = after <= FIELD_EXPIRY_MAX && first <= FIELD_EXPIRY_MAX; /* their sum does not overflow */
        const uint64_t expiry = after == 0 ? 0 : sane ? first + after - 1 : UINT64_MAX;
        TRY(add_timed_field(l, buf_span(&l->pair), buf_span(&l->string), expiry));
    }
    return ERR_OK;
}

/* The earliest time, then a listpack of field, value, time (0: none). */
static enum err load_timed_listpack(struct load *l)
{
    char texts[2][NUM_I64_MAX_TEXT];
    uint64_t first;
    TRY(rdb_read_u64le(&l->in, &first));
    TRY(read_listpack(l));
    const lp_t *lp = (const lp_t *)l->string.p;
    if (lp_count(lp) % 3) return rdb_fail(&l->in, ERR_CORRUPT, "a field without a value or a time");
    for (const lp_t *at = lp_first(lp); at; at = lp_next(lp, at)) {
        int64_t expiry;
        const struct span field = lp_get(at, texts[0]);
        at = lp_next(lp, at);
        const struct span value = lp_get(at, texts[1]);
        at = lp_next(lp, at);
        if (!lp_get_int(at, &expiry)) return rdb_fail(&l->in, ERR_CORRUPT, "an expiry time that is no number");
        TRY(add_timed_field(l, field, value, (uint64_t)expiry));
    }
    return ERR_OK;
}

/* Redis's name of a module stands in 54 bits of its number, six for each letter. */
static enum err refuse_module(struct load *l, uint64_t id)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char name[10] = {0};
    for (unsigned i = 0; i < 9; i++) name[i] = letters[id >> (58 - 6 * i) & 63];
    return rdb_fail(&l->in, ERR_FOREIGN, "data of the module type '%s', which is not supported", name);
}

static enum err refuse_kind(struct load *l, unsigned kind)
{
    uint64_t id;
    switch (kind) {
    case RDB_MODULE_PREVIEW:
    case RDB_MODULE_2: TRY(rdb_read_number(&l->in, &id)); return refuse_module(l, id);
    default: return rdb_fail(&l->in, ERR_CORRUPT, "no kind of value has the number %u", kind);
    }
}

static bool type_of_kind(unsigned kind, enum type *type)
{
    static const signed char types[] = {
        [RDB_STRING] = TYPE_STRING + 1,
        [RDB_LIST] = TYPE_LIST + 1,
        [RDB_LIST_ZIPLIST] = TYPE_LIST + 1,
        [RDB_LIST_QUICKLIST] = TYPE_LIST + 1,
        [RDB_LIST_QUICKLIST_2] = TYPE_LIST + 1,
        [RDB_SET] = TYPE_SET + 1,
        [RDB_SET_INTSET] = TYPE_SET + 1,
        [RDB_SET_LISTPACK] = TYPE_SET + 1,
        [RDB_ZSET] = TYPE_ZSET + 1,
        [RDB_ZSET_2] = TYPE_ZSET + 1,
        [RDB_ZSET_ZIPLIST] = TYPE_ZSET + 1,
        [RDB_ZSET_LISTPACK] = TYPE_ZSET + 1,
        [RDB_HASH] = TYPE_HASH + 1,
        [RDB_HASH_ZIPMAP] = TYPE_HASH + 1,
        [RDB_HASH_ZIPLIST] = TYPE_HASH + 1,
        [RDB_HASH_LISTPACK] = TYPE_HASH + 1,
        [RDB_HASH_TIMED] = TYPE_HASH + 1,
        [RDB_HASH_LISTPACK_TIMED] = TYPE_HASH + 1,
        [RDB_STREAM_LISTPACKS] = TYPE_STREAM + 1,
        [RDB_STREAM_LISTPACKS_2] = TYPE_STREAM + 1,
        [RDB_STREAM_LISTPACKS_3] = TYPE_STREAM + 1,
    };
    if (kind >= sizeof types || types[kind] == 0) return false;
    *type = (enum type)(types[kind] - 1);
    return true;
}

static enum err load_collection(struct load *l, unsigned kind)
{
    switch (kind) {
    case RDB_LIST:
    case RDB_SET: return load_strings(l, 1);
    case RDB_HASH: return load_strings(l, 2);
    case RDB_ZSET: return load_scores(l, true);
    case RDB_ZSET_2: return load_scores(l, false);
    case RDB_HASH_ZIPMAP: return load_zipmap(l);
    case RDB_LIST_ZIPLIST:
    case RDB_ZSET_ZIPLIST:
    case RDB_HASH_ZIPLIST: return load_ziplist(l);
    case RDB_LIST_QUICKLIST: return load_quicklist(l, false);
    case RDB_LIST_QUICKLIST_2: return load_quicklist(l, true);
    case RDB_SET_INTSET: return load_intset(l);
    case RDB_SET_LISTPACK: return load_set_listpack(l);
    case RDB_HASH_TIMED: return load_timed_hash(l);
    case RDB_HASH_LISTPACK_TIMED: return load_timed_listpack(l);
    case RDB_STREAM_LISTPACKS: return rdb_read_stream(&l->in, &l->string, 1, l->value.stream);
    case RDB_STREAM_LISTPACKS_2: return rdb_read_stream(&l->in, &l->string, 2, l->value.stream);
    case RDB_STREAM_LISTPACKS_3: return rdb_read_stream(&l->in, &l->string, 3, l->value.stream);
    default: return load_pairs_listpack(l);
    }
}

static void begin_collection(struct load *l)
{
    switch (l->value.type) {
    case TYPE_LIST: l->value.list = list_new(); break;
    case TYPE_SET: l->value.set = set_new(l->to->hash_key); break;
    case TYPE_ZSET: l->value.zset = zset_new(l->to->hash_key); break;
    case TYPE_HASH: l->value.hash = hash_new(l->to->hash_key); break;
    case TYPE_STREAM: l->value.stream = stream_new(); break;
    default: break;
    }
    l->have_first = false;
}

static bool collection_empty(const struct value *v)
{
    switch (v->type) {
    case TYPE_LIST: return list_size(v->list) == 0;
    case TYPE_SET: return set_size(v->set) == 0;
    case TYPE_ZSET: return zset_size(v->zset) == 0;
    case TYPE_HASH: return hash_size(v->hash) == 0;
    default: return false;
    }
}

static void drop_value(struct load *l)
{
    if (l->value.type != TYPE_STRING && l->value.object) value_free(&l->value);
    l->value = (struct value){.type = TYPE_STRING};
}

/* A value, behind the byte that says which kind it is. */
static enum err load_content(struct load *l, unsigned kind)
{
    if (!type_of_kind(kind, &l->value.type)) return refuse_kind(l, kind);
    if (l->value.type != TYPE_STRING) {
        begin_collection(l);
        return load_collection(l, kind);
    }
    TRY(rdb_read_string(&l->in, &l->string));
    l->value.string = buf_span(&l->string);
    return ERR_OK;
}

static const struct heading no_heading = {.expiry = NO_EXPIRY, .idle_s = -1, .frequency = -1};

static uint32_t clock_of(const struct rdb_target *to, const struct heading *h)
{
    const struct eviction_settings in_seconds = EVICTION_DEFAULT;
    return eviction_clock_told(to->eviction ? to->eviction : &in_seconds, h->idle_s, h->frequency, to->now_s * 1000);
}

/* A key and its value, behind the byte that says which kind it is. */
static enum err load_key(struct load *l, unsigned kind)
{
    TRY(rdb_read_string(&l->in, &l->key));
    TRY(load_content(l, kind));
    if (collection_empty(&l->value)) {
        drop_value(l);
        l->heading = no_heading;
        l->done->empty_keys++;
        return ERR_OK;
    }
    const uint64_t keys = db_size(l->db);
    struct entry *e = db_put(l->db, buf_span(&l->key), &l->value, l->heading.expiry);
    entry_set_clock(e, clock_of(l->to, &l->heading));
    l->value = (struct value){.type = TYPE_STRING};
    l->heading = no_heading;
    if (db_size(l->db) == keys) return rdb_fail(&l->in, ERR_CORRUPT, "a key stands there twice");
    l->done->keys++;
    return l->to->key ? l->to->key(l->to->key_context, l->db, e, l->in.m) : ERR_OK;
}

static enum err load_expiry(struct load *l, bool in_seconds)
{
    uint32_t seconds = 0;
    uint64_t ms = 0;
    if (in_seconds) {
        TRY(rdb_read_u32le(&l->in, &seconds));
        ms = (uint64_t)seconds * 1000;
    } else {
        TRY(rdb_read_u64le(&l->in, &ms));
    }
    if (ms > INT64_MAX) return rdb_fail(&l->in, ERR_CORRUPT, "an expiry time before 1970");
    l->heading.expiry = (int64_t)ms;
    return ERR_OK;
}

static enum err select_db(struct load *l, uint64_t id)
{
    l->db = l->to->db(l->to->db_context, id);
    return l->db
               ? ERR_OK
               : rdb_fail(&l->in, ERR_FOREIGN, "database %llu, which is not configured here", (unsigned long long)id);
}

/* How many keys there will be. Believed as far as the bytes that are left may hold so many of a usual size. */
static enum err load_hints(struct load *l)
{
    enum { USUAL_KEY_BYTES = 16, UNKNOWN_SIZE_KEYS = 1 << 16 };
    uint64_t keys, expires;
    TRY(rdb_read_number(&l->in, &keys));
    TRY(rdb_read_number(&l->in, &expires));
    const uint64_t size = l->in.source->size;
    const uint64_t most = size > l->in.offset ? (size - l->in.offset) / USUAL_KEY_BYTES : UNKNOWN_SIZE_KEYS;
    db_expect(l->db, keys < most ? keys : most);
    return ERR_OK;
}

static enum err load_aux(struct load *l)
{
    TRY(rdb_read_string(&l->in, &l->key));
    TRY(rdb_read_string(&l->in, &l->string));
    return l->to->aux ? l->to->aux(l->to->aux_context, buf_span(&l->key), buf_span(&l->string), l->in.m) : ERR_OK;
}

static enum err load_function(struct load *l)
{
    TRY(rdb_read_string(&l->in, &l->string));
    return l->to->function ? l->to->function(l->to->function_context, buf_span(&l->string), l->in.m) : ERR_OK;
}

/* What is not a key. */
static enum err load_opcode(struct load *l, unsigned opcode)
{
    uint64_t a;
    unsigned byte;
    switch (opcode) {
    case RDB_SELECTDB: TRY(rdb_read_number(&l->in, &a)); return select_db(l, a);
    case RDB_RESIZEDB: return load_hints(l);
    case RDB_EXPIRETIME: return load_expiry(l, true);
    case RDB_EXPIRETIME_MS: return load_expiry(l, false);
    case RDB_AUX: return load_aux(l);
    case RDB_FREQ:
        TRY(rdb_read_u8(&l->in, &byte));
        l->heading.frequency = byte;
        return ERR_OK;
    case RDB_IDLE:
        TRY(rdb_read_number(&l->in, &a));
        l->heading.idle_s = a < INT64_MAX ? (int64_t)a : INT64_MAX;
        return ERR_OK;
    case RDB_MODULE_AUX: TRY(rdb_read_number(&l->in, &a)); return refuse_module(l, a);
    case RDB_FUNCTION2: return load_function(l);
    case RDB_FUNCTION_PREVIEW:
        return rdb_fail(&l->in, ERR_FOREIGN,
                        "functions in the form of a preview of Redis 7.0, which is not supported");
    default: return load_key(l, opcode);
    }
}

bool rdb_is_head(struct span bytes)
{
    return (bytes.n >= 5 && memcmp(bytes.p, "REDIS", 5) == 0) || (bytes.n >= 6 && memcmp(bytes.p, "VALKEY", 6) == 0);
}

/* Versions from 80 on are Valkey's, which calls its files so since then; those between belong to forks of Redis. */
static const char *writer_of(unsigned version)
{
    enum { OF_REDIS_7_4 = 12, FIRST_OF_VALKEY = 80 };
    if (version == OF_REDIS_7_4) return " (written by Redis 7.4 or later)";
    return version >= FIRST_OF_VALKEY ? " (written by Valkey)" : "";
}

static enum err load_header(struct load *l)
{
    char head[9];
    int64_t version = 0;
    TRY(rdb_read(&l->in, head, sizeof head));
    const bool valkey = memcmp(head, "VALKEY", 6) == 0;
    struct span digits = valkey ? span_of(head + 6, 3) : span_of(head + 5, 4);
    while (digits.n > 1 && *digits.p == '0') digits = span_of(digits.p + 1, digits.n - 1);
    if ((!valkey && memcmp(head, "REDIS", 5) != 0) || !num_parse_i64(digits, &version) || version < 1)
        return err_set(l->in.m, ERR_FOREIGN, "not an RDB file");
    l->done->version = (unsigned)version;
    if (!valkey && version <= RDB_VERSION_NEWEST_READ) return ERR_OK;
    return err_set(l->in.m, ERR_FOREIGN, "RDB version %u%s is not supported; versions 1 to %d of Redis are",
                   l->done->version, writer_of(l->done->version), RDB_VERSION_NEWEST_READ);
}

static enum err load_checksum(struct load *l)
{
    enum { FIRST_VERSION_WITH_CHECKSUM = 5 };
    if (l->done->version < FIRST_VERSION_WITH_CHECKSUM) return ERR_OK;
    const uint64_t computed = rdb_reader_crc(&l->in);
    uint64_t stored;
    TRY(rdb_read_u64le(&l->in, &stored));
    l->done->has_checksum = stored != 0;
    if (stored != 0 && stored != computed) return rdb_fail(&l->in, ERR_CORRUPT, "the checksum does not fit");
    return ERR_OK;
}

static enum err load_all(struct load *l)
{
    unsigned opcode;
    TRY(load_header(l));
    TRY(select_db(l, 0));
    for (;;) {
        TRY(rdb_read_u8(&l->in, &opcode));
        if (opcode == RDB_EOF) return load_checksum(l);
        TRY(load_opcode(l, opcode));
    }
}

static enum err load_one(struct load *l)
{
    unsigned kind;
    TRY(rdb_read_u8(&l->in, &kind));
    TRY(load_content(l, kind));
    return collection_empty(&l->value) ? rdb_fail(&l->in, ERR_CORRUPT, "an empty collection") : ERR_OK;
}

static void load_begin(struct load *l, const struct rdb_source *source, size_t max_string, struct errmsg *m)
{
    rdb_reader_init(&l->in, source, max_string, m);
    m->text[0] = '\0';
}

static void load_end(struct load *l)
{
    drop_value(l);
    rdb_reader_free(&l->in);
    buf_free(&l->key);
    buf_free(&l->string);
    buf_free(&l->pair);
}

enum err rdb_load(const struct rdb_source *source, const struct rdb_target *target, struct rdb_loaded *loaded,
                  struct errmsg *m)
{
    struct errmsg unwanted;
    struct load l = {.to = target, .done = loaded, .heading = no_heading, .value = {.type = TYPE_STRING}};
    *loaded = (struct rdb_loaded){0};
    load_begin(&l, source, target->max_string, m ? m : &unwanted);
    const enum err e = load_all(&l);
    loaded->bytes = l.in.offset;
    load_end(&l);
    return e;
}

enum err rdb_load_value(struct span bytes, const struct rdb_target *target, struct value *v, struct buf *string,
                        struct errmsg *m)
{
    struct errmsg unwanted;
    struct cursor c = cursor_of(bytes);
    const struct rdb_source source = rdb_source_span(&c);
    struct load l = {.to = target, .heading = no_heading, .value = {.type = TYPE_STRING}};
    load_begin(&l, &source, target->max_string, m ? m : &unwanted);
    const enum err e = load_one(&l);
    if (!e) {
        *v = l.value;
        l.value = (struct value){.type = TYPE_STRING};
        if (v->type == TYPE_STRING) {
            buf_free(string);
            *string = l.string;
            l.string = (struct buf){0};
        }
    }
    load_end(&l);
    return e;
}

enum err rdb_load_functions(struct span dump, enum err (*function)(void *context, struct span code, struct errmsg *m),
                            void *context, struct errmsg *m)
{
    enum { TRAILER = 2 + 8 };
    struct errmsg unwanted;
    struct rdb_sum sum = {0};
    uint16_t version;
    uint64_t crc;
    if (!m) m = &unwanted;
    if (dump.n < TRAILER) return err_set(m, ERR_TRUNCATED, "too short for a dump of functions");
    struct cursor tail = cursor_of(span_of(dump.p + dump.n - TRAILER, TRAILER));
    (void)(take_u16le(&tail, &version) && take_u64le(&tail, &crc));
    rdb_sum_add(&sum, span_of(dump.p, dump.n - 8));
    if (version > RDB_VERSION_NEWEST_READ || (crc != 0 && crc != sum.crc))
        return err_set(m, ERR_CORRUPT, "a dump of functions of another version, or with another checksum");
    struct cursor c = cursor_of(span_of(dump.p, dump.n - TRAILER));
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = {.function = function, .function_context = context, .max_string = SIZE_MAX};
    struct load l = {.to = &target, .value = {.type = TYPE_STRING}};
    load_begin(&l, &source, target.max_string, m);
    enum err e = ERR_OK;
    while (!e && l.in.offset < source.size) {
        unsigned opcode;
        if ((e = rdb_read_u8(&l.in, &opcode))) break;
        e = opcode == RDB_FUNCTION2 ? load_function(&l) : rdb_fail(&l.in, ERR_CORRUPT, "no library of functions");
    }
    load_end(&l);
    return e;
}

static enum err read_span(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    (void)m;
    struct cursor *c = context;
    *got = n < cursor_left(c) ? n : cursor_left(c);
    (void)take_bytes(c, to, *got);
    return ERR_OK;
}

struct rdb_source rdb_source_span(struct cursor *c)
{
    return (struct rdb_source){.context = c, .read = read_span, .size = cursor_left(c)};
}

static struct db *db_of_engine(void *context, uint64_t id)
{
    struct engine *e = context;
    return id < engine_databases(e) ? engine_db(e, (unsigned)id) : NULL;
}

static enum err keep_function(void *context, struct span code, struct errmsg *m)
{
    return functions_load(engine_functions(context), code, false, m);
}

struct rdb_target rdb_target_engine(struct engine *e)
{
    return (struct rdb_target){.db = db_of_engine,
                               .db_context = e,
                               .function = keep_function,
                               .function_context = e,
                               .hash_key = engine_hash_key(e),
                               .limits = engine_limits(e),
                               .max_string = SIZE_MAX,
                               .now_s = engine_now_ms(e) / 1000,
                               .eviction = engine_eviction(e)};
}
