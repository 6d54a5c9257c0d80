/* MessagePack for scripts. What a value becomes is the format's shortest form; numbers without a fraction become integers. */
#include "server/script/libs.h"

#include <lauxlib.h>
#include <math.h>
#include <stdint.h>

#include "common/span.h"

enum {
    PACK_DEPTH = 16,     /* tables within tables that are packed; deeper ones become nil */
    UNPACK_DEPTH = 4000, /* collections within collections that are read */
    STACK_PER_LEVEL = 5, /* slots of Lua's stack */
    FIXMAP = 0x80,       /* first bytes of the format, by its own names */
    FIXARRAY = 0x90,
    FIXSTR = 0xa0,
    NIL = 0xc0,
    FALSE_ = 0xc2,
    TRUE_ = 0xc3,
    FLOAT32 = 0xca,
    FLOAT64 = 0xcb,
    UINT8 = 0xcc,
    INT8 = 0xd0,
    STR8 = 0xd9,
    STR16 = 0xda,
    ARRAY16 = 0xdc,
    MAP16 = 0xde,
    NEGATIVE_FIXINT = 0xe0,
};

/* ---- Packing ---- */

/* What was packed so far, in a userdata of Lua's at index @slot: it is freed with the rest if an error comes between, and counts
 * for the memory that a script may have. */
struct packer {
    lua_State *L;
    int slot;
    char *p;
    size_t len, cap;
};

static char *room(struct packer *k, size_t n)
{
    if (k->cap - k->len < n) {
        const size_t cap = 2 * k->cap + n;
        char *p = lua_newuserdata(k->L, cap);
        if (k->len) memcpy(p, k->p, k->len);
        lua_replace(k->L, k->slot);
        k->p = p;
        k->cap = cap;
    }
    return k->p + k->len;
}

/* A byte, then the lowest @bytes of @v, the highest first. */
static void put(struct packer *k, unsigned first, uint64_t v, unsigned bytes)
{
    char *to = room(k, bytes + 1);
    *to++ = (char)first;
    for (unsigned i = bytes; i-- > 0;) *to++ = (char)(v >> 8 * i);
    k->len += bytes + 1;
}

/* log2 of the bytes that @v takes: 0 .. 3. */
static unsigned width(uint64_t v) { return v <= UINT8_MAX ? 0 : v <= UINT16_MAX ? 1 : v <= UINT32_MAX ? 2 : 3; }

static void pack_integer(struct packer *k, int64_t v)
{
    if (v >= 0) {
        const unsigned w = width((uint64_t)v);
        if (v < FIXMAP) put(k, (unsigned)v, 0, 0);
        else put(k, UINT8 + w, (uint64_t)v, 1u << w);
        return;
    }
    const unsigned w = v >= INT8_MIN ? 0 : v >= INT16_MIN ? 1 : v >= INT32_MIN ? 2 : 3;
    if (v >= -32) put(k, (unsigned)(v & 0xff), 0, 0);
    else put(k, INT8 + w, (uint64_t)v, 1u << w);
}

static void pack_number(struct packer *k, double v)
{
    if (v >= -0x1p63 && v < 0x1p63 && floor(v) == v) {
        pack_integer(k, (int64_t)v);
        return;
    }
    const float f = (float)v;
    uint32_t half;
    uint64_t whole;
    memcpy(&half, &f, sizeof half);
    memcpy(&whole, &v, sizeof whole);
    if ((double)f == v) put(k, FLOAT32, half, 4);
    else put(k, FLOAT64, whole, 8);
}

static void pack_string(struct packer *k, int at)
{
    size_t n;
    const char *p = lua_tolstring(k->L, at, &n);
    if (n < 32) put(k, FIXSTR | (unsigned)n, 0, 0);
    else put(k, STR8 + width(n), n, 1u << width(n));
    memcpy(room(k, n), p, n);
    k->len += n;
}

static void pack_count(struct packer *k, unsigned fix, unsigned wide, size_t n)
{
    if (n < 16) put(k, fix | (unsigned)n, 0, 0);
    else if (n <= UINT16_MAX) put(k, wide, n, 2);
    else put(k, wide + 1, n, 4);
}

