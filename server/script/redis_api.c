/* The table `redis`: what a script asks of the server. */
#include "server/script/vm_impl.h"

#include <math.h>
#include <sha1.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/num.h"
#include "server/script/shebang.h"

enum { REPL_NONE = 0, REPL_AOF = 1, REPL_REPLICA = 2, REPL_ALL = 3, MAX_KEPT_BYTES = 64 << 10 };

void redis_api_push_error(lua_State *L, const char *text)
{
    lua_createtable(L, 0, 1);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "err");
}

static int raise(lua_State *L, const char *text)
{
    redis_api_push_error(L, text);
    return lua_error(L);
}

/* ---- redis.call() and its kin ---- */

/* A number as Redis writes one into a command: 17 digits. */
static struct span number_text(struct script_vm *vm, double v, size_t i)
{
    char *to = vm->numbers.p + i * NUM_DOUBLE_MAX_TEXT;
    if (v > -1e15 && v < 1e15 && floor(v) == v && !(v == 0 && signbit(v)))
        return span_of(to, num_format_i64(to, (int64_t)v));
    return span_of(to, (size_t)snprintf(to, NUM_DOUBLE_MAX_TEXT, "%.17g", v));
}

/* The arguments on the stack as spans into it: they stay valid while they stand there. NULL, or what is wrong with them. */
static const char *take_arguments(struct script_vm *vm, lua_State *L, size_t *argc)
{
    const int n = lua_gettop(L);
    bool room_for_numbers = false;
    *argc = (size_t)n;
    if (n == 0) return "ERR Please specify at least one argument for this redis lib call";
    if ((size_t)n > vm->argv_room) {
        vm->argv = mem_realloc(vm->argv, (size_t)n * sizeof *vm->argv);
        vm->argv_room = (size_t)n;
    }
    for (int i = 1; i <= n; i++) {
        const int type = lua_type(L, i);
        struct span *s = &vm->argv[i - 1];
        if (type == LUA_TSTRING) {
            s->p = lua_tolstring(L, i, &s->n);
        } else if (type == LUA_TNUMBER) {
            if (!room_for_numbers) (void)buf_room(&vm->numbers, (size_t)n * NUM_DOUBLE_MAX_TEXT);
            room_for_numbers = true;
            *s = number_text(vm, lua_tonumber(L, i), (size_t)i - 1);
        } else {
            return "ERR Lua redis lib command arguments must be strings or integers";
        }
    }
    return NULL;
}

/* Execute the command; its reply, or an error, is pushed. True: an error. */
static bool call(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    size_t argc;
    const char *wrong = take_arguments(vm, L, &argc);
    if (wrong) {
        redis_api_push_error(L, wrong);
        return true;
    }
    buf_reset(&vm->reply, MAX_KEPT_BYTES);
    vm->host.call(vm->host.context, vm->argv, argc, vm->resp, &vm->reply);
    const bool failed = vm->reply.p[0] == '-';
    (void)values_push(L, vm->reply.p);
    return failed;
}

static int redis_call(lua_State *L)
{
    if (call(L)) return lua_error(L);
    return 1;
}

static int redis_pcall(lua_State *L)
{
    (void)call(L);
    return 1;
}

static int redis_acl_check_cmd(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    size_t argc;
    const char *wrong = take_arguments(vm, L, &argc);
    if (wrong) return raise(L, wrong);
    const enum script_acl may = vm->host.may_call(vm->host.context, vm->argv, argc);
    if (may == SCRIPT_ACL_NO_COMMAND) return raise(L, "ERR Invalid command passed to redis.acl_check_cmd()");
    lua_pushboolean(L, may == SCRIPT_ACL_ALLOWED);
    return 1;
}

/* ---- Replies made by hand ---- */

static int single_string(lua_State *L, const char *field)
{
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
        redis_api_push_error(L, "ERR wrong number or type of arguments");
        return 1;
    }
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, field);
    return 1;
}

static int redis_status_reply(lua_State *L) { return single_string(L, "ok"); }

/* An error begins with a code, which a single word gets in front. */
static int redis_error_reply(lua_State *L)
{
    if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) return single_string(L, "err");
    size_t n;
    const char *p = lua_tolstring(L, 1, &n);
    if (n && *p == '-') p++, n--;
    if (n >= 2 && p[n - 2] == '\r' && p[n - 1] == '\n') n -= 2;
    lua_createtable(L, 0, 1);
    lua_pushstring(L, memchr(p, ' ', n) ? "" : "ERR ");
    lua_pushlstring(L, p, n);
    lua_concat(L, 2);
    lua_setfield(L, -2, "err");
    return 1;
}

