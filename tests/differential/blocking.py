#!/usr/bin/python3
"""Random steps of clients that wait for keys, to Relevo and to Debian's redis-server: who is served what, and when.

    tests/differential/blocking.py                        # the suite (TAP)
    tests/differential/blocking.py --seed 7 --steps 20000 # one run

Some connections wait (BLPOP and its sisters, XREAD BLOCK ...), in RESP2 and RESP3, others write, alone and in transactions. After each
step everything that arrived on any connection must be equal byte for byte on both servers. Whether a command waits is asked
of the server (CLIENT LIST); that what it set free has been answered is known when a PING has been, which was sent after its
own answer. A difference is printed with its seed and the steps before it.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import seeds
import tap
from compare import same_hello, show

WAITERS, WRITERS = 6, 2
LISTS, ZSETS, STREAMS = ["l1", "l2", "l3"], ["z1", "z2"], ["s1", "s2"]
ANY = LISTS + ZSETS + STREAMS + ["d"]


def some(r, keys):
    return r.sample(keys, r.choice([1, 1, 1, 2, len(keys)]))


def end(r):
    return r.choice(["LEFT", "RIGHT"])


def timeout(r):
    return r.choice(["0"] * 30 + ["-1", "x", "1e30", "inf", "100.5", "", "0x20"])


def counted(r):
    return r.choice([[], [], ["COUNT", r.choice(["1", "2", "3"])]])


def g_blmpop(r):
    keys = some(r, LISTS)
    return ["BLMPOP", timeout(r), str(len(keys)), *keys, end(r), *counted(r)]


def g_bzmpop(r):
    keys = some(r, ZSETS)
    return ["BZMPOP", timeout(r), str(len(keys)), *keys, r.choice(["MIN", "MAX"]), *counted(r)]


def g_xread(r):
    keys = some(r, STREAMS)
    ids = [r.choice(["$", "$", "$", f"{r.randrange(400)}-1"]) for _ in keys]
    return ["XREAD", *counted(r), "BLOCK", r.choice(["0"] * 9 + ["-1", "100000"]), "STREAMS", *keys, *ids]


def g_xreadgroup(r):
    keys = some(r, STREAMS)
    ids = [r.choice([">"] * 9 + ["0"]) for _ in keys]
    return ["XREADGROUP", "GROUP", r.choice("gh"), r.choice("cd"), *counted(r), "BLOCK", "0",
            *r.choice([[], [], ["NOACK"]]), "STREAMS", *keys, *ids]


WAITS = [
    (lambda r: ["BLPOP", *some(r, LISTS), timeout(r)], 5), (lambda r: ["BRPOP", *some(r, LISTS), timeout(r)], 4),
    (lambda r: ["BLMOVE", r.choice(LISTS), r.choice(LISTS + ["d"]), end(r), end(r), timeout(r)], 4),
    (lambda r: ["BRPOPLPUSH", r.choice(LISTS), r.choice(LISTS + ["d"]), timeout(r)], 2), (g_blmpop, 4),
    (lambda r: ["BZPOPMIN", *some(r, ZSETS), timeout(r)], 3), (lambda r: ["BZPOPMAX", *some(r, ZSETS), timeout(r)], 3),
    (g_bzmpop, 3), (g_xread, 5), (g_xreadgroup, 5), (lambda r: ["HELLO", r.choice("23")], 2),
    (lambda r: ["MULTI"], 2), (lambda r: ["EXEC"], 5),
]
WRITES = [
    (lambda r: [r.choice(["LPUSH", "RPUSH"]), r.choice(LISTS), *[f"v{r.randrange(100)}" for _ in range(r.choice([1, 1, 2, 5]))]], 9),
    (lambda r: ["ZADD", r.choice(ZSETS), *[w for _ in range(r.choice([1, 1, 2, 4])) for w in (str(r.randrange(9)), r.choice("abcdef"))]], 6),
    (lambda r: ["XADD", r.choice(STREAMS), "{id}", "f", "v"], 8),
    (lambda r: ["XGROUP", "CREATE", r.choice(STREAMS), r.choice("gh"), r.choice(["$", "0"]), "MKSTREAM"], 4),
    (lambda r: ["XGROUP", "DESTROY", r.choice(STREAMS), r.choice("gh")], 1),
    (lambda r: ["DEL", *some(r, r.keys)], 2), (lambda r: ["SET", r.choice(r.keys), "v"], 1),
    (lambda r: ["RENAME", r.choice(r.keys), r.choice(r.keys)], 1), (lambda r: ["COPY", r.choice(r.keys), r.choice(r.keys)], 1),
    (lambda r: ["LMOVE", r.choice(LISTS + ["d"]), r.choice(LISTS), end(r), end(r)], 2),
    (lambda r: ["PEXPIREAT", r.choice(r.keys), "1"], 1), (lambda r: ["EXPIRE", r.choice(r.keys), "100"], 1),
    (lambda r: ["LPOP", r.choice(LISTS)], 1), (lambda r: ["ZPOPMIN", r.choice(ZSETS)], 1),
    (lambda r: ["MOVE", r.choice(r.keys), "1"], 1), (lambda r: ["MULTI"], 4), (lambda r: ["EXEC"], 5),
]
# Not in transactions. What Redis answers to a reader of a stream whose new entries are gone again is an empty list of entries;
# ours goes on waiting. And which of several streams comes first that were deleted and made again in one transaction is not
# the same; after FLUSHALL it is chance in Redis.
OUTSIDE = [
    (lambda r: ["FLUSHALL"], 2),
    (lambda r: ["XTRIM", r.choice(STREAMS), "MAXLEN", "1"], 1),
    (lambda r: ["CLIENT", "UNBLOCK", "{client}", *r.choice([[], ["TIMEOUT"], ["ERROR"]])], 3),
    (lambda r: ["CLIENT", "KILL", "ID", "{client}"], 1), (lambda r: ["SELECT", "0"], 1),
]


class Side:
    """One server and the connections to it."""

    def __init__(self, server):
        self.server = server
        self.control = server.connect()
        self.control("FLUSHALL")
        self.connections = [None] * (WAITERS + WRITERS)
        self.ids = [None] * (WAITERS + WRITERS)
        for n in range(WAITERS + WRITERS):
            self.renew(n)

    def renew(self, n):
        if self.connections[n]:
            self.connections[n].close()
        self.connections[n] = self.server.connect()
        self.ids[n] = self.connections[n]("CLIENT", "ID")

    def is_blocked(self, n):
        return b" flags=b " in self.control("CLIENT", "LIST", "ID", str(self.ids[n]))

    def arrived(self, n):
        """What came for a connection, without waiting; None if it is closed."""
        connection = self.connections[n]
        connection.socket.setblocking(False)
        try:
            while True:
                piece = connection.socket.recv(1 << 16)
                if not piece:
                    return None
                connection.data += piece
        except BlockingIOError:
            pass
        except ConnectionResetError:
            return None
        connection.socket.settimeout(60)
        raw, connection.at = bytes(connection.data[connection.at:]), len(connection.data)
        return raw

    def step(self, n, words):
        """Send a command; returns whether it waits, and what arrived on each connection."""
        self.connections[n].send(*[w.replace("{client}", str(self.ids[self.target])) for w in words])
        own, waits = b"", False
        while not own and not waits:
            waits = self.is_blocked(n)
            own = self.arrived(n)
        self.control("PING")
        others = [self.arrived(m) for m in range(len(self.connections))]
        others[n] = own + others[n]
        return waits, [raw and same_hello(raw) for raw in others]


class Run:
    """Both servers, and what their connections are doing."""

    def __init__(self, ours, theirs, seed):
        self.random = random.Random(seed)
        self.seed = seed
        self.sides = [Side(ours), Side(theirs)]
        self.blocked, self.queueing = set(), set()
        self.trace = []
        self.serial = 0

    def choose(self):
        r = self.random
        free = [n for n in range(WAITERS + WRITERS) if n not in self.blocked]
        n = r.choice(free)
        r.keys = [k for k in ANY if n not in self.queueing or k not in STREAMS]
        menu = WAITS if n < WAITERS else WRITES if n in self.queueing else WRITES + OUTSIDE
        words = r.choices([m for m, _ in menu], [w for _, w in menu])[0](r)
        self.serial += 1
        for side in self.sides:
            side.target = self.serial * 7 % WAITERS
        return n, [w.replace("{id}", f"{self.serial}-1") for w in words]

    def step(self):
        n, words = self.choose()
        self.trace.append((n, words))
        (waits, raws), theirs = (side.step(n, words) for side in self.sides)
        if (waits, raws) != theirs:
            lines = [f"  {m}: {show([w.encode() for w in w_])}" for m, w_ in self.trace[-60:]]
            differ = [f"  to {m}:\n    ours:   {a!r}\n    theirs: {b!r}" for m, (a, b) in enumerate(zip(raws, theirs[1])) if a != b]
            raise seeds.Difference("\n".join([f"seed {self.seed}:", *lines, f"  waits: {waits}, {theirs[0]}", *differ]))
        if words[0] in ("MULTI", "EXEC"):
            (self.queueing.add if words[0] == "MULTI" else self.queueing.discard)(n)
        for m, raw in enumerate(raws):
            if raw is None:
                for side in self.sides:
                    side.renew(m)
                self.queueing.discard(m)
            if raw is None or raw:
                self.blocked.discard(m)
        if waits:
            self.blocked.add(n)
        return bool(waits)

    def finish(self):
        for side in self.sides:
            for connection in side.connections:
                connection.close()
        asked = [["DEBUG", "DIGEST"], *[["XINFO", "GROUPS", s] for s in STREAMS],
                 *[["XPENDING", s, g] for s in STREAMS for g in "gh"]]
        for words in asked:
            answers = [side.control.value(*words) for side in self.sides]
            tap.equal(answers[0], answers[1], f"{words} after seed {self.seed}")


def run(ours, theirs, seed, steps):
    """@steps random steps; raises Difference."""
    one = Run(ours, theirs, seed)
    waits = sum(one.step() for _ in range(steps))
    one.finish()
    assert waits > steps // 20, f"only {waits} of {steps} steps waited"


def test_kept_seeds():
    """Seeds that are always run."""
    pair = seeds.servers()
    for seed in range(1, 9):
        run(*pair, seed, 1000)


def test_a_fresh_seed():
    """A seed that was never run before, printed if it fails."""
    run(*seeds.servers(), seeds.fresh(), 3000)


seeds.main(run)
