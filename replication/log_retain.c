/* Retention: older segments and replaced bases go when nobody needs them.
 *
 * Looked at when a base arrives, when the bounds change, and every RETAIN_EVERY_US: time passes, and readers end. The log
 * thread decides, and takes the names out of the manifest; only then files are removed, by a thread that lives as long as
 * that takes: to remove a large file takes long, and batches wait for the log thread. */
#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "replication/log_impl.h"

/* Behind a start, replicas that were away get time to come back. */
enum { RETAIN_EVERY_US = 10000000, RETAIN_FIRST_US = 60000000 };

/* Whether the file was last written more than @retain_ms (0: no bound) before @now_ms; and its size. */
static bool is_too_old(const struct log *log, const char *name, int64_t now_ms, int64_t retain_ms, uint64_t *bytes)
{
    struct stat st;
    char *path = path_join(log->path, name);
    const bool there = log->io->stat(log->io->context, path, &st) == 0;
    mem_free(path);
    *bytes = there ? (uint64_t)st.st_size : 0;
    return retain_ms && (!there || now_ms - (int64_t)st.st_mtime * 1000 > retain_ms);
}

struct bounds {
    uint64_t pin; /* the lowest offset that somebody holds */
    unsigned keep_bases;
    uint64_t bytes;
    int64_t ms;
};

static struct bounds read_bounds(struct log *log)
{
    struct bounds b = {.pin = UINT64_MAX};
    (void)pthread_mutex_lock(&log->view);
    for (const struct log_pin *p = log->pins; p; p = p->next)
        if (p->offset < b.pin) b.pin = p->offset;
    b.keep_bases = log->o.keep_bases;
    b.bytes = log->o.retain_bytes;
    b.ms = log->o.retain_ms;
    (void)pthread_mutex_unlock(&log->view);
    return b;
}

/* A manifest that could not be replaced has left it in its place. */
static bool is_named(const struct manifest *m, const char *name)
{
    bool named = m->base.name && strcmp(m->base.name, name) == 0;
    for (size_t i = 0; i < m->kept_count; i++) named |= strcmp(m->kept[i].name, name) == 0;
    return named;
}

/* Bases that were replaced go when nobody reads any. */
static void collect_bases(struct log *log, const struct manifest *next, uint64_t pin, struct names *files)
{
    if (pin != UINT64_MAX) return;
    for (size_t i = 0; i < log->old_bases.count; i++)
        if (!is_named(next, log->old_bases.at[i])) names_add(files, log->old_bases.at[i]);
    names_free(&log->old_bases);
}

void log_retire_base(struct log *log, struct manifest *next, uint64_t offset)
{
    const struct bounds bounds = read_bounds(log);
    if (!next->base.name) return;
    const bool same = next->base.position.offset == offset;
    manifest_retire_base(next);
    if (same) {
        /* Another image of the same moment: no generation of its own. */
        names_add(&log->old_bases, next->kept[next->kept_count - 1].name);
        manifest_drop_kept(next, next->kept_count - 1);
    }
    while (next->kept_count > bounds.keep_bases) {
        names_add(&log->old_bases, next->kept[0].name);
        manifest_drop_kept(next, 0);
    }
}

/* From the base backwards: segments stay within the bounds of bytes and of time, and where a pin holds them. */
void log_collect(struct log *log, struct manifest *next, struct names *files)
{
    if (!next->base.name) return;
    struct bounds bounds = read_bounds(log);
    const int64_t now = log_wall_ms();
    uint64_t total = 0;
    size_t i = next->segment_count;
    collect_bases(log, next, bounds.pin, files);
    /* Kept bases are of use only with the log behind them. */
    if (next->kept_count && next->kept[0].position.offset < bounds.pin) bounds.pin = next->kept[0].position.offset;
    while (i > 0 && next->segments[i - 1].start >= next->base.position.offset) i--;
    for (bool drop = false; i > 0; i--) {
        uint64_t bytes;
        const bool old = is_too_old(log, next->segments[i - 1].name, now, bounds.ms, &bytes);
        total += bytes;
        drop |= old || total > bounds.bytes;
        /* segments[i] exists: one begins at the base. */
        if (!drop || next->segments[i].start > bounds.pin) continue;
        names_add(files, next->segments[i - 1].name);
        manifest_drop_segment(next, i - 1);
    }
}

