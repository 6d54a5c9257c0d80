#include "server/timeouts.h"

#include "server/server.h"

static int64_t loop_now_ms(const struct server *s) { return (int64_t)uv_now(&s->loop); }

static void on_timer(uv_timer_t *t);

static void set_timer(struct server *s)
{
    const struct deadline *first = deadlines_first(&s->timeouts.deadlines);
    const int64_t now = loop_now_ms(s);
    if (!first) (void)uv_timer_stop(&s->timeouts.timer);
    else
        (void)uv_timer_start(&s->timeouts.timer, on_timer, first->at_ms > now ? (uint64_t)(first->at_ms - now) : 0,
                             0);
}

static void on_timer(uv_timer_t *t)
{
    struct server *s = t->data;
    struct deadline *d;
    turn_begin(&s->stats.turn);
    while ((d = deadlines_first(&s->timeouts.deadlines)) && d->at_ms <= loop_now_ms(s)) {
        deadlines_clear(&s->timeouts.deadlines, d);
        d->over(d);
    }
    set_timer(s);
}

void timeouts_init(struct server *s)
{
    (void)uv_timer_init(&s->loop, &s->timeouts.timer);
    s->timeouts.timer.data = s;
}

void timeouts_free(struct server *s) { deadlines_free(&s->timeouts.deadlines); }

void timeouts_set(struct server *s, struct deadline *d, int64_t ms)
{
    /* The loop's time is that of the turn's beginning: from there it would come too soon. */
    const int64_t now = (int64_t)(uv_hrtime() / 1000000) + 1;
    deadlines_set(&s->timeouts.deadlines, d, ms < INT64_MAX - now ? now + ms : INT64_MAX);
    if (deadlines_first(&s->timeouts.deadlines) == d) set_timer(s);
}

void timeouts_clear(struct server *s, struct deadline *d)
{
    const bool first = deadlines_first(&s->timeouts.deadlines) == d;
    deadlines_clear(&s->timeouts.deadlines, d);
    if (first) set_timer(s);
}
