/* What --fix does to logs, bases and manifests. Nothing is destroyed: what goes is kept beside, under another name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/check_impl.h"
#include "replication/file_source.h"
#include "replication/log_impl.h"

bool mend_failed(struct check *c, const char *what, const struct errmsg *m)
{
    c->stopped = true;
    check_say(c, "failed   %s: %s", what, m->text);
    return false;
}

static void fixed(struct check *c) { c->result->fixed++; }

/* "<path>.salvage-<mark>" that does not exist, on the heap. */
static enum err salvage_name(const struct check *c, const char *path, uint64_t mark, char **to, struct errmsg *m)
{
    struct buf name = {0};
    bool there = true;
    enum err e = ERR_OK;
    for (unsigned n = 1; !e && there; n++) {
        name.len = 0;
        buf_printf(&name, "%s.salvage-%" PRIu64, path, mark);
        if (n > 1) buf_printf(&name, "-%u", n);
        buf_add_char(&name, 0);
        e = file_look(c->io, name.p, &there, m);
    }
    *to = name.p;
    return e;
}

/* Copy what lies from the source's place up to @end into an open file, in pieces: it may be long. */
static enum err copy_to(struct check *c, struct file_source *f, uint64_t end, int fd, struct errmsg *m)
{
    enum { PIECE = 1 << 20 };
    enum err e = ERR_OK;
    while (!e && f->at < end && f->at < f->size) {
        struct span bytes;
        if ((e = file_source_want(f, PIECE, &bytes, m))) break;
        if (bytes.n > end - f->at) bytes.n = (size_t)(end - f->at);
        struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
        e = file_write_all(c->io, fd, &v, 1, m);
        file_source_skip(f, bytes.n);
    }
    return e;
}

enum err mend_create(struct check *c, const char *path, int *fd, struct errmsg *m)
{
    *fd = c->io->open(c->io->context, path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    return *fd < 0 ? err_errno(m, "create %s", path) : ERR_OK;
}

enum err mend_finish(struct check *c, const char *path, int fd, enum err e, struct errmsg *m)
{
    if (fd < 0) return e;
    if (!e && c->io->fsync(c->io->context, fd)) e = err_errno(m, "fsync %s", path);
    if (c->io->close(c->io->context, fd) && !e) e = err_errno(m, "close %s", path);
    if (e) (void)c->io->unlink(c->io->context, path);
    return e;
}

static enum err sync_dir_of(struct check *c, const char *path, struct errmsg *m)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash && slash > path ? mem_dup(path, (size_t)(slash - path) + 1) : NULL;
    if (dir) dir[slash - path] = '\0';
    const enum err e = dir_sync(c->io, dir ? dir : slash ? "/" : ".", m);
    mem_free(dir);
    return e;
}

/* Copy the bytes [@at, @end) of a file to a salvage file, durably; the caller frees its name. */
static enum err save_range(struct check *c, const char *path, uint64_t at, uint64_t end, char **name,
                           struct errmsg *m)
{
    struct file_source f;
    int fd = -1;
    enum err e = salvage_name(c, path, at, name, m);
    if (!e) e = file_source_open(&f, c->io, path, UINT64_MAX, m);
    if (e) return e;
    file_source_seek(&f, at);
    e = mend_create(c, *name, &fd, m);
    if (!e) e = copy_to(c, &f, end, fd, m);
    e = mend_finish(c, *name, fd, e, m);
    if (!e) e = sync_dir_of(c, path, m);
    file_source_close(&f);
    return e;
}

bool mend_keep_copy(struct check *c, const char *dir, const char *name)
{
    struct errmsg m;
    char *path = path_join(dir, name), *saved = NULL;
    bool there = false;
    enum err e = file_look(c->io, path, &there, &m);
    if (!e && there) e = save_range(c, path, 0, UINT64_MAX, &saved, &m);
    const bool done = e ? mend_failed(c, path, &m) : true;
    mem_free(path);
    mem_free(saved);
    return done;
}

static enum err truncate_at(struct check *c, const char *path, uint64_t at, struct errmsg *m)
{
    const int fd = c->io->open(c->io->context, path, O_WRONLY, 0);
    if (fd < 0) return err_errno(m, "open %s", path);
    enum err e = ERR_OK;
    if (c->io->ftruncate(c->io->context, fd, (off_t)at) || c->io->fsync(c->io->context, fd))
        e = err_errno(m, "cut %s", path);
    (void)c->io->close(c->io->context, fd);
    return e;
}

