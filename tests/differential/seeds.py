"""What the scripts share that run random steps from a seed against both servers."""
import argparse
import random
import sys

import relevo
import tap


class Difference(Exception):
    """Two servers disagreed."""


def servers():
    """Relevo, and its judge."""
    return relevo.start(), relevo.start(relevo.REDIS)


def close(pairs):
    """Close pairs of connections."""
    for pair in pairs:
        for connection in pair:
            connection.close()


def fresh():
    """A seed that was never run before; what fails prints it."""
    return random.SystemRandom().randrange(1 << 32)


def main(run):
    """The tests of the calling script; or, with --seed or --steps, one run(ours, theirs, seed, steps)."""
    if not any(a.startswith("--") for a in sys.argv[1:]):
        tap.main()
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5000)
    options = parser.parse_args()
    run(*servers(), options.seed, options.steps)
    tap._run_closers(False)
