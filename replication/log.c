#include "replication/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/log_impl.h"

void chunk_row_push(struct chunk_row *r, struct chunk *c)
{
    if (r->first + r->count == r->room) {
        /* Half of it free at the front: move; else grow. Either way a push costs constant time on average. */
        if (r->first < r->room / 2 || r->room == 0) {
            r->room = r->room ? r->room * 2 : 64;
            r->at = mem_realloc(r->at, r->room * sizeof *r->at);
        }
        memmove(r->at, r->at + r->first, r->count * sizeof *r->at);
        r->first = 0;
    }
    r->at[r->first + r->count++] = c;
}

struct chunk *chunk_row_pop(struct chunk_row *r)
{
    assert(r->count > 0);
    r->count--;
    return r->at[r->first++];
}

void chunk_row_free(struct chunk_row *r)
{
    while (r->count) chunk_unref(chunk_row_pop(r));
    mem_free(r->at);
    *r = (struct chunk_row){0};
}

void names_add(struct names *n, const char *name)
{
    n->at = mem_realloc(n->at, (n->count + 1) * sizeof *n->at);
    n->at[n->count++] = mem_dup(name, strlen(name) + 1);
}

void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) mem_free(n->at[i]);
    mem_free(n->at);
    *n = (struct names){0};
}

void log_say(struct log *log, enum log_say_level level, const char *format, ...)
{
    if (!log->o.say) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->o.say(log->o.context, level, text);
}

int64_t log_monotonic_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t log_wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void log_random(void *to, size_t n)
{
    const ssize_t got = getrandom(to, n, 0);
    assert(got == (ssize_t)n);
    (void)got;
}

static char *own(const char *text) { return mem_dup(text, strlen(text) + 1); }

/* Whoever holds the advisory lock on the working directory owns its files. */
static enum err lock_dir(struct log *log, struct errmsg *m)
{
    log->lock_fd = open(log->o.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log->lock_fd < 0) return err_errno(m, "cannot open the directory %s", log->o.dir);
    if (flock(log->lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            return err_set(m, ERR_BUSY, "the directory %s is in use by another process", log->o.dir);
        return err_errno(m, "cannot lock the directory %s", log->o.dir);
    }
    return ERR_OK;
}

static enum err read_aof_manifest(struct log *log, struct errmsg *m)
{
    struct buf name = {0}, text = {0};
    buf_printf(&name, "%s/%s.manifest", log->path, log->o.append_name);
    buf_add_char(&name, 0);
    enum err e = file_read(log->io, name.p, MANIFEST_BYTES_MAX, &text, m);
    if (e == ERR_OK) {
        e = aof_manifest_decode(buf_span(&text), &log->aof, m);
        if (e) e = err_wrap(m, e, "the manifest %s is damaged", name.p);
    } else if (e == ERR_MISSING) {
        e = ERR_OK;
    }
    buf_free(&name);
    buf_free(&text);
    return e;
}

static enum err read_our_manifest(struct log *log, struct errmsg *m)
{
    struct buf text = {0};
    char *path = path_join(log->path, LOG_MANIFEST);
    enum err e = file_read(log->io, path, MANIFEST_BYTES_MAX, &text, m);
    if (e == ERR_OK) {
        e = manifest_decode(buf_span(&text), &log->manifest, m);
        if (e == ERR_FOREIGN) e = err_wrap(m, e, "the manifest %s cannot be used", path);
        else if (e)
            e = err_wrap(m, e,
                         "the manifest %s cannot be used (relevo check --fix %.200s writes it anew from the files; "
                         "without it the directory is loaded as one that a Redis wrote)",
                         path, log->path);
    } else if (e == ERR_MISSING) {
        e = ERR_OK;
    }
    mem_free(path);
    buf_free(&text);
    return e;
}

static bool is_ours(const struct manifest *m, const struct aof_file *f)
{
    if (f->type == 'b') return m->base.name && strcmp(m->base.name, f->name) == 0;
    for (size_t i = 0; i < m->segment_count; i++)
        if (strcmp(m->segments[i].name, f->name) == 0) return true;
    return false;
}

/* Whether a Redis has written its manifest since we wrote ours: it lists a file that is newer than all that we know. An
 * older one only means that we died between the two. */
static bool redis_went_on(const struct manifest *m, const struct aof_manifest *a)
{
    const uint64_t last = m->segment_count ? m->segments[m->segment_count - 1].seq : 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct aof_file *f = &a->files[i];
        if (f->type == 'h' || is_ours(m, f)) continue;
        if (f->seq > (f->type == 'b' ? m->base.seq : last)) return true;
    }
    return false;
}

