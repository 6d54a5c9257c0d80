"""A disk that is slow: who waits for it, and who does not.

A preloaded library (tests/lib/syscall_shim.c) holds every sync back while a file, the gate, is there.
"""
import os
import select
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import tap


class Gate:
    """Holds syncs back while it is shut."""

    def __init__(self):
        self.path = os.path.join(relevo.temporary_directory(), "gate")

    def shut(self):
        with open(self.path, "w", encoding="ascii"):
            pass

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


def gated(**settings):
    """A server, and the gate before its syncs; it is open when the test ends."""
    shim = os.environ.get("RELEVO_SHIM")
    if not shim:
        raise tap.Skip("RELEVO_SHIM does not name the built library")
    gate = Gate()
    shim = shutil.copy(shim, os.path.dirname(gate.path))  # the loader takes a space in a path for the end of it
    environment = {"LD_PRELOAD": shim, "SHIM_SYNC_GATE": gate.path, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    server = relevo.start(environment=environment, **settings)
    tap.closing(lambda failed: gate.open())
    return server, gate


def has_answer(connection):
    """Whether bytes have come. What a turn of the server's loop has released stands there before the next turn's."""
    return bool(select.select([connection.socket], [], [], 0)[0])


def calls(server, word):
    """How many of a command the server has executed."""
    return int(server.info("commandstats").get("cmdstat_" + word.lower(), "calls=0").split(",")[0].split("=")[1])


def ask(server, connection, *words):
    """Send a request, and wait until the server has executed it."""
    before = calls(server, words[0])
    connection.send(*words)
    relevo.wait(lambda: calls(server, words[0]) > before, f"{words} to be executed")
    return connection


def asked(server, *words):
    """The same on a connection of its own."""
    return ask(server, server.connect(), *words)


def test_only_who_depends_on_a_write_waits_for_it():
    """Under appendfsync always a read waits for the writes under way to its keys, absent ones included, and for no others."""
    server, gate = gated(appendfsync="always")
    server("MSET", "changed", "old", "deleted", "x", "other", "1")
    server("HSET", "hash", "field", "1")
    gate.shut()
    writes = [asked(server, "SET", "changed", "new"), asked(server, "DEL", "deleted"), asked(server, "HDEL", "hash", "field")]
    waiting = [asked(server, "GET", "changed"), asked(server, "EXISTS", "deleted"), asked(server, "HLEN", "hash"),
               asked(server, "MGET", "other", "changed"), asked(server, "DBSIZE"), asked(server, "RANDOMKEY"),
               asked(server, "LPUSH", "changed", "wrong type")]
    tap.equal(server("GET", "other"), b"1")
    tap.equal(server("STRLEN", "never-there"), 0)
    tap.equal(server("PING"), b"PONG")
    tap.equal([has_answer(c) for c in writes + waiting], [False] * 10)
    gate.open()
    tap.equal([c.read() for c in writes], [b"OK", 1, 1])
    replies = [c.read() for c in waiting]
    tap.equal(replies[:5], [b"new", 0, 0, [b"1", b"new"], 2])
    assert bytes(replies[6]).startswith(b"WRONGTYPE"), replies


def test_replies_keep_their_order():
    """On one connection a read that need not wait comes behind the write before it that must."""
    server, gate = gated(appendfsync="always")
    server("SET", "other", "1")
    gate.shut()
    c = asked(server, "SET", "k", "v")
    ask(server, c, "GET", "other")
    tap.equal(has_answer(c), False)
    gate.open()
    tap.equal([c.read(), c.read()], [b"OK", b"1"])


def test_everysec_promises_no_more_than_the_disk_keeps():
    """Under everysec writes are answered at once; once the oldest unsynced byte is older than log-unsynced-max-ms they wait."""
    server, gate = gated(appendfsync="everysec", log_unsynced_max_ms="100")
    server("SET", "k", "0")
    gate.shut()
    tap.equal(server("SET", "k", "1"), b"OK")
    relevo.wait(lambda: server.info("persistence")["relevo_log_late"] == "1", "the disk to be late")
    assert int(server.info("persistence")["relevo_log_unsynced_ms"]) > 100
    waiting = asked(server, "SET", "k", "2")
    tap.equal(server("GET", "k"), b"2", "a read does not wait")
    tap.equal(has_answer(waiting), False)
    gate.open()
    tap.equal(waiting.read(), b"OK")
    relevo.wait(lambda: server.info("persistence")["relevo_log_late"] == "0", "the disk to have caught up")
    assert "The disk is slow" in server.log() and "The disk has caught up" in server.log()


def test_everysec_without_a_bound():
    """With log-unsynced-max-ms 0 writes are answered however slow the disk is, and INFO tells its age."""
    server, gate = gated(appendfsync="everysec", log_unsynced_max_ms="0")
    gate.shut()
    tap.equal(server("SET", "k", "1"), b"OK")
    relevo.wait(lambda: int(server.info("persistence")["relevo_log_unsynced_ms"]) > 500, "the log to wait")
    tap.equal(server("SET", "k", "2"), b"OK")
    tap.equal(server.info("persistence")["relevo_log_late"], "0")


def test_a_change_of_policy_does_not_wait():
    """CONFIG SET appendfsync is answered although the disk is not, and what waited waits on."""
    server, gate = gated(appendfsync="always")
    gate.shut()
    waiting = asked(server, "SET", "k", "1")
    tap.equal(server("CONFIG", "SET", "appendfsync", "everysec"), b"OK")
    tap.equal(server("SET", "k", "2"), b"OK")
    tap.equal(has_answer(waiting), False)
    gate.open()
    tap.equal(waiting.read(), b"OK")


def test_what_waits_for_the_disk_is_bounded():
    """When much waits for the disk, clients that write are read no further; reads go on, and in the end all is answered."""
    server, gate = gated(appendfsync="everysec", log_unsynced_max_ms="0")
    server("SET", "other", "1")
    gate.shut()
    value, writers = "x" * (8 << 20), []

    def choked():
        return server.info("persistence")["relevo_log_choked"] == "1"
    while not writers or has_answer(writers[-1]):
        assert len(writers) < 100, "800 MB were taken"
        c = server.connect()
        c.send("SET", f"big:{len(writers)}", value)
        writers.append(c)
        relevo.wait(lambda: has_answer(writers[-1]) or choked(), "an answer, or that no more is taken")
    assert int(server.info("persistence")["aof_buffer_length"]) < 160 << 20
    tap.equal([server("GET", "other"), server("PING")], [b"1", b"PONG"])
    gate.open()
    tap.equal([c.read() for c in writers], [b"OK"] * len(writers))
    tap.equal(server("DBSIZE"), len(writers) + 1)


tap.main()
