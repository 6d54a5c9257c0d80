"""A test script is a file of functions test_*, whose docstrings are the sentences that they prove.

    import tap

    def test_a_value_comes_back():
        \"\"\"A value that was set is read back.\"\"\"

    tap.main()

Runs them in the order of the file and prints TAP. Arguments choose by name: `script.py test_a_value_comes_back`.
A test fails by any exception; it is skipped by raising tap.Skip(reason). It may register closers (tap.closing) that
run at its end, last first, and that are told whether it failed: servers show their log then.
"""
import os
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


LONG = os.environ.get("RELEVO_TESTS") == "long"

_closers = []


def closing(close):
    """Have close(failed) called at the end of the running test."""
    _closers.append(close)


def note(text):
    """Print diagnostic lines."""
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def equal(got, expected, what=""):
    """Fail with both values shown unless they are equal."""
    assert got == expected, f"{what + ': ' if what else ''}got {got!r}, expected {expected!r}"


def rounds(usual, long):
    """A number of repetitions: the second one in the long suite."""
    return long if LONG else usual


def _run_closers(failed):
    problem = None
    while _closers:
        try:
            _closers.pop()(failed)
        except Exception as error:  # the other servers must still be stopped
            problem = problem or error
    return problem


def _run_one(function):
    try:
        function()
        problem = None
    except Skip as reason:
        late = _run_closers(False)
        return late, str(reason)
    except BaseException as error:
        problem = error
        note("".join(traceback.format_exception(error)))
        if isinstance(error, KeyboardInterrupt):
            _run_closers(True)
            raise
    late = _run_closers(problem is not None)
    if late is not None:
        note("".join(traceback.format_exception(late)))
    return problem or late, None


def main():
    """Run the tests of the calling script and exit."""
    script = sys.modules["__main__"]
    tests = [f for name, f in vars(script).items() if name.startswith("test_") and callable(f)]
    if sys.argv[1:]:
        tests = [f for f in tests if f.__name__ in sys.argv[1:]]
    print(f"1..{len(tests)}", flush=True)
    failures = 0
    for number, function in enumerate(tests, 1):
        sentence = (function.__doc__ or function.__name__).strip().split("\n")[0].rstrip(".").replace("#", "no.")
        begun = time.monotonic()
        problem, skipped = _run_one(function)
        verdict = "not ok" if problem is not None else "ok"
        suffix = f" # SKIP {skipped}" if skipped is not None and problem is None else ""
        print(f"{verdict} {number} - {sentence}{suffix}", flush=True)
        note(f"{function.__name__}: {time.monotonic() - begun:.2f} s")
        failures += problem is not None
    sys.exit(1 if failures else 0)
