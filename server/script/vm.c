#include "server/script/vm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/script/vm_impl.h"

enum { MAX_KEPT_BYTES = 64 << 10 };

/* ---- Memory ---- */

static void *allocate(void *context, void *p, size_t old, size_t new)
{
    struct script_vm *vm = context;
    if (new > old &&new - old > vm->memory_limit - (vm->memory < vm->memory_limit ? vm->memory : vm->memory_limit))
        return NULL;
    vm->memory += new - old;
    if (new) return mem_realloc(p, new);
    mem_free(p);
    return NULL;
}

/* The collector works while memory is taken, but takes up to twice what is in use before it does: so a script may only begin
 * with half of the limit free. */
static void keep_room(struct script_vm *vm)
{
    if (vm->memory > vm->memory_limit / 2) (void)lua_gc(vm->L, LUA_GCCOLLECT, 0);
}

/* ---- Stopping ---- */

static void on_count(lua_State *L, lua_Debug *at)
{
    struct script_vm *vm = vm_of(L);
    (void)at;
    if (!vm->stopped) {
        vm->stopped = vm->host.tick(vm->host.context);
        if (!vm->stopped) {
            if (lua_gethookcount(L) != VM_HOOK_INSTRUCTIONS)
                (void)lua_sethook(L, on_count, LUA_MASKCOUNT, VM_HOOK_INSTRUCTIONS);
            return;
        }
    }
    /* pcall() catches this too: so it comes with each instruction from now on. */
    (void)lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    redis_api_push_error(L, vm->stopped);
    (void)lua_error(L);
}

static void watch(struct script_vm *vm) { (void)lua_sethook(vm->L, on_count, LUA_MASKCOUNT, VM_HOOK_INSTRUCTIONS); }

/* ---- Errors ---- */

/* Lua's error handler: whatever was thrown becomes a table with the text and the place. */
static int describe(lua_State *L)
{
    lua_Debug d;
    bool placed = lua_getstack(L, 1, &d) && lua_getinfo(L, "Sl", &d);
    if (placed && *d.what == 'C') placed = lua_getstack(L, 2, &d) && lua_getinfo(L, "Sl", &d);
    if (!lua_istable(L, 1)) {
        if (!lua_isstring(L, 1)) {
            lua_pushstring(L, lua_isnil(L, 1)        ? "nil"
                              : !lua_isboolean(L, 1) ? luaL_typename(L, 1)
                              : lua_toboolean(L, 1)  ? "true"
                                                     : "false");
            lua_replace(L, 1);
        }
        lua_createtable(L, 0, 3);
        lua_pushliteral(L, "ERR ");
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
        lua_setfield(L, -2, "err");
        lua_replace(L, 1);
    }
    lua_settop(L, 1);
    lua_pushliteral(L, "err");
    lua_rawget(L, 1);
    const bool has_text = lua_type(L, -1) == LUA_TSTRING;
    lua_createtable(L, 0, 3); /* never the table itself: a script may have made it anything */
    if (has_text) lua_pushvalue(L, -2);
    else lua_pushliteral(L, "ERR unknown error");
    lua_setfield(L, -2, "err");
    if (placed) {
        lua_pushstring(L, d.source);
        lua_setfield(L, -2, "source");
        lua_pushnumber(L, d.currentline);
        lua_setfield(L, -2, "line");
    }
    return 1;
}

static const char *failure_text(int status)
{
    return status == LUA_ERRMEM ? "ERR the script needs more memory than script-memory-limit allows"
                                : "ERR the script failed, and so did the handling of its error";
}

/* The error that describe() made is on top: push its text. */
static void push_text(lua_State *L, int status)
{
    lua_pushnil(L);
    if (status == LUA_ERRRUN && lua_istable(L, -2)) lua_getfield(L, -2, "err");
    if (!lua_isstring(L, -1)) {
        lua_pop(L, 1);
        lua_pushstring(L, failure_text(status));
    }
}

/* ---- Running ---- */

static void push_texts(lua_State *L, const struct span *s, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, s[i].p, s[i].n);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void reply_failure(struct script_vm *vm, lua_State *L, struct reply *to, int status)
{
    const int error = lua_gettop(L);
    buf_reset(&vm->reply, MAX_KEPT_BYTES);
    push_text(L, status);
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    buf_add(&vm->reply, text, n);
    if (status == LUA_ERRRUN && lua_istable(L, error)) {
        lua_getfield(L, error, "source");
        lua_getfield(L, error, "line");
        if (lua_isstring(L, -2) && lua_isnumber(L, -1))
            buf_printf(&vm->reply, " script: %s, on %s:%d.", vm->name, lua_tostring(L, -2), (int)lua_tonumber(L, -1));
    }
    values_reply_error(to, buf_span(&vm->reply));
}

/* Everything of a run that may need memory happens here, under a pcall(): arguments, the function, its reply. Its upvalues are
 * the names that values_reply() wants. */
static int run_all(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    const struct script_run *r = &vm->run;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->handler);
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->function);
    push_texts(L, r->keys, r->key_count);
    push_texts(L, r->args, r->arg_count);
    if (!r->by_arguments) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->globals);
        lua_insert(L, -2);
        lua_setfield(L, -2, "ARGV");
        lua_insert(L, -2);
        lua_setfield(L, -2, "KEYS");
        lua_pop(L, 1);
    }
    const int status = lua_pcall(L, r->by_arguments ? 2 : 0, 1, 1);
    if (status) reply_failure(vm, L, r->reply, status);
    else values_reply(L, r->reply, vm->resp);
    return 0;
}

