#include "tests/lib/simdisk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "common/mem.h"

enum { FDS = 64, SECTOR = 512, FIRST_FD = 1000 };

struct entry {
    char *name;
    struct inode *inode;
};

struct names {
    struct entry *at;
    size_t count;
};

struct inode {
    struct inode *next, *copy; /* all of the disk; what simdisk_after() made of it */
    bool is_dir;
    struct buf cache, durable; /* of a file */
    struct buf dirty;          /* a byte for each of the cache's: 1 where an fsync has to write it */
    struct names seen, kept;   /* of a directory: in the cache, on the disk */
};

/* A name that came to stand for @inode (NULL: for nothing) since its directory was synced. */
struct change {
    struct inode *dir, *inode;
    char *name;
    unsigned act; /* changes of one rename have one number */
    bool leaves;  /* the old name of a rename */
};

struct opened {
    struct inode *inode;
    size_t at;
    bool append;
};

struct simdisk {
    pthread_mutex_t lock;
    struct inode *inodes, *root;
    char *root_path;
    struct change *changes;
    size_t change_count;
    unsigned acts;
    struct opened fds[FDS];
    struct simdisk_plan plan;
    int calls;
    bool hit, dead, dropped;
    char where[160];
};

/* ---- Names ---- */

static struct entry *find(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->at[i].name, name) == 0) return &n->at[i];
    return NULL;
}

static void set_name(struct names *n, const char *name, struct inode *inode)
{
    struct entry *e = find(n, name);
    if (e && inode) {
        e->inode = inode;
    } else if (e) {
        mem_free(e->name);
        *e = n->at[--n->count];
    } else if (inode) {
        n->at = mem_realloc(n->at, (n->count + 1) * sizeof *n->at);
        n->at[n->count++] = (struct entry){mem_dup(name, strlen(name) + 1), inode};
    }
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) mem_free(n->at[i].name);
    mem_free(n->at);
    *n = (struct names){0};
}

static struct inode *new_inode(struct simdisk *d, bool is_dir)
{
    struct inode *i = MEM_NEW(struct inode);
    i->is_dir = is_dir;
    i->next = d->inodes;
    d->inodes = i;
    return i;
}

/* A place in the tree: the directory and the last name. */
struct place {
    struct inode *dir;
    char name[200];
};

static struct inode *child(const struct place *p)
{
    if (!p->name[0]) return p->dir;
    const struct entry *e = find(&p->dir->seen, p->name);
    return e ? e->inode : NULL;
}

/* False with errno if a directory on the way is missing. */
static bool locate(const struct simdisk *d, const char *path, struct place *p)
{
    const size_t n = strlen(d->root_path);
    assert(strncmp(path, d->root_path, n) == 0 && (path[n] == '/' || !path[n]));
    *p = (struct place){.dir = d->root};
    struct inode *above = d->root;
    for (const char *at = path + n; *at;) {
        const size_t slashes = strspn(at, "/"), length = strcspn(at + slashes, "/");
        at += slashes;
        if (length == 0) break;
        if (length == 2 && memcmp(at, "..", 2) == 0) {
            *p = (struct place){.dir = above};
        } else {
            struct inode *into = child(p);
            if (!into || !into->is_dir) {
                errno = into ? ENOTDIR : ENOENT;
                return false;
            }
            above = p->dir;
            p->dir = into;
            assert(length < sizeof p->name);
            (void)snprintf(p->name, sizeof p->name, "%.*s", (int)length, at);
        }
        at += length;
    }
    return true;
}

static void change_name(struct simdisk *d, struct inode *dir, const char *name, struct inode *inode, bool leaves)
{
    set_name(&dir->seen, name, inode);
    d->changes = mem_realloc(d->changes, (d->change_count + 1) * sizeof *d->changes);
    d->changes[d->change_count++] = (struct change){
        .dir = dir, .inode = inode, .name = mem_dup(name, strlen(name) + 1), .act = d->acts, .leaves = leaves};
}

/* ---- Faults ---- */

enum verdict { GO, HALF, HALF_THEN_FAIL, NOTHING };

