"""A disk that is slow: who waits for it, and who does not.

A preloaded library (tests/lib/syscall_shim.c) holds every sync back while a file, the gate, is there.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import disk_gate
import relevo
import tap


def test_who_is_served_waits_for_the_disk():
    """Under appendfsync always what a blocked client is given does not leave before it is durable that it was taken."""
    server, gate = disk_gate.gated(appendfsync="always")
    server("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    waiters = [disk_gate.asked(server, *words.split()) for words in
               ("BLPOP l 0", "BLMOVE l m LEFT RIGHT 0", "BZPOPMIN z 0", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
                "XREAD BLOCK 0 STREAMS s $", "BLPOP never 0")]
    late = server.connect()
    number = late("CLIENT", "ID")
    disk_gate.ask(server, late, "BRPOP", "l", "0")
    gate.shut()
    writers = [disk_gate.asked(server, *words.split()) for words in ("RPUSH l 1 2", "ZADD z 1 m", "XADD s 1-1 f v")]
    other = server.connect()
    tap.equal(other("CLIENT", "UNBLOCK", number), 1)  # that there is nothing depends on what was taken
    tap.equal(other("PING"), b"PONG")
    tap.equal([disk_gate.has_answer(c) for c in waiters + [late] + writers], [False] * 10)
    gate.open()
    tap.equal([c.read() for c in waiters[:5]], [[b"l", b"1"], b"2", [b"z", b"m", b"1"], [[b"s", [[b"1-1", [b"f", b"v"]]]]],
                                                [[b"s", [[b"1-1", [b"f", b"v"]]]]]])
    tap.equal([c.read() for c in writers], [2, 1, b"1-1"])
    tap.equal(late.read(), None)


def test_waitaof_waits_for_the_disk():
    """WAITAOF is answered when the connection's writes are on the disk, or its time is over."""
    server, gate = disk_gate.gated()
    client, timely = server.connect(), server.connect()
    gate.shut()
    client("SET", "k", "v")
    timely("SET", "k", "w")
    tap.equal(timely("WAITAOF", "1", "0", "30"), [0, 0])
    client.send("WAITAOF", "1", "0", "0")
    relevo.wait(lambda: server.info("clients")["blocked_clients"] == "1", "the client to wait")
    tap.equal(disk_gate.has_answer(client), False)
    gate.open()
    tap.equal(client.read(), [1, 0])


def test_only_who_depends_on_a_write_waits_for_it():
    """Under appendfsync always a read waits for the writes under way to its keys, absent ones included, and for no others."""
    server, gate = disk_gate.gated(appendfsync="always")
    server("MSET", "changed", "old", "deleted", "x", "other", "1")
    server("HSET", "hash", "field", "1")
    gate.shut()
    writes = [disk_gate.asked(server, "SET", "changed", "new"), disk_gate.asked(server, "DEL", "deleted"), disk_gate.asked(server, "HDEL", "hash", "field")]
    waiting = [disk_gate.asked(server, "GET", "changed"), disk_gate.asked(server, "EXISTS", "deleted"), disk_gate.asked(server, "HLEN", "hash"),
               disk_gate.asked(server, "MGET", "other", "changed"), disk_gate.asked(server, "DBSIZE"), disk_gate.asked(server, "RANDOMKEY"),
               disk_gate.asked(server, "LPUSH", "changed", "wrong type")]
    tap.equal(server("GET", "other"), b"1")
    tap.equal(server("STRLEN", "never-there"), 0)
    tap.equal(server("PING"), b"PONG")
    tap.equal([disk_gate.has_answer(c) for c in writes + waiting], [False] * 10)
    gate.open()
    tap.equal([c.read() for c in writes], [b"OK", 1, 1])
    replies = [c.read() for c in waiting]
    tap.equal(replies[:5], [b"new", 0, 0, [b"1", b"new"], 2])
    assert bytes(replies[6]).startswith(b"WRONGTYPE"), replies


