"""Whole commands, from the start of the process to its end, against an empty Python.

Seconds are those of processors.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.common import Ratio, best, lokictl, show

EMPTY = [sys.executable, "-c", "pass"]


def main() -> bool:
    empty = best(EMPTY, rounds=5).seconds
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text("groups: []\n", encoding="utf-8")
        output = Path(folder) / "build"
        commands: dict[str, tuple[list[str], float | None]] = {
            "`lokictl --help`": (lokictl("--help"), 0.07),
            "`lokictl test --help`": (lokictl("test", "--help"), None),
            "`lokictl lint` of a file without rules": (lokictl("lint", "-q", rules), None),
            "`lokictl test` on the content": (lokictl("test", "-q"), 0.7),
            "`lokictl check --no-cache` on the content": (lokictl("check", "--no-cache", "-o", output), 1.5),
            "`lokictl check`, nothing changed": (lokictl("check", "-o", output), 0.7),
        }
        met = True
        for title, (command, target) in commands.items():
            best(command, rounds=1)
            took = best(command, rounds=5)
            goal = f", CPU (target: {target:g} s)" if target is not None else ", CPU"
            ratio = Ratio(took.seconds, empty)
            show(title + goal, ratio, against="an empty Python", memory=took.memory)
            met &= target is None or took.seconds <= target
    return met


if __name__ == "__main__":
    main()