static enum verdict die(struct simdisk *d, enum verdict v)
{
    d->dead = true;
    errno = EIO;
    return v;
}

/* What is to become of the call that begins now; NOTHING has errno set. */
static enum verdict judge(struct simdisk *d, const char *call, const char *path)
{
    if (d->dead) {
        errno = EIO;
        return NOTHING;
    }
    const struct simdisk_plan *p = &d->plan;
    char what[sizeof d->where];
    if (p->on) {
        (void)snprintf(what, sizeof what, "%s %s", call, path);
        if (!strstr(what, p->on)) return GO;
    }
    const int number = d->calls++;
    if (p->die_at >= 0 && number >= p->die_at) return die(d, NOTHING);
    if (p->at < 0 || number < p->at || number >= p->at + p->count) return GO;
    if (!d->hit) (void)snprintf(d->where, sizeof d->where, "%s %s", call, path);
    d->hit = true;
    errno = p->number;
    switch (p->fault) {
    case SIMDISK_DIE_BEFORE: return die(d, NOTHING);
    case SIMDISK_DIE_AFTER: return die(d, GO);
    case SIMDISK_DIE_MIDST: return die(d, HALF_THEN_FAIL);
    case SIMDISK_FAIL: return NOTHING;
    case SIMDISK_FAIL_MIDST: return HALF_THEN_FAIL;
    case SIMDISK_SHORT: return HALF;
    }
    return GO;
}

static bool may(struct simdisk *d, const char *call, const char *path)
{
    const enum verdict v = judge(d, call, path);
    return v == GO || v == HALF;
}

static int done(struct simdisk *d, int result)
{
    (void)pthread_mutex_unlock(&d->lock);
    return result;
}

static struct simdisk *enter(void *context)
{
    struct simdisk *d = context;
    (void)pthread_mutex_lock(&d->lock);
    return d;
}

static int fails(struct simdisk *d, int number)
{
    errno = number;
    return done(d, -1);
}

/* ---- Calls ---- */

static struct opened *opened(struct simdisk *d, int fd)
{
    assert(fd >= FIRST_FD && fd < FIRST_FD + FDS && d->fds[fd - FIRST_FD].inode);
    return &d->fds[fd - FIRST_FD];
}

static const char *name_of(const struct simdisk *d, const struct inode *i, const struct inode *dir)
{
    for (size_t k = 0; k < dir->seen.count; k++) {
        if (dir->seen.at[k].inode == i) return dir->seen.at[k].name;
        if (!dir->seen.at[k].inode->is_dir) continue;
        const char *name = name_of(d, i, dir->seen.at[k].inode);
        if (name) return name;
    }
    return NULL;
}

static const char *name_of_fd(struct simdisk *d, int fd)
{
    const char *name = name_of(d, opened(d, fd)->inode, d->root);
    return name ? name : "a removed file";
}

static void cut(struct inode *i, size_t size)
{
    while (i->cache.len < size) {
        buf_add_char(&i->cache, 0);
        buf_add_char(&i->dirty, 1);
    }
    i->cache.len = i->dirty.len = size;
}

static int sim_open(void *context, const char *path, int flags, mode_t mode)
{
    struct simdisk *d = enter(context);
    struct place p;
    int slot = 0;
    (void)mode;
    if (!may(d, flags & O_CREAT ? "create" : "open", path)) return done(d, -1);
    if (!locate(d, path, &p)) return done(d, -1);
    struct inode *i = child(&p);
    if (!i && !(flags & O_CREAT)) return fails(d, ENOENT);
    if (!i) {
        i = new_inode(d, false);
        d->acts++;
        change_name(d, p.dir, p.name, i, false);
    }
    if (flags & O_TRUNC) cut(i, 0);
    while (slot < FDS && d->fds[slot].inode) slot++;
    assert(slot < FDS);
    d->fds[slot] = (struct opened){.inode = i, .append = flags & O_APPEND};
    return done(d, FIRST_FD + slot);
}

static int sim_close(void *context, int fd)
{
    struct simdisk *d = enter(context);
    const bool fine = may(d, "close", name_of_fd(d, fd));
    *opened(d, fd) = (struct opened){0}; /* also where it fails, as Linux does */
    return done(d, fine ? 0 : -1);
}

