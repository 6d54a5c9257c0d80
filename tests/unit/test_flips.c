/* Every byte of what lies on disk, changed one at a time: it is refused, or it changes nothing. Never other data, never a
 * crash. The directory is small but has all that a real one has: a base with every type, segments, both manifests. */
#include <criterion/criterion.h>

#include "log_kit.h"
#include "tests/lib/disk_load.h"
#include "tests/lib/whole_rdb.h"
#include "tests/unit/engine_fixture.h"

enum { FILES = 4, BATCHES = 4, WAYS = 6 };

static const char *const names[FILES] = {BASE(1), SEGMENT(2), "appendonlydir/relevo.manifest",
                                         "appendonlydir/appendonly.aof.manifest"};
enum { THE_BASE, THE_SEGMENT, OUR_MANIFEST, REDIS_MANIFEST };

struct scene {
    struct kit kit;
    struct fixture fixture;
    struct buf files[FILES];
    uint8_t states[BATCHES + 1][ENGINE_DIGEST_BYTES]; /* of the base, and after each batch behind it */
};

static struct engine *small_engine(void)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    options.databases = 1;
    return engine_new(&options);
}

/* Execute a line, and log it as a batch of its own. */
static void log_line(struct scene *s, const char *line)
{
    (void)fixture_do(&s->fixture, "%s", line);
    effects_end(&s->fixture.effects);
    batch_begin(&s->kit.batch);
    buf_add_span(&s->kit.batch, buf_span(&s->fixture.log));
    kit_append(&s->kit);
    buf_reset(&s->fixture.log, SIZE_MAX);
    effects_begin(&s->fixture.effects, &s->fixture.log);
}

static void checkpoint(struct scene *s)
{
    struct checkpoint *c;
    struct buf rdb = {0};
    whole_rdb(s->fixture.engine, &rdb);
    cr_assert_eq(checkpoint_begin(s->kit.log, NULL, NULL, &c, &s->kit.m), ERR_OK, "%s", s->kit.m.text);
    checkpoint_feed(c, &rdb);
    checkpoint_finish(c);
    cr_assert_eq(checkpoint_wait(c, &s->kit.m), CHECKPOINT_DONE, "%s", s->kit.m.text);
    checkpoint_free(c);
}

static const char *const before[] = {"SET text abc PXAT 1800000000000",
                                     "SET number 12345",
                                     "RPUSH list a 1 bb",
                                     "SADD ints 1 2 300",
                                     "SADD words x 7",
                                     "HSET hash f v g 5",
                                     "ZADD z 1 a 2.5 bb",
                                     "XADD stream 1-1 f v"};
static const char *const behind[BATCHES] = {"SET other 1", "HSET hash g 6", "LPUSH list zz", "DEL words"};

static void make(struct scene *s)
{
    *s = (struct scene){.kit = {.log = NULL}};
    kit_init(&s->kit);
    fixture_init(&s->fixture);
    kit_begin(&s->kit);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) log_line(s, before[i]);
    checkpoint(s);
    engine_digest_full(s->fixture.engine, s->states[0]);
    for (size_t i = 0; i < BATCHES; i++) {
        log_line(s, behind[i]);
        engine_digest_full(s->fixture.engine, s->states[i + 1]);
    }
    kit_close(&s->kit);
    for (size_t i = 0; i < FILES; i++) kit_read(&s->kit, names[i], &s->files[i]);
}

static void unmake(struct scene *s)
{
    for (size_t i = 0; i < FILES; i++) buf_free(&s->files[i]);
    fixture_free(&s->fixture);
    kit_end(&s->kit);
}

static unsigned char changed(unsigned char c, unsigned way)
{
    const unsigned char to[WAYS] = {
        (unsigned char)(c ^ 1), (unsigned char)(c ^ 0x80), (unsigned char)~c, 0, '\n', '0'};
    return to[way];
}

