#!/usr/bin/python3
"""Resident memory per element: Relevo beside Debian's redis-server.

    tests/bench/memory.py [--relevo BINARY] [--scale F] [--json]

For each row a fresh server of each kind is filled through one connection, with no log and no snapshot; the figure is the
growth of resident memory (VmRSS) divided by the number of elements.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import resp
import tap

M = 1000000


def strings(value, *options):
    return lambda n: ((b"SET", b"key:%012d" % i, value(i), *options) for i in range(n))


def chunks(command, n, item, size=100):
    for at in range(0, n, size):
        yield command + tuple(w for i in range(at, min(at + size, n)) for w in item(i))


# Name, elements, target ratio, commands.
ROWS = [
    ("1M strings, key 16 B, value 32 B", M, 0.55, strings(lambda i: b"v%031d" % i)),
    ("1M strings, value an integer", M, 0.50, strings(lambda i: b"%d" % (i + 100000))),
    ("1M strings, value 32 B with TTL", M, 0.55, strings(lambda i: b"v%031d" % i, b"EX", b"1000000")),
    ("200k hashes of 5 short fields", M // 5, 0.85,
     lambda n: ((b"HSET", b"key:%012d" % i, *(w for f in range(5) for w in (b"f%d" % f, b"%d" % (i + f)))) for i in range(n))),
    ("one sorted set, 1M members of 16 B", M, 0.50,
     lambda n: chunks((b"ZADD", b"zset"), n, lambda i: (b"%d" % (i * 7919 % n), b"m%015d" % i))),
    ("one set, 1M members of 16 B", M, 0.55, lambda n: chunks((b"SADD", b"set"), n, lambda i: (b"m%015d" % i,))),
    ("one hash, 1M fields 15 B / 15 B", M, 0.60,
     lambda n: chunks((b"HSET", b"hash"), n, lambda i: (b"f%014d" % i, b"v%014d" % i))),
    ("one list, 1M elements of 32 B", M, 1.00, lambda n: chunks((b"RPUSH", b"list"), n, lambda i: (b"v%031d" % i,))),
]


def fill(server, commands):
    """Send the commands in pipelines and check that none fails."""
    with resp.Connection(server.port) as c:
        batch = []

        def flush():
            c.send_raw(b"".join(batch))
            for _ in batch:
                reply = c.read_raw()
                assert reply[:1] != b"-", reply
            batch.clear()
        for words in commands:
            batch.append(resp.encode(words))
            if len(batch) == 500:
                flush()
        flush()


def bytes_per_element(kind, elements, commands):
    server = relevo.start(kind, appendonly="no", save="")
    before = server.memory()
    fill(server, commands)
    grown = server.memory() - before
    server.kill()
    tap._run_closers(False)
    return grown / elements


def measure(scale, say):
    """A row for each kind of data."""
    rows = []
    for name, count, target, commands in ROWS:
        n = int(count * scale)
        ours, theirs = (bytes_per_element(kind, n, commands(n)) for kind in (relevo.RELEVO, relevo.REDIS))
        rows.append({"what": name, "relevo_bytes": round(ours, 1), "redis_bytes": round(theirs, 1),
                     "ratio": round(ours / theirs, 3), "target": target})
        say(name)
    return rows


def show(rows):
    print(f"{'resident bytes per element':38}{'relevo':>9}{'redis':>9}{'ratio':>8}{'at most':>9}")
    for row in rows:
        print(f"{row['what']:38}{row['relevo_bytes']:9.1f}{row['redis_bytes']:9.1f}{row['ratio']:7.2f}x{row['target']:8.2f}x"
              f"{'' if row['ratio'] <= row['target'] else '  missed'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relevo", default=os.path.join(relevo.TOP, "build", "relevo"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the elements to use")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["RELEVO"] = os.path.abspath(options.relevo)
    rows = measure(options.scale, lambda name: None)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        show(rows)


if __name__ == "__main__":
    main()
