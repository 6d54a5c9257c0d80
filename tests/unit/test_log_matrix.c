/* The crash matrix: lives of a log are lived once for each system call in them and each thing that can befall the call;
 * then the log is opened as it would be after a kill -9, and after power cuts of several kinds. What was promised is
 * there, in order and without a hole.
 *
 * Every call counts that the log, its checkpoints and its manifests make, those of recovery included. RELEVO_TESTS=long
 * takes every call under each policy, more chances of a power cut, and a death somewhere behind a fault. */
#include <errno.h>
#include <inttypes.h>

#include "log_life.h"

struct fault {
    const char *name;
    enum simdisk_fault fault;
    int count, number;
};

enum { FOREVER = 1 << 20 };

static const struct fault deaths[] = {
    {"dies before", SIMDISK_DIE_BEFORE, 1, EIO},
    {"dies after", SIMDISK_DIE_AFTER, 1, EIO},
    {"dies in the midst of", SIMDISK_DIE_MIDST, 1, EIO},
};

static const struct fault errors[] = {
    {"EIO at", SIMDISK_FAIL, 1, EIO},
    {"ENOSPC at", SIMDISK_FAIL, 1, ENOSPC},
    {"EIO five times from", SIMDISK_FAIL, 5, EIO},
    {"EROFS from", SIMDISK_FAIL, FOREVER, EROFS},
    {"ENOSPC for a while from", SIMDISK_FAIL, 30, ENOSPC},
    {"half a write and ENOSPC at", SIMDISK_FAIL_MIDST, 1, ENOSPC},
    {"half a write and EIO at", SIMDISK_FAIL_MIDST, 2, EIO},
    {"a short call at", SIMDISK_SHORT, 1, EIO},
};

struct tale {
    const char *name;
    void (*live)(struct life *l);
};

static bool is_long(void)
{
    const char *text = getenv("RELEVO_TESTS");
    return text && strcmp(text, "long") == 0;
}

/* A primary: writes, checkpoints that cut segments and delete old ones, restarts, promotions, peers. */
static void live_as_primary(struct life *l)
{
    life_open(l, true);
    life_append(l, 3);
    life_rewrite(l);
    life_append(l, 1);
    if (life_goes_on(l)) {
        const struct peer peer = {.id = {{7}}, .host = (char *)(uintptr_t) "example.org", .port = 6379};
        log_set_peers(l->k.log, &peer, 1);
        life_sync(l);
    }
    life_restart(l, true);
    life_append(l, 1);
    life_rewrite(l);
    life_append(l, 1);
    if (life_goes_on(l)) log_set_retention(l->k.log, 0, 0);
    life_promote(l);
    life_append(l, 1);
    life_sync(l);
    life_append(l, 1);
}

/* A node that starts over from snapshots of others, and is promoted in between. */
static void live_with_snapshots(struct life *l)
{
    life_open(l, true);
    life_append(l, 2);
    life_install(l, true);
    life_append(l, 2);
    life_rewrite(l);
    life_append(l, 1);
    life_restart(l, true);
    life_install(l, false);
    life_append(l, 1);
    life_restart(l, true);
    life_append(l, 1);
}

/* Data of a Redis: nothing of it goes before the checkpoint that replaces it. */
static void live_after_a_redis(struct life *l)
{
    static const char aof[] = "*3\r\n$3\r\nSET\r\n$2\r\nk0\r\n$1\r\nv\r\n";
    char path[128];
    (void)snprintf(path, sizeof path, "%s/appendonly.aof", l->k.dir);
    simdisk_put(l->disk, path, span_of(aof, sizeof aof - 1));
    (void)snprintf(path, sizeof path, "%s/dump.rdb", l->k.dir);
    simdisk_put(l->disk, path, SPAN("REDIS0009"));
    l->next[0] = l->durable[0] = l->written[0] = 1;
    life_open(l, true);
    life_append(l, 2);
    life_restart(l, true);
    life_append(l, 1);
}

/* A primary on a disk of its own that never fails, and the batches that it has made. */
struct source {
    struct kit k;
    struct simdisk *disk;
    struct io_ops io;
    struct chunk *chunks[WRITES];
    unsigned count;
};

static void source_begin(struct source *s)
{
    *s = (struct source){0};
    kit_init(&s->k);
    s->disk = simdisk_new(s->k.dir);
    s->io = simdisk_io(s->disk);
    s->k.options.io = &s->io;
    kit_begin(&s->k);
}

