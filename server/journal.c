#include "server/journal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "replication/batch.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/nodes.h"
#include "server/observe.h"
#include "server/server.h"
#include "server/touched.h"

enum { CHOKE_BYTES = 128 << 20 };

/* In the order of the setting's words. */
static enum log_sync_policy sync_policy(const struct server *s)
{
    static const enum log_sync_policy policies[] = {LOG_SYNC_EVERYSEC, LOG_SYNC_ALWAYS, LOG_SYNC_NO};
    return policies[config_number(s->config, SET_APPENDFSYNC)];
}

/* ---- What the log tells ---- */

static void notify(void *context) { (void)uv_async_send(&((struct server *)context)->journal.wake); }

static void say(void *context, enum log_say_level level, const char *text)
{
    struct server *s = context;
    logger_line(s->logger, level == LOG_SAY_WARNING ? LOGGER_WARNING : LOGGER_NOTICE, "%s", text);
}

static void release_held(struct server *s)
{
    struct journal *j = &s->journal;
    touched_forget(j->touched, j->committed);
    for (struct client *c = j->held; c; c = c->next_held) client_mark_dirty(c);
}

static void check_failure(struct server *s)
{
    struct journal *j = &s->journal;
    struct errmsg m = {{0}};
    const bool failed = log_failed(j->log, &m);
    if (failed) (void)snprintf(j->failure, sizeof j->failure, "%s", m.text);
    if (failed && !j->failed)
        logger_line(s->logger, LOGGER_WARNING, "The log cannot be written, writes are refused: %s", m.text);
    if (!failed && j->failed) logger_line(s->logger, LOGGER_WARNING, "The log is written again, writes are accepted");
    j->failed = failed;
}

/* Bound what waits for a slow disk: a primary reads less from clients that write, a replica (nodes_progress()) from its
 * primary. Where writes are refused anyway, they may go on hearing so. */
static void check_backlog(struct server *s)
{
    struct journal *j = &s->journal;
    const uint64_t backlog = log_backlog(j->log);
    const bool choked = backlog > (j->choked ? CHOKE_BYTES / 2 : CHOKE_BYTES);
    if (choked != j->choked) log_notify_written(j->log, choked);
    j->choked = choked;
    const bool hold = choked && !j->failed && !s->read_only, held = s->clients.writes_held & HOLD_FOR_DISK;
    if (hold != held) clients_hold_writes(s, HOLD_FOR_DISK, hold);
}

static void on_wake(uv_async_t *h)
{
    struct server *s = h->data;
    struct journal *j = &s->journal;
    if (!j->log) return;
    turn_begin(&s->stats.turn);
    check_failure(s);
    check_backlog(s);
    nodes_progress(s);
    wait_check(s);
    if (j->hold || j->held) {
        j->committed = log_durable(j->log);
        release_held(s);
    }
    if (j->late) journal_tend(s);
}

/* ---- The open batch ---- */

uint64_t journal_position(const struct server *s)
{
    const struct journal *j = &s->journal;
    return log_end(j->log) + (j->effects.count ? 1 : 0);
}

void journal_close_batch(struct server *s)
{
    struct journal *j = &s->journal;
    if (j->effects.count == 0 || j->effects.frames) return; /* a transaction or a script is half done */
    assert(j->appending);
    effects_end(&j->effects);
    struct chunk *c = log_append(j->log, clock_now(&s->clock), &j->batch);
    nodes_submit(s, c);
    limits_gave(s, c->len);
    chunk_unref(c);
    effects_begin(&j->effects, &j->batch);
    if (j->enough) {
        log_hurry(j->log);
        cohort_hand_over(&j->cohort);
        j->enough = false;
    }
    check_backlog(s);
}

void journal_wrote(struct client *c)
{
    struct journal *j = &c->server->journal;
    c->wrote = journal_position(c->server);
    if (j->strict && cohort_join(&j->cohort, log_next_flush(j->log), &c->joined)) j->enough = true;
}

void journal_append_chunk(struct server *s, struct chunk *c)
{
    log_append_chunk(s->journal.log, c);
    check_backlog(s);
}

/* ---- What replies wait for ---- */

void journal_touched(struct server *s, unsigned db, struct span key)
{
    touched_add(s->journal.touched, db, key, log_end(s->journal.log) + 1);
}

void journal_flushed(struct server *s) { touched_add_all(s->journal.touched, log_end(s->journal.log) + 1); }

void journal_configure(struct server *s)
{
    struct journal *j = &s->journal;
    const enum log_sync_policy policy = sync_policy(s);
    const bool strict = policy == LOG_SYNC_ALWAYS && config_number(s->config, SET_APPENDONLY) && !s->read_only;
    if (!j->log) return;
    check_backlog(s);
    log_set_sync(j->log, policy);
    /* What waits now still waits: until that much is durable. */
    if (strict != j->strict) {
        j->strict = strict;
        j->committed = log_durable(j->log);
        observe_configure(s);
        /* What is under way already was touched unseen. */
        if (strict) touched_add_all(j->touched, journal_position(s));
    }
    journal_tend(s);
}

