#!/usr/bin/python3
"""Random steps of three connections to Relevo and to Debian's redis-server: what one connection does to another.

    tests/differential/sessions.py                        # the suite (TAP)
    tests/differential/sessions.py --seed 7 --steps 20000 # one run

Each step is one command on one of the connections, to both servers; replies must be equal byte for byte in RESP2 and in
RESP3. A difference is printed with its seed and the steps since the connections were new.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import resp
import seeds
import tap
from compare import same_hello, show

KEYS = ["k1", "k2", "k3", "l1", "l2", "h1"]
CONNECTIONS = 3


def key(r):
    return r.choice(KEYS)


# What may be said, with how often.
WRITES = [
    (lambda r: ["SET", key(r), str(r.randrange(100))], 4), (lambda r: ["DEL", key(r)], 2),
    (lambda r: ["INCR", key(r)], 3), (lambda r: ["LPUSH", r.choice(["l1", "l2"]), "x"], 2),
    (lambda r: ["HSET", "h1", "f", "v"], 1), (lambda r: ["EXPIRE", key(r), "100"], 1),
    (lambda r: ["SET", key(r), "v", "PXAT", "1"], 1), (lambda r: ["RENAME", key(r), key(r)], 1),
    (lambda r: ["FLUSHDB"], 1), (lambda r: ["SWAPDB", "0", "1"], 1), (lambda r: ["MOVE", key(r), "1"], 1),
    (lambda r: ["FLUSHALL"], 1), (lambda r: ["SETRANGE", key(r), "2", "yy"], 1), (lambda r: ["TOUCH", key(r)], 1),
    (lambda r: ["RPOPLPUSH", "l1", "l2"], 1), (lambda r: ["PERSIST", key(r)], 1),
]
READS = [
    (lambda r: ["GET", key(r)], 3), (lambda r: ["LRANGE", "l1", "0", "-1"], 1), (lambda r: ["HGETALL", "h1"], 2),
    (lambda r: ["EXISTS", *KEYS], 1), (lambda r: ["PING"], 1), (lambda r: ["ECHO", "e"], 1),
    (lambda r: ["TYPE", key(r)], 1), (lambda r: ["HRANDFIELD", "h1", "1", "WITHVALUES"], 1),
]
TRANSACTIONS = [
    (lambda r: ["MULTI"], 8), (lambda r: ["EXEC"], 9), (lambda r: ["DISCARD"], 2), (lambda r: ["WATCH", key(r)], 4),
    (lambda r: ["WATCH", *r.sample(KEYS, 2)], 2), (lambda r: ["UNWATCH"], 1),
    (lambda r: ["SELECT", r.choice("01")], 2), (lambda r: ["RESET"], 1), (lambda r: ["HELLO", r.choice("23")], 2),
]
MISTAKES = [
    (lambda r: ["NOSUCH", "a", "b"], 1), (lambda r: ["GET"], 1), (lambda r: ["INCR", "l1"], 1),
    (lambda r: ["EXEC", "x"], 1), (lambda r: ["WATCH"], 1), (lambda r: ["SELECT", "99"], 1), (lambda r: ["HELLO", "9"], 1),
    (lambda r: ["CONFIG", "NOSUCH"], 1), (lambda r: ["SAVE", "x"], 1), (lambda r: ["RESET", "x"], 1),
]
MENU = [(make, weight * share) for family, share in ((WRITES, 3), (READS, 3), (TRANSACTIONS, 4), (MISTAKES, 1))
        for make, weight in family]


def run(ours, theirs, seed, steps):
    """@steps random steps; raises Difference."""
    r = random.Random(seed)
    menu, weights = zip(*MENU)
    for server in (ours, theirs):
        server("FLUSHALL")
    pairs = [[server.connect() for server in (ours, theirs)] for _ in range(CONNECTIONS)]
    trace = []
    for _ in range(steps):
        who = r.randrange(CONNECTIONS)
        command = r.choices(menu, weights)[0](r)
        trace.append((who, command))
        raws = []
        for connection in pairs[who]:
            connection.send_raw(resp.encode(command))
            raws.append(same_hello(connection.read_raw()))
        if raws[0] != raws[1]:
            lines = [f"  {n}: {show([w.encode() for w in words])}" for n, words in trace[-40:]]
            raise seeds.Difference(f"seed {seed}:\n" + "\n".join(lines) + f"\n  ours:   {raws[0]!r}\n  theirs: {raws[1]!r}")
    seeds.close(pairs)
    for db in "01":  # what has expired may still be there, or not: reading deletes it
        for server in (ours, theirs):
            server("SELECT", db)
            for name in KEYS:
                server.value("TYPE", name)
    digests = [server("DEBUG", "DIGEST") for server in (ours, theirs)]
    tap.equal(digests[0], digests[1], f"digest after seed {seed}")


def test_kept_seeds():
    """Seeds that are always run."""
    pair = seeds.servers()
    for seed in range(1, 21):
        run(*pair, seed, 1500)


def test_a_fresh_seed():
    """A seed that was never run before, printed if it fails."""
    run(*seeds.servers(), seeds.fresh(), 5000)


seeds.main(run)
