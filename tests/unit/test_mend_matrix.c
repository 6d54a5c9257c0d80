/* The crash matrix of `relevo check --fix`, alone and with a node to ask: each kind of damage is mended once for each system
 * call of the mending and each thing that can befall the call. Whatever it was: a start on what is left has the mended data,
 * or what a start had before, or is refused with a reason; no write has vanished from the directory; who was told that all is
 * mended has it mended, also after a power cut; and the same command, given again, ends well.
 *
 * RELEVO_TESTS=long takes every call and more chances of a power cut. */
#include <errno.h>

#include "log_life.h"
#include "log_scenario.h"
#include "replication/check.h"

enum { MINE = 9, ALL = 12 }; /* writes that the damaged node has, and that the node has which is asked */

struct fault {
    const char *name;
    enum simdisk_fault fault;
    int count, number;
};

static const struct fault faults[] = {
    {"dies before", SIMDISK_DIE_BEFORE, 1, EIO},
    {"dies after", SIMDISK_DIE_AFTER, 1, EIO},
    {"dies in the midst of", SIMDISK_DIE_MIDST, 1, EIO},
    {"EIO at", SIMDISK_FAIL, 1, EIO},
    {"EROFS from", SIMDISK_FAIL, 1 << 20, EROFS},
    {"ENOSPC at", SIMDISK_FAIL, 1, ENOSPC},
    {"half a write and ENOSPC at", SIMDISK_FAIL_MIDST, 1, ENOSPC},
    {"a short call at", SIMDISK_SHORT, 1, EIO},
};

static bool is_long(void)
{
    const char *text = getenv("RELEVO_TESTS");
    return text && strcmp(text, "long") == 0;
}

/* ---- What there is ---- */

/* A node's disk after MINE writes, and the log and the places of a node that has ALL of them. */
struct world {
    struct kit k;
    struct simdisk *disk;
    struct history history;
    struct buf stream;
    struct position at[ALL + 1]; /* behind so many writes */
    unsigned from_base;          /* where the base stands that the other node gives */
    char dir[64];
};

/* The data after @n writes. */
static void base_file(struct buf *out, const struct history *history, const struct position *p, unsigned n)
{
    struct rdb_sum sum = {0};
    struct buf text = {0};
    rdb_put_header(out);
    history_encode(history, &text);
    rdb_put_aux(out, SPAN(RDB_AUX_HISTORY), buf_span(&text));
    text.len = 0;
    position_encode(p, &text);
    rdb_put_aux(out, SPAN(RDB_AUX_POSITION), buf_span(&text));
    text.len = 0;
    buf_printf(&text, "[to %u.]", n);
    rdb_put_aux(out, SPAN("content"), buf_span(&text));
    rdb_put_eof(out);
    rdb_sum_add(&sum, buf_span(out));
    rdb_put_checksum(out, &sum);
    buf_free(&text);
}

static void checkpoint(struct world *w, unsigned n)
{
    struct checkpoint *c;
    struct buf file = {0};
    cr_assert_eq(checkpoint_begin(w->k.log, NULL, NULL, &c, &w->k.m), ERR_OK, "%s", w->k.m.text);
    const struct position p = checkpoint_position(c);
    base_file(&file, log_history(w->k.log), &p, n);
    checkpoint_feed(c, &file);
    checkpoint_finish(c);
    cr_assert_eq(checkpoint_wait(c, &w->k.m), CHECKPOINT_DONE, "%s", w->k.m.text);
    checkpoint_free(c);
}

static void note_places(struct world *w)
{
    struct batch_chain chain = {0};
    struct batch b;
    size_t need;
    struct cursor c = cursor_of(buf_span(&w->stream));
    for (unsigned n = 0;; n++) {
        w->at[n] = (struct position){.epoch = w->history.epochs[0].number, .offset = chain.offset, .crc = chain.crc};
        if (n == ALL) break;
        cr_assert(history_enter(&w->history, &chain));
        cr_assert_eq(batch_take(span_of(c.at, (size_t)(c.end - c.at)), BATCH_MAX, &chain, &b, &need, NULL), ERR_OK);
        c.at += need;
    }
}

