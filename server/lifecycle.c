/* The turn of the loop, periodic work, and the way out.
 *
 * Happy path of a stop: while a replica is behind, writes wait and all else is served (shutdown-timeout at most) ->
 * dbfilename is written, if the rules of `save` want it -> the log is made durable -> requests are no longer read -> what is
 * answered is sent (STOP_GRACE_MS at most) -> the loop ends -> server_main() takes all apart.
 * Failures:  what must be saved before cannot be -> the stop is called off (unless forced), and said so.
 * Cancel:    server_shutdown_abort(), while it waits for replicas: writes go on, who asked for the stop gets an error. */
#include "server/lifecycle.h"

#include <signal.h>
#include <string.h>

#include "common/mem.h"
#include "replication/log.h"
#include "server/client.h"
#include "server/server.h"

enum { STOP_GRACE_MS = 1000, CYCLE_BUDGET = 256, CYCLE_MAX_NS = 1000000, CYCLE_AGAIN_MS = 1, SAMPLE_TURNS = 10 };

enum stage {
    STAGE_RUNNING,
    STAGE_LEAVING, /* waits for replicas; may be called off */
    STAGE_STOPPING,
};

struct lifecycle {
    uv_prepare_t prepare;
    uv_timer_t tick;  /* hz times a second */
    uv_timer_t cycle; /* expired keys, resizes: soon again while there is more to do */
    uv_timer_t grace; /* for replies to be taken, while stopping */
    uv_timer_t wait;  /* for replicas to be level, while leaving */
    uv_signal_t term, interrupt;
    enum stage stage;
    enum shutdown_save save; /* of the stop under way */
    bool force, flushed_enough, waited_enough;
    bool no_expiry, no_cron; /* DEBUG said so */
    unsigned ticks;
};

bool lifecycle_is_stopping(const struct server *s) { return s->life && s->life->stage == STAGE_STOPPING; }

int64_t lifecycle_stops_in_ms(const struct server *s)
{
    return s->life->stage == STAGE_LEAVING ? (int64_t)uv_timer_get_due_in(&s->life->wait) : -1;
}

static bool anything_unsent(const struct server *s)
{
    for (const struct client *c = s->clients.first; c; c = c->next)
        if (client_pending_bytes(c)) return true;
    return false;
}

/* Every replica that is connected has all of the log. */
static bool followers_are_level(struct server *s)
{
    struct node_status n;
    if (s->read_only || !s->nodes.node) return true;
    node_status(s->nodes.node, &n);
    for (size_t i = 0; i < n.follower_count; i++)
        if (strcmp(n.followers[i].state, "online") == 0 && n.followers[i].acked < log_end(s->journal.log))
            return false;
    return true;
}

static void finish(struct server *s);

static void check_stop(struct server *s)
{
    const struct lifecycle *l = s->life;
    if (l->stage == STAGE_LEAVING && (l->waited_enough || followers_are_level(s))) finish(s);
    if (l->stage == STAGE_STOPPING && !s->loading && (l->flushed_enough || !anything_unsent(s))) uv_stop(&s->loop);
}

static void on_prepare(uv_prepare_t *h)
{
    struct server *s = h->data;
    blocked_end_turn(s);
    tracking_end_turn(s);
    pubsub_settle(s);
    journal_close_batch(s);
    pubsub_end_turn(s);
    saver_end_turn(s);
    clients_flush(s);
    (void)reaper_collect(s);
    clock_turn(&s->clock);
    check_stop(s);
    turn_end(&s->stats.turn);
}

/* What is sampled several times a second. */
static void sample(struct server *s)
{
    const int64_t before = s->stats.sampled_ns, now = clock_ticks_ns();
    struct node_status n = {0};
    if (s->nodes.node) node_status(s->nodes.node, &n);
    stats_sample(&s->stats, now, n.bytes_in, n.bytes_out);
    const uint64_t passed_ms = before ? (uint64_t)(now - before) / 1000000 : 0;
    s->stats.exceeding_ms = limits_are_exceeded(s) ? s->stats.exceeding_ms + passed_ms : 0;
    if (s->stats.exceeding_ms) s->stats.exceeded_ms += passed_ms;
}

