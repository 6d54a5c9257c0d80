#!/usr/bin/python3
"""CPU of the server per million requests: Relevo beside Debian's redis-server, in the same run.

    tests/bench/cpu.py [--relevo BINARY] [--requests N] [--rounds N] [--pipeline N] [--clients N] [--size N]
                       [--tests set,get] [--json]

A round measures each server once, in alternating order; both keep running throughout. CPU is user and system time of all
threads of the server process (/proc/PID/stat), so background threads count. Figures are medians over the rounds.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import relevo
import tap

TICKS = os.sysconf("SC_CLK_TCK")
LOG_ON = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "auto_aof_rewrite_percentage": "0"}
LOG_OFF = {"appendonly": "no", "save": ""}
COMMANDS = {
    "set": ["SET", "key:__rand_int__", "__data__"],
    "get": ["GET", "key:__rand_int__"],
    "incr": ["INCR", "counter:__rand_int__"],
    "lpush": ["LPUSH", "list", "__data__"],
    "sadd": ["SADD", "set", "element:__rand_int__"],
    "hset": ["HSET", "hash", "field:__rand_int__", "__data__"],
    "zadd": ["ZADD", "zset", "__rand_int__", "element:__rand_int__"],
    "lrange": ["LRANGE", "list", "0", "99"],
}


def cpu_seconds(pid):
    """User and system seconds of all threads, dead ones included."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def benchmark(server, test, options):
    """One run of redis-benchmark: CPU seconds of the server per million requests, and requests per second."""
    size = "x" * options.size
    words = ["redis-benchmark", "-p", str(server.port), "-c", str(options.clients), "-P", str(options.pipeline), "-n",
             str(options.requests), "-r", str(options.keys), "--csv"] + [size if w == "__data__" else w for w in COMMANDS[test]]
    begun = cpu_seconds(server.process.pid)
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(server.process.pid) - begun
    row = out.strip().splitlines()[-1]
    return used * 1e6 / options.requests, float(row.rsplit('","', 7)[1])


def measure(log, options, say):
    """All rounds with the log on or off: test -> kind -> list of (cpu, rate)."""
    settings = LOG_ON if log else LOG_OFF
    servers = {kind: relevo.start(kind, **settings) for kind in (relevo.RELEVO, relevo.REDIS)}
    samples = {test: {kind: [] for kind in servers} for test in options.tests}
    for number in range(options.rounds):
        order = list(servers) if number % 2 == 0 else list(servers)[::-1]
        for test in options.tests:
            for kind in order:
                samples[test][kind].append(benchmark(servers[kind], test, options))
            say(f"log {'on' if log else 'off'}, round {number + 1} of {options.rounds}, {test}")
    tap._run_closers(False)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relevo", default=os.path.join(relevo.TOP, "build", "relevo"))
    parser.add_argument("--requests", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pipeline", type=int, default=16)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--keys", type=int, default=100000, help="size of the key space")
    parser.add_argument("--size", type=int, default=3, help="bytes of a value")
    parser.add_argument("--tests", default="set,get", help="of " + ",".join(COMMANDS))
    parser.add_argument("--log", choices=["on", "off", "both"], default="both")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.tests = options.tests.lower().split(",")
    os.environ["RELEVO"] = os.path.abspath(options.relevo)

    def say(text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    flags = (f"redis-benchmark -c {options.clients} -P {options.pipeline} -n {options.requests} -r {options.keys}, values of "
             f"{options.size} bytes, {options.rounds} rounds")
    results = {"flags": flags, "rows": []}
    for log in {"on": [True], "off": [False], "both": [True, False]}[options.log]:
        for test, kinds in measure(log, options, say).items():
            ours, theirs = ([statistics.median(column) for column in zip(*kinds[k])] for k in (relevo.RELEVO, relevo.REDIS))
            results["rows"].append({
                "log": "on" if log else "off", "command": " ".join(COMMANDS[test]), "test": test,
                "relevo_cpu_s": round(ours[0], 3), "redis_cpu_s": round(theirs[0], 3),
                "cpu_ratio": round(ours[0] / theirs[0], 3),
                "relevo_per_s": round(ours[1]), "redis_per_s": round(theirs[1])})
    say("")
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(flags)
    print(f"log on:  {' '.join('--%s %r' % (k.replace('_', '-'), v) for k, v in LOG_ON.items())}")
    print(f"log off: {' '.join('--%s %r' % (k.replace('_', '-'), v) for k, v in LOG_OFF.items())}")
    print("server CPU-seconds per million requests (all threads), medians")
    print(f"{'':8}{'log':6}{'relevo':>9}{'redis':>9}{'ratio':>8}   {'relevo/s':>10}{'redis/s':>10}")
    for row in results["rows"]:
        print(f"{row['test'].upper():8}{row['log']:6}{row['relevo_cpu_s']:9.3f}{row['redis_cpu_s']:9.3f}"
              f"{row['cpu_ratio']:7.2f}x   {row['relevo_per_s']:10}{row['redis_per_s']:10}")


if __name__ == "__main__":
    if not shutil.which("redis-benchmark"):
        sys.exit("cpu.py: redis-benchmark is missing: deploy/install-deps.sh")
    main()