/* Writes 0 to 2, a base, 3 to 5, a base, 6 to 8; the other node goes on. @keep: older bases that are kept. */
static void world_begin(struct world *w, unsigned keep)
{
    *w = (struct world){.from_base = 6};
    kit_init(&w->k);
    memcpy(w->dir, w->k.dir, sizeof w->dir);
    struct simdisk *disk = simdisk_new(w->dir);
    struct io_ops io = simdisk_io(disk);
    w->k.options.io = &io;
    w->k.options.keep_bases = keep;
    w->k.options.retain_bytes = 0;
    kit_begin(&w->k);
    for (unsigned i = 0; i < ALL; i++) {
        if (i == 3 || i == 6) checkpoint(w, i);
        if (i == MINE) w->disk = simdisk_after(disk, SIMDISK_CUT, 0);
        set_numbered(&w->k, i);
        kit_sync(&w->k);
    }
    history_copy(&w->history, log_history(w->k.log));
    buf_add_span(&w->stream, buf_span(&w->k.stream));
    note_places(w);
    kit_close(&w->k);
    w->k.options.io = NULL;
    simdisk_free(disk);
}

static void world_end(struct world *w)
{
    kit_end(&w->k);
    simdisk_free(w->disk);
    history_free(&w->history);
    buf_free(&w->stream);
}

/* ---- The node that is asked ---- */

static enum err give_log(void *context, const struct history *history, struct batch_chain *chain, uint64_t end,
                         const struct fetch_sink *to, struct errmsg *m)
{
    const struct world *w = context;
    enum err e = ERR_OK;
    while (!e && chain->offset < end) {
        const struct span rest = span_of(w->stream.p + chain->offset, w->stream.len - chain->offset);
        struct batch b;
        size_t need;
        cr_assert(history_enter(history, chain));
        e = batch_take(rest, BATCH_MAX, chain, &b, &need, m);
        if (!e) e = to->take(to->context, span_of(rest.p, need), m);
    }
    return e;
}

static enum err give_base(void *context, const struct history *history, const struct position *at,
                          struct fetch_base *got, const struct fetch_sink *to, struct errmsg *m)
{
    const struct world *w = context;
    struct buf file = {0};
    (void)history;
    (void)at;
    *got = (struct fetch_base){.position = w->at[w->from_base], .end = w->stream.len};
    history_copy(&got->history, &w->history);
    base_file(&file, &w->history, &got->position, w->from_base);
    const size_t half = file.len / 2;
    enum err e = to->take(to->context, span_of(file.p, half), m);
    if (!e) e = to->take(to->context, span_of(file.p + half, file.len - half), m);
    buf_free(&file);
    return e;
}

static enum err give_epochs(void *context, struct history *history, struct errmsg *m)
{
    const struct world *w = context;
    (void)m;
    history_copy(history, &w->history);
    return ERR_OK;
}

/* ---- Looking at what is left ---- */

static const char *path_in(const struct world *w, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return path;
}

static enum err load_base(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    struct kit *k = context;
    struct buf file = {0};
    char bytes[512];
    size_t got;
    enum err e;
    while (!(e = source->read(source->context, bytes, sizeof bytes, &got, m)) && got) buf_add(&file, bytes, got);
    const char *text = e ? NULL : memmem(file.p, file.len, "[to ", 4);
    if (!text) e = e ? e : err_set(m, ERR_CORRUPT, "a base without its mark");
    else buf_add(&k->loaded, text, (size_t)(strchr(text, ']') + 1 - text));
    *used = file.len;
    buf_free(&file);
    return e;
}

/* How many writes a start has; -1: it is refused, and says why. */
static int start(const struct world *w, struct simdisk *disk, const char *what)
{
    struct simdisk *copy = simdisk_after(disk, SIMDISK_KILLED, 0);
    struct io_ops io = simdisk_io(copy);
    struct kit k = {.options = w->k.options};
    const struct log_loader loader = {.context = &k, .rdb = load_base, .command = kit_command};
    unsigned world, next = 0;
    k.options.io = &io;
    k.options.dir = w->dir;
    enum err e = log_open(&k.options, &k.log, &k.m);
    if (!e) e = log_load(k.log, &loader, &k.report, &k.m);
    buf_add_char(&k.loaded, 0);
    if (e) cr_expect_gt(strlen(k.m.text), 10, "%s: refused without a reason", what);
    else cr_expect(life_parse(k.loaded.p, &world, &next), "%s: a hole in %s", what, k.loaded.p);
    log_close(k.log);
    buf_free(&k.loaded);
    simdisk_free(copy);
    return e ? -1 : (int)next;
}

struct search {
    struct simdisk *disk;
    const char *dir;
    struct buf all;
};

static void gather(void *context, const char *name)
{
    struct search *s = context;
    struct buf content = {0};
    char *path = path_join(s->dir, name);
    if (simdisk_get(s->disk, path, &content)) buf_add_span(&s->all, buf_span(&content));
    mem_free(path);
    buf_free(&content);
}

