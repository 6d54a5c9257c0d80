#!/usr/bin/python3
"""The log: Relevo beside Debian's redis-server, in the same run.

    tests/bench/durability.py [--relevo BINARY] [--shim LIBRARY] [--rows always,readers,...] [--rounds N] [--scale F] [--json]

rows.py says how rounds become figures. --scale makes the runs shorter, for a first look.

    always       requests per second, appendfsync always, P1 SET, 50 clients, on the disk as it is: no target, but what is
                 possible, which is our own appendfsync no beside redis-server's always
    always-half  the same with every fdatasync slowed alike for both, so that redis-server's always is half of its appendfsync
                 no: the shortest delay of DELAYS_US with which it is, found at the beginning and printed
    always-cost  our requests per second with appendfsync always, beside our own with appendfsync no, 200 clients
    cost-half    the same with the delay of always-half
    readers      p99 of GET by 25 clients while 25 others SET other keys under appendfsync always, every fdatasync being
                 10 ms slower (both servers run under tests/lib/syscall_shim.c)
    everysec     server CPU per request, appendfsync everysec, P16 SET
    log-p16      bytes of the log per SET, P16, 50 clients
    log-p1       bytes of the log per SET, one client, P1
    load-base    start: seconds until PING is answered, 5 million keys of 16 B / 100 B in one RDB file
    load-log     start: seconds to replay 1 GB of small SETs; both read the same directory
    keys-*       P16 SETs on 5 million keys while BGSAVE runs again and again: checkpoint.py measures, and says how
    hash-*       the same with HSETs on the 2 million fields of one hash
                 -rate: requests per second, as a share of those without; -p99: as a multiple of that without;
                 -turn: the longest turn of the loop, of redis-server the fork(); -memory: more resident memory, as a share
"""
import argparse
import functools
import glob
import os
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import checkpoint
import cpu
import relevo
import rows
import tap
from rows import OURS, THEIRS, Row, alternating

SYNC_DELAY_US = 10000
DELAYS_US = [*range(0, 200, 20), *range(200, 2000, 100)]
NO_REWRITE = {"appendonly": "yes", "save": "", "auto_aof_rewrite_percentage": "0"}


def start(kind, **settings):
    """A server with a log of its own that no rewrite disturbs; it ends with the row."""
    return relevo.start(kind, **dict(NO_REWRITE, **settings))


def benchmark(server, clients, pipeline, requests, *words, keys=100000):
    """One run of redis-benchmark: requests per second, p99 in milliseconds."""
    out = subprocess.run(["redis-benchmark", "-p", str(server.port), "-c", str(clients), "-P", str(pipeline), "-n",
                          str(requests), "-r", str(keys), "--csv", *words], check=True, capture_output=True, text=True).stdout
    columns = out.strip().splitlines()[-1].strip('"').split('","')
    return float(columns[-7]), float(columns[-2])


SET = ("SET", "key:__rand_int__", "x" * 32)


def slowed(shim, delay_us):
    """The environment of a server whose every fdatasync takes so much longer."""
    return {"LD_PRELOAD": shim, "SHIM_SYNC_DELAY_US": str(delay_us)}


def set_singly(server, clients, requests):
    """SETs one by one from many clients that do little else (setters.c): requests per second, and the share of a core that
    they used themselves."""
    program = os.path.join(os.path.dirname(os.environ["RELEVO"]), "tests", "bench", "setters")
    out = subprocess.run([program, str(server.port), str(clients), str(requests), "100000", "32"], check=True,
                         capture_output=True, text=True).stdout
    rate, _, share = map(float, out.split())
    return rate, share


def rates(servers, options, rounds, clients, requests):
    """Requests per second of each server; as a note, what the clients need themselves while ours is measured."""
    for number in range(rounds):
        runs = {kind: set_singly(servers[kind], clients, int(requests * options.scale))
                for kind in alternating(servers, number)}
        yield dict({kind: run[0] for kind, run in runs.items()}, load=runs[OURS][1])


def always(options, rounds, environment=None):
    servers = {kind: start(kind, appendfsync="always", environment=environment) for kind in (OURS, THEIRS)}
    servers["possible"] = start(OURS, appendfsync="no", environment=environment)
    yield from rates(servers, options, rounds, 50, 100000)


