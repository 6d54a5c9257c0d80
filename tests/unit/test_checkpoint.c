#include <sched.h>

#include "common/mem.h"
#include "common/piece.h"
#include "common/rdb.h"
#include "log_kit.h"

Test(checkpoint, a_base_stands_for_all_before_it_and_the_log_goes_on_behind)
{
    struct kit k;
    kit_init(&k);
    k.options.retain_bytes = 0;
    kit_begin(&k);
    kit_set(&k, "a", "1");
    struct checkpoint *c;
    struct buf piece = {0};
    cr_assert_eq(checkpoint_begin(k.log, NULL, NULL, &c, &k.m), ERR_OK, "%s", k.m.text);
    const struct position at = checkpoint_position(c);
    cr_expect_eq(at.offset, k.stream.len);
    kit_set(&k, "meanwhile", "2");
    struct checkpoint *second;
    cr_expect_eq(checkpoint_begin(k.log, NULL, NULL, &second, &k.m), ERR_BUSY);
    buf_add_span(&piece, SPAN("image "));
    checkpoint_feed(c, &piece);
    cr_expect_null(piece.p);
    buf_add_span(&piece, SPAN("of a."));
    checkpoint_feed(c, &piece);
    cr_expect_eq(checkpoint_poll(c, &k.m), CHECKPOINT_RUNNING);
    checkpoint_finish(c);
    cr_assert_eq(checkpoint_wait(c, &k.m), CHECKPOINT_DONE, "%s", k.m.text);
    cr_expect_eq(checkpoint_written(c), 11);
    checkpoint_free(c);
    kit_set(&k, "b", "3");
    struct log_base base;
    cr_assert_eq(log_base_open(k.log, &base, &k.m), ERR_OK, "%s", k.m.text);
    cr_expect(base.position.offset == at.offset && base.position.crc == at.crc && base.size == 11);
    cr_expect_eq(base.history.count, 1);
    log_base_close(&base);
    kit_close(&k);
    cr_expect(!kit_has(&k, SEGMENT(1)) && kit_has(&k, SEGMENT(2)) && kit_has(&k, BASE(1)));
    struct buf manifest = {0};
    kit_read(&k, "appendonlydir/appendonly.aof.manifest", &manifest);
    buf_add_char(&manifest, 0);
    cr_expect_str_eq(manifest.p, "file appendonly.aof.1.base.rdb seq 1 type b\n"
                                 "file appendonly.aof.2.incr.aof seq 2 type i\n");
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "[image of a.]SET meanwhile 2\nSET b 3\n");
    buf_free(&manifest);
    kit_end(&k);
}

Test(checkpoint, one_that_is_aborted_leaves_the_old_base)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    cr_assert_eq(kit_checkpoint(&k, "first."), CHECKPOINT_DONE, "%s", k.m.text);
    kit_set(&k, "b", "2");
    struct checkpoint *c;
    struct buf piece = {0};
    cr_assert_eq(checkpoint_begin(k.log, NULL, NULL, &c, &k.m), ERR_OK);
    buf_add_span(&piece, SPAN("never"));
    checkpoint_feed(c, &piece);
    kit_set(&k, "c", "3");
    checkpoint_abort(c);
    cr_expect_eq(checkpoint_wait(c, &k.m), CHECKPOINT_FAILED);
    checkpoint_free(c);
    cr_expect(!kit_has(&k, BASE(2)) && !kit_has(&k, "appendonlydir/temp-appendonly.aof.2.base.rdb"));
    kit_close(&k);
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "[first.]SET b 2\nSET c 3\n");
    kit_end(&k);
}

