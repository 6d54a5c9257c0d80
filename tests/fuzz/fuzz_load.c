/* A working directory whose files strangers wrote or damaged, loaded as a starting server does: whatever stands in it, it is
 * refused with a reason, or loads to data whose invariants hold. Of a log of our own that was damaged, what is loaded is
 * what was there, up to the last whole batch.
 *
 * The first byte says what the rest is:
 *   d  dump.rdb                       a  appendonly.aof, of old
 *   i  a segment that a Redis wrote   r  the manifest that a Redis wrote, beside a base and a segment
 *   p  the payload of a batch of ours, under a right checksum
 *   m  our manifest, under a right checksum
 *   s  edits (position of two bytes, value of one) of a segment of ours */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/engine.h"
#include "tests/fuzz/target.h"
#include "tests/lib/disk_load.h"
#include "tests/lib/whole_rdb.h"

enum { BATCHES = 4, INPUT_MAX = 20000, EDIT_BYTES = 3 };

#define SEGMENT "appendonly.aof.1.incr.aof"
#define BASE    "appendonly.aof.1.base.rdb"

struct bench {
    char dir[40], logs[60];
    struct io_ops io;
    struct engine *engine;
};

static void bench_init(struct bench *b)
{
    (void)snprintf(b->dir, sizeof b->dir, "%s/relevo-fuzz-XXXXXX",
                   access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
    REQUIRE(mkdtemp(b->dir));
    (void)snprintf(b->logs, sizeof b->logs, "%s/appendonlydir", b->dir);
    b->io = disk_load_io();
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    options.databases = 2;
    options.max_bulk = 1 << 20;
    b->engine = engine_new(&options);
}

static void bench_free(struct bench *b)
{
    struct errmsg m;
    engine_free(b->engine);
    REQUIRE(dir_remove(&b->io, b->logs, &m) == ERR_OK);
    REQUIRE(dir_remove(&b->io, b->dir, &m) == ERR_OK);
}

static void put(struct bench *b, const char *dir, const char *name, struct span content)
{
    struct errmsg m;
    REQUIRE(file_put(&b->io, dir, name, content, &m) == ERR_OK);
}

static void put_manifest(struct bench *b, struct span text)
{
    struct errmsg m;
    REQUIRE(dir_make(&b->io, b->logs, &m) == ERR_OK);
    put(b, b->logs, "appendonly.aof.manifest", text);
}

static enum err take_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    (void)context;
    (void)argv;
    (void)argc;
    (void)m;
    return ERR_OK;
}

/* A log of our own with @payload as its last batch, if there is one. */
static void write_ours(struct bench *b, struct span payload)
{
    struct log_options options = LOG_OPTIONS_DEFAULT;
    const struct log_loader loader = {.command = take_command};
    struct log_report report;
    struct buf batch = {0};
    struct errmsg m;
    struct log *log;
    options.dir = b->dir;
    options.io = &b->io;
    options.sync = LOG_SYNC_NO;
    REQUIRE(log_open(&options, &log, &m) == ERR_OK);
    REQUIRE(log_load(log, &loader, &report, &m) == ERR_OK);
    REQUIRE(log_open_epoch(log, 0, &m) == ERR_OK);
    for (unsigned i = 0; i <= BATCHES; i++) {
        batch_begin(&batch);
        if (i < BATCHES) buf_printf(&batch, "*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$1\r\n%u\r\n", i);
        else if (payload.n) buf_add_span(&batch, payload);
        else break;
        chunk_unref(log_append(log, 1700000000000, &batch));
    }
    buf_free(&batch);
    log_close(log);
}

static void damage_segment(struct bench *b, struct span edits)
{
    struct buf file = {0};
    struct errmsg m;
    char path[100];
    (void)snprintf(path, sizeof path, "%s/" SEGMENT, b->logs);
    REQUIRE(file_read(&b->io, path, 1 << 20, &file, &m) == ERR_OK);
    const unsigned char *at = (const unsigned char *)edits.p;
    for (size_t n = edits.n; n >= EDIT_BYTES; n -= EDIT_BYTES, at += EDIT_BYTES)
        file.p[(at[0] | (size_t)at[1] << 8) % file.len] = (char)at[2];
    /* A rest of one byte cuts so many bytes off. */
    if (edits.n % EDIT_BYTES == 1 && file.len > *at) file.len -= *at;
    put(b, b->logs, SEGMENT, buf_span(&file));
    buf_free(&file);
}

/* The list that the batches make must be there up to some element, and nothing else. */
static void require_prefix(struct bench *b)
{
    struct command_set *commands = command_set_new();
    engine_add_commands(commands);
    struct span argv[] = {SPAN("LRANGE"), SPAN("k"), SPAN("0"), SPAN("-1")};
    const struct request request = {.argv = argv, .argc = 4};
    struct buf out = {0}, expected = {0};
    struct reply reply = {.out = &out, .resp = 2};
    struct session session = {0};
    engine_execute(b->engine, &session, 0, command_find(commands, argv[0], argv[1]), &request, &reply, NULL);
    REQUIRE(out.len >= 4 && out.p[1] <= '0' + BATCHES);
    buf_printf(&expected, "*%c\r\n", out.p[1]);
    for (char i = '0'; i < out.p[1]; i++) buf_printf(&expected, "$1\r\n%c\r\n", i);
    REQUIRE(span_eq(buf_span(&out), buf_span(&expected)));
    REQUIRE(engine_keys(b->engine, 0) == (out.p[1] > '0') && engine_keys(b->engine, 1) == 0);
    command_set_free(commands);
    buf_free(&out);
    buf_free(&expected);
}

static void write_manifest(struct bench *b, struct span text)
{
    struct buf summed = {0};
    buf_add_span(&summed, text);
    buf_printf(&summed, "crc %08x\n", (unsigned)batch_crc32c(0, text.p, text.n));
    put(b, b->logs, "relevo.manifest", buf_span(&summed));
    buf_free(&summed);
}

static void write_base(struct bench *b)
{
    struct buf rdb = {0};
    whole_rdb(b->engine, &rdb);
    put(b, b->logs, BASE, buf_span(&rdb));
    buf_free(&rdb);
}

static bool lay_out(struct bench *b, char kind, struct span rest)
{
    static const char manifest[] = "file " SEGMENT " seq 1 type i\n";
    switch (kind) {
    case 'd': put(b, b->dir, "dump.rdb", rest); return true;
    case 'a': put(b, b->dir, "appendonly.aof", rest); return true;
    case 'i':
        put_manifest(b, SPAN(manifest));
        put(b, b->logs, SEGMENT, rest);
        return true;
    case 'r':
        put_manifest(b, rest);
        put(b, b->logs, SEGMENT, SPAN("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"));
        write_base(b);
        return true;
    case 'p': write_ours(b, rest); return true;
    case 'm':
        write_ours(b, span_of(NULL, 0));
        write_manifest(b, rest);
        return true;
    case 's':
        write_ours(b, span_of(NULL, 0));
        damage_segment(b, rest);
        return true;
    default: return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) return 0;
    struct bench b;
    struct log_report report;
    struct errmsg m = {{0}};
    bench_init(&b);
    if (lay_out(&b, (char)data[0], span_of(data + 1, size - 1))) {
        const enum err e = disk_load(b.dir, b.engine, &report, &m);
        REQUIRE(!e || m.text[0]);
        engine_check(b.engine);
        if (data[0] == 's') require_prefix(&b);
    }
    bench_free(&b);
    return 0;
}