def always_cost(options, rounds, environment=None):
    """Here the second column is our own server too."""
    servers = {OURS: start(OURS, appendfsync="always", environment=environment),
               THEIRS: start(OURS, appendfsync="no", environment=environment)}
    yield from rates(servers, options, rounds, 200, 200000)


def share_left(shim, scale, delay_us):
    """Of redis-server's requests per second under appendfsync no, the share that is left under always."""
    environment = slowed(shim, delay_us)
    servers = [start(THEIRS, appendfsync=policy, environment=environment) for policy in ("always", "no")]
    pairs = [[set_singly(server, 50, int(100000 * scale))[0] for server in servers] for _ in range(5)]
    for server in servers:
        server.stop()
    return statistics.median(strict / lax for strict, lax in pairs)


@functools.cache
def halving_delay(shim, scale):
    """The shortest delay in microseconds with which redis-server has half left."""
    return next(delay for delay in DELAYS_US if share_left(shim, scale, delay) <= 0.5)


def half(measure_rates):
    """The same servers, each fdatasync slowed until redis-server loses half."""
    def measure(options, rounds):
        delay_us = halving_delay(options.shim, options.scale)
        for figures in measure_rates(options, rounds, slowed(options.shim, delay_us)):
            yield dict(figures, delay=delay_us)
    return measure