/* The writes @from to @to stand somewhere in the directory, whatever the file is called. */
static void expect_kept(const struct world *w, struct simdisk *disk, unsigned from, unsigned to, const char *what)
{
    struct io_ops io = simdisk_io(disk);
    struct search s = {.disk = disk, .dir = mem_dup(path_in(w, "appendonlydir"), strlen(w->dir) + 15)};
    cr_assert_eq(io.list(io.context, s.dir, gather, &s), 0);
    for (unsigned n = from; n < to; n++) {
        char text[16];
        const int length = snprintf(text, sizeof text, "$2\r\nk%u\r\n", n);
        cr_expect(memmem(s.all.p, s.all.len, text, (size_t)length), "%s: write %u is gone", what, n);
    }
    mem_free((void *)(uintptr_t)s.dir);
    buf_free(&s.all);
}

/* ---- Damage ---- */

static void flip(const struct world *w, const char *name, const char *text, size_t behind)
{
    struct buf content = {0};
    cr_assert(simdisk_get(w->disk, path_in(w, name), &content), "%s", name);
    char *at = memmem(content.p, content.len, text, strlen(text));
    cr_assert(at, "%s in %s", text, name);
    at[behind] ^= 1;
    simdisk_put(w->disk, path_in(w, name), buf_span(&content));
    buf_free(&content);
}

static void harm_write(const struct world *w, const char *name, const char *key) { flip(w, name, key, 8); }

static void harm_base(const struct world *w, const char *name) { flip(w, name, "[to ", 1); }

static void lose(struct world *w, const char *name)
{
    struct io_ops io = simdisk_io(w->disk);
    struct errmsg m;
    cr_assert_eq(io.unlink(io.context, path_in(w, name)), 0, "%s", name);
    cr_assert_eq(dir_sync(&io, path_in(w, "appendonlydir"), &m), ERR_OK);
}

static void last_segment(struct world *w) { harm_write(w, SEGMENT(3), "k7\r\n$1\r\nv"); }

static void older_segment(struct world *w) { harm_write(w, SEGMENT(2), "k4\r\n$1\r\nv"); }

static void older_segment_and_newest_base(struct world *w)
{
    older_segment(w);
    harm_base(w, BASE(2));
}

static void missing_segment(struct world *w) { lose(w, SEGMENT(3)); }

static void newest_base(struct world *w) { harm_base(w, BASE(2)); }

static void missing_base(struct world *w) { lose(w, BASE(2)); }

static void base_and_log(struct world *w)
{
    newest_base(w);
    last_segment(w);
}

static void our_manifest(struct world *w) { flip(w, "appendonlydir/relevo.manifest", "segment", 2); }

static void missing_manifest(struct world *w) { lose(w, "appendonlydir/relevo.manifest"); }

static void redis_manifest(struct world *w) { flip(w, "appendonlydir/appendonly.aof.manifest", "type", 1); }

struct damage {
    const char *name;
    void (*harm)(struct world *w);
    unsigned keep;      /* older bases */
    bool from;          /* a node is asked */
    unsigned from_base; /* where its base stands */
    int after;          /* writes that are there when all is mended */
    unsigned first;     /* the first one that is in a file at all */
};

static const struct damage damages[] = {
    {"cut", last_segment, 1, false, 0, 7, 3},
    {"fetch", last_segment, 1, true, 6, MINE, 3},
    {"older segment", older_segment, 1, false, 0, MINE, 3},
    {"older segment, fetched", older_segment, 1, true, 6, MINE, 3},
    {"older segment and base", older_segment_and_newest_base, 1, false, 0, 4, 3},
    {"missing segment", missing_segment, 1, false, 0, 6, 3},
    {"older base", newest_base, 1, false, 0, MINE, 3},
    {"base at ours", newest_base, 0, true, 6, MINE, 6},
    {"base before ours", missing_base, 0, true, 2, MINE, 6},
    {"base within our log", newest_base, 0, true, 8, MINE, 6},
    {"base at our end", missing_base, 0, true, MINE, MINE, 6},
    {"base behind our end", newest_base, 0, true, 11, 11, 6},
    {"base and log", base_and_log, 0, true, 8, MINE, 6},
    {"our manifest", our_manifest, 1, false, 0, MINE, 3},
    {"our manifest, a node is asked", our_manifest, 0, true, 6, MINE, 6},
    {"missing manifest", missing_manifest, 0, true, 6, MINE, 6},
    {"manifest for Redis", redis_manifest, 1, false, 0, MINE, 3},
};

/* ---- The matrix ---- */

