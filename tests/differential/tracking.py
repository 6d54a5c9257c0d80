#!/usr/bin/python3
"""Random steps of connections that track keys, to Relevo and to Debian's redis-server.

    tests/differential/tracking.py                        # the suite (TAP)
    tests/differential/tracking.py --seed 7 --steps 20000 # one run

A step is a command, or a few in one go, on one connection; then every connection is pinged, so that all it was told meanwhile
has come. That must be equal, in whatever order replies and messages came within the step (redis-server 7.0 tells a client of
its own write before the reply), and the keys of a broadcast in whatever order they were gathered.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import seeds
import tap
from compare import show

KEYS = ["a1", "a2", "b1", "b2", "ab"]
CONNECTIONS = 4


def key(r):
    return r.choice(KEYS)


def tracking(r):
    """CLIENT TRACKING with options that mostly fit."""
    words = ["CLIENT", "TRACKING", r.choice(["ON", "ON", "ON", "OFF", "MAYBE"])]
    if r.random() < 0.4:
        words.append("BCAST")
        for prefix in r.sample(["a", "b", "", "ab", "a1"], r.choice([0, 1, 1, 2])):
            words += ["PREFIX", prefix]
    elif r.random() < 0.4:
        words.append(r.choice(["OPTIN", "OPTOUT"]))
    if r.random() < 0.4:
        words.append("NOLOOP")
    if r.random() < 0.05:
        words += r.choice([["PREFIX", "x"], ["OPTIN"], ["NOSUCH"], ["PREFIX"], ["REDIRECT", "x"], ["REDIRECT", "999999"]])
    return words


def one(*choices):
    """Steps of one command."""
    return [((lambda r, make=make: [make(r)]), weight) for make, weight in choices]


MENU = one(
    (lambda r: ["GET", key(r)], 10), (lambda r: ["MGET", *r.sample(KEYS, 2)], 4), (lambda r: ["EXISTS", key(r)], 1),
    (lambda r: ["SET", key(r), "v"], 8), (lambda r: ["DEL", *r.sample(KEYS, 2)], 3),
    (lambda r: ["MSET", "a1", "1", "b2", "2"], 2), (lambda r: ["RENAME", key(r), key(r)], 2),
    (lambda r: ["PEXPIREAT", key(r), "1"], 1), (lambda r: ["FLUSHDB"], 1), (lambda r: ["SELECT", r.choice("01")], 1),
    (lambda r: ["COPY", key(r), key(r), "REPLACE"], 1), (tracking, 6), (lambda r: ["CLIENT", "TRACKINGINFO"], 3),
    (lambda r: ["CLIENT", "GETREDIR"], 1), (lambda r: ["HELLO", r.choice("2333")], 1), (lambda r: ["RESET"], 1)) + [
    (lambda r: [["CLIENT", "CACHING", r.choice(["YES", "NO", "x"])], ["GET", key(r)]], 4),
    (lambda r: [["CLIENT", "CACHING", "YES"], ["MULTI"], ["GET", "a1"], ["GET", "b1"], ["EXEC"]], 1),
    (lambda r: [["MULTI"], ["GET", key(r)], ["SET", key(r), "v"], ["EXEC"]], 2),
    (lambda r: [["SET", key(r), "1"], ["SET", key(r), "2"], ["GET", key(r)]], 2),
]


def comparable(raw):
    """A reply or a message as it is compared."""
    if raw[:1] == b">" and raw.count(b"$") > 2:
        head, array = resp.decode(raw)[0]
        return b"%s %s" % (head, b",".join(sorted(array)))
    if b"$6\r\nserver" in raw:
        return b"hello" + raw[:1]
    return raw


def heard(connection):
    """All that comes up to the answers to two PINGs: the first may be answered in the turn whose end tells of broadcasts."""
    out = []
    for _ in range(2):
        connection.send_raw(resp.encode(["PING"]))
        out.append(None)
        while out[-1] != b"+PONG\r\n":
            out.append(comparable(connection.read_raw()))
    return sorted(raw for raw in out if raw not in (None, b"+PONG\r\n"))


def run(ours, theirs, seed, steps):
    """@steps random steps; raises Difference."""
    r = random.Random(seed)
    menu, weights = zip(*MENU)
    pairs = [[server.connect() for server in (ours, theirs)] for _ in range(CONNECTIONS)]
    ours("FLUSHALL")
    theirs("FLUSHALL")
    for pair in pairs:
        for connection in pair:
            connection("HELLO", "3")
    trace = []
    for _ in range(steps):
        who = r.randrange(CONNECTIONS)
        commands = r.choices(menu, weights)[0](r)
        trace.append((who, commands))
        for connection in pairs[who]:
            connection.send_raw(b"".join(map(resp.encode, commands)))
        for each in [who] + [i for i in range(CONNECTIONS) if i != who]:
            told = [heard(connection) for connection in pairs[each]]
            if told[0] != told[1]:
                lines = [f"  {n}: {show([w.encode() for w in words])}" for n, step in trace[-40:] for words in step]
                raise seeds.Difference(f"seed {seed}:\n" + "\n".join(lines) +
                                 f"\n  connection {each} heard of ours:   {told[0]!r}\n  of theirs: {told[1]!r}")
    seeds.close(pairs)


def test_kept_seeds():
    """Seeds that are always run."""
    pair = seeds.servers()
    for seed in range(1, 11):
        run(*pair, seed, 1000)


def test_a_fresh_seed():
    """A seed that was never run before, printed if it fails."""
    run(*seeds.servers(), seeds.fresh(), 3000)


def told(server, *commands):
    """What a RESP2 connection that is subscribed to a channel hears when another one redirects to it."""
    listener, tracker = server.connect(), server.connect()
    listener("SUBSCRIBE", "__redis__:invalidate")
    number = [line for line in server("CLIENT", "LIST").decode().splitlines() if " psub=0 " in line and " sub=1 " in line]
    tracker("CLIENT", "TRACKING", "ON", "REDIRECT", number[0].split()[0][3:])
    for words in commands:
        tracker(*words.split())
    listener.send("PING")
    out = []
    while not out or out[-1] != [b"pong", b""]:
        out.append(listener.read())
    redirected = tracker("CLIENT", "GETREDIR") > 0
    listener.close()
    relevo.wait(lambda: " sub=1 " not in server("CLIENT", "LIST").decode(), "the listener's end")
    tracker("HELLO", "3")
    tracker("GET", "k")
    server("SET", "k", "w")
    return out[:-1], redirected, tracker.read(), sorted(map(bytes, tracker("CLIENT", "TRACKINGINFO")[1]))


def test_redirection():
    """Another connection is told instead, as a message in RESP2; when it is gone, that is told."""
    ours, theirs = (told(server, "SET k v", "GET k", "SET k w", "FLUSHALL") for server in seeds.servers())
    ours[2][1], theirs[2][1] = (isinstance(n, int) for n in (ours[2][1], theirs[2][1]))
    tap.equal(ours, theirs)


def test_the_table_is_bounded():
    """Beyond tracking-table-max-keys a key is taken out and told as if it had changed."""
    server = relevo.start(tracking_table_max_keys="100")
    c = server.connect()
    c("HELLO", "3")
    c("CLIENT", "TRACKING", "ON")
    c.send_raw(b"".join(resp.encode(["GET", f"k{i}"]) for i in range(1000)))
    messages = 0
    replies = 0
    while replies < 1000 or messages < 900:
        raw = c.read_raw()
        if raw[:1] == b">":
            messages += 1
        else:
            replies += 1
    info = server.info("stats")
    tap.equal((info["tracking_total_keys"], info["tracking_total_items"]), ("100", "100"))
    c.close()
    relevo.wait(lambda: server.info("stats")["tracking_total_keys"] == "0", "the table to be emptied")


seeds.main(run)
