"""Directories go both ways between Relevo and Debian's redis-server."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import resp
import tap


def moved(server, kind, **settings):
    """Stop a server and start one of @kind on a copy of its directory."""
    server.stop()
    target = os.path.join(relevo.temporary_directory(), "copy")
    shutil.copytree(server.dir, target)
    return relevo.start(kind, dir=target, **settings)


def test_redis_reads_our_log():
    """redis-server starts on a directory of ours that holds only a log, with equal data."""
    ours = relevo.start()
    load.fill(ours, 1)
    digest = ours.digest()
    tap.equal(moved(ours, relevo.REDIS).digest(), digest)


def test_redis_reads_base_and_log():
    """redis-server starts on a directory of ours with a base and a log after it, with equal data."""
    ours = relevo.start()
    load.fill(ours, 2)
    ours("BGREWRITEAOF")
    relevo.wait(lambda: ours.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite to end")
    load.fill(ours, 3)
    digest = ours.digest()
    tap.equal(moved(ours, relevo.REDIS).digest(), digest)


def test_redis_reads_our_dump():
    """redis-server loads a dump.rdb of ours, with equal data and expiry times."""
    ours = relevo.start(appendonly="no")
    load.fill(ours, 4)
    ours("SET", "timed", "x", "PXAT", "4102444800123")
    ours("SAVE")
    digest = ours.digest()
    redis = moved(ours, relevo.REDIS, appendonly="no")
    tap.equal(redis.digest(), digest)
    tap.equal(redis("PEXPIRETIME", "timed"), 4102444800123)


def commands_on_large(i, at):
    """The commands with number @i that fill (@at is 0) or change large collections of every type."""
    yield "HSET", "large:h", f"field{i % 20000}", i
    yield "ZADD", "large:z", i % (777 + at), f"member{i % 20000}"
    yield "SREM" if at else "SADD", "large:s", f"member{i * 7 % 20000}"
    yield "RPUSH", "large:l", f"element{i}"
    yield "XADD", "large:x", "*", "field", i
    if at:
        yield "LSET", "large:l", i * 31 % 20000, "changed"
        yield "LPOP", "large:l"
        yield "XREADGROUP", "GROUP", "g", "other", "COUNT", 1, "STREAMS", "large:x", ">"


def write_to_large(connection, at):
    for batch in range(at, at + 20000, 100):
        commands = [c for i in range(batch, batch + 100) for c in commands_on_large(i, at)]
        connection.send_raw(b"".join(resp.encode(c) for c in commands))
        for _ in commands:
            connection.read()


def test_redis_reads_what_was_written_to_meanwhile():
    """redis-server loads a snapshot of large collections that were being written to; it holds what there was before."""
    ours = relevo.start(appendonly="no")
    connection = ours.connect()
    write_to_large(connection, 0)
    ours("XGROUP", "CREATE", "large:x", "g", "0")
    ours("XREADGROUP", "GROUP", "g", "one", "COUNT", 3000, "STREAMS", "large:x", ">")
    digest = ours.digest()
    ours("BGSAVE")
    write_to_large(connection, 20000)
    relevo.wait(lambda: ours.info("persistence")["rdb_bgsave_in_progress"] == "0", "the snapshot to end")
    tap.equal(ours.info("persistence")["rdb_last_bgsave_status"], "ok")
    redis = moved(ours, relevo.REDIS, appendonly="no")
    tap.equal(redis.digest(), digest)


def test_we_read_redis_base_and_log():
    """Relevo starts on a directory that redis-server wrote (base RDB and log), keeps it over restarts, and gives it back."""
    redis = relevo.start(relevo.REDIS)
    load.fill(redis, 5)
    redis("BGREWRITEAOF")
    relevo.wait(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", "the rewrite to end")
    load.fill(redis, 6)
    digest = redis.digest()
    ours = moved(redis, relevo.RELEVO)
    tap.equal(ours.digest(), digest)
    ours("SET", "one", "more")
    digest = ours.digest()
    ours.restart()
    tap.equal(ours.digest(), digest)
    ours.kill()
    ours.restart()
    tap.equal(ours.digest(), digest)
    tap.equal(moved(ours, relevo.REDIS).digest(), digest)


def test_we_read_redis_dump():
    """Relevo starts on a bare dump.rdb of redis-server, compressed strings and all small encodings included."""
    redis = relevo.start(relevo.REDIS, appendonly="no", rdbcompression="yes")
    load.fill(redis, 7, 20000)
    redis("SET", "timed", "x", "PXAT", "4102444800123")
    redis("SAVE")
    digest = redis.digest()
    ours = moved(redis, relevo.RELEVO)
    tap.equal(ours.digest(), digest)
    tap.equal(ours("GET", "long:compressible"), b"abcdefgh" * 5000)
    tap.equal(ours("PEXPIRETIME", "timed"), 4102444800123)
    ours.kill()
    ours.restart()
    tap.equal(ours.digest(), digest)


def test_encodings_of_redis():
    """Every small and large encoding of redis-server's RDB files is read as what it holds."""
    redis = relevo.start(relevo.REDIS, appendonly="no")
    for size in (1, 100, 1000):
        redis("SADD", f"ints16:{size}", *range(size))
        redis("SADD", f"ints32:{size}", *(i * 100000 for i in range(size)))
        redis("SADD", f"ints64:{size}", *(i * 10 ** 15 for i in range(size)))
        redis("SADD", f"words:{size}", *(f"word-{i}" for i in range(size)))
        redis("HSET", f"hash:{size}", *(w for i in range(size) for w in (f"f{i}", -i * 70000)))
        redis("ZADD", f"zset:{size}", *(w for i in range(size) for w in (i * 0.25 - 7, f"m{i}")))
        redis("ZADD", f"bounds:{size}", "-inf", "low", "+inf", "high", *(w for i in range(size) for w in (i, i)))
        redis("RPUSH", f"list:{size}", *(f"element {i} " * 10 for i in range(size)))
        redis("RPUSH", f"numbers:{size}", *(i ** 5 for i in range(size)))
    for value in (0, -1, 127, 128, -129, 32768, 2 ** 31, -2 ** 63, "00", "1e3", ""):
        redis("SET", f"string:{value}", value)
    redis("RPUSH", "plain", b"p" * 100000, b"q" * 10)
    redis("SAVE")
    digest = redis.digest()
    ours = moved(redis, relevo.RELEVO)
    tap.equal(ours.digest(), digest)


def test_equal_digests():
    """The same commands give the same DEBUG DIGEST here and there."""
    ours, theirs = relevo.start(), relevo.start(relevo.REDIS)
    tap.equal(ours.digest(), theirs.digest())
    for server in (ours, theirs):
        server("RPUSH", "list", "a", "b", "a")
        server("ZADD", "zset", "1.5", "a", "-inf", "b")
        server("HSET", "hash", "f", "v")
        server("SADD", "set", "a", "1")
        server("SET", "string", "v", "EX", "10000")
        server("SELECT", "3")
        server("SET", "other", "db")
    tap.equal(ours.digest(), theirs.digest())


tap.main()