static void source_write(struct source *s, unsigned count)
{
    for (; count > 0; count--) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", s->count);
        kit_add(&s->k, key, "v");
        s->chunks[s->count++] = log_append(s->k.log, 1700000000000, &s->k.batch);
    }
}

static void source_end(struct source *s)
{
    while (s->count) chunk_unref(s->chunks[--s->count]);
    kit_end(&s->k);
    simdisk_free(s->disk);
}

/* The replica takes what it has not got yet. */
static void follow(struct life *l, const struct source *s)
{
    struct errmsg m;
    if (!life_goes_on(l) || log_adopt_history(l->k.log, log_history(s->k.log), &l->k.m)) return;
    for (unsigned i = l->next[0]; i < s->count && life_goes_on(l); i++) {
        if (log_failed(l->k.log, &m) && log_sync(l->k.log, &m)) return;
        log_append_chunk(l->k.log, s->chunks[i]);
        l->ends[0][i] = chunk_end(s->chunks[i]);
        l->next[0] = i + 1;
        life_settle(l);
    }
}

/* A replica: another's batches and epochs, a checkpoint and a restart among them. */
static void live_as_replica(struct life *l)
{
    struct source s;
    source_begin(&s);
    life_open(l, false);
    source_write(&s, 2);
    follow(l, &s);
    if (l->next[0]) life_rewrite(l);
    cr_assert_eq(log_open_epoch(s.k.log, 0, &s.k.m), ERR_OK);
    source_write(&s, 1);
    follow(l, &s);
    life_restart(l, false);
    cr_assert_eq(log_open_epoch(s.k.log, 0, &s.k.m), ERR_OK);
    follow(l, &s);
    source_write(&s, 2);
    follow(l, &s);
    life_promote(l);
    life_append(l, 1);
    source_end(&s);
}

static const struct tale tales[] = {
    {"primary", live_as_primary},
    {"snapshots", live_with_snapshots},
    {"after a Redis", live_after_a_redis},
    {"replica", live_as_replica},
};

/* Open what a crash has left, write more, and open that after another power cut. */
static void recover(const struct life *lived, enum simdisk_end end, uint64_t seed)
{
    static const char *const ends[] = {"killed", "power cut", "bytes lost", "names lost", "torn"};
    struct life l = *lived;
    unsigned world, next;
    (void)snprintf(l.what, sizeof l.what, "%.200s, %s %" PRIu64, lived->what, ends[end], seed);
    l.k = (struct kit){.options = lived->k.options};
    memcpy(l.k.dir, lived->k.dir, sizeof l.k.dir);
    l.k.options.dir = l.k.dir;
    life_use(&l, simdisk_after(lived->disk, end, seed));
    cr_assert_eq(kit_open(&l.k), ERR_OK, "%s: %s", l.what, l.k.m.text);
    life_check(&l, l.k.loaded.p, end == SIMDISK_KILLED, &world, &next);
    life_adopt(&l, world, next);
    cr_assert(life_lead(&l), "%s: %s", l.what, l.k.m.text);
    life_append(&l, 1);
    life_sync(&l);
    kit_close(&l.k);
    struct simdisk *again = simdisk_after(l.disk, SIMDISK_CUT, 0);
    simdisk_free(l.disk);
    life_use(&l, again);
    cr_assert_eq(kit_open(&l.k), ERR_OK, "%s, then cut again: %s", l.what, l.k.m.text);
    life_check(&l, l.k.loaded.p, false, &world, &next);
    kit_close(&l.k);
    simdisk_free(l.disk);
    buf_free(&l.k.batch);
    buf_free(&l.k.stream);
    buf_free(&l.k.loaded);
}

/* The ends that there may be. Behind a fault the log was closed in good order, and two faults are many: not all then. */
static unsigned recover_all(const struct life *l, bool all)
{
    const unsigned chances = is_long() && all ? 8 : 1;
    unsigned cases = 0;
    for (int end = SIMDISK_KILLED; end < SIMDISK_CUT_RANDOM; end++) {
        if (!all && end > SIMDISK_CUT) continue;
        recover(l, (enum simdisk_end)end, 0);
        cases++;
    }
    for (unsigned seed = 1; seed <= chances; seed++, cases++) recover(l, SIMDISK_CUT_RANDOM, seed);
    return cases;
}

struct count {
    unsigned lives, recoveries;
};

