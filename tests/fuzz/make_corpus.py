#!/usr/bin/python3
"""Writes the inputs that Debian's redis-server makes: corpus/rdb/redis_* and corpus/load/redis_*, every encoding that it
writes in a file of its own, small and large forms; and corpus/rdb/hand_*, what only later ones write, byte by byte.

    tests/fuzz/make_corpus.py

The bytes differ a little from run to run (Redis orders its tables by chance); what is committed is one run's."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import rdbfile  # noqa: E402
import relevo  # noqa: E402
import tap  # noqa: E402

# What is in each snapshot: commands, and the settings that they run under.
SMALL = {"hash-max-listpack-entries": 128, "set-max-intset-entries": 128, "zset-max-listpack-entries": 128,
         "list-max-listpack-size": -2, "stream-node-max-entries": 100}
LARGE = {"hash-max-listpack-entries": 2, "set-max-intset-entries": 2, "zset-max-listpack-entries": 2,
         "list-max-listpack-size": 2, "stream-node-max-entries": 2}
SNAPSHOTS = {
    "strings": (SMALL, ["SET s abc", "SET i8 12", "SET i16 -1234", "SET i32 123456789", "SET i64 123456789012345",
                        "SET lzf " + "ab" * 60, "SET long " + "".join(chr(33 + i * 7 % 90) for i in range(100)),
                        "SET ttl x PXAT 1900000000000", "SET ttls y EXAT 1900000000", "SELECT 1", "SET other 1"]),
    "hash_listpack": (SMALL, ["HSET h a 1 b text c -70000 d 1234567890123 e " + "x" * 60]),
    "hash_table": (LARGE, ["HSET h a 1 b text c -70000 d " + "xy" * 70]),
    "set_intset": (SMALL, ["SADD i16 1 2 3", "SADD i32 1 -70000", "SADD i64 5 12345678901"]),
    "set_table": (LARGE, ["SADD ints 1 2 3 4", "SADD words a bb ccc " + "x" * 70]),
    "zset_listpack": (SMALL, ["ZADD z 1 a 2.5 b -inf c inf d 1e300 e -3 55"]),
    "zset_tree": (LARGE, ["ZADD z 1 a 2.5 b -inf c inf d 1e300 e -3 55"]),
    "list_one_node": (SMALL, ["RPUSH l a 1 -70000 12345678901234 " + "x" * 70]),
    "list_nodes": (LARGE, ["RPUSH l a 1 b 2 c 3 d " + "abcd" * 30, "CONFIG SET list-compress-depth 1",
                           "RPUSH c " + " ".join("element" for _ in range(12))]),
    "list_plain_node": (dict(SMALL, **{"list-max-listpack-size": -1}), ["RPUSH l a " + "plain" * 2000 + " b"]),
    "stream": (SMALL, ["XADD x 1-1 f v g 2", "XADD x 1-2 f w g 3", "XADD x 2-1 other fields", "XDEL x 1-2",
                       "XADD empty 5-5 a b", "XDEL empty 5-5"]),
    "stream_groups": (LARGE, ["XADD x 1-1 f v", "XADD x 1-2 f w", "XADD x 2-1 g z", "XGROUP CREATE x g 0",
                              "XREADGROUP GROUP g alice COUNT 2 STREAMS x >", "XGROUP CREATECONSUMER x g bob",
                              "XGROUP CREATE x late $", "XACK x g 1-1"]),
    "hyperloglog": (SMALL, ["PFADD p a b c d e f"]),
    "functions": (SMALL, ["SET k v", "FUNCTION LOAD #!lua name=l\nredis.register_function('f',function() return 1 end)"]),
}


def take_length(data, at):
    """A length, or the kind of an encoded string; gives it, whether it is a kind, and the place behind."""
    kind = data[at] >> 6
    if kind == 0:
        return data[at], False, at + 1
    if kind == 1:
        return (data[at] & 63) << 8 | data[at + 1], False, at + 2
    if kind == 3:
        return data[at] & 63, True, at + 1
    return struct.unpack(">I", data[at + 1:at + 5])[0], False, at + 5


def skip_string(data, at):
    """The place behind a string of an auxiliary field."""
    length, encoded, at = take_length(data, at)
    return at + (1 << length if encoded else length)


def body(data):
    """What stands between a snapshot's header and its end, without the fields that say when it was written."""
    at = 9
    while data[at] == 0xFA:
        at = skip_string(data, skip_string(data, at + 1))
    return data[at:-9]


