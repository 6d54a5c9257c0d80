#include "server/saver.h"

#include <assert.h>
#include <stdio.h>

#include "common/functions.h"
#include "common/mem.h"
#include "common/traversal.h"
#include "replication/checkpoint.h"
#include "replication/log.h"
#include "server/memory.h"
#include "server/nodes.h"
#include "server/server.h"
#include "server/version.h"

enum {
    PIECE_BYTES = 128 * 1024, /* at a time for the thread, which is woken for them */
    STEP_BYTES = 16 * 1024,   /* between two looks at the clock */
    SLICE_US = 300,           /* of the main thread, one after the other while there is nothing else to do */
    PACED_US = 100,           /* else one each PACE_MS; less where the loop was never idle between two, */
    FULL_US = 50,             /* so that commands keep 95 % of the time, and all keys are given for all that */
    PACE_MS = 1,
    FULL_PERCENT = 75,
    SLICE_MIN_US = 50,       /* and this in turns that have taken */
    TURN_WITH_US = 1400,     /* so long already */
    BUSY_COMMANDS = 10,      /* since the last slice: there is something else to do */
    WAITING_BYTES = 8 << 20, /* may wait for the disk before writes are held, or */
    WAITING_SHARE = 32,      /* one to so much of the memory in use, if that is more */
    RETRY_MS = 5000,
};

static const char *kind_name(enum saver_kind kind) { return kind == SAVER_FILE ? "snapshot" : "base"; }

static void notify(void *context) { (void)uv_async_send(&((struct server *)context)->saver.wake); }

static struct saver_result *result_of(struct saver *v, enum saver_kind kind)
{
    return kind == SAVER_FILE ? &v->file : &v->base;
}

/* ---- What is written ---- */

static void feed(struct saver *v)
{
    v->fed += v->piece.len;
    checkpoint_feed_pieces(v->running, &v->piece);
}

static void put_position(struct server *s, struct buf *to)
{
    struct buf text = {0};
    const struct position position = log_position(s->journal.log);
    position_encode(&position, &text);
    rdb_put_aux(to, SPAN(RDB_AUX_POSITION), buf_span(&text));
    rdb_put_aux_u64(to, RDB_AUX_TIME, (uint64_t)clock_now(&s->clock));
    text.len = 0;
    history_encode(log_history(s->journal.log), &text);
    rdb_put_aux(to, SPAN(RDB_AUX_HISTORY), buf_span(&text));
    buf_free(&text);
}

static void put_header(struct server *s)
{
    struct saver *v = &s->saver;
    struct memory_use m;
    struct buf b = {0};
    memory_use(&m);
    rdb_put_header(&b);
    rdb_put_aux(&b, SPAN("redis-ver"), SPAN(REDIS_VERSION));
    rdb_put_aux_u64(&b, "redis-bits", sizeof(void *) * 8);
    rdb_put_aux_u64(&b, "ctime", (uint64_t)(clock_now(&s->clock) / 1000));
    rdb_put_aux_u64(&b, "used-mem", m.used);
    rdb_put_aux_u64(&b, "aof-base", v->kind == SAVER_BASE);
    put_position(s, &b);
    const struct functions *functions = engine_functions(s->engine);
    for (size_t i = 0; i < functions->count; i++) rdb_put_function(&b, functions->at[i].code);
    checkpoint_feed(v->running, &b);
}

static void put_end(struct saver *v)
{
    checkpoint_seal(v->running);
    checkpoint_finish(v->running);
    traversal_free(v->walk);
    v->walk = NULL;
}

/* ---- The end ---- */

void saver_begin_wanted(struct server *s)
{
    struct saver *v = &s->saver;
    if (scripting_is_busy(s)) return;
    for (int kind = 0; kind < 2 && !v->running; kind++) {
        struct errmsg m;
        bool later;
        if (!v->wanted[kind]) continue;
        v->wanted[kind] = false;
        if (saver_start(s, (enum saver_kind)kind, &later, &m))
            logger_line(s->logger, LOGGER_WARNING, "Cannot begin a %s: %s", kind_name((enum saver_kind)kind), m.text);
    }
}

static void answer_nodes(struct server *s, const char *failure)
{
    struct saver *v = &s->saver;
    if (v->kind != SAVER_BASE || !v->for_nodes || v->wanted[SAVER_BASE]) return;
    v->for_nodes = false;
    if (failure) nodes_base_failed(s, failure);
    else nodes_base_ready(s);
}

