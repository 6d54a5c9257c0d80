#include "replication/dump.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "common/recipe.h"
#include "replication/dir_files.h"
#include "replication/moment.h"
#include "replication/rdb_walk.h"
#include "replication/scan.h"
#include "replication/words.h"

struct dump {
    const struct dump_options *o;
    const struct io_ops *io;
    struct buf text;
    uint64_t db; /* in which the output stands */
};

static enum err flush(struct dump *d, struct errmsg *m)
{
    enum { KEEP = 1 << 20 };
    const bool taken = d->o->write(d->o->context, buf_span(&d->text));
    buf_reset(&d->text, KEEP);
    return taken ? ERR_OK : err_set(m, ERR_CANCELED, "the output cannot be written");
}

static enum err put_command(struct dump *d, const struct span *argv, size_t argc, struct errmsg *m)
{
    /* The command's name needs no quotes; an odd one gets them. */
    words_add(&d->text, argv[0]);
    for (size_t i = 1; i < argc; i++) {
        buf_add_char(&d->text, ' ');
        words_quote(&d->text, argv[i]);
    }
    buf_add_char(&d->text, '\n');
    return flush(d, m);
}

/* ---- Snapshots ---- */

static enum err on_aux(void *context, struct span name, struct span value, struct errmsg *m)
{
    struct dump *d = context;
    buf_add_span(&d->text, SPAN("# "));
    words_add(&d->text, name);
    buf_add_char(&d->text, ' ');
    words_add(&d->text, value);
    buf_add_char(&d->text, '\n');
    return flush(d, m);
}

static enum err on_function(void *context, struct span code, struct errmsg *m)
{
    const struct span argv[] = {SPAN("FUNCTION"), SPAN("LOAD"), code};
    return put_command(context, argv, 3, m);
}

static enum err on_step(void *context, const struct span *argv, size_t argc, struct errmsg *m)
{
    return put_command(context, argv, argc, m);
}

static enum err on_key(void *context, uint64_t db, const struct entry *entry, struct errmsg *m)
{
    struct dump *d = context;
    if (db != d->db) buf_printf(&d->text, "SELECT \"%" PRIu64 "\"\n", db);
    d->db = db;
    return recipe_of(entry, on_step, d, m);
}

static enum err dump_rdb(struct dump *d, struct file_source *f, struct errmsg *m)
{
    const struct rdb_walk walk = {.context = d, .aux = on_aux, .function = on_function, .key = on_key};
    struct rdb_loaded loaded;
    enum err e = rdb_walk_file(f, &walk, &loaded, m);
    if (!e && d->db != 0) buf_add_span(&d->text, SPAN("SELECT \"0\"\n"));
    d->db = 0;
    return e ? e : flush(d, m);
}

/* ---- Commands ---- */

/* An annotation: a batch of ours begins, or a Redis says what time it is. Other comments are passed over by the scan. */
static void put_annotation(struct dump *d, struct span bytes)
{
    struct batch b;
    char time[MOMENT_MAX_TEXT];
    struct cursor c = cursor_of(bytes);
    struct span line;
    int64_t ms;
    if (batch_read_line(bytes, BATCH_MAX, &b) == ERR_OK) {
        (void)moment_format(b.time_ms, time);
        buf_printf(&d->text, "# offset %" PRIu64 ", epoch %" PRIu64 ", %s\n", b.offset, b.epoch, time);
    } else if (take_line(&c, &line) && line.n > 4 && memcmp(line.p, "#TS:", 4) == 0 &&
               moment_parse_time(span_of(line.p + 4, line.n - 4), &ms)) {
        (void)moment_format(ms, time);
        buf_printf(&d->text, "# %s\n", time);
    }
}

static enum err dump_commands(struct dump *d, struct scan *s, struct errmsg *m)
{
    const struct span *argv;
    size_t argc;
    for (;;) {
        struct span bytes;
        enum err e = file_source_want(&s->file, BATCH_LINE_MAX, &bytes, m);
        if (e) return e;
        if (bytes.n && bytes.p[0] == '#') {
            put_annotation(d, bytes);
            if ((e = scan_comment(s, m))) return e;
            continue;
        }
        e = scan_command(s, &argv, &argc, m);
        if (e == ERR_MISSING) return flush(d, m);
        if (!e) e = put_command(d, argv, argc, m);
        if (e) return e;
    }
}

static enum err dump_file(struct dump *d, const char *path, uint64_t bytes, struct errmsg *m)
{
    struct scan s;
    struct span head;
    enum err e = scan_open(&s, d->io, path, 0, bytes, m);
    if (!e) e = file_source_want(&s.file, 6, &head, m);
    if (e) {
        scan_close(&s);
        return e;
    }
    buf_printf(&d->text, "# %s\n", path);
    if (rdb_is_head(head)) e = dump_rdb(d, &s.file, m);
    if (!e) e = dump_commands(d, &s, m);
    if (e && e != ERR_CANCELED) e = err_wrap(m, e, "%s, byte %" PRIu64, path, s.file.at);
    scan_close(&s);
    return e;
}

enum err dump_path(const char *path, const struct dump_options *options, struct errmsg *m)
{
    struct dump d = {.o = options, .io = options->io ? options->io : &io_posix};
    struct stat st;
    enum err e = ERR_OK;
    if (d.io->stat(d.io->context, path, &st)) return err_errno(m, "%s", path);
    if (!S_ISDIR(st.st_mode)) {
        e = dump_file(&d, path, UINT64_MAX, m);
    } else {
        struct dir_files files = {0};
        e = dir_files_find(d.io, path, &files, m);
        for (size_t i = 0; !e && i < files.count; i++) e = dump_file(&d, files.at[i].path, files.at[i].bytes, m);
        dir_files_free(&files);
    }
    buf_free(&d.text);
    return e;
}
