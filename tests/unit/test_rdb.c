#include <criterion/criterion.h>
#include <liblzf/lzf.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/rdb.h"
#include "tests/unit/random_commands.h"

static void put_entry(void *context, void *item, bool marked)
{
    (void)marked;
    rdb_put_entry(context, item);
}

/* The whole engine as one file. */
static void save(struct engine *e, struct buf *out, bool with_checksum)
{
    rdb_put_header(out);
    rdb_put_aux(out, SPAN("relevo-offset"), SPAN("123456789012"));
    for (unsigned i = 0; i < engine_databases(e); i++) {
        if (engine_keys(e, i) == 0) continue;
        rdb_put_db(out, i, engine_keys(e, i), engine_expires(e, i));
        uint64_t at = 0;
        do at = htable_scan(db_table(engine_db(e, i)), at, false, put_entry, out);
        while (at);
    }
    rdb_put_eof(out);
    struct rdb_sum sum = {0};
    if (with_checksum) rdb_sum_add(&sum, buf_span(out));
    rdb_put_checksum(out, &sum);
}

static struct engine *engine_empty(void)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    return engine_new(&options);
}

static enum err load(struct span bytes, struct engine *e, struct rdb_loaded *loaded, struct errmsg *m)
{
    struct cursor c = cursor_of(bytes);
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = rdb_target_engine(e);
    return rdb_load(&source, &target, loaded, m);
}

static void expect_equal(struct engine *a, struct engine *b)
{
    cr_assert(engines_equal(a, b));
    engine_check(b);
    for (unsigned i = 0; i < engine_databases(b); i++) {
        cr_assert_eq(engine_keys(a, i), engine_keys(b, i));
        cr_assert_eq(engine_expires(a, i), engine_expires(b, i));
    }
}

Test(rdb, what_is_written_is_read_again_for_every_type_and_encoding)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct fixture f;
        struct rand r = {seed};
        fixture_init(&f);
        engine_limits(f.engine)->list_max_listpack_size = seed % 2 ? -1 : 20;
        for (int i = 0; i < 6000; i++) random_command(&f, &r, 60);
        struct buf file = {0};
        save(f.engine, &file, true);
        struct engine *copy = engine_empty();
        struct rdb_loaded loaded;
        struct errmsg m;
        cr_assert_eq(load(buf_span(&file), copy, &loaded, &m), ERR_OK, "%s", m.text);
        cr_expect_eq(loaded.bytes, file.len);
        cr_expect_eq(loaded.version, RDB_VERSION);
        expect_equal(f.engine, copy);
        engine_free(copy);
        buf_free(&file);
        fixture_free(&f);
    }
}

/* A file with one value of each encoding, small enough to be damaged at every byte. */
static void small_file(struct buf *file, bool with_checksum)
{
    struct fixture f;
    fixture_init(&f);
    engine_limits(f.engine)->hash_max_listpack_entries = 2;
    engine_limits(f.engine)->zset_max_listpack_entries = 2;
    engine_limits(f.engine)->list_max_listpack_size = 2;
    (void)fixture_do(&f, "SET int 12345 PX 100000");
    (void)fixture_do(&f, "SET text hello");
    (void)fixture_do(&f, "RPUSH list a 1 b 2 c");
    (void)fixture_do(&f, "SADD ints 1 2 70000");
    (void)fixture_do(&f, "SADD words a b 1");
    (void)fixture_do(&f, "HSET small a 1");
    (void)fixture_do(&f, "HSET large a 1 b 2 c 3");
    (void)fixture_do(&f, "ZADD few 1 a 2 b");
    (void)fixture_do(&f, "ZADD many 1 a 2 b 3.5 c -inf d");
    f.session.db = 5;
    (void)fixture_do(&f, "SET other x");
    save(f.engine, file, with_checksum);
    fixture_free(&f);
}

