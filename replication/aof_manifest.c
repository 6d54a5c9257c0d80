/* Redis's manifest, as its versions 7.0 and later write and accept it: lines of "key value" pairs,
 *
 *     file appendonly.aof.1.base.rdb seq 1 type b
 *     file appendonly.aof.1.incr.aof seq 1 type i
 *
 * '#' begins a comment line; keys that are not known are skipped. */
#include "replication/manifest.h"

#include <assert.h>

#include "common/mem.h"
#include "common/num.h"
#include "replication/words.h"

enum { LINE_MAX_BYTES = 1024 };

/* A name of a file in this directory, and nothing else. */
static bool is_plain_name(struct span s)
{
    return s.n > 0 && s.n <= MANIFEST_NAME_MAX && !memchr(s.p, '/', s.n) && !memchr(s.p, 0, s.n) &&
           !span_eq(s, SPAN(".")) && !span_eq(s, SPAN(".."));
}

static char *name_of(struct span s)
{
    char *name = mem_alloc(s.n + 1);
    memcpy(name, s.p, s.n);
    name[s.n] = 0;
    return name;
}

static struct aof_file *add(struct aof_manifest *a)
{
    a->files = mem_realloc(a->files, (a->count + 1) * sizeof *a->files);
    return &a->files[a->count++];
}

void aof_manifest_add(struct aof_manifest *a, const char *name, uint64_t seq, char type)
{
    *add(a) = (struct aof_file){.name = name_of(span_str(name)), .seq = seq, .type = type};
}

void aof_manifest_free(struct aof_manifest *a)
{
    for (size_t i = 0; i < a->count; i++) mem_free(a->files[i].name);
    mem_free(a->files);
    *a = (struct aof_manifest){0};
}

/* What one line says; false if it lacks something or says it wrongly. */
static bool read_pairs(const struct words *w, struct span *name, uint64_t *seq, char *type)
{
    int64_t number = 0;
    *name = span_of(NULL, 0);
    *type = 0;
    if (w->count < 6 || w->count % 2) return false;
    for (size_t i = 0; i < w->count; i += 2) {
        const struct span key = w->word[i], value = w->word[i + 1];
        if (span_is(key, "file")) *name = value;
        else if (span_is(key, "seq") && !num_parse_i64(value, &number)) return false;
        else if (span_is(key, "type")) *type = value.n == 1 ? value.p[0] : 0;
    }
    *seq = (uint64_t)number;
    return number > 0 && is_plain_name(*name) && (*type == 'b' || *type == 'i' || *type == 'h');
}

/* One base, and incremental files in rising order. */
static bool fits(const struct aof_manifest *a, uint64_t seq, char type)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->files[i].type != type || type == 'h') continue;
        if (type == 'b' || a->files[i].seq >= seq) return false;
    }
    return true;
}

static enum err read_line(struct aof_manifest *a, struct words *w, struct span line, size_t number, struct errmsg *m)
{
    struct span name;
    uint64_t seq;
    char type;
    if (line.n == 0 || line.n >= LINE_MAX_BYTES)
        return err_set(m, ERR_CORRUPT, "line %zu is empty or too long", number);
    if (line.p[0] == '#') return ERR_OK;
    if (a->count == MANIFEST_FILES_MAX) return err_set(m, ERR_CORRUPT, "too many files");
    if (!words_split(w, line) || !read_pairs(w, &name, &seq, &type))
        return err_set(m, ERR_CORRUPT, "line %zu cannot be understood", number);
    if (!fits(a, seq, type)) return err_set(m, ERR_CORRUPT, "line %zu is a second base or out of order", number);
    *add(a) = (struct aof_file){.name = name_of(name), .seq = seq, .type = type};
    return ERR_OK;
}

enum err aof_manifest_decode(struct span text, struct aof_manifest *a, struct errmsg *m)
{
    struct cursor c = cursor_of(text);
    struct span line;
    struct words w = {.count = 0};
    enum err e = ERR_OK;
    size_t number = 0;
    aof_manifest_free(a);
    while (!e && take_line(&c, &line)) e = read_line(a, &w, line, ++number, m);
    words_free(&w);
    if (!e && cursor_left(&c)) e = err_set(m, ERR_CORRUPT, "its last line is cut off");
    if (!e && number == 0) e = err_set(m, ERR_CORRUPT, "it is empty");
    if (e) aof_manifest_free(a);
    return e;
}

void aof_manifest_encode(const struct aof_manifest *a, struct buf *out)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct aof_file *f = &a->files[i];
        char seq[NUM_I64_MAX_TEXT];
        buf_add_span(out, SPAN("file "));
        words_add(out, span_str(f->name));
        buf_add_span(out, SPAN(" seq "));
        buf_add(out, seq, num_format_u64(seq, f->seq));
        buf_add_span(out, SPAN(" type "));
        buf_add_char(out, f->type);
        buf_add_char(out, '\n');
    }
}