/* Are the table's keys exactly 1 .. *n? *n is the number of its keys in any case. */
static bool is_array(lua_State *L, int at, size_t *n)
{
    bool integers = true;
    double most = 0;
    *n = 0;
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        const double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        if (key < 1 || floor(key) != key) integers = false;
        if (key > most) most = key;
        ++*n;
    }
    return integers && most == (double)*n;
}

static void pack_value(struct packer *k, int at, int depth);

static void pack_table(struct packer *k, int at, int depth)
{
    lua_State *L = k->L;
    size_t n;
    luaL_checkstack(L, STACK_PER_LEVEL, "in function table_to_msgpack");
    const bool array = is_array(L, at, &n);
    pack_count(k, array ? FIXARRAY : FIXMAP, array ? ARRAY16 : MAP16, n);
    if (array) {
        for (size_t i = 1; i <= n; i++) {
            lua_rawgeti(L, at, (int)i);
            pack_value(k, lua_gettop(L), depth + 1);
            lua_pop(L, 1);
        }
        return;
    }
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        const int value = lua_gettop(L);
        pack_value(k, value - 1, depth + 1);
        pack_value(k, value, depth + 1);
    }
}

/* The value at the absolute index @at. */
static void pack_value(struct packer *k, int at, int depth)
{
    lua_State *L = k->L;
    const int type = lua_type(L, at);
    if (type == LUA_TTABLE && depth < PACK_DEPTH) pack_table(k, at, depth);
    else if (type == LUA_TNUMBER) pack_number(k, lua_tonumber(L, at));
    else if (type == LUA_TBOOLEAN) put(k, lua_toboolean(L, at) ? TRUE_ : FALSE_, 0, 0);
    else if (type == LUA_TSTRING) pack_string(k, at);
    else put(k, NIL, 0, 0);
}

