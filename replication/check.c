#include "replication/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "replication/check_impl.h"
#include "replication/dir_files.h"
#include "replication/log_impl.h"

void check_say(struct check *c, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->o->line) c->o->line(c->o->context, text);
}

void check_problem(struct check *c, const char *format, ...)
{
    char text[1000];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->result->problems++;
    check_say(c, "PROBLEM  %s", text);
}

void check_progress(struct check *c, uint64_t bytes)
{
    enum { STEP = 16 << 20 };
    c->done += bytes;
    if (!c->o->progress || (c->done < c->shown + STEP && c->done != c->total)) return;
    c->shown = c->done;
    c->o->progress(c->o->context, c->done, c->total);
}

static void add_size(struct check *c, const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    const int64_t size = file_size(c->io, path);
    if (size > 0) c->total += (uint64_t)size;
    mem_free(path);
}

bool check_is_newer(const struct aof_manifest *theirs, const struct manifest *ours)
{
    const uint64_t last = ours->segment_count ? ours->segments[ours->segment_count - 1].seq : 0;
    for (size_t i = 0; i < theirs->count; i++)
        if (theirs->files[i].type != 'h' &&
            theirs->files[i].seq > (theirs->files[i].type == 'b' ? ours->base.seq : last))
            return true;
    return false;
}

static bool is_same(const struct aof_manifest *theirs, const struct manifest *ours)
{
    struct aof_manifest wanted = {0};
    manifest_for_redis(ours, &wanted);
    bool same = theirs->count == wanted.count;
    for (size_t i = 0; same && i < wanted.count; i++)
        same =
            strcmp(theirs->files[i].name, wanted.files[i].name) == 0 && theirs->files[i].type == wanted.files[i].type;
    aof_manifest_free(&wanted);
    return same;
}

/* Whatever the directory holds, the two manifests must agree where both are there. A damaged one is refused at a start: it
 * might say that a Redis has worked here. */
static void check_redis_manifest(struct check *c, const char *dir, const char *name, const struct manifest *ours)
{
    struct buf text = {0};
    struct aof_manifest theirs = {0};
    struct errmsg m;
    char *path = path_join(dir, name);
    const enum err unread = file_read(c->io, path, MANIFEST_BYTES_MAX, &text, &m);
    const enum err e = unread ? unread : aof_manifest_decode(buf_span(&text), &theirs, &m);
    if (unread) {
        check_problem(c, "%s", m.text);
    } else if (e) {
        check_problem(c, "%s: %s. A start writes it anew when it is missing", path, m.text);
        if (check_mends(c) && mend_set_aside(c, dir, name, 0) && mend_store(c, dir, ours)) c->result->fixed++;
    } else if (is_same(&theirs, ours)) {
        check_say(c, "ok       %s: the same files as ours", path);
    } else {
        check_say(c, "note     %s names other files than " LOG_MANIFEST ": %s", path,
                  check_is_newer(&theirs, ours) ? "a Redis has worked here since, and a start loads what it left"
                                                : "a crash came between the two, and a start writes it anew");
    }
    aof_manifest_free(&theirs);
    buf_free(&text);
    mem_free(path);
}

/* The base, and those before it that are kept. False: there is none to start from, but a node may have one. */
static bool check_bases(struct check *c, const char *dir, struct manifest *ours)
{
    if (!ours->base.name) {
        check_say(c, "ok       no base: the log is complete from its first segment on");
        return true;
    }
    bool usable = true;
    const size_t count = ours->kept_count + 1;
    enum rdb_state *state = mem_zalloc(count, sizeof *state);
    bool sound = true;
    for (size_t i = 0; i < count; i++) {
        char *path = path_join(dir, i < ours->kept_count ? ours->kept[i].name : ours->base.name);
        state[i] = check_rdb(c, path);
        sound &= state[i] == RDB_SOUND;
        mem_free(path);
    }
    if (!sound && check_mends(c)) (void)mend_bases(c, dir, ours, state, &usable);
    mem_free(state);
    return usable;
}

/* Where the checks of segments begin: with those that a start needs come also those kept for replicas. False: not all of
 * them are whole, or mended. @end is where the log ends. */