def run(server, settings, lines):
    """Empty the server, set what the lines need, and run them."""
    server("FLUSHALL")
    server("FUNCTION", "FLUSH")
    for name, value in settings.items():
        server("CONFIG", "SET", name, value)
    for line in lines:
        words = line.split(" ", 2) if line.startswith("FUNCTION") else line.split(" ")
        server(*words)
    server("SELECT", 0)


def put(folder, name, data):
    """Write one input."""
    with open(os.path.join(HERE, "corpus", folder, "redis_" + name), "wb") as f:
        f.write(data)


def read(*parts):
    """All bytes of a file."""
    with open(os.path.join(*parts), "rb") as f:
        return f.read()


def snapshots(server):
    """One input of fuzz_rdb for each kind of snapshot; version 10 in the upper half of its first byte."""
    for name, (settings, lines) in SNAPSHOTS.items():
        run(server, settings, lines)
        server("SAVE")
        data = read(server.dir, "dump.rdb")
        assert data[:9] == b"REDIS0010", data[:9]
        put("rdb", name, bytes([0x90 | (settings is LARGE)]) + body(data))


def by_hand():
    """The input that Debian's redis-server does not write: hashes of Redis 7.4 with fields that expire."""
    fields = [("stays", 5, 0), ("a", "w" * 70, 4102444800000), (300, "v", 4102444799000), ("dead", "x", 1000)]
    file = rdbfile.File(11)
    file.select(0)
    file.key(rdbfile.HASH_TIMED, "table", rdbfile.timed_table(fields))
    file.key(rdbfile.HASH_LISTPACK_TIMED, "pack", rdbfile.timed_listpack(fields))
    for small in (0, 1):
        with open(os.path.join(HERE, "corpus", "rdb", f"hand_timed_hashes_{small}"), "wb") as f:
            f.write(bytes([0xA0 | small]) + file.data[9:])


def directories():
    """Inputs of fuzz_load: a dump, a multi-part log with either kind of base, and a single file of old."""
    for preamble in ("yes", "no"):
        server = relevo.start(relevo.REDIS, appendonly="yes", appendfsync="always", aof_use_rdb_preamble=preamble)
        run(server, SMALL, SNAPSHOTS["hash_listpack"][1] + SNAPSHOTS["stream"][1])
        server("BGREWRITEAOF")
        relevo.wait(lambda s=server: s.info("persistence")["aof_rewrite_in_progress"] == "0" and
                    os.path.exists(os.path.join(s.dir, "appendonlydir", "appendonly.aof.2.incr.aof")),
                    "the log to be rewritten")
        run(server, SMALL, ["SET k v", "INCR n", "EXPIREAT k 1900000000"])
        server("MULTI")
        server("RPUSH", "l", "a", "b")
        server("LPOP", "l")
        server("EXEC")
        log = os.path.join(server.dir, "appendonlydir")
        base, = [n for n in os.listdir(log) if ".base." in n]
        segment = read(log, "appendonly.aof.2.incr.aof")
        put("load", f"base_and_commands_{preamble}", b"a" + read(log, base) + segment)
        if preamble == "yes":
            put("load", "segment", b"i" + segment)
            put("load", "manifest", b"r" + read(log, "appendonly.aof.manifest"))
            server("SAVE")
            put("load", "dump", b"d" + read(server.dir, "dump.rdb"))


def dumps():
    """Inputs of fuzz_dump: those of fuzz_rdb as they are, and the files of commands of fuzz_load under the bit that says so."""
    for name in os.listdir(os.path.join(HERE, "corpus", "rdb")):
        data = read(HERE, "corpus", "rdb", name)
        with open(os.path.join(HERE, "corpus", "dump", name), "wb") as f:
            f.write(bytes([data[0] & 0xF0]) + data[1:])
    for name in ("redis_base_and_commands_no", "redis_base_and_commands_yes", "redis_segment"):
        with open(os.path.join(HERE, "corpus", "dump", name), "wb") as f:
            f.write(b"\2" + read(HERE, "corpus", "load", name)[1:])
    with open(os.path.join(HERE, "corpus", "dump", "hand_batches"), "wb") as f:
        f.write(b"\2#B 0 1 18bcfe56800 1b 00000000\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
                b"#TS:1700000000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n#another\r\n*1\r\n$4\r\nPING\r\n")


def test_make():
    """The corpora are written."""
    by_hand()
    snapshots(relevo.start(relevo.REDIS, appendonly="no"))
    directories()
    dumps()


if __name__ == "__main__":
    tap.main()
