/* The hand-over between the main thread, the log thread, a checkpoint's thread and readers, all at once: made to run
 * under ThreadSanitizer, and as an ordinary test. Plain C, because Criterion does not start under that sanitizer. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "replication/assembler.h"
#include "replication/checkpoint.h"

enum { BATCHES = 3000, READERS = 2 };

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t times;
};

static void notify(void *context)
{
    struct told *t = context;
    (void)pthread_mutex_lock(&t->lock);
    t->times++;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

/* A link thread: reads from the front, verifies every batch, holds its place by a pin. */
struct reader {
    struct log *log;
    struct history history;
    uint64_t until; /* known when the writer is done */
    atomic_bool done;
    atomic_uint_fast64_t end;
    bool right;
    pthread_t thread;
};

static bool assemble(struct assembler *a)
{
    struct chunk *c;
    struct errmsg m;
    do {
        if (assembler_take(a, &c, &m)) return false;
        chunk_unref(c);
    } while (c);
    return true;
}

static void *read_along(void *context)
{
    struct reader *r = context;
    struct assembler *a = assembler_new(&r->history, 0, 0, BATCH_MAX);
    struct log_reader *file = NULL;
    struct log_pin pin;
    struct errmsg m;
    char bytes[16 << 10];
    size_t n = 0;
    r->right = log_pin(r->log, 0, &pin) == ERR_OK && log_reader_open(r->log, 0, &file, &m) == ERR_OK;
    while (r->right && !(atomic_load(&r->done) && log_reader_offset(file) == atomic_load(&r->end))) {
        r->right = log_reader_read(file, bytes, sizeof bytes, &n, &m) == ERR_OK;
        if (n == 0) sched_yield();
        assembler_feed(a, span_of(bytes, n));
        r->right = r->right && assemble(a);
        log_pin_move(r->log, &pin, log_reader_offset(file));
    }
    r->right = r->right && assembler_offset(a) == atomic_load(&r->end);
    log_reader_close(file);
    log_unpin(r->log, &pin);
    assembler_free(a);
    return NULL;
}

static void append(struct log *log, struct buf *batch)
{
    static const struct span argv[] = {SPAN("SET"), SPAN("key"), SPAN("a value of some length")};
    batch_begin(batch);
    resp_encode(batch, argv, 3);
    chunk_unref(log_append(log, 1700000000000, batch));
}

static struct checkpoint *begin_checkpoint(struct log *log, struct told *told)
{
    struct checkpoint *c;
    struct errmsg m;
    struct buf piece = {0};
    const enum err e = checkpoint_begin(log, notify, told, &c, &m);
    assert(!e);
    (void)e;
    buf_add_span(&piece, SPAN("an image"));
    checkpoint_feed(c, &piece);
    checkpoint_finish(c);
    return c;
}

/* Write all batches, with a checkpoint now and then and a change of the policy. */
static bool write_all(struct log *log, struct told *told)
{
    struct buf batch = {0};
    struct checkpoint *c = NULL;
    struct log_stats stats;
    struct errmsg m;
    bool right = true;
    for (unsigned i = 0; i < BATCHES; i++) {
        append(log, &batch);
        if (i % 3 == 0 && log_next_flush(log) > 0) log_hurry(log);
        if (i % 700 == 699) {
            right = right && (!c || checkpoint_wait(c, &m) == CHECKPOINT_DONE);
            checkpoint_free(c);
            c = begin_checkpoint(log, told);
            log_set_sync(log, i % 1400 == 1399 ? LOG_SYNC_ALWAYS : LOG_SYNC_EVERYSEC);
        }
        if (i % 100 == 0) log_get_stats(log, &stats);
        if (log_backlog(log) > 1 << 20) sched_yield();
    }
    right = right && checkpoint_wait(c, &m) == CHECKPOINT_DONE;
    checkpoint_free(c);
    buf_free(&batch);
    return right && log_sync(log, &m) == ERR_OK && log_durable(log) == log_end(log) && !log_failed(log, &m);
}

static enum err no_rdb(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    (void)context;
    (void)source;
    *used = 8;
    (void)m;
    return ERR_OK;
}

static enum err count_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    (void)argv;
    (void)argc;
    (void)m;
    (*(unsigned *)context)++;
    return ERR_OK;
}

static struct log *open_log(const char *dir, struct told *told, unsigned *commands)
{
    struct log_options options = LOG_OPTIONS_DEFAULT;
    const struct log_loader loader = {.context = commands, .rdb = no_rdb, .command = count_command};
    struct log_report report;
    struct log *log;
    struct errmsg m;
    options.dir = dir;
    options.notify = notify;
    options.context = told;
    options.retain_bytes = 0;
    enum err e = log_open(&options, &log, &m);
    if (!e) e = log_load(log, &loader, &report, &m);
    if (e) {
        printf("# %s\n", m.text);
        exit(1);
    }
    return log;
}

static bool run(const char *dir)
{
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct reader readers[READERS] = {{0}};
    struct errmsg m;
    unsigned commands = 0;
    struct log *log = open_log(dir, &told, &commands);
    bool right = log_open_epoch(log, 0, &m) == ERR_OK;
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].log = log;
        history_copy(&readers[i].history, log_history(log));
        right = right && !pthread_create(&readers[i].thread, NULL, read_along, &readers[i]);
    }
    right = write_all(log, &told) && right;
    for (unsigned i = 0; i < READERS; i++) {
        atomic_store(&readers[i].end, log_end(log));
        atomic_store(&readers[i].done, true);
        right = !pthread_join(readers[i].thread, NULL) && readers[i].right && right;
        history_free(&readers[i].history);
    }
    log_close(log);
    log = open_log(dir, &told, &commands);
    right = right && commands == BATCHES % 700 && told.times > 0;
    log_close(log);
    return right;
}

int main(void)
{
    char dir[] = "/tmp/relevo-test-XXXXXX";
    struct errmsg m;
    if (!mkdtemp(dir)) return 1;
    char *inner = path_join(dir, "appendonlydir");
    printf("1..1\n");
    const bool right = run(dir);
    printf("%sok 1 - the log's threads hand over batches, checkpoints and places without a race\n",
           right ? "" : "not ");
    if (dir_remove(&io_posix, inner, &m) || dir_remove(&io_posix, dir, &m)) printf("# %s\n", m.text);
    mem_free(inner);
    return 0;
}