static void on_tick(uv_timer_t *h)
{
    struct server *s = h->data;
    if (s->life->no_cron) return;
    turn_begin(&s->stats.turn);
    sample(s);
    insight_tend(s);
    clients_tend(s);
    /* A base that is begun on the way out would not be ended. */
    if (!scripting_is_busy(s) && s->life->stage != STAGE_STOPPING) saver_tend(s);
    journal_tend(s);
    if (s->limits.max_bytes || s->life->ticks++ % SAMPLE_TURNS == 0) limits_look(s);
}

static void on_cycle(uv_timer_t *h)
{
    struct server *s = h->data;
    turn_begin(&s->stats.turn);
    const int64_t begin = clock_ticks_ns(),
                  max_ns = turn_us(&s->stats.turn) < TURN_FULL_US / 2 ? CYCLE_MAX_NS : CYCLE_MAX_NS / 4;
    /* A log that is to come level must not grow, nor the data change under CLIENT PAUSE or a script. */
    bool more = !s->loading && s->life->stage == STAGE_RUNNING && !clients_are_paused(&s->clients) &&
                !s->life->no_expiry && !s->life->no_cron && !scripting_is_busy(s);
    while (more && clock_ticks_ns() - begin < max_ns)
        more = engine_cycle(s->engine, clock_now(&s->clock), CYCLE_BUDGET, &s->journal.effects);
    insight_event(s, "expire-cycle", begin);
    s->stats.expiry_ns += (uint64_t)(clock_ticks_ns() - begin);
    s->stats.expiry_cut += more;
    if (!scripting_is_busy(s)) (void)limits_make_room(s);
    more |= s->limits.over;
    const uint64_t rest = 1000 / (uint64_t)config_number(s->config, SET_HZ);
    (void)uv_timer_start(&s->life->cycle, on_cycle, more ? CYCLE_AGAIN_MS : rest, 0);
}

