/* Numbers of the RDB format: what rdb.c writes and rdb_load.c reads.
 *
 * Source: the files that Redis 7.0 and 7.2 write, and the format's description in their rdb.h. */
#pragma once

/* What stands before a key, or instead of one. */
enum rdb_opcode {
    RDB_FUNCTION2 = 245,
    RDB_FUNCTION_PREVIEW = 246,
    RDB_MODULE_AUX = 247,
    RDB_IDLE = 248,
    RDB_FREQ = 249,
    RDB_AUX = 250,
    RDB_RESIZEDB = 251,
    RDB_EXPIRETIME_MS = 252,
    RDB_EXPIRETIME = 253,
    RDB_SELECTDB = 254,
    RDB_EOF = 255,
};

/* How a value is laid out. */
enum rdb_kind {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3,
    RDB_HASH = 4,
    RDB_ZSET_2 = 5,
    RDB_MODULE_PREVIEW = 6,
    RDB_MODULE_2 = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14,
    RDB_STREAM_LISTPACKS = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18,
    RDB_STREAM_LISTPACKS_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_LISTPACKS_3 = 21,
    /* Redis 7.4: hashes with fields that expire. */
    RDB_HASH_TIMED = 24,
    RDB_HASH_LISTPACK_TIMED = 25,
};

/* Nodes of a QUICKLIST_2. */
enum { RDB_NODE_PLAIN = 1, RDB_NODE_PACKED = 2 };

/* A length: the upper two bits of its first byte say how it goes on. */
enum { RDB_LEN_6 = 0x00, RDB_LEN_14 = 0x40, RDB_LEN_32 = 0x80, RDB_LEN_64 = 0x81, RDB_LEN_SPECIAL = 0xC0 };

/* A string that begins with a special length. */
enum { RDB_INT8 = 0xC0, RDB_INT16 = 0xC1, RDB_INT32 = 0xC2, RDB_LZF = 0xC3 };
