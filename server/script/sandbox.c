/* What a script sees of Lua.
 *
 * A table that scripts must not change is hidden behind an empty one, whose metatable shows it:
 *
 *     script: redis ---> {}  metatable { [mark] = table, __index = table, __newindex = refuse }
 *                                               |
 *                                               v  the table itself, which no script ever holds
 *
 * Assignments to an empty table always come to __newindex. What goes past metatables (rawset, table.insert, setmetatable) is
 * replaced here by functions that know the mark; what only looks (rawget, next, pairs) sees the table behind. Nothing
 * reaches a script that could look further: no debug library, no getfenv, no bytecode. */
#include "server/script/vm_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/script/libs.h"

#include <lua-bitop.h>
#include <lua-cjson.h>

enum { PATTERN_STEPS = 4096 }; /* parts of a pattern that the C stack must bear */

/* Its address is the key in a metatable under which the hidden table stands. */
static const char mark;

static const char refusal[] = "Attempt to modify a readonly table";

/* Push the table behind a protected one; false (nothing pushed): it is not protected. */
static bool push_hidden(lua_State *L, int at)
{
    if (lua_type(L, at) != LUA_TTABLE || !lua_getmetatable(L, at)) return false;
    lua_pushlightuserdata(L, (void *)(uintptr_t)&mark);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_istable(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

static void refuse_protected(lua_State *L)
{
    if (!push_hidden(L, 1)) return;
    lua_pushstring(L, refusal);
    (void)lua_error(L);
}

static int refuse(lua_State *L) { return luaL_error(L, refusal); }

static int complain(lua_State *L)
{
    return luaL_error(L, "Script attempted to access nonexistent global variable '%s'",
                      lua_isstring(L, 2) ? lua_tostring(L, 2) : luaL_typename(L, 2));
}

void sandbox_protect(lua_State *L, bool loud)
{
    if (loud) { /* the hidden table's own metatable complains of what is not there */
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, complain);
        lua_setfield(L, -2, "__index");
        lua_setmetatable(L, -2);
    }
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&mark);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* ---- Functions of Lua's that must know of protected tables ---- */

static int base_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    refuse_protected(L);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

static int base_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (push_hidden(L, 1)) lua_replace(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int base_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (push_hidden(L, 1)) lua_replace(L, 1);
    if (lua_next(L, 1)) return 2;
    lua_pushnil(L);
    return 1;
}

static int base_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(1)); /* next */
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int base_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    if (push_hidden(L, 1)) { /* one is shown where Redis has one: of the globals */
        if (!lua_getmetatable(L, -1)) lua_pushnil(L);
        else sandbox_protect(L, false);
        return 1;
    }
    if (luaL_getmetafield(L, 1, "__metatable")) return 1;
    if (!lua_getmetatable(L, 1)) lua_pushnil(L);
    return 1;
}