/* If nothing better was found: @found, if @name is there. */
static enum err look_for(struct log *log, const char *name, enum log_found found, struct errmsg *m)
{
    bool there;
    if (log->found != LOG_FOUND_NOTHING) return ERR_OK;
    char *path = path_join(log->o.dir, name);
    const enum err e = file_look(log->io, path, &there, m);
    if (!e && there) log->found = found;
    mem_free(path);
    return e;
}

static enum err look(struct log *log, struct errmsg *m)
{
    const bool ours = log->manifest.segment_count || log->manifest.base.name;
    if (ours && !redis_went_on(&log->manifest, &log->aof)) log->found = LOG_FOUND_OURS;
    else if (log->aof.count) log->found = LOG_FOUND_AOF_DIR;
    const enum err e = look_for(log, log->o.append_name, LOG_FOUND_AOF_FILE, m);
    return e ? e : look_for(log, log->o.dump_name, LOG_FOUND_DUMP, m);
}

/* A fresh start (log_install_base()) that was cut short: its new directory is complete or to be thrown away. */
static enum err finish_install(struct log *log, struct errmsg *m)
{
    struct buf path = {0};
    buf_printf(&path, "%s.new", log->path);
    buf_add_char(&path, 0);
    char *manifest = path_join(path.p, LOG_MANIFEST);
    bool fresh, complete = false, old = false;
    enum err e = file_look(log->io, path.p, &fresh, m);
    if (!e && fresh) e = file_look(log->io, manifest, &complete, m);
    if (!e && fresh) e = file_look(log->io, log->path, &old, m);
    if (!e && fresh) {
        if (old || !complete) e = dir_remove(log->io, path.p, m);
        else if (log->io->rename(log->io->context, path.p, log->path)) e = err_errno(m, "rename %s", path.p);
        else e = dir_sync(log->io, log->o.dir, m);
    }
    mem_free(manifest);
    buf_free(&path);
    return e;
}

static enum err open_files(struct log *log, struct errmsg *m)
{
    enum err e = finish_install(log, m);
    if (!e) e = read_our_manifest(log, m);
    if (!e) e = read_aof_manifest(log, m);
    return e ? e : look(log, m);
}

static void adopt_identity(struct log *log)
{
    static const struct node_id none;
    if (memcmp(&log->manifest.node, &none, sizeof none) == 0)
        log_random(&log->manifest.node, sizeof log->manifest.node);
    log->manifest.incarnation++;
    log->node = log->manifest.node;
    log->incarnation = log->manifest.incarnation;
    log->epoch_seen = log->manifest.epoch_seen;
    manifest_set_peers(&log->known, log->manifest.peers, log->manifest.peer_count);
}

static void init_locks(struct log *log)
{
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    failed |= pthread_mutex_init(&log->lock, NULL) | pthread_mutex_init(&log->view, NULL);
    failed |= pthread_cond_init(&log->wake, &monotonic) | pthread_cond_init(&log->answered, &monotonic);
    assert(!failed);
    (void)failed;
    (void)pthread_condattr_destroy(&monotonic);
}

