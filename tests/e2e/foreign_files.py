"""Files of every Redis are read; what cannot be read is named, and nothing of it is touched."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import rdbfile
import relevo
import resp
import tap

LIBRARY = b"#!lua name=kept\nredis.register_function('kept_f', function() return 'old' end)\n"


def on_dump(kind, file, **settings):
    """A server of @kind on a directory that holds nothing but this dump.rdb."""
    directory = relevo.temporary_directory()
    file.write(os.path.join(directory, "dump.rdb"))
    if kind == relevo.REDIS:
        settings["appendonly"] = "no"
    return relevo.start(kind, dir=directory, **settings)


def same_data(ours, theirs, what):
    """Both hold the same keys with the same values."""
    for db in (0, 9):
        for server in (ours, theirs):
            server("SELECT", db)
        keys = sorted(theirs("KEYS", "*"))
        tap.equal(sorted(ours("KEYS", "*")), keys, f"keys of database {db}, {what}")
        for key in keys:
            tap.equal(ours("DEBUG", "DIGEST-VALUE", key), theirs("DEBUG", "DIGEST-VALUE", key), f"{key}, {what}")
    tap.equal(ours.digest(), theirs.digest(), what)


def test_old_encodings():
    """Every encoding of RDB versions 6 to 10 is read as redis-server reads it, and stays over a restart."""
    for version in range(6, 11):
        file = rdbfile.old_encodings(version)
        theirs, ours = on_dump(relevo.REDIS, file), on_dump(relevo.RELEVO, file)
        tap.equal(ours("GET", "lzf"), b"a" * 700 + b"tail of the text")
        tap.equal(ours("HGET", "hash:zipmap", "g"), b"w" * 253)
        tap.equal(ours("LRANGE", "list:ziplist", "-2", "-1"), [b"9223372036854775807", b"-9223372036854775808"])
        tap.equal(ours("PEXPIRETIME", "seconds"), 2145916800000)
        same_data(ours, theirs, f"version {version}")
        ours.restart()
        same_data(ours, theirs, f"version {version} after a restart")


def test_new_encodings():
    """The encodings of versions 10 and 11 are read; those of 10 as redis-server reads them."""
    theirs, ours = on_dump(relevo.REDIS, rdbfile.new_encodings(10)), on_dump(relevo.RELEVO, rdbfile.new_encodings(10))
    tap.equal(ours.digest(), theirs.digest())
    later = on_dump(relevo.RELEVO, rdbfile.new_encodings(11))
    tap.equal(sorted(later("SMEMBERS", "set")), [b"5", b"a", b"b" * 100])
    tap.equal(later("XRANGE", "stream:3", "-", "+"), [[b"7-0", [b"f", b"v"]], [b"9-0", [b"f", b"w"]]])
    tap.equal(later("XPENDING", "stream:3", "g"), [1, b"7-0", b"7-0", [[b"consumer", b"1"]]])
    for key in ("hash", "zset", "list", "stream:2"):
        tap.equal(later("DEBUG", "DIGEST-VALUE", key), theirs("DEBUG", "DIGEST-VALUE", key), key)


def test_payloads_of_later_redis():
    """RESTORE takes what DUMP of Redis 7.2 and 7.4 gives, but no kind that is not known, and keeps it over a restart."""
    year_2100 = 4102444800000
    fields = [("stays", "v", 0), ("dies", "w" * 70, year_2100), ("earlier", 5, year_2100 - 300), ("dead", "x", 1000)]
    times = [-1, year_2100, year_2100 - 300, -2]
    ours = relevo.start()
    for key, kind, content in (("table", rdbfile.HASH_TIMED, rdbfile.timed_table(fields)),
                               ("pack", rdbfile.HASH_LISTPACK_TIMED, rdbfile.timed_listpack(fields))):
        ours("RESTORE", key, 0, rdbfile.payload(kind, content, 12))
        ours("RESTORE", key + ":copy", 0, ours("DUMP", key))
    ours("RESTORE", "set", 0, rdbfile.payload(rdbfile.SET_LISTPACK, rdbfile.string(rdbfile.listpack(["a", 5])), 12))
    ours("RESTORE", "text", 0, rdbfile.payload(rdbfile.STRING, rdbfile.string("v"), 12))
    for kind, version, words in ((rdbfile.HASH_LISTPACK_TIMED_PREVIEW, 12, b"Bad data format"),
                                 (rdbfile.HASH_LISTPACK_TIMED, 13, b"DUMP payload version or checksum are wrong")):
        refusal = ours.value("RESTORE", "none", 0, rdbfile.payload(kind, rdbfile.timed_listpack(fields), version))
        tap.equal(refusal, b"ERR " + words)
    for again in (False, True):
        if again:
            ours.restart()
        for key in ("table", "pack", "table:copy", "pack:copy"):
            tap.equal(ours("HPEXPIRETIME", key, "FIELDS", 4, *[field for field, _, _ in fields]), times, key)
            tap.equal(ours("HMGET", key, "stays", "earlier", "dead"), [b"v", b"5", None], key)
            tap.equal(sorted(ours("HKEYS", key)), [b"dies", b"earlier", b"stays"], key)
        tap.equal((sorted(ours("SMEMBERS", "set")), ours("GET", "text")), ([b"5", b"a"], b"v"))


def functions_of(server):
    return server("FUNCTION", "LIST", "WITHCODE")


def given_back(ours):
    """What a redis-server finds on a copy of our directory."""
    ours.stop()
    target = os.path.join(relevo.temporary_directory(), "copy")
    shutil.copytree(ours.dir, target)
    return relevo.start(relevo.REDIS, dir=target)


def test_functions_are_kept():
    """Libraries of functions, in a dump, a base or an append-only file, come back when a redis-server has the directory."""
    for base, more in ((True, False), (True, True), (False, True)):
        redis = relevo.start(relevo.REDIS)
        redis("SET", "k", "v")
        if base:
            redis("FUNCTION", "LOAD", LIBRARY)
            redis("BGREWRITEAOF")
            relevo.wait(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite to end")
        if more:
            redis("FUNCTION", "LOAD", "REPLACE", LIBRARY.replace(b"old", b"new"))
            redis("FUNCTION", "LOAD", LIBRARY.replace(b"kept", b"gone"))
            dump = redis("FUNCTION", "DUMP")
            redis("FUNCTION", "FLUSH")
            redis("FUNCTION", "RESTORE", dump)
            redis("FUNCTION", "DELETE", "gone")
        expected = functions_of(redis)
        assert expected, "no function was loaded"
        redis.stop()
        ours = relevo.start(dir=redis.dir)
        tap.equal(ours("GET", "k"), b"v")
        ours("BGREWRITEAOF")
        relevo.wait(lambda: ours.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite to end")
        ours.restart()
        ours("FLUSHALL")
        ours("SAVE")
        tap.equal(functions_of(given_back(ours)), expected)


def test_what_cannot_be_read_is_named():
    """Modules, previews and versions of others are refused by name, and nothing is touched."""
    module = rdbfile.length(0x0010831051872000)
    cases = []
    for opcode in (rdbfile.MODULE_AUX, 6, 7):
        file = rdbfile.File(10)
        file.raw(bytes([opcode]) + (rdbfile.string("key") if opcode < 8 else b"") + module)
        cases.append((file, "module type 'ABCDEFGHI'"))
    preview = rdbfile.File(10)
    preview.opcode(rdbfile.FUNCTION_PREVIEW, "name", "lua")
    cases += [(preview, "preview of Redis 7.0"),
              (rdbfile.File(12), "RDB version 12 (written by Redis 7.4 or later)"),
              (rdbfile.File(80, "VALKEY"), "RDB version 80 (written by Valkey)"),
              (rdbfile.File(80), "RDB version 80 (written by Valkey)"),
              (rdbfile.File(1, "OTHER"), "not an RDB file")]
    for file, words in cases:
        directory = relevo.temporary_directory()
        file.write(os.path.join(directory, "dump.rdb"))
        relevo.refused(directory, "dump.rdb", re.escape(words))


def old_style(preamble):
    """A directory with a single appendonly.aof: commands, perhaps behind an RDB; and what was sent."""
    directory = relevo.temporary_directory()
    data = rdbfile.old_encodings(9).bytes() if preamble else b""
    data += b"".join(map(resp.encode, (["SELECT", "0"], ["SET", "plain", "1"], ["MULTI"])))
    data += b"".join(map(resp.encode, (["SET", "in", "2"], ["INCR", "plain"], ["EXEC"])))
    return directory, os.path.join(directory, "appendonly.aof"), data


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)


def test_old_style_aof():
    """A single appendonly.aof is loaded, with and without an RDB in front, and becomes a log of ours."""
    for preamble in (False, True):
        directory, path, data = old_style(preamble)
        write(path, data)
        ours = relevo.start(dir=directory)
        tap.equal(ours("MGET", "plain", "in"), [b"2", b"2"])
        tap.equal(ours("EXISTS", "hash:zipmap"), int(preamble))
        ours.restart()
        tap.equal(ours("MGET", "plain", "in"), [b"2", b"2"])


def test_truncated_aof():
    """An AOF that ends within a command or a transaction is loaded up to there, or refused: aof-load-truncated says."""
    for preamble in (False, True):
        directory, path, data = old_style(preamble)
        multi = data.index(b"*1\r\n$5\r\nMULTI")
        for end in (len(data) - 1, data.index(b"*1\r\n$4\r\nEXEC"), multi + 20, multi - 3):
            write(path, data[:end])
            relevo.refused(directory, "appendonly.aof", "byte", "aof-load-truncated", aof_load_truncated="no")
            copy = os.path.join(relevo.temporary_directory(), "copy")
            shutil.copytree(directory, copy)
            ours = relevo.start(dir=copy)
            expected = [None, None] if end < multi else [b"1", None]
            tap.equal(ours("MGET", "plain", "in"), expected, f"cut at {end}")
            theirs = relevo.start(relevo.REDIS, dir=directory)
            same_data(ours, theirs, f"cut at {end}")
            theirs.stop()
            ours.stop()
            shutil.rmtree(os.path.join(directory, "appendonlydir"))


def test_a_truncated_file_in_the_middle():
    """Of several files only the last one may be cut off."""
    redis = relevo.start(relevo.REDIS, auto_aof_rewrite_percentage="0")
    load.fill(redis, 3, 200)
    redis.stop()
    folder = os.path.join(redis.dir, "appendonlydir")
    incr = os.path.join(folder, "appendonly.aof.1.incr.aof")
    with open(os.path.join(folder, "appendonly.aof.manifest"), "a", encoding="ascii") as out:
        out.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    shutil.copy(incr, os.path.join(folder, "appendonly.aof.2.incr.aof"))
    with open(incr, "r+b") as out:
        out.truncate(os.path.getsize(incr) - 2)
    relevo.refused(redis.dir, "appendonly.aof.1.incr.aof", "byte")


tap.main()
