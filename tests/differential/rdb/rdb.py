"""RDB files between the codec and Debian's redis-server, in both directions."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib"))
import relevo
import tap

TOOL = os.environ["RDB_TOOL"]


def tool(*arguments):
    """Run the tool; gives the digest that it printed."""
    done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.strip()


def redis_on(directory, **settings):
    """Debian's redis-server on the dump.rdb of a directory."""
    return relevo.start(relevo.REDIS, dir=directory, appendonly="no", **settings)


def test_redis_loads_what_the_codec_writes():
    """Debian's redis-server loads random data that the codec wrote, and holds equal data."""
    for seed in range(1, tap.rounds(4, 40)):
        directory = relevo.temporary_directory()
        ours = tool("make", seed, 12000, os.path.join(directory, "dump.rdb"))
        server = redis_on(directory)
        tap.equal(server.digest(), ours, f"digest of seed {seed}")
        assert server("DBSIZE") > 100
        server.kill()
        server.expected_to_die = True


def test_the_codec_loads_what_redis_writes():
    """The codec loads what Debian's redis-server writes of the same data, with its own encodings and LZF."""
    for seed, compression in ((11, "yes"), (12, "no"), (13, "yes")):
        directory = relevo.temporary_directory()
        path = os.path.join(directory, "dump.rdb")
        tool("make", seed, 12000, path)
        server = redis_on(directory, rdbcompression=compression, list_max_listpack_size="3")
        server("SET", "long", b"relevo " * 3000)
        server("RPUSH", "nodes", *[b"%d" % i for i in range(1000)], b"x" * 20000)
        server("ZADD", "scores", "1e300", "a", "-inf", "b", "0.1", "c", *sum(([i, f"m{i}"] for i in range(500)), []))
        server("SADD", "numbers", *range(-300, 100))
        server("HSET", "fields", *sum(([f"f{i}", "v" * i] for i in range(200)), []))
        server("SAVE")
        tap.equal(tool("digest", path), server.digest(), f"digest of seed {seed}")


tap.main()
