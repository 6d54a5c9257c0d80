#include "replication/dir_files.h"

#include <errno.h>

#include "common/mem.h"
#include "replication/log_impl.h"

static void add(struct dir_files *f, const char *dir, const char *name, uint64_t bytes)
{
    f->at = mem_realloc(f->at, (f->count + 1) * sizeof *f->at);
    f->at[f->count++] = (struct dir_file){.path = path_join(dir, name), .bytes = bytes};
}

void dir_files_free(struct dir_files *f)
{
    for (size_t i = 0; i < f->count; i++) mem_free(f->at[i].path);
    mem_free(f->at);
    *f = (struct dir_files){0};
}

static void take_manifest(void *context, const char *name)
{
    static const char tail[] = ".manifest";
    char **found = context;
    const size_t n = strlen(name);
    if (!*found && n > sizeof tail && strcmp(name + n - (sizeof tail - 1), tail) == 0 &&
        strcmp(name, LOG_MANIFEST) != 0 && strncmp(name, "temp-", 5) != 0)
        *found = mem_dup(name, n + 1);
}

enum err dir_find_manifest(const struct io_ops *io, const char *dir, char **name, struct errmsg *m)
{
    *name = NULL;
    if (!io->list(io->context, dir, take_manifest, name) || errno == ENOENT || errno == ENOTDIR) return ERR_OK;
    const enum err e = err_errno(m, "read %s", dir);
    mem_free(*name);
    *name = NULL;
    return e;
}

static enum err read_text(const struct io_ops *io, const char *dir, const char *name, struct buf *text,
                          struct errmsg *m)
{
    char *path = path_join(dir, name);
    const enum err e = file_read(io, path, MANIFEST_BYTES_MAX, text, m);
    mem_free(path);
    return e;
}

static enum err find_ours(const char *dir, struct span text, struct dir_files *f, struct errmsg *m)
{
    struct manifest ours = {0};
    const enum err e = manifest_decode(text, &ours, m);
    if (e) return err_wrap(m, e, "%s/" LOG_MANIFEST, dir);
    if (ours.base.name) add(f, dir, ours.base.name, UINT64_MAX);
    for (size_t i = 0; i < ours.segment_count; i++) {
        const struct segment *g = &ours.segments[i];
        if (ours.base.name && g->start < ours.base.position.offset) continue;
        add(f, dir, g->name, i + 1 < ours.segment_count ? g[1].start - g->start : UINT64_MAX);
    }
    manifest_free(&ours);
    return ERR_OK;
}

static enum err find_theirs(const char *dir, const char *name, struct span text, struct dir_files *f,
                            struct errmsg *m)
{
    struct aof_manifest a = {0};
    static const char order[] = {'b', 'i'};
    const enum err e = aof_manifest_decode(text, &a, m);
    if (e) return err_wrap(m, e, "%s/%s", dir, name);
    for (size_t k = 0; k < sizeof order; k++)
        for (size_t i = 0; i < a.count; i++)
            if (a.files[i].type == order[k]) add(f, dir, a.files[i].name, UINT64_MAX);
    aof_manifest_free(&a);
    return ERR_OK;
}

static enum err find_log(const struct io_ops *io, const char *dir, struct dir_files *f, struct errmsg *m)
{
    struct buf text = {0};
    char *redis = NULL;
    enum err e = read_text(io, dir, LOG_MANIFEST, &text, m);
    if (!e) {
        e = find_ours(dir, buf_span(&text), f, m);
    } else if (e == ERR_MISSING) {
        const enum err failure = dir_find_manifest(io, dir, &redis, m);
        if (failure) e = failure;
        if (redis) e = read_text(io, dir, redis, &text, m);
        if (!e) e = find_theirs(dir, redis, buf_span(&text), f, m);
    }
    mem_free(redis);
    buf_free(&text);
    return e;
}

enum err dir_files_find(const struct io_ops *io, const char *dir, struct dir_files *f, struct errmsg *m)
{
    static const char *const single[] = {"appendonly.aof", "dump.rdb"};
    char *inner = path_join(dir, "appendonlydir");
    enum err e = find_log(io, dir, f, m);
    if (e == ERR_MISSING) e = find_log(io, inner, f, m);
    mem_free(inner);
    for (size_t i = 0; e == ERR_MISSING && i < sizeof single / sizeof *single; i++) {
        char *path = path_join(dir, single[i]);
        if (file_exists(io, path)) {
            add(f, dir, single[i], UINT64_MAX);
            e = ERR_OK;
        }
        mem_free(path);
    }
    return e == ERR_MISSING ? err_set(m, e, "%s holds no log, no append-only file and no dump", dir) : e;
}