static void on_signal(uv_signal_t *h, int number)
{
    struct server *s = h->data;
    logger_line(s->logger, LOGGER_WARNING, "Received %s, stopping...", number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (s->life->stage == STAGE_STOPPING) uv_stop(&s->loop); /* asked twice: at once */
    s->life->waited_enough = s->life->stage == STAGE_LEAVING;
    server_shutdown(s, SHUTDOWN_SAVE_DEFAULT, false, false);
}

void lifecycle_start(struct server *s)
{
    struct lifecycle *l = s->life = MEM_NEW(struct lifecycle);
    (void)uv_prepare_init(&s->loop, &l->prepare);
    (void)uv_timer_init(&s->loop, &l->tick);
    (void)uv_timer_init(&s->loop, &l->cycle);
    (void)uv_timer_init(&s->loop, &l->grace);
    (void)uv_timer_init(&s->loop, &l->wait);
    (void)uv_signal_init(&s->loop, &l->term);
    (void)uv_signal_init(&s->loop, &l->interrupt);
    l->prepare.data = l->tick.data = l->cycle.data = l->grace.data = l->wait.data = l->term.data = l->interrupt.data =
        s;
    (void)uv_prepare_start(&l->prepare, on_prepare);
    (void)uv_signal_start(&l->term, on_signal, SIGTERM);
    (void)uv_signal_start(&l->interrupt, on_signal, SIGINT);
    lifecycle_set_rate(s);
}

void lifecycle_set_expiry(struct server *s, bool active) { s->life->no_expiry = !active; }
void lifecycle_pause_cron(struct server *s, bool paused) { s->life->no_cron = paused; }

void lifecycle_set_rate(struct server *s)
{
    const uint64_t every = 1000 / (uint64_t)config_number(s->config, SET_HZ);
    (void)uv_timer_start(&s->life->tick, on_tick, every, every);
    (void)uv_timer_start(&s->life->cycle, on_cycle, every, 0);
}

void lifecycle_free(struct server *s)
{
    mem_free(s->life);
    s->life = NULL;
}

void lifecycle_ready(struct server *s)
{
    if (!s->loading) return;
    s->loading = false;
    logger_line(s->logger, LOGGER_NOTICE, "Ready to accept connections tcp");
}

static void on_grace_over(uv_timer_t *h)
{
    struct server *s = h->data;
    s->life->flushed_enough = true;
}

static void on_wait_over(uv_timer_t *h)
{
    struct server *s = h->data;
    s->life->waited_enough = true;
}

/* False: what was to be saved could not be, and that is reason enough not to stop. */
static bool save_before(struct server *s, enum shutdown_save save, bool force)
{
    struct save_rule rules[SAVE_RULES_MAX];
    struct errmsg m = {{0}};
    const bool usual = save == SHUTDOWN_SAVE_DEFAULT && saver_changes(s) && config_save_rules(s->config, rules);
    if (save != SHUTDOWN_SAVE_YES && !usual) return true;
    if (!saver_run(s, SAVER_FILE, &m)) return true;
    logger_line(s->logger, LOGGER_WARNING, "Cannot save before stopping: %s%s", m.text,
                force ? "" : ". This server goes on");
    return force;
}

/* Those who asked for a stop that does not come to its end. */
static void answer_askers(struct server *s)
{
    for (struct client *c = s->clients.first, *next; c; c = next) {
        next = c->next;
        if (!(c->flags & CLIENT_ASKED_STOP)) continue;
        struct reply reply = {.out = &c->out, .resp = c->resp};
        c->flags &= ~(unsigned)CLIENT_ASKED_STOP;
        reply_error(&reply, "ERR Errors trying to SHUTDOWN. Check logs.");
        client_unblock(c);
    }
}

static void call_off(struct server *s)
{
    struct lifecycle *l = s->life;
    (void)uv_timer_stop(&l->wait);
    l->stage = STAGE_RUNNING;
    clients_hold_writes(s, HOLD_FOR_REPLICAS, false);
    answer_askers(s);
}

/* No replica is waited for any more. */
static void finish(struct server *s)
{
    struct lifecycle *l = s->life;
    (void)uv_timer_stop(&l->wait);
    if (!s->loading && !save_before(s, l->save, l->force)) {
        call_off(s);
        return;
    }
    l->stage = STAGE_STOPPING;
    listeners_close(s);
    journal_sync(s);
    clients_stop(s);
    if (s->loading) uv_stop(&s->loop); /* the loader sees that it is to end */
    (void)uv_timer_start(&l->grace, on_grace_over, STOP_GRACE_MS, 0);
}

void server_shutdown(struct server *s, enum shutdown_save save, bool now, bool force)
{
    struct lifecycle *l = s->life;
    if (l->stage != STAGE_RUNNING || (save != SHUTDOWN_SAVE_NO && scripting_delays_stop(s))) return;
    const int64_t patience_s = config_number(s->config, SET_SHUTDOWN_TIMEOUT);
    l->save = save;
    l->force = force;
    l->waited_enough = false;
    journal_close_batch(s);
    if (now || s->loading || patience_s == 0 || followers_are_level(s)) {
        finish(s);
        return;
    }
    logger_line(s->logger, LOGGER_NOTICE, "Waiting for replicas before stopping, %lld s at most",
                (long long)patience_s);
    l->stage = STAGE_LEAVING;
    clients_hold_writes(s, HOLD_FOR_REPLICAS, true);
    (void)uv_timer_start(&l->wait, on_wait_over, (uint64_t)patience_s * 1000, 0);
}

bool server_shutdown_abort(struct server *s)
{
    if (s->life->stage != STAGE_LEAVING) return false;
    logger_line(s->logger, LOGGER_NOTICE, "The stop was called off");
    call_off(s);
    return true;
}
