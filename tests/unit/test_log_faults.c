/* Every system call of the log may fail, once or for a while. Whatever happens: what was called durable is there
 * afterwards, in order, and the data is a beginning of what was appended. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "log_scenario.h"

struct faults {
    atomic_int at;     /* the call, counted from 0, that fails; -1: none */
    atomic_int length; /* how many fail from there on */
    atomic_int calls;
    int number; /* errno */
};

static bool hit(void *context)
{
    struct faults *f = context;
    const int call = atomic_fetch_add(&f->calls, 1), at = atomic_load(&f->at);
    if (at < 0 || call < at || call >= at + atomic_load(&f->length)) return false;
    errno = f->number;
    return true;
}

static int faulty_open(void *c, const char *path, int flags, mode_t mode)
{
    return hit(c) ? -1 : io_posix.open(NULL, path, flags, mode);
}
static ssize_t faulty_writev(void *c, int fd, const struct iovec *v, int n)
{
    if (!hit(c)) return io_posix.writev(NULL, fd, v, n);
    /* Half of it reaches the file. */
    const struct iovec half = {.iov_base = v[0].iov_base, .iov_len = v[0].iov_len / 2};
    (void)io_posix.writev(NULL, fd, &half, 1);
    errno = ((struct faults *)c)->number;
    return -1;
}
static int faulty_fdatasync(void *c, int fd)
{
    (void)fd;
    return hit(c) ? -1 : 0; /* the machine does not die here: nothing needs to reach its disk */
}
static int faulty_fsync(void *c, int fd)
{
    (void)fd;
    return hit(c) ? -1 : 0;
}
static int faulty_ftruncate(void *c, int fd, off_t n) { return hit(c) ? -1 : io_posix.ftruncate(NULL, fd, n); }
static int faulty_rename(void *c, const char *from, const char *to)
{
    return hit(c) ? -1 : io_posix.rename(NULL, from, to);
}
static int faulty_unlink(void *c, const char *path) { return hit(c) ? -1 : io_posix.unlink(NULL, path); }

static struct io_ops faulty(struct faults *f)
{
    struct io_ops io = io_posix;
    io.context = f;
    io.open = faulty_open;
    io.writev = faulty_writev;
    io.fdatasync = faulty_fdatasync;
    io.fsync = faulty_fsync;
    io.ftruncate = faulty_ftruncate;
    io.rename = faulty_rename;
    io.unlink = faulty_unlink;
    return io;
}

static void one_fault(enum log_sync_policy policy, int at, int length, int number, int *calls)
{
    struct kit k;
    struct faults f = {.at = -1, .length = length, .number = number};
    struct io_ops io = faulty(&f);
    uint64_t ends[8];
    unsigned appended, durable;
    char what[64];
    kit_init(&k);
    k.options.io = &io;
    k.options.sync = policy;
    kit_begin(&k);
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, at);
    scenario(&k, ends, &appended, &durable);
    *calls = atomic_load(&f.calls);
    atomic_store(&f.at, -1);
    kit_close(&k);
    (void)snprintf(what, sizeof what, "policy %d, call %d, %d times", (int)policy, at, length);
    expect_all(&k, appended, durable, what);
    kit_end(&k);
}

static void every_call(int length)
{
    for (int policy = LOG_SYNC_ALWAYS; policy <= LOG_SYNC_NO; policy++) {
        int calls, unused;
        one_fault((enum log_sync_policy)policy, -1, 0, EIO, &calls);
        for (int at = 0; at < calls; at++)
            one_fault((enum log_sync_policy)policy, at, length, at % 2 ? EIO : ENOSPC, &unused);
    }
}

Test(log_faults, any_call_that_fails_once_costs_nothing_that_was_called_durable) { every_call(1); }

Test(log_faults, calls_that_fail_in_a_row_cost_nothing_that_was_called_durable) { every_call(5); }

Test(log_faults, a_failed_sync_is_not_repeated_on_the_same_file)
{
    struct kit k;
    struct faults f = {.at = -1, .length = 1, .number = EIO};
    struct io_ops io = io_posix;
    io.context = &f;
    io.fdatasync = faulty_fdatasync;
    kit_init(&k);
    k.options.io = &io;
    kit_begin(&k);
    set_numbered(&k, 0);
    kit_sync(&k);
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    set_numbered(&k, 1);
    kit_sync(&k);
    cr_expect_not(log_failed(k.log, &k.m));
    struct log_stats s;
    log_get_stats(k.log, &s);
    cr_expect_eq(s.segments, 2);
    kit_close(&k);
    cr_expect_eq(file_size(&io_posix, kit_path(&k, SEGMENT(1))) + file_size(&io_posix, kit_path(&k, SEGMENT(2))),
                 (int64_t)k.stream.len);
    expect_all(&k, 2, 2, "");
    kit_end(&k);
}

