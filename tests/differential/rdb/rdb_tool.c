/* Makes an RDB file of random data, or reads one, and prints the digest of the data: for rdb.py. */
#include <stdio.h>
#include <stdlib.h>

#include "common/rdb.h"
#include "common/types/list.h"
#include "tests/unit/random_commands.h"

static void put_entry(void *context, void *item, bool marked)
{
    (void)marked;
    rdb_put_entry(context, item);
}

static void save(struct engine *e, struct buf *out)
{
    struct rdb_sum sum = {0};
    rdb_put_header(out);
    rdb_put_aux_u64(out, "relevo-test", 1);
    for (unsigned i = 0; i < engine_databases(e); i++) {
        uint64_t at = 0;
        if (engine_keys(e, i) == 0) continue;
        rdb_put_db(out, i, engine_keys(e, i), engine_expires(e, i));
        do at = htable_scan(db_table(engine_db(e, i)), at, false, put_entry, out);
        while (at);
    }
    rdb_put_eof(out);
    rdb_sum_add(&sum, buf_span(out));
    rdb_put_checksum(out, &sum);
}

static void print_digest(const struct engine *e)
{
    uint8_t digest[ENGINE_DIGEST_BYTES];
    engine_digest(e, digest);
    for (size_t i = 0; i < sizeof digest; i++) (void)printf("%02x", digest[i]);
    (void)printf("\n");
}

/* A list with a node of its own for one element, longer than a fixture's line can say. */
static void add_large_element(struct fixture *f)
{
    static const char large[10000] = "large";
    f->session.db = 0;
    (void)fixture_do(f, "RPUSH plain a");
    list_append_plain(entry_object(db_find(engine_db(f->engine, 0), SPAN("plain"))), span_of(large, sizeof large));
    (void)fixture_do(f, "RPUSH plain b");
}

static int make(const char *seed, const char *commands, const char *path)
{
    struct fixture f;
    struct buf file = {0};
    struct rand r = {strtoull(seed, NULL, 10)};
    fixture_init(&f);
    f.now_ms = INT64_C(4102444800000); /* the year 2100: Redis must not find anything expired */
    engine_limits(f.engine)->list_max_listpack_size = r.state % 3 == 0 ? 5 : r.state % 3 == 1 ? -1 : -2;
    for (long i = strtol(commands, NULL, 10); i > 0; i--) random_command_of_redis7(&f, &r, 300);
    add_large_element(&f);
    save(f.engine, &file);
    FILE *out = fopen(path, "wb");
    const bool written = out && fwrite(file.p, 1, file.len, out) == file.len && fclose(out) == 0;
    print_digest(f.engine);
    buf_free(&file);
    fixture_free(&f);
    return written ? 0 : 1;
}

static enum err read_file(void *context, void *to, size_t n, size_t *got, struct errmsg *m)
{
    (void)m;
    *got = fread(to, 1, n, context);
    return ERR_OK;
}

static int digest(const char *path)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = engine_new(&options);
    const struct rdb_source source = {.context = fopen(path, "rb"), .read = read_file};
    const struct rdb_target target = rdb_target_engine(e);
    struct rdb_loaded loaded;
    struct errmsg m;
    if (!source.context) return 1;
    const enum err err = rdb_load(&source, &target, &loaded, &m);
    (void)fclose(source.context);
    if (err) (void)fprintf(stderr, "%s\n", m.text);
    else print_digest(e);
    engine_free(e);
    return err ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "make") == 0) return make(argv[2], argv[3], argv[4]);
    if (argc == 3 && strcmp(argv[1], "digest") == 0) return digest(argv[2]);
    (void)fprintf(stderr, "usage: %s make SEED COMMANDS FILE | digest FILE\n", argv[0]);
    return 2;
}
