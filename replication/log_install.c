/* Starting over from a snapshot that was received.
 *
 * Happy path: <dir>.new is filled (base, empty segment, manifests) and synced -> the old directory is renamed away ->
 *             <dir>.new takes its name -> the log begins at the snapshot's position.
 * Failures:   up to the second rename everything is put back; if that fails as well, the log has failed for good. After
 *             that, as after a crash between the two renames, the next start finds <dir>.new complete and finishes
 *             (finish_install() in log.c). */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/log_impl.h"

struct install {
    const char *file;
    const struct position *position;
    const struct history *history;
    uint64_t epoch_seen;
    bool salvage;
    /* on the way */
    char *fresh; /* the new directory */
    char *aside; /* where the old one goes; NULL: there was none */
    char *base;  /* names in the new directory */
    char *segment;
    int fd;
    bool settled; /* a power cut would leave the new directory in its place */
    struct manifest next;
};

static char *text(const char *format, ...) PRINTF(1, 2);
static char *text(const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof line);
    return mem_dup(line, (size_t)n + 1);
}

static char *aside_name(const struct log *log, bool salvage)
{
    char *stem = salvage
                     ? text("%s.salvage-%" PRId64, log->path, log_wall_ms() / 1000)
                     : text("%s/" LOG_REPLACED "%s-%" PRId64, log->o.dir, log->o.append_dir, log_wall_ms() / 1000);
    char *name = text("%s", stem);
    for (unsigned i = 2; file_exists(log->io, name); i++) {
        mem_free(name);
        name = text("%s-%u", stem, i);
    }
    mem_free(stem);
    return name;
}

static enum err move(struct log *log, const char *from, const char *to, struct errmsg *m)
{
    return log->io->rename(log->io->context, from, to) ? err_errno(m, "rename %s to %s", from, to) : ERR_OK;
}

static enum err put_manifests(struct log *log, struct install *n, struct errmsg *m)
{
    struct buf ours = {0}, redis = {0}, name = {0};
    struct aof_manifest aof = {0};
    manifest_encode(&n->next, &ours);
    manifest_for_redis(&n->next, &aof);
    aof_manifest_encode(&aof, &redis);
    buf_printf(&name, "%s.manifest", log->o.append_name);
    buf_add_char(&name, 0);
    /* Ours last: where it stands, the directory is complete. */
    enum err e = file_put(log->io, n->fresh, name.p, buf_span(&redis), m);
    if (!e) e = dir_sync(log->io, n->fresh, m);
    if (!e) e = file_replace(log->io, n->fresh, LOG_MANIFEST, buf_span(&ours), m);
    aof_manifest_free(&aof);
    buf_free(&ours);
    buf_free(&redis);
    buf_free(&name);
    return e;
}

static enum err create_segment(struct log *log, struct install *n, struct errmsg *m)
{
    char *path = path_join(n->fresh, n->segment);
    n->fd = log->io->open(log->io->context, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0640);
    const enum err e = n->fd < 0 ? err_errno(m, "create %s", path) : ERR_OK;
    mem_free(path);
    return e;
}

static enum err fill(struct log *log, struct install *n, struct errmsg *m)
{
    enum err e = dir_remove(log->io, n->fresh, m);
    if (!e) e = dir_make(log->io, n->fresh, m);
    if (e) return e;
    char *base = path_join(n->fresh, n->base);
    if (!(e = move(log, n->file, base, m))) {
        e = create_segment(log, n, m);
        if (!e) e = put_manifests(log, n, m);
        /* The snapshot is the caller's again. */
        if (e) (void)log->io->rename(log->io->context, base, n->file);
    }
    mem_free(base);
    return e;
}

/* The new directory takes the old one's place. */
static enum err change_places(struct log *log, struct install *n, struct errmsg *m)
{
    enum err e = n->aside ? move(log, log->path, n->aside, m) : ERR_OK;
    if (e) return e;
    if ((e = move(log, n->fresh, log->path, m))) {
        struct errmsg back;
        /* What is written from now on would go aside with the old directory. */
        if (n->aside && move(log, n->aside, log->path, &back)) log_fail_for_good(log, &back);
        return e;
    }
    struct errmsg later;
    n->settled = dir_sync(log->io, log->o.dir, &later) == ERR_OK;
    if (!n->settled) log_fail_for_good(log, &later);
    return ERR_OK;
}

static void begin_anew(struct log *log, struct install *n)
{
    if (log->fd >= 0) (void)log->io->close(log->io->context, log->fd);
    log->fd = n->fd;
    n->fd = -1;
    log->fd_start = n->position->offset;
    log->foreign = false;
    log->seq_floor = log->base_seq_floor = 1;
    names_free(&log->old_bases);
    (void)pthread_mutex_lock(&log->view);
    const struct manifest old = log->manifest;
    log->manifest = n->next;
    n->next = old;
    log->generation++;
    log->failed = log->broken;
    (void)pthread_mutex_unlock(&log->view);
    log->sync_failed = false;
    log->retry_due_us = 0;
    log_begin_at(log, n->position->offset, n->position->crc);
}