/* After a run: what it left is cleared away. */
static void clear(struct script_vm *vm)
{
    lua_settop(vm->L, 0);
    if (vm->stopped) {
        vm->stopped = NULL;
        watch(vm);
    }
    keep_room(vm);
}

void script_vm_run(struct script_vm *vm, const struct script_run *run)
{
    const struct reply before = *run->reply;
    const size_t mark = before.out->len;
    vm->run = *run;
    vm->resp = 2;
    (void)snprintf(vm->name, sizeof vm->name, "%s", run->name);
    lua_rawgeti(vm->L, LUA_REGISTRYINDEX, vm->runner);
    if (lua_pcall(vm->L, 0, 0, 0)) { /* no memory for the arguments, or for the reply */
        *run->reply = before;
        run->reply->out->len = mark;
        values_reply_error(run->reply, span_str(failure_text(LUA_ERRMEM)));
    }
    clear(vm);
}

/* ---- Compiling ---- */

struct compiling {
    struct span code;
    const char *name;
    int reference;
    struct errmsg *m;
};

static enum err put_error(lua_State *L, int status, struct errmsg *m)
{
    if (status == LUA_ERRMEM) return err_set(m, ERR_NO_MEMORY, "%s", failure_text(status) + 4);
    size_t n = 0;
    const char *text = lua_tolstring(L, -1, &n);
    return err_set(m, ERR_INVALID, "%.*s", (int)n, text ? text : "");
}

/* Under a pcall(): a reference takes memory too. */
static int compile(lua_State *L)
{
    struct compiling *c = lua_touserdata(L, 1);
    const int status = sandbox_load(L, c->code, c->name);
    if (status == LUA_ERRMEM) return luaL_error(L, "not enough memory");
    if (status) return lua_error(L);
    c->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

enum err script_vm_compile(struct script_vm *vm, struct span code, const char *name, int *function, struct errmsg *m)
{
    struct compiling c = {.code = code, .name = name};
    keep_room(vm);
    const int status = lua_cpcall(vm->L, compile, &c);
    const enum err e = status ? put_error(vm->L, status, m) : ERR_OK;
    lua_settop(vm->L, 0);
    *function = c.reference;
    return e;
}

void script_vm_release(struct script_vm *vm, int function) { luaL_unref(vm->L, LUA_REGISTRYINDEX, function); }

/* ---- Libraries ---- */

static int load_library(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    struct compiling *c = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->handler);
    if (sandbox_load(L, c->code, c->name)) {
        (void)err_set(c->m, ERR_INVALID, "Error compiling function: %s", lua_tostring(L, -1));
        return 0;
    }
    sandbox_push_library(vm);
    const int environment = lua_gettop(L);
    lua_pushvalue(L, environment);
    (void)lua_setfenv(L, environment - 1);
    lua_pushvalue(L, environment - 1);
    const int status = lua_pcall(L, 0, 0, 2);
    if (status) {
        push_text(L, status);
        (void)err_set(c->m, ERR_INVALID, "Error registering functions: %s", lua_tostring(L, -1));
        return 0;
    }
    sandbox_release_library(vm, environment);
    c->reference = 1;
    return 0;
}

enum err script_vm_load_library(struct script_vm *vm, struct span code, const struct script_register *r,
                                struct errmsg *m)
{
    struct compiling c = {.code = code, .name = "@user_function", .m = m};
    keep_room(vm);
    vm->registering = r;
    const int status = lua_cpcall(vm->L, load_library, &c);
    vm->registering = NULL;
    enum err e = c.reference ? ERR_OK : ERR_INVALID;
    if (status) e = err_set(m, ERR_INVALID, "%s", failure_text(LUA_ERRMEM) + 4);
    clear(vm);
    return e;
}

/* ---- Life ---- */

static int set_up(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    sandbox_open(vm);
    lua_pushcfunction(L, describe);
    vm->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    values_push_keys(L);
    lua_pushcclosure(L, run_all, VM_KEYS);
    vm->runner = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

struct script_vm *script_vm_new(const struct script_vm_options *o)
{
    struct script_vm *vm = MEM_NEW(struct script_vm);
    vm->host = o->host;
    vm->version = o->version;
    vm->version_number = o->version_number;
    vm->memory_limit = SIZE_MAX / 2;
    vm->L = lua_newstate(allocate, vm);
    assert(vm->L);
    const int status = lua_cpcall(vm->L, set_up, NULL);
    assert(status == 0);
    vm->memory_limit = o->memory_limit;
    watch(vm);
    return vm;
}

void script_vm_free(struct script_vm *vm)
{
    if (!vm) return;
    lua_close(vm->L);
    buf_free(&vm->reply);
    buf_free(&vm->numbers);
    mem_free(vm->argv);
    mem_free(vm);
}

void script_vm_limit_memory(struct script_vm *vm, size_t bytes) { vm->memory_limit = bytes; }
size_t script_vm_memory(const struct script_vm *vm) { return vm->memory; }
