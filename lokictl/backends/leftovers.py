"""What a throwaway Loki needs beside itself, and how nothing of it is left behind, however its run ends.

Each Loki has a folder of its own, called after the process that started it, with a lock that this process holds: while
it is held the run lives.  A watcher in a session of its own cleans up when the process is gone, and the next run
removes what a run has left that was ended together with its watcher (a canceled job, a machine that was switched off).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time as clock
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import BinaryIO

PREFIX = "lokictl-loki-"
LOCK = "lock"
PID = "pid"
YOUNG_SECONDS = 10.0
"""A folder may be this old before its lock is held."""


class RunFolder:
    """A temporary folder that counts as in use while this process lives.

    Its path is known before it is made, so that the process that removes it after a crash can start first.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.gettempdir(), f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}")
        self.lock_path = self.path / LOCK
        self._lock: BinaryIO | None = None

    def make(self) -> None:
        """Makes the folder and holds its lock."""
        self.path.mkdir(mode=0o700)
        self._lock = self.lock_path.open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Removes the folder; safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.give_up()

    def give_up(self) -> None:
        """Leaves the folder to the next run."""
        if self._lock is not None:
            self._lock.close()


def is_held(lock: Path) -> bool:
    """Whether a living process holds a run's lock; a lock that is not there is not held."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remove_dead_folders() -> list[Path]:
    """Removes the folders of runs that are over, and ends the processes that still use them; which they were."""
    removed = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            is_young = clock.time() - folder.stat().st_mtime < YOUNG_SECONDS
        except OSError:
            continue
        if is_young or not (folder / LOCK).is_file() or is_held(folder / LOCK):
            continue
        _end_process(folder)
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(folder)
    return removed


def _end_process(folder: Path) -> None:
    """Ends the Loki of a folder, if the process of that number is still the one that was started with it."""
    with contextlib.suppress(OSError, ValueError):
        process = int((folder / PID).read_text(encoding="ascii"))
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        if os.fsencode(folder) in command:
            os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP end the program as Ctrl-C does, so that everything is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    changed = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            changed[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)
