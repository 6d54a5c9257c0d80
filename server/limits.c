#include "server/limits.h"

#include "common/traversal.h"
#include "replication/checkpoint.h"
#include "replication/log.h"
#include "server/memory.h"
#include "server/reaper.h"
#include "server/server.h"

enum { LOOK_NS = 10000000, ROUND_NS = 500000, BETWEEN_LOOKS_AT_THE_CLOCK = 8 };

static int64_t own_bytes(const struct limits *l) { return l->allocated ? (int64_t)(*l->allocated - *l->freed) : 0; }

/* The log keeps in memory what is not durable yet, and what replicas may still ask for: mostly the same bytes, up to the
 * log's end. */
static int64_t log_bytes(struct server *s)
{
    struct node_status n;
    if (!s->journal.log) return 0;
    const uint64_t end = log_end(s->journal.log), durable = log_durable(s->journal.log);
    const uint64_t unwritten = durable < end ? end - durable : 0;
    if (!s->nodes.node) return (int64_t)unwritten;
    node_status(s->nodes.node, &n);
    const uint64_t window = n.window_end - n.window_begin;
    return (int64_t)(window > unwritten ? window : unwritten);
}

/* What a checkpoint under way holds of old values, so that its picture of the data stays whole. It grows with each key
 * that is evicted, so it must not count. */
static int64_t picture_bytes(const struct server *s)
{
    return s->saver.walk ? (int64_t)traversal_bytes(s->saver.walk) : 0;
}

void limits_look(struct server *s)
{
    struct limits *l = &s->limits;
    const size_t used = memory_used();
    if (used > s->peak_memory) s->peak_memory = used;
    const int64_t queued = s->saver.running ? (int64_t)checkpoint_backlog(s->saver.running) : 0;
    const int64_t steady = log_bytes(s) + queued;
    l->left_out = steady + picture_bytes(s);
    l->base = (int64_t)used - steady - own_bytes(l);
    l->looked_ns = clock_ticks_ns();
}

void limits_gave(struct server *s, size_t bytes) { s->limits.base -= (int64_t)bytes; }
size_t limits_left_out(const struct server *s) { return (size_t)s->limits.left_out; }

static bool is_over(struct server *s)
{
    struct limits *l = &s->limits;
    if (!l->allocated) limits_look(s);
    const int64_t used = l->base + own_bytes(l);
    return used > l->max_bytes && used - picture_bytes(s) > l->max_bytes;
}

bool limits_are_exceeded(struct server *s) { return s->limits.max_bytes && is_over(s); }

/* True also where what was evicted is yet to be freed: that it takes a moment is no reason to evict more. */
static bool make_room(struct server *s)
{
    const int64_t begin = clock_ticks_ns();
    for (unsigned n = 1; is_over(s); n++) {
        if (reaper_collect(s)) return true;
        if (!engine_evict(s->engine, clock_now(&s->clock), &s->journal.effects)) return false;
        if (n % BETWEEN_LOOKS_AT_THE_CLOCK == 0 && clock_ticks_ns() - begin > ROUND_NS) {
            s->limits.over = true;
            return true;
        }
    }
    return true;
}

bool limits_make_room(struct server *s)
{
    struct limits *l = &s->limits;
    if (l->max_bytes == 0) return true;
    l->over = false;
    /* A replica has what its primary has; and what cannot be logged must not be removed. */
    if (s->read_only || s->loading || s->journal.failed || clients_are_paused(&s->clients) || !is_over(s))
        return true;
    if (clock_ticks_ns() - l->looked_ns > LOOK_NS) limits_look(s);
    const int64_t begin = clock_ticks_ns();
    const bool made = make_room(s);
    insight_event(s, "eviction-cycle", begin);
    return made;
}

struct eviction_settings limits_eviction(const struct config *c)
{
    return (struct eviction_settings){
        .policy = (enum eviction_policy)config_number(c, SET_MAXMEMORY_POLICY),
        .samples = (unsigned)config_number(c, SET_MAXMEMORY_SAMPLES),
        .lfu_log_factor = (unsigned)config_number(c, SET_LFU_LOG_FACTOR),
        .lfu_decay_minutes = (unsigned)config_number(c, SET_LFU_DECAY_TIME),
    };
}

static struct lazy_settings lazy_settings(const struct config *c)
{
    return (struct lazy_settings){
        .eviction = config_number(c, SET_LAZY_EVICTION),
        .expire = config_number(c, SET_LAZY_EXPIRE),
        .server_del = config_number(c, SET_LAZY_SERVER_DEL),
        .user_del = config_number(c, SET_LAZY_USER_DEL),
        .user_flush = config_number(c, SET_LAZY_USER_FLUSH),
    };
}

void limits_configure(struct server *s)
{
    const struct eviction_settings eviction = limits_eviction(s->config);
    const struct lazy_settings lazy = lazy_settings(s->config);
    s->limits.max_bytes = config_number(s->config, SET_MAXMEMORY);
    engine_set_eviction(s->engine, &eviction);
    engine_set_lazy(s->engine, &lazy);
    limits_look(s);
}

void limits_init(struct server *s)
{
    memory_thread_counters(&s->limits.allocated, &s->limits.freed);
    limits_configure(s);
}
