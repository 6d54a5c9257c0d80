"""used_memory: it tells what the keys take, and comes back to where it was."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import generator
import relevo
import resp
import tap

BATCH = 200
CLOSE_PERCENT = 5


def used(server):
    """What is in use but for the log's memory."""
    memory = server.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_not_counted_for_evict"])


def pipeline(connection, commands):
    """Send commands, read their replies and forget them."""
    for at in range(0, len(commands), BATCH):
        some = commands[at:at + BATCH]
        connection.send_raw(b"".join(resp.encode(c) for c in some))
        for _ in some:
            connection.read_raw()


def content(keys):
    """A data set of all types, small values and large ones."""
    for i in range(keys):
        yield (b"SET", b"string:%08d" % i, b"v" * (10 + i % 200))
        yield (b"SET", b"mortal:%08d" % i, b"v" * 30, b"EX", b"%d" % (10000 + i))
        yield (b"RPUSH", b"list:%d" % (i % 500), b"element %d" % i)
        yield (b"SADD", b"set:%d" % (i % 50), b"member %d" % i)
        yield (b"HSET", b"hash:%d" % (i % 1000), b"field %d" % i, b"%d" % i)
        yield (b"ZADD", b"zset:%d" % (i % 20), b"%d" % (i * 7 % 1000), b"member %d" % i)
        yield (b"SET", b"long:%d" % (i % 100), b"v" * (1000 + i % 5000))


def test_it_tells_what_keys_take():
    """used_memory grows by what MEMORY USAGE says of all keys, within 5 %, and FLUSHALL takes that back."""
    server = relevo.start(appendonly="no")
    with resp.Connection(server.port) as c:
        pipeline(c, list(content(10)))
        server("FLUSHALL")
        before = used(server)
        pipeline(c, list(content(20000)))
        grown = used(server) - before
        keys = server("KEYS", "*")
        told = sum(server("MEMORY", "USAGE", key, "SAMPLES", 0) for key in keys)
    tap.note(f"{len(keys)} keys: used_memory grew by {grown}, MEMORY USAGE tells of {told}")
    assert abs(grown - told) * 100 <= grown * CLOSE_PERCENT, (told, grown)
    server("FLUSHALL", "SYNC")
    relevo.wait(lambda: used(server) - before < grown * CLOSE_PERCENT // 100,
                lambda: f"{used(server)} to fall to {before} nearly, from {before + grown}")


def test_soak():
    """After rounds of random commands of all kinds with a flush behind each, memory is where it was, within 5 %."""
    # The histograms of commands grow with what they have seen.
    server = relevo.start(appendonly="no", save="", latency_tracking="no")
    commands = generator.Generator(1)
    figures = []
    for _ in range(tap.rounds(4, 100)):
        with resp.Connection(server.port) as c:
            for _ in range(25):
                pipeline(c, [commands.next() for _ in range(BATCH)])
        server("FLUSHALL", "SYNC")
        figures.append((used(server), int(server.info("memory")["used_memory_rss"])))
    (start, start_resident), (end, end_resident) = figures[0], figures[-1]
    tap.note(f"used_memory {start} after the first round, {end} after the last; resident {start_resident} and {end_resident}")
    relevo.wait(lambda: used(server) * 100 <= start * (100 + CLOSE_PERCENT),
                lambda: f"{used(server)} to be {start} again: {figures}")


tap.main()