Test(checkpoint, segments_stay_within_the_bounds_of_retention_and_while_they_are_pinned)
{
    struct kit k;
    kit_init(&k);
    k.options.retain_bytes = 100;
    kit_begin(&k);
    kit_set(&k, "a", "1");
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
    cr_expect(kit_has(&k, SEGMENT(1)), "one batch is less than 100 bytes");
    kit_set(&k, "b", "1");
    const uint64_t third = log_end(k.log);
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
    cr_expect(!kit_has(&k, SEGMENT(1)) && kit_has(&k, SEGMENT(2)));
    struct log_pin pin;
    cr_expect_eq(log_pin(k.log, 0, &pin), ERR_STALE);
    cr_expect_eq(log_pin(k.log, third - 1, &pin), ERR_OK);
    for (unsigned i = 0; i < 10; i++) {
        kit_set(&k, "c", "0123456789012345678901234567890123456789012345678901234567890123456789");
        cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
    }
    cr_expect(kit_has(&k, SEGMENT(2)) && kit_has(&k, SEGMENT(3)) && kit_has(&k, BASE(2)));
    log_pin_move(k.log, &pin, log_end(k.log));
    log_unpin(k.log, &pin);
    kit_set(&k, "d", "1");
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
    cr_expect(!kit_has(&k, SEGMENT(2)) && !kit_has(&k, SEGMENT(3)) && !kit_has(&k, BASE(2)));
    kit_close(&k);
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "[x.]");
    kit_end(&k);
}

Test(checkpoint, tighter_bounds_count_at_once_and_what_was_read_goes_when_nobody_reads_it)
{
    struct kit k;
    struct log_pin pin;
    kit_init(&k);
    kit_begin(&k);
    for (unsigned i = 0; i < 3; i++) {
        kit_set(&k, "a", "1");
        cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
        if (i == 1) cr_assert_eq(log_pin(k.log, log_end(k.log), &pin), ERR_OK);
    }
    cr_expect(kit_has(&k, SEGMENT(1)) && kit_has(&k, SEGMENT(2)) && kit_has(&k, BASE(2)));
    log_set_retention(k.log, 0, 0);
    while (kit_has(&k, SEGMENT(1)) || kit_has(&k, SEGMENT(2))) (void)sched_yield();
    cr_expect(kit_has(&k, SEGMENT(3)) && kit_has(&k, BASE(2)), "they are pinned");
    log_unpin(k.log, &pin);
    while (kit_has(&k, SEGMENT(3)) || kit_has(&k, BASE(2))) log_set_retention(k.log, 0, 0);
    cr_expect(kit_has(&k, BASE(3)) && kit_has(&k, SEGMENT(4)));
    kit_close(&k);
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "[x.]");
    kit_end(&k);
}

Test(checkpoint, a_plain_file_replaces_the_older_one_when_it_is_complete)
{
    struct kit k;
    kit_init(&k);
    kit_write(&k, "dump.rdb", SPAN("older"));
    for (unsigned abort = 0; abort < 2; abort++) {
        struct checkpoint *c;
        struct buf piece = {0}, got = {0};
        cr_assert_eq(checkpoint_begin_file(NULL, kit_path(&k, "dump.rdb"), NULL, NULL, &c, &k.m), ERR_OK, "%s",
                     k.m.text);
        buf_add_span(&piece, abort ? SPAN("partial") : SPAN("newer"));
        checkpoint_feed(c, &piece);
        if (abort) checkpoint_abort(c);
        else checkpoint_finish(c);
        cr_expect_eq(checkpoint_wait(c, &k.m), abort ? CHECKPOINT_FAILED : CHECKPOINT_DONE);
        checkpoint_free(c);
        kit_read(&k, "dump.rdb", &got);
        cr_expect(span_eq(buf_span(&got), SPAN("newer")));
        cr_expect_not(kit_has(&k, "temp-dump.rdb"));
        buf_free(&got);
    }
    struct checkpoint *c;
    cr_assert_eq(checkpoint_begin_file(NULL, kit_path(&k, "missing/dump.rdb"), NULL, NULL, &c, &k.m), ERR_OK);
    cr_expect_eq(checkpoint_wait(c, &k.m), CHECKPOINT_FAILED);
    cr_expect(strstr(k.m.text, "No such file"), "%s", k.m.text);
    checkpoint_free(c);
    kit_end(&k);
}

Test(checkpoint, what_a_crash_left_behind_is_cleared_away_at_the_next_start)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE);
    kit_set(&k, "a", "1");
    cr_assert_eq(kit_checkpoint(&k, "y."), CHECKPOINT_DONE);
    kit_close(&k);
    kit_write(&k, BASE(1), SPAN("gone from the manifest"));
    kit_write(&k, "appendonlydir/temp-appendonly.aof.3.base.rdb", SPAN("partial"));
    kit_write(&k, "appendonlydir/notes.txt", SPAN("somebody's"));
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect(!kit_has(&k, BASE(1)) && kit_has(&k, BASE(2)));
    cr_expect(!kit_has(&k, "appendonlydir/temp-appendonly.aof.3.base.rdb"));
    cr_expect(kit_has(&k, "appendonlydir/notes.txt"));
    kit_end(&k);
}

