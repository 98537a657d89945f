"""What the benchmarks share: timing two things side by side, whole processes, and the rows of the table of figures."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class Row:
    """A line of the table of figures.

    ``growth`` is how much more twice the work (or as many times as it says) takes; ``memory`` is the peak (MB).
    """

    title: str
    measured: str
    against: str = ""
    ratio: float | None = None
    target: float | None = None
    growth: str = ""
    memory: float | None = None

    def cells(self) -> list[str]:
        """The cells of the table, as text."""
        return [
            self.title,
            self.measured,
            self.against,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.target is None else f"{self.target:g}",
            self.growth,
            "" if self.memory is None else f"{self.memory:.0f} MB",
        ]


ROWS: list[Row] = []
"""What the running benchmark has found so far."""


@dataclass(frozen=True)
class Used:
    """What a process took: seconds of processors, seconds by the clock, peak memory (MB)."""

    seconds: float
    clock: float
    memory: float


Clock = Callable[[], float]


def seconds(function: Callable[[], object], clock: Clock = time.process_time) -> float:
    """How long one call takes, without the garbage collector."""
    gc.collect()
    gc.disable()
    began = clock()
    try:
        function()
    finally:
        gc.enable()
    return clock() - began


def side_by_side(
    measured: Callable[[], object],
    reference: Callable[[], object],
    *,
    rounds: int = ROUNDS,
    clock: Clock = time.process_time,
) -> Ratio:
    """Calls both in turn, so that a busy machine is busy for both, and keeps the best time of each.

    ``clock`` gives the seconds of this process's own work, or `time.perf_counter` where others work for it.
    """
    times = [(seconds(measured, clock), seconds(reference, clock)) for _ in range(rounds)]
    return Ratio(min(first for first, _ in times), min(second for _, second in times))


RUNNER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
clock = time.perf_counter() - began
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, clock, usage.ru_maxrss]))
"""
"""Starts a program from a small process: the memory of the one that starts it counts as its own."""


def used(command: Sequence[str], *, allowed: Sequence[int] = (0,)) -> Used:
    """What a program takes that ends well (with one of the ``allowed`` statuses)."""
    environment = {
        **os.environ,
        # Modules are compiled once, as in an installation.
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "lokictl-benchmark"),
        "XDG_CACHE_HOME": str(Path(tempfile.gettempdir()) / "lokictl-benchmark-cache"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    runner = [sys.executable, "-S", "-c", RUNNER, *command]
    ended = subprocess.run(runner, capture_output=True, text=True, check=True, env=environment)
    status, processors, clock, memory = json.loads(ended.stdout)
    if status not in allowed:
        raise subprocess.CalledProcessError(status, command)
    return Used(processors, clock, memory / 1024)


def memory_of_all(command: Sequence[str]) -> float:
    """The most memory (MB) that a program and the processes it starts have at once, what they share counted once."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(_proportional_memory, _tree(process.pid))))
        time.sleep(0.02)
    return most / 1024


def _tree(process: int) -> list[int]:
    found = [process]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            children = [child for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
        found += map(int, children)
    return found


def _proportional_memory(process: int) -> int:
    """KB; 0 where the process has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def best(command: Sequence[str], *, rounds: int = 3, allowed: Sequence[int] = (0,)) -> Used:
    """The least that a program took in some runs."""
    runs = [used(command, allowed=allowed) for _ in range(rounds)]
    return min(runs, key=lambda run: run.seconds)


def in_turn(first: Sequence[str], second: Sequence[str], *, rounds: int = 3) -> tuple[Used, Used]:
    """The least that two programs took, run in turn; both may find problems (status 1)."""
    runs = [(used(first, allowed=(0, 1)), used(second, allowed=(0, 1))) for _ in range(rounds)]
    one, other = (min((pair[side] for pair in runs), key=lambda run: run.seconds) for side in (0, 1))
    return one, other


def lokictl(*arguments: object) -> list[str]:
    """The command line of this lokictl."""
    return [sys.executable, "-m", "lokictl", *map(str, arguments)]


def show(
    title: str,
    ratio: Ratio,
    *,
    against: str,
    target: float | None = None,
    growth: str = "",
    memory: float | None = None,
) -> bool:
    """Prints one line, notes it for the table, and tells whether the target (a ratio at most that high) is met."""
    met = target is None or ratio.value <= target
    wanted = "" if target is None else f" (target: at most {target:g}: {'met' if met else 'MISSED'})"
    print(
        f"  {title}: {ratio.measured:.3f} s, {against}: {ratio.reference:.3f} s, ratio {ratio.value:.2f}{wanted}"
    )
    measured, reference = f"{ratio.measured:.2f} s", f"{against}, {ratio.reference:.2f} s"
    ROWS.append(Row(title, measured, reference, ratio.value, target, growth, memory))
    return met


def note(
    title: str, measured: str, *, against: str = "", growth: str = "", memory: float | None = None
) -> None:
    """Prints a figure without a ratio, and notes it for the table."""
    extra = ", ".join(
        text for text in (growth and f"growth {growth}", memory and f"{memory:.0f} MB at most") if text
    )
    print(f"  {title}: {measured}{f' ({extra})' if extra else ''}")
    ROWS.append(Row(title, measured, against, growth=growth, memory=memory))


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