def test_replies_keep_their_order():
    """On one connection a read that need not wait comes behind the write before it that must."""
    server, gate = disk_gate.gated(appendfsync="always")
    server("SET", "other", "1")
    gate.shut()
    c = disk_gate.asked(server, "SET", "k", "v")
    disk_gate.ask(server, c, "GET", "other")
    tap.equal(disk_gate.has_answer(c), False)
    gate.open()
    tap.equal([c.read(), c.read()], [b"OK", b"1"])


def test_everysec_promises_no_more_than_the_disk_keeps():
    """Under everysec writes are answered at once; once the oldest unsynced byte is older than log-unsynced-max-ms they wait."""
    server, gate = disk_gate.gated(appendfsync="everysec", log_unsynced_max_ms="100")
    server("SET", "k", "0")
    gate.shut()
    tap.equal(server("SET", "k", "1"), b"OK")
    relevo.wait(lambda: server.info("persistence")["relevo_log_late"] == "1", "the disk to be late")
    assert int(server.info("persistence")["relevo_log_unsynced_ms"]) > 100
    waiting = disk_gate.asked(server, "SET", "k", "2")
    tap.equal(server("GET", "k"), b"2", "a read does not wait")
    tap.equal(disk_gate.has_answer(waiting), False)
    gate.open()
    tap.equal(waiting.read(), b"OK")
    relevo.wait(lambda: server.info("persistence")["relevo_log_late"] == "0", "the disk to have caught up")
    assert "The disk is slow" in server.log() and "The disk has caught up" in server.log()


def test_everysec_without_a_bound():
    """With log-unsynced-max-ms 0 writes are answered however slow the disk is, and INFO tells its age."""
    server, gate = disk_gate.gated(appendfsync="everysec", log_unsynced_max_ms="0")
    gate.shut()
    tap.equal(server("SET", "k", "1"), b"OK")
    relevo.wait(lambda: int(server.info("persistence")["relevo_log_unsynced_ms"]) > 500, "the log to wait")
    tap.equal(server("SET", "k", "2"), b"OK")
    tap.equal(server.info("persistence")["relevo_log_late"], "0")


def test_a_change_of_policy_does_not_wait():
    """CONFIG SET appendfsync is answered although the disk is not, and what waited waits on."""
    server, gate = disk_gate.gated(appendfsync="always")
    gate.shut()
    waiting = disk_gate.asked(server, "SET", "k", "1")
    tap.equal(server("CONFIG", "SET", "appendfsync", "everysec"), b"OK")
    tap.equal(server("SET", "k", "2"), b"OK")
    tap.equal(disk_gate.has_answer(waiting), False)
    gate.open()
    tap.equal(waiting.read(), b"OK")


def test_what_waits_for_the_disk_is_bounded():
    """When much waits for the disk, clients that write are read no further; reads go on, and in the end all is answered."""
    server, gate = disk_gate.gated(appendfsync="everysec", log_unsynced_max_ms="0")
    server("SET", "other", "1")
    gate.shut()
    value, writers = "x" * (8 << 20), []

    def choked():
        return server.info("persistence")["relevo_log_choked"] == "1"
    while not writers or disk_gate.has_answer(writers[-1]):
        assert len(writers) < 100, "800 MB were taken"
        c = server.connect()
        c.send("SET", f"big:{len(writers)}", value)
        writers.append(c)
        relevo.wait(lambda: disk_gate.has_answer(writers[-1]) or choked(), "an answer, or that no more is taken")
    assert int(server.info("persistence")["aof_buffer_length"]) < 160 << 20
    tap.equal([server("GET", "other"), server("PING")], [b"1", b"PONG"])
    gate.open()
    tap.equal([c.read() for c in writers], [b"OK"] * len(writers))
    tap.equal(server("DBSIZE"), len(writers) + 1)


tap.main()
