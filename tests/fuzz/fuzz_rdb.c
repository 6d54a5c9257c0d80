/* Snapshots of strangers: whatever the bytes are, they are refused, or give data whose invariants hold, on which commands
 * work, and which can be saved and loaded again as the same data.
 *
 * The first byte chooses the settings and the version: bit 0, small collections turn large early; the upper four bits, the
 * version of the format less one. The rest is what stands between a file's header and its end. */
#include <string.h>

#include "common/keyspace.h"
#include "common/rdb.h"
#include "tests/fuzz/target.h"
#include "tests/lib/whole_rdb.h"

enum { MAX_KEYS = 16 };

/* What is done to a key of each type; @ is its name. */
static const char *const lines[] = {
    [TYPE_STRING] = "GETRANGE @ 1 -2;APPEND @ x;SETRANGE @ 3 yz;INCR @;OBJECT ENCODING @;SET @ 5 KEEPTTL;INCRBY @ 7",
    [TYPE_LIST] = "LRANGE @ 0 -1;LINSERT @ BEFORE 5 new;LSET @ 0 first;LREM @ -1 a;LPUSH @ 1;LPOS @ 300;LINDEX @ -1;"
                  "COPY @ other REPLACE;RPOP @ 2;LTRIM @ 1 -2;LMOVE @ @ LEFT RIGHT",
    [TYPE_SET] = "SMEMBERS @;SADD @ 5 a;SREM @ 1 b;SSCAN @ 0;SRANDMEMBER @ -3;SUNION @ @;SDIFF @ other;"
                 "COPY @ other REPLACE;SPOP @;SPOP @ 2;SADD @ last",
    [TYPE_ZSET] = "ZRANGE @ 0 -1 WITHSCORES;ZADD @ 1 a;ZINCRBY @ 0.5 a;ZRANK @ b;ZRANGEBYLEX @ - +;ZCOUNT @ (1 inf;"
                  "ZRANGESTORE other @ 0 -1 REV;ZREM @ 5;ZPOPMIN @;ZPOPMAX @;ZREMRANGEBYRANK @ 0 0",
    [TYPE_HASH] =
        "HGETALL @;HSET @ a 1 5 five;HINCRBY @ n 3;HGET @ 300;HDEL @ 5 b;HSCAN @ 0;HRANDFIELD @ -3 WITHVALUES;"
        "HSTRLEN @ a;COPY @ other REPLACE;HDEL @ a",
    [TYPE_STREAM] =
        "XRANGE @ - +;XREVRANGE @ + - COUNT 2;XADD @ * f v;XDEL @ 1-1;XINFO STREAM @ FULL;XGROUP CREATE @ grp 0;"
        "XREADGROUP GROUP grp c COUNT 2 STREAMS @ >;XPENDING @ g;XPENDING @ grp - + 5;XACK @ grp 1-1;"
        "XAUTOCLAIM @ grp d 0 0;XINFO CONSUMERS @ grp;COPY @ other REPLACE;XTRIM @ MAXLEN 1;XGROUP DESTROY @ grp",
};

static struct engine *engine_of(uint8_t secret, bool small_limits)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    memset(options.hash_key, secret, sizeof options.hash_key);
    options.databases = 2;
    if (small_limits) {
        options.limits.hash_max_listpack_entries = options.limits.zset_max_listpack_entries = 3;
        options.limits.set_max_listpack_entries = options.limits.set_max_intset_entries = 3;
        options.limits.list_max_listpack_size = 2;
    }
    return engine_new(&options);
}

static enum err load(struct engine *e, struct span file)
{
    struct rdb_loaded loaded;
    struct errmsg m = {{0}};
    struct cursor c = cursor_of(file);
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = rdb_target_engine(e);
    const enum err err = rdb_load(&source, &target, &loaded, &m);
    REQUIRE(!err == !m.text[0]);
    return err;
}

/* Save and load: the data must be the same. */
static void round_trip(struct engine *e, bool small_limits)
{
    struct buf file = {0};
    whole_rdb(e, &file);
    struct engine *again = engine_of(2, small_limits);
    REQUIRE(load(again, buf_span(&file)) == ERR_OK);
    uint8_t mine[ENGINE_DIGEST_BYTES], theirs[ENGINE_DIGEST_BYTES];
    engine_digest_full(e, mine);
    engine_digest_full(again, theirs);
    REQUIRE(!memcmp(mine, theirs, sizeof mine));
    engine_free(again);
    buf_free(&file);
}

struct bench {
    struct engine *engine;
    struct command_set *commands;
    struct session session;
    struct buf reply;
    struct span keys[MAX_KEYS];
    enum type types[MAX_KEYS];
    size_t count;
};

static void note_key(void *context, void *item, bool marked)
{
    (void)marked;
    struct bench *b = context;
    const struct span key = entry_key(item);
    if (b->count == MAX_KEYS) return;
    b->types[b->count] = entry_type(item);
    char *name = memcpy(buf_room(&b->reply, key.n), key.p, key.n);
    b->reply.len += key.n;
    b->keys[b->count++] = span_of(name, key.n);
}

/* One command up to ';' or the end. */
static void run(struct bench *b, struct span line, struct span key)
{
    struct span argv[10];
    struct request request = {.argv = argv};
    for (const char *at = line.p, *end = line.p + line.n; at < end; at++) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const size_t n = space ? (size_t)(space - at) : (size_t)(end - at);
        argv[request.argc++] = n == 1 && *at == '@' ? key : span_of(at, n);
        at += n;
    }
    struct buf out = {0};
    struct reply reply = {.out = &out, .resp = 2};
    const struct command_entry *command = command_find(b->commands, argv[0], argv[1]);
    REQUIRE(request.argc <= 10 && command && command->row->run && command_arity_fits(command, request.argc));
    engine_execute(b->engine, &b->session, 0, command, &request, &reply, NULL);
    REQUIRE(out.len > 0 && reply.errors <= 1);
    buf_free(&out);
}

static void work(struct engine *e)
{
    struct bench b = {.engine = e, .commands = command_set_new()};
    engine_add_commands(b.commands);
    (void)buf_room(&b.reply, 1 << 16); /* names lie in it and must not move: an input is shorter */
    for (uint64_t at = 0; (at = htable_scan(db_table(engine_db(e, 0)), at, false, note_key, &b));) continue;
    for (size_t i = 0; i < b.count; i++) {
        for (const char *at = lines[b.types[i]]; *at;) {
            const size_t n = strcspn(at, ";");
            run(&b, span_of(at, n), b.keys[i]);
            at += n + (at[n] == ';');
        }
    }
    command_set_free(b.commands);
    buf_free(&b.reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 14) return 0;
    const bool small_limits = data[0] & 1;
    struct buf file = {0};
    buf_printf(&file, "REDIS%04u", 1u + (data[0] >> 4));
    buf_add(&file, data + 1, size - 1);
    buf_add_span(&file, SPAN("\xFF\0\0\0\0\0\0\0\0"));
    struct engine *e = engine_of(1, small_limits);
    const enum err err = load(e, buf_span(&file));
    engine_check(e);
    if (!err) {
        round_trip(e, small_limits);
        work(e);
        engine_check(e);
        round_trip(e, small_limits);
    }
    engine_free(e);
    buf_free(&file);
    return 0;
}