/* Load the scene's files. How many batches behind the base the data stands, or -1: refused. */
static int load(struct scene *s, const char *what)
{
    for (size_t i = 0; i < FILES; i++) kit_write(&s->kit, names[i], buf_span(&s->files[i]));
    struct engine *e = small_engine();
    struct log_report report;
    struct errmsg m = {{0}};
    int state = -1;
    if (!disk_load(s->kit.dir, e, &report, &m)) {
        uint8_t digest[ENGINE_DIGEST_BYTES];
        engine_digest_full(e, digest);
        for (state = BATCHES; state >= 0; state--)
            if (memcmp(digest, s->states[state], sizeof digest) == 0) break;
        cr_assert_geq(state, 0, "other data: %s", what);
    } else {
        cr_assert(m.text[0], "refused without a reason: %s", what);
    }
    engine_check(e);
    engine_free(e);
    return state;
}

/* Change each byte of file @f; its data must then be refused or stand at least at @least. */
static void flip_all(size_t f, int least, size_t *refused, size_t *cut)
{
    struct scene s;
    char what[100];
    make(&s);
    cr_assert_eq(load(&s, "nothing"), BATCHES);
    for (size_t i = 0; i < s.files[f].len; i++) {
        const char old = s.files[f].p[i];
        for (unsigned way = 0; way < WAYS; way++) {
            s.files[f].p[i] = (char)changed((unsigned char)old, way);
            if (s.files[f].p[i] == old) continue;
            (void)snprintf(what, sizeof what, "%s, byte %zu is %02x and not %02x", names[f], i,
                           (unsigned char)s.files[f].p[i], (unsigned char)old);
            const int state = load(&s, what);
            cr_assert(state < 0 || state >= least, "%s: only %d batches", what, state);
            *refused += state < 0;
            *cut += state >= 0 && state < BATCHES;
        }
        s.files[f].p[i] = old;
    }
    unmake(&s);
}

Test(flips, in_the_base_are_all_refused)
{
    size_t refused = 0, cut = 0;
    flip_all(THE_BASE, BATCHES + 1, &refused, &cut);
    cr_expect_gt(refused, 500);
}

Test(flips, in_a_segment_are_refused_or_cut_the_last_batch)
{
    size_t refused = 0, cut = 0;
    flip_all(THE_SEGMENT, BATCHES - 1, &refused, &cut);
    cr_expect_gt(refused, 500);
    cr_expect_gt(cut, 100);
}

Test(flips, in_our_manifest_are_all_refused)
{
    size_t refused = 0, cut = 0;
    flip_all(OUR_MANIFEST, BATCHES + 1, &refused, &cut);
    cr_expect_gt(refused, 500);
}

Test(flips, in_the_manifest_for_redis_are_refused_or_harmless)
{
    size_t refused = 0, cut = 0;
    flip_all(REDIS_MANIFEST, BATCHES, &refused, &cut);
    cr_expect_gt(refused, 100);
}

/* With the checksum gone nothing stands between damage and the loader. */
Test(flips, in_a_snapshot_without_a_checksum_never_leave_data_that_does_not_hold)
{
    struct scene s;
    make(&s);
    struct buf *file = &s.files[THE_BASE];
    size_t loaded = 0, refused = 0;
    memset(file->p + file->len - 8, 0, 8);
    for (size_t i = 0; i < file->len - 8; i++) {
        const char old = file->p[i];
        for (unsigned way = 0; way < WAYS; way++) {
            struct engine *e = small_engine();
            struct errmsg m = {{0}};
            struct rdb_loaded r;
            struct buf again = {0};
            file->p[i] = (char)changed((unsigned char)old, way);
            struct cursor c = cursor_of(buf_span(file));
            const struct rdb_source source = rdb_source_span(&c);
            const struct rdb_target target = rdb_target_engine(e);
            const enum err err = rdb_load(&source, &target, &r, &m);
            cr_assert_eq(!err, !m.text[0]);
            *(err ? &refused : &loaded) += 1;
            engine_check(e);
            whole_rdb(e, &again);
            buf_free(&again);
            engine_free(e);
        }
        file->p[i] = old;
    }
    cr_expect_gt(loaded, 100);
    cr_expect_gt(refused, 500);
    unmake(&s);
}
