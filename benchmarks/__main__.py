"""Runs the benchmarks that are named, or all: every module of this package that has a ``main()``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable

import benchmarks
from benchmarks.common import machine


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
    print(machine())
    missed = 0
    for name in names or mains:
        print(f"\n{name}")
        missed += mains[name]() is False
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
