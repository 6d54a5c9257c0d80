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


def known_commands(connection, names):
    """Those of @names that the server knows, and the test's own unknown one."""
    names = sorted(names)
    reply = connection("COMMAND", "INFO", *names)
    return {n for n, row in zip(names, reply) if row is not None} | {"NOSUCHCOMMAND"}


def run(pair, seed, count, known, quiet=True):
    """Run @count commands of @seed; gives None or a report of the first difference."""
    pair.reset()
    source = generator.Generator(seed, known)
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
    pair = servers(relevo.RELEVO, version)
    known = known_commands(pair.connections[0], generator.COMMANDS)
    if names:
        known &= set(names)
    problem = run(pair, seed, count, known)
    assert problem is None, problem[0]


def test_all_commands_are_known():
    """Every command of the first milestone is known."""
    server = relevo.start()
    known = known_commands(server, generator.REQUIRED)
    tap.equal(sorted(set(generator.REQUIRED) - known), [], "unknown commands")


def test_fixed_seeds():
    """The commands of fixed seeds get equal replies and leave equal data."""
    for seed in range(1, 4):
        check(seed, 100000)


def test_streams_in_resp3():
    """Commands on streams get equal replies in RESP3 as well."""
    names = [name for name in generator.COMMANDS if name.startswith("X")] + ["DEL", "COPY", "RENAME", "TYPE"]
    check(5, 30000, 3, names)


def test_fresh_seed():
    """The commands of a fresh seed get equal replies and leave equal data."""
    seed = random.SystemRandom().randrange(1 << 32)
    tap.note(f"seed {seed}")
    check(seed, tap.rounds(300000, 3000000))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--commands", type=int, default=100000)
    parser.add_argument("--only", help="comma-separated names")
    parser.add_argument("--resp3", action="store_true", help="talk RESP3; for commands on streams")
    parser.add_argument("--all", action="store_true", help="go on after a difference, without the command that differed")
    parser.add_argument("--self-test", action="store_true", help="compare redis-server with itself")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    pair = servers(relevo.REDIS if options.self_test else relevo.RELEVO, 3 if options.resp3 else 2)
    known = known_commands(pair.connections[0], generator.COMMANDS)
    unknown = sorted(set(generator.COMMANDS) - known)
    if unknown:
        print("not known to this server: " + " ".join(unknown))
    if options.only:
        known &= set(options.only.upper().split(","))
    begun, differences = time.monotonic(), 0
    for attempt in itertools.count(seed):
        problem = run(pair, attempt, options.commands, known, quiet=False)
        if problem is None:
            break
        differences += 1
        print(problem[0], flush=True)
        if not options.all:
            break
        known -= {problem[1].command[0].decode("latin-1").upper()}
        if problem[1].command[0] == b"DEBUG":
            known -= {c[0].decode("latin-1").upper() for c in pair.history[-1:]}
    print(f"seed {seed}: {options.commands} commands, {differences} differences, {time.monotonic() - begun:.1f} s")
    tap._run_closers(False)
    sys.exit(1 if differences else 0)


if any(a.startswith("--") for a in sys.argv[1:]):
    main()
tap.main()
