"""Real servers for tests: found on PATH, started on free ports of the loopback address, stopped afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

Answer = TypeVar("Answer")
SECONDS = 240.0


def program(*names: str) -> str | None:
    """The first of these programs that is on PATH."""
    return next((found for name in names if (found := shutil.which(name))), None)


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips a test where none of these programs is on PATH."""
    return pytest.mark.skipif(program(*names) is None, reason=f"{' or '.join(names)} is not on PATH")


# Below the ports that systems give to outgoing connections: such a one cannot take a port before its server does.
_PORTS = range(10_000, 30_000)
_next_ports = itertools.cycle(
    itertools.chain(range(_PORTS[os.getpid() * 131 % len(_PORTS)], _PORTS.stop), _PORTS)
)


def free_ports(count: int) -> list[int]:
    """TCP ports that nothing listens on right now; another call, or another process of the tests, gives others."""
    found: list[int] = []
    while len(found) < count:
        port = next(_next_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


@contextlib.contextmanager
def server(
    command: list[str | Path],
    ready: str,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[None]:
    """A running server; it is up once the URL ``ready`` answers 200.  Its output goes to ``log``."""
    environment = {**os.environ, **(env or {})}
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            env=environment,
            cwd=cwd,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        try:
            wait_for(lambda: _is_up(ready, process, log))
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_SET_PARENT_DEATH_SIGNAL = 1


def _end_with_parent() -> None:
    """Has the kernel end this process when the one that started it ends, in whatever way: nothing is left running."""
    assert _LIBC
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"{process.args} ended with {process.returncode}:\n{log.read_text()[-4000:]}")
    try:
        return requests.get(url, timeout=10).status_code == 200
    except requests.RequestException:
        return False


def wait_for(ask: Callable[[], Answer], *, seconds: float = SECONDS) -> Answer:
    """Asks again and again until the answer is true."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer or time.monotonic() > end:
            assert answer, f"no answer in {seconds} seconds"
            return answer
        time.sleep(0.2)


def get_json(url: str, **arguments: Any) -> Any:
    """The JSON that a URL answers with."""
    answer = requests.get(url, timeout=SECONDS, **arguments)
    assert answer.ok, f"{url}: {answer.status_code} {answer.text[:500]}"
    return answer.json()
