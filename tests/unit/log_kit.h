/* What the tests of the log share: a directory of their own, a loader that writes down what it is given, batches. */
#pragma once

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/rdb.h"
#include "replication/checkpoint.h"
#include "replication/log.h"

struct kit {
    char dir[64];
    struct log *log;
    struct buf batch;  /* the open one */
    struct buf stream; /* all chunks since kit_begin(), from log_end() at that time on */
    struct buf loaded; /* "[base] a b c\n" and so on, from the last load */
    struct log_report report;
    struct log_options options;
    struct errmsg m;
};

static inline enum err kit_rdb(void *context, const struct rdb_source *source, uint64_t *used, struct errmsg *m)
{
    struct kit *k = context;
    char bytes[7];
    size_t got;
    enum err e;
    *used = 0;
    buf_add_char(&k->loaded, '[');
    /* A base of the tests ends in '.'; what follows is not part of it. */
    while (!(e = source->read(source->context, bytes, sizeof bytes, &got, m)) && got) {
        const char *end = memchr(bytes, '.', got);
        const size_t n = end ? (size_t)(end - bytes) + 1 : got;
        buf_add(&k->loaded, bytes, n);
        *used += n;
        if (end) break;
    }
    buf_add_char(&k->loaded, ']');
    return e;
}

static inline enum err kit_command(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct kit *k = context;
    (void)m;
    for (size_t i = 0; i < argc; i++) {
        if (i) buf_add_char(&k->loaded, ' ');
        buf_add_span(&k->loaded, argv[i]);
    }
    buf_add_char(&k->loaded, '\n');
    return ERR_OK;
}

static inline void kit_init(struct kit *k)
{
    *k = (struct kit){.options = LOG_OPTIONS_DEFAULT};
    /* In memory where that can be had: a disk that flushes renamed and truncated files makes thousands of loads slow. */
    (void)snprintf(k->dir, sizeof k->dir, "%s/relevo-test-XXXXXX",
                   access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert(mkdtemp(k->dir));
    k->options.dir = k->dir;
    k->options.sync = LOG_SYNC_ALWAYS;
}

static inline enum err kit_open(struct kit *k)
{
    const struct log_loader loader = {.context = k, .rdb = kit_rdb, .command = kit_command};
    k->loaded.len = 0;
    enum err e = log_open(&k->options, &k->log, &k->m);
    if (!e && (e = log_load(k->log, &loader, &k->report, &k->m))) {
        log_close(k->log);
        k->log = NULL;
    }
    buf_add_char(&k->loaded, 0);
    k->loaded.len--;
    return e;
}

static inline void kit_close(struct kit *k)
{
    log_close(k->log);
    k->log = NULL;
}

static inline void kit_remove_tree(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    while (d && (entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *inner = path_join(path, entry->d_name);
        struct stat st;
        if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode)) kit_remove_tree(inner);
        else (void)unlink(inner);
        mem_free(inner);
    }
    if (d) (void)closedir(d);
    (void)rmdir(path);
}

static inline void kit_end(struct kit *k)
{
    kit_close(k);
    kit_remove_tree(k->dir);
    buf_free(&k->batch);
    buf_free(&k->stream);
    buf_free(&k->loaded);
}

/* Open, load, and open an epoch: a primary. */
static inline void kit_begin(struct kit *k)
{
    cr_assert_eq(kit_open(k), ERR_OK, "%s", k->m.text);
    cr_assert_eq(log_open_epoch(k->log, 0, &k->m), ERR_OK, "%s", k->m.text);
    k->stream.len = 0;
}

static inline void kit_add(struct kit *k, const char *key, const char *value)
{
    if (k->batch.len == 0) batch_begin(&k->batch);
    const struct span argv[] = {SPAN("SET"), span_str(key), span_str(value)};
    resp_encode(&k->batch, argv, 3);
}

/* Close the batch; its chunk's bytes go to `stream`. */
static inline void kit_append(struct kit *k)
{
    struct chunk *c = log_append(k->log, 1700000000000, &k->batch);
    buf_add_span(&k->stream, chunk_span(c));
    chunk_unref(c);
}

static inline void kit_set(struct kit *k, const char *key, const char *value)
{
    kit_add(k, key, value);
    kit_append(k);
}

static inline void kit_sync(struct kit *k) { cr_assert_eq(log_sync(k->log, &k->m), ERR_OK, "%s", k->m.text); }

/* "<dir>/<name>", kept in a static place. */
static inline const char *kit_path(const struct kit *k, const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", k->dir, name);
    return path;
}

static inline void kit_read(const struct kit *k, const char *name, struct buf *out)
{
    struct errmsg m;
    out->len = 0;
    cr_assert_eq(file_read(&io_posix, kit_path(k, name), 1 << 30, out, &m), ERR_OK, "%s", m.text);
}

static inline void kit_write(const struct kit *k, const char *name, struct span content)
{
    FILE *f = fopen(kit_path(k, name), "wb");
    cr_assert(f, "%s", kit_path(k, name));
    cr_assert_eq(fwrite(content.p, 1, content.n, f), content.n);
    cr_assert_eq(fclose(f), 0);
}

static inline void kit_append_file(const struct kit *k, const char *name, struct span content)
{
    FILE *f = fopen(kit_path(k, name), "ab");
    cr_assert(f);
    cr_assert_eq(fwrite(content.p, 1, content.n, f), content.n);
    cr_assert_eq(fclose(f), 0);
}

static inline bool kit_has(const struct kit *k, const char *name)
{
    return file_exists(&io_posix, kit_path(k, name));
}

/* A base of @text (which ends in '.'), whole. */
static inline enum checkpoint_state kit_checkpoint(struct kit *k, const char *text)
{
    struct checkpoint *c;
    cr_assert_eq(checkpoint_begin(k->log, NULL, NULL, &c, &k->m), ERR_OK, "%s", k->m.text);
    struct buf b = {0};
    buf_add_span(&b, span_str(text));
    checkpoint_feed(c, &b);
    checkpoint_finish(c);
    const enum checkpoint_state state = checkpoint_wait(c, &k->m);
    checkpoint_free(c);
    return state;
}

#define SEGMENT(n) "appendonlydir/appendonly.aof." #n ".incr.aof"
#define BASE(n)    "appendonlydir/appendonly.aof." #n ".base.rdb"