static void load_damaged(struct span bytes, bool must_fail, size_t at)
{
    struct engine *e = engine_empty();
    struct rdb_loaded loaded;
    struct errmsg m = {{0}};
    char *exact = mem_dup(bytes.p, bytes.n); /* so that the sanitizer sees a read behind the end */
    const enum err err = load(span_of(exact, bytes.n), e, &loaded, &m);
    if (must_fail) cr_expect_neq(err, ERR_OK, "byte %zu", at);
    if (err) cr_expect_neq(m.text[0], '\0', "byte %zu", at);
    engine_check(e);
    mem_free(exact);
    engine_free(e);
}

Test(rdb, a_changed_byte_is_noticed_by_the_checksum)
{
    struct buf file = {0};
    small_file(&file, true);
    for (size_t i = 0; i < file.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            file.p[i] = (char)(file.p[i] ^ 1 << bit);
            load_damaged(buf_span(&file), true, i);
            file.p[i] = (char)(file.p[i] ^ 1 << bit);
        }
    }
    buf_free(&file);
}

Test(rdb, without_a_checksum_a_changed_byte_is_refused_or_harmless)
{
    struct buf file = {0};
    struct rand r = {1};
    small_file(&file, false);
    for (size_t i = 0; i < file.len; i++) {
        const char was = file.p[i];
        const char others[] = {
            0, 1, (char)0x7F, (char)0x80, (char)0xFF, (char)(was + 1), (char)(was - 1), (char)rand_next(&r)};
        for (unsigned k = 0; k < sizeof others; k++) {
            file.p[i] = others[k];
            load_damaged(buf_span(&file), false, i);
        }
        file.p[i] = was;
    }
    buf_free(&file);
}

Test(rdb, several_changed_bytes_are_refused_or_harmless)
{
    struct buf file = {0};
    struct rand r = {2};
    small_file(&file, false);
    for (int round = 0; round < 2000; round++) {
        char *copy = mem_dup(file.p, file.len);
        for (uint64_t n = 1 + rand_below(&r, 4); n > 0; n--)
            copy[9 + rand_below(&r, file.len - 9)] = (char)rand_next(&r);
        load_damaged(span_of(copy, file.len), false, (size_t)round);
        mem_free(copy);
    }
    buf_free(&file);
}

Test(rdb, a_file_that_ends_too_early_is_refused_at_every_length)
{
    struct buf file = {0};
    small_file(&file, true);
    for (size_t n = 0; n < file.len; n++) load_damaged(span_of(file.p, n), true, n);
    buf_free(&file);
}

/* Files put together by hand. */
static struct fixture f;
static struct buf body;

static void setup(void)
{
    fixture_init(&f);
    body = (struct buf){0};
}

static void teardown(void)
{
    fixture_free(&f);
    buf_free(&body);
}

TestSuite(rdb_forms, .init = setup, .fini = teardown);

#define ADD(bytes) buf_add_span(&body, SPAN(bytes))

/* Load the body behind a header of @version, with an EOF and no checksum behind it. The body is empty then. */
static enum err load_body(const char *version, struct errmsg *m)
{
    struct buf file = {0};
    struct rdb_loaded loaded;
    buf_printf(&file, "REDIS%s", version);
    buf_add_span(&file, buf_span(&body));
    buf_add(&file, "\xFF\0\0\0\0\0\0\0\0", 9);
    m->text[0] = '\0';
    const enum err e = load(buf_span(&file), f.engine, &loaded, m);
    buf_free(&file);
    buf_reset(&body, SIZE_MAX);
    return e;
}

static void expect_loaded(const char *version)
{
    struct errmsg m;
    cr_assert_eq(load_body(version, &m), ERR_OK, "%s", m.text);
}

static void expect_refused(const char *version, enum err e, const char *words)
{
    struct errmsg m;
    cr_expect_eq(load_body(version, &m), e, "%s", m.text);
    cr_expect(strstr(m.text, words), "%s", m.text);
    (void)fixture_do(&f, "FLUSHALL");
}