enum err log_open(const struct log_options *options, struct log **out, struct errmsg *m)
{
    struct log *log = MEM_NEW(struct log);
    *out = NULL;
    log->o = *options;
    log->o.dir = own(options->dir);
    log->o.append_dir = own(options->append_dir);
    log->o.append_name = own(options->append_name);
    log->o.dump_name = own(options->dump_name);
    log->io = options->io ? options->io : &io_posix;
    log->path = path_join(options->dir, options->append_dir);
    log->fd = log->lock_fd = -1;
    atomic_store(&log->policy, (int)options->sync);
    init_locks(log);
    enum err e = lock_dir(log, m);
    if (!e && options->files) e = open_files(log, m);
    else if (!e) e = look_for(log, log->o.dump_name, LOG_FOUND_DUMP, m);
    if (e) {
        log_close(log);
        return e;
    }
    adopt_identity(log);
    *out = log;
    return ERR_OK;
}

static void free_strings(struct log *log)
{
    mem_free((char *)(uintptr_t)log->o.dir);
    mem_free((char *)(uintptr_t)log->o.append_dir);
    mem_free((char *)(uintptr_t)log->o.append_name);
    mem_free((char *)(uintptr_t)log->o.dump_name);
    mem_free(log->path);
}

void log_close(struct log *log)
{
    if (!log) return;
    assert(!log->pins && !log->checkpoint_runs);
    if (log->running) {
        struct errmsg m;
        if (log->fd >= 0 && log_sync(log, &m))
            log_say(log, LOG_SAY_WARNING, "Not all of the log could be synced: %s", m.text);
        log_thread_stop(log);
        log_sweep_wait(log);
    }
    if (!log->o.files && log->manifest.base.name) {
        char *path = path_join(log->o.dir, log->manifest.base.name);
        (void)log->io->unlink(log->io->context, path);
        mem_free(path);
    }
    if (log->fd >= 0) (void)log->io->close(log->io->context, log->fd);
    if (log->lock_fd >= 0) (void)close(log->lock_fd);
    chunk_row_free(&log->pending);
    chunk_row_free(&log->unsynced);
    history_free(&log->history);
    manifest_free(&log->manifest);
    manifest_free(&log->known);
    aof_manifest_free(&log->aof);
    names_free(&log->old_bases);
    mem_free(log->inbox);
    mem_free(log->taken);
    (void)pthread_mutex_destroy(&log->lock);
    (void)pthread_mutex_destroy(&log->view);
    (void)pthread_cond_destroy(&log->wake);
    (void)pthread_cond_destroy(&log->answered);
    free_strings(log);
    mem_free(log);
}

/* Batches. */

static void appended(struct log *log, struct chunk *c, int64_t now_ms)
{
    atomic_store_explicit(&log->end, chunk_end(c), memory_order_release);
    if (log->o.files) {
        int64_t none = 0;
        (void)atomic_compare_exchange_strong(&log->unsynced_since_ms, &none, now_ms > 0 ? now_ms : 1);
        log_queue_chunk(log, chunk_ref(c));
        return;
    }
    atomic_store_explicit(&log->written, chunk_end(c), memory_order_release);
    atomic_store_explicit(&log->durable, chunk_end(c), memory_order_release);
}

struct chunk *log_append(struct log *log, int64_t now_ms, struct buf *b)
{
    enum { TAKE = 128 << 10 }; /* shorter ones are cheaper copied than given a buffer of their own each */
    assert(log->chain.epoch > 0 && b->len > BATCH_LINE_MAX && !log->must_checkpoint);
    const uint64_t offset = log->chain.offset;
    char line[BATCH_LINE_MAX];
    const size_t n = batch_seal(line, &log->chain, now_ms, batch_payload(b)), skip = BATCH_LINE_MAX - n;
    memcpy(b->p + skip, line, n);
    struct chunk *c;
    if (b->len > TAKE) c = chunk_take(b, skip);
    else c = chunk_copy(span_of(b->p + skip, b->len - skip));
    c->offset = offset;
    c->epoch = log->chain.epoch;
    c->time_ms = now_ms;
    c->crc = log->chain.crc;
    batch_begin(b);
    appended(log, c, now_ms);
    return c;
}