static bool check_our_segments(struct check *c, const char *dir, struct manifest *ours,
                               struct batch_chain *end_of_log)
{
    struct batch_chain chain = {0};
    bool mended = false, whole = true; /* this one, before; all */
    for (size_t i = 0; i < ours->segment_count; i++) {
        const struct segment *g = &ours->segments[i];
        const uint64_t end = i + 1 < ours->segment_count ? g[1].start : UINT64_MAX;
        bool again = false;
        if (i && !mended && (chain.offset != g->start || chain.crc != g->crc))
            check_say(c, "note     checking anew from log offset %" PRIu64 " on", g->start);
        chain = (struct batch_chain){.offset = g->start, .crc = g->crc};
        char *path = path_join(dir, g->name);
        const struct segment_end r = check_segment(c, path, end, &ours->history, &chain);
        mem_free(path);
        const uint64_t start = g->start;
        if (!r.sound) whole &= check_mends(c) && !mended && mend_segment(c, dir, ours, i, &r, &chain, &again);
        /* What was fetched is checked; where older ones went, another one stands at the front now. */
        mended = again;
        if (again) i--;
        else if (ours->segment_count && ours->segments[0].start > start) i = SIZE_MAX;
    }
    *end_of_log = chain;
    const struct position *p = &ours->base.position;
    for (size_t i = 0; ours->base.name && i < ours->segment_count; i++)
        if (ours->segments[i].start == p->offset && ours->segments[i].crc == p->crc) return whole;
    if (ours->base.name || !ours->segment_count)
        check_problem(c, "%s/" LOG_MANIFEST ": no segment begins at the base's offset %" PRIu64, dir, p->offset);
    return whole;
}

/* The files of a directory with our manifest. */
static void check_our_files(struct check *c, const char *dir, const char *redis_manifest, struct manifest *ours)
{
    char lineage[33];
    lineage_format(&ours->history.lineage, lineage);
    check_say(c, "ok       %s/" LOG_MANIFEST ": lineage %s, %zu epochs, %zu segments", dir, lineage,
              ours->history.count, ours->segment_count);
    if (ours->base.name) add_size(c, dir, ours->base.name);
    for (size_t i = 0; i < ours->kept_count; i++) add_size(c, dir, ours->kept[i].name);
    for (size_t i = 0; i < ours->segment_count; i++) add_size(c, dir, ours->segments[i].name);
    if (redis_manifest && ours->segment_count) check_redis_manifest(c, dir, redis_manifest, ours);
    struct batch_chain end = {0};
    const bool usable = check_bases(c, dir, ours);
    const bool whole = ours->segment_count && check_our_segments(c, dir, ours, &end);
    /* After the log, for that decides which base fits. */
    if (!usable && check_mends(c)) (void)mend_fetch_base(c, dir, ours, whole ? &end : NULL);
    if (whole && check_mends(c) && !mend_settle(c, dir, ours)) c->result->problems++;
}

/* A directory whose manifest of ours has the text @text; empty: it is missing. */
static void check_ours(struct check *c, const char *dir, const char *redis_manifest, struct span text)
{
    struct manifest ours = {0};
    struct errmsg m;
    const enum err e = text.n ? manifest_decode(text, &ours, &m)
                              : err_set(&m, ERR_MISSING, "it is missing, but segments of ours are there");
    if (e)
        check_problem(c, "%s/" LOG_MANIFEST ": %s. %s", dir, m.text,
                      e == ERR_FOREIGN ? "It takes a later version of Relevo"
                                       : "--fix writes it anew from the files, if these leave no doubt");
    if (!e || (c->o->fix && e != ERR_FOREIGN && mend_rebuild(c, dir, text, &ours)))
        check_our_files(c, dir, redis_manifest, &ours);
    manifest_free(&ours);
}

/* A directory of a Redis: each file that its manifest names. */
static void check_redis_dir(struct check *c, const char *dir, const char *manifest, struct span text)
{
    struct aof_manifest a = {0};
    struct errmsg m;
    if (aof_manifest_decode(text, &a, &m)) {
        check_problem(c, "%s/%s: %s", dir, manifest, m.text);
        if (c->o->fix) (void)mend_rebuild_redis(c, dir, manifest);
        return;
    }
    size_t last = 0;
    for (size_t i = 0; i < a.count; i++) {
        if (a.files[i].type != 'h') add_size(c, dir, a.files[i].name);
        if (a.files[i].type == 'i') last = i;
    }
    check_say(c, "ok       %s/%s: %zu files, written by a Redis", dir, manifest, a.count);
    for (size_t i = 0; i < a.count; i++) {
        char *path = path_join(dir, a.files[i].name);
        if (a.files[i].type != 'h') check_plain(c, path, i == last);
        mem_free(path);
    }
    aof_manifest_free(&a);
}