#define EXPECT(expected, ...) cr_expect_str_eq(fixture_do(&f, __VA_ARGS__), expected, "%s", f.reply.p)

/* A ziplist with every encoding: "a" 5 300 -128 -8388608 2147483647 -9223372036854775808 and 64 times "x". */
static void add_ziplist(void)
{
    struct buf z = {0};
    const char head[10] = {105, 0, 0, 0, 43, 0, 0, 0, 8, 0};
    char xs[64];
    memset(xs, 'x', sizeof xs);
    buf_add(&z, head, sizeof head);
    buf_add_span(&z, SPAN("\x00\x01"
                          "a"
                          "\x03\xF6"
                          "\x02\xC0\x2C\x01"
                          "\x04\xFE\x80"
                          "\x03\xF0\x00\x00\x80"));
    buf_add_span(&z, SPAN("\x05\xD0\xFF\xFF\xFF\x7F"
                          "\x06\xE0\x00\x00\x00\x00\x00\x00\x00\x80"
                          "\x0A\x40\x40"));
    buf_add(&z, xs, sizeof xs);
    buf_add_char(&z, '\xFF');
    z.p[0] = (char)z.len;
    cr_assert_eq(z.len, 111);
    buf_add_char(&body, 0x40);
    buf_add_char(&body, (char)z.len);
    buf_add_span(&body, buf_span(&z));
    buf_free(&z);
}

Test(rdb_forms, lists_of_all_versions_are_understood)
{
    ADD("\x01\1l\2\1a\xC0\x05");
    expect_loaded("0003");
    EXPECT("*2\r\n$1\r\na\r\n$1\r\n5\r\n", "LRANGE l 0 -1");
    ADD("\x0A\2zl");
    add_ziplist();
    expect_loaded("0006");
    EXPECT("*7\r\n$1\r\na\r\n$1\r\n5\r\n$3\r\n300\r\n$4\r\n-128\r\n$8\r\n-8388608\r\n$10\r\n2147483647\r\n"
           "$20\r\n-9223372036854775808\r\n",
           "LRANGE zl 0 6");
    EXPECT(":8\r\n", "LLEN zl");
    ADD("\x0E\2ql\2");
    add_ziplist();
    add_ziplist();
    expect_loaded("0009");
    EXPECT(":16\r\n", "LLEN ql");
}

Test(rdb_forms, hashes_of_all_versions_are_understood)
{
    ADD("\x04\1h\2\1a\1x\1b\1y");
    ADD("\x09\1m\x0D\2\1f\1\0v\1g\1\1w_\xFF");
    expect_loaded("0002");
    EXPECT("$1\r\ny\r\n", "HGET h b");
    EXPECT("*2\r\n$1\r\nv\r\n$1\r\nw\r\n", "HMGET m f g");
    ADD("\x0D\2zh");
    add_ziplist();
    expect_loaded("0006");
    EXPECT("$4\r\n-128\r\n", "HGET zh 300");
    EXPECT(":4\r\n", "HLEN zh");
}

Test(rdb_forms, sets_and_sorted_sets_of_all_versions_are_understood)
{
    ADD("\x03\1z\2\1a\3"
        "1.5\1b\xFE");
    ADD("\x0B\1i\x0C\2\0\0\0\2\0\0\0\1\0\7\0");
    ADD("\x14\1s\x0C\x0C\0\0\0\2\0\x81"
        "a\2\1\1\xFF");
    expect_loaded("0011");
    EXPECT("*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n$3\r\ninf\r\n", "ZRANGE z 0 -1 WITHSCORES");
    EXPECT("*2\r\n:1\r\n:1\r\n", "SMISMEMBER i 1 7");
    EXPECT("*2\r\n:1\r\n:1\r\n", "SMISMEMBER s 1 a");
    ADD("\x0C\2zz\x15\x15\0\0\0\x12\0\0\0\4\0\0\1"
        "a\3\xF2\2\1"
        "b\3\xF3\xFF");
    expect_loaded("0006");
    EXPECT("*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n", "ZRANGE zz 0 -1 WITHSCORES");
}

