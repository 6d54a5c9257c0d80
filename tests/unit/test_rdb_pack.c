#include <criterion/criterion.h>

#include "common/rdb.h"
#include "common/rdb_pack.h"
#include "tests/unit/random_commands.h"

static void put_entry(void *context, void *item, bool marked)
{
    (void)marked;
    rdb_put_entry(context, item);
}

/* The engine as a file, up to EOF. */
static void save(struct engine *e, struct buf *out)
{
    rdb_put_header(out);
    rdb_put_aux(out, SPAN("name"), SPAN("value"));
    rdb_put_aux_u64(out, "number", 1234567);
    rdb_put_function(out, SPAN("#!lua name=lib\n--                                                                 "
                               "                                                                                "));
    for (unsigned i = 0; i < engine_databases(e); i++) {
        uint64_t at = 0;
        rdb_put_db(out, i, engine_keys(e, i), engine_expires(e, i));
        do at = htable_scan(db_table(engine_db(e, i)), at, false, put_entry, out);
        while (at);
    }
    rdb_put_eof(out);
}

/* @file through a packer, in pieces of up to @most bytes. */
static void pack(struct span file, struct rand *r, size_t most, struct buf *out)
{
    struct rdb_packer *p = rdb_packer_new();
    while (file.n) {
        size_t n = 1 + (size_t)rand_below(r, most);
        if (n > file.n) n = file.n;
        rdb_packer_take(p, span_of(file.p, n), out);
        file = span_of(file.p + n, file.n - n);
    }
    rdb_packer_end(p, out);
    rdb_packer_free(p);
}

static struct engine *load(struct buf *file)
{
    const struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *e = engine_new(&options);
    struct rdb_sum sum = {0};
    struct rdb_loaded loaded;
    struct errmsg m;
    rdb_sum_add(&sum, buf_span(file));
    rdb_put_checksum(file, &sum);
    struct cursor c = cursor_of(buf_span(file));
    const struct rdb_source source = rdb_source_span(&c);
    const struct rdb_target target = rdb_target_engine(e);
    cr_assert_eq(rdb_load(&source, &target, &loaded, &m), ERR_OK, "%s", m.text);
    cr_expect_eq(loaded.bytes, file->len);
    return e;
}

Test(rdb_pack, what_comes_out_is_the_same_data_however_it_is_cut)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct fixture f;
        struct rand r = {seed};
        fixture_init(&f);
        for (int i = 0; i < 5000; i++) random_command(&f, &r, 60);
        for (int i = 0; i < 20; i++) {
            (void)fixture_do(&f, "SETRANGE long:%d %d %d", i, i * 997, i);
            (void)fixture_do(&f, "RPUSH lists:%d a%0500d b", i, i);
            (void)fixture_do(&f, "HSET pairs:%d f %0300d g %0400d", i, i, i);
        }
        struct buf file = {0};
        save(f.engine, &file);
        static const size_t sizes[] = {1, 7, 1000, 1 << 20};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct buf packed = {0};
            pack(buf_span(&file), &r, sizes[i], &packed);
            cr_expect_lt(packed.len, file.len - 30000, "%zu of %zu bytes", packed.len, file.len);
            struct engine *copy = load(&packed);
            cr_expect(engines_equal(f.engine, copy), "seed %llu, pieces of %zu", (unsigned long long)seed, sizes[i]);
            engine_free(copy);
            buf_free(&packed);
        }
        buf_free(&file);
        fixture_free(&f);
    }
}

Test(rdb_pack, what_is_not_understood_passes_unchanged)
{
    static const char *const files[] = {"no RDB file at all, and longer than a header", "short",
                                        "REDIS0010\xF7 a module's own aux field, which goes on as it came",
                                        "REDIS0010\xFA\x01n\xC3\x05\x20hello, that is compressed already"};
    struct rand r = {1};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct buf out = {0};
        pack(span_str(files[i]), &r, 3, &out);
        cr_expect(span_eq(buf_span(&out), span_str(files[i])), "%s", files[i]);
        buf_free(&out);
    }
}

Test(rdb_pack, a_string_that_does_not_shrink_and_an_aux_field_stay_as_they_are)
{
    struct buf file = {0}, out = {0};
    struct rand r = {7};
    char noise[1000];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)rand_below(&r, 256);
    rdb_put_header(&file);
    rdb_put_function(&file, span_of(noise, sizeof noise));
    memset(noise, 'x', sizeof noise);
    rdb_put_aux(&file, SPAN("aux"), span_of(noise, sizeof noise));
    rdb_put_eof(&file);
    pack(buf_span(&file), &r, 100, &out);
    cr_expect(span_eq(buf_span(&out), buf_span(&file)));
    buf_free(&file);
    buf_free(&out);
}
