#include "common/keyspace.h"
#include "log_kit.h"
#include "replication/check.h"

static void note(void *context, const char *text)
{
    struct buf *report = context;
    buf_printf(report, "%s\n", text);
}

/* Check @name in the kit's directory ("" is the directory itself); the report goes to `loaded`. */
static struct check_result check(struct kit *k, const char *name, bool fix)
{
    struct check_result result;
    const struct check_options o = {.fix = fix, .line = note, .context = &k->loaded};
    k->loaded.len = 0;
    cr_assert_eq(check_path(kit_path(k, name), &o, &result, &k->m), ERR_OK, "%s", k->m.text);
    buf_add_char(&k->loaded, 0);
    return result;
}

static void rdb_file(struct buf *out)
{
    struct rdb_sum sum = {0};
    rdb_put_header(out);
    rdb_put_aux(out, SPAN("by"), SPAN("test"));
    rdb_put_eof(out);
    rdb_sum_add(&sum, buf_span(out));
    rdb_put_checksum(out, &sum);
}

/* A base that is an RDB file, two segments. */
static void sound(struct kit *k, uint64_t *second)
{
    struct buf rdb = {0};
    struct checkpoint *c;
    kit_init(k);
    kit_begin(k);
    kit_set(k, "a", "1");
    cr_assert_eq(checkpoint_begin(k->log, NULL, NULL, &c, &k->m), ERR_OK);
    rdb_file(&rdb);
    checkpoint_feed(c, &rdb);
    checkpoint_finish(c);
    cr_assert_eq(checkpoint_wait(c, &k->m), CHECKPOINT_DONE, "%s", k->m.text);
    checkpoint_free(c);
    *second = log_end(k->log);
    kit_set(k, "b", "2");
    kit_set(k, "c", "3");
    kit_close(k);
}

Test(check, a_sound_directory_has_no_problem_from_wherever_it_is_named)
{
    struct kit k;
    uint64_t second;
    sound(&k, &second);
    static const char *const names[] = {"", "appendonlydir", BASE(1), SEGMENT(1)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_expect_eq(check(&k, names[i], false).problems, 0, "%s: %s", names[i], k.loaded.p);
    (void)check(&k, "", false);
    cr_expect(strstr(k.loaded.p, "incr.aof: 2 batches, log offsets "), "%s", k.loaded.p);
    cr_expect(strstr(k.loaded.p, "checksum right"), "%s", k.loaded.p);
    struct check_result r;
    const struct check_options o = {.line = note, .context = &k.loaded};
    cr_expect_eq(check_path(kit_path(&k, "nowhere"), &o, &r, &k.m), ERR_MISSING);
    kit_end(&k);
}

Test(check, every_flipped_byte_of_base_segments_and_manifest_is_found)
{
    struct kit k;
    uint64_t second;
    sound(&k, &second);
    static const char *const names[] = {BASE(1), SEGMENT(1), SEGMENT(2), "appendonlydir/relevo.manifest"};
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        struct buf file = {0};
        kit_read(&k, names[f], &file);
        for (size_t i = 0; i < file.len; i++) {
            file.p[i] = (char)(file.p[i] ^ 4);
            kit_write(&k, names[f], buf_span(&file));
            cr_expect_gt(check(&k, "", false).problems, 0, "%s, byte %zu: %s", names[f], i, k.loaded.p);
            file.p[i] = (char)(file.p[i] ^ 4);
        }
        kit_write(&k, names[f], buf_span(&file));
        buf_free(&file);
    }
    cr_expect_eq(check(&k, "", false).problems, 0);
    kit_end(&k);
}

Test(check, a_fix_cuts_at_the_damage_keeps_what_it_cut_and_lets_the_node_start)
{
    struct kit k;
    uint64_t second;
    struct buf file = {0}, kept = {0};
    sound(&k, &second);
    kit_read(&k, SEGMENT(2), &file);
    file.p[20] ^= 1; /* within the first of two batches */
    kit_write(&k, SEGMENT(2), buf_span(&file));
    cr_expect_eq(kit_open(&k), ERR_CORRUPT);
    const struct check_result r = check(&k, "", true);
    cr_expect(r.problems == 1 && r.fixed == 1, "%s", k.loaded.p);
    cr_expect(strstr(k.loaded.p, "whole batches again from byte "), "%s", k.loaded.p);
    kit_read(&k, SEGMENT(2) ".salvage-0", &kept);
    cr_expect(span_eq(buf_span(&kept), buf_span(&file)));
    cr_expect_eq(check(&k, "", false).problems, 0, "%s", k.loaded.p);
    cr_expect_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_eq(log_end(k.log), second);
    buf_free(&file);
    buf_free(&kept);
    kit_end(&k);
}

Test(check, the_files_of_a_redis_are_checked_and_cut_at_a_whole_command)
{
    struct kit k;
    struct buf text = {0}, file = {0};
    kit_init(&k);
    rdb_file(&text);
    const size_t rdb = text.len;
    buf_add_span(&text, SPAN("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI"));
    kit_write(&k, "appendonly.aof", buf_span(&text));
    const struct check_result r = check(&k, "", true);
    cr_expect(r.problems == 1 && r.fixed == 1, "%s", k.loaded.p);
    kit_read(&k, "appendonly.aof", &file);
    cr_expect_eq(file.len, rdb + 14);
    cr_expect_eq(check(&k, "appendonly.aof", false).problems, 0, "%s", k.loaded.p);
    buf_free(&text);
    buf_free(&file);
    kit_end(&k);
}