/* `everysec` says how much a power cut may take. Where the disk does not keep that promise, no more is promised. */
static bool is_late(struct server *s)
{
    const int64_t most_ms = config_number(s->config, SET_LOG_UNSYNCED_MAX);
    if (!most_ms || sync_policy(s) != LOG_SYNC_EVERYSEC || s->read_only) return false;
    return log_unsynced_ms(s->journal.log, clock_wall_ms()) > most_ms;
}

void journal_tend(struct server *s)
{
    struct journal *j = &s->journal;
    if (!j->log) return;
    const bool late = is_late(s), was = j->late;
    j->late = late;
    j->hold = j->strict || late;
    if (late == was) return;
    if (late) {
        j->committed = log_durable(j->log);
        logger_line(s->logger, LOGGER_WARNING,
                    "The disk is slow: the log waits to be synced for %lld ms, writes are not "
                    "answered before it is",
                    (long long)log_unsynced_ms(j->log, clock_wall_ms()));
    } else {
        logger_line(s->logger, LOGGER_NOTICE,
                    "The disk has caught up: writes are answered again when they are executed");
        if (j->strict) return;
        j->committed = log_end(j->log);
        release_held(s);
    }
}

uint64_t journal_depends(struct server *s, const struct client *c, const struct command_entry *e,
                         const struct request *r, uint64_t before)
{
    enum { ROOM = 64 };
    const struct journal *j = &s->journal;
    const uint64_t end = journal_position(s);
    if (j->effects.count != before) return end;
    if (!j->strict) return 0;
    if (!(e->flags & CMD_ENGINE) && e != s->debug_command) return 0;
    if (end <= j->committed) return 0;
    struct key_ref keys[ROOM];
    const long n = command_keys(e, r->argv, r->argc, keys, ROOM);
    if (n <= 0 || n > ROOM) return end; /* of the whole data set, or not to be told */
    uint64_t position = 0;
    for (long i = 0; i < n; i++) {
        const uint64_t p = touched_find(j->touched, c->session.db, r->argv[keys[i].index]);
        if (p > position) position = p;
    }
    return position > j->committed ? position : 0;
}

void journal_sync(struct server *s)
{
    struct journal *j = &s->journal;
    struct errmsg m = {{0}};
    if (!j->log) return;
    journal_close_batch(s);
    if (log_sync(j->log, &m)) logger_line(s->logger, LOGGER_WARNING, "The log cannot be made durable: %s", m.text);
    j->committed = log_durable(j->log);
    release_held(s);
}

void journal_forget_client(struct client *c)
{
    struct journal *j = &c->server->journal;
    if (c->prev_held) c->prev_held->next_held = c->next_held;
    else if (j->held == c) j->held = c->next_held;
    if (c->next_held) c->next_held->prev_held = c->prev_held;
    c->prev_held = c->next_held = NULL;
}

void journal_give_up_held(struct server *s)
{
    for (struct client *c = s->journal.held, *next; c; c = next) {
        next = c->next_held;
        if (!client_waits_for_log(c)) continue;
        logger_line(s->logger, LOGGER_WARNING, "Closing the client %s: what it wrote could not be made durable",
                    c->addr);
        client_close(c);
    }
}

/* ---- Life ---- */

static enum err open_log(struct server *s, struct errmsg *m)
{
    struct log_options o = LOG_OPTIONS_DEFAULT;
    o.dir = s->dir;
    o.append_dir = config_text(s->config, SET_APPENDDIRNAME);
    o.append_name = config_text(s->config, SET_APPENDFILENAME);
    o.dump_name = config_text(s->config, SET_DBFILENAME);
    o.files = config_number(s->config, SET_APPENDONLY);
    o.load_truncated = config_number(s->config, SET_LOAD_TRUNCATED);
    o.sync = sync_policy(s);
    o.retain_bytes = (uint64_t)config_number(s->config, SET_LOG_RETAIN_BYTES);
    o.retain_ms = config_number(s->config, SET_LOG_RETAIN_SECONDS) * 1000;
    o.keep_bases = (unsigned)config_number(s->config, SET_CHECKPOINT_KEEP);
    o.notify = notify;
    o.say = say;
    o.context = s;
    return log_open(&o, &s->journal.log, m);
}

enum err journal_open(struct server *s, struct errmsg *m)
{
    struct journal *j = &s->journal;
    uint8_t key[16];
    randombytes_buf(key, sizeof key);
    j->touched = touched_new(key);
    (void)uv_async_init(&s->loop, &j->wake, on_wake);
    j->wake.data = s;
    batch_begin(&j->batch);
    effects_begin(&j->effects, &j->batch);
    return open_log(s, m);
}

enum err journal_open_epoch(struct server *s, uint64_t at_least, struct errmsg *m)
{
    const enum err e = log_open_epoch(s->journal.log, at_least, m);
    if (!e) s->journal.appending = true;
    return e;
}

void journal_close(struct server *s)
{
    log_close(s->journal.log);
    s->journal.log = NULL;
}

void journal_free(struct server *s)
{
    buf_free(&s->journal.batch);
    touched_free(s->journal.touched);
}