Test(rdb_forms, expiry_times_idle_times_and_frequencies_stand_before_a_key)
{
    ADD("\xFD\x00\x94\x35\x77\0\1s\1v");
    ADD("\xFC\x01\0\0\0\x10\0\0\0\xF8\5\0\1m\1v");
    ADD("\xF9\7\0\1n\1v");
    (void)fixture_do(&f, "DBSIZE"); /* tells the engine the time */
    expect_loaded("0009");
    EXPECT(":5\r\n", "OBJECT IDLETIME m");
    EXPECT(":0\r\n", "OBJECT IDLETIME n");
    EXPECT(":2000000000\r\n", "EXPIRETIME s");
    EXPECT(":68719476737\r\n", "PEXPIRETIME m");
    EXPECT(":-1\r\n", "PEXPIRETIME n");
    (void)fixture_do(&f, "FLUSHALL");
    struct eviction_settings lfu = *engine_eviction(f.engine);
    lfu.policy = EVICT_ALLKEYS_LFU;
    engine_set_eviction(f.engine, &lfu);
    ADD("\xF9\7\0\1n\1v");
    ADD("\0\1o\1v");
    expect_loaded("0009");
    EXPECT(":7\r\n", "OBJECT FREQ n");
    EXPECT(":5\r\n", "OBJECT FREQ o");
    ADD("\xFC\x01\0\0\0\0\0\0\x80\0\1m\1v");
    expect_refused("0009", ERR_CORRUPT, "1970");
}

Test(rdb_forms, a_compressed_string_is_unpacked)
{
    char text[1000], packed[1000];
    memset(text, 'q', sizeof text);
    const unsigned n = lzf_compress(text, sizeof text, packed, sizeof packed);
    cr_assert(n > 0 && n < 64);
    ADD("\0\1s\xC3");
    buf_add_char(&body, (char)n);
    ADD("\x43\xE8");
    buf_add(&body, packed, n);
    expect_loaded("0010");
    EXPECT(":1000\r\n", "STRLEN s");
    EXPECT("$3\r\nqqq\r\n", "GETRANGE s 997 -1");
    ADD("\0\1s\xC3\2\x80\x10\0\0\0ab");
    expect_refused("0010", ERR_CORRUPT, "compressed");
    ADD("\0\1s\xC3\2\4\x20\x20");
    expect_refused("0010", ERR_CORRUPT, "compressed");
}

Test(rdb_forms, a_string_may_be_longer_than_a_client_could_make_it)
{
    engine_set_max_bulk(f.engine, 2);
    ADD("\0\1s\3abc");
    expect_loaded("0010");
    EXPECT("$3\r\nabc\r\n", "GET s");
}

#define ID_1_1 "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"
#define TIME_5 "\5\0\0\0\0\0\0\0"
/* Behind the nodes, of which there are none: size 0, last ID 5-1; one group "g" at 1-1 ... */
#define STREAM_BEGIN "\0\0\5\1"
#define STREAM_MARKS "\0\0\4\1\7"
/* ... with one pending entry, given twice at 5 ms, to "c", who was seen at that time. */
#define GROUP_BEGIN "\1\1g\1\1"
#define PENDING     "\1" ID_1_1 TIME_5 "\2\1\1c" TIME_5
#define OWN_PENDING "\1" ID_1_1

static void expect_pending(const char *version)
{
    expect_loaded(version);
    EXPECT("*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:1699999999995\r\n:2\r\n", "XPENDING q g - + 10");
    EXPECT("-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n", "XADD q 5-1 f v");
    (void)fixture_do(&f, "FLUSHALL");
}

