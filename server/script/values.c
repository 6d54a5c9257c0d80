/* Values on their way between the protocol and Lua.
 *
 *     reply (RESP2 / RESP3)            Lua
 *     :1                               number
 *     $text                            string
 *     +text, -text                     {ok = text}, {err = text}
 *     *array                           table from 1
 *     $-1 *-1 / _                      false / nil
 *     ,1.5  #t  (123  =txt:x           {double = 1.5}  true  {big_number = "123"}  {verbatim_string = {format, string}}
 *     %map  ~set                       {map = {...}}  {set = {member = true}}
 *
 * and back; an array ends at its first nil. */
#include "server/script/vm_impl.h"

#include <math.h>
#include <stdio.h>

#include "common/num.h"

/* ---- Replies of commands, pushed ---- */

static const char *line_end(const char *p)
{
    while (*p != '\r') p++;
    return p;
}

static int64_t number_at(const char *p)
{
    const bool negative = *p == '-';
    uint64_t v = 0;
    for (p += negative; *p != '\r'; p++) v = v * 10 + (uint64_t)(*p - '0');
    return (int64_t)(negative ? 0 - v : v);
}

/* {name = line} */
static const char *push_field(lua_State *L, const char *name, const char *p)
{
    const char *end = line_end(p);
    lua_createtable(L, 0, 1);
    lua_pushlstring(L, p, (size_t)(end - p));
    lua_setfield(L, -2, name);
    return end + 2;
}

static const char *push_error(lua_State *L, const char *p)
{
    p = push_field(L, "err", p);
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "ignore_error_stats_update");
    return p;
}

static const char *push_double(lua_State *L, const char *p)
{
    const char *end = line_end(p);
    double v = 0;
    if (!num_parse_double(span_of(p, (size_t)(end - p)), &v)) v = 0.0 / 0.0;
    lua_createtable(L, 0, 1);
    lua_pushnumber(L, v);
    lua_setfield(L, -2, "double");
    return end + 2;
}

static const char *push_verbatim(lua_State *L, const char *p)
{
    const size_t n = (size_t)number_at(p);
    p = line_end(p) + 2;
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, 2);
    lua_pushlstring(L, p, 3);
    lua_setfield(L, -2, "format");
    lua_pushlstring(L, p + 4, n - 4);
    lua_setfield(L, -2, "string");
    lua_setfield(L, -2, "verbatim_string");
    return p + n + 2;
}

static const char *push_bulk(lua_State *L, const char *p)
{
    const int64_t n = number_at(p);
    p = line_end(p) + 2;
    if (n < 0) {
        lua_pushboolean(L, false);
        return p;
    }
    lua_pushlstring(L, p, (size_t)n);
    return p + n + 2;
}

static const char *push_array(lua_State *L, const char *p)
{
    const int64_t n = number_at(p);
    p = line_end(p) + 2;
    if (n < 0) {
        lua_pushboolean(L, false);
        return p;
    }
    lua_createtable(L, (int)n, 0);
    for (int64_t i = 1; i <= n; i++) {
        p = values_push(L, p);
        lua_rawseti(L, -2, (int)i);
    }
    return p;
}

/* {map = {k = v ...}} or {set = {k = true ...}}. What cannot be a key in Lua is left out. */
static const char *push_keyed(lua_State *L, const char *p, bool map)
{
    const int64_t n = number_at(p);
    p = line_end(p) + 2;
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, (int)n);
    for (int64_t i = 0; i < n; i++) {
        p = values_push(L, p);
        if (map) p = values_push(L, p);
        else lua_pushboolean(L, true);
        if (lua_isnil(L, -2)) lua_pop(L, 2);
        else lua_rawset(L, -3);
    }
    lua_setfield(L, -2, map ? "map" : "set");
    return p;
}

/* An attribute describes the value behind it; scripts get the value alone. */
static const char *skip_attribute(lua_State *L, const char *p)
{
    int64_t n = 2 * number_at(p);
    for (p = line_end(p) + 2; n > 0; n--) {
        p = values_push(L, p);
        lua_pop(L, 1);
    }
    return values_push(L, p);
}

const char *values_push(lua_State *L, const char *reply)
{
    const char *p = reply + 1;
    luaL_checkstack(L, 5, "a reply is nested too deeply");
    switch (*reply) {
    case ':': lua_pushnumber(L, (double)number_at(p)); return line_end(p) + 2;
    case '$': return push_bulk(L, p);
    case '+': return push_field(L, "ok", p);
    case '-': return push_error(L, p);
    case '*':
    case '>': return push_array(L, p);
    case '_': lua_pushnil(L); return p + 2;
    case '#': lua_pushboolean(L, *p == 't'); return p + 3;
    case ',': return push_double(L, p);
    case '(': return push_field(L, "big_number", p);
    case '=': return push_verbatim(L, p);
    case '%': return push_keyed(L, p, true);
    case '~': return push_keyed(L, p, false);
    default: return skip_attribute(L, p);
    }
}

/* ---- What a script returns, as a reply ---- */

enum key { KEY_ERR = 1, KEY_OK, KEY_DOUBLE, KEY_MAP, KEY_SET, KEY_BIG_NUMBER, KEY_VERBATIM };

void values_push_keys(lua_State *L)
{
    static const char *const names[VM_KEYS] = {"err", "ok", "double", "map", "set", "big_number", "verbatim_string"};
    for (size_t i = 0; i < VM_KEYS; i++) lua_pushstring(L, names[i]);
}

