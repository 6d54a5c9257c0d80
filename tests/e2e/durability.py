"""Under appendfsync always no reply leaves before the fdatasync of what it acknowledges has returned.

A preloaded library (tests/lib/syscall_shim.c) records every write to a file or a socket and every fsync, in order. All
clients count up the same counter, so each reply ":N" names the write that it acknowledges: the N-th INCR in the log.
"""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap


def traced(policy, delay_us=0):
    """A server that records its system calls, and the path of the record."""
    shim = os.environ.get("RELEVO_SHIM")
    if not shim:
        raise tap.Skip("RELEVO_SHIM does not name the built library")
    directory = relevo.temporary_directory()
    shim = shutil.copy(shim, directory)  # the loader takes a space in a path for the end of it
    trace = os.path.join(directory, "trace")
    environment = {"LD_PRELOAD": shim, "SHIM_TRACE": trace, "SHIM_SYNC_DELAY_US": str(delay_us),
                   "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    return relevo.start(appendfsync=policy, environment=environment), trace


def count_up(server, clients, rounds, pipeline):
    """INCR from many clients, several requests under way in each."""
    connections = [server.connect() for _ in range(clients)]
    request = resp.encode(["INCR", "c"]) * pipeline
    for _ in range(rounds):
        for c in connections:
            c.send_raw(request)
        for c in connections:
            for _ in range(pipeline):
                assert isinstance(c.read(), int)
    return clients * rounds * pipeline


def log_files(server):
    folder = os.path.join(server.dir, "appendonlydir")
    return {os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".aof")}


def increments(path):
    """Where in the log each INCR ends."""
    with open(path, "rb") as f:
        data = f.read()
    return [m.end() for m in re.finditer(rb"\*2\r\n\$4\r\nincr\r\n\$1\r\nc\r\n", data, re.IGNORECASE)]


def early_replies(trace, path, ends, begin):
    """Replies that left while their INCR was not on disk, and how many replies were seen."""
    with open(trace, encoding="latin-1") as f:
        events = sorted((int(line.split(" ", 1)[0]), line.rstrip("\n").split(" ")[1:]) for line in f)
    written, synced, begun = begin, begin, {}
    early, seen = [], 0
    for _, event in events:
        if event[0] == "file" and event[3] == path:
            written += int(event[2])
        elif event[0] == "sync-begin" and event[2] == path:
            begun[event[1]] = written
        elif event[0] == "sync-end" and event[3] == path:
            assert event[2] == "0", event
            synced = max(synced, begun[event[1]])
        elif event[0] == "socket":
            data = bytes.fromhex(event[3])
            for match in re.finditer(rb":(\d+)\r\n", data if data.startswith(b":") else b""):  # INFO has such lines too
                number = int(match.group(1))
                seen += 1
                if ends[number - 1] > synced:
                    early.append(number)
    return early, seen


def replies_left_early(policy, delay_us):
    server, trace = traced(policy, delay_us)
    paths = log_files(server)
    path = max((p for p in paths if p.endswith(".incr.aof")), key=os.path.getmtime)
    total = count_up(server, 8, 40, 1) + count_up(server, 8, 5, 20)
    server.stop()
    ends = increments(path)
    tap.equal(len(ends), total, "INCRs in the log")
    # The record begins with the process, so it holds every byte of the file that was not there before it.
    early, seen = early_replies(trace, path, ends, 0)
    assert seen >= total, f"only {seen} of {total} replies in the record"
    return early


def test_no_reply_before_its_sync():
    """Under appendfsync always no reply leaves before its fdatasync returned."""
    early = replies_left_early("always", 0)
    tap.equal(early[:10], [], f"{len(early)} replies left early")


def test_no_reply_before_a_slow_sync():
    """The same on a disk whose fdatasync takes 5 ms."""
    early = replies_left_early("always", 5000)
    tap.equal(early[:10], [], f"{len(early)} replies left early")


def test_the_record_can_tell():
    """Under appendfsync everysec the same record does show replies that left before a sync: the check can fail."""
    assert replies_left_early("everysec", 0), "no early reply was seen"


tap.main()
