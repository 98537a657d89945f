"""The content project's rule tests: the embedded engine against a real Loki (start, push, evaluate, stop)."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.common import show, side_by_side
from lokictl.backends import BackendError, open_backend
from lokictl.project import load
from lokictl.testing import RunOptions, discover, run_tests

TARGET = 1 / 20
LIMIT_SECONDS = 2.0


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


def whole_command() -> float:
    """Seconds of ``lokictl test``, from the start of the process to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lokictl", "test", "-q"], check=True)
    return time.perf_counter() - began


def main() -> bool:
    suite = discover(project=load())
    took = min(whole_command() for _ in range(3))
    met = took < LIMIT_SECONDS
    print(
        f"  `lokictl test`, {len(suite)} tests, start to finish: {took:.2f} s (target: under {LIMIT_SECONDS:g} s)"
    )
    engine = real_engine()
    if engine:
        ratio = side_by_side(
            lambda: run_tests(suite), lambda: run_tests(suite, RunOptions((engine,))), rounds=3
        )
        met &= show("embedded", ratio, against=f"a real Loki ({engine})", target=TARGET)
        print(f"  {1 / ratio.value:.0f} times faster")
    return met


if __name__ == "__main__":
    main()