def readers(options, rounds):
    environment = slowed(options.shim, SYNC_DELAY_US)
    servers = {kind: start(kind, appendfsync="always", environment=environment) for kind in (OURS, THEIRS)}
    for kind in servers:
        benchmark(servers[kind], 50, 16, 20000, "SET", "other:__rand_int__", "x" * 32, keys=1000)
    for number in range(rounds):
        figures = {}
        for kind in alternating(servers, number):
            writers = subprocess.Popen(["redis-benchmark", "-p", str(servers[kind].port), "-c", "25", "-n", "100000000", "-r",
                                        "100000", "-q", *SET], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                requests = int((400000 if kind == OURS else 20000) * options.scale)
                figures[kind] = benchmark(servers[kind], 25, 1, requests, "GET", "other:__rand_int__", keys=1000)[1]
            finally:
                writers.kill()
                writers.wait()
        yield figures


def everysec(options, rounds):
    servers = {kind: start(kind, appendfsync="everysec") for kind in (OURS, THEIRS)}
    requests = int(2000000 * options.scale)
    for number in range(rounds):
        figures = {}
        for kind in alternating(servers, number):
            before = cpu.cpu_seconds(servers[kind].process.pid)
            benchmark(servers[kind], 50, 16, requests, *SET)
            figures[kind] = (cpu.cpu_seconds(servers[kind].process.pid) - before) * 1e6 / requests
        yield figures


def log_bytes(server):
    return sum(os.path.getsize(f) for f in glob.glob(os.path.join(server.dir, "appendonlydir", "*.incr.aof")))


def bytes_per_write(options, rounds, clients, pipeline, requests):
    servers = {kind: start(kind, appendfsync="no") for kind in (OURS, THEIRS)}
    requests = int(requests * options.scale)
    for number in range(rounds):
        figures = {}
        for kind in alternating(servers, number):
            before = log_bytes(servers[kind])
            benchmark(servers[kind], clients, pipeline, requests, *SET)
            if kind == OURS:
                relevo.wait(lambda: servers[OURS].info("persistence")["aof_buffer_length"] == "0", "the log to be written")
            figures[kind] = (log_bytes(servers[kind]) - before) / requests
        yield figures


def seconds_to_start(server):
    """From the start of the process until PING is answered."""
    begun = time.monotonic()
    server.spawn().ready()
    took = time.monotonic() - begun
    server.kill()
    return took


def load_base(options, rounds):
    theirs = relevo.start(THEIRS, appendonly="no")
    theirs("DEBUG", "POPULATE", int(5000000 * options.scale), "key:0000", 100)
    theirs("SAVE")
    theirs.stop()
    ours = relevo.prepare(OURS, **NO_REWRITE)
    shutil.copy(os.path.join(theirs.dir, "dump.rdb"), ours.dir)
    ours.spawn().ready()
    relevo.wait(lambda: ours.info("persistence")["aof_rewrite_in_progress"] == "0", "the base to be written")
    ours.stop()
    os.unlink(os.path.join(ours.dir, "dump.rdb"))
    servers = {OURS: ours, THEIRS: theirs}
    for number in range(rounds):
        yield {kind: seconds_to_start(servers[kind]) for kind in alternating(servers, number)}


def load_log(options, rounds):
    ours = start(OURS, appendfsync="no")
    size = int((1 << 30) * options.scale)
    while log_bytes(ours) < size:
        benchmark(ours, 50, 64, 500000, *SET, keys=5000000)
    ours.stop()
    theirs = relevo.prepare(THEIRS, **NO_REWRITE)
    shutil.copytree(os.path.join(ours.dir, "appendonlydir"), os.path.join(theirs.dir, "appendonlydir"))
    servers = {OURS: ours, THEIRS: theirs}
    for number in range(rounds):
        yield {kind: seconds_to_start(servers[kind]) for kind in alternating(servers, number)}


CHECKPOINT = [("rate", "P16 requests/s", "x", 0.8, "more"), ("p99", "p99", "x", 1.5, "less"),
              ("turn", "longest turn", "ms", 2.0, "less"), ("memory", "more memory", "x", 0.1, "less")]


@functools.cache
def checkpoints(data, rounds, scale):
    """All figures of one data set: they come out of the same runs."""
    options = argparse.Namespace(scale=scale, pipeline=16)
    return checkpoint.measure(data, options, rounds, cpu.say_progress)


def one_of(data, figure):
    def measure(options, _):
        yield {kind: every[figure] for kind, every in checkpoints(data, options.rounds, options.scale).items()}
    return measure


ROWS = [
    Row("always", "appendfsync always, P1 SET, 50 clients", "requests/s", None, "ratio more", always, short=3),
    Row("always-half", "the same, redis-server loses half to the disk", "requests/s", 1.5, "ratio more", half(always), short=3),
    Row("always-cost", "always beside our own no, P1 SET, 200 clients", "requests/s", 0.9, "ratio more", always_cost, short=3),
    Row("cost-half", "the same, with the delay of always-half", "requests/s", 0.9, "ratio more", half(always_cost), short=3),
    Row("readers", "p99 of other keys' readers, fdatasync + 10 ms", "ms", 1.0, "figure less", readers),
    Row("everysec", "CPU per request, everysec, P16 SET", "us", 0.65, "ratio less", everysec),
    Row("log-p16", "log bytes per SET, P16, 50 clients", "bytes", 1.02, "ratio less",
        lambda o, n: bytes_per_write(o, n, 50, 16, 1000000), 1),
    Row("log-p1", "log bytes per SET, P1, one client", "bytes", 2.2, "ratio less",
        lambda o, n: bytes_per_write(o, n, 1, 1, 50000), 1),
    Row("load-base", "start on 5M keys of 16 B / 100 B", "s", 1 / 1.5, "ratio less", load_base),
    Row("load-log", "replay of a 1 GB log of SETs", "s", 0.5, "ratio less", load_log),
] + [Row(f"{data}-{figure}", f"{what} under checkpoints of {of}", unit, target, f"figure {better}", one_of(data, figure), 1)
     for data, of in (("keys", "5M keys"), ("hash", "a hash")) for figure, what, unit, target, better in CHECKPOINT]


def parse():
    parser = rows.parser(__doc__, ROWS)
    parser.add_argument("--shim", help="syscall_shim.so; default: beside the binary, as meson builds it")
    options = rows.parse(parser, ROWS)
    shim = options.shim or os.path.join(os.path.dirname(os.environ["RELEVO"]), "tests", "lib", "syscall_shim.so")
    if {"always-half", "cost-half", "readers"} & set(options.rows) and not os.path.exists(shim):
        parser.error(f"no library at {shim}: meson compile tests/lib/syscall_shim, or --shim")
    options.shim = os.path.abspath(shim)
    return options


def main():
    rows.run(ROWS, parse())


if __name__ == "__main__":
    main()
