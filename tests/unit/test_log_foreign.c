/* Directories that a Redis wrote, wholly or in part; and fresh starts from a snapshot. */
#include "log_kit.h"

static const char select_and_set[] = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nr\r\n$1\r\n9\r\n";

/* What was loaded as foreign becomes ours by a checkpoint, and is found as such. */
static void expect_becomes_ours(struct kit *k, const char *loaded)
{
    cr_assert_eq(kit_open(k), ERR_OK, "%s", k->m.text);
    cr_expect(k->report.foreign);
    cr_expect_str_eq(k->loaded.p, loaded);
    cr_expect_not(lineage_is_set(&log_history(k->log)->lineage));
    cr_assert_eq(log_open_epoch(k->log, 0, &k->m), ERR_OK, "%s", k->m.text);
    cr_expect_eq(log_end(k->log), 0);
    cr_assert_eq(kit_checkpoint(k, "ours."), CHECKPOINT_DONE, "%s", k->m.text);
    k->stream.len = 0;
    kit_set(k, "after", "1");
    kit_close(k);
    cr_assert_eq(kit_open(k), ERR_OK, "%s", k->m.text);
    cr_expect(!k->report.foreign && !k->report.fresh);
    cr_expect_str_eq(k->loaded.p, "[ours.]SET after 1\n");
    kit_close(k);
}

static void redis_dir(struct kit *k, const char *manifest)
{
    kit_init(k);
    cr_assert_eq(mkdir(kit_path(k, "appendonlydir"), 0755), 0);
    kit_write(k, "appendonlydir/appendonly.aof.manifest", span_str(manifest));
}

Test(log_foreign, the_directory_of_a_redis_is_loaded_and_becomes_ours_with_the_next_checkpoint)
{
    struct kit k;
    redis_dir(&k, "file appendonly.aof.3.base.rdb seq 3 type b\nfile appendonly.aof.7.incr.aof seq 7 type i\n"
                  "file appendonly.aof.8.incr.aof seq 8 type i\nfile appendonly.aof.2.base.rdb seq 2 type h\n");
    kit_write(&k, BASE(3), SPAN("REDIS0010 data."));
    kit_write(&k, SEGMENT(7), SPAN("#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n"));
    kit_write(&k, SEGMENT(8), span_str(select_and_set));
    expect_becomes_ours(&k, "[REDIS0010 data.]PING\nSELECT 0\nSET r 9\n");
    cr_expect(!kit_has(&k, BASE(3)) && !kit_has(&k, SEGMENT(7)) && !kit_has(&k, SEGMENT(8)));
    cr_expect(kit_has(&k, BASE(4)) && kit_has(&k, SEGMENT(9)), "numbers go on");
    kit_end(&k);
}

Test(log_foreign, nothing_of_a_redis_is_touched_before_the_checkpoint_is_complete)
{
    struct kit k;
    redis_dir(&k, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    kit_write(&k, SEGMENT(1), span_str(select_and_set));
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
        cr_expect(k.report.foreign);
        cr_expect_str_eq(k.loaded.p, "SELECT 0\nSET r 9\n");
        cr_assert_eq(log_open_epoch(k.log, 0, &k.m), ERR_OK, "%s", k.m.text);
        struct checkpoint *c;
        cr_assert_eq(checkpoint_begin(k.log, NULL, NULL, &c, &k.m), ERR_OK);
        checkpoint_abort(c);
        cr_expect_eq(checkpoint_wait(c, &k.m), CHECKPOINT_FAILED);
        checkpoint_free(c);
        kit_close(&k);
        cr_expect_not(kit_has(&k, "appendonlydir/relevo.manifest"));
    }
    kit_end(&k);
}