/* False: nothing of a log is in @dir. */
static bool check_log_dir(struct check *c, const char *dir)
{
    struct buf text = {0};
    struct errmsg m;
    char *ours = path_join(dir, LOG_MANIFEST), *redis = NULL;
    bool there = false, own = false;
    enum err e = file_look(c->io, ours, &there, &m);
    if (!e) e = dir_find_manifest(c->io, dir, &redis, &m);
    own = there;
    if (!e && !there) e = mend_find_ours(c, dir, &own, &m);
    /* What is found is built upon, also where an earlier mending was cut short before it was safe. */
    if (!e && c->o->fix && (own || redis)) e = dir_sync(c->io, dir, &m);
    if (e) {
        check_problem(c, "%s", m.text);
    } else if (own || redis) {
        char *path = own ? NULL : path_join(dir, redis);
        if ((there || !own) && file_read(c->io, own ? ours : path, MANIFEST_BYTES_MAX, &text, &m))
            check_problem(c, "%s", m.text);
        else if (own) check_ours(c, dir, redis, buf_span(&text));
        else check_redis_dir(c, dir, redis, buf_span(&text));
        mem_free(path);
    }
    buf_free(&text);
    mem_free(ours);
    const bool found = e || own || redis;
    mem_free(redis);
    return found;
}

/* A working directory: its appendonlydir, and the single files that may lie there. */
static enum err check_dir(struct check *c, const char *path, struct errmsg *m)
{
    if (check_log_dir(c, path)) return ERR_OK;
    static const char *const files[] = {"appendonly.aof", "dump.rdb"};
    char *inner = path_join(path, "appendonlydir");
    bool found = false, there = false;
    enum err e = file_look(c->io, inner, &there, m);
    if (!e && there) found = check_log_dir(c, inner);
    mem_free(inner);
    for (size_t i = 0; !e && i < sizeof files / sizeof *files; i++) {
        char *file = path_join(path, files[i]);
        e = file_look(c->io, file, &there, m);
        if (!e && there) {
            found = true;
            check_plain(c, file, true);
        }
        mem_free(file);
    }
    if (e) return e;
    return found ? ERR_OK : err_set(m, ERR_MISSING, "%s holds no log, no append-only file and no dump", path);
}

/* Whoever holds the lock of the working directory owns its files; @path is that one, or one in it. */
static enum err lock_for_fix(const char *path, bool is_dir, int *fd, struct errmsg *m)
{
    char *manifest = path_join(path, LOG_MANIFEST), *redis = NULL;
    if (is_dir && dir_find_manifest(&io_posix, path, &redis, m)) redis = NULL;
    const bool inner = is_dir && (file_exists(&io_posix, manifest) || redis);
    struct buf dir = {0};
    const char *slash = strrchr(path, '/');
    if (inner) buf_printf(&dir, "%s/..", path);
    else if (is_dir) buf_printf(&dir, "%s", path);
    else buf_printf(&dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    buf_add_char(&dir, 0);
    *fd = open(dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = *fd < 0 ? err_errno(m, "open %s", dir.p) : ERR_OK;
    if (!e && flock(*fd, LOCK_EX | LOCK_NB))
        e = errno == EWOULDBLOCK ? err_set(m, ERR_BUSY, "%s is in use: stop the server first", path)
                                 : err_errno(m, "lock %s", dir.p);
    buf_free(&dir);
    mem_free(manifest);
    mem_free(redis);
    return e;
}

static enum err check_any(struct check *c, const char *path, bool is_dir, struct errmsg *m)
{
    if (is_dir) return check_dir(c, path, m);
    check_file(c, path);
    return ERR_OK;
}

enum err check_path(const char *path, const struct check_options *options, struct check_result *result,
                    struct errmsg *m)
{
    struct check c = {.o = options, .io = options->io ? options->io : &io_posix, .result = result};
    struct stat st;
    *result = (struct check_result){0};
    if (c.io->stat(c.io->context, path, &st)) return err_errno(m, "%s", path);
    const bool is_dir = S_ISDIR(st.st_mode);
    int lock = -1;
    enum err e = options->fix && !options->io ? lock_for_fix(path, is_dir, &lock, m) : ERR_OK;
    if (!is_dir) c.total = (uint64_t)st.st_size;
    if (!e) e = check_any(&c, path, is_dir, m);
    if (lock >= 0) (void)close(lock);
    return e;
}