void log_append_chunk(struct log *log, struct chunk *c)
{
    assert(c->offset == log->chain.offset);
    const bool entered = history_enter(&log->history, &log->chain);
    assert(entered && c->epoch == log->chain.epoch);
    (void)entered;
    log->chain.offset = chunk_end(c);
    log->chain.crc = c->crc;
    appended(log, c, log_wall_ms());
}

/* Questions. */

uint64_t log_end(const struct log *log) { return atomic_load_explicit(&log->end, memory_order_acquire); }

uint64_t log_written(const struct log *log) { return atomic_load_explicit(&log->written, memory_order_acquire); }

uint64_t log_durable(const struct log *log) { return atomic_load_explicit(&log->durable, memory_order_acquire); }

void log_chain(const struct log *log, struct batch_chain *chain) { *chain = log->chain; }

struct position log_position(const struct log *log)
{
    return (struct position){.epoch = log->chain.epoch, .offset = log->chain.offset, .crc = log->chain.crc};
}

const struct history *log_history(const struct log *log) { return &log->history; }

const struct node_id *log_node(const struct log *log) { return &log->node; }

uint64_t log_incarnation(const struct log *log) { return log->incarnation; }

uint64_t log_backlog(const struct log *log)
{
    const uint64_t written = log_written(log), end = log_end(log);
    return end > written ? end - written : 0;
}

uint64_t log_next_flush(const struct log *log)
{
    return atomic_load_explicit(&log->flushes, memory_order_relaxed) + 1;
}

int64_t log_unsynced_ms(const struct log *log, int64_t now_ms)
{
    const int64_t since = atomic_load(&log->unsynced_since_ms);
    return since && log_durable(log) < log_end(log) && now_ms > since ? now_ms - since : 0;
}

bool log_failed(struct log *log, struct errmsg *m)
{
    (void)pthread_mutex_lock(&log->view);
    const bool failed = log->failed;
    if (failed && m) *m = log->failure;
    (void)pthread_mutex_unlock(&log->view);
    return failed;
}

void log_set_sync(struct log *log, enum log_sync_policy policy) { atomic_store(&log->policy, (int)policy); }

void log_notify_written(struct log *log, bool wanted) { atomic_store(&log->notify_written, wanted); }

static enum err sync_all(struct log *log, void *context, struct errmsg *m)
{
    (void)context;
    return log->fd >= 0 ? log_flush_sync(log, m) : ERR_OK;
}

enum err log_sync(struct log *log, struct errmsg *m)
{
    return log->running ? log_run(log, sync_all, NULL, m) : ERR_OK;
}

struct peers_call {
    struct log_call call; /* first: it is freed as a whole */
    struct manifest next; /* only its peers count */
};

static enum err take_peers(struct log *log, void *context, struct errmsg *m)
{
    struct peers_call *p = context;
    struct manifest next = {0};
    manifest_copy(&next, &log->manifest);
    manifest_set_peers(&next, p->next.peers, p->next.peer_count);
    const enum err e = log_persist(log, &next, m);
    if (e) log_say(log, LOG_SAY_WARNING, "The known nodes could not be written down: %s", m->text);
    manifest_free(&next);
    manifest_free(&p->next);
    return e;
}

void log_set_peers(struct log *log, const struct peer *peers, size_t count)
{
    if (!log->running) return;
    struct peers_call *p = MEM_NEW(struct peers_call);
    manifest_set_peers(&p->next, peers, count);
    p->call = (struct log_call){.run = take_peers, .context = p, .detached = true};
    log_post(log, &p->call);
}

size_t log_peers(struct log *log, const struct peer **peers)
{
    *peers = log->known.peers;
    return log->known.peer_count;
}
