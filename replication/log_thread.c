/* The log thread: takes what is queued, in order, and settles it.
 *
 * The thread sleeps in one of two ways. After work it dozes for a moment: what comes meanwhile is written by one call, and
 * the main thread need not wake anybody. With nothing to do it is asleep, and the first thing queued wakes it.
 *
 * Under `always` clients wait for each flush. There the doze is short and in proportion to a flush (DOZE_FLUSHES,
 * DOZE_MAX_US), so that one that is cheap does not follow another for a client or two each, taking the processor away
 * from those who make the next requests; and log_hurry() ends it when enough clients wait. */
#include <assert.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/mem.h"
#include "replication/log_impl.h"

enum { GATHER_US = 1000, GATHER_BYTES = 256 << 10, DOZE_FLUSHES = 2, DOZE_MAX_US = 250 };

static void lock(struct log *log) { (void)pthread_mutex_lock(&log->lock); }
static void unlock(struct log *log) { (void)pthread_mutex_unlock(&log->lock); }

static void push(struct log *log, struct log_op op)
{
    if (log->inbox_count == log->inbox_room) {
        log->inbox_room = log->inbox_room ? log->inbox_room * 2 : 64;
        log->inbox = mem_realloc(log->inbox, log->inbox_room * sizeof *log->inbox);
    }
    log->inbox[log->inbox_count++] = op;
}

void log_queue_chunk(struct log *log, struct chunk *c)
{
    lock(log);
    assert(log->running);
    push(log, (struct log_op){.chunk = c});
    log->inbox_bytes += c->len;
    const bool wake = log->sleep == LOG_ASLEEP || (log->sleep == LOG_DOZING && log->inbox_bytes >= GATHER_BYTES);
    unlock(log);
    if (wake) (void)pthread_cond_signal(&log->wake);
}

void log_hurry(struct log *log)
{
    lock(log);
    if (log->inbox_count) log->urgent = true;
    const bool wake = log->urgent && log->sleep != LOG_AWAKE;
    unlock(log);
    if (wake) (void)pthread_cond_signal(&log->wake);
}

void log_post(struct log *log, struct log_call *call)
{
    lock(log);
    assert(log->running);
    push(log, (struct log_op){.call = call});
    log->urgent = true;
    unlock(log);
    (void)pthread_cond_signal(&log->wake);
}

enum err log_wait(struct log *log, struct log_call *call, struct errmsg *m)
{
    lock(log);
    while (!call->done) (void)pthread_cond_wait(&log->answered, &log->lock);
    unlock(log);
    if (call->result && m) *m = call->m;
    return call->result;
}

enum err log_run(struct log *log, enum err (*run)(struct log *, void *, struct errmsg *), void *context,
                 struct errmsg *m)
{
    if (!log->running) {
        struct errmsg unused;
        lock(log);
        const enum err e = run(log, context, m ? m : &unused);
        unlock(log);
        return e;
    }
    struct log_call call = {.run = run, .context = context};
    log_post(log, &call);
    return log_wait(log, &call, m);
}

static void answer(struct log *log, struct log_call *call)
{
    call->m.text[0] = 0;
    const enum err e = call->run(log, call->context, &call->m);
    if (call->detached) {
        mem_free(call);
        return;
    }
    lock(log);
    call->result = e;
    call->done = true;
    (void)pthread_cond_broadcast(&log->answered);
    unlock(log);
}

static void work(struct log *log, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (log->taken[i].chunk) chunk_row_push(&log->pending, log->taken[i].chunk);
        else answer(log, log->taken[i].call);
    }
    log_settle(log);
}

static void sleep_until(struct log *log, int64_t monotonic_us)
{
    const struct timespec t = {.tv_sec = (time_t)(monotonic_us / 1000000),
                               .tv_nsec = (long)(monotonic_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&log->wake, &log->lock, &t);
}

static bool may_gather(const struct log *log)
{
    return !log->urgent && !log->quit && log->inbox_bytes < GATHER_BYTES;
}

static int64_t doze_us(const struct log *log)
{
    if (atomic_load(&log->policy) != LOG_SYNC_ALWAYS) return GATHER_US;
    const int64_t us = log->flush_us * DOZE_FLUSHES;
    return us < DOZE_MAX_US ? us : DOZE_MAX_US;
}

/* Under the lock: return when there is work, when it is time for something, or when the end has come. */
static void sleep_a_little(struct log *log)
{
    const int64_t gathered = log->group_us + doze_us(log);
    log->sleep = LOG_DOZING;
    while (may_gather(log) && log_monotonic_us() < gathered) sleep_until(log, gathered);
    log->sleep = LOG_ASLEEP;
    while (!log->inbox_count && !log->quit) {
        const int64_t due = log_due_us(log);
        if (due && log_monotonic_us() >= due) break;
        if (due) sleep_until(log, due);
        else (void)pthread_cond_wait(&log->wake, &log->lock);
    }
    log->sleep = LOG_AWAKE;
}

/* Take what is queued; returns how much, 0 where only time has passed. False in *go when the end has come. */
static size_t take(struct log *log, bool *go)
{
    lock(log);
    sleep_a_little(log);
    const size_t count = log->inbox_count, room = log->inbox_room;
    struct log_op *ops = log->inbox;
    log->inbox = log->taken;
    log->inbox_room = log->taken_room;
    log->taken = ops;
    log->taken_room = room;
    log->inbox_count = 0;
    log->inbox_bytes = 0;
    log->urgent = false;
    *go = count || !log->quit;
    unlock(log);
    if (count) (void)atomic_fetch_add_explicit(&log->flushes, 1, memory_order_relaxed);
    return count;
}

static void *run(void *context)
{
    enum { SMOOTHING = 8 };
    struct log *log = context;
    (void)prctl(PR_SET_TIMERSLACK, 1000UL); /* ns: by default a doze would last 50 us longer */
    for (;;) {
        bool go;
        const size_t count = take(log, &go);
        if (!go) return NULL;
        const int64_t begin = log_monotonic_us();
        work(log, count);
        log->group_us = log_monotonic_us();
        if (count) log->flush_us += (log->group_us - begin - log->flush_us) / SMOOTHING;
    }
}

void log_thread_start(struct log *log)
{
    assert(!log->running);
    log->quit = false;
    log->running = true;
    log_retain_later(log);
    const int failed = pthread_create(&log->thread, NULL, run, log);
    assert(!failed);
    (void)failed;
    (void)pthread_setname_np(log->thread, "relevo-log");
}

void log_thread_stop(struct log *log)
{
    lock(log);
    log->quit = true;
    unlock(log);
    (void)pthread_cond_signal(&log->wake);
    (void)pthread_join(log->thread, NULL);
    log->running = false;
}
