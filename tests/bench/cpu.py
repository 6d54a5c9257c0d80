#!/usr/bin/python3
"""CPU of the server per million requests: Relevo beside Debian's redis-server, in the same run.

    tests/bench/cpu.py [--relevo BINARY] [--requests N] [--rounds N] [--pipeline N] [--clients N] [--size N]
                       [--tests set,get] [--log on|off|both] [--json]

A round measures each server once, in alternating order; both keep running throughout. CPU is user and system time of all
threads of the server process as the kernel accounts them, to the nanosecond, so background threads count. Figures are
medians over the rounds. Keys, fields and members are there before the first round; `zadd` begins every time with an empty
set and adds a new member with each request.
"""
import argparse
import collections
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import memory
import relevo
import tap

LOG_ON = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "auto_aof_rewrite_percentage": "0"}
LOG_OFF = {"appendonly": "no", "save": ""}
NEW = 2147483647  # so many possible members that hardly one comes twice

# The request; what is filled in before the first round (of each key); what is done before each round; random numbers
# below this, or as many as there are keys; the share of the requests that are enough.
Test = collections.namedtuple("Test", "request fill before random share", defaults=(None, None, None, 1))
TESTS = {
    "set": Test("SET key:__rand_int__ __data__", fill="SET key:%012d xxx"),
    "get": Test("GET key:__rand_int__", fill="SET key:%012d xxx"),
    "incr": Test("INCR counter:__rand_int__", fill="SET counter:%012d 0"),
    "lpush": Test("LPUSH list __data__", before="DEL list"),
    "sadd": Test("SADD set element:__rand_int__", fill="SADD set element:%012d"),
    "hset": Test("HSET hash field:__rand_int__ __data__", fill="HSET hash field:%012d xxx"),
    "zadd": Test("ZADD zset __rand_int__ element:__rand_int__", before="DEL zset", random=NEW),
    "lrange": Test("LRANGE numbers 0 99", fill="RPUSH numbers xxx", share=0.1),
}
Run = collections.namedtuple("Run", "test pipeline requests")


def cpu_seconds(pid):
    """User and system seconds of all threads, dead ones included."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9  # what clock_getcpuclockid() gives


def start(log, names, keys):
    """A server of each kind, filled for the tests of these names."""
    servers = {kind: relevo.start(kind, **(LOG_ON if log else LOG_OFF)) for kind in (relevo.RELEVO, relevo.REDIS)}
    for server in servers.values():
        for words in {TESTS[name].fill for name in names if TESTS[name].fill}:
            memory.fill(server, ((words % i if "%" in words else words).encode().split() for i in range(keys)))
    return servers


def benchmark(server, run, options):
    """One run of redis-benchmark: CPU seconds of the server per million requests, and requests per second."""
    test = TESTS[run.test]
    requests = max(1, int(run.requests * test.share))
    size = "x" * options.size
    if test.before:
        server(*test.before.split())
    words = ["redis-benchmark", "-p", str(server.port), "-c", str(options.clients), "-P", str(run.pipeline), "-n",
             str(requests), "-r", str(test.random or options.keys), "--csv"] + test.request.replace("__data__", size).split()
    begun = cpu_seconds(server.process.pid)
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(server.process.pid) - begun
    return used * 1e6 / requests, float(out.strip().splitlines()[-1].rsplit('","', 7)[1])


def row_of(log, run, samples):
    """What is told of one run: @samples has (CPU, rate) of all rounds by kind."""
    ours, theirs = ([statistics.median(column) for column in zip(*samples[kind])] for kind in (relevo.RELEVO, relevo.REDIS))
    return {"log": "on" if log else "off", "command": TESTS[run.test].request, "test": run.test, "pipeline": run.pipeline,
            "relevo_cpu_s": round(ours[0], 3), "redis_cpu_s": round(theirs[0], 3), "cpu_ratio": round(ours[0] / theirs[0], 3),
            "relevo_per_s": round(ours[1]), "redis_per_s": round(theirs[1])}


def measure(log, runs, options, say):
    """All rounds of these runs, with the log on or off; one row for each."""
    servers = start(log, [run.test for run in runs], options.keys)
    samples = [{kind: [] for kind in servers} for run in runs]
    for number in range(options.rounds):
        order = list(servers) if number % 2 == 0 else list(servers)[::-1]
        for run, sample in zip(runs, samples):
            for kind in order:
                sample[kind].append(benchmark(servers[kind], run, options))
            say(f"log {'on' if log else 'off'}, round {number + 1} of {options.rounds}, P{run.pipeline} {run.test}")
    tap._run_closers(False)
    return [row_of(log, run, sample) for run, sample in zip(runs, samples)]


def say_progress(text):
    """One line that is overwritten, for somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def add_common_options(parser):
    """What every bench takes."""
    parser.add_argument("--relevo", default=os.path.join(relevo.TOP, "build", "relevo"))
    parser.add_argument("--json", action="store_true")


def add_options(parser):
    """What measure() takes."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--keys", type=int, default=100000, help="size of the key space")
    parser.add_argument("--size", type=int, default=3, help="bytes of a value")


def check(options):
    """Have what the benches need, or end."""
    if not shutil.which("redis-benchmark"):
        sys.exit("redis-benchmark is missing: deploy/install-deps.sh")
    os.environ["RELEVO"] = os.path.abspath(options.relevo)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    add_common_options(parser)
    parser.add_argument("--pipeline", type=int, default=16)
    parser.add_argument("--tests", default="set,get", help="of " + ",".join(TESTS))
    parser.add_argument("--log", choices=["on", "off", "both"], default="both")
    options = parser.parse_args()
    check(options)
    runs = [Run(test, options.pipeline, options.requests) for test in options.tests.lower().split(",")]
    flags = (f"redis-benchmark -c {options.clients} -P {options.pipeline} -n {options.requests} -r {options.keys}, values of "
             f"{options.size} bytes, {options.rounds} rounds")
    rows = []
    for log in {"on": [True], "off": [False], "both": [True, False]}[options.log]:
        rows += measure(log, runs, options, say_progress)
    say_progress("")
    if options.json:
        print(json.dumps({"flags": flags, "rows": rows}, indent=1))
        return
    print(flags)
    print(f"log on:  {' '.join('--%s %r' % (k.replace('_', '-'), v) for k, v in LOG_ON.items())}")
    print(f"log off: {' '.join('--%s %r' % (k.replace('_', '-'), v) for k, v in LOG_OFF.items())}")
    print("server CPU-seconds per million requests (all threads), medians")
    print(f"{'':8}{'log':6}{'relevo':>9}{'redis':>9}{'ratio':>8}   {'relevo/s':>10}{'redis/s':>10}")
    for row in rows:
        print(f"{row['test'].upper():8}{row['log']:6}{row['relevo_cpu_s']:9.3f}{row['redis_cpu_s']:9.3f}"
              f"{row['cpu_ratio']:7.2f}x   {row['relevo_per_s']:10}{row['redis_per_s']:10}")


if __name__ == "__main__":
    main()