/* One life as planned; returns its number of calls. */
static int live_once(const struct tale *t, enum log_sync_policy policy, const struct simdisk_plan *plan,
                     const char *name, struct count *count)
{
    struct life l;
    life_begin(&l, policy);
    (void)snprintf(l.what, sizeof l.what, "%s, policy %d, %s call %d", t->name, (int)policy, name, plan->at);
    simdisk_arm(l.disk, plan);
    t->live(&l);
    (void)snprintf(l.what, sizeof l.what, "%s, policy %d, %s call %d (%s), death at %d", t->name, (int)policy, name,
                   plan->at, simdisk_where(l.disk), plan->die_at);
    if (l.k.log && !simdisk_is_dead(l.disk)) life_note(&l);
    kit_close(&l.k);
    const int calls = simdisk_calls(l.disk);
    if (plan->at < 0 || simdisk_hit(l.disk)) {
        count->lives++;
        count->recoveries += recover_all(&l, plan->fault < SIMDISK_FAIL || (is_long() && plan->die_at < 0));
    }
    life_end(&l);
    return calls;
}

/* @f at each call or, in short runs and under the policies that promise less, at some of them. */
static void each_call(const struct tale *t, enum log_sync_policy policy, const struct fault *f, int first,
                      struct count *count)
{
    struct simdisk_plan plan = {.fault = f->fault, .at = -1, .count = f->count, .number = f->number, .die_at = -1};
    const int calls = live_once(t, policy, &plan, f->name, count),
              step = is_long() || policy == LOG_SYNC_ALWAYS ? 1 : 7;
    for (plan.at = first % step; plan.at < calls; plan.at += step) (void)live_once(t, policy, &plan, f->name, count);
    if (!is_long() || f->fault < SIMDISK_FAIL) return;
    for (plan.at = first; plan.at < calls; plan.at += 9)
        for (plan.die_at = plan.at + 1; plan.die_at < calls; plan.die_at += 7)
            (void)live_once(t, policy, &plan, f->name, count);
}

static void every_call(const struct tale *t, const struct fault *faults, size_t faults_count)
{
    struct count count = {0};
    for (int policy = LOG_SYNC_ALWAYS; policy <= LOG_SYNC_NO; policy++)
        for (size_t i = 0; i < faults_count; i++)
            each_call(t, (enum log_sync_policy)policy, &faults[i], (int)i, &count);
    (void)printf("# %s: %u lives, %u recoveries\n", t->name, count.lives, count.recoveries);
    (void)fflush(stdout);
    cr_assert_gt(count.recoveries, 1000);
}

#define EVERY(tale, kind) every_call(&tales[tale], kind, sizeof kind / sizeof *kind)

Test(log_matrix, a_primary_that_dies_at_any_call_keeps_what_it_promised) { EVERY(0, deaths); }

Test(log_matrix, a_primary_whose_disk_fails_at_any_call_keeps_what_it_promised) { EVERY(0, errors); }

Test(log_matrix, a_node_that_dies_while_it_takes_over_snapshots_has_the_old_data_or_the_new) { EVERY(1, deaths); }

Test(log_matrix, a_node_whose_disk_fails_while_it_takes_over_snapshots_has_the_old_data_or_the_new)
{
    EVERY(1, errors);
}

Test(log_matrix, data_of_a_redis_survives_a_death_at_any_call) { EVERY(2, deaths); }

Test(log_matrix, data_of_a_redis_survives_a_fault_at_any_call) { EVERY(2, errors); }

Test(log_matrix, a_replica_that_dies_at_any_call_keeps_what_it_promised) { EVERY(3, deaths); }

Test(log_matrix, a_replica_whose_disk_fails_at_any_call_keeps_what_it_promised) { EVERY(3, errors); }

/* What the matrix has found, by name. */

Test(log_matrix, a_power_cut_that_spares_only_the_manifest_for_redis_is_not_taken_for_the_work_of_one)
{
    bool hit = true;
    /* Before each sync of a directory what is not safe yet survives by chance. */
    for (int at = 0; hit; at++) {
        struct life l;
        const struct simdisk_plan plan = {.fault = SIMDISK_DIE_BEFORE,
                                          .on = "fsync appendonlydir",
                                          .at = at,
                                          .count = 1,
                                          .number = EIO,
                                          .die_at = -1};
        life_begin(&l, LOG_SYNC_ALWAYS);
        simdisk_arm(l.disk, &plan);
        live_as_primary(&l);
        (void)snprintf(l.what, sizeof l.what, "death before sync %d of the directory", at);
        kit_close(&l.k);
        hit = simdisk_hit(l.disk);
        cr_assert(hit || at > 10);
        for (uint64_t seed = 1; hit && seed <= 16; seed++) recover(&l, SIMDISK_CUT_RANDOM, seed);
        life_end(&l);
    }
}

