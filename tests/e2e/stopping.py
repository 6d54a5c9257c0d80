"""The way out: SHUTDOWN waits for replicas, can be called off, and says when it comes to nothing; a start that fails says so."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

KINDS = (relevo.RELEVO, relevo.REDIS)
FAILED = b"ERR Errors trying to SHUTDOWN. Check logs."


def primary_with_frozen_replica(kind, **settings):
    """A primary whose replica is stopped by a signal and lacks the last write."""
    if kind == relevo.REDIS:  # it refuses to stop while it writes its first log, and waits 5 s before a snapshot
        settings.update(appendonly="no", repl_diskless_sync_delay=0)
    primary = relevo.start(kind, **settings)
    replica = relevo.start_replica(primary, kind=kind, appendonly="no" if kind == relevo.REDIS else "yes")
    relevo.wait_equal_offsets(primary, replica)
    relevo.freeze(replica)
    primary("SET", "k", "v")
    return primary, replica


def ask_to_stop(primary, *words):
    """A connection that sent SHUTDOWN, once the server waits for its replica."""
    asker = primary.connect()
    asker.send("SHUTDOWN", *words)
    relevo.wait(lambda: "shutdown_in_milliseconds" in primary.info("server"), "the stop to wait for the replica")
    return asker


def test_shutdown_waits_and_is_called_off():
    """SHUTDOWN waits for a replica that is behind; meanwhile reads are served and writes wait; ABORT lets all go on."""
    for kind in KINDS:
        primary, _ = primary_with_frozen_replica(kind, shutdown_timeout=1000)
        asker = ask_to_stop(primary)
        second = primary.connect()
        second.send("SHUTDOWN", "NOW")
        writer = primary.connect()
        # All in one piece: when the first is answered, the server has the second one too.
        writer.send_raw(b"".join(resp.encode(words) for words in (["GET", "k"], ["SET", "k", "later"], ["GET", "k"])))
        tap.equal(writer.read(), b"v")
        tap.equal(primary("GET", "k"), b"v", "a write that waits")
        tap.equal(primary("SHUTDOWN", "ABORT"), b"OK")
        for each in (asker, second):
            tap.equal(each.read(), FAILED)
        tap.equal(writer.read(), b"OK")
        tap.equal(writer.read(), b"later")
        tap.equal(primary.value("SHUTDOWN", "ABORT"), b"ERR No shutdown in progress.")
        assert "shutdown_in_milliseconds" not in primary.info("server")


def test_shutdown_ends_when_the_replica_is_level():
    """SHUTDOWN ends the server with 0 as soon as the replica has all of the log."""
    primary, replica = primary_with_frozen_replica(relevo.RELEVO, shutdown_timeout=1000)
    ask_to_stop(primary)
    replica.process.send_signal(signal.SIGCONT)
    primary.await_exit(0)
    relevo.wait(lambda: replica("GET", "k") == b"v", "the last write to be on the replica")


def test_shutdown_now():
    """SHUTDOWN NOW does not wait for replicas, and neither does a timeout of 0 or one that has run out."""
    for words, timeout in ((["NOW"], 1000), ([], 0), ([], 1)):
        primary, _ = primary_with_frozen_replica(relevo.RELEVO, shutdown_timeout=timeout)
        primary.own().send("SHUTDOWN", *words)
        primary.await_exit(0)


def test_second_signal():
    """A second signal ends the waiting for replicas."""
    primary, _ = primary_with_frozen_replica(relevo.RELEVO, shutdown_timeout=1000)
    primary.process.send_signal(signal.SIGTERM)
    relevo.wait(lambda: "shutdown_in_milliseconds" in primary.info("server"), "the stop to wait for the replica")
    primary.process.send_signal(signal.SIGTERM)
    primary.await_exit(0)


def test_shutdown_that_cannot_save():
    """A snapshot that cannot be written keeps the server up, unless FORCE is said."""
    for kind in KINDS:
        server = relevo.start(kind, dbfilename="dump.rdb")
        os.mkdir(os.path.join(server.dir, "dump.rdb"))
        server("SET", "k", "v")
        tap.equal(server.value("SHUTDOWN", "SAVE"), FAILED)
        tap.equal(server("SET", "k", "w"), b"OK")
        server.own().send("SHUTDOWN", "SAVE", "FORCE")
        server.await_exit(0)


def test_failed_start():
    """A start that fails says why in one line and not that it ends well, and leaves another server's pid file alone."""
    pidfile = os.path.join(relevo.temporary_directory(), "pid")
    server = relevo.start(pidfile=pidfile)
    with open(pidfile, encoding="ascii") as f:
        pid = f.read()
    other = relevo.prepare(pidfile=pidfile, port=server.port).spawn()
    tap.equal(other.await_exit(), 1)
    assert "cannot listen" in other.log() and "bye" not in other.log(), other.log()
    with open(pidfile, encoding="ascii") as f:
        tap.equal(f.read(), pid)
    server.stop()
    assert not os.path.exists(pidfile)
    assert "bye" in server.log(), server.log()


tap.main()
