#include "server/script/library.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>

#include "common/functions.h"
#include "common/mem.h"
#include "server/script/shebang.h"

/* Where a function stands: so that a call finds it at once. */
struct place {
    uint32_t library, function; /* library is counted from 1; 0: free */
};

struct libraries {
    struct script_vm_options options;
    void (*say)(void *context, const char *text);
    void *context;
    struct script_vm *vm;
    struct library *at;
    size_t count, functions;
    struct place *index; /* open addressing, a power of two, at most half full */
    size_t places;
};

/* ---- One library ---- */

static void drop(struct libraries *l, struct library *one)
{
    for (size_t i = 0; i < one->count; i++) {
        script_vm_release(l->vm, one->functions[i].reference);
        mem_free((char *)(uintptr_t)one->functions[i].name.p);
        mem_free((char *)(uintptr_t)one->functions[i].description.p);
    }
    mem_free(one->functions);
    mem_free((char *)(uintptr_t)one->code.p);
    *one = (struct library){0};
}

static struct library *find_library(const struct libraries *l, struct span name)
{
    for (size_t i = 0; i < l->count; i++)
        if (span_eq(l->at[i].name, name)) return &l->at[i];
    return NULL;
}

/* ---- The index ---- */

/* FNV-1a over lower-case letters. Names come from those who may load code, so nobody gains by collisions. */
static uint32_t name_hash(struct span name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.n; i++) h = (h ^ (uint8_t)ascii_lower(name.p[i])) * 16777619u;
    return h;
}

static void put_place(struct libraries *l, uint32_t library, uint32_t function)
{
    size_t i = name_hash(l->at[library - 1].functions[function].name) & (l->places - 1);
    while (l->index[i].library) i = (i + 1) & (l->places - 1);
    l->index[i] = (struct place){library, function};
}

static void index_all(struct libraries *l)
{
    l->functions = 0;
    for (size_t i = 0; i < l->count; i++) l->functions += l->at[i].count;
    mem_free(l->index);
    for (l->places = 16; l->places < 2 * l->functions; l->places *= 2) continue;
    l->index = mem_zalloc(l->places, sizeof *l->index);
    for (size_t i = 0; i < l->count; i++)
        for (size_t k = 0; k < l->at[i].count; k++) put_place(l, (uint32_t)i + 1, (uint32_t)k);
}

/* The function and the library that it belongs to. */
static const struct library_function *find_in(const struct libraries *l, struct span name, const struct library **of)
{
    for (size_t i = name_hash(name) & (l->places - 1); l->index[i].library; i = (i + 1) & (l->places - 1)) {
        const struct library *library = &l->at[l->index[i].library - 1];
        const struct library_function *f = &library->functions[l->index[i].function];
        if (!span_case_eq(f->name, name)) continue;
        *of = library;
        return f;
    }
    return NULL;
}

const struct library_function *libraries_find(const struct libraries *l, struct span function)
{
    const struct library *of;
    return find_in(l, function, &of);
}

/* ---- Loading ---- */

static const char *add_function(void *context, const struct script_function *f)
{
    struct library *to = context;
    for (size_t i = 0; i < to->count; i++)
        if (span_eq(to->functions[i].name, f->name)) return "ERR Function already exists in the library";
    to->functions = mem_realloc(to->functions, (to->count + 1) * sizeof *to->functions);
    struct library_function *one = &to->functions[to->count++];
    *one = (struct library_function){.flags = f->flags, .reference = f->reference};
    one->name = span_of(mem_dup(f->name.p, f->name.n), f->name.n);
    if (f->description.p) one->description = span_of(mem_dup(f->description.p, f->description.n), f->description.n);
    return NULL;
}

/* No function of @new may be another library's. */
static enum err check_names(const struct libraries *l, const struct library *new, const struct library *old,
                            struct errmsg *m)
{
    for (size_t i = 0; i < new->count; i++) {
        const struct library *of;
        const struct span name = new->functions[i].name;
        if (!find_in(l, name, &of) || of == old) continue;
        return err_set(m, ERR_EXISTS, "Function %.*s already exists", (int)name.n, name.p);
    }
    return ERR_OK;
}

/* Compile and run @code, whose head has been read. */
static enum err load_one(struct libraries *l, struct library *new, struct span code, const struct library *old,
                         struct errmsg *m)
{
    const struct script_register reg = {.context = new, .add = add_function};
    enum err e = script_vm_load_library(l->vm, code, &reg, m);
    if (!e && new->count == 0) e = err_set(m, ERR_INVALID, "No functions registered");
    return e ? e : check_names(l, new, old, m);
}