/* It shows in INFO, and the rules rest for a while. */
static void note_failure(struct server *s, enum saver_kind kind, const char *why)
{
    struct saver *v = &s->saver;
    struct saver_result *r = result_of(v, kind);
    r->failed = true;
    r->failures++;
    (void)snprintf(r->why.text, sizeof r->why.text, "%s", why);
    v->retry_ms = clock_wall_ms() + RETRY_MS;
}

static void finish(struct server *s, enum checkpoint_state state, const char *why)
{
    struct saver *v = &s->saver;
    struct saver_result *r = result_of(v, v->kind);
    const int64_t now = clock_wall_ms();
    const uint64_t bytes = checkpoint_written(v->running);
    (void)uv_idle_stop(&v->idle);
    (void)uv_timer_stop(&v->pace);
    traversal_free(v->walk);
    v->walk = NULL;
    checkpoint_free(v->running);
    v->running = NULL;
    buf_reset(&v->piece, 0);
    const bool failed = state != CHECKPOINT_DONE;
    r->took_s = (now - v->began_ms) / 1000;
    if (failed && v->set_aside) {
        logger_line(s->logger, LOGGER_NOTICE, "The %s gives way, and will be begun anew", kind_name(v->kind));
    } else if (failed) {
        note_failure(s, v->kind, why);
        logger_line(s->logger, LOGGER_WARNING, "The %s failed: %s", kind_name(v->kind), why);
    } else {
        r->ended_ms = now;
        r->count++;
        r->failed = false;
        r->failures = 0;
        r->why.text[0] = '\0';
        if (v->kind == SAVER_FILE) v->saved_dirty = v->began_dirty;
        logger_line(s->logger, LOGGER_NOTICE, "%s: %llu bytes in %.3f seconds",
                    v->kind == SAVER_FILE ? "DB saved on disk" : "New base of the log", (unsigned long long)bytes,
                    (double)(now - v->began_ms) / 1000);
    }
    v->set_aside = false;
    answer_nodes(s, failed ? why : NULL);
}

static void poll_end(struct server *s)
{
    struct saver *v = &s->saver;
    struct errmsg m = {{0}};
    if (!v->running) return;
    const enum checkpoint_state state = checkpoint_poll(v->running, &m);
    if (state == CHECKPOINT_RUNNING) return;
    finish(s, state, m.text);
    saver_begin_wanted(s);
}

/* ---- Slices ---- */

/* Pieces for about @us; false when all were given. */
static bool give_slice(struct saver *v, int64_t us)
{
    const int64_t begin = clock_ticks_ns();
    bool more = true;
    while (more && !checkpoint_is_behind(v->running)) {
        more = traversal_step(v->walk, &v->piece, STEP_BYTES);
        if (v->piece.len >= PIECE_BYTES || !more) feed(v);
        if ((clock_ticks_ns() - begin) / 1000 > us) break;
    }
    if (!more) put_end(v);
    return more;
}

static struct saver_mark mark_now(const struct server *s)
{
    const struct turn *t = &s->stats.turn;
    return (struct saver_mark){.commands = s->stats.commands,
                               .us = clock_ticks_ns() / 1000,
                               .turns_us = ticks_us(&t->ticks, t->figures.wall) + turn_us(t)};
}

/* By what happened from one slice to the next, the slice included. */
static int64_t length_us(const struct saver_mark *from, const struct saver_mark *to, bool *busy)
{
    *busy = to->commands - from->commands >= BUSY_COMMANDS;
    if (!*busy) return SLICE_US;
    if (to->turns_us < from->turns_us) return PACED_US; /* they are counted anew */
    return (to->turns_us - from->turns_us) * 100 > (uint64_t)(to->us - from->us) * FULL_PERCENT ? FULL_US : PACED_US;
}

/* The slice of this turn, which has a bound. *busy: others need the loop too. */
static int64_t slice_us(struct server *s, bool *busy)
{
    const struct saver_mark now = mark_now(s);
    const int64_t left = TURN_WITH_US - (int64_t)turn_us(&s->stats.turn), us = length_us(&s->saver.last, &now, busy);
    s->saver.last = now;
    return left > us ? us : left > SLICE_MIN_US ? left : SLICE_MIN_US;
}