/* ---- The rest ---- */

static int redis_sha1hex(lua_State *L)
{
    char hex[SHA1_DIGEST_STRING_LENGTH];
    if (lua_gettop(L) != 1) return raise(L, "ERR wrong number of arguments");
    size_t n = 0;
    const char *p = lua_tolstring(L, 1, &n);
    (void)SHA1Data((const uint8_t *)(p ? p : ""), n, hex);
    lua_pushlstring(L, hex, SHA1_DIGEST_STRING_LENGTH - 1);
    return 1;
}

static int redis_log(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    const int n = lua_gettop(L);
    if (n < 2) return raise(L, "ERR redis.log() requires two arguments or more.");
    if (!lua_isnumber(L, 1)) return raise(L, "ERR First argument must be a number (log level).");
    const lua_Number level = lua_tonumber(L, 1);
    if (!(level >= SCRIPT_LOG_DEBUG && level <= SCRIPT_LOG_WARNING)) return raise(L, "ERR Invalid debug level.");
    buf_reset(&vm->reply, MAX_KEPT_BYTES);
    for (int i = 2; i <= n; i++) {
        size_t length = 0;
        const char *p = lua_tolstring(L, i, &length);
        if (!p) continue;
        if (vm->reply.len) buf_add_char(&vm->reply, ' ');
        buf_add(&vm->reply, p, length);
    }
    vm->host.log(vm->host.context, (enum script_log_level)level, buf_span(&vm->reply));
    return 0;
}

static int redis_setresp(lua_State *L)
{
    if (lua_gettop(L) != 1) return raise(L, "ERR redis.setresp() requires one argument.");
    const lua_Number version = lua_tonumber(L, 1);
    if (version != 2 && version != 3) return raise(L, "ERR RESP version must be 2 or 3.");
    vm_of(L)->resp = (unsigned)version;
    return 0;
}

/* The log is the database here, and replicas follow it: there is nothing else to choose. */
static int redis_set_repl(lua_State *L)
{
    if (lua_gettop(L) != 1) return raise(L, "ERR redis.set_repl() requires two arguments.");
    const lua_Number flags = lua_tonumber(L, 1);
    if (!(flags >= REPL_NONE && flags <= REPL_ALL && floor(flags) == flags))
        return raise(L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
    if (flags != REPL_ALL)
        return raise(
            L, "ERR redis.set_repl() takes only redis.REPL_ALL: what is written is always logged and replicated.");
    return 0;
}

/* Effects are what is replicated, always. */
static int redis_replicate_commands(lua_State *L)
{
    lua_pushboolean(L, true);
    return 1;
}

/* Without a debugger nobody stops here. */
static int redis_breakpoint(lua_State *L)
{
    lua_pushboolean(L, false);
    return 1;
}

static int redis_debug(lua_State *L)
{
    (void)L;
    return 0;
}

/* ---- redis.register_function() ---- */

static const char *register_flags(lua_State *L, int at, unsigned *flags)
{
    if (!lua_istable(L, at))
        return "ERR flags argument to redis.register_function must be a table representing function flags";
    for (int i = 1;; i++) {
        lua_rawgeti(L, at, i);
        if (lua_isnil(L, -1)) break;
        const unsigned flag = lua_type(L, -1) == LUA_TSTRING ? shebang_flag(span_str(lua_tostring(L, -1))) : 0;
        lua_pop(L, 1);
        if (!flag) return "ERR unknown flag given";
        *flags |= flag;
    }
    lua_pop(L, 1);
    return NULL;
}

/* What a field of the table says; the name and the function are put to indexes 2 and 3. */
static const char *register_field(lua_State *L, struct script_function *f)
{
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    const int value = lua_gettop(L);
    if (strcmp(key, "function_name") == 0) {
        if (!lua_isstring(L, value))
            return "ERR function_name argument given to redis.register_function must be a string";
        lua_pushvalue(L, value);
        lua_replace(L, 2);
    } else if (strcmp(key, "description") == 0) {
        if (!lua_isstring(L, value))
            return "ERR description argument given to redis.register_function must be a string";
        lua_pushvalue(L, value);
        lua_replace(L, 4);
    } else if (strcmp(key, "callback") == 0) {
        if (!lua_isfunction(L, value))
            return "ERR callback argument given to redis.register_function must be a function";
        lua_pushvalue(L, value);
        lua_replace(L, 3);
    } else if (strcmp(key, "flags") == 0) {
        return register_flags(L, value, &f->flags);
    } else {
        return "ERR unknown argument given to redis.register_function";
    }
    return NULL;
}

/* redis.register_function{function_name =, callback =, flags =, description =} */
static const char *register_by_names(lua_State *L, struct script_function *f)
{
    if (!lua_istable(L, 1))
        return "ERR calling redis.register_function with a single argument is only applicable to Lua table "
               "(representing "
               "named arguments).";
    lua_settop(L, 4);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *wrong = register_field(L, f);
        if (wrong) return wrong;
    }
    if (lua_isnil(L, 2)) return "ERR redis.register_function must get a function name argument";
    if (lua_isnil(L, 3)) return "ERR redis.register_function must get a callback argument";
    return NULL;
}