static int pack(lua_State *L)
{
    const int n = lua_gettop(L);
    if (n == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
    luaL_checkstack(L, STACK_PER_LEVEL, "Too many arguments for MessagePack pack.");
    lua_pushnil(L);
    struct packer k = {.L = L, .slot = n + 1};
    for (int i = 1; i <= n; i++) pack_value(&k, i, 0);
    lua_pushlstring(L, k.p, k.len);
    return 1;
}

/* ---- Unpacking ---- */

struct input {
    lua_State *L;
    struct cursor c;
    int depth;
};

static void missing(struct input *in) { (void)luaL_error(in->L, "Missing bytes in input."); }

/* @bytes of a number, the highest first. */
static uint64_t take_number(struct input *in, unsigned bytes)
{
    struct span s = {0};
    uint64_t v = 0;
    if (!take_span(&in->c, bytes, &s)) missing(in);
    for (size_t i = 0; i < s.n; i++) v = v << 8 | (uint8_t)s.p[i];
    return v;
}

static void unpack_text(struct input *in, uint64_t n)
{
    struct span s = {0};
    if (n > cursor_left(&in->c) || !take_span(&in->c, (size_t)n, &s)) missing(in);
    lua_pushlstring(in->L, s.p, s.n);
}

static void unpack_value(struct input *in);

static void enter(struct input *in)
{
    if (++in->depth > UNPACK_DEPTH) (void)luaL_error(in->L, "stack overflow (in function mp_decode_to_lua_type)");
    luaL_checkstack(in->L, STACK_PER_LEVEL, "in function mp_decode_to_lua_type");
    lua_newtable(in->L);
}

/* Counts are not trusted: the table grows with what is there. */
static void unpack_array(struct input *in, uint64_t n)
{
    enter(in);
    for (uint64_t i = 1; i <= n; i++) {
        unpack_value(in);
        lua_rawseti(in->L, -2, (int)i);
    }
    in->depth--;
}

static void unpack_map(struct input *in, uint64_t pairs)
{
    enter(in);
    for (; pairs > 0; pairs--) {
        unpack_value(in);
        unpack_value(in);
        lua_settable(in->L, -3);
    }
    in->depth--;
}

static void unpack_float(struct input *in, bool wide)
{
    const uint64_t bits = take_number(in, wide ? 8 : 4);
    const uint32_t half = (uint32_t)bits;
    double v;
    float f;
    memcpy(&v, &bits, sizeof v);
    memcpy(&f, &half, sizeof f);
    lua_pushnumber(in->L, wide ? v : (double)f);
}

static void unpack_signed(struct input *in, unsigned log2)
{
    const unsigned bits = 8u << log2;
    const uint64_t v = take_number(in, 1u << log2) << (64 - bits);
    lua_pushnumber(in->L, (double)((int64_t)v >> (64 - bits)));
}

/* Those whose first byte says only the kind. */
static void unpack_by_kind(struct input *in, unsigned kind)
{
    lua_State *L = in->L;
    if (kind == NIL) lua_pushnil(L);
    else if (kind == FALSE_ || kind == TRUE_) lua_pushboolean(L, kind == TRUE_);
    else if (kind == FLOAT32 || kind == FLOAT64) unpack_float(in, kind == FLOAT64);
    else if (kind >= UINT8 && kind < INT8)
        lua_pushnumber(L, (double)(int64_t)take_number(in, 1u << (kind - UINT8))); /* above 2^63 as Redis has it */
    else if (kind >= INT8 && kind < INT8 + 4) unpack_signed(in, kind - INT8);
    else if (kind >= STR8 && kind < ARRAY16) unpack_text(in, take_number(in, 1u << (kind - STR8)));
    else if (kind >= ARRAY16 && kind < MAP16) unpack_array(in, take_number(in, kind == ARRAY16 ? 2 : 4));
    else if (kind >= MAP16 && kind < NEGATIVE_FIXINT) unpack_map(in, take_number(in, kind == MAP16 ? 2 : 4));
    else (void)luaL_error(L, "Bad data format in input.");
}

static void unpack_value(struct input *in)
{
    uint8_t kind = 0;
    if (!take_u8(&in->c, &kind)) missing(in);
    if (kind < FIXMAP) lua_pushnumber(in->L, kind);
    else if (kind < FIXARRAY) unpack_map(in, kind & 0x0f);
    else if (kind < FIXSTR) unpack_array(in, kind & 0x0f);
    else if (kind < NIL) unpack_text(in, kind & 0x1f);
    else if (kind >= NEGATIVE_FIXINT) lua_pushnumber(in->L, (int8_t)kind);
    else unpack_by_kind(in, kind);
}

/* Read at most @limit values (0: all) from byte @offset of argument 1. With @where the first result is the offset behind the
 * last value, or -1 if that was the end. */
static int unpack_from(lua_State *L, int64_t limit, int64_t offset, bool where)
{
    size_t n;
    const char *p = luaL_checklstring(L, 1, &n);
    if (offset < 0 || limit < 0)
        return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", (int)offset, (int)n);
    if ((uint64_t)offset > n)
        return luaL_error(L, "Start offset %d greater than input length %d.", (int)offset, (int)n);
    struct input in = {.L = L, .c = cursor_of(span_of(p + offset, n - (size_t)offset))};
    int count = 0;
    if (where) lua_pushnil(L);
    const int base = lua_gettop(L);
    while (cursor_left(&in.c) > 0 && (limit == 0 || count < limit)) {
        luaL_checkstack(L, STACK_PER_LEVEL, "in function mp_unpack_full");
        unpack_value(&in);
        count++;
    }
    if (!where) return count;
    lua_pushnumber(L, cursor_left(&in.c) ? (double)(in.c.at - p) : -1);
    lua_replace(L, base);
    return count + 1;
}

static int unpack_all(lua_State *L) { return unpack_from(L, 0, 0, false); }

static int unpack_one(lua_State *L) { return unpack_from(L, 1, luaL_optinteger(L, 2, 0), true); }

static int unpack_limit(lua_State *L)
{
    const int64_t limit = luaL_checkinteger(L, 2);
    return unpack_from(L, limit, luaL_optinteger(L, 3, 0), true);
}

int msgpack_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pack", pack},
                                         {"unpack", unpack_all},
                                         {"unpack_one", unpack_one},
                                         {"unpack_limit", unpack_limit},
                                         {NULL, NULL}};
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    lua_pushliteral(L, "cmsgpack");
    lua_setfield(L, -2, "_NAME");
    lua_pushliteral(L, "0.4.0");
    lua_setfield(L, -2, "_VERSION");
    return 1;
}
