"""Mutation: every change of every rule, on two processes, against one run of the tests on two processes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.common import Ratio, lokictl, note, show, side_by_side, used
from benchmarks.suites import write_suite
from lokictl.project import load
from lokictl.testing import discover, run_mutations, run_tests

JOBS = 2
LIMIT_SECONDS = 300.0
SIZES = (500, 1_000)
"""Rules, each with a test; twice the work is twice the rules."""


def main() -> bool:
    suite = discover(project=load())
    changes = len(run_mutations(suite, jobs=JOBS).results)
    ratio = side_by_side(
        lambda: run_mutations(suite, jobs=JOBS),
        lambda: run_tests(suite),
        rounds=2,
        clock=time.perf_counter,
    )
    show(f"{changes} changes of the content, {JOBS} processes", ratio, against=f"its {len(suite)} tests once")
    with tempfile.TemporaryDirectory() as name:
        took = []
        for size in SIZES:
            folder = Path(name) / str(size)
            folder.mkdir()
            file = write_suite(folder, size, size)
            once = used(lokictl("test", "-q", file))
            took.append(used(lokictl("test", "-q", "--mutate", "-j", JOBS, file), allowed=(0, 1)))
        growth = f"{took[1].seconds / took[0].seconds:.1f} × for twice the rules"
        title = f"{SIZES[1]:,} rules with {SIZES[1]:,} tests mutated, {JOBS} processes, CPU"
        ratio = Ratio(took[1].seconds, once.seconds)
        show(title, ratio, against="the tests once", growth=growth, memory=took[1].memory)
        note(f"the same by the clock (target: {LIMIT_SECONDS:g} s)", f"{took[1].clock:.0f} s")
    return took[1].clock < LIMIT_SECONDS


if __name__ == "__main__":
    main()