void log_remove_files(struct log *log, struct names *files)
{
    for (size_t i = 0; i < files->count; i++) {
        char *path = path_join(log->path, files->at[i]);
        if (log->io->unlink(log->io->context, path) && errno != ENOENT)
            log_say(log, LOG_SAY_WARNING, "Cannot remove %s", path);
        mem_free(path);
    }
    names_free(files);
}

static void *sweep(void *context)
{
    struct log *log = context;
    struct errmsg m;
    log_remove_files(log, &log->sweep.files);
    if (log->sweep.dir && dir_remove(log->io, log->sweep.dir, &m))
        log_say(log, LOG_SAY_WARNING, "Cannot remove the replaced directory %s: %s", log->sweep.dir, m.text);
    mem_free(log->sweep.dir);
    log->sweep.dir = NULL;
    atomic_store(&log->sweep.busy, false);
    return NULL;
}

void log_sweep_wait(struct log *log)
{
    if (!log->sweep.begun) return;
    (void)pthread_join(log->sweep.thread, NULL);
    log->sweep.begun = false;
}

/* Takes both. */
static void begin_sweep(struct log *log, struct names *files, char *dir)
{
    log_sweep_wait(log);
    log->sweep.files = *files;
    log->sweep.dir = dir;
    *files = (struct names){0};
    atomic_store(&log->sweep.busy, true);
    const int failed = pthread_create(&log->sweep.thread, NULL, sweep, log);
    assert(!failed);
    (void)failed;
    (void)pthread_setname_np(log->sweep.thread, "relevo-sweep");
    log->sweep.begun = true;
}

void log_sweep_dir(struct log *log, char *path)
{
    struct names none = {0};
    if (!atomic_load(&log->sweep.busy)) begin_sweep(log, &none, path);
    else mem_free(path);
}

void log_retain(struct log *log)
{
    struct manifest next = {0};
    struct names files = {0};
    struct errmsg m;
    log->retain_due_us = log_monotonic_us() + RETAIN_EVERY_US;
    if (!log->o.files || log->foreign || log->failed || atomic_load(&log->sweep.busy)) return;
    manifest_copy(&next, &log->manifest);
    const size_t segments = next.segment_count;
    log_collect(log, &next, &files);
    /* What cannot be written now can be written later. */
    if (next.segment_count < segments && log_persist(log, &next, &m)) names_free(&files);
    if (files.count) begin_sweep(log, &files, NULL);
    manifest_free(&next);
}

void log_retain_later(struct log *log) { log->retain_due_us = log_monotonic_us() + RETAIN_FIRST_US; }

static enum err retain_now(struct log *log, void *context, struct errmsg *m)
{
    (void)context;
    (void)m;
    log_retain(log);
    return ERR_OK;
}

void log_set_retention(struct log *log, uint64_t bytes, int64_t ms)
{
    (void)pthread_mutex_lock(&log->view);
    log->o.retain_bytes = bytes;
    log->o.retain_ms = ms;
    (void)pthread_mutex_unlock(&log->view);
    if (!log->running) return;
    struct log_call *call = MEM_NEW(struct log_call);
    *call = (struct log_call){.run = retain_now, .detached = true};
    log_post(log, call);
}

void log_set_keep(struct log *log, unsigned bases)
{
    (void)pthread_mutex_lock(&log->view);
    log->o.keep_bases = bases;
    (void)pthread_mutex_unlock(&log->view);
}
