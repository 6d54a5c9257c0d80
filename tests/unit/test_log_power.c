/* Power cuts: what was not synced is lost.
 *
 * The system calls are watched: how far each file was synced, which names were made, moved and removed since their
 * directory was. From one call on all fail; then everything that was not synced is undone (or, in the other mode, names
 * survive but bytes do not), and the log is opened again. */
#include <errno.h>
#include <pthread.h>

#include "log_scenario.h"

enum { FILES = 64, NAMES = 64, PATH = 256 };

struct watched {
    char path[PATH];
    int64_t synced;
};

/* A change of names that the directory's sync has not covered yet. */
struct change {
    enum change_kind { CREATED, MOVED, REMOVED } kind;
    char path[PATH], from[PATH];
    char kept[PATH]; /* what was at `path` before; empty: nothing */
};

struct power {
    pthread_mutex_t lock;
    int calls, at;  /* from call `at` on all fail; -1: none */
    char dir[PATH]; /* where `kept` files go */
    struct watched files[FILES];
    size_t file_count;
    struct change changes[NAMES];
    size_t change_count;
    unsigned kept;
};

static bool dead(struct power *p)
{
    const bool cut = p->at >= 0 && p->calls++ >= p->at;
    if (p->at < 0) p->calls++;
    if (cut) errno = EIO;
    return cut;
}

static void path_of(int fd, char path[PATH])
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, PATH - 1);
    path[n < 0 ? 0 : n] = 0;
}

static struct watched *watched_at(struct power *p, const char *path)
{
    for (size_t i = 0; i < p->file_count; i++)
        if (strcmp(p->files[i].path, path) == 0) return &p->files[i];
    cr_assert_lt(p->file_count, FILES);
    struct watched *w = &p->files[p->file_count++];
    (void)snprintf(w->path, PATH, "%s", path);
    w->synced = 0;
    return w;
}

/* Keep a second name for what is at @path. */
static void keep(struct power *p, const char *path, char kept[PATH])
{
    kept[0] = 0;
    if (!file_exists(&io_posix, path)) return;
    cr_assert_lt((size_t)snprintf(kept, PATH, "%s/kept-%u", p->dir, p->kept++), PATH);
    cr_assert_eq(link(path, kept), 0);
}

static struct change *changed(struct power *p, enum change_kind kind, const char *path, const char *from)
{
    cr_assert_lt(p->change_count, NAMES);
    struct change *c = &p->changes[p->change_count++];
    *c = (struct change){.kind = kind};
    (void)snprintf(c->path, PATH, "%s", path);
    (void)snprintf(c->from, PATH, "%s", from);
    return c;
}