static int base_setmetatable(lua_State *L)
{
    const int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
    refuse_protected(L);
    if (luaL_getmetafield(L, 1, "__metatable")) return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int table_insert(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    refuse_protected(L);
    int end = (int)lua_objlen(L, 1) + 1, at = end;
    if (lua_gettop(L) == 3) {
        at = (int)luaL_checkinteger(L, 2);
        if (at > end) end = at;
        for (int i = end; i > at; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(L, 1, at);
    return 0;
}

/* An error that is a table, as Redis's are, comes as its text: scripts from before Redis 7 expect that. */
static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    const int failed = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (failed && lua_istable(L, -1)) {
        lua_getfield(L, -1, "err");
        if (lua_isstring(L, -1)) lua_replace(L, -2);
        else lua_pop(L, 1);
    }
    lua_pushboolean(L, !failed);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* Scripts share the collector: they may ask and have it work, but not stop it. */
static int base_collectgarbage(lua_State *L)
{
    const char *what = luaL_optstring(L, 1, "collect");
    if (strcmp(what, "collect") == 0) {
        lua_pushnumber(L, lua_gc(L, LUA_GCCOLLECT, 0));
    } else if (strcmp(what, "count") == 0) {
        lua_pushnumber(L, lua_gc(L, LUA_GCCOUNT, 0) + lua_gc(L, LUA_GCCOUNTB, 0) / 1024.0);
    } else if (strcmp(what, "step") == 0) {
        lua_pushboolean(L, lua_gc(L, LUA_GCSTEP, 0));
    } else {
        return luaL_error(L, "collectgarbage('%s') is not available to scripts", what);
    }
    return 1;
}

/* ---- Source code only ---- */

/* Compiled code would not be checked by anything: only its first byte is read, as source, which gives Lua's usual error. */
static const char not_source[] = " \x1b";

int sandbox_load(lua_State *L, struct span code, const char *name)
{
    if (code.n && code.p[0] == LUA_SIGNATURE[0]) code = span_of(not_source, sizeof not_source - 1);
    return luaL_loadbuffer(L, code.p, code.n, name);
}

static int loaded(lua_State *L, int status)
{
    if (status == 0) return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int base_loadstring(lua_State *L)
{
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    const char *name = luaL_optstring(L, 2, p);
    return loaded(L, sandbox_load(L, span_of(p, n), name));
}

/* The pieces that the function at index 1 gives; the one at hand stands at index 3. */
static const char *read_piece(lua_State *L, void *ended, size_t *n)
{
    bool *end = ended;
    if (*end) return NULL;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *n = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1)) (void)luaL_error(L, "reader function must return a string");
    lua_replace(L, 3);
    const char *p = lua_tolstring(L, 3, n);
    /* Bytecode is known by its first byte, which may come after empty pieces only if those end the code. */
    if (*n && p[0] == LUA_SIGNATURE[0]) {
        *end = true;
        *n = sizeof not_source - 1;
        return not_source;
    }
    return p;
}

static int base_load(lua_State *L)
{
    bool ended = false;
    const char *name = luaL_optstring(L, 2, "=(load)");
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 3);
    return loaded(L, lua_load(L, read_piece, &ended, name));
}

/* ---- Bounded work within C ---- */

static int string_rep(lua_State *L)
{
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    const lua_Number times = luaL_checknumber(L, 2);
    if (times < 1 || n == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (times * (double)n > (double)vm_of(L)->memory_limit) return luaL_error(L, "resulting string too large");
    const size_t total = n * (size_t)times;
    char *to = lua_newuserdata(L, total);
    for (size_t at = 0; at < total; at += n) memcpy(to + at, p, n);
    lua_pushlstring(L, to, total);
    return 1;
}

/* Matching recurses for each repetition and capture of a pattern: a pattern with very many would need more stack than there is.
 * The function itself is called in this frame, so that its errors name it as always. */
static int bounded_pattern(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t n, steps = 0;
        const char *p = lua_tolstring(L, 2, &n);
        if (n > PATTERN_STEPS)
            for (size_t i = 0; i < n; i++) steps += strchr("*+-?()", p[i]) != NULL && p[i];
        if (steps > PATTERN_STEPS) return luaL_error(L, "pattern too complex");
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* ---- Numbers by chance, the same after each start ---- */

/* POSIX's linear congruence of 48 bits, as lrand48() has it, with a state per Lua state. */
static void seed(struct script_vm *vm, uint32_t seed)
{
    vm->random[0] = 0x330e;
    vm->random[1] = (unsigned short)seed;
    vm->random[2] = (unsigned short)(seed >> 16);
}

static int math_random(lua_State *L)
{
    const double r = (double)(nrand48(vm_of(L)->random) % INT32_MAX) / (double)INT32_MAX;
    const int n = lua_gettop(L);
    if (n == 0) {
        lua_pushnumber(L, r);
        return 1;
    }
    const int low = n == 1 ? 1 : (int)luaL_checkinteger(L, 1);
    const int high = (int)luaL_checkinteger(L, n == 1 ? 1 : 2);
    if (n > 2) return luaL_error(L, "wrong number of arguments");
    luaL_argcheck(L, low <= high, n == 1 ? 1 : 2, "interval is empty");
    lua_pushnumber(L, floor(r * ((double)high - low + 1)) + low);
    return 1;
}

static int math_randomseed(lua_State *L)
{
    seed(vm_of(L), (uint32_t)luaL_checkinteger(L, 1));
    return 0;
}

/* ---- Building it ---- */

static void call_open(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
}

/* Replace fields of the table on top. */
static void put_functions(lua_State *L, const luaL_Reg *functions)
{
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
}

static void bound_patterns(lua_State *L)
{
    static const char *const names[] = {"find", "match", "gmatch", "gfind", "gsub"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(L, -1, names[i]);
        lua_pushcclosure(L, bounded_pattern, 1);
        lua_setfield(L, -2, names[i]);
    }
}

/* The table of globals, at index 1, gets what scripts may have of Lua's basic functions. */
static void add_base(lua_State *L)
{
    static const char *const kept[] = {"assert",   "error",    "gcinfo", "ipairs", "rawequal", "select",
                                       "tonumber", "tostring", "type",   "unpack", "xpcall",   "_VERSION"};
    static const luaL_Reg ours[] = {{"rawset", base_rawset},
                                    {"rawget", base_rawget},
                                    {"next", base_next},
                                    {"getmetatable", base_getmetatable},
                                    {"setmetatable", base_setmetatable},
                                    {"pcall", base_pcall},
                                    {"collectgarbage", base_collectgarbage},
                                    {"loadstring", base_loadstring},
                                    {"load", base_load},
                                    {NULL, NULL}};
    call_open(L, luaopen_base, "");
    lua_settop(L, 1);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        lua_getglobal(L, kept[i]);
        lua_setfield(L, 1, kept[i]);
    }
    put_functions(L, ours);
    lua_getfield(L, 1, "next");
    lua_pushcclosure(L, base_pairs, 1);
    lua_setfield(L, 1, "pairs");
    /* Lua's function for opening its base library made this one too. */
    lua_getglobal(L, "coroutine");
    sandbox_protect(L, false);
    lua_setfield(L, 1, "coroutine");
}

static void add_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {"cjson", luaopen_cjson},
                                         {"cmsgpack", msgpack_open},
                                         {"struct", structs_open},
                                         {"bit", luaopen_bit},
                                         {NULL, NULL}};
    static const luaL_Reg strings[] = {{"rep", string_rep}, {NULL, NULL}};
    static const luaL_Reg tables[] = {{"insert", table_insert}, {NULL, NULL}};
    static const luaL_Reg maths[] = {{"random", math_random}, {"randomseed", math_randomseed}, {NULL, NULL}};
    for (const luaL_Reg *l = libraries; l->name; l++) {
        call_open(L, l->func, l->name);
        if (l->func == luaopen_string) put_functions(L, strings), bound_patterns(L);
        if (l->func == luaopen_table) put_functions(L, tables);
        if (l->func == luaopen_math) put_functions(L, maths);
        sandbox_protect(L, false);
        lua_setfield(L, 1, l->name);
    }
}