static ssize_t sim_pread(void *context, int fd, void *to, size_t n, off_t at)
{
    struct simdisk *d = enter(context);
    const struct inode *i = opened(d, fd)->inode;
    const enum verdict v = judge(d, "pread", name_of_fd(d, fd));
    if (v == NOTHING || v == HALF_THEN_FAIL) return done(d, -1);
    const size_t from = (size_t)at < i->cache.len ? (size_t)at : i->cache.len;
    if (n > i->cache.len - from) n = i->cache.len - from;
    if (v == HALF && n > 1) n /= 2;
    if (n) memcpy(to, i->cache.p + from, n);
    return done(d, (int)n);
}

static void put(struct opened *o, const char *p, size_t n)
{
    struct inode *i = o->inode;
    if (o->append) o->at = i->cache.len;
    if (o->at + n > i->cache.len) cut(i, o->at + n);
    if (n) memcpy(i->cache.p + o->at, p, n);
    if (n) memset(i->dirty.p + o->at, 1, n);
    o->at += n;
}

static ssize_t sim_writev(void *context, int fd, const struct iovec *v, int count)
{
    struct simdisk *d = enter(context);
    size_t total = 0, done_bytes = 0;
    const enum verdict verdict = judge(d, "writev", name_of_fd(d, fd));
    if (verdict == NOTHING) return done(d, -1);
    const int failure = errno;
    for (int i = 0; i < count; i++) total += v[i].iov_len;
    const size_t most = verdict == GO || total < 2 ? total : total / 2;
    for (int i = 0; i < count && done_bytes < most; i++) {
        const size_t n = v[i].iov_len < most - done_bytes ? v[i].iov_len : most - done_bytes;
        put(opened(d, fd), v[i].iov_base, n);
        done_bytes += n;
    }
    return verdict == HALF_THEN_FAIL ? fails(d, failure) : done(d, (int)done_bytes);
}

static void sync_file(struct inode *i, bool worked)
{
    if (worked) {
        while (i->durable.len < i->cache.len) buf_add_char(&i->durable, 0);
        i->durable.len = i->cache.len;
    }
    for (size_t k = 0; k < i->cache.len; k++) {
        if (i->dirty.p[k] && worked) i->durable.p[k] = i->cache.p[k];
        i->dirty.p[k] = 0;
    }
}

/* The other name of a rename is on the disk already. */
static bool arrived(const struct simdisk *d, const struct change *c)
{
    for (size_t i = 0; i < d->change_count; i++)
        if (d->changes[i].act == c->act && &d->changes[i] != c) return false;
    return true;
}

static void drop_change(struct simdisk *d, size_t i)
{
    mem_free(d->changes[i].name);
    d->change_count--;
    memmove(d->changes + i, d->changes + i + 1, (d->change_count - i) * sizeof *d->changes);
}

static void sync_dir(struct simdisk *d, struct inode *dir)
{
    for (size_t i = 0; i < d->change_count;) {
        struct change *c = &d->changes[i];
        if (c->dir != dir) {
            i++;
        } else if (c->leaves && !arrived(d, c)) {
            i++; /* a file that is moved is never in neither place */
        } else {
            set_name(&dir->kept, c->name, c->inode);
            drop_change(d, i);
        }
    }
}

static int sync_with(void *context, int fd, const char *call)
{
    struct simdisk *d = enter(context);
    struct inode *i = opened(d, fd)->inode;
    const bool worked = may(d, call, i == d->root ? "the root" : name_of_fd(d, fd));
    if (d->dead && !worked) return done(d, -1);
    d->dropped |= !worked;
    if (!i->is_dir) sync_file(i, worked);
    else if (worked) sync_dir(d, i);
    return done(d, worked ? 0 : -1);
}

static int sim_fsync(void *context, int fd) { return sync_with(context, fd, "fsync"); }

static int sim_fdatasync(void *context, int fd) { return sync_with(context, fd, "fdatasync"); }