bool mend_settle(struct check *c, const char *dir, const struct manifest *ours)
{
    struct errmsg m;
    char *path = path_join(dir, ours->segments[ours->segment_count - 1].name);
    const int fd = c->io->open(c->io->context, path, O_WRONLY, 0);
    enum err e = fd < 0 ? err_errno(&m, "open %s", path) : ERR_OK;
    if (!e && c->io->fsync(c->io->context, fd)) e = err_errno(&m, "fsync %s", path);
    if (fd >= 0) (void)c->io->close(c->io->context, fd);
    const bool done = e ? mend_failed(c, path, &m) : true;
    mem_free(path);
    return done;
}

bool mend_cut(struct check *c, const char *path, uint64_t at)
{
    struct errmsg m;
    char *name = NULL;
    const int64_t size = file_size(c->io, path);
    enum err e = save_range(c, path, at, UINT64_MAX, &name, &m);
    if (!e) e = truncate_at(c, path, at, &m);
    if (!e) {
        fixed(c);
        check_say(c, "fixed    %s: its last %" PRIu64 " bytes are in %s now", path, (uint64_t)size - at, name);
    }
    mem_free(name);
    return e ? mend_failed(c, path, &m) : true;
}

bool mend_set_aside(struct check *c, const char *dir, const char *name, uint64_t mark)
{
    struct errmsg m;
    char *path = path_join(dir, name), *to = NULL;
    bool done = true;
    if (salvage_name(c, path, mark, &to, &m)) {
        done = mend_failed(c, path, &m);
    } else if (c->io->rename(c->io->context, path, to) == 0) {
        check_say(c, "fixed    %s is %s now", path, to);
    } else if (errno != ENOENT) {
        (void)err_errno(&m, "rename");
        done = mend_failed(c, path, &m);
    }
    mem_free(path);
    mem_free(to);
    return done;
}

size_t mend_prefix(const struct manifest *ours, const char **name)
{
    const char *file = *name = ours->base.name ? ours->base.name : ours->segments[0].name;
    const char *tail = strstr(file, ours->base.name ? ".base.rdb" : ".incr.aof");
    while (tail && tail > file && *--tail != '.') {}
    return tail ? (size_t)(tail - file) : 0;
}

/* The name that Redis gives its manifest: that of the files without their number. */
static void redis_name(const struct manifest *ours, struct buf *name)
{
    const char *file;
    const size_t n = mend_prefix(ours, &file);
    buf_printf(name, "%.*s.manifest", (int)n, file);
    buf_add_char(name, 0);
}

/* Redis's manifest names a file that is newer than all of ours will be: beside our new one it would look like the work of
 * a Redis. */
static enum err theirs_is_newer(struct check *c, const char *dir, const char *name, const struct manifest *ours,
                                bool *newer, struct errmsg *m)
{
    struct buf text = {0};
    struct aof_manifest theirs = {0};
    char *path = path_join(dir, name);
    const enum err e = file_read(c->io, path, MANIFEST_BYTES_MAX, &text, m);
    *newer = !e && !aof_manifest_decode(buf_span(&text), &theirs, NULL) && check_is_newer(&theirs, ours);
    aof_manifest_free(&theirs);
    buf_free(&text);
    mem_free(path);
    return e == ERR_MISSING ? ERR_OK : e;
}

bool mend_store(struct check *c, const char *dir, const struct manifest *ours)
{
    struct buf text = {0}, redis = {0}, name = {0};
    struct aof_manifest aof = {0};
    struct errmsg m;
    manifest_encode(ours, &text);
    manifest_for_redis(ours, &aof);
    aof_manifest_encode(&aof, &redis);
    redis_name(ours, &name);
    bool first;
    enum err e = theirs_is_newer(c, dir, name.p, ours, &first, &m);
    if (!e && first) e = file_replace(c->io, dir, name.p, buf_span(&redis), &m);
    if (!e) e = file_replace(c->io, dir, LOG_MANIFEST, buf_span(&text), &m);
    if (!e && !first) e = file_replace(c->io, dir, name.p, buf_span(&redis), &m);
    aof_manifest_free(&aof);
    buf_free(&text);
    buf_free(&redis);
    buf_free(&name);
    return e ? mend_failed(c, dir, &m) : true;
}

/* ---- Logs ---- */