Test(rdb_forms, streams_of_all_versions_are_read)
{
    f.now_ms = 1700000000000;
    ADD("\x0F\1q" STREAM_BEGIN GROUP_BEGIN PENDING OWN_PENDING);
    expect_pending("0009");
    ADD("\x13\1q" STREAM_BEGIN STREAM_MARKS GROUP_BEGIN "\6" PENDING OWN_PENDING);
    expect_pending("0010");
    ADD("\x15\1q" STREAM_BEGIN STREAM_MARKS GROUP_BEGIN "\6" PENDING TIME_5 OWN_PENDING);
    expect_pending("0011");
}

Test(rdb_forms, counters_beyond_all_counting_of_streams_are_brought_to_what_the_log_can_say)
{
#define BEYOND "\x81\xff\xff\xff\xff\xff\xff\xff\xfe"
    ADD("\x13\1q\0\0\5\1\0\0\4\1" BEYOND GROUP_BEGIN BEYOND "\1" ID_1_1 TIME_5 BEYOND "\1\1c" TIME_5 OWN_PENDING);
    expect_loaded("0010");
    engine_check(f.engine);
    cr_expect(strstr(fixture_do(&f, "XPENDING q g - + 9"), ":9223372036854775807\r\n"));
    cr_expect(strstr(fixture_do(&f, "XINFO STREAM q"), "entries-added\r\n:9223372036854775807\r\n"));
    cr_expect(strstr(fixture_do(&f, "XINFO GROUPS q"), "entries-read\r\n$-1\r\n"));
}

Test(rdb_forms, damaged_streams_are_refused)
{
    ADD("\x0F\1q\1\x0Fshort-of-a-byte\0");
    expect_refused("0009", ERR_CORRUPT, "an ID that is none");
    ADD("\x0F\1q\1\x10" ID_1_1 "\7\7\0\0\0\0\0\xFF");
    expect_refused("0009", ERR_CORRUPT, "a damaged stream: a node");
    ADD("\x0F\1q\0\1\5\1\0");
    expect_refused("0009", ERR_CORRUPT, "another number of entries");
    ADD("\x0F\1q" STREAM_BEGIN GROUP_BEGIN PENDING "\0");
    expect_refused("0009", ERR_CORRUPT, "without a consumer");
    ADD("\x0F\1q" STREAM_BEGIN GROUP_BEGIN "\0\1\1c" TIME_5 OWN_PENDING);
    expect_refused("0009", ERR_CORRUPT, "not pending");
}

Test(rdb_forms, what_is_not_supported_is_named)
{
    ADD("\xF6\1x");
    expect_refused("0010", ERR_FOREIGN, "functions in the form of a preview of Redis 7.0");
    ADD("\x07\1m\x81\x00\x10\x83\x10\x51\x87\x20\x00");
    expect_refused("0010", ERR_FOREIGN, "module type 'ABCDEFGHI'");
    ADD("\xF7\x81\x00\x10\x83\x10\x51\x87\x20\x00");
    expect_refused("0010", ERR_FOREIGN, "module type 'ABCDEFGHI'");
    ADD("\xFE\x10");
    expect_refused("0010", ERR_FOREIGN, "database 16");
    expect_refused("0012", ERR_FOREIGN, "version 12");
    expect_refused("abcd", ERR_FOREIGN, "not an RDB file");
    struct rdb_loaded loaded;
    struct errmsg m;
    cr_expect_eq(load(SPAN("VALKEY080....."), f.engine, &loaded, &m), ERR_FOREIGN);
    cr_expect(strstr(m.text, "RDB version 80 (written by Valkey) is not supported"), "%s", m.text);
    cr_expect_eq(load(SPAN("REDIS0012....."), f.engine, &loaded, &m), ERR_FOREIGN);
    cr_expect(strstr(m.text, "RDB version 12 (written by Redis 7.4 or later) is not supported"), "%s", m.text);
    cr_expect_eq(load(SPAN(""), f.engine, &loaded, &m), ERR_TRUNCATED);
}

