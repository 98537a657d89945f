"""Runs the benchmarks that are named, or all: every module of this package that has a ``main()``.

A run of all writes the table of ``README.md``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path

import benchmarks
from benchmarks import common

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- begin figures -->", "<!-- end figures -->"
HEADER = ("benchmark", "what", "takes", "against", "ratio", "target", "growth", "peak memory")


def found() -> dict[str, Callable[[], object]]:
    """Name -> ``main`` of every benchmark."""
    mains: dict[str, Callable[[], object]] = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            main = getattr(importlib.import_module(f"benchmarks.{module.name}"), "main", None)
            if main is not None:
                mains[module.name] = main
    return mains


def run(names: list[str]) -> int:
    """Runs them one after the other; 1 when one missed its target, 2 for a name that is none."""
    mains = found()
    unknown = [name for name in names if name not in mains]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(mains)}", file=sys.stderr)
        return 2
    print(common.machine())
    missed = 0
    rows: list[tuple[str, common.Row]] = []
    for name in names or mains:
        print(f"\n{name}")
        common.ROWS.clear()
        missed += mains[name]() is False
        rows += [(name, row) for row in common.ROWS]
    if not names:
        README.write_text(with_figures(README.read_text(encoding="utf-8"), rows), encoding="utf-8")
        print(f"\n{README} has the figures")
    return 1 if missed else 0


def with_figures(text: str, rows: list[tuple[str, common.Row]]) -> str:
    """The README with a new table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    lines = [
        f"Machine: {common.machine()}; load at the end of the run: {load}.",
        "",
        _line(HEADER),
        _line(["---"] * len(HEADER)),
    ]
    lines += [_line([f"`{name}`", *row.cells()]) for name, row in rows]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