/* Segments before the base serve replicas only: they go, and the kept bases whose log they are. */
static bool drop_older(struct check *c, const char *dir, struct manifest *ours, size_t i)
{
    const uint64_t begin = ours->segments[i + 1].start;
    bool done = true;
    for (size_t n = 0; n <= i; n++) done &= mend_set_aside(c, dir, ours->segments[n].name, 0);
    for (size_t n = 0; n <= i; n++) manifest_drop_segment(ours, 0);
    while (ours->kept_count && ours->kept[0].position.offset < begin) {
        done &= mend_set_aside(c, dir, ours->kept[0].name, 0);
        manifest_drop_kept(ours, 0);
    }
    if (!done || !mend_store(c, dir, ours)) return false;
    fixed(c);
    check_say(c, "fixed    the log is kept from offset %" PRIu64 " on", begin);
    return true;
}

static bool make_empty(struct check *c, const char *path)
{
    struct errmsg m;
    int fd = -1;
    enum err e = mend_create(c, path, &fd, &m);
    e = mend_finish(c, path, fd, e, &m);
    return e || sync_dir_of(c, path, &m) ? mend_failed(c, path, &m) : true;
}

/* The log ends in segment @i, at byte @at of it. What goes aside first is missed by a start if this is cut short: then it
 * is begun anew. */
static bool cut_log(struct check *c, const char *dir, struct manifest *ours, size_t i, uint64_t at, bool missing)
{
    bool done = true;
    const bool inner = ours->segment_count > i + 1;
    while (done && ours->segment_count > i + 1) {
        done = mend_set_aside(c, dir, ours->segments[i + 1].name, 0);
        manifest_drop_segment(ours, i + 1);
    }
    char *path = path_join(dir, ours->segments[i].name);
    if (done && missing) done = make_empty(c, path);
    done = done && (!inner || mend_store(c, dir, ours));
    if (done && missing) {
        fixed(c);
        check_say(c, "fixed    %s: the log ends before it now", path);
    } else if (done) {
        done = mend_cut(c, path, at);
    }
    mem_free(path);
    return done;
}

/* ---- Fetching ---- */

struct patch {
    struct check *check;
    int fd;
};

static enum err take_batches(void *context, struct span batches, struct errmsg *m)
{
    const struct patch *p = context;
    struct iovec v = {.iov_base = (void *)(uintptr_t)batches.p, .iov_len = batches.n};
    return file_write_all(p->check->io, p->fd, &v, 1, m);
}

/* The segment anew: what is whole before the damage, what a node gives for it, what is whole behind. */
static enum err write_patched(struct check *c, const char *path, const char *temp, const struct segment *g,
                              const struct history *history, struct batch_chain *chain, uint64_t end,
                              struct errmsg *m)
{
    struct patch p = {.check = c, .fd = -1};
    struct file_source old = {0};
    const uint64_t at = chain->offset - g->start;
    bool there;
    const struct fetch_sink to = {take_batches, &p};
    enum err e = file_look(c->io, path, &there, m);
    if (!e && there) e = file_source_open(&old, c->io, path, UINT64_MAX, m);
    (void)c->io->unlink(c->io->context, temp);
    if (!e) e = mend_create(c, temp, &p.fd, m);
    if (!e && old.path) e = copy_to(c, &old, at, p.fd, m);
    if (!e) e = c->o->from->log(c->o->from->context, history, chain, end, &to, m);
    if (!e && old.path && end - g->start < old.size) {
        file_source_seek(&old, end - g->start);
        e = copy_to(c, &old, UINT64_MAX, p.fd, m);
    }
    e = mend_finish(c, temp, p.fd, e, m);
    file_source_close(&old);
    return e;
}

static bool fetch(struct check *c, const char *dir, const struct manifest *ours, size_t i, uint64_t end,
                  const struct batch_chain *from)
{
    const struct segment *g = &ours->segments[i];
    struct batch_chain chain = *from;
    char *path = path_join(dir, g->name), *temp = NULL, *saved = NULL;
    struct errmsg m;
    struct buf name = {0};
    buf_printf(&name, "temp-%s", g->name);
    buf_add_char(&name, 0);
    temp = path_join(dir, name.p);
    bool there = false;
    enum err e = write_patched(c, path, temp, g, &ours->history, &chain, end, &m);
    if (!e) e = file_look(c->io, path, &there, &m);
    if (!e && there) e = save_range(c, path, from->offset - g->start, end - g->start, &saved, &m);
    if (!e && c->io->rename(c->io->context, temp, path)) e = err_errno(&m, "rename %s", temp);
    if (!e) e = dir_sync(c->io, dir, &m);
    if (!e) {
        fixed(c);
        check_say(c, "fixed    %s: log offsets %" PRIu64 " to %" PRIu64 " fetched from %s%s%s", path, from->offset,
                  end, c->o->from->name, saved ? "; what stood there is in " : "", saved ? saved : "");
    }
    buf_free(&name);
    mem_free(temp);
    mem_free(saved);
    const bool done = e ? mend_failed(c, path, &m) : true;
    mem_free(path);
    return done;
}

