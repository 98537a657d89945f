"""The content project's rule tests: the embedded engine against a real Loki (start, push, evaluate, stop)."""

from __future__ import annotations

import time

from benchmarks.common import show, side_by_side
from lokictl.backends import BackendError, open_backend
from lokictl.project import load
from lokictl.testing import RunOptions, discover, run_tests

TARGET = 1 / 20


def real_engine() -> str:
    """A real Loki that is there, or "" and a word about why not."""
    for name in ("binary", "docker"):
        try:
            open_backend(name).close()
        except BackendError as error:
            print(f"  not measured with {name}: {error.problems[0].message}")
        else:
            return name
    return ""


def main() -> bool:
    suite = discover(project=load())
    engine = real_engine()
    if not engine:
        return True
    ratio = side_by_side(
        lambda: run_tests(suite),
        lambda: run_tests(suite, RunOptions((engine,))),
        rounds=3,
        clock=time.perf_counter,
    )
    against = f"a real Loki ({engine}), start to stop"
    return show(f"the content's {len(suite)} rule tests, embedded", ratio, against=against, target=TARGET)


if __name__ == "__main__":
    main()
