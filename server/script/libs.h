/* Libraries that scripts find beside Lua's own. Each pushes its table, as luaopen_* functions do. */
#pragma once

#include <lua.h>

/* cmsgpack: pack, unpack, unpack_one, unpack_limit. Format: msgpack/spec.md of the MessagePack project, without bin, ext and
 * timestamps, as Redis has it. */
int msgpack_open(lua_State *L);

/* struct: pack, unpack, size. Format strings as the "struct" library for Lua documents them. */
int structs_open(lua_State *L);