enum err libraries_load(struct libraries *l, struct span code, bool replace, struct span *name, struct errmsg *m)
{
    struct library new = {0};
    struct span body;
    enum err e = shebang_of_library(code, name, &body, m);
    if (e) return e;
    struct library *old = find_library(l, *name);
    if (old && !replace) return err_set(m, ERR_EXISTS, "Library '%.*s' already exists", (int)name->n, name->p);
    e = load_one(l, &new, body, old, m);
    if (e) {
        drop(l, &new);
        return e;
    }
    const char *copy = mem_dup(code.p, code.n);
    new.code = span_of(copy, code.n);
    new.name = span_of(copy + (name->p - code.p), name->n);
    if (old) {
        drop(l, old);
        *old = new;
    } else {
        l->at = mem_realloc(l->at, (l->count + 1) * sizeof *l->at);
        l->at[l->count++] = new;
    }
    *name = new.name;
    index_all(l);
    return ERR_OK;
}

bool libraries_delete(struct libraries *l, struct span name)
{
    struct library *one = find_library(l, name);
    if (!one) return false;
    drop(l, one);
    memmove(one, one + 1, (size_t)(l->at + l->count - (one + 1)) * sizeof *one);
    l->count--;
    index_all(l);
    return true;
}

static void drop_all(struct libraries *l)
{
    for (size_t i = 0; i < l->count; i++) drop(l, &l->at[i]);
    mem_free(l->at);
    l->at = NULL;
    l->count = 0;
}

void libraries_clear(struct libraries *l)
{
    drop_all(l);
    script_vm_free(l->vm);
    l->vm = script_vm_new(&l->options);
    index_all(l);
}

/* ---- Following the data ---- */

static const struct function_library *find_text(const struct functions *data, struct span name)
{
    for (size_t i = 0; i < data->count; i++)
        if (span_eq(data->at[i].name, name)) return &data->at[i];
    return NULL;
}

void libraries_follow(struct libraries *l, const struct functions *data)
{
    /* First what is gone or another, since its functions may have moved to other libraries. */
    for (size_t i = l->count; i-- > 0;) {
        const struct function_library *text = find_text(data, l->at[i].name);
        if (!text || !span_eq(text->code, l->at[i].code)) (void)libraries_delete(l, l->at[i].name);
    }
    for (size_t i = 0; i < data->count; i++) {
        struct errmsg m = {{0}}, whole = {{0}};
        struct span name;
        if (find_library(l, data->at[i].name)) continue;
        if (!libraries_load(l, data->at[i].code, false, &name, &m)) continue;
        (void)err_set(&whole, ERR_INVALID, "The library of functions '%.*s' cannot be used: %.300s",
                      (int)(data->at[i].name.n < 64 ? data->at[i].name.n : 64), data->at[i].name.p, m.text);
        l->say(l->context, whole.text);
    }
}

/* ---- Asking ---- */

size_t libraries_count(const struct libraries *l) { return l->count; }
const struct library *libraries_at(const struct libraries *l, size_t i) { return &l->at[i]; }
size_t libraries_functions(const struct libraries *l) { return l->functions; }
struct script_vm *libraries_vm(const struct libraries *l) { return l->vm; }

size_t libraries_bytes(const struct libraries *l)
{
    size_t bytes = mem_size(l->at) + mem_size(l->index);
    for (size_t i = 0; i < l->count; i++) {
        const struct library *one = &l->at[i];
        bytes += mem_size(one->code.p) + mem_size(one->functions);
        for (size_t k = 0; k < one->count; k++)
            bytes += mem_size(one->functions[k].name.p) + mem_size(one->functions[k].description.p);
    }
    return bytes;
}

/* ---- Life ---- */

struct libraries *libraries_new(const struct script_vm_options *vm, void (*say)(void *context, const char *text),
                                void *context)
{
    struct libraries *l = MEM_NEW(struct libraries);
    l->options = *vm;
    l->say = say;
    l->context = context;
    l->vm = script_vm_new(vm);
    index_all(l);
    return l;
}

void libraries_free(struct libraries *l)
{
    if (!l) return;
    drop_all(l);
    script_vm_free(l->vm);
    mem_free(l->index);
    mem_free(l);
}