Test(log_foreign, transactions_are_loaded_whole_or_not_at_all)
{
    struct kit k;
    redis_dir(&k, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    struct buf text = {0};
    buf_add_span(&text, SPAN("*1\r\n$5\r\nMULTI\r\n"));
    buf_add_span(&text, span_str(select_and_set));
    buf_add_span(&text, SPAN("*1\r\n$4\r\nEXEC\r\n*1\r\n$5\r\nMULTI\r\n"));
    buf_add_span(&text, span_str(select_and_set));
    kit_write(&k, SEGMENT(1), buf_span(&text));
    expect_becomes_ours(&k, "SELECT 0\nSET r 9\n");
    buf_free(&text);
    kit_end(&k);
}

Test(log_foreign, a_truncated_file_of_a_redis_is_loaded_if_it_is_the_last_and_that_is_wanted)
{
    struct kit k;
    redis_dir(&k, "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n");
    kit_write(&k, SEGMENT(1), span_str(select_and_set));
    kit_write(&k, SEGMENT(2), span_of(select_and_set, sizeof select_and_set - 4));
    k.options.load_truncated = false;
    cr_expect_eq(kit_open(&k), ERR_TRUNCATED);
    k.options.load_truncated = true;
    kit_write(&k, SEGMENT(1), span_of(select_and_set, sizeof select_and_set - 4));
    cr_expect_eq(kit_open(&k), ERR_TRUNCATED);
    kit_write(&k, SEGMENT(1), span_str(select_and_set));
    expect_becomes_ours(&k, "SELECT 0\nSET r 9\nSELECT 0\n");
    kit_end(&k);
}

Test(log_foreign, a_damaged_file_of_a_redis_is_refused_with_its_place)
{
    struct kit k;
    redis_dir(&k, "file appendonly.aof.1.incr.aof seq 1 type i\n");
    kit_write(&k, SEGMENT(1), SPAN("*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n"));
    cr_expect_eq(kit_open(&k), ERR_CORRUPT);
    cr_expect(strstr(k.m.text, "appendonly.aof.1.incr.aof, at byte 14"), "%s", k.m.text);
    kit_end(&k);
}

Test(log_foreign, an_old_single_file_with_an_rdb_in_front_and_a_bare_dump_are_loaded)
{
    struct kit k;
    kit_init(&k);
    kit_write(&k, "dump.rdb", SPAN("REDIS0009 dump."));
    kit_write(&k, "appendonly.aof", SPAN("REDIS0009 old.*1\r\n$4\r\nPING\r\n"));
    expect_becomes_ours(&k, "[REDIS0009 old.]PING\n");
    kit_end(&k);
    kit_init(&k);
    kit_write(&k, "dump.rdb", SPAN("REDIS0009 dump."));
    expect_becomes_ours(&k, "[REDIS0009 dump.]");
    cr_expect(kit_has(&k, "dump.rdb"));
    kit_end(&k);
}

Test(log_foreign, what_a_redis_appended_to_our_last_segment_begins_a_new_lineage)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    kit_close(&k);
    kit_append_file(&k, SEGMENT(1), span_str(select_and_set));
    expect_becomes_ours(&k, "SET a 1\nSELECT 0\nSET r 9\n");
    cr_expect(kit_has(&k, SEGMENT(2)));
    kit_end(&k);
}

Test(log_foreign, a_tail_of_ours_that_a_redis_cut_and_continued_is_not_taken_for_torn)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    const uint64_t first = log_end(k.log);
    kit_add(&k, "b", "2");
    kit_add(&k, "c", "3");
    kit_append(&k);
    kit_close(&k);
    /* The batch of b and c lost its last command; a Redis has cut the rest off and gone on. */
    const size_t command = sizeof "*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n" - 1;
    kit_write(&k, SEGMENT(1), span_of(k.stream.p, k.stream.len - command));
    kit_append_file(&k, SEGMENT(1), span_str(select_and_set));
    cr_assert_lt(first, k.stream.len);
    expect_becomes_ours(&k, "SET a 1\nSET b 2\nSELECT 0\nSET r 9\n");
    kit_end(&k);
}

Test(log_foreign, a_manifest_that_a_redis_rewrote_counts_and_one_of_ours_that_is_old_does_not)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    struct buf old = {0};
    kit_read(&k, "appendonlydir/appendonly.aof.manifest", &old);
    cr_assert_eq(kit_checkpoint(&k, "one."), CHECKPOINT_DONE, "%s", k.m.text);
    kit_close(&k);
    kit_write(&k, "appendonlydir/appendonly.aof.manifest", buf_span(&old));
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_not(k.report.foreign);
    cr_expect_str_eq(k.loaded.p, "[one.]");
    kit_close(&k);
    kit_write(&k, "appendonlydir/appendonly.aof.manifest",
              SPAN("file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.3.incr.aof seq 3 type i\n"));
    kit_write(&k, BASE(2), SPAN("REDIS0010 rewritten."));
    kit_write(&k, SEGMENT(3), span_str(select_and_set));
    expect_becomes_ours(&k, "[REDIS0010 rewritten.]SELECT 0\nSET r 9\n");
    buf_free(&old);
    kit_end(&k);
}

