#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "log_kit.h"

Test(log, what_was_appended_is_there_after_a_restart_at_the_same_offsets)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    cr_expect(k.report.fresh && !k.report.foreign);
    kit_add(&k, "a", "1");
    kit_add(&k, "b", "2");
    kit_append(&k);
    kit_set(&k, "c", "3");
    const uint64_t end = log_end(k.log);
    cr_expect_eq(end, k.stream.len);
    kit_sync(&k);
    cr_expect(log_written(k.log) == end && log_durable(k.log) == end && log_backlog(k.log) == 0);
    struct batch_chain chain, again;
    log_chain(k.log, &chain);
    kit_close(&k);
    struct buf file = {0};
    kit_read(&k, SEGMENT(1), &file);
    cr_expect(span_eq(buf_span(&file), buf_span(&k.stream)), "the file holds the log and nothing else");
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_expect_str_eq(k.loaded.p, "SET a 1\nSET b 2\nSET c 3\n");
    cr_expect(k.report.batches == 2 && k.report.commands == 3 && k.report.cut_bytes == 0);
    log_chain(k.log, &again);
    cr_expect(again.offset == chain.offset && again.crc == chain.crc && again.epoch_id == chain.epoch_id);
    buf_free(&file);
    kit_end(&k);
}

Test(log, each_start_of_a_primary_opens_an_epoch_and_keeps_lineage_and_node)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    const struct node_id node = *log_node(k.log);
    const struct lineage lineage = log_history(k.log)->lineage;
    for (uint64_t i = 1; i < 5; i++) {
        cr_expect_eq(log_history(k.log)->count, i);
        cr_expect_eq(history_last(log_history(k.log))->number, i);
        cr_expect_eq(log_incarnation(k.log), i);
        kit_set(&k, "k", "v");
        kit_close(&k);
        kit_begin(&k);
        cr_expect(lineage_eq(&lineage, &log_history(k.log)->lineage));
        cr_expect_eq(memcmp(&node, log_node(k.log), sizeof node), 0);
        cr_expect_eq(k.report.batches, i);
    }
    kit_end(&k);
}

Test(log, a_directory_is_used_by_one_process_at_a_time)
{
    struct kit k, other;
    kit_init(&k);
    kit_begin(&k);
    other = k;
    other.loaded = (struct buf){0};
    cr_expect_eq(kit_open(&other), ERR_BUSY);
    buf_free(&other.loaded);
    kit_end(&k);
}

Test(log, cut_at_any_length_it_begins_with_the_whole_batches_before_the_cut)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    uint64_t ends[5];
    static const char *const wanted[] = {"", "SET a 1\n", "SET a 1\nSET b 22222222\n",
                                         "SET a 1\nSET b 22222222\nSET c 3\n"};
    ends[0] = 0;
    kit_set(&k, "a", "1");
    ends[1] = log_end(k.log);
    kit_set(&k, "b", "22222222");
    ends[2] = log_end(k.log);
    kit_set(&k, "c", "3");
    ends[3] = log_end(k.log);
    kit_close(&k);
    struct buf manifest = {0};
    kit_read(&k, "appendonlydir/relevo.manifest", &manifest);
    for (size_t n = 0; n <= k.stream.len; n++) {
        size_t whole = 0;
        while (whole < 3 && ends[whole + 1] <= n) whole++;
        kit_write(&k, SEGMENT(1), span_of(k.stream.p, n));
        kit_write(&k, "appendonlydir/relevo.manifest", buf_span(&manifest));
        cr_assert_eq(kit_open(&k), ERR_OK, "cut at %zu: %s", n, k.m.text);
        cr_expect_str_eq(k.loaded.p, wanted[whole]);
        cr_expect_eq(k.report.cut_bytes, n - ends[whole]);
        cr_expect_eq(log_end(k.log), ends[whole]);
        cr_assert_eq(log_open_epoch(k.log, 0, &k.m), ERR_OK);
        kit_set(&k, "after", "x");
        kit_close(&k);
        cr_assert_eq(kit_open(&k), ERR_OK, "after the cut at %zu: %s", n, k.m.text);
        cr_expect(strstr(k.loaded.p, "SET after x\n"));
        cr_expect_eq(k.report.cut_bytes, 0);
        kit_close(&k);
        k.stream.len = ends[3];
    }
    buf_free(&manifest);
    kit_end(&k);
}