/* What writes made the traversal give goes to the thread even if that is behind; but then only a part of the memory, and
 * writes wait rather than fill more. */
static void bound_what_waits(struct server *s)
{
    const struct saver *v = &s->saver;
    const bool held = s->clients.writes_held & HOLD_FOR_SNAPSHOT;
    bool hold = false;
    if (v->running) {
        const uint64_t most = held ? v->most_waiting / 2 : v->most_waiting;
        hold = checkpoint_is_behind(v->running) && checkpoint_backlog(v->running) > most;
    }
    if (hold != held) clients_hold_writes(s, HOLD_FOR_SNAPSHOT, hold);
}

void saver_end_turn(struct server *s)
{
    struct saver *v = &s->saver;
    if (v->walk) {
        const uint64_t fed = v->fed;
        traversal_take(v->walk, &v->piece);
        if (v->piece.len >= PIECE_BYTES) feed(v);
        limits_gave(s, v->fed - fed);
    }
    bound_what_waits(s);
}

static void on_pace(uv_timer_t *h);

static void on_idle(uv_idle_t *h)
{
    struct server *s = h->data;
    struct saver *v = &s->saver;
    turn_begin(&s->stats.turn);
    const uint64_t fed = v->fed;
    bool busy;
    const int64_t us = slice_us(s, &busy);
    /* The loop may sleep when all was given, until the disk has caught up, or until it is time for another. */
    if (!v->walk || !give_slice(v, us) || checkpoint_is_behind(v->running)) {
        (void)uv_idle_stop(h);
    } else if (busy) {
        (void)uv_idle_stop(h);
        (void)uv_timer_start(&v->pace, on_pace, PACE_MS, 0);
    }
    limits_gave(s, v->fed - fed);
}

static void on_pace(uv_timer_t *h)
{
    struct server *s = h->data;
    struct saver *v = &s->saver;
    if (v->running && v->walk && !checkpoint_is_behind(v->running)) (void)uv_idle_start(&v->idle, on_idle);
}

static void on_wake(uv_async_t *h)
{
    struct server *s = h->data;
    struct saver *v = &s->saver;
    turn_begin(&s->stats.turn);
    poll_end(s);
    if (v->running && v->walk && !checkpoint_is_behind(v->running)) (void)uv_idle_start(&v->idle, on_idle);
}

/* ---- Begin ---- */

static const char *file_name(const struct server *s)
{
    return s->saver.file_name ? s->saver.file_name : config_text(s->config, SET_DBFILENAME);
}

static enum err begin(struct server *s, enum saver_kind kind, struct errmsg *m)
{
    struct saver *v = &s->saver;
    assert(!v->running && !v->walk);
    journal_close_batch(s);
    const enum err e = kind == SAVER_BASE ? checkpoint_begin(s->journal.log, notify, s, &v->running, m)
                                          : checkpoint_begin_file(NULL, file_name(s), notify, s, &v->running, m);
    if (e) {
        v->running = NULL;
        note_failure(s, kind, m->text);
        return e;
    }
    v->kind = kind;
    v->walk = traversal_begin(s->engine);
    v->total = traversal_total(v->walk);
    const uint64_t share = memory_used() / WAITING_SHARE;
    v->most_waiting = share > WAITING_BYTES ? share : WAITING_BYTES;
    v->began_ms = clock_wall_ms();
    v->began_dirty = engine_stats(s->engine)->dirty;
    if (config_number(s->config, SET_RDBCOMPRESSION)) checkpoint_compress(v->running);
    put_header(s);
    return ERR_OK;
}

enum err saver_start(struct server *s, enum saver_kind kind, bool *later, struct errmsg *m)
{
    struct saver *v = &s->saver;
    *later = v->running != NULL || scripting_is_busy(s); /* what a script has half done must not be in it */
    if (*later) {
        v->wanted[kind] = true;
        return ERR_OK;
    }
    const enum err e = begin(s, kind, m);
    if (e) {
        v->kind = kind;
        answer_nodes(s, m->text);
        return e;
    }
    logger_line(s->logger, LOGGER_NOTICE, "Writing a %s of %llu keys", kind_name(kind),
                (unsigned long long)traversal_total(v->walk));
    (void)uv_idle_start(&v->idle, on_idle);
    return ERR_OK;
}

