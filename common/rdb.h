/* The RDB format: a data set as one run of bytes, as Redis 7.0 reads and writes it.
 *
 *     "REDIS0010"  aux*  ( SELECTDB RESIZEDB ( [expiry] type key value )* )*  EOF  CRC-64
 *
 * Writing appends to a struct buf piece by piece; whoever carries the pieces away sums them up (the CRC may be
 * computed on another thread than the pieces are made on):
 *
 *     struct rdb_sum sum = {0};
 *     rdb_put_header(&b); rdb_put_aux(&b, ...); rdb_put_db(&b, ...); rdb_put_entry(&b, e); ...; rdb_put_eof(&b);
 *     rdb_sum_add(&sum, buf_span(&b));          // as often as the buf is emptied, up to and with EOF
 *     rdb_put_checksum(&b, &sum);
 *
 * What is written: version 10, integers in short strings, lists as QUICKLIST_2, sets as SET_INTSET or SET, hashes as
 * HASH_LISTPACK or HASH, sorted sets as ZSET_LISTPACK or ZSET_2, streams as STREAM_LISTPACKS_2,
 * expiry in milliseconds; no LZF (rdb_pack.h does that, on another thread). A key may be written only once; SELECTDB may
 * return to a database.
 *
 * Reading pulls bytes through a callback and takes every form of the six types in versions 1 to 11. Libraries of functions
 * are kept as they are. What it does not know (modules, functions of a preview of 7.0, later versions) is refused by
 * name, not passed over: dropping a part of somebody's data is worse than not starting.
 *
 * Pure: no file, no clock; keys that have expired are loaded like others. */
#pragma once

#include "common/engine.h"
#include "common/keyspace.h"

/* A file of version 12 may hold what is not known here, and is refused as a whole; a payload of DUMP, which Redis 7.4 calls
 * version 12 whatever is in it, says in its first byte what it is. */
enum { RDB_VERSION = 10, RDB_VERSION_NEWEST_READ = 11, RDB_PAYLOAD_NEWEST_READ = 12 };

void rdb_put_header(struct buf *out);
void rdb_put_aux(struct buf *out, struct span name, struct span value);
void rdb_put_aux_u64(struct buf *out, const char *name, uint64_t value);
/* Database @id begins; @keys and @expires are hints for the reader's tables. */
void rdb_put_db(struct buf *out, unsigned id, uint64_t keys, uint64_t expires);
/* Database @id goes on. */
void rdb_put_select(struct buf *out, unsigned id);
/* One library of functions; stands before the first database. */
void rdb_put_function(struct buf *out, struct span code);
/* One key with its value and its expiry time. */
void rdb_put_entry(struct buf *out, const struct entry *e);
/* The value alone, behind the byte that says of which kind it is. */
void rdb_put_value(struct buf *out, const struct entry *e);
void rdb_put_eof(struct buf *out);

/* The checksum over all bytes of a file so far: CRC-64/Jones, as Redis computes it. */
struct rdb_sum {
    uint64_t crc;
    uint64_t bytes;
};
void rdb_sum_add(struct rdb_sum *sum, struct span bytes);
/* The last 8 bytes. A sum of zero bytes writes 0: "not computed". */
void rdb_put_checksum(struct buf *out, const struct rdb_sum *sum);

/* Does a file that begins with @bytes (6 or more of them) mean to be an RDB file, of whichever program? */
bool rdb_is_head(struct span bytes);

/* Where the bytes of a file come from. */
struct rdb_source {
    void *context;
    /* Put at least one and at most @n (> 0) bytes at @to; *got is 0 only at the end. Errors are handed on. */
    enum err (*read)(void *context, void *to, size_t n, size_t *got, struct errmsg *m);
    uint64_t size; /* bytes that there are at most (a file's size): no length beyond them is believed; 0: unknown */
};

/* Where the data goes. */
struct rdb_target {
    struct db *(*db)(void *db_context, uint64_t id); /* NULL: there is no such database */
    void *db_context;
    /* An aux field; may be NULL. The spans are borrowed. An error ends the load. */
    enum err (*aux)(void *aux_context, struct span name, struct span value, struct errmsg *m);
    void *aux_context;
    /* A library of functions; NULL: passed over. The span is borrowed. */
    enum err (*function)(void *function_context, struct span code, struct errmsg *m);
    void *function_context;
    /* A key was put into @db; may be NULL. It may be removed again: so a file is looked through key by key. */
    enum err (*key)(void *key_context, struct db *db, struct entry *e, struct errmsg *m);
    void *key_context;
    const uint8_t *hash_key; /* for the tables of collections */
    const struct encoding_limits *limits;
    size_t max_string; /* the longest string that is taken; the file's size bounds it too */
    int64_t now_s;     /* Unix time that keys count as last used at, less the idle time that a file may say */
    const struct eviction_settings *eviction; /* what their clocks mean; NULL: seconds */
};

struct rdb_loaded {
    unsigned version;
    uint64_t bytes; /* of the file, checksum included: where something else may follow */
    uint64_t keys;  /* put into the target */
    bool has_checksum;
    uint64_t empty_keys; /* empty collections, which only faulty versions of Redis wrote; left out, as Redis does */
};

/* Load a file. On an error the target holds what came before it, and the message names the offset.
 *
 * Errors: ERR_TRUNCATED  the bytes end too early.
 *         ERR_CORRUPT    a length, a value, an element or key that stands there twice, or the checksum is wrong.
 *         ERR_FOREIGN    not an RDB file, a version above 11, a kind of data that is not supported, or a database
 *                        that the target does not have; the message names it.
 *         others         from the source and from aux(). */
MUST_USE enum err rdb_load(const struct rdb_source *source, const struct rdb_target *target,
                           struct rdb_loaded *loaded, struct errmsg *m);

/* Load what rdb_put_value() wrote, at the front of @bytes. @target->db is not used. The caller owns the value's collection;
 * a string's bytes are in @string. An empty collection is damage. Errors as above. */
MUST_USE enum err rdb_load_value(struct span bytes, const struct rdb_target *target, struct value *v,
                                 struct buf *string, struct errmsg *m);

/* The libraries of functions in what FUNCTION DUMP gives, its version and its checksum verified. Errors as above. */
MUST_USE enum err rdb_load_functions(struct span dump,
                                     enum err (*function)(void *context, struct span code, struct errmsg *m),
                                     void *context, struct errmsg *m);

/* A target that fills the databases of @e, which are empty. The caller adds aux() if it wants the fields. */
struct rdb_target rdb_target_engine(struct engine *e);

/* A source over bytes in memory; the span outlives the source. */
struct rdb_source rdb_source_span(struct cursor *c);
