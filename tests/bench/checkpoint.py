#!/usr/bin/python3
"""A load while checkpoints are written one after the other: Relevo beside Debian's redis-server, in the same run.

    tests/bench/checkpoint.py [--relevo BINARY] [--data keys,hash] [--rounds N] [--scale F] [--pipeline N] [--json]

Two data sets: 5 million keys of 16 B with values of 100 B, and one hash of 2 million fields. redis-benchmark overwrites
random keys (fields) from 50 clients, once without and once while BGSAVE begins again whenever it has ended; the log is on
in both. For each kind of server:

    rate      requests per second with checkpoints, as a share of those without
    p99       99th percentile of latency with, as a multiple of that without
    turn      the longest turn of Relevo's loop in milliseconds, as server/turn.h measures it: the thread's own CPU time plus
              its waits, without what the machine took away; of redis-server, the time of its fork()
    memory    resident memory at its peak with checkpoints beyond its peak without, as a share of that (both under the load, which
              needs memory for the log); of redis-server, what its child copied on top

cpu is the CPU time of the server's main thread per request with checkpoints, as a multiple of that without: it tells
something on a busy machine too.
"""
import argparse
import collections
import json
import statistics
import subprocess
import threading
import time

import cpu  # first: it knows where the library is
import memory
import relevo
import resp
import tap

SETTINGS = {"appendonly": "yes", "save": "", "auto_aof_rewrite_percentage": "0"}
VALUE = "x" * 100
LOOK_S = 0.01

# How many elements, the request, and what made element i.
Data = collections.namedtuple("Data", "elements request first")
DATA = {
    "keys": Data(5000000, ("SET", "key:__rand_int__", VALUE), lambda i: (b"SET", b"key:%012d" % i, VALUE.encode())),
    "hash": Data(2000000, ("HSET", "hash", "field:__rand_int__", VALUE),
                 lambda i: (b"HSET", b"hash", b"field:%012d" % i, VALUE.encode())),
}


class Checkpoints(threading.Thread):
    """One BGSAVE after the other, until stop()."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.count, self.copied, self.begun = server, 0, 0, time.monotonic()
        self.enough, self.failure = threading.Event(), None

    def run(self):
        try:
            with resp.Connection(self.server.port) as c:
                while not self.enough.is_set():
                    c("BGSAVE")
                    self.count += 1
                    while b"rdb_bgsave_in_progress:1" in c("INFO", "persistence") and not self.enough.wait(LOOK_S):
                        pass
                    self.copied = max(self.copied, int(self.server_figure(c, b"rdb_last_cow_size")))
        except (OSError, resp.Closed, resp.ReplyError) as e:
            self.failure = e

    @staticmethod
    def server_figure(connection, name):
        for line in connection("INFO", "persistence").splitlines():
            if line.startswith(name + b":"):
                return line.split(b":")[1]
        return b"0"

    def stop(self):
        self.enough.set()
        self.join()
        if self.failure:
            raise self.failure
        return self.count


def main_thread_seconds(server):
    """CPU time that the thread of the loop has used."""
    with open(f"/proc/{server.process.pid}/task/{server.process.pid}/schedstat", encoding="ascii") as f:
        return int(f.read().split()[0]) / 1e9


def load(server, data, options):
    """Run the load: requests per second, p99 in milliseconds, CPU of the main thread in microseconds per request."""
    requests = int(data.elements * options.scale)
    before = main_thread_seconds(server)
    out = subprocess.run(["redis-benchmark", "-p", str(server.port), "-c", "50", "-P", str(options.pipeline), "-n", str(requests),
                          "-r", str(int(data.elements * options.scale)), "--csv", *data.request], check=True,
                         capture_output=True, text=True).stdout
    columns = out.strip().splitlines()[-1].strip('"').split('","')
    return float(columns[-7]), float(columns[-2]), (main_thread_seconds(server) - before) * 1e6 / requests


def forget_the_past(server):
    """Begin anew what the longest turn and the peak of the memory are."""
    server("CONFIG", "RESETSTAT")
    with open(f"/proc/{server.process.pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def figures(server, data, options):
    """One round on one server."""
    forget_the_past(server)
    plain_rate, plain_p99, plain_cpu = load(server, data, options)
    plain_peak = server.memory("VmHWM")
    forget_the_past(server)
    checkpoints = Checkpoints(server)
    checkpoints.start()
    try:
        rate, p99, used = load(server, data, options)
    finally:
        count = checkpoints.stop()
    if server.kind == relevo.RELEVO:
        turn_us = int(server.info("stats")["relevo_longest_turn_usec"])
    else:
        turn_us = int(server.info("stats")["latest_fork_usec"])
    relevo.wait(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the last checkpoint to end")
    peak = server.memory("VmHWM") + checkpoints.copied
    return {"rate": rate / plain_rate, "p99": p99 / plain_p99, "turn": turn_us / 1000, "memory": peak / plain_peak - 1,
            "cpu": used / plain_cpu, "plain_per_s": plain_rate, "per_s": rate, "plain_p99_ms": plain_p99, "p99_ms": p99,
            "checkpoints": count}


def rounds(name, options, count):
    """{kind: figures} of one round after the other; both servers run throughout."""
    data = DATA[name]
    servers = {kind: relevo.start(kind, **SETTINGS) for kind in (relevo.RELEVO, relevo.REDIS)}
    for server in servers.values():
        memory.fill(server, (data.first(i) for i in range(int(data.elements * options.scale))))
    for number in range(count):
        order = list(servers) if number % 2 == 0 else list(servers)[::-1]
        yield {kind: figures(servers[kind], data, options) for kind in order}


def measure(name, options, count, say):
    """Medians over the rounds of one data set; of turn and memory, the most."""
    samples = collections.defaultdict(list)
    for number, both in enumerate(rounds(name, options, count)):
        for kind, one in both.items():
            samples[kind].append(one)
        say(f"checkpoint of {name}: round {number + 1} of {count}")
    tap._run_closers(False)
    return {kind: {figure: (max if figure in ("turn", "memory") else statistics.median)(one[figure] for one in every)
                   for figure in every[0]} for kind, every in samples.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cpu.add_common_options(parser)
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the elements and requests")
    parser.add_argument("--pipeline", type=int, default=16)
    options = parser.parse_args()
    cpu.check(options)
    results = {name: measure(name, options, options.rounds, cpu.say_progress) for name in options.data.split(",")}
    cpu.say_progress("")
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, both in results.items():
        print(f"{name:14}{'relevo':>12}{'redis':>12}")
        for figure in both[relevo.RELEVO]:
            print(f"  {figure:12}{both[relevo.RELEVO][figure]:12.3f}{both[relevo.REDIS][figure]:12.3f}")


if __name__ == "__main__":
    main()