static void add_line(struct reply *to, char kind, struct span text)
{
    buf_add_char(to->out, kind);
    const size_t from = to->out->len;
    buf_add_span(to->out, text);
    for (size_t i = from; i < to->out->len; i++)
        if (to->out->p[i] == '\r' || to->out->p[i] == '\n') to->out->p[i] = ' ';
    buf_add(to->out, "\r\n", 2);
}

void values_reply_error(struct reply *to, struct span text)
{
    add_line(to, '-', text);
    to->errors++;
}

/* Push the field; true if it is of this type, else it is popped. */
static bool field_is(lua_State *L, enum key key, int type)
{
    lua_pushvalue(L, lua_upvalueindex((int)key));
    lua_rawget(L, -2);
    if (lua_type(L, -1) == type) return true;
    lua_pop(L, 1);
    return false;
}

static struct span text_at(lua_State *L, int at)
{
    size_t n;
    const char *p = lua_tolstring(L, at, &n);
    return span_of(p, n);
}

/* Numbers lose their fraction; what no integer can hold is the smallest one, as a processor of Intel's converts it. */
static int64_t integer_of(double v) { return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN; }

static void reply_number(struct reply *to, double v)
{
    char text[NUM_DOUBLE_MAX_TEXT + 1];
    if (v == v) {
        reply_double(to, v);
        return;
    }
    const int n = snprintf(text, sizeof text, "%s", signbit(v) ? "-nan" : "nan");
    if (to->resp == 2) reply_bulk(to, span_of(text, (size_t)n));
    else add_line(to, ',', span_of(text, (size_t)n));
}

static void reply_big_number(struct reply *to, struct span digits)
{
    if (to->resp == 3) {
        add_line(to, '(', digits);
        return;
    }
    struct buf line = {0};
    buf_add_span(&line, digits);
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] == '\r' || line.p[i] == '\n') line.p[i] = ' ';
    reply_bulk(to, buf_span(&line));
    buf_free(&line);
}

/* The table {format = .., string = ..} on top. False: it is another. */
static bool reply_verbatim_table(lua_State *L, struct reply *to)
{
    char kind[4] = "   ";
    lua_pushliteral(L, "format");
    lua_rawget(L, -2);
    lua_pushliteral(L, "string");
    lua_rawget(L, -3);
    const bool fits = lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING;
    if (fits) {
        const struct span format = text_at(L, -2);
        memcpy(kind, format.p, format.n < 3 ? format.n : 3);
        reply_verbatim(to, kind, text_at(L, -1));
    }
    lua_pop(L, 2);
    return fits;
}

/* The members of the table on top, by keys and (a map) values. */
static void reply_members(lua_State *L, struct reply *to, unsigned lua_resp, bool map)
{
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) n++;
    if (map) reply_map(to, n);
    else reply_set(to, n);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        values_reply(L, to, lua_resp);
        if (map) values_reply(L, to, lua_resp);
        else lua_pop(L, 1);
    }
}

static void reply_elements(lua_State *L, struct reply *to, unsigned lua_resp)
{
    int n = 0;
    for (bool more = true; more; n += more) {
        lua_rawgeti(L, -1, n + 1);
        more = !lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    reply_array(to, (size_t)n);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        values_reply(L, to, lua_resp);
    }
}

/* The table on top by the first field that makes it more than an array. False: none does. */
static bool reply_by_field(lua_State *L, struct reply *to, unsigned lua_resp)
{
    if (field_is(L, KEY_ERR, LUA_TSTRING)) values_reply_error(to, text_at(L, -1));
    else if (field_is(L, KEY_OK, LUA_TSTRING)) add_line(to, '+', text_at(L, -1));
    else if (field_is(L, KEY_DOUBLE, LUA_TNUMBER)) reply_number(to, lua_tonumber(L, -1));
    else if (field_is(L, KEY_MAP, LUA_TTABLE)) reply_members(L, to, lua_resp, true);
    else if (field_is(L, KEY_SET, LUA_TTABLE)) reply_members(L, to, lua_resp, false);
    else if (field_is(L, KEY_BIG_NUMBER, LUA_TSTRING)) reply_big_number(to, text_at(L, -1));
    else if (field_is(L, KEY_VERBATIM, LUA_TTABLE)) {
        const bool fits = reply_verbatim_table(L, to);
        lua_pop(L, 1);
        return fits;
    } else return false;
    lua_pop(L, 1);
    return true;
}

void values_reply(lua_State *L, struct reply *to, unsigned lua_resp)
{
    if (!lua_checkstack(L, 6)) {
        values_reply_error(to, SPAN("ERR reached lua stack limit"));
        lua_pop(L, 1);
        return;
    }
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: reply_bulk(to, text_at(L, -1)); break;
    case LUA_TNUMBER: reply_int(to, integer_of(lua_tonumber(L, -1))); break;
    case LUA_TBOOLEAN:
        if (lua_resp == 3) reply_bool(to, lua_toboolean(L, -1));
        else if (lua_toboolean(L, -1)) reply_int(to, 1);
        else reply_null(to);
        break;
    case LUA_TTABLE:
        if (!reply_by_field(L, to, lua_resp)) reply_elements(L, to, lua_resp);
        break;
    default: reply_null(to);
    }
    lua_pop(L, 1);
}
