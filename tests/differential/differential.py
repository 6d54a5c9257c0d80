#!/usr/bin/python3
"""The same random commands to Relevo and to Debian's redis-server: replies and data must be equal.

    differential.py                            the suite: TAP
    differential.py --seed 7 --commands 100000 one run; prints a minimal trace of the first difference
    differential.py --only ZADD,ZRANGE         only these commands
    differential.py --all                      go on after a difference, without the command that differed

RELEVO names the binary. A run's seed is printed; the same seed gives the same commands.
"""
import argparse
import itertools
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import compare
import generator
import relevo
import resp
import tap

DIGEST_EVERY = 2000


def servers(ours, version=2):
    """Both servers, and a pair of connections to them."""
    options = {"appendonly": "no"}
    a = relevo.start(ours, **options)
    b = relevo.start(relevo.REDIS, **options)
    pair = compare.Pair(resp.Connection(a.port), resp.Connection(b.port))
    if version == 3:
        pair.both([b"HELLO", b"3"])
    return pair


# Groups of Redis's commands that this test is about, and commands of other groups that change or show data.
GROUPS = {"generic", "string", "list", "set", "sorted-set", "hash", "bitmap", "hyperloglog", "geo", "stream"}
MORE = {"DBSIZE", "FLUSHALL", "FLUSHDB", "MEMORY|USAGE", "RESTORE-ASKING", "SELECT", "SWAPDB", "ECHO", "PING"}
# Commands of those groups that are compared elsewhere, or not yet there.
ELSEWHERE = {
    "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN": "blocking.py",
    "MIGRATE": "needs a second server",
    "WAIT": "tests/e2e/replication.py",
    "PFSELFTEST OBJECT|HELP XGROUP|HELP XINFO|HELP": "test_commands_without_choice",
}


def scope(connection):
    """The names of redis-server's commands, and of their subcommands, that this test is about."""
    names = set(MORE)
    docs = connection("COMMAND", "DOCS")
    for name, facts in zip(docs[::2], docs[1::2]):
        facts = dict(zip(facts[::2], facts[1::2]))
        if facts[b"group"].decode() in GROUPS:
            names |= {n.decode().upper() for n in facts.get(b"subcommands", [name])[::2]}
    elsewhere = {name for group in ELSEWHERE for name in group.split()}
    assert elsewhere <= names, elsewhere - names
    return names - elsewhere


def check_known(pair):
    """Fail if either server does not know a command that is generated, but for the test's own unknown one."""
    names = sorted(set(generator.COMMANDS) - {"NOSUCHCOMMAND"})
    for connection, kind in zip(pair.connections, ("relevo", "redis-server")):
        unknown = [n for n, row in zip(names, connection("COMMAND", "INFO", *names)) if row is None]
        assert not unknown, f"{kind} does not know {' '.join(unknown)}"


def run(pair, seed, count, names=None, quiet=True):
    """Run @count commands of @seed, all or those of @names; gives None or a report of the first difference."""
    pair.reset()
    source = generator.Generator(seed, names)
    done, begun = 0, time.monotonic()
    while done < count:
        commands = [source.next() for _ in range(min(DIGEST_EVERY, count - done))]
        try:
            pair.run(commands)
            pair.compare_data()
        except compare.Difference as difference:
            return report(pair, seed, difference)
        done += len(commands)
        if not quiet and sys.stderr.isatty():
            print(f"\r{done} of {count} commands, {done / (time.monotonic() - begun):.0f}/s", end="", file=sys.stderr)
    return None


def report(pair, seed, difference):
    """A difference with its seed and a minimal trace."""
    before = list(pair.history)
    trace, last = compare.minimise(pair, before)
    last = last or difference
    lines = [f"seed {seed}: {compare.show(last.command)}", f"  relevo: {last.ours!r}", f"  redis:  {last.theirs!r}",
             f"  trace of {len(trace)} commands:"]
    lines += ["    " + compare.show(c) for c in trace[-40:]]
    return "\n".join(line[:600] for line in lines), last


def check(seed, count, version=2, names=None):
    """Run a seed; fail on a difference. Gives the names of commands that succeeded."""
    pair = servers(relevo.RELEVO, version)
    check_known(pair)
    problem = run(pair, seed, count, names)
    assert problem is None, problem[0]
    return {name.decode("latin-1") for name in pair.succeeded}


def test_every_command():
    """Fixed seeds: every command that is shared is generated, succeeds, gets equal replies and leaves equal data."""
    succeeded = set()
    for seed in range(1, 5):
        succeeded |= check(seed, 150000)
    missing = scope(relevo.start(relevo.REDIS)) - succeeded
    assert not missing, "never succeeded: " + " ".join(sorted(missing))


def test_fresh_seed():
    """The commands of a fresh seed get equal replies and leave equal data."""
    seed = random.SystemRandom().randrange(1 << 32)
    tap.note(f"seed {seed}")
    check(seed, tap.rounds(400000, 10000000))


def test_resp3():
    """In RESP3 too every command gets equal replies: maps, sets, doubles, nulls, pairs."""
    check(5, 100000, 3)
    names = [name for name in generator.COMMANDS if name.startswith("X")] + ["DEL", "COPY", "RENAME", "TYPE"]
    check(5, 30000, 3, names)
    seed = random.SystemRandom().randrange(1 << 32)
    tap.note(f"seed {seed}")
    check(seed, tap.rounds(50000, 2000000), 3)


def test_commands_without_choice():
    """PFSELFTEST finds nothing wrong, and HELP answers lines, on both servers."""
    pair = servers(relevo.RELEVO)
    tap.equal(pair.both([b"PFSELFTEST"]), [b"OK", b"OK"])
    for container in (b"OBJECT", b"XGROUP", b"XINFO"):
        for reply in pair.both([container, b"HELP"]):
            assert isinstance(reply, list) and len(reply) > 4, reply


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--commands", type=int, default=100000)
    parser.add_argument("--only", help="comma-separated names")
    parser.add_argument("--resp3", action="store_true", help="talk RESP3")
    parser.add_argument("--all", action="store_true", help="go on after a difference, without the command that differed")
    parser.add_argument("--self-test", action="store_true", help="compare redis-server with itself")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    pair = servers(relevo.REDIS if options.self_test else relevo.RELEVO, 3 if options.resp3 else 2)
    check_known(pair)
    names = set(options.only.upper().split(",")) if options.only else set(generator.COMMANDS)
    assert names <= set(generator.COMMANDS), f"not generated: {names - set(generator.COMMANDS)}"
    begun, differences = time.monotonic(), 0
    for attempt in itertools.count(seed):
        problem = run(pair, attempt, options.commands, names, quiet=False)
        if problem is None:
            break
        differences += 1
        print(problem[0], flush=True)
        if not options.all:
            break
        names -= {problem[1].command[0].decode("latin-1").upper()}
        if problem[1].command[0] == b"DEBUG":
            names -= {c[0].decode("latin-1").upper() for c in pair.history[-1:]}
    print(f"seed {seed}: {options.commands} commands, {differences} differences, {time.monotonic() - begun:.1f} s")
    tap._run_closers(False)
    sys.exit(1 if differences else 0)


if any(a.startswith("--") for a in sys.argv[1:]):
    main()
tap.main()