static int sim_ftruncate(void *context, int fd, off_t size)
{
    struct simdisk *d = enter(context);
    if (!may(d, "ftruncate", name_of_fd(d, fd))) return done(d, -1);
    cut(opened(d, fd)->inode, (size_t)size);
    return done(d, 0);
}

static void sim_drop_cache(void *context, int fd, off_t at, off_t n)
{
    struct simdisk *d = enter(context);
    (void)n;
    if (may(d, "fadvise", name_of_fd(d, fd))) {
        struct inode *i = opened(d, fd)->inode;
        for (size_t k = (size_t)at; k < i->cache.len; k++)
            if (!i->dirty.p[k]) i->cache.p[k] = k < i->durable.len ? i->durable.p[k] : 0;
    }
    (void)done(d, 0);
}

static int sim_rename(void *context, const char *from, const char *to)
{
    struct simdisk *d = enter(context);
    struct place a, b;
    if (!may(d, "rename", to)) return done(d, -1);
    if (!locate(d, from, &a) || !locate(d, to, &b)) return done(d, -1);
    struct inode *i = child(&a), *there = child(&b);
    if (!i) return fails(d, ENOENT);
    if (there && there->is_dir && there->seen.count) return fails(d, ENOTEMPTY);
    d->acts++;
    change_name(d, b.dir, b.name, i, false);
    change_name(d, a.dir, a.name, NULL, true);
    return done(d, 0);
}

static int take_away(void *context, const char *path, const char *call, bool is_dir)
{
    struct simdisk *d = enter(context);
    struct place p;
    if (!may(d, call, path)) return done(d, -1);
    if (!locate(d, path, &p)) return done(d, -1);
    const struct inode *i = child(&p);
    if (!i) return fails(d, ENOENT);
    if (i->is_dir != is_dir) return fails(d, is_dir ? ENOTDIR : EISDIR);
    if (is_dir && i->seen.count) return fails(d, ENOTEMPTY);
    d->acts++;
    change_name(d, p.dir, p.name, NULL, false);
    return done(d, 0);
}

static int sim_unlink(void *context, const char *path) { return take_away(context, path, "unlink", false); }

static int sim_rmdir(void *context, const char *path) { return take_away(context, path, "rmdir", true); }

static int sim_mkdir(void *context, const char *path, mode_t mode)
{
    struct simdisk *d = enter(context);
    struct place p;
    (void)mode;
    if (!may(d, "mkdir", path)) return done(d, -1);
    if (!locate(d, path, &p)) return done(d, -1);
    if (child(&p)) return fails(d, EEXIST);
    d->acts++;
    change_name(d, p.dir, p.name, new_inode(d, true), false);
    return done(d, 0);
}

static int sim_stat(void *context, const char *path, struct stat *st)
{
    struct simdisk *d = enter(context);
    struct place p;
    if (!may(d, "stat", path)) return done(d, -1);
    if (!locate(d, path, &p)) return done(d, -1);
    const struct inode *i = child(&p);
    if (!i) return fails(d, ENOENT);
    *st = (struct stat){.st_mode = i->is_dir ? S_IFDIR | 0750 : S_IFREG | 0640, .st_size = (off_t)i->cache.len};
    return done(d, 0);
}

static int sim_list(void *context, const char *dir, void (*each)(void *to, const char *name), void *to)
{
    struct simdisk *d = enter(context);
    struct place p;
    if (!may(d, "list", dir)) return done(d, -1);
    if (!locate(d, dir, &p)) return done(d, -1);
    const struct inode *i = child(&p);
    if (!i) return fails(d, ENOENT);
    struct names copy = {0};
    for (size_t k = 0; k < i->seen.count; k++) set_name(&copy, i->seen.at[k].name, i->seen.at[k].inode);
    (void)done(d, 0);
    for (size_t k = 0; k < copy.count; k++) each(to, copy.at[k].name);
    free_names(&copy);
    return 0;
}

