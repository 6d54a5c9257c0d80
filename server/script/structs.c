/* Binary records for scripts: format letters with sizes, byte order and alignment.
 *
 *     > < ! !n     byte order big, little; alignment native (8) or n, a power of two
 *     b h l T i in (B H L I In)    integers of 1, 2, 8, 8, 4, n bytes (capital: without a sign)
 *     f d x        float, double, a byte of padding
 *     s cn c0      text up to a zero; n bytes; as many as the number before says */
#include "server/script/libs.h"

#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdint.h>

#include "common/span.h"

enum { MAX_INTEGER = 32, NATIVE_ALIGNMENT = 8 };

struct format {
    lua_State *L;
    const char *at;
    bool little;
    size_t align;
};

/* One letter with what belongs to it. */
struct item {
    char letter;
    size_t size; /* bytes of the value */
    size_t pad;  /* zeros before it */
};

static struct format format_of(lua_State *L)
{
    return (struct format){.L = L, .at = luaL_checkstring(L, 1), .little = true, .align = 1};
}

/* The digits that come next, or @otherwise. */
static size_t take_digits(struct format *f, size_t otherwise)
{
    if (!isdigit((unsigned char)*f->at)) return otherwise;
    size_t n = 0;
    while (isdigit((unsigned char)*f->at)) {
        if (n > INT_MAX / 10 || n * 10 > (size_t)(INT_MAX - (*f->at - '0')))
            (void)luaL_error(f->L, "integral size overflow");
        n = n * 10 + (size_t)(*f->at++ - '0');
    }
    return n;
}

static size_t integer_size(struct format *f)
{
    const size_t n = take_digits(f, sizeof(int));
    if (n > MAX_INTEGER)
        (void)luaL_error(f->L, "integral size %d is larger than limit of %d", (int)n, (int)MAX_INTEGER);
    return n;
}

static size_t size_of(struct format *f, char letter)
{
    switch (letter) {
    case 'b':
    case 'B':
    case 'x': return 1;
    case 'h':
    case 'H': return 2;
    case 'f': return 4;
    case 'd':
    case 'l':
    case 'L':
    case 'T': return 8;
    case 'c': return take_digits(f, 1);
    case 'i':
    case 'I': return integer_size(f);
    default: return 0;
    }
}

static void control(struct format *f, char letter)
{
    if (letter == '>' || letter == '<') {
        f->little = letter == '<';
    } else if (letter == '!') {
        const size_t n = take_digits(f, NATIVE_ALIGNMENT);
        if (n == 0 || n & (n - 1)) (void)luaL_error(f->L, "alignment %d is not a power of 2", (int)n);
        f->align = n;
    } else if (letter != ' ') {
        (void)luaL_argerror(f->L, 1, lua_pushfstring(f->L, "invalid format option '%c'", letter));
    }
}

/* The next letter; @offset: where its value would begin. False at the end. */
static bool take_item(struct format *f, size_t offset, struct item *item)
{
    if (*f->at == '\0') return false;
    item->letter = *f->at++;
    item->size = size_of(f, item->letter);
    size_t align = item->size > f->align ? f->align : item->size;
    if (item->letter == 'c' || item->letter == 'x' || align <= 1) align = 1;
    /* Sizes that are no power of two are aligned by masking, as they always were. */
    item->pad = align > 1 ? (align - (offset & (align - 1))) & (align - 1) : 0;
    return true;
}

/* ---- Packing ---- */

static void add_zeros(luaL_Buffer *b, size_t n)
{
    while (n-- > 0) luaL_addchar(b, '\0');
}

static void add_integer(luaL_Buffer *b, const struct format *f, double v, size_t size)
{
    char bytes[MAX_INTEGER];
    /* Too large for a signed number: taken without a sign; what fits neither has no bytes to speak of. */
    const uint64_t bits = v >= -0x1p63 && v < 0x1p63  ? (uint64_t)(int64_t)v
                          : v >= 0x1p63 && v < 0x1p64 ? (uint64_t)v
                                                      : 0;
    const uint64_t fill = v < 0 && bits >> 63 ? 0xff : 0;
    for (size_t i = 0; i < size; i++) {
        const char byte = (char)(i < 8 ? bits >> 8 * i : fill);
        bytes[f->little ? i : size - 1 - i] = byte;
    }
    luaL_addlstring(b, bytes, size);
}

static void add_float(luaL_Buffer *b, const struct format *f, double v, size_t size)
{
    char bytes[sizeof v];
    const float half = (float)v;
    memcpy(bytes, size == sizeof v ? (const void *)&v : (const void *)&half, size);
    if (!f->little)
        for (size_t i = 0; i < size / 2; i++) {
            const char byte = bytes[i];
            bytes[i] = bytes[size - 1 - i];
            bytes[size - 1 - i] = byte;
        }
    luaL_addlstring(b, bytes, size);
}

/* Returns how many bytes were added. */
static size_t add_text(luaL_Buffer *b, lua_State *L, const struct item *item, int arg)
{
    size_t n;
    const char *p = luaL_checklstring(L, arg, &n);
    size_t size = item->letter == 's' || item->size == 0 ? n : item->size;
    luaL_argcheck(L, n >= size, arg + 1, "string too short"); /* counted as the library always did */
    luaL_addlstring(b, p, size);
    if (item->letter == 's') {
        luaL_addchar(b, '\0');
        size++;
    }
    return size;
}

