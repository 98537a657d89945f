"""What the benchmarks share: timing two things side by side in one run, and the machine they ran on."""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5


@dataclass(frozen=True)
class Ratio:
    """The best times (seconds) of the thing measured and of the thing it is measured against."""

    measured: float
    reference: float

    @property
    def value(self) -> float:
        return self.measured / self.reference


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes, without the garbage collector."""
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    try:
        function()
    finally:
        gc.enable()
    return time.perf_counter() - began


def side_by_side(
    measured: Callable[[], object], reference: Callable[[], object], *, rounds: int = ROUNDS
) -> Ratio:
    """Calls both in turn, so that a busy machine is busy for both, and keeps the best time of each."""
    times = [(seconds(measured), seconds(reference)) for _ in range(rounds)]
    return Ratio(min(first for first, _ in times), min(second for _, second in times))


def show(title: str, ratio: Ratio, *, against: str, target: float | None = None) -> bool:
    """Prints one line, and tells whether the target (a ratio at most that high) is met."""
    met = target is None or ratio.value <= target
    wanted = "" if target is None else f" (target: at most {target:g}: {'met' if met else 'MISSED'})"
    print(
        f"  {title}: {ratio.measured:.3f} s, {against}: {ratio.reference:.3f} s, ratio {ratio.value:.2f}{wanted}"
    )
    return met


def machine() -> str:
    """One line about the machine and the Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model
        )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {python}"