Test(log, any_flipped_byte_is_refused_or_cuts_the_last_batch_but_never_gives_other_data)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    kit_set(&k, "b", "2");
    const uint64_t last = log_end(k.log);
    kit_set(&k, "c", "3");
    kit_close(&k);
    struct buf manifest = {0};
    kit_read(&k, "appendonlydir/relevo.manifest", &manifest);
    for (size_t i = 0; i < k.stream.len * 8; i++) {
        k.stream.p[i / 8] = (char)(k.stream.p[i / 8] ^ (1 << i % 8));
        kit_write(&k, SEGMENT(1), buf_span(&k.stream));
        kit_write(&k, "appendonlydir/relevo.manifest", buf_span(&manifest));
        const enum err e = kit_open(&k);
        if (i / 8 < last) {
            cr_expect_eq(e, ERR_CORRUPT, "bit %zu", i);
            cr_expect(strstr(k.m.text, "appendonly.aof.1.incr.aof is damaged at byte "), "%s", k.m.text);
            cr_expect(strstr(k.m.text, "relevo check --fix"), "%s", k.m.text);
        } else {
            cr_expect_eq(e, ERR_OK, "bit %zu: %s", i, k.m.text);
            cr_expect_str_eq(k.loaded.p, "SET a 1\nSET b 2\n");
            cr_expect_gt(k.report.cut_bytes, 0);
        }
        kit_close(&k);
        k.stream.p[i / 8] = (char)(k.stream.p[i / 8] ^ (1 << i % 8));
    }
    buf_free(&manifest);
    kit_end(&k);
}

Test(log, a_batch_that_was_whole_once_is_kept_when_it_is_cut_off)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    kit_close(&k);
    k.stream.p[k.stream.len - 3] ^= 1;
    kit_write(&k, SEGMENT(1), buf_span(&k.stream));
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    struct buf kept = {0};
    kit_read(&k, "appendonlydir/salvage-0.aof", &kept);
    cr_expect(span_eq(buf_span(&kept), buf_span(&k.stream)));
    buf_free(&kept);
    kit_end(&k);
}

Test(log, a_missing_segment_and_a_foreign_manifest_are_refused_by_name)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_set(&k, "a", "1");
    kit_close(&k);
    cr_assert_eq(unlink(kit_path(&k, SEGMENT(1))), 0);
    cr_expect_eq(kit_open(&k), ERR_MISSING);
    cr_expect(strstr(k.m.text, "appendonly.aof.1.incr.aof"), "%s", k.m.text);
    struct buf text = {0};
    buf_add_span(&text, SPAN("relevo-manifest 9\n"));
    buf_printf(&text, "crc %08x\n", batch_crc32c(0, text.p, text.len));
    kit_write(&k, "appendonlydir/relevo.manifest", buf_span(&text));
    cr_expect_eq(kit_open(&k), ERR_FOREIGN);
    cr_expect(strstr(k.m.text, "relevo-manifest 9"), "%s", k.m.text);
    buf_free(&text);
    kit_end(&k);
}

