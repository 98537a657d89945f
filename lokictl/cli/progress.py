"""A progress bar on the terminal for long work."""

from __future__ import annotations

import sys
import time as clock
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BETWEEN_TWO_PICTURES = 0.1
"""Seconds."""


class ProgressBar:
    """Call it with what is done, how much of it, and of how much; it shows itself on a terminal only.

    The bar is on standard error and is gone when it ends.  Use it as a context manager, or call `end`.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.shown = wanted and sys.stderr.isatty()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Shows that ``done`` of ``total`` (None: unknown) parts of ``what`` are done."""
        if not self.shown:
            return
        if self._progress is None:
            self._progress = _start()
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
        now = clock.monotonic()
        if now - self._drawn > BETWEEN_TWO_PICTURES or done == total:
            self._progress.refresh()
            self._drawn = now

    def end(self) -> None:
        """Removes the bar; a later call shows a new one."""
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._tasks = None, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _start() -> Progress:
    from rich.console import Console  # noqa: PLC0415 - heavy, and only for terminals
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415 - heavy, and only for terminals

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TaskProgressColumn())
    # No thread that draws: the work may fork.
    progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    progress.start()
    return progress