struct io_ops simdisk_io(struct simdisk *d)
{
    return (struct io_ops){.context = d,
                           .open = sim_open,
                           .close = sim_close,
                           .pread = sim_pread,
                           .writev = sim_writev,
                           .fdatasync = sim_fdatasync,
                           .fsync = sim_fsync,
                           .ftruncate = sim_ftruncate,
                           .drop_cache = sim_drop_cache,
                           .rename = sim_rename,
                           .unlink = sim_unlink,
                           .mkdir = sim_mkdir,
                           .rmdir = sim_rmdir,
                           .stat = sim_stat,
                           .list = sim_list};
}

/* ---- Life ---- */

struct simdisk *simdisk_new(const char *root)
{
    struct simdisk *d = MEM_NEW(struct simdisk);
    const int failed = pthread_mutex_init(&d->lock, NULL);
    assert(!failed);
    (void)failed;
    d->root_path = mem_dup(root, strlen(root) + 1);
    d->root = new_inode(d, true);
    d->plan = (struct simdisk_plan){.at = -1, .die_at = -1};
    return d;
}

void simdisk_free(struct simdisk *d)
{
    if (!d) return;
    for (struct inode *i = d->inodes, *next; i; i = next) {
        next = i->next;
        free_names(&i->seen);
        free_names(&i->kept);
        buf_free(&i->cache);
        buf_free(&i->durable);
        buf_free(&i->dirty);
        mem_free(i);
    }
    while (d->change_count) drop_change(d, d->change_count - 1);
    mem_free(d->changes);
    mem_free(d->root_path);
    (void)pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

static void fill(struct inode *i, struct span content)
{
    i->cache.len = i->durable.len = i->dirty.len = 0;
    buf_add_span(&i->cache, content);
    buf_add_span(&i->durable, content);
    for (size_t k = 0; k < content.n; k++) buf_add_char(&i->dirty, 0);
}

void simdisk_put(struct simdisk *d, const char *path, struct span content)
{
    struct place p;
    const bool there = locate(d, path, &p);
    assert(there);
    (void)there;
    struct inode *i = child(&p);
    if (!i) i = new_inode(d, false);
    fill(i, content);
    set_name(&p.dir->seen, p.name, i);
    set_name(&p.dir->kept, p.name, i);
}

bool simdisk_get(struct simdisk *d, const char *path, struct buf *content)
{
    struct place p;
    const struct inode *i = locate(d, path, &p) ? child(&p) : NULL;
    content->len = 0;
    if (i) buf_add_span(content, buf_span(&i->cache));
    return i;
}

void simdisk_arm(struct simdisk *d, const struct simdisk_plan *plan)
{
    (void)pthread_mutex_lock(&d->lock);
    d->plan = *plan;
    d->calls = 0;
    d->hit = false;
    d->where[0] = '\0';
    (void)pthread_mutex_unlock(&d->lock);
}

int simdisk_calls(struct simdisk *d)
{
    (void)enter(d);
    return done(d, d->calls);
}

bool simdisk_hit(struct simdisk *d)
{
    (void)enter(d);
    return done(d, d->hit);
}

bool simdisk_is_dead(struct simdisk *d)
{
    (void)enter(d);
    return done(d, d->dead);
}

bool simdisk_has_dropped(struct simdisk *d)
{
    (void)enter(d);
    return done(d, d->dropped);
}

const char *simdisk_where(const struct simdisk *d) { return d->where; }

/* ---- What is left ---- */

/* splitmix64: http://xoshiro.di.unimi.it/splitmix64.c, public domain */
static uint64_t chance(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void copy_names(struct names *to, const struct names *from)
{
    for (size_t i = 0; i < from->count; i++) set_name(to, from->at[i].name, from->at[i].inode->copy);
}

/* Of each sector, the old bytes or the new ones; nothing there before: zeros. */
static void copy_torn(const struct inode *from, struct inode *to, uint64_t *seed)
{
    struct buf mix = {0};
    const size_t least = from->durable.len < from->cache.len ? from->durable.len : from->cache.len;
    const size_t most = from->durable.len > from->cache.len ? from->durable.len : from->cache.len;
    const size_t size = least + (most > least ? chance(seed) % (most - least + 1) : 0);
    for (size_t at = 0; at < size; at += SECTOR) {
        const bool fresh = chance(seed) % 2;
        for (size_t k = at; k < size && k < at + SECTOR; k++) {
            const bool changed = k < from->cache.len && (from->dirty.p[k] || k >= from->durable.len);
            if (changed && fresh) buf_add_char(&mix, from->cache.p[k]);
            else buf_add_char(&mix, k < from->durable.len ? from->durable.p[k] : 0);
        }
    }
    fill(to, buf_span(&mix));
    buf_free(&mix);
}

static void copy_bytes(const struct inode *from, struct inode *to, enum simdisk_end end, uint64_t *seed)
{
    if (end == SIMDISK_KILLED) {
        buf_add_span(&to->cache, buf_span(&from->cache));
        buf_add_span(&to->durable, buf_span(&from->durable));
        buf_add_span(&to->dirty, buf_span(&from->dirty));
    } else if (end == SIMDISK_CUT_RANDOM) {
        copy_torn(from, to, seed);
    } else {
        fill(to, buf_span(end == SIMDISK_CUT_NAMES ? &from->cache : &from->durable));
    }
}

static bool same_name(const struct change *a, const struct change *b)
{
    return a->dir == b->dir && strcmp(a->name, b->name) == 0;
}

/* Changes that are lost. What follows one that is lost, at the same name, is lost with it, and so is the other half of
 * its rename. */
static void lose_changes(const struct simdisk *d, bool *lost, uint64_t *seed)
{
    for (size_t i = 0; i < d->change_count; i++) {
        const struct change *c = &d->changes[i];
        const bool half = i > 0 && d->changes[i - 1].act == c->act;
        lost[i] = half ? lost[i - 1] : chance(seed) % 2;
        for (size_t k = 0; k < i; k++) {
            const bool other = i + 1 < d->change_count && d->changes[i + 1].act == c->act;
            if (!lost[k]) continue;
            if (same_name(&d->changes[k], c) || (other && same_name(&d->changes[k], c + 1))) lost[i] = true;
        }
    }
}

static void replay_changes(struct simdisk *d, uint64_t *seed)
{
    bool *lost = mem_zalloc(d->change_count + 1, sizeof *lost);
    lose_changes(d, lost, seed);
    for (size_t i = 0; i < d->change_count; i++) {
        const struct change *c = &d->changes[i];
        if (!lost[i]) set_name(&c->dir->copy->kept, c->name, c->inode ? c->inode->copy : NULL);
    }
    mem_free(lost);
}

static void copy_changes(const struct simdisk *d, struct simdisk *to)
{
    to->acts = d->acts;
    to->changes = mem_zalloc(d->change_count + 1, sizeof *to->changes);
    for (; to->change_count < d->change_count; to->change_count++) {
        struct change *c = &to->changes[to->change_count];
        *c = d->changes[to->change_count];
        c->name = mem_dup(c->name, strlen(c->name) + 1);
        c->dir = c->dir->copy;
        c->inode = c->inode ? c->inode->copy : NULL;
    }
}

struct simdisk *simdisk_after(struct simdisk *d, enum simdisk_end end, uint64_t seed)
{
    struct simdisk *to = simdisk_new(d->root_path);
    to->dropped = d->dropped;
    (void)pthread_mutex_lock(&d->lock);
    for (struct inode *i = d->inodes; i; i = i->next) {
        i->copy = i == d->root ? to->root : new_inode(to, i->is_dir);
        copy_bytes(i, i->copy, end, &seed);
    }
    const bool all_names = end == SIMDISK_CUT_BYTES;
    for (const struct inode *i = d->inodes; i; i = i->next)
        copy_names(&i->copy->kept, all_names ? &i->seen : &i->kept);
    if (end == SIMDISK_CUT_RANDOM) replay_changes(d, &seed);
    if (end == SIMDISK_KILLED) copy_changes(d, to);
    for (const struct inode *i = d->inodes; i; i = i->next) {
        if (end == SIMDISK_KILLED) {
            copy_names(&i->copy->seen, &i->seen);
            continue;
        }
        for (size_t k = 0; k < i->copy->kept.count; k++)
            set_name(&i->copy->seen, i->copy->kept.at[k].name, i->copy->kept.at[k].inode);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return to;
}