Test(log, a_replica_that_appends_the_chunks_of_a_primary_has_the_same_bytes)
{
    struct kit p, r;
    kit_init(&p);
    kit_init(&r);
    kit_begin(&p);
    cr_assert_eq(kit_open(&r), ERR_OK);
    cr_assert_eq(log_adopt_history(r.log, log_history(p.log), &r.m), ERR_OK, "%s", r.m.text);
    for (unsigned i = 0; i < 100; i++) {
        kit_add(&p, "key", "value");
        struct chunk *c = log_append(p.log, 1, &p.batch);
        log_append_chunk(r.log, c);
        chunk_unref(c);
        if (i == 50) {
            cr_assert_eq(log_open_epoch(p.log, 7, &p.m), ERR_OK);
            cr_assert_eq(log_adopt_history(r.log, log_history(p.log), &r.m), ERR_OK, "%s", r.m.text);
        }
    }
    cr_expect_eq(log_position(p.log).crc, log_position(r.log).crc);
    cr_expect_eq(log_position(r.log).epoch, 7);
    kit_close(&p);
    kit_close(&r);
    struct buf a = {0}, b = {0};
    kit_read(&p, SEGMENT(1), &a);
    kit_read(&r, SEGMENT(1), &b);
    cr_expect(span_eq(buf_span(&a), buf_span(&b)));
    buf_free(&a);
    buf_free(&b);
    /* Restarted, both may continue where the other is. */
    kit_begin(&p);
    cr_assert_eq(kit_open(&r), ERR_OK, "%s", r.m.text);
    cr_expect_eq(log_adopt_history(r.log, log_history(p.log), &r.m), ERR_OK, "%s", r.m.text);
    /* Another one's history does not fit. */
    struct kit other;
    kit_init(&other);
    kit_begin(&other);
    cr_expect_eq(log_adopt_history(r.log, log_history(other.log), &r.m), ERR_DIVERGED);
    kit_end(&other);
    kit_end(&p);
    kit_end(&r);
}

/* Read all from @offset on; what comes must be the stream's rest. */
static void expect_read(struct kit *k, uint64_t offset, size_t step)
{
    struct log_reader *r;
    struct buf got = {0};
    size_t n;
    cr_assert_eq(log_reader_open(k->log, offset, &r, &k->m), ERR_OK, "%s", k->m.text);
    do {
        cr_assert_eq(log_reader_read(r, buf_room(&got, step), step, &n, &k->m), ERR_OK, "%s", k->m.text);
        got.len += n;
    } while (n);
    cr_expect(span_eq(buf_span(&got), span_of(k->stream.p + offset, k->stream.len - (size_t)offset)));
    log_reader_close(r);
    buf_free(&got);
}

Test(log, a_reader_finds_every_offset_on_disk_over_segments)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    uint64_t offsets[30];
    uint32_t crcs[30];
    for (size_t i = 0; i < 30; i++) {
        offsets[i] = log_end(k.log);
        crcs[i] = log_position(k.log).crc;
        kit_set(&k, "key", "value");
        if (i % 10 == 9) cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE, "%s", k.m.text);
    }
    kit_sync(&k);
    for (size_t i = 0; i < 30; i++) {
        expect_read(&k, offsets[i], 1 + i);
        expect_read(&k, offsets[i] + 3, 64 << 10);
        struct batch_chain chain = {.offset = offsets[i], .crc = crcs[i]};
        cr_assert(history_enter(log_history(k.log), &chain));
        const uint32_t seed = batch_seed(&chain);
        cr_expect_eq(log_verify(k.log, offsets[i], crcs[i], seed, &k.m), ERR_OK, "%s", k.m.text);
        cr_expect_eq(log_verify(k.log, offsets[i], crcs[i] ^ 1, seed ^ 1, &k.m), ERR_DIVERGED);
        cr_expect_eq(log_verify(k.log, offsets[i] + 1, crcs[i], seed, &k.m), ERR_DIVERGED);
    }
    cr_expect_eq(log_verify(k.log, log_end(k.log), log_position(k.log).crc, 0, &k.m), ERR_OK);
    struct log_reader *r;
    cr_expect_eq(log_reader_open(k.log, log_end(k.log) + 1, &r, &k.m), ERR_RANGE);
    kit_end(&k);
}