Test(log_faults, while_the_disk_fails_the_log_says_so_and_afterwards_nothing_is_missing)
{
    struct kit k;
    struct faults f = {.at = -1, .length = INT32_MAX / 2, .number = ENOSPC};
    struct io_ops io = faulty(&f);
    kit_init(&k);
    k.options.io = &io;
    kit_begin(&k);
    set_numbered(&k, 0);
    kit_sync(&k);
    const uint64_t before = log_end(k.log);
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    set_numbered(&k, 1);
    cr_expect_neq(log_sync(k.log, &k.m), ERR_OK);
    cr_expect(log_failed(k.log, &k.m));
    cr_expect(strstr(k.m.text, "No space left"), "%s", k.m.text);
    set_numbered(&k, 2);
    cr_expect_eq(log_durable(k.log), before);
    cr_expect_neq(log_open_epoch(k.log, 0, &k.m), ERR_OK);
    atomic_store(&f.at, -1);
    kit_sync(&k);
    cr_expect_not(log_failed(k.log, &k.m));
    cr_expect_eq(log_durable(k.log), log_end(k.log));
    set_numbered(&k, 3);
    kit_close(&k);
    expect_all(&k, 4, 4, "");
    kit_end(&k);
}

Test(log_faults, the_log_recovers_by_itself_when_the_disk_does)
{
    struct kit k;
    struct faults f = {.at = -1, .length = INT32_MAX / 2, .number = EIO};
    struct io_ops io = faulty(&f);
    kit_init(&k);
    k.options.io = &io;
    kit_begin(&k);
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    set_numbered(&k, 0);
    while (!log_failed(k.log, &k.m)) sched_yield();
    atomic_store(&f.at, -1);
    while (log_failed(k.log, &k.m)) sched_yield();
    cr_expect_eq(log_durable(k.log), log_end(k.log));
    kit_end(&k);
}

Test(log_faults, a_write_that_fails_after_syncing_was_switched_off_leaves_no_gap)
{
    struct kit k;
    struct faults f = {.at = -1, .length = 1, .number = ENOSPC};
    struct io_ops io = faulty(&f);
    kit_init(&k);
    k.options.io = &io;
    k.options.sync = LOG_SYNC_EVERYSEC;
    kit_begin(&k);
    set_numbered(&k, 0);
    while (log_written(k.log) < log_end(k.log)) sched_yield();
    log_set_sync(k.log, LOG_SYNC_NO);
    set_numbered(&k, 1);
    while (log_written(k.log) < log_end(k.log)) sched_yield();
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    set_numbered(&k, 2);
    while (log_written(k.log) < log_end(k.log)) sched_yield();
    kit_close(&k);
    expect_all(&k, 3, 3, "");
    kit_end(&k);
}

Test(log_faults, what_was_written_before_syncing_was_switched_off_is_synced_all_the_same)
{
    struct kit k;
    kit_init(&k);
    k.options.sync = LOG_SYNC_EVERYSEC;
    kit_begin(&k);
    set_numbered(&k, 0);
    while (log_written(k.log) < log_end(k.log)) sched_yield();
    log_set_sync(k.log, LOG_SYNC_NO);
    while (log_durable(k.log) < log_end(k.log)) sched_yield();
    kit_end(&k);
}

Test(log_faults, a_replica_whose_disk_is_full_hears_of_an_epoch_and_has_it_on_disk_before_its_batches)
{
    struct kit k, primary;
    struct faults f = {.at = -1, .length = INT32_MAX / 2, .number = ENOSPC};
    struct io_ops io = faulty(&f);
    kit_init(&primary);
    kit_begin(&primary);
    kit_init(&k);
    k.options.io = &io;
    cr_assert_eq(kit_open(&k), ERR_OK, "%s", k.m.text);
    cr_assert_eq(log_adopt_history(k.log, log_history(primary.log), &k.m), ERR_OK, "%s", k.m.text);
    cr_assert_eq(log_open_epoch(primary.log, 0, &k.m), ERR_OK, "%s", k.m.text);
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    cr_assert_eq(log_adopt_history(k.log, log_history(primary.log), &k.m), ERR_OK, "%s", k.m.text);
    cr_expect(log_failed(k.log, &k.m));
    kit_add(&primary, "k0", "v");
    struct chunk *c = log_append(primary.log, 1700000000000, &primary.batch);
    log_append_chunk(k.log, c);
    chunk_unref(c);
    cr_expect_neq(log_sync(k.log, &k.m), ERR_OK);
    atomic_store(&f.at, -1);
    kit_sync(&k);
    kit_close(&k);
    expect_all(&k, 1, 1, "");
    cr_expect_eq(history_last(log_history(k.log))->id, history_last(log_history(primary.log))->id);
    kit_end(&k);
    kit_end(&primary);
}