static int pack(lua_State *L)
{
    struct format f = format_of(L);
    struct item item;
    luaL_Buffer b;
    size_t total = 0;
    int arg = 2;
    lua_pushnil(L); /* stands between the arguments and the buffer's pieces */
    luaL_buffinit(L, &b);
    while (take_item(&f, total, &item)) {
        add_zeros(&b, item.pad);
        total += item.pad + item.size;
        switch (item.letter) {
        case 'b':
        case 'B':
        case 'h':
        case 'H':
        case 'l':
        case 'L':
        case 'T':
        case 'i':
        case 'I': add_integer(&b, &f, luaL_checknumber(L, arg++), item.size); break;
        case 'f':
        case 'd': add_float(&b, &f, luaL_checknumber(L, arg++), item.size); break;
        case 'x': luaL_addchar(&b, '\0'); break;
        case 'c':
        case 's': total += add_text(&b, L, &item, arg++) - item.size; break;
        default: control(&f, item.letter);
        }
    }
    luaL_pushresult(&b);
    return 1;
}

/* ---- Unpacking ---- */

static void push_integer(const struct format *f, const char *p, size_t size, bool has_sign)
{
    uint64_t bits = 0;
    const size_t low = size < 8 ? size : 8;
    for (size_t i = 0; i < low; i++) bits |= (uint64_t)(uint8_t)p[f->little ? i : size - 1 - i] << 8 * i;
    if (!has_sign) {
        lua_pushnumber(f->L, (double)bits);
        return;
    }
    if (low > 0 && low < 8 && bits >> (8 * low - 1)) bits |= ~(uint64_t)0 << 8 * low;
    lua_pushnumber(f->L, (double)(int64_t)bits);
}

static void push_float(const struct format *f, const char *p, size_t size)
{
    char bytes[sizeof(double)] = {0};
    double v;
    float half;
    for (size_t i = 0; i < size; i++) bytes[i] = p[f->little ? i : size - 1 - i];
    memcpy(&v, bytes, sizeof v);
    memcpy(&half, bytes, sizeof half);
    lua_pushnumber(f->L, size == sizeof v ? v : (double)half);
}

/* Push @size bytes, or for "c0" as many as the number that was read before says. Returns how many. */
static size_t push_text(lua_State *L, const struct item *item, struct span rest, int results)
{
    size_t size = item->size;
    if (size == 0) {
        if (results == 0 || !lua_isnumber(L, -1)) (void)luaL_error(L, "format 'c0' needs a previous size");
        const double n = lua_tonumber(L, -1);
        lua_pop(L, 1);
        luaL_argcheck(L, n > -1 && n < (double)rest.n + 1, 2, "data string too short");
        size = n > 0 ? (size_t)n : 0;
    }
    lua_pushlstring(L, rest.p, size);
    return size;
}

static size_t push_line(lua_State *L, struct span rest)
{
    const char *end = rest.n ? memchr(rest.p, '\0', rest.n) : NULL;
    if (!end) (void)luaL_error(L, "unfinished string in data");
    lua_pushlstring(L, rest.p, (size_t)(end - rest.p));
    return (size_t)(end - rest.p) + 1;
}

/* Push one value; returns the bytes that it took. @results: values pushed so far, counted on. */
static size_t push_item(struct format *f, const struct item *item, struct span rest, int *results)
{
    const size_t size = item->size;
    switch (item->letter) {
    case 'b':
    case 'h':
    case 'l':
    case 'i': push_integer(f, rest.p, size, true); break;
    case 'B':
    case 'H':
    case 'L':
    case 'T':
    case 'I': push_integer(f, rest.p, size, false); break;
    case 'f':
    case 'd': push_float(f, rest.p, size); break;
    case 'c': {
        const int before = *results;
        if (size > 0 || before == 0) ++*results;
        return push_text(f->L, item, rest, before);
    }
    case 's': ++*results; return push_line(f->L, rest);
    case 'x': return size;
    default: control(f, item->letter); return size;
    }
    ++*results;
    return size;
}

static int unpack(lua_State *L)
{
    struct format f = format_of(L);
    struct item item;
    size_t n;
    const char *data = luaL_checklstring(L, 2, &n);
    const lua_Number from = luaL_optnumber(L, 3, 1);
    int results = 0;
    luaL_argcheck(L, from >= 1 || from < 0, 3, "offset must be 1 or greater");
    luaL_argcheck(L, from >= 1 && from - 1 <= (double)n, 2, "data string too short");
    size_t at = (size_t)from - 1;
    lua_settop(L, 3);
    while (take_item(&f, at, &item)) {
        luaL_argcheck(L, item.pad + item.size <= n - at, 2, "data string too short");
        at += item.pad;
        luaL_checkstack(L, 4, "too many results");
        at += push_item(&f, &item, span_of(data + at, n - at), &results);
    }
    lua_pushnumber(L, (double)(at + 1));
    return results + 1;
}

static int size(lua_State *L)
{
    struct format f = format_of(L);
    struct item item;
    size_t total = 0;
    while (take_item(&f, total, &item)) {
        if (item.letter == 's') (void)luaL_argerror(L, 1, "option 's' has no fixed size");
        if (item.letter == 'c' && item.size == 0) (void)luaL_argerror(L, 1, "option 'c0' has no fixed size");
        if (!isalnum((unsigned char)item.letter)) control(&f, item.letter);
        total += item.pad + item.size;
        if (total > INT_MAX) (void)luaL_error(L, "integral size overflow");
    }
    lua_pushnumber(L, (double)total);
    return 1;
}

int structs_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pack", pack}, {"unpack", unpack}, {"size", size}, {NULL, NULL}};
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    return 1;
}