bool mend_segment(struct check *c, const char *dir, struct manifest *ours, size_t i, const struct segment_end *end,
                  const struct batch_chain *chain, bool *again)
{
    const bool last = i + 1 == ours->segment_count;
    const bool older = !last && ours->base.name && ours->segments[i + 1].start <= ours->base.position.offset;
    const uint64_t known = end->resume ? end->resume : last ? 0 : ours->segments[i + 1].start;
    *again = false;
    if (c->o->from && known) return *again = fetch(c, dir, ours, i, known, chain);
    if (end->unreadable) {
        struct errmsg m;
        (void)err_set(&m, ERR_IO, "what cannot be read is not cut. --from HOST:PORT gets it from a node that has it");
        return mend_failed(c, ours->segments[i].name, &m);
    }
    if (older) return drop_older(c, dir, ours, i);
    return cut_log(c, dir, ours, i, end->at - ours->segments[i].start, end->missing);
}

/* ---- Bases ---- */

/* Take kept bases out of @next and lay them aside where they are damaged; how many stood there. */
static bool drop_damaged(struct check *c, const char *dir, struct manifest *next, const enum rdb_state *state,
                         uint64_t *dropped)
{
    *dropped = 0;
    for (size_t i = next->kept_count; i > 0; i--) {
        const struct base *b = &next->kept[i - 1];
        if (state[i - 1] != RDB_DAMAGED) continue;
        if (!mend_set_aside(c, dir, b->name, b->position.offset)) return false;
        manifest_drop_kept(next, i - 1);
        ++*dropped;
    }
    return true;
}

/* The newest one that is kept becomes the base again. */
static void go_back(struct manifest *next)
{
    const size_t last = next->kept_count - 1;
    struct manifest copy = {0};
    manifest_copy(&copy, next);
    const struct base *b = &copy.kept[last];
    manifest_set_base(next, b->name, b->seq, &b->position);
    manifest_drop_kept(next, last);
    manifest_free(&copy);
}

static bool replace_bases(struct check *c, const char *dir, struct manifest *ours, const enum rdb_state *state)
{
    const bool newest = state[ours->kept_count] == RDB_SOUND;
    struct manifest next = {0};
    uint64_t dropped;
    manifest_copy(&next, ours);
    if (!newest) manifest_retire_base(&next);
    bool done = drop_damaged(c, dir, &next, state, &dropped);
    if (done && !newest && next.kept_count) go_back(&next);
    done = done && mend_store(c, dir, &next);
    if (done) {
        manifest_copy(ours, &next);
        c->result->fixed += dropped;
    }
    if (done && !newest)
        check_say(c, "fixed    the log begins at %s now", ours->base.name ? ours->base.name : "its first segment");
    manifest_free(&next);
    return done;
}

bool mend_bases(struct check *c, const char *dir, struct manifest *ours, const enum rdb_state *state, bool *usable)
{
    const bool from_log = ours->segment_count && ours->segments[0].start == 0;
    bool any = from_log, unreadable = false;
    struct errmsg m;
    for (size_t i = 0; i <= ours->kept_count; i++) {
        any |= state[i] == RDB_SOUND;
        unreadable |= state[i] == RDB_UNREADABLE;
    }
    if ((!any || unreadable) && c->o->from) return *usable = false;
    if (unreadable) {
        (void)err_set(&m, ERR_IO,
                      "what cannot be read does not give way to something older. --from HOST:PORT gets a base from a "
                      "node that has this data");
        return mend_failed(c, ours->base.name, &m);
    }
    if (any) return replace_bases(c, dir, ours, state);
    (void)err_set(&m, ERR_MISSING,
                  "no older base is whole, and the log is not there from its beginning. --from HOST:PORT gets a "
                  "base from a node that has this data; a backup can take its place, or starting anew as a "
                  "replica of such a node (replicaof)");
    return mend_failed(c, ours->base.name, &m);
}