/* redis.register_function(name, callback) */
static const char *register_by_place(lua_State *L)
{
    if (!lua_isstring(L, 1)) return "ERR first argument to redis.register_function must be a string";
    if (!lua_isfunction(L, 2)) return "ERR second argument to redis.register_function must be a function";
    lua_settop(L, 2);
    lua_insert(L, 1);    /* function, name */
    lua_pushvalue(L, 1); /* function, name, function */
    lua_pushnil(L);
    return NULL;
}

static int redis_register_function(lua_State *L)
{
    struct script_vm *vm = vm_of(L);
    struct script_function f = {.reference = LUA_NOREF};
    const int n = lua_gettop(L);
    if (n < 1 || n > 2) return raise(L, "ERR wrong number of arguments to redis.register_function");
    const char *wrong = n == 1 ? register_by_names(L, &f) : register_by_place(L);
    if (wrong) return raise(L, wrong);
    f.name.p = lua_tolstring(L, 2, &f.name.n);
    if (!lua_isnil(L, 4)) f.description.p = lua_tolstring(L, 4, &f.description.n);
    if (!shebang_is_name(f.name))
        return raise(
            L, "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
               "character long");
    lua_pushvalue(L, 3);
    f.reference = luaL_ref(L, LUA_REGISTRYINDEX);
    wrong = vm->registering ? vm->registering->add(vm->registering->context, &f)
                            : "ERR redis.register_function can only be called on FUNCTION LOAD command";
    if (wrong) {
        luaL_unref(L, LUA_REGISTRYINDEX, f.reference);
        return raise(L, wrong);
    }
    return 0;
}

/* ---- The table ---- */

struct constant {
    const char *name;
    int value;
};

static void put_constants(lua_State *L, const struct constant *c)
{
    for (; c->name; c++) {
        lua_pushnumber(L, c->value);
        lua_setfield(L, -2, c->name);
    }
}

static void put_functions(lua_State *L, const luaL_Reg *f)
{
    for (; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
}

void redis_api_push(struct script_vm *vm, bool load_time)
{
    static const struct constant always[] = {{"LOG_DEBUG", SCRIPT_LOG_DEBUG},
                                             {"LOG_VERBOSE", SCRIPT_LOG_VERBOSE},
                                             {"LOG_NOTICE", SCRIPT_LOG_NOTICE},
                                             {"LOG_WARNING", SCRIPT_LOG_WARNING},
                                             {NULL, 0}},
                                 running[] = {{"REPL_NONE", REPL_NONE},     {"REPL_AOF", REPL_AOF},
                                              {"REPL_SLAVE", REPL_REPLICA}, {"REPL_REPLICA", REPL_REPLICA},
                                              {"REPL_ALL", REPL_ALL},       {NULL, 0}};
    static const luaL_Reg loading[] = {{"register_function", redis_register_function},
                                       {"log", redis_log},
                                       {NULL, NULL}},
                          functions[] = {{"call", redis_call},
                                         {"pcall", redis_pcall},
                                         {"acl_check_cmd", redis_acl_check_cmd},
                                         {"status_reply", redis_status_reply},
                                         {"error_reply", redis_error_reply},
                                         {"sha1hex", redis_sha1hex},
                                         {"log", redis_log},
                                         {"setresp", redis_setresp},
                                         {"set_repl", redis_set_repl},
                                         {"replicate_commands", redis_replicate_commands},
                                         {"breakpoint", redis_breakpoint},
                                         {"debug", redis_debug},
                                         {NULL, NULL}};
    lua_State *L = vm->L;
    lua_newtable(L);
    lua_pushstring(L, vm->version);
    lua_setfield(L, -2, "REDIS_VERSION");
    lua_pushnumber(L, vm->version_number);
    lua_setfield(L, -2, "REDIS_VERSION_NUM");
    put_constants(L, always);
    put_functions(L, load_time ? loading : functions);
    if (!load_time) put_constants(L, running);
}