static void count_news(void *context) { atomic_fetch_add((atomic_int *)context, 1); }

Test(log_faults, an_install_that_ends_a_failure_says_so)
{
    struct kit k;
    struct faults f = {.at = -1, .length = INT32_MAX / 2, .number = ENOSPC};
    struct io_ops io = faulty(&f);
    struct history h = {.lineage = {{42}}};
    atomic_int news = 0;
    cr_assert_eq(history_add(&h, &(struct epoch){.number = 3, .id = 333}), ERR_OK);
    const struct position p = {.epoch = 3, .offset = 5000, .crc = 77};
    kit_init(&k);
    k.options.io = &io;
    k.options.notify = count_news;
    k.options.context = &news;
    kit_begin(&k);
    kit_write(&k, "received.rdb", SPAN("received."));
    atomic_store(&f.calls, 0);
    atomic_store(&f.at, 0);
    set_numbered(&k, 0);
    cr_assert_neq(log_sync(k.log, &k.m), ERR_OK);
    atomic_store(&f.at, -1);
    atomic_store(&news, 0);
    cr_assert_eq(log_install_base(k.log, kit_path(&k, "received.rdb"), &p, &h, false, &k.m), ERR_OK, "%s", k.m.text);
    cr_expect_not(log_failed(k.log, &k.m));
    cr_expect_gt(atomic_load(&news), 0);
    history_free(&h);
    kit_end(&k);
}

Test(log_faults, an_install_that_fails_leaves_the_old_data_and_the_snapshot)
{
    for (int at = 0, calls = 1; at <= calls; at++) {
        struct kit k;
        struct faults f = {.at = -1, .length = 1, .number = EIO};
        struct io_ops io = faulty(&f);
        struct history h = {.lineage = {{42}}};
        cr_assert_eq(history_add(&h, &(struct epoch){.number = 3, .id = 333}), ERR_OK);
        const struct position p = {.epoch = 3, .offset = 5000, .crc = 77};
        kit_init(&k);
        k.options.io = &io;
        kit_begin(&k);
        set_numbered(&k, 0);
        kit_sync(&k);
        kit_write(&k, "received.rdb", SPAN("received."));
        atomic_store(&f.calls, 0);
        atomic_store(&f.at, at);
        const enum err e = log_install_base(k.log, kit_path(&k, "received.rdb"), &p, &h, true, &k.m);
        calls = atomic_load(&f.calls);
        atomic_store(&f.at, -1);
        if (e) cr_expect(kit_has(&k, "received.rdb"), "call %d", at);
        kit_close(&k);
        k.options.io = NULL;
        cr_assert_eq(kit_open(&k), ERR_OK, "call %d: %s", at, k.m.text);
        cr_expect_str_eq(k.loaded.p, e ? "SET k0 v\n" : "[received.]", "call %d", at);
        history_free(&h);
        kit_end(&k);
    }
}

Test(log_faults, a_start_that_fails_changes_nothing)
{
    for (int at = 0, calls = 1; at <= calls; at++) {
        struct kit k;
        struct faults f = {.at = -1, .length = 1, .number = EIO};
        struct io_ops io = faulty(&f);
        kit_init(&k);
        kit_begin(&k);
        set_numbered(&k, 0);
        kit_close(&k);
        k.options.io = &io;
        atomic_store(&f.calls, 0);
        atomic_store(&f.at, at);
        const enum err e = kit_open(&k);
        calls = atomic_load(&f.calls);
        if (e) cr_expect(strlen(k.m.text) > 10, "call %d: %s", at, k.m.text);
        atomic_store(&f.at, -1);
        kit_close(&k);
        expect_all(&k, 1, 1, "");
        kit_end(&k);
    }
}
