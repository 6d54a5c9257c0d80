/* A log on a simulated disk, and what it has promised: every write is numbered, and what was called durable or written is
 * noted as the log says so. Whatever the disk did, read_back() must find what was promised.
 *
 * An installed snapshot begins another world, whose numbers start at the next hundred. */
#pragma once

#include <sched.h>

#include "log_kit.h"
#include "tests/lib/simdisk.h"

enum { WORLDS = 3, WORLD = 100, WRITES = 16, ATTEMPTS = 12 };

struct life {
    struct kit k;
    struct simdisk *disk;
    struct io_ops io;
    unsigned world;       /* that the log is in */
    unsigned done, begun; /* the newest that was reported as installed, and that may have been */
    unsigned next[WORLDS], durable[WORLDS], written[WORLDS];
    uint64_t ends[WORLDS][WRITES];
    bool over; /* nothing more can be done with it */
    char what[256];
};

static inline void life_use(struct life *l, struct simdisk *disk)
{
    l->disk = disk;
    l->io = simdisk_io(disk);
    l->k.options.io = &l->io;
}

static inline void life_begin(struct life *l, enum log_sync_policy policy)
{
    *l = (struct life){0};
    kit_init(&l->k);
    l->k.options.sync = policy;
    l->k.options.retain_bytes = 150;
    for (unsigned w = 0; w < WORLDS; w++) l->next[w] = l->durable[w] = l->written[w] = w * WORLD;
    life_use(l, simdisk_new(l->k.dir));
}

static inline void life_end(struct life *l)
{
    kit_end(&l->k);
    simdisk_free(l->disk);
}

/* What the log says now is a promise. */
static inline void life_note(struct life *l)
{
    const uint64_t durable = log_durable(l->k.log), written = log_written(l->k.log);
    for (unsigned n = l->world * WORLD; n < l->next[l->world]; n++) {
        const uint64_t end = l->ends[l->world][n % WORLD];
        if (end <= durable && n >= l->durable[l->world]) l->durable[l->world] = n + 1;
        if (end <= written && n >= l->written[l->world]) l->written[l->world] = n + 1;
    }
}

/* The world and the number behind the last one of what was loaded; false: it has a hole. */
static inline bool life_parse(const char *at, unsigned *world, unsigned *next)
{
    unsigned n = 0;
    int used = 0;
    *next = 0;
    if (sscanf(at, "[to %u.]%n", next, &used) == 1 && used) at += used;
    for (bool first = *next == 0; sscanf(at, "SET k%u v\n%n", &n, &used) == 1; at += used, first = false) {
        if (n != *next && !(first && n % WORLD == 0)) return false;
        *next = n + 1;
    }
    *world = *next / WORLD;
    return *at == '\0';
}

/* @killed: the machine has kept running, so what was written counts as well. */
static inline void life_check(struct life *l, const char *loaded, bool killed, unsigned *world, unsigned *next)
{
    cr_assert(life_parse(loaded, world, next), "%s: a hole in %s", l->what, loaded);
    cr_assert(*world >= l->done && *world <= l->begun, "%s: world %u of %u to %u", l->what, *world, l->done,
              l->begun);
    killed &= !simdisk_has_dropped(l->disk);
    const unsigned least =
        killed && l->written[*world] > l->durable[*world] ? l->written[*world] : l->durable[*world];
    cr_assert_geq(*next, least, "%s: up to %u of %u that were promised: %s", l->what, *next, least, loaded);
    cr_assert_leq(*next, l->next[*world], "%s: more than was appended: %s", l->what, loaded);
}

static inline void life_adopt(struct life *l, unsigned world, unsigned next)
{
    l->world = l->done = l->begun = world;
    l->next[world] = l->written[world] = l->durable[world] = next;
    for (unsigned n = world * WORLD; n < next; n++) l->ends[world][n % WORLD] = 0;
}

static inline bool life_checkpoint(struct life *l)
{
    char base[32];
    (void)snprintf(base, sizeof base, "to %u.", l->next[l->world]);
    const bool done = kit_checkpoint(&l->k, base) == CHECKPOINT_DONE;
    life_note(l);
    return done;
}

