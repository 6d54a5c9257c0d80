#!/usr/bin/python3
"""Hit ratio of a full cache on a Zipf trace: Relevo beside Debian's redis-server, by policy.

    tests/bench/hitratio.py [--relevo BINARY] [--requests N] [--keys N] [--resident N] [--skew F] [--json]

Each server is a cache: GET, and on a miss SET. The trace, the same for all, draws keys from a Zipf distribution whose ranks
are exchanged in the middle of the trace, so that a policy must forget too. maxmemory is set so that the server holds about
--resident of the keys, whatever it needs for one: what is compared is the choice of keys, not the memory for one. The ratio
is taken over the second half of each half of the trace, when the cache is full. Of the LRU policy one figure more is printed:
what an exact LRU list of the same size would have reached.
"""
import argparse
import bisect
import collections
import itertools
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

POLICIES = ("allkeys-lru", "allkeys-lfu", "allkeys-random")
VALUE = b"v" * 500
BATCH = 50


def trace(options):
    """Key numbers of all requests."""
    draw = random.Random(options.seed)
    sums = list(itertools.accumulate(1 / (rank + 1) ** options.skew for rank in range(options.keys)))
    order = list(range(options.keys))
    for half in range(2):
        draw.shuffle(order)
        for _ in range(options.requests // 2):
            yield order[bisect.bisect_left(sums, draw.random() * sums[-1])]


def counted(i, requests):
    """Whether request @i lies in the second half of its half."""
    quarter = requests // 4
    return i // quarter in (1, 3)


def limit_for(server, resident):
    """Set maxmemory so that @resident keys fit: fill, look, empty."""
    with resp.Connection(server.port) as c:
        for at in range(0, resident, BATCH):
            c.send_raw(b"".join(resp.encode((b"SET", b"key:%010d" % i, VALUE)) for i in range(at, at + BATCH)))
            for _ in range(BATCH):
                c.read_raw()
    info = server.info("memory")
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    server("FLUSHALL")
    server("CONFIG", "SET", "maxmemory", used)


class Cache:
    """One server that is asked."""

    def __init__(self, kind, policy, resident):
        self.server = relevo.start(kind, appendonly="no", maxmemory_policy=policy)
        limit_for(self.server, resident)
        self.connection = resp.Connection(self.server.port)
        self.hits = self.total = 0

    def ask(self, names, count):
        c = self.connection
        c.send_raw(b"".join(resp.encode((b"GET", n)) for n in names))
        missed = [n for n in names if c.read_raw()[:3] == b"$-1"]
        if count:
            self.hits += len(names) - len(missed)
            self.total += len(names)
        if not missed:
            return
        c.send_raw(b"".join(resp.encode((b"SET", n, VALUE)) for n in missed))
        for _ in missed:
            reply = c.read_raw()
            assert reply == b"+OK\r\n", reply


def play(policy, options, keys):
    """Both servers in turns, batch by batch, so that the same time passes for both: kind -> (hit ratio, keys held)."""
    caches = {kind: Cache(kind, policy, options.resident) for kind in (relevo.RELEVO, relevo.REDIS)}
    for at in range(0, options.requests, BATCH):
        names = [b"key:%010d" % k for k in keys[at:at + BATCH]]
        for cache in caches.values():
            cache.ask(names, counted(at, options.requests))
    result = {kind: (cache.hits / cache.total, cache.server("DBSIZE")) for kind, cache in caches.items()}
    tap._run_closers(False)
    return result


def exact_lru(requests, keys, size):
    """What a list in the order of use reaches with @size keys."""
    held, hits, total = collections.OrderedDict(), 0, 0
    for i, k in enumerate(keys):
        hit = k in held
        held[k] = True
        held.move_to_end(k)
        if len(held) > size:
            held.popitem(last=False)
        if counted(i, requests):
            hits += hit
            total += 1
    return hits / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--relevo")
    parser.add_argument("--requests", type=int, default=1000000)
    parser.add_argument("--keys", type=int, default=100000)
    parser.add_argument("--resident", type=int, default=20000)
    parser.add_argument("--skew", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policies", type=lambda s: s.split(","), default=POLICIES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.relevo:
        os.environ["RELEVO"] = options.relevo
    keys = list(trace(options))
    rows = []
    for policy in options.policies:
        row = {"policy": policy}
        for kind, (ratio, held) in play(policy, options, keys).items():
            row[kind], row[kind + " keys"] = ratio, held
        if policy.endswith("lru"):
            row["exact"] = exact_lru(options.requests, keys, row[relevo.RELEVO + " keys"])
        rows.append(row)
        if not options.json:
            exact = f", exact {row['exact']:.4f}" if "exact" in row else ""
            print(f"{policy:16} relevo {row[relevo.RELEVO]:.4f} ({row[relevo.RELEVO + ' keys']} keys), "
                  f"redis-server {row[relevo.REDIS]:.4f} ({row[relevo.REDIS + ' keys']} keys){exact}", flush=True)
    if options.json:
        print(json.dumps(rows))


try:
    main()
finally:
    tap._run_closers(False)