void saver_start_for_nodes(struct server *s)
{
    struct errmsg m;
    bool later;
    s->saver.for_nodes = true;
    if (saver_start(s, SAVER_BASE, &later, &m))
        logger_line(s->logger, LOGGER_WARNING, "Cannot begin a base for a replica: %s", m.text);
}

enum err saver_run(struct server *s, enum saver_kind kind, struct errmsg *m)
{
    struct saver *v = &s->saver;
    if (v->running && v->kind != kind) v->set_aside = v->wanted[v->kind] = true;
    saver_abort(s);
    enum err e = begin(s, kind, m);
    if (e) return e;
    while (give_slice(v, INT64_MAX)) {
        /* The thread writes one piece after the other; this one has nothing else to do. */
        if (checkpoint_poll(v->running, m) != CHECKPOINT_RUNNING) break;
        uv_sleep(1);
    }
    const enum checkpoint_state state = checkpoint_wait(v->running, m);
    e = state == CHECKPOINT_DONE ? ERR_OK : ERR_IO;
    finish(s, state, m->text);
    saver_begin_wanted(s);
    return e;
}

enum err saver_run_to(struct server *s, const char *name, struct errmsg *m)
{
    s->saver.file_name = name;
    const enum err e = saver_run(s, SAVER_FILE, m);
    s->saver.file_name = NULL;
    return e;
}

void saver_abort(struct server *s)
{
    struct saver *v = &s->saver;
    if (!v->running) return;
    checkpoint_abort(v->running);
    struct errmsg m = {{0}};
    const enum checkpoint_state state = checkpoint_wait(v->running, &m);
    finish(s, state, m.text[0] ? m.text : "given up");
}

void saver_progress(const struct server *s, uint64_t *given, uint64_t *total)
{
    const struct saver *v = &s->saver;
    *given = *total = v->running ? v->total : 0;
    if (v->running && v->walk) *given = traversal_given(v->walk);
}

bool saver_stops_writes(const struct server *s)
{
    return s->saver.file.failed && config_number(s->config, SET_STOP_WRITES) && config_text(s->config, SET_SAVE)[0];
}

uint64_t saver_changes(const struct server *s) { return engine_stats(s->engine)->dirty - s->saver.saved_dirty; }

/* ---- Rules ---- */

static bool save_is_due(const struct server *s, int64_t now)
{
    struct save_rule rules[SAVE_RULES_MAX];
    const size_t n = config_save_rules(s->config, rules);
    const uint64_t changes = saver_changes(s);
    for (size_t i = 0; i < n; i++)
        if (changes >= (uint64_t)rules[i].changes && changes &&
            now - s->saver.file.ended_ms > rules[i].seconds * 1000)
            return true;
    return false;
}

static bool base_is_due(struct server *s)
{
    const int64_t percentage = config_number(s->config, SET_AUTO_REWRITE_PERCENTAGE);
    struct log_stats stats;
    if (!percentage || !config_number(s->config, SET_APPENDONLY)) return false;
    log_get_stats(s->journal.log, &stats);
    const uint64_t size = stats.base_bytes + stats.log_bytes,
                   base = stats.has_base && stats.base_bytes ? stats.base_bytes : 1;
    return size > (uint64_t)config_number(s->config, SET_AUTO_REWRITE_MIN_SIZE) &&
           (double)stats.log_bytes * 100 / (double)base >= (double)percentage;
}

void saver_tend(struct server *s)
{
    const int64_t now = clock_now(&s->clock);
    struct errmsg m;
    bool later;
    if (s->loading || s->saver.running || now < s->saver.retry_ms) return;
    enum err e = ERR_OK;
    if (save_is_due(s, now)) e = saver_start(s, SAVER_FILE, &later, &m);
    else if (base_is_due(s)) e = saver_start(s, SAVER_BASE, &later, &m);
    if (e) logger_line(s->logger, LOGGER_WARNING, "Cannot begin a snapshot: %s", m.text);
}

void saver_init(struct server *s)
{
    struct saver *v = &s->saver;
    (void)uv_idle_init(&s->loop, &v->idle);
    (void)uv_async_init(&s->loop, &v->wake, on_wake);
    (void)uv_timer_init(&s->loop, &v->pace);
    v->idle.data = v->wake.data = v->pace.data = s;
    v->file.took_s = v->base.took_s = -1;
    v->file.ended_ms = v->base.ended_ms = clock_wall_ms();
}

void saver_free(struct server *s) { buf_free(&s->saver.piece); }