Test(log, without_files_there_are_offsets_and_chunks_and_nothing_on_disk)
{
    struct kit k;
    kit_init(&k);
    k.options.files = false;
    kit_begin(&k);
    kit_set(&k, "a", "1");
    cr_expect(log_durable(k.log) == log_end(k.log) && log_end(k.log) == k.stream.len);
    cr_expect_not(kit_has(&k, "appendonlydir"));
    struct log_reader *r;
    cr_expect_eq(log_reader_open(k.log, 0, &r, &k.m), ERR_STALE);
    /* A base for joining replicas may be made all the same. */
    struct log_base base;
    cr_expect_eq(log_base_open(k.log, &base, &k.m), ERR_MISSING);
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE, "%s", k.m.text);
    cr_assert_eq(log_base_open(k.log, &base, &k.m), ERR_OK, "%s", k.m.text);
    cr_expect(base.size == 2 && base.position.offset == log_end(k.log));
    log_base_close(&base);
    kit_close(&k);
    cr_expect_not(kit_has(&k, "relevo.snapshot.rdb"));
    kit_end(&k);
}

static void count(void *context) { atomic_fetch_add((atomic_uint *)context, 1); }

Test(log, under_always_all_is_synced_and_told_without_being_asked)
{
    struct kit k;
    atomic_uint told = 0;
    kit_init(&k);
    k.options.notify = count;
    k.options.context = &told;
    kit_begin(&k);
    const unsigned before = atomic_load(&told);
    kit_set(&k, "a", "1");
    while (log_durable(k.log) < log_end(k.log)) sched_yield();
    while (atomic_load(&told) == before) sched_yield();
    cr_expect_eq(log_unsynced_ms(k.log, INT64_MAX), 0);
    struct log_stats s;
    log_get_stats(k.log, &s);
    cr_expect(s.syncs > 0 && s.groups > 0 && s.segments == 1);
    kit_end(&k);
}

Test(log, under_no_what_is_written_is_not_synced_until_asked)
{
    struct kit k;
    kit_init(&k);
    k.options.sync = LOG_SYNC_NO;
    kit_begin(&k);
    kit_set(&k, "a", "1");
    while (log_written(k.log) < log_end(k.log)) sched_yield();
    cr_expect_eq(log_durable(k.log), 0);
    cr_expect_gt(log_unsynced_ms(k.log, INT64_MAX), 0);
    kit_sync(&k);
    cr_expect_eq(log_durable(k.log), log_end(k.log));
    kit_end(&k);
}

Test(log, peers_are_remembered)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    log_set_peers(k.log, &(struct peer){.id = {{9}}, .host = (char[]){"other.example"}, .port = 7000}, 1);
    kit_close(&k);
    kit_begin(&k);
    const struct peer *peers;
    cr_assert_eq(log_peers(k.log, &peers), 1);
    cr_expect_str_eq(peers->host, "other.example");
    cr_expect(peers->port == 7000 && peers->id.bytes[0] == 9);
    kit_end(&k);
}

struct reading {
    struct log *log;
    uint64_t until;
    bool in_order;
};

/* Follow the log as a link thread does; the bytes must be those of one key and rising numbers. */
static void *read_along(void *context)
{
    struct reading *r = context;
    struct log_reader *reader;
    struct errmsg m;
    char bytes[4096];
    size_t n;
    r->in_order = log_reader_open(r->log, 0, &reader, &m) == ERR_OK;
    while (r->in_order && log_reader_offset(reader) < r->until) {
        r->in_order = log_reader_read(reader, bytes, sizeof bytes, &n, &m) == ERR_OK;
        if (!n) sched_yield();
    }
    log_reader_close(reader);
    return NULL;
}