/* Strings have a metatable, which leads to the functions on strings. */
static void protect_strings(lua_State *L)
{
    lua_pushliteral(L, "");
    (void)lua_getmetatable(L, -1);
    lua_newtable(L);
    lua_getfield(L, 1, LUA_STRLIBNAME);
    lua_setfield(L, -2, "__index");
    sandbox_protect(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

void sandbox_open(struct script_vm *vm)
{
    lua_State *L = vm->L;
    vm->random[0] = 0x330e; /* where lrand48() begins unless it is told another place */
    vm->random[1] = 0xabcd;
    vm->random[2] = 0x1234;
    lua_settop(L, 0);
    lua_newtable(L);
    add_base(L);
    add_libraries(L);
    protect_strings(L);
    redis_api_push(vm, false);
    sandbox_protect(L, false);
    lua_setfield(L, 1, "redis");
    lua_pushvalue(L, 1);
    vm->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    sandbox_protect(L, true);
    lua_pushvalue(L, -1);
    lua_setfield(L, 1, "_G");
    lua_replace(L, LUA_GLOBALSINDEX);
    /* While a library is loaded it sees nothing but this. */
    lua_newtable(L);
    redis_api_push(vm, true);
    sandbox_protect(L, true);
    lua_setfield(L, -2, "redis");
    sandbox_protect(L, true);
    vm->load_time = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 0);
}

void sandbox_push_library(struct script_vm *vm)
{
    lua_State *L = vm->L;
    lua_newtable(L);
    lua_createtable(L, 0, 4);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->load_time);
    (void)push_hidden(L, -1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&mark);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_setfield(L, -3, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, refuse);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

void sandbox_release_library(struct script_vm *vm, int environment)
{
    lua_State *L = vm->L;
    (void)lua_getmetatable(L, environment);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->globals);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&mark);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