static void note(void *context, const char *text) { buf_printf(context, "    %s\n", text); }

/* True: it says that all is well now. */
static bool mend(struct world *w, const struct damage *d, struct simdisk *disk, struct buf *report)
{
    const struct io_ops io = simdisk_io(disk);
    const struct fetch_from from = {
        .name = "a node", .context = w, .log = give_log, .base = give_base, .epochs = give_epochs};
    const struct check_options o = {
        .fix = true, .from = d->from ? &from : NULL, .io = &io, .line = note, .context = report};
    struct check_result result;
    struct errmsg m = {""};
    report->len = 0;
    const enum err e = check_path(w->dir, &o, &result, &m);
    if (e) buf_printf(report, "    %s\n", m.text);
    buf_add_char(report, 0);
    return !e && result.problems <= result.fixed;
}

/* @disk is what a mending left that was hit; @said: it had said that all is well. */
static void judge(struct world *w, const struct damage *d, struct simdisk *disk, int before, bool said,
                  const char *what, const char *first_report)
{
    struct buf report = {0};
    const int found = start(w, disk, what);
    cr_expect(found == d->after || (!said && (found == -1 || found == before)), "%s: a start has %d writes\n%s", what,
              found, first_report);
    expect_kept(w, disk, d->first, d->after == 6 ? 6 : MINE, what);
    struct simdisk *again = simdisk_after(disk, SIMDISK_KILLED, 0);
    const bool done = mend(w, d, again, &report);
    cr_expect(done, "%s: the second time it does not end well\n%s  was\n%s", what, report.p, first_report);
    struct simdisk *cut = simdisk_after(again, SIMDISK_CUT, 0);
    cr_expect_eq(start(w, cut, what), d->after, "%s: mended twice\n%s  was\n%s", what, report.p, first_report);
    simdisk_free(cut);
    simdisk_free(again);
    buf_free(&report);
}

/* One mending as planned; returns its number of calls. */
static int mend_once(struct world *w, const struct damage *d, int before, const struct simdisk_plan *plan,
                     const char *name)
{
    static const enum simdisk_end ends[] = {SIMDISK_KILLED, SIMDISK_CUT, SIMDISK_CUT_BYTES, SIMDISK_CUT_NAMES,
                                            SIMDISK_CUT_RANDOM};
    struct simdisk *disk = simdisk_after(w->disk, SIMDISK_CUT, 0);
    struct buf report = {0};
    char what[256];
    simdisk_arm(disk, plan);
    const bool said = mend(w, d, disk, &report) && !simdisk_is_dead(disk);
    const int calls = simdisk_calls(disk);
    const size_t count = plan->fault < SIMDISK_FAIL || is_long() ? sizeof ends / sizeof *ends : 2;
    for (size_t i = 0; i < count && (plan->at < 0 || simdisk_hit(disk)); i++) {
        struct simdisk *left = simdisk_after(disk, ends[i], (uint64_t)plan->at + 1);
        (void)snprintf(what, sizeof what, "%s, %s call %d (%s), end %zu", d->name, name, plan->at,
                       simdisk_where(disk), i);
        judge(w, d, left, before, said, what, report.p);
        simdisk_free(left);
    }
    if (plan->at < 0) cr_expect(said, "%s\n%s", d->name, report.p);
    simdisk_free(disk);
    buf_free(&report);
    return calls;
}

static void each_call(struct world *w, const struct damage *d)
{
    struct simdisk_plan plan = {.fault = SIMDISK_FAIL, .at = -1, .die_at = -1};
    const int before = start(w, w->disk, d->name), calls = mend_once(w, d, before, &plan, "no");
    const int step = is_long() ? 1 : 2;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        plan.fault = faults[i].fault;
        plan.count = faults[i].count;
        plan.number = faults[i].number;
        for (plan.at = (int)i % step; plan.at < calls; plan.at += step)
            (void)mend_once(w, d, before, &plan, faults[i].name);
    }
}

static void every_damage(size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        struct world w;
        world_begin(&w, damages[i].keep);
        w.from_base = damages[i].from_base;
        damages[i].harm(&w);
        each_call(&w, &damages[i]);
        world_end(&w);
    }
}

Test(mend_matrix, a_log_is_cut_or_fetched_whatever_befalls_the_disk) { every_damage(0, 6); }

Test(mend_matrix, a_base_gives_way_or_is_fetched_whatever_befalls_the_disk) { every_damage(6, 13); }

Test(mend_matrix, a_manifest_is_written_anew_whatever_befalls_the_disk)
{
    every_damage(13, sizeof damages / sizeof *damages);
}
