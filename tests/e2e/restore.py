"""relevo server --restore-until: the data of an earlier moment, in a new lineage, with the newer data kept aside."""
import glob
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harm
import load
import relevo
import tap


def end_of_log(server):
    return int(server.info("replication")["master_repl_offset"])


def marked(server, count, moments):
    """Write @count times, and note behind each write the place in the log."""
    for _ in range(count):
        server("INCR", "counter")
        moments.append(end_of_log(server))


def a_life(keep, retention="0"):
    """A stopped server with two bases between nine writes; and the places behind the writes."""
    server = relevo.start(checkpoint_keep=str(keep), log_retain_bytes=retention)
    moments = []
    for _ in range(2):
        marked(server, 3, moments)
        load.rewrite(server)
    marked(server, 3, moments)
    server.stop()
    return server, moments


def restored(directory, moment):
    """A server on a copy of the directory that was told to begin at @moment; its settings are as usual later."""
    server = relevo.prepare(dir=harm.copy_of(directory))
    server.settings["restore_until"] = moment
    server.spawn().ready()
    server.settings["restore_until"] = None
    return server


def refused(directory, moment, *words, **settings):
    """The start is refused in one line with these words, and no file changed."""
    relevo.refused(harm.copy_of(directory), *words, restore_until=moment, **settings)


def test_every_position():
    """Every place behind a write can be restored, across bases; between two places the earlier one counts."""
    for keep, retention, first in ((5, "0", 2), (0, "1mb", 0)):  # from the first base on; from the log's beginning on
        server, moments = a_life(keep, retention)
        for number in range(first, len(moments)):
            for at in (moments[number], moments[number] + 1) if number + 1 < len(moments) else (moments[number],):
                copy = restored(server.dir, f"@{at}")
                tap.equal(int(copy("GET", "counter")), number + 1, f"offset {at}")
                copy.stop()


def test_a_restored_server_goes_on():
    """A restored server is a primary of a new lineage: it writes, restarts, has replicas, and kept the newer data aside."""
    server, moments = a_life(keep=5)
    copy = restored(server.dir, f"@{moments[3]}")
    tap.equal(copy("INCR", "counter"), 5)
    copy("SET", "new", "1")
    assert "Restored the data of" in copy.log(), copy.log()
    aside = glob.glob(os.path.join(copy.dir, "appendonlydir.salvage-*"))
    tap.equal(len(aside), 1, os.listdir(copy.dir))
    copy.restart()
    tap.equal(copy("MGET", "counter", "new"), [b"5", b"1"])
    replica = relevo.start_replica(copy)
    relevo.wait_equal_offsets(copy, replica)
    tap.equal(replica.digest(), copy.digest())
    replica.stop()
    copy.stop()
    shutil.rmtree(os.path.join(copy.dir, "appendonlydir"))
    shutil.move(aside[0], os.path.join(copy.dir, "appendonlydir"))
    copy.spawn().ready()
    tap.equal(copy("GET", "counter"), b"9", "the data that was kept aside")


def test_redis_reads_what_was_restored():
    """A restored directory is one that a redis-server loads."""
    server, moments = a_life(keep=5)
    copy = restored(server.dir, f"@{moments[4]}")
    copy("SET", "k", "v")
    digest = copy.digest()
    copy.stop()
    tap.equal(relevo.start(relevo.REDIS, dir=copy.dir).digest(), digest)


def annotations(directory):
    """(offset, epoch, time in ms) of every batch in the log's files."""
    found = []
    for path in glob.glob(os.path.join(directory, "appendonlydir", "*.incr.aof")):
        with open(path, "rb") as f:
            found += re.findall(rb"#B ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ", f.read())
    return sorted(tuple(int(number, 16) for number in line) for line in found)


def clock_ms(server):
    seconds, microseconds = server("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


def test_times():
    """A time is given as ISO 8601 or Unix seconds; all up to it is there, and nothing later."""
    server = relevo.start()
    for number in range(1, 6):
        server("SET", "counter", number)
        begun = clock_ms(server)
        relevo.wait(lambda: clock_ms(server) > begun, "another millisecond")
    server.stop()
    batches = annotations(server.dir)
    tap.equal(len(batches), 5)
    for number, (_, _, time_ms) in enumerate(batches, 1):
        for moment in (f"{time_ms / 1000:.3f}", dumped_time(server.dir, time_ms)):
            copy = restored(server.dir, moment)
            tap.equal(copy("GET", "counter"), b"%d" % number, moment)
            copy.stop()
    refused(server.dir, f"{batches[0][2] / 1000 - 5:.3f}", "before the log begins", r"goes from \d{4}-", r"offset 0\)")
    refused(server.dir, "2999-01-01", "future", r"to \d{4}-")


def dumped_time(directory, time_ms):
    """The time as relevo check --dump shows it."""
    status, out, err = relevo.run("check", "--dump", directory)
    tap.equal(status, 0, err)
    times = re.findall(r"^# offset \d+, epoch \d+, (\S+)$", out, re.M)
    wanted = f".{time_ms % 1000:03d}Z"
    return next(t for t in times if t.endswith(wanted))


def test_what_is_not_covered():
    """A moment outside of what is kept is refused, with what is covered; so is a wrong epoch, and no moment at all."""
    server, moments = a_life(keep=1)
    first = min(int(name.split(".")[-3]) for name in os.listdir(os.path.join(server.dir, "appendonlydir"))
                if name.endswith(".incr.aof"))
    assert first > 1, "the first segment is still there"
    refused(server.dir, f"@{moments[0]}", "before what is kept", rf"offset {moments[2]}\)", rf"offset {moments[-1]}\)")
    refused(server.dir, f"@{moments[-1] + 1}", "behind the end", rf"offset {moments[-1]}\)")
    refused(server.dir, f"7:{moments[4]}", "written in epoch 1, not 7")
    refused(server.dir, "2001-01-01T00:00:00Z", "before what is kept")
    refused(server.dir, "yesterday", "is no moment", "2026-11-22T16:30:00Z")
    refused(server.dir, f"@{moments[4]}", "replica of 127.0.0.1 1", replicaof="127.0.0.1 1")
    refused(server.dir, f"@{moments[4]}", "appendonly is no", appendonly="no")
    copy = restored(server.dir, f"1:{moments[4]}")
    tap.equal(copy("GET", "counter"), b"5")
    refused(relevo.temporary_directory(), "@5", "no log of ours")


def test_damage_behind_the_moment():
    """Damage behind the moment does not matter, damage before it is refused."""
    server, moments = a_life(keep=5)
    path = max(glob.glob(os.path.join(server.dir, "appendonlydir", "*.incr.aof")), key=lambda f: int(f.split(".")[-3]))
    with open(path, "r+b") as f:
        data = f.read()
        at = data.rindex(b"counter")
        f.seek(at)
        f.write(b"C")
    copy = restored(server.dir, f"@{moments[-2]}")
    tap.equal(copy("GET", "counter"), b"8")
    with open(path, "r+b") as f:
        f.seek(data.index(b"counter"))
        f.write(b"C")
    refused(server.dir, f"@{moments[-2]}", os.path.basename(path), "byte", "relevo check --fix")


tap.main()