/* Fresh starts. */

static struct history snapshot_history(struct position *p)
{
    struct history h = {.lineage = {{42}}};
    cr_assert_eq(history_add(&h, &(struct epoch){.number = 3, .id = 333, .start = 0}), ERR_OK);
    cr_assert_eq(history_add(&h, &(struct epoch){.number = 8, .id = 888, .start = 5000, .crc = 77}), ERR_OK);
    *p = (struct position){.epoch = 8, .offset = 5000, .crc = 77};
    return h;
}

static const char *salvaged(const struct kit *k)
{
    static char name[300];
    DIR *d = opendir(k->dir);
    const struct dirent *entry;
    name[0] = 0;
    while ((entry = readdir(d)))
        if (strstr(entry->d_name, ".salvage-") || strstr(entry->d_name, "temp-replaced-"))
            (void)snprintf(name, sizeof name, "%s", entry->d_name);
    (void)closedir(d);
    return name;
}

Test(log_install, a_snapshot_replaces_what_was_there_and_the_log_goes_on_at_its_position)
{
    for (unsigned keep = 0; keep < 2; keep++) {
        struct kit k;
        struct position p;
        struct history h = snapshot_history(&p);
        kit_init(&k);
        kit_begin(&k);
        kit_set(&k, "old", "1");
        kit_write(&k, "received.rdb", SPAN("received."));
        cr_assert_eq(log_install_base(k.log, kit_path(&k, "received.rdb"), &p, &h, keep, &k.m), ERR_OK, "%s",
                     k.m.text);
        cr_expect(log_end(k.log) == 5000 && log_durable(k.log) == 5000 && log_position(k.log).epoch == 8);
        cr_expect_not(kit_has(&k, "received.rdb"));
        kit_set(&k, "new", "2");
        kit_close(&k);
        cr_expect_eq(salvaged(&k)[0] != 0, keep);
        cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
        cr_expect_str_eq(k.loaded.p, "[received.]SET new 2\n");
        cr_expect_gt(log_end(k.log), 5000);
        cr_assert_eq(log_open_epoch(k.log, 0, &k.m), ERR_OK);
        cr_expect_eq(log_position(k.log).epoch, 9);
        history_free(&h);
        kit_end(&k);
    }
}

Test(log_install, a_fresh_replica_and_one_with_the_data_of_a_redis_take_a_snapshot)
{
    for (unsigned redis = 0; redis < 2; redis++) {
        struct kit k;
        struct position p;
        struct history h = snapshot_history(&p);
        kit_init(&k);
        if (redis) kit_write(&k, "appendonly.aof", span_str(select_and_set));
        cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
        if (redis) cr_expect_eq(log_adopt_history(k.log, &h, &k.m), ERR_DIVERGED);
        kit_write(&k, "received.rdb", SPAN("received."));
        cr_assert_eq(log_install_base(k.log, kit_path(&k, "received.rdb"), &p, &h, true, &k.m), ERR_OK, "%s",
                     k.m.text);
        kit_close(&k);
        cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
        cr_expect_str_eq(k.loaded.p, "[received.]");
        history_free(&h);
        kit_end(&k);
    }
}

Test(log_install, a_crash_between_the_two_renames_is_finished_by_the_next_start)
{
    struct kit k;
    struct position p;
    struct history h = snapshot_history(&p);
    kit_init(&k);
    kit_begin(&k);
    kit_write(&k, "received.rdb", SPAN("received."));
    cr_assert_eq(log_install_base(k.log, kit_path(&k, "received.rdb"), &p, &h, false, &k.m), ERR_OK, "%s", k.m.text);
    kit_close(&k);
    char *from = path_join(k.dir, "appendonlydir"), *to = path_join(k.dir, "appendonlydir.new");
    cr_assert_eq(rename(from, to), 0);
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "[received.]");
    kit_close(&k);
    /* A directory that was not complete yet goes. */
    cr_assert_eq(mkdir(to, 0755), 0);
    kit_write(&k, "appendonlydir.new/anything", SPAN("x"));
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_not(file_exists(&io_posix, to));
    mem_free(from);
    mem_free(to);
    history_free(&h);
    kit_end(&k);
}
