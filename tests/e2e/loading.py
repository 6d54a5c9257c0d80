"""A start that takes its time: what is told and served meanwhile.

A preloaded library (tests/lib/syscall_shim.c) has reads of the log and of the base linger while a file, the gate, is there.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import load
import relevo
import tap

VALUE, VALUES = "x" * 200000, 400  # the loop turns every 4 MB of a load


def lingering(directory):
    """A server that is about to start on the directory, and the gate."""
    shim = os.environ.get("RELEVO_SHIM")
    if not shim:
        raise tap.Skip("RELEVO_SHIM does not name the built library")
    gate = os.path.join(relevo.temporary_directory(), "gate")
    shim = shutil.copy(shim, os.path.dirname(gate))  # the loader takes a space in a path for the end of it
    with open(gate, "w", encoding="ascii"):
        pass
    environment = {"LD_PRELOAD": shim, "SHIM_READ_GATE": gate, "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    server = relevo.prepare(dir=directory, environment=environment).spawn()
    relevo.wait(server.is_listening, "the server to listen")
    return server, gate


def is_loading(server):
    """What INFO says once some of it is loaded."""
    info = server.info("persistence")
    assert info["loading"] == "1", "it was loaded before it was looked at"
    return info if int(info["loading_loaded_bytes"]) else None


def total_size(directory):
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(directory) for name in names
               if name.endswith((".incr.aof", ".base.rdb")))


def a_life(as_base):
    """A stopped server with 80 MB in its log, or in a base with some log behind it; and its digest."""
    server = relevo.start(rdbcompression="no")
    for number in range(VALUES):
        server("SET", f"key:{number}", VALUE)
    if as_base:
        load.rewrite(server)
        server("SET", "behind", "the base")
    digest = server.digest()
    server.stop()
    return server, digest


def test_progress():
    """While it loads, INFO says how much of how much, and data is not served; at its end all is there."""
    for as_base in (False, True):
        old, digest = a_life(as_base)
        server, gate = lingering(old.dir)
        info = relevo.wait(lambda: is_loading(server), "something to be loaded")
        loaded, total = int(info["loading_loaded_bytes"]), int(info["loading_total_bytes"])
        assert 0 < loaded < total <= total_size(old.dir), info
        assert total >= len(VALUE) * VALUES, info
        tap.equal(float(info["loading_loaded_perc"]), round(loaded * 100 / total, 2))
        assert int(info["loading_eta_seconds"]) >= 0 and int(info["loading_start_time"]) > 0, info
        commands = (("GET", "key:1"), ("SET", "k", "v"), ("DBSIZE",), ("BGREWRITEAOF",))
        for words in commands:
            server.own().send(*words)
        for words in commands:
            reply = server.own().read()
            assert reply.startswith(b"LOADING "), (words, reply)
        relevo.wait(lambda: int(is_loading(server)["loading_loaded_bytes"]) > loaded, "more to be loaded")
        os.unlink(gate)
        server.ready()
        info = server.info("persistence")
        tap.equal((info["loading"], "loading_total_bytes" in info), ("0", False))
        tap.equal(server.digest(), digest)


def test_a_stop_while_it_loads():
    """SIGTERM ends a start in the midst of the replay of its log, and no byte of the data changes."""
    old, digest = a_life(False)
    segment = next(os.path.join(root, name) for root, _, names in os.walk(old.dir) for name in names
                   if name.endswith(".incr.aof"))
    before = relevo.file_digest(segment)
    server, gate = lingering(old.dir)
    relevo.wait(lambda: is_loading(server), "something to be loaded")
    server.forget_connection()
    server.process.terminate()
    server.await_exit(expected=0)
    assert "Loading:" not in server.log().split("stopping...")[1], server.log()
    tap.equal(relevo.file_digest(segment), before)
    os.unlink(gate)
    again = relevo.start(dir=old.dir)
    tap.equal(again.digest(), digest)


tap.main()
