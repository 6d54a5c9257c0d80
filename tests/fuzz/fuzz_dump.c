/* `relevo check --dump` of files of strangers, and the packer that compresses snapshots: whatever the bytes are, what is
 * printed are lines that can be read back. Of a snapshot they make the data that a load of it makes; and with its strings
 * packed, however it was cut, it prints as the same.
 *
 * The first byte chooses: bit 1, the rest is a file of commands, of ours or of a Redis; otherwise a snapshot, whose version
 * less one is in the upper four bits, and the rest is what stands between its header and its end. */
#include <stdlib.h>
#include <string.h>

#include "common/engine.h"
#include "common/rdb.h"
#include "common/rdb_pack.h"
#include "replication/dump.h"
#include "tests/fuzz/target.h"
#include "tests/lib/simdisk.h"

enum { INPUT_MAX = 1 << 14 };

static bool keep(void *context, struct span text)
{
    buf_add_span(context, text);
    return true;
}

/* What --dump prints of a file. */
static enum err print(struct span file, struct buf *text)
{
    struct simdisk *disk = simdisk_new("/d");
    const struct io_ops io = simdisk_io(disk);
    const struct dump_options o = {.io = &io, .write = keep, .context = text};
    struct errmsg m = {""};
    simdisk_put(disk, "/d/file", file);
    const enum err e = dump_path("/d/file", &o, &m);
    REQUIRE(!e == !m.text[0]);
    simdisk_free(disk);
    return e;
}

/* ---- Reading it back ---- */

struct line {
    struct buf bytes; /* of all arguments */
    struct span argv[1 << 10];
    size_t ends[1 << 10], argc;
};

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    REQUIRE(at);
    return (int)(at - digits);
}

/* One argument in quotes at @at; gives the place behind it. */
static const char *read_quoted(struct line *l, const char *at, const char *end)
{
    static const char names[] = "nrtab", meant[] = "\n\r\t\a\b";
    for (at++; at < end && *at != '"'; at++) {
        char c = *at;
        REQUIRE(c >= ' ' && c <= '~');
        if (c == '\\') {
            const char *name = strchr(names, *++at);
            REQUIRE(at + 1 < end);
            if (*at == 'x') {
                c = (char)(digit(at[1]) << 4 | digit(at[2]));
                at += 2;
            } else {
                c = name ? meant[name - names] : *at;
            }
        }
        buf_add_char(&l->bytes, c);
    }
    REQUIRE(at < end);
    return at + 1;
}

static void read_line(struct line *l, const char *at, const char *end)
{
    l->bytes.len = l->argc = 0;
    while (at < end) {
        REQUIRE(l->argc < sizeof l->argv / sizeof *l->argv);
        if (*at == '"') at = read_quoted(l, at, end);
        else
            for (; at < end && *at != ' '; at++) buf_add_char(&l->bytes, *at);
        l->ends[l->argc++] = l->bytes.len;
        REQUIRE(at == end || *at == ' ');
        if (at < end) at++;
    }
    for (size_t i = 0, from = 0; i < l->argc; from = l->ends[i++])
        l->argv[i] = span_of(l->bytes.p + from, l->ends[i] - from);
}

/* Read all lines; where there is an engine, do what they say. */
static void follow(struct span text, struct engine *e)
{
    struct line *l = calloc(1, sizeof *l);
    struct session session = {0};
    for (const char *at = text.p, *stop = text.p + text.n, *end; at < stop; at = end + 1) {
        end = memchr(at, '\n', (size_t)(stop - at));
        REQUIRE(end);
        if (*at == '#') continue;
        struct errmsg m = {""};
        read_line(l, at, end);
        REQUIRE(l->argc > 0);
        if (e && !span_eq(l->argv[0], SPAN("FUNCTION")))
            REQUIRE(engine_replay(e, &session, l->argv, l->argc, &m) == ERR_OK);
    }
    buf_free(&l->bytes);
    free(l);
}

/* ---- Snapshots ---- */

static struct engine *engine_of(uint8_t secret)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    memset(options.hash_key, secret, sizeof options.hash_key);
    return engine_new(&options);
}

/* The lines make what a load makes, where a load takes the file at all: a dump does not mind a key that stands there twice,
 * or a database that a server does not have. */
static void compare(struct span file, struct span text)
{
    struct engine *loaded = engine_of(1), *told = engine_of(2);
    struct rdb_loaded facts;
    struct cursor c = cursor_of(file);
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = rdb_target_engine(loaded);
    uint8_t mine[ENGINE_DIGEST_BYTES], theirs[ENGINE_DIGEST_BYTES];
    if (rdb_load(&source, &target, &facts, NULL) == ERR_OK) {
        follow(text, told);
        engine_digest(loaded, mine);
        engine_digest(told, theirs);
        REQUIRE(!memcmp(mine, theirs, sizeof mine));
    }
    engine_free(loaded);
    engine_free(told);
}

static void pack(struct span file, size_t portion, struct buf *out)
{
    struct rdb_packer *p = rdb_packer_new();
    for (size_t at = 0; at < file.n; at += portion)
        rdb_packer_take(p, span_of(file.p + at, file.n - at < portion ? file.n - at : portion), out);
    rdb_packer_end(p, out);
    rdb_packer_free(p);
}

static void try_packed(struct span file, enum err expected, struct span text)
{
    struct buf whole = {0}, pieces = {0}, printed = {0};
    pack(file, file.n, &whole);
    pack(file, 1 + file.n % 13, &pieces);
    REQUIRE(span_eq(buf_span(&whole), buf_span(&pieces)));
    REQUIRE(whole.len <= file.n);
    REQUIRE(!print(buf_span(&whole), &printed) == !expected);
    REQUIRE(span_eq(buf_span(&printed), text));
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) return 0;
    const bool snapshot = !(data[0] & 2);
    struct buf file = {0}, text = {0};
    if (snapshot) buf_printf(&file, "REDIS%04u", 1u + (data[0] >> 4));
    buf_add(&file, data + 1, size - 1);
    if (snapshot) buf_add_span(&file, SPAN("\xFF\0\0\0\0\0\0\0\0"));
    const enum err e = print(buf_span(&file), &text);
    follow(buf_span(&text), NULL);
    if (snapshot && !e) compare(buf_span(&file), buf_span(&text));
    if (snapshot) try_packed(buf_span(&file), e, buf_span(&text));
    buf_free(&file);
    buf_free(&text);
    return 0;
}