static void fill_manifest(struct log *log, struct install *n)
{
    const struct position *p = n->position;
    n->next.node = log->manifest.node;
    n->next.incarnation = log->manifest.incarnation;
    n->next.epoch_seen = n->epoch_seen;
    history_copy(&n->next.history, n->history);
    manifest_set_peers(&n->next, log->manifest.peers, log->manifest.peer_count);
    if (!log->o.files) return;
    manifest_set_base(&n->next, n->base, 1, p);
    manifest_add_segment(&n->next, n->segment, 1, p->offset, p->crc);
}

/* Log thread. */
static enum err install_files(struct log *log, struct install *n, struct errmsg *m)
{
    struct errmsg unused;
    if (log->fd >= 0 && n->salvage) (void)log_flush(log, &unused);
    if (log->broken) {
        *m = log->failure;
        return ERR_IO;
    }
    n->fresh = text("%s.new", log->path);
    n->base = log_file_name(log, 1, true);
    n->segment = log_file_name(log, 1, false);
    bool there = false;
    enum err e = file_look(log->io, log->path, &there, m);
    if (!e && there) n->aside = aside_name(log, n->salvage);
    fill_manifest(log, n);
    if (!e) e = fill(log, n, m);
    if (!e && (e = change_places(log, n, m)) && !log->broken) {
        char *base = path_join(n->fresh, n->base);
        (void)log->io->rename(log->io->context, base, n->file);
        mem_free(base);
    }
    if (!e) {
        begin_anew(log, n);
        return ERR_OK;
    }
    if (n->fd >= 0) (void)log->io->close(log->io->context, n->fd);
    /* Where the old directory could not be put back, the next start finds the new one complete, and finishes. */
    if (!log->broken && dir_remove(log->io, n->fresh, &unused))
        log_say(log, LOG_SAY_WARNING, "Cannot remove %s: %s", n->fresh, unused.text);
    return e;
}

static enum err install_memory(struct log *log, struct install *n)
{
    if (log->manifest.base.name) {
        char *path = path_join(log->o.dir, log->manifest.base.name);
        (void)log->io->unlink(log->io->context, path);
        mem_free(path);
    }
    if (n->file) (void)log->io->unlink(log->io->context, n->file);
    fill_manifest(log, n);
    begin_anew(log, n);
    return ERR_OK;
}

static enum err install(struct log *log, void *context, struct errmsg *m)
{
    struct install *n = context;
    return log->o.files ? install_files(log, n, m) : install_memory(log, n);
}

struct removal {
    struct log_call call; /* first: it is freed as a whole */
    char *path;
};

static enum err remove_old(struct log *log, void *context, struct errmsg *m)
{
    struct removal *r = context;
    (void)m;
    log_sweep_dir(log, r->path);
    return ERR_OK;
}

/* The main thread does not wait for that. Where a power cut could still bring the old directory back, the next start
 * removes it. */
static void dispose(struct log *log, struct install *n)
{
    if (!n->aside) return;
    if (n->salvage) {
        log_say(log, LOG_SAY_WARNING, "The data that this node held before is kept in %s", n->aside);
        return;
    }
    if (!n->settled) return;
    struct removal *r = MEM_NEW(struct removal);
    r->path = n->aside;
    n->aside = NULL;
    r->call = (struct log_call){.run = remove_old, .context = r, .detached = true};
    log_post(log, &r->call);
}

enum err log_install_base(struct log *log, const char *file, const struct position *position,
                          const struct history *history, bool salvage, struct errmsg *m)
{
    assert(log->loaded && (file || !log->o.files));
    struct batch_chain chain = {.offset = position->offset, .crc = position->crc};
    const struct epoch *last = history_last(history);
    if (!lineage_is_set(&history->lineage) || !history_enter(history, &chain))
        return err_set(m, ERR_INVALID, "the snapshot's history does not fit its position %" PRIu64, position->offset);
    struct install n = {.file = file, .position = position, .history = history, .salvage = salvage, .fd = -1};
    n.epoch_seen = last->number > log->epoch_seen ? last->number : log->epoch_seen;
    enum err e = log_run(log, install, &n, m);
    if (!e) {
        log->chain = chain;
        history_copy(&log->history, history);
        log->epoch_seen = n.epoch_seen;
        log->loaded_foreign = log->must_checkpoint = false;
        atomic_store(&log->end, position->offset);
        dispose(log, &n);
    } else {
        e = err_wrap(m, e, "cannot install the snapshot");
    }
    mem_free(n.fresh);
    mem_free(n.aside);
    mem_free(n.base);
    mem_free(n.segment);
    manifest_free(&n.next);
    return e;
}