Test(log_matrix, what_a_failed_sync_has_dropped_is_not_believed_by_the_next_process)
{
    struct life l;
    unsigned world, next;
    const struct simdisk_plan plan = {
        .fault = SIMDISK_FAIL, .on = "fdatasync", .at = 0, .count = 20, .number = EIO, .die_at = -1};
    life_begin(&l, LOG_SYNC_ALWAYS);
    life_open(&l, true);
    life_append(&l, 1);
    simdisk_arm(l.disk, &plan);
    life_append(&l, 1);
    simdisk_arm(l.disk, &(struct simdisk_plan){.fault = SIMDISK_DIE_BEFORE, .count = FOREVER, .die_at = -1});
    kit_close(&l.k);
    struct simdisk *left = simdisk_after(l.disk, SIMDISK_KILLED, 0);
    simdisk_free(l.disk);
    life_use(&l, left);
    cr_assert_eq(kit_open(&l.k), ERR_OK, "%s", l.k.m.text);
    life_check(&l, l.k.loaded.p, false, &world, &next);
    cr_expect_eq(next, 1, "a write is believed that is not on the disk: %s", l.k.loaded.p);
    life_end(&l);
}

Test(log_matrix, an_append_only_file_that_cannot_be_looked_at_is_not_passed_over_for_an_older_dump)
{
    struct life l;
    const struct simdisk_plan plan = {
        .fault = SIMDISK_FAIL, .on = "stat", .at = 0, .count = 20, .number = EIO, .die_at = -1};
    life_begin(&l, LOG_SYNC_ALWAYS);
    simdisk_put(l.disk, kit_path(&l.k, "appendonly.aof"), SPAN("*3\r\n$3\r\nSET\r\n$2\r\nk0\r\n$1\r\nv\r\n"));
    simdisk_put(l.disk, kit_path(&l.k, "dump.rdb"), SPAN("REDIS0009"));
    simdisk_arm(l.disk, &plan);
    cr_expect_eq(kit_open(&l.k), ERR_IO, "%s", l.k.loaded.p);
    cr_expect(strstr(l.k.m.text, "look at"), "%s", l.k.m.text);
    life_end(&l);
}

Test(log_matrix, a_snapshot_that_can_neither_take_its_place_nor_give_it_back_takes_it_at_the_next_start)
{
    struct life l;
    unsigned world, next;
    const struct simdisk_plan plan = {
        .fault = SIMDISK_FAIL, .on = "rename", .at = 4, .count = 2, .number = EIO, .die_at = -1};
    life_begin(&l, LOG_SYNC_ALWAYS);
    life_open(&l, true);
    life_append(&l, 1);
    simdisk_arm(l.disk, &plan);
    life_install(&l, false);
    cr_expect(log_failed(l.k.log, &l.k.m), "%s", simdisk_where(l.disk));
    kit_close(&l.k);
    cr_assert_eq(kit_open(&l.k), ERR_OK, "%s", l.k.m.text);
    cr_expect(life_parse(l.k.loaded.p, &world, &next) && world == 1, "%s: %s", simdisk_where(l.disk), l.k.loaded.p);
    life_end(&l);
}

Test(log_matrix, the_old_data_stays_while_it_is_not_certain_that_a_snapshot_has_taken_its_place)
{
    bool hit = true;
    for (int at = 0; hit; at++) {
        struct life l;
        /* The next file that is opened after the failure is one too many. */
        const struct simdisk_plan plan = {
            .fault = SIMDISK_FAIL, .on = "open", .at = at, .count = 1, .number = ENOSPC, .die_at = at + 1};
        life_begin(&l, LOG_SYNC_ALWAYS);
        life_open(&l, true);
        life_append(&l, 1);
        simdisk_arm(l.disk, &plan);
        life_install(&l, false);
        hit = simdisk_hit(l.disk);
        (void)snprintf(l.what, sizeof l.what, "ENOSPC at %s", simdisk_where(l.disk));
        kit_close(&l.k);
        for (uint64_t seed = 1; hit && seed <= 8; seed++) recover(&l, SIMDISK_CUT_RANDOM, seed);
        life_end(&l);
    }
}
