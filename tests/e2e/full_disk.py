"""A disk that is full: writes are refused, reads go on, and with space again all that was answered is there.

Each server has a small file system of its own, which a file of zeros fills and frees.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harm
import relevo
import tap

LARGE = "x" * 65536  # more than what is left of the last page of a file


def free(disk):
    os.unlink(os.path.join(disk, "zeros"))


def wait_accepted(server):
    relevo.wait(lambda: server.value("SET", "small", "v") == b"OK", "writes to be accepted")


def stuck_write(server):
    """A client whose write cannot be made durable, and so has no answer."""
    c = server.connect()
    c.send("SET", "stuck", LARGE)
    relevo.wait(lambda: server.info("persistence")["aof_last_write_status"] == "err", "the log to fail")
    return c


def test_writes_are_refused_until_there_is_space():
    """On a full disk writes get MISCONF and reads answers; with space again writes go on, and nothing answered is lost."""
    for policy in ("always", "everysec"):
        disk = relevo.small_disk()
        server = relevo.start(dir=disk, appendfsync=policy)
        for i in range(100):
            tap.equal(server("SET", f"k{i}", f"v{i}"), b"OK")
        harm.fill_disk(disk)
        waiting = stuck_write(server)
        assert server.value("SET", "k0", "changed").startswith(b"MISCONF")
        tap.equal(server("GET", "k99"), b"v99")
        free(disk)
        tap.equal(waiting.read(), b"OK")
        wait_accepted(server)
        tap.equal(server("SET", "after", "1"), b"OK")
        server.value("CONFIG", "SET", "appendfsync", "always")
        tap.equal(server("SET", "last", "1"), b"OK")
        server.kill()
        server.restart()
        tap.equal(server("DBSIZE"), 104)
        tap.equal(server("GET", "k0"), b"v0")
        tap.equal(len(server("GET", "stuck")), len(LARGE))


def test_an_answer_that_cannot_be_kept_is_not_given():
    """A write that waits for a full disk when its node becomes a replica: the connection is closed without an answer."""
    disk, other = relevo.small_disk(), relevo.start()
    server = relevo.start(dir=disk, appendfsync="always")
    harm.fill_disk(disk)
    waiting = stuck_write(server)
    tap.equal(server("REPLICAOF", "127.0.0.1", other.port), b"OK")
    tap.equal(waiting.drain(), b"")
    free(disk)


def test_an_answer_that_waits_comes_although_later_ones_need_not_wait():
    """A write that waits when appendfsync is relaxed is answered when it is durable."""
    disk = relevo.small_disk()
    server = relevo.start(dir=disk, appendfsync="always")
    harm.fill_disk(disk)
    waiting = stuck_write(server)
    tap.equal(server("CONFIG", "SET", "appendfsync", "everysec"), b"OK")
    free(disk)
    tap.equal(waiting.read(), b"OK")


def test_a_promotion_that_fails_leaves_a_replica():
    """A replica with a full disk cannot be promoted, and goes on following."""
    disk, primary = relevo.small_disk(), relevo.start()
    replica = relevo.start_replica(primary, dir=disk)
    harm.fill_disk(disk)
    reply = replica.value("REPLICAOF", "NO", "ONE")
    assert b"Cannot become primary" in reply, reply
    tap.equal(replica("ROLE")[0], b"slave")
    free(disk)
    primary.value("SET", "k", "v")
    relevo.wait_equal_offsets(primary, replica)
    tap.equal(replica.digest(), primary.digest())


tap.main()