Test(log, readers_pins_and_checkpoints_do_not_disturb_each_other)
{
    enum { BATCHES = 2000 };
    struct kit k;
    kit_init(&k);
    k.options.sync = LOG_SYNC_EVERYSEC;
    k.options.retain_bytes = 0;
    kit_begin(&k);
    struct log_pin pin;
    cr_assert_eq(log_pin(k.log, 0, &pin), ERR_OK);
    pthread_t threads[3];
    struct reading reading[3];
    /* Each batch has the same length but for the digits of its offset: the end is known only afterwards. */
    for (size_t i = 0; i < 3; i++) {
        reading[i] = (struct reading){.log = k.log, .until = BATCHES * 50};
        cr_assert_eq(pthread_create(&threads[i], NULL, read_along, &reading[i]), 0);
    }
    for (unsigned i = 0; i < BATCHES; i++) {
        kit_set(&k, "key", "0123456789");
        if (i % 500 == 499) cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE, "%s", k.m.text);
    }
    cr_assert_gt(log_end(k.log), BATCHES * 50);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_expect(reading[i].in_order);
    }
    log_unpin(k.log, &pin);
    cr_assert_eq(kit_checkpoint(&k, "x."), CHECKPOINT_DONE, "%s", k.m.text);
    struct log_stats s;
    log_get_stats(k.log, &s);
    cr_expect_eq(s.segments, 1, "%llu segments", (unsigned long long)s.segments);
    kit_end(&k);
}

Test(log, a_replaced_directory_that_a_crash_left_goes_at_the_next_start_and_nothing_else_does)
{
    struct kit k;
    kit_init(&k);
    kit_begin(&k);
    kit_close(&k);
    static const char *const kept[] = {"appendonlydir.old-1700000000", "temp-replaced-appendonlydir-1700000000.bak",
                                       "appendonlydir.salvage-1700000000", "temp-replaced-other-1700000000"};
    static const char *const gone[] = {"temp-replaced-appendonlydir-1700000000",
                                       "temp-replaced-appendonlydir-1700000000-2"};
    char name[128];
    for (size_t i = 0; i < 6; i++) {
        const char *dir = i < 4 ? kept[i] : gone[i - 4];
        cr_assert_eq(mkdir(kit_path(&k, dir), 0700), 0);
        /* Files go in any order: of the last one the manifest is gone already. */
        (void)snprintf(name, sizeof name, "%s/%s", dir, i < 5 ? "relevo.manifest" : "appendonly.aof.1.incr.aof");
        kit_write(&k, name, SPAN("x"));
    }
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    for (size_t i = 0; i < 4; i++) cr_expect(kit_has(&k, kept[i]), "%s", kept[i]);
    for (size_t i = 0; i < 2; i++) cr_expect_not(kit_has(&k, gone[i]), "%s", gone[i]);
    kit_end(&k);
}

/* How much has been written since the last sync. */
struct meter {
    atomic_size_t unsynced, most;
};

static ssize_t metered_writev(void *context, int fd, const struct iovec *v, int n)
{
    struct meter *m = context;
    const ssize_t got = io_posix.writev(NULL, fd, v, n);
    if (got <= 0) return got;
    const size_t now = atomic_fetch_add(&m->unsynced, (size_t)got) + (size_t)got;
    if (now > atomic_load(&m->most)) atomic_store(&m->most, now);
    return got;
}

static int metered_fdatasync(void *context, int fd)
{
    (void)fd;
    atomic_store(&((struct meter *)context)->unsynced, 0);
    return 0;
}

Test(log, under_everysec_a_sync_comes_early_when_32_megabytes_wait_for_it)
{
    enum { BATCH_BYTES = 1 << 20, BATCHES = 100, MOST = 32 << 20 };
    struct kit k;
    struct meter meter = {0};
    struct io_ops io = io_posix;
    char *value = mem_zalloc(BATCH_BYTES + 1, 1);
    memset(value, 'v', BATCH_BYTES);
    io.context = &meter;
    io.writev = metered_writev;
    io.fdatasync = metered_fdatasync;
    kit_init(&k);
    k.options.io = &io;
    k.options.sync = LOG_SYNC_EVERYSEC;
    kit_begin(&k);
    /* Far faster than a second: without the bound, all of it would wait. */
    for (int i = 0; i < BATCHES; i++) {
        kit_set(&k, "k", value);
        k.stream.len = 0;
        while (log_written(k.log) < log_end(k.log)) (void)sched_yield();
    }
    cr_expect_leq(atomic_load(&meter.most), MOST + 2 * BATCH_BYTES, "%zu bytes waited", atomic_load(&meter.most));
    kit_end(&k);
    mem_free(value);
}
