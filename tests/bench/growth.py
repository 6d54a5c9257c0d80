#!/usr/bin/python3
"""The longest single command while a server grows: Relevo beside Debian's redis-server.

    tests/bench/growth.py [--relevo BINARY] [--keys N] [--json]

redis-benchmark inserts the keys, with no log and no snapshot. How long commands take is measured in the loop of each server:
Relevo keeps the longest one (INFO: relevo_longest_command_usec; server/turn.h says how it is measured), redis-server's
slow log has those from a tenth of a millisecond on.
"""
import argparse
import json
import subprocess

import cpu  # first: it knows where the library is
import relevo
import tap

NOTED_US = 100


def insert(server, keys):
    """Insert so many different keys, but for a few that random numbers bring twice."""
    subprocess.run(["redis-benchmark", "-p", str(server.port), "-c", "50", "-P", "64", "-n", str(keys), "-r", str(cpu.NEW),
                    "-q", "SET", "key:__rand_int__", "xxx"], check=True, capture_output=True)


def longest(server):
    """Microseconds of the longest command, and of the longest turn of the loop where the server knows."""
    if server.kind == relevo.RELEVO:
        info = server.info("stats")
        return int(info["relevo_longest_command_usec"]), int(info["relevo_longest_turn_usec"])
    return max([entry[2] for entry in server("SLOWLOG", "GET", "-1")], default=NOTED_US), None


def measure(keys, say):
    """What both kinds of server took: a row each."""
    rows = []
    for kind in (relevo.RELEVO, relevo.REDIS):
        server = relevo.start(kind, **cpu.LOG_OFF)
        if kind == relevo.REDIS:
            server("CONFIG", "SET", "slowlog-log-slower-than", NOTED_US, "slowlog-max-len", 1000000)
        server("CONFIG", "RESETSTAT")
        while server("DBSIZE") < keys:
            insert(server, max(1000, keys - server("DBSIZE")))
            say(f"{kind}: {server('DBSIZE')} keys")
        command_us, turn_us = longest(server)
        rows.append({"server": kind, "keys": server("DBSIZE"), "longest_command_us": command_us, "longest_turn_us": turn_us})
        server.kill()
        tap._run_closers(False)
    return rows


def show(rows):
    print(f"{'':16}{'keys':>10}{'longest command':>18}{'longest turn':>15}")
    for row in rows:
        turn = f"{row['longest_turn_us'] / 1000:12.2f} ms" if row["longest_turn_us"] is not None else f"{'':15}"
        print(f"{row['server']:16}{row['keys']:10}{row['longest_command_us'] / 1000:15.2f} ms{turn}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20000000)
    cpu.add_common_options(parser)
    options = parser.parse_args()
    cpu.check(options)
    rows = measure(options.keys, cpu.say_progress)
    cpu.say_progress("")
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        show(rows)


if __name__ == "__main__":
    main()
