"""Whole commands, from the start of the process to its end, against an empty Python.

Seconds are those of processors.
"""

from __future__ import annotations

import sys
import tempfile

from benchmarks.common import Ratio, best, lokictl, show

EMPTY = [sys.executable, "-c", "pass"]


def main() -> bool:
    empty = best(EMPTY, rounds=5).seconds
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "`lokictl --help`": lokictl("--help"),
            "`lokictl test --help`": lokictl("test", "--help"),
            "`lokictl test` on the content": lokictl("test", "-q"),
            "`lokictl check --no-cache` on the content": lokictl("check", "--no-cache", "-o", folder),
        }
        for title, command in commands.items():
            took = best(command)
            show(title, Ratio(took.seconds, empty), against="an empty Python", memory=took.memory)
        best(lokictl("check", "-o", folder), rounds=1)
        took = best(lokictl("check", "-o", folder))
        show(
            "`lokictl check`, nothing changed",
            Ratio(took.seconds, empty),
            against="an empty Python",
            memory=took.memory,
        )
    return True


if __name__ == "__main__":
    main()
