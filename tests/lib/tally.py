"""Counts single test cases over meson's test logs.

    tally.py add TALLY LOG STATUS SUITE   adds one run of `meson test` (its --logbase JSON file and exit status)
    tally.py print TALLY BROKEN           prints "N passed, N failed, N skipped"; exit 1 if anything failed
"""
import json
import os
import re
import sys

CASE = re.compile(r"^(not )?ok\b[^#]*(#\s*skip)?", re.IGNORECASE)


def count(test):
    """Passed, failed and skipped cases of one executable; one that ended badly without saying where counts as failed."""
    passed = failed = skipped = 0
    for line in test.get("stdout", "").splitlines():
        match = CASE.match(line)
        if not match:
            continue
        if match.group(2):
            skipped += 1
        elif match.group(1):
            failed += 1
        else:
            passed += 1
    result = test["result"]
    if passed + failed + skipped == 0:
        if result == "SKIP":
            skipped = 1
        elif result in ("OK", "EXPECTEDFAIL"):
            passed = 1
    if result not in ("OK", "SKIP", "EXPECTEDFAIL") and failed == 0:
        failed = 1
    return passed, failed, skipped


def add(tally, log, status, suite):
    totals = [0, 0, 0]
    if os.path.exists(log):
        with open(log, encoding="utf-8") as lines:
            for line in lines:
                counts = count(json.loads(line))
                totals = [a + b for a, b in zip(totals, counts)]
    if status != 0 and totals[1] == 0:
        totals[1] = 1
    if sum(totals) == 0:
        print(f"  suite {suite} has no test case")
        totals[1] = 1
    print("  %d passed, %d failed, %d skipped" % tuple(totals))
    with open(tally, "a", encoding="utf-8") as out:
        out.write("%d %d %d\n" % tuple(totals))


def print_total(tally, broken):
    totals = [0, broken, 0]
    if os.path.exists(tally):
        with open(tally, encoding="utf-8") as lines:
            for line in lines:
                totals = [a + int(b) for a, b in zip(totals, line.split())]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    if sys.argv[1] == "add":
        add(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        sys.exit(print_total(sys.argv[2], int(sys.argv[3])))
