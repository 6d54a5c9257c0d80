#include "common/functions.h"

#include "common/mem.h"
#include "common/rdb.h"

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The word behind "name=" in the first line, which begins with "#!". Quotes may stand around it: no name has any. */
static bool name_of(struct span code, struct span *name)
{
    struct cursor c = cursor_of(code);
    struct span line, mark;
    if (!take_line(&c, &line)) line = code;
    c = cursor_of(line);
    if (!take_span(&c, 2, &mark) || !span_eq(mark, SPAN("#!"))) return false;
    static const char key[] = "name=";
    const char *at = line.p, *const end = line.p + line.n;
    while (at && (at = memmem(at, (size_t)(end - at), key, sizeof key - 1)) && !is_blank(at[-1])) at++;
    if (!at) return false;
    at += sizeof key - 1;
    const char *stop = at;
    while (stop < end && !is_blank(*stop)) stop++;
    if (stop - at >= 2 && (*at == '"' || *at == '\'') && stop[-1] == *at) at++, stop--;
    *name = span_of(at, (size_t)(stop - at));
    return name->n > 0;
}

static struct function_library *find(struct functions *f, struct span name)
{
    for (size_t i = 0; i < f->count; i++)
        if (span_eq(f->at[i].name, name)) return &f->at[i];
    return NULL;
}

static void drop(struct function_library *l) { mem_free((char *)(uintptr_t)l->code.p); }

enum err functions_load(struct functions *f, struct span code, bool replace, struct errmsg *m)
{
    struct span name;
    if (!name_of(code, &name)) return err_set(m, ERR_INVALID, "a library of functions that does not say its name");
    struct function_library *at = find(f, name);
    if (at && !replace)
        return err_set(m, ERR_EXISTS, "the library of functions '%.*s' stands there twice",
                       (int)(name.n < 64 ? name.n : 64), name.p);
    if (at) {
        drop(at);
    } else {
        f->at = mem_realloc(f->at, (f->count + 1) * sizeof *f->at);
        at = &f->at[f->count++];
    }
    f->changes++;
    const char *copy = mem_dup(code.p, code.n);
    at->code = span_of(copy, code.n);
    at->name = span_of(copy + (name.p - code.p), name.n);
    return ERR_OK;
}

bool functions_delete(struct functions *f, struct span name)
{
    struct function_library *at = find(f, name);
    if (!at) return false;
    drop(at);
    memmove(at, at + 1, (size_t)(f->at + f->count - (at + 1)) * sizeof *at);
    f->count--;
    f->changes++;
    return true;
}

void functions_clear(struct functions *f)
{
    for (size_t i = 0; i < f->count; i++) drop(&f->at[i]);
    mem_free(f->at);
    *f = (struct functions){.changes = f->changes + 1};
}

struct restoring {
    struct functions *to;
    bool replace;
};

static enum err restore_one(void *context, struct span code, struct errmsg *m)
{
    const struct restoring *r = context;
    return functions_load(r->to, code, r->replace, m);
}

static enum err restore(struct functions *f, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct restoring r = {.to = f, .replace = argc == 4 && span_is(argv[3], "replace")};
    if (argc == 4 && span_is(argv[3], "flush")) functions_clear(f);
    return rdb_load_functions(argv[2], restore_one, &r, m);
}

enum err functions_replay(struct functions *f, const struct span *argv, size_t argc, struct errmsg *m)
{
    struct errmsg why = {"it is not known"};
    enum err e = ERR_INVALID;
    const struct span what = argc > 1 ? argv[1] : SPAN("");
    if (span_is(what, "flush")) {
        functions_clear(f);
        return ERR_OK;
    }
    if (span_is(what, "load") && argc == 3) e = functions_load(f, argv[2], false, &why);
    else if (span_is(what, "load") && argc == 4 && span_is(argv[2], "replace"))
        e = functions_load(f, argv[3], true, &why);
    else if (span_is(what, "restore") && (argc == 3 || argc == 4)) e = restore(f, argv, argc, &why);
    else if (span_is(what, "delete") && argc == 3 && functions_delete(f, argv[2])) e = ERR_OK;
    if (!e) return ERR_OK;
    return err_set(m, ERR_CORRUPT, "the logged command FUNCTION %.*s does not fit the data: %s",
                   (int)(what.n < 32 ? what.n : 32), what.p, why.text);
}
