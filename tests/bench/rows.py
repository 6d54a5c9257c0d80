"""A table of figures with targets: what durability.py and sessions.py have in common.

A bench is a list of Row and one line, rows.run(ROWS, rows.parse(rows.parser(__doc__, ROWS), ROWS)). Each round measures each
server once, in alternating order; figures are medians over the rounds, and so are ratios: of those of each round, because a
machine may run at half its speed for a while. A row is met when its ratio (or its figure) keeps to the target; the exit status
is 1 if one is not.
"""
import argparse
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cpu
import relevo
import tap

OURS, THEIRS = relevo.RELEVO, relevo.REDIS


class Row:
    """One line of the table. measure(options, rounds) gives {kind: figure} once a round; other kinds than OURS and @beside
    (which we are compared with) are notes. Without a target the row says what is possible: the note "possible" beside
    the other's figure. A round of many short ones counts as @short of them."""

    def __init__(self, name, what, unit, target, better, measure, rounds=None, short=1, beside=THEIRS):
        self.name, self.what, self.unit, self.target, self.better, self.measure = name, what, unit, target, better, measure
        self.rounds, self.short, self.beside = rounds, short, beside

    def run(self, options, say):
        rounds = min(options.rounds, self.rounds or options.rounds) * self.short
        samples = {}
        for number, figures in enumerate(self.measure(options, rounds)):
            for kind, figure in figures.items():
                samples.setdefault(kind, []).append(figure)
            say(f"{self.name}: round {number + 1} of {rounds}")
        tap._run_closers(False)
        return self.result(samples)

    def result(self, samples):
        ours, others = samples[OURS], samples.get(self.beside)
        ratio = median_ratio(ours, others) if others else None
        notes = {kind: statistics.median(values) for kind, values in samples.items() if kind not in (OURS, self.beside)}
        if "possible" in notes:
            notes["possible"] = median_ratio(samples["possible"], others)
        return {"row": self.name, "what": self.what, "unit": self.unit, "relevo": round(statistics.median(ours), 3),
                "beside": self.beside, self.beside: round(statistics.median(others), 3) if others else None,
                "ratio": round(ratio, 3) if others else None, "target": self.target, "better": self.better,
                "met": self.is_met(statistics.median(ours), ratio),
                "notes": {kind: round(v, 3) for kind, v in notes.items()},
                "samples": {kind: [round(v, 3) for v in values] for kind, values in samples.items()}}

    def is_met(self, figure, ratio):
        """None: there is nothing to keep to, or nothing to compare with."""
        value = figure if self.better.startswith("figure") else ratio
        if self.target is None or value is None:
            return None
        return value <= self.target if self.better.endswith("less") else value >= self.target


def median_ratio(ours, theirs):
    return statistics.median(a / b if b else 0.0 for a, b in zip(ours, theirs))


def alternating(kinds, number):
    return list(kinds) if number % 2 == 0 else list(kinds)[::-1]


def judgement(result):
    """What stands at the end of a line."""
    notes = result["notes"]
    if result["ratio"] is None:
        text = f"no {result['beside']} to compare with"
    elif result["target"] is None:
        text = f"of {notes['possible']:.2f}x possible" if "possible" in notes else "no target"
    else:
        sign, of = "<=" if result["better"].endswith("less") else ">=", "" if result["better"].startswith("figure") else "x"
        text = f"{sign} {result['target']:.2f}{of}: {'met' if result['met'] else 'NOT MET'}"
    if "delay" in notes:
        text += f"; fdatasync + {notes['delay']:.0f} us"
    if "load" in notes:
        text += f"; clients {100 * notes['load']:.0f} % of a core"
    return text


def show(result):
    other, ratio = result[result["beside"]], result["ratio"]
    other, ratio = ("-", "-") if ratio is None else (f"{other:.2f}", f"{ratio:.2f}x")
    print(f"{result['what']:48}{result['unit']:>12}{result['relevo']:12.2f}{other:>12}{ratio:>9}   {judgement(result)}", flush=True)


def parser(description, table):
    """What every table takes; the bench may add options of its own."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    cpu.add_common_options(made)
    made.add_argument("--rows", default=",".join(row.name for row in table))
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--scale", type=float, default=1.0, help="share of the requests, keys and bytes to use")
    return made


def parse(made, table):
    options = made.parse_args()
    options.rows = options.rows.split(",")
    unknown = set(options.rows) - {row.name for row in table}
    if unknown:
        made.error("no such row: " + ", ".join(sorted(unknown)))
    cpu.check(options)
    return options


def run(table, options):
    """Measure the rows that were chosen, print them, and exit."""
    results = []
    if not options.json:
        print(f"{options.rounds} rounds, scale {options.scale}; medians")
        print(f"{'':48}{'unit':>12}{'relevo':>12}{'beside it':>12}{'ratio':>9}   target")
    for row in table:
        if row.name not in options.rows:
            continue
        results.append(row.run(options, cpu.say_progress))
        cpu.say_progress("")
        if not options.json:
            show(results[-1])
    if options.json:
        print(json.dumps(results, indent=1))
    sys.exit(1 if any(r["met"] is False for r in results) else 0)