Test(checkpoint, older_bases_are_kept_with_the_log_behind_them_as_many_as_wanted)
{
    struct kit k;
    kit_init(&k);
    k.options.retain_bytes = 0;
    k.options.keep_bases = 2;
    kit_begin(&k);
    static const char *const texts[] = {"first.", "second.", "third.", "fourth."};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        kit_set(&k, "before", texts[i]);
        cr_assert_eq(kit_checkpoint(&k, texts[i]), CHECKPOINT_DONE, "%s", k.m.text);
    }
    /* Nothing came between: no generation of its own. */
    cr_assert_eq(kit_checkpoint(&k, "fourth."), CHECKPOINT_DONE, "%s", k.m.text);
    for (int start = 0; start < 2; start++) {
        struct log_stats stats;
        log_get_stats(k.log, &stats);
        cr_expect_eq(stats.kept_bases, 2);
        cr_expect(!kit_has(&k, BASE(1)) && kit_has(&k, BASE(2)) && kit_has(&k, BASE(3)));
        cr_expect(!kit_has(&k, BASE(4)) && kit_has(&k, BASE(5)));
        cr_expect(!kit_has(&k, SEGMENT(2)) && kit_has(&k, SEGMENT(3)) && kit_has(&k, SEGMENT(4)));
        kit_close(&k);
        cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
        cr_expect_str_eq(k.loaded.p, "[fourth.]");
    }
    log_set_keep(k.log, 0);
    cr_assert_eq(log_open_epoch(k.log, 0, &k.m), ERR_OK, "%s", k.m.text);
    kit_set(&k, "more", "1");
    cr_assert_eq(kit_checkpoint(&k, "fifth."), CHECKPOINT_DONE, "%s", k.m.text);
    cr_expect(!kit_has(&k, BASE(2)) && !kit_has(&k, BASE(3)) && !kit_has(&k, BASE(5)) && !kit_has(&k, SEGMENT(4)));
    kit_end(&k);
}

Test(checkpoint, pieces_are_put_into_their_order_on_the_disk_where_memory_is_too_small)
{
    enum { ROUNDS = 400, BYTES = 100000 };
    struct kit k;
    struct checkpoint *c;
    struct buf run = {0}, got = {0}, expected = {0};
    struct piece_writer w = {.out = &run};
    struct rdb_sum sum = {0};
    kit_init(&k);
    cr_assert_eq(checkpoint_begin_file(NULL, kit_path(&k, "dump.rdb"), NULL, NULL, &c, &k.m), ERR_OK);
    char *block = mem_alloc(BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        memset(block, 'a' + i % 26, BYTES);
        buf_add(piece_to(&w, 1), block, BYTES);
        piece_close(&w);
        checkpoint_feed_pieces(c, &run);
        buf_add(&expected, block, BYTES);
    }
    buf_add_span(piece_to(&w, 0), SPAN("first"));
    piece_insert(&w, 1);
    checkpoint_feed_pieces(c, &run);
    checkpoint_seal(c);
    checkpoint_finish(c);
    cr_expect_eq(checkpoint_wait(c, &k.m), CHECKPOINT_DONE, "%s", k.m.text);
    buf_insert(&expected, 0, "first", 5);
    rdb_put_eof(&expected);
    rdb_sum_add(&sum, buf_span(&expected));
    rdb_put_checksum(&expected, &sum);
    cr_expect_eq(checkpoint_written(c), expected.len);
    checkpoint_free(c);
    kit_read(&k, "dump.rdb", &got);
    cr_expect(span_eq(buf_span(&got), buf_span(&expected)));
    cr_expect_not(kit_has(&k, "temp-dump.rdb-kept"));
    mem_free(block);
    buf_free(&run);
    buf_free(&got);
    buf_free(&expected);
    kit_end(&k);
}
