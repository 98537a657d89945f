"""1,000 and 4,000 rule tests in one file, whole processes, against PyYAML (in C) that only reads the test file."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.common import Ratio, best, in_turn, lokictl, note, show, used
from benchmarks.suites import write_suite

SIZES, RULES = (1_000, 4_000), 100
READ = "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)"
TARGET_MS = 2.0
FASTER = 1.9
"""So many times faster are two processes."""


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        files = {}
        for size in SIZES:
            folder = Path(name) / str(size)
            folder.mkdir()
            files[size] = write_suite(folder, size, RULES)
        small, large = SIZES
        took, read = in_turn(
            lokictl("test", "-q", files[small]), [sys.executable, "-c", READ, str(files[small])]
        )
        more = used(lokictl("test", "-q", files[large]))
        each = (more.seconds - took.seconds) / (large - small) * 1000
        growth = f"{more.seconds / took.seconds:.1f} × for 4 × the tests"
        title = f"{small:,} rule tests, whole process, CPU"
        ratio = Ratio(took.seconds, read.seconds)
        show(title, ratio, against="PyYAML reading the file", growth=growth, memory=took.memory)
        note(f"each further test (target: {TARGET_MS:g} ms)", f"{each:.2f} ms", memory=more.memory)
        met = each <= TARGET_MS
        for size in SIZES:
            one, two = (best(lokictl("test", "-q", "-j", jobs, files[size]), rounds=2) for jobs in (1, 2))
            title = f"{size:,} rule tests with `-j 2`, by the clock"
            target = 1 / FASTER if size == large else None
            met &= show(title, Ratio(two.clock, one.clock), against="one process", target=target)
    return met


if __name__ == "__main__":
    main()