static int power_open(void *context, const char *path, int flags, mode_t mode)
{
    struct power *p = context;
    (void)pthread_mutex_lock(&p->lock);
    int fd = -1;
    if (!dead(p)) {
        const bool is_new = (flags & O_CREAT) && !file_exists(&io_posix, path);
        fd = io_posix.open(NULL, path, flags, mode);
        if (fd >= 0 && is_new) (void)changed(p, CREATED, path, "");
        if (fd >= 0 && (flags & (O_CREAT | O_TRUNC))) watched_at(p, path)->synced = 0;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return fd;
}

static ssize_t power_writev(void *context, int fd, const struct iovec *v, int n)
{
    struct power *p = context;
    (void)pthread_mutex_lock(&p->lock);
    const ssize_t got = dead(p) ? -1 : io_posix.writev(NULL, fd, v, n);
    (void)pthread_mutex_unlock(&p->lock);
    return got;
}

/* The directory's changes of names are safe from now on. */
static void settle_names(struct power *p, const char *dir)
{
    const size_t n = strlen(dir);
    size_t left = 0;
    for (size_t i = 0; i < p->change_count; i++) {
        struct change *c = &p->changes[i];
        const bool here = strncmp(c->path, dir, n) == 0 && c->path[n] == '/' && !strchr(c->path + n + 1, '/');
        if (!here) p->changes[left++] = *c;
        else if (c->kept[0]) (void)unlink(c->kept);
    }
    p->change_count = left;
}

static int power_sync(void *context, int fd)
{
    struct power *p = context;
    char path[PATH];
    struct stat st;
    (void)pthread_mutex_lock(&p->lock);
    int result = dead(p) ? -1 : 0;
    if (!result) {
        path_of(fd, path);
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) settle_names(p, path);
        else watched_at(p, path)->synced = (int64_t)st.st_size;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return result;
}

static int power_rename(void *context, const char *from, const char *to)
{
    struct power *p = context;
    (void)pthread_mutex_lock(&p->lock);
    int result = dead(p) ? -1 : 0;
    if (!result) {
        char kept[PATH];
        keep(p, to, kept);
        result = io_posix.rename(NULL, from, to);
        memcpy(changed(p, MOVED, to, from)->kept, kept, PATH);
        watched_at(p, to)->synced = watched_at(p, from)->synced;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return result;
}

static int power_unlink(void *context, const char *path)
{
    struct power *p = context;
    (void)pthread_mutex_lock(&p->lock);
    int result = dead(p) ? -1 : 0;
    if (!result) {
        char kept[PATH];
        keep(p, path, kept);
        result = io_posix.unlink(NULL, path);
        if (!result) memcpy(changed(p, REMOVED, path, "")->kept, kept, PATH);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return result;
}

static int power_ftruncate(void *context, int fd, off_t size)
{
    struct power *p = context;
    (void)pthread_mutex_lock(&p->lock);
    const int result = dead(p) ? -1 : io_posix.ftruncate(NULL, fd, size);
    (void)pthread_mutex_unlock(&p->lock);
    return result;
}

/* Bytes behind what was synced are gone. */
static void lose_bytes(struct power *p)
{
    for (size_t i = 0; i < p->file_count; i++) {
        const struct watched *w = &p->files[i];
        if (file_size(&io_posix, w->path) > w->synced) cr_assert_eq(truncate(w->path, w->synced), 0);
    }
}

static void lose_names(struct power *p)
{
    while (p->change_count) {
        const struct change *c = &p->changes[--p->change_count];
        if (c->kind == MOVED) (void)rename(c->path, c->from);
        if (c->kind == CREATED) (void)unlink(c->path);
        if (c->kept[0]) (void)rename(c->kept, c->path);
    }
}

static int one_cut(enum log_sync_policy policy, int at, bool names_too)
{
    struct kit k;
    struct power p = {.lock = PTHREAD_MUTEX_INITIALIZER, .at = -1};
    struct io_ops io = io_posix;
    uint64_t ends[8];
    unsigned appended, durable;
    char what[64];
    io.context = &p;
    io.open = power_open;
    io.writev = power_writev;
    io.fdatasync = io.fsync = power_sync;
    io.rename = power_rename;
    io.unlink = power_unlink;
    io.ftruncate = power_ftruncate;
    kit_init(&k);
    (void)snprintf(p.dir, sizeof p.dir, "%s", k.dir);
    k.options.io = &io;
    k.options.sync = policy;
    k.options.retain_bytes = 0;
    kit_begin(&k);
    (void)pthread_mutex_lock(&p.lock);
    p.calls = 0;
    p.at = at;
    (void)pthread_mutex_unlock(&p.lock);
    scenario(&k, ends, &appended, &durable);
    const int calls = p.calls;
    kit_close(&k);
    if (names_too) lose_names(&p);
    lose_bytes(&p);
    (void)snprintf(what, sizeof what, "policy %d, cut at call %d, %s", (int)policy, at, names_too ? "all" : "bytes");
    expect_all(&k, appended, durable, what);
    kit_end(&k);
    return calls;
}

Test(log_power, a_power_cut_at_any_call_spares_what_was_called_durable)
{
    for (int policy = LOG_SYNC_ALWAYS; policy <= LOG_SYNC_NO; policy++) {
        const int calls = one_cut((enum log_sync_policy)policy, -1, false);
        for (int at = 0; at < calls; at++) {
            (void)one_cut((enum log_sync_policy)policy, at, false);
            (void)one_cut((enum log_sync_policy)policy, at, true);
        }
    }
}