Test(rdb_forms, nothing_may_stand_there_twice)
{
    ADD("\0\1a\1x\0\1a\1y");
    expect_refused("0010", ERR_CORRUPT, "a key stands there twice, at offset 19");
    ADD("\2\1s\2\1a\1a");
    expect_refused("0010", ERR_CORRUPT, "an element stands there twice");
    ADD("\4\1h\2\1a\1x\1a\1y");
    expect_refused("0010", ERR_CORRUPT, "an element stands there twice");
    ADD("\x10\1h\x13\x13\0\0\0\4\0\x81"
        "a\2\x81"
        "x\2\x81"
        "a\2\x81"
        "y\2\xFF");
    expect_refused("0010", ERR_CORRUPT, "an element stands there twice");
    ADD("\5\1z\2\1a\0\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\x10\0");
    expect_refused("0010", ERR_CORRUPT, "an element stands there twice");
}

Test(rdb_forms, absurd_lengths_are_refused_before_anything_is_allocated)
{
    ADD("\0\1a\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    expect_refused("0010", ERR_CORRUPT, "a string of 9223372036854775807 bytes");
    ADD("\0\1a\x80\x10\0\0\0");
    expect_refused("0010", ERR_CORRUPT, "does not fit into what is left");
    ADD("\2\1s\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    expect_refused("0010", ERR_CORRUPT, "do not fit into what is left");
    ADD("\x12\1l\1\2\x80\x3F\xFF\xFF\xFF");
    expect_refused("0010", ERR_CORRUPT, "does not fit into what is left");
    ADD("\5\1z\1\1a\0\0\0\0\0\0\xF8\x7F");
    expect_refused("0010", ERR_CORRUPT, "not a number");
    ADD("\x16\1l\1");
    expect_refused("0010", ERR_CORRUPT, "no kind of value has the number 22");
}

Test(rdb_forms, an_empty_collection_is_left_out_as_redis_does)
{
    ADD("\1\1l\0\xFC\0\0\0\0\1\0\0\0\2\1s\0\0\1a\1b");
    expect_loaded("0009");
    EXPECT(":1\r\n", "DBSIZE");
    EXPECT(":-1\r\n", "TTL a");
}

static enum err remember_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct buf *seen = context;
    if (span_eq(name, SPAN("stop"))) return err_set(m, ERR_DIVERGED, "enough");
    buf_printf(seen, "%.*s=%.*s;", (int)name.n, name.p, (int)value.n, value.p);
    return ERR_OK;
}

Test(rdb_forms, aux_fields_are_handed_to_the_caller_who_may_stop)
{
    struct buf seen = {0}, file = {0};
    struct rdb_loaded loaded;
    struct errmsg m;
    struct rdb_target target = rdb_target_engine(f.engine);
    target.aux = remember_aux;
    target.aux_context = &seen;
    rdb_put_header(&file);
    rdb_put_aux(&file, SPAN("name"), SPAN("value"));
    rdb_put_aux_u64(&file, "number", UINT64_MAX);
    const size_t stop = file.len;
    rdb_put_eof(&file);
    rdb_put_checksum(&file, &(struct rdb_sum){0});
    struct cursor c = cursor_of(buf_span(&file));
    struct rdb_source source = rdb_source_span(&c);
    cr_expect_eq(rdb_load(&source, &target, &loaded, &m), ERR_OK);
    cr_expect(span_eq(buf_span(&seen), SPAN("name=value;number=18446744073709551615;")));
    file.len = stop;
    rdb_put_aux(&file, SPAN("stop"), SPAN("0"));
    c = cursor_of(buf_span(&file));
    source = rdb_source_span(&c);
    cr_expect_eq(rdb_load(&source, &target, &loaded, &m), ERR_DIVERGED);
    cr_expect_str_eq(m.text, "enough");
    buf_free(&seen);
    buf_free(&file);
}
