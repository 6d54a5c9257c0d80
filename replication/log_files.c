/* The files of a log directory: manifests and segments. Log thread. */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/mem.h"
#include "replication/log_impl.h"

enum { FILE_MODE = 0640 };

char *log_file_name(const struct log *log, uint64_t seq, bool base)
{
    struct buf b = {0};
    buf_printf(&b, "%s.%" PRIu64 ".%s", log->o.append_name, seq, base ? "base.rdb" : "incr.aof");
    buf_add_char(&b, 0);
    return b.p;
}

uint64_t log_next_seq(const struct log *log, bool base)
{
    const struct manifest *m = &log->manifest;
    const uint64_t floor = base ? log->base_seq_floor : log->seq_floor;
    const uint64_t last = base ? m->base.seq : m->segment_count ? m->segments[m->segment_count - 1].seq : 0;
    return (last > floor ? last : floor) + 1;
}

/* Swap the content of @next with the manifest's. */
static void commit(struct log *log, struct manifest *next)
{
    (void)pthread_mutex_lock(&log->view);
    const struct manifest old = log->manifest;
    log->manifest = *next;
    *next = old;
    (void)pthread_mutex_unlock(&log->view);
}

static void write_redis_manifest(struct log *log)
{
    struct aof_manifest aof = {0};
    struct buf text = {0}, name = {0};
    struct errmsg m;
    manifest_for_redis(&log->manifest, &aof);
    aof_manifest_encode(&aof, &text);
    buf_printf(&name, "%s.manifest", log->o.append_name);
    buf_add_char(&name, 0);
    const enum err e = aof.count ? file_replace(log->io, log->path, name.p, buf_span(&text), &m) : ERR_OK;
    if (e) log_say(log, LOG_SAY_WARNING, "The manifest for Redis could not be written, ours was: %s", m.text);
    log->aof_stale = e != ERR_OK;
    aof_manifest_free(&aof);
    buf_free(&text);
    buf_free(&name);
}

enum err log_persist(struct log *log, struct manifest *next, struct errmsg *m)
{
    if (!log->o.files || log->foreign) {
        commit(log, next);
        return ERR_OK;
    }
    struct buf text = {0};
    manifest_encode(next, &text);
    enum err e = file_put(log->io, log->path, LOG_MANIFEST, buf_span(&text), m);
    buf_free(&text);
    if (e) return e;
    commit(log, next);
    if ((e = dir_sync(log->io, log->path, m))) {
        /* Which of the two manifests a power cut would leave is not known, so none of them may be relied on. */
        log_fail_for_good(log, m);
        return e;
    }
    /* Not before ours is safe: alone on the disk it would look like the work of a Redis. */
    write_redis_manifest(log);
    return ERR_OK;
}

enum err log_create_segment(struct log *log, uint64_t seq, int *fd, char **name, struct errmsg *m)
{
    enum err e = dir_make(log->io, log->path, m);
    if (e) return e;
    *name = log_file_name(log, seq, false);
    char *path = path_join(log->path, *name);
    *fd = log->io->open(log->io->context, path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, FILE_MODE);
    if (*fd < 0) e = err_errno(m, "create %s", path);
    if (!e) e = dir_sync(log->io, log->path, m);
    if (e && *fd >= 0) {
        (void)log->io->close(log->io->context, *fd);
        *fd = -1;
    }
    mem_free(path);
    return e;
}

enum err log_rotate(struct log *log, void *context, struct errmsg *m)
{
    (void)context;
    if (!log->o.files) return ERR_OK;
    enum err e = log->fd >= 0 ? log_flush_sync(log, m) : ERR_OK;
    const uint64_t start = log_written(log);
    if (e || (log->fd >= 0 && log->fd_start == start)) return e;
    const uint64_t seq = log_next_seq(log, false);
    struct manifest next = {0};
    char *name = NULL;
    int fd = -1;
    if (!(e = log_create_segment(log, seq, &fd, &name, m))) {
        manifest_copy(&next, &log->manifest);
        manifest_add_segment(&next, name, seq, start, log->written_crc);
        e = log_persist(log, &next, m);
    }
    if (!e || log->broken) {
        if (log->fd >= 0) (void)log->io->close(log->io->context, log->fd);
        log->fd = fd;
        log->fd_start = start;
    } else if (fd >= 0) {
        (void)log->io->close(log->io->context, fd);
    }
    mem_free(name);
    manifest_free(&next);
    return e;
}

void log_get_stats(struct log *log, struct log_stats *s)
{
    (void)pthread_mutex_lock(&log->view);
    const struct manifest *m = &log->manifest;
    *s = log->stats;
    s->files = log->o.files;
    s->segments = m->segment_count;
    s->begin = m->segment_count ? m->segments[0].start : log->view_written;
    s->log_bytes = log->view_written - (m->base.name ? m->base.position.offset : s->begin);
    s->has_base = m->base.name != NULL;
    s->kept_bases = m->kept_count;
    s->base_offset = m->base.position.offset;
    (void)pthread_mutex_unlock(&log->view);
}
