#!/usr/bin/python3
"""The targets of the data-type engine, in one run: memory, CPU and growth, Relevo beside Debian's redis-server.

    tests/bench/engine.py [--relevo BINARY] [--rounds N] [--requests N] [--keys N] [--size N] [--grow-to N]
                          [--scale F] [--only memory,cpu,growth] [--json]

Prints each figure with the ratio to redis-server's and the most that it may be; the exit status is 1 if any is missed. No
log and no snapshot on either side. memory.py, cpu.py and growth.py measure, and say how. Pipelines of 1 take a tenth of
--requests, since one costs ten times as much. On a machine with nothing else to do it takes about ten minutes.
"""
import argparse
import json
import sys

import cpu  # first: it knows where the library is
import growth
import memory
import relevo

# Pipeline, test, at most so much of redis-server's CPU for each request.
TARGETS = [
    (1, "get", 0.90), (1, "set", 0.90),
    (16, "get", 0.65), (16, "set", 0.65), (16, "incr", 0.65), (16, "hset", 0.65),
    (16, "sadd", 0.75), (16, "lpush", 0.95), (16, "zadd", 0.50), (16, "lrange", 0.65),
]
LONGEST_COMMAND_US = 2000


def measure_memory(options):
    rows = memory.measure(options.scale, cpu.say_progress)
    for row in rows:
        row["met"] = row["ratio"] <= row["target"]
    return rows


def measure_cpu(options):
    runs = [cpu.Run(test, pipeline, options.requests // (10 if pipeline == 1 else 1)) for pipeline, test, _ in TARGETS]
    rows = cpu.measure(False, runs, options, cpu.say_progress)
    for row, (_, _, target) in zip(rows, TARGETS):
        row.update(target=target, met=row["cpu_ratio"] <= target)
    return rows


def measure_growth(options):
    rows = growth.measure(options.grow_to, cpu.say_progress)
    for row in rows:
        if row["server"] == relevo.RELEVO:
            row.update(target_us=LONGEST_COMMAND_US, met=row["longest_command_us"] <= LONGEST_COMMAND_US)
    return rows


def show_cpu(rows):
    print(f"{'server CPU per request, microseconds':38}{'relevo':>9}{'redis':>9}{'ratio':>8}{'at most':>9}")
    for row in rows:
        print(f"{'P%d %s' % (row['pipeline'], row['test'].upper()):38}{row['relevo_cpu_s']:9.3f}{row['redis_cpu_s']:9.3f}"
              f"{row['cpu_ratio']:7.2f}x{row['target']:8.2f}x{'' if row['met'] else '  missed'}")


PARTS = {
    "memory": (measure_memory, memory.show),
    "cpu": (measure_cpu, show_cpu),
    "growth": (measure_growth, growth.show),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cpu.add_options(parser)
    cpu.add_common_options(parser)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the elements whose memory is measured")
    parser.add_argument("--grow-to", type=int, default=20000000, help="keys")
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ",".join(PARTS))
    options = parser.parse_args()
    cpu.check(options)
    results = {}
    for name in options.only.split(","):
        measure, show = PARTS[name]
        results[name] = measure(options)
        cpu.say_progress("")
        if not options.json:
            show(results[name])
            print(flush=True)
    missed = sum(not row.get("met", True) for rows in results.values() for row in rows)
    if options.json:
        print(json.dumps(dict(results, missed=missed), indent=1))
    else:
        print(f"redis-benchmark -c {options.clients} -n {options.requests} -r {options.keys}, values of {options.size} bytes, "
              f"medians of {options.rounds} rounds; " + (f"{missed} missed" if missed else "all met"))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