/* A primary opens an epoch, and makes data of a Redis its own. */
static inline bool life_lead(struct life *l)
{
    return log_open_epoch(l->k.log, 0, &l->k.m) == ERR_OK && (!l->k.report.foreign || life_checkpoint(l));
}

/* Start; a start that fails must say why, and the next one is tried. As a primary if @lead. */
static inline void life_open(struct life *l, bool lead)
{
    for (int i = 0; i < ATTEMPTS && !simdisk_is_dead(l->disk); i++) {
        unsigned world, next;
        l->k.m.text[0] = '\0';
        if (kit_open(&l->k)) {
            cr_assert_gt(strlen(l->k.m.text), 10, "%s: refused without a reason", l->what);
            continue;
        }
        life_check(l, l->k.loaded.p, true, &world, &next);
        life_adopt(l, world, next);
        if (!lead || life_lead(l)) return;
        kit_close(&l->k);
    }
    l->over = true;
}

static inline bool life_goes_on(struct life *l) { return !l->over && !simdisk_is_dead(l->disk); }

static inline void life_restart(struct life *l, bool lead)
{
    kit_close(&l->k);
    if (life_goes_on(l)) life_open(l, lead);
}

/* Wait until the last write is durable, or written if nothing else was asked for; or has failed. */
static inline void life_settle(struct life *l)
{
    struct log *log = l->k.log;
    struct errmsg m;
    if (l->k.options.sync == LOG_SYNC_ALWAYS) {
        if (log_sync(log, &m)) l->k.stream.len = 0;
    } else {
        while (log_written(log) < log_end(log) && !log_failed(log, &m)) (void)sched_yield();
    }
    life_note(l);
}

static inline void life_sync(struct life *l)
{
    if (!life_goes_on(l)) return;
    if (log_sync(l->k.log, &l->k.m)) l->k.stream.len = 0;
    life_note(l);
}

static inline void life_append(struct life *l, unsigned count)
{
    for (; count > 0 && life_goes_on(l); count--) {
        char key[16];
        struct errmsg m;
        /* Where the log has failed, a server refuses to write. */
        if (log_failed(l->k.log, &m) && log_sync(l->k.log, &m)) return;
        const unsigned n = l->next[l->world]++;
        (void)snprintf(key, sizeof key, "k%u", n);
        kit_set(&l->k, key, "v");
        l->ends[l->world][n % WORLD] = log_end(l->k.log);
        life_settle(l);
    }
}

static inline void life_rewrite(struct life *l)
{
    if (life_goes_on(l)) (void)life_checkpoint(l);
}

static inline void life_promote(struct life *l)
{
    if (!life_goes_on(l)) return;
    if (log_open_epoch(l->k.log, 0, &l->k.m)) life_restart(l, true);
}

/* A snapshot from another node takes the place of all. */
static inline void life_install(struct life *l, bool salvage)
{
    if (!life_goes_on(l)) return;
    const unsigned world = l->world + 1;
    struct history h = {.lineage = {{42, (uint8_t)world}}};
    const struct position p = {.epoch = 30 * world, .offset = 5000 * world, .crc = 77};
    char text[32], path[128];
    struct errmsg m;
    cr_assert_eq(history_add(&h, &(struct epoch){.number = p.epoch, .id = 333 + world}), ERR_OK);
    (void)snprintf(text, sizeof text, "to %u.", world * WORLD);
    (void)snprintf(path, sizeof path, "%s/received-%u.rdb", l->k.dir, world);
    simdisk_put(l->disk, path, span_str(text));
    l->begun = world;
    const enum err e = log_install_base(l->k.log, path, &p, &h, salvage, &l->k.m);
    /* A log that has failed for good tells nothing about power cuts. */
    if (!e && !log_failed(l->k.log, &m)) l->done = world;
    if (!e) l->world = world;
    else if (!simdisk_is_dead(l->disk) && !log_failed(l->k.log, &m)) l->begun = l->done;
    history_free(&h);
    if (e) return;
    life_promote(l);
}
