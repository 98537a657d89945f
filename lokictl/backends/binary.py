"""A Loki binary as a backend: started in a temporary directory, always stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import socket
import subprocess
import time as clock
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path

from lokictl.backends.configuration import (
    OVERRIDES_FILE,
    Discovery,
    loki_configuration,
    overrides,
    unknown_limits,
)
from lokictl.backends.http import LokiClient
from lokictl.backends.interface import BackendError
from lokictl.backends.leftovers import RunFolder, remove_dead_folders
from lokictl.backends.throwaway import ThrowawayBackend
from lokictl.model.files import write_text

LOGGER = logging.getLogger(__name__)

START_SECONDS = 60.0
STOP_SECONDS = 5.0
ATTEMPTS = 3
LOG_LINES = 5

# The shell ends Loki when told to, and also when this process is gone: then the pipe to its input closes.
# There is nothing to save, so Loki need not end in order, and its folder goes with it.  The shell runs before the
# folder is made, and has a session of its own, so that a signal to this process and all its relatives (Ctrl-C,
# `timeout`, a canceled job) does not reach it: there is no moment at which nobody would clean up.
WATCHED = """
exec 3<&0
read -r _ <&3 || { rm -rf -- "$LOKI_DIRECTORY"; exit 0; }
cd "$LOKI_DIRECTORY" || exit 1
exec > loki.log 2>&1
"$@" </dev/null 3<&- &
child=$!
echo "$child" > pid
trap 'kill -KILL "$child" 2>/dev/null' TERM INT
( trap - TERM INT; read -r _ <&3; kill -KILL "$child" 2>/dev/null; sleep 0.2; rm -rf -- "$LOKI_DIRECTORY" ) &
wait "$child"
status=$?
wait "$child" 2>/dev/null
exit $status
"""


class BinaryBackend(ThrowawayBackend):
    """Runs ``command`` (``loki``, found on PATH) with a configuration for tests on free ports of this machine.

    Raises `BackendError` if there is no such command or it does not become ready within ``start_seconds``.
    """

    name = "binary"

    def __init__(
        self,
        command: str = "loki",
        *,
        start_seconds: float = START_SECONDS,
        wait_seconds: float = 30.0,
    ) -> None:
        path = shutil.which(command)
        if path is None:
            raise BackendError(
                f"there is no `{command}` on PATH",
                hint="install Loki (https://github.com/grafana/loki/releases), or use another engine",
            )
        remove_dead_folders()
        started = clock.monotonic()
        self._process, port = _start(path, start_seconds)
        LOGGER.info("started %s on port %d: ready after %.2f s", path, port, clock.monotonic() - started)
        super().__init__(f"http://127.0.0.1:{port}", wait_seconds=wait_seconds)
        self._finalizer = weakref.finalize(self, _stop, self._process)

    def write_overrides(self, tenants: Mapping[str, Discovery]) -> None:
        """Changes the limits of some tenants."""
        self._process.write_overrides(tenants)

    def close(self) -> None:
        """Stops Loki and removes its data."""
        super().close()
        self._finalizer()
        LOGGER.info("stopped Loki and removed its data")


class _Process:
    """A running Loki and its directory."""

    def __init__(self, path: str, unknown: Collection[str] = ()) -> None:
        self.unknown = unknown
        self.folder = RunFolder()
        self.directory = str(self.folder.path)
        self.log = Path(self.directory, "loki.log")
        file = Path(self.directory, "loki.yaml")
        self.popen = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, "sh", path, f"-config.file={file}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LOKI_DIRECTORY": self.directory},
            start_new_session=True,
        )
        try:
            self._prepare(file)
        except BaseException:
            _stop(self)
            raise

    def _prepare(self, file: Path) -> None:
        """Writes the configuration and lets Loki start."""
        self.folder.make()
        data = Path(self.directory, "data")
        data.mkdir()
        self.http_port, grpc_port = free_ports(2)
        configuration = loki_configuration(
            str(data), http_port=self.http_port, grpc_port=grpc_port, unknown=self.unknown
        )
        # JSON is YAML.
        file.write_text(json.dumps(configuration, indent=2), encoding="utf-8")
        self.write_overrides({})
        assert self.popen.stdin is not None
        self.popen.stdin.write(b"go\n")
        self.popen.stdin.flush()

    def write_overrides(self, tenants: Mapping[str, Discovery]) -> None:
        """Writes the limits by tenant, at once as a whole."""
        write_text(Path(self.directory, "data", OVERRIDES_FILE), json.dumps(overrides(tenants, self.unknown)))

    def words(self) -> str:
        """Loki's log."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def last_words(self) -> str:
        """The end of Loki's log."""
        text = self.words()
        return "\n".join(text.splitlines()[-LOG_LINES:])[:2_000]


def _start(path: str, seconds: float) -> tuple[_Process, int]:
    unknown: set[str] = set()
    for attempt in range(1, ATTEMPTS + 1):
        process = _Process(path, unknown)
        try:
            _wait_until_ready(process, seconds)
        except BackendError:
            words = process.words()
            _stop(process)
            # An old Loki does not know all limits, and does not need those.  Another process may have taken a port
            # between looking for it and using it.
            more = unknown_limits(words) - unknown
            unknown |= more
            if attempt == ATTEMPTS or not (more or "address already in use" in words):
                raise
        except BaseException:
            _stop(process)
            raise
        else:
            return process, process.http_port
    raise AssertionError("unreachable")  # pragma: no cover


def _wait_until_ready(process: _Process, seconds: float) -> None:
    client = LokiClient(f"http://127.0.0.1:{process.http_port}", timeout=5, attempts=1)
    deadline = clock.monotonic() + seconds
    try:
        while True:
            status = process.popen.poll()
            if status is not None:
                hint = "does this version of Loki know every key of the configuration?"
                message = f"loki ended at once with status {status}:\n{process.last_words()}"
                raise BackendError(message, hint=hint)
            if _is_ready(client):
                return
            if clock.monotonic() > deadline:
                raise BackendError(f"loki was not ready after {seconds:g} s:\n{process.last_words()}")
            clock.sleep(0.02)
    finally:
        client.close()


def _is_ready(client: object) -> bool:
    assert isinstance(client, LokiClient)
    try:
        return client.is_ready()
    except BackendError:
        return False


def _stop(process: _Process) -> None:
    popen = process.popen
    if popen.poll() is None:
        popen.terminate()
    if popen.stdin is not None:
        with contextlib.suppress(OSError):
            popen.stdin.close()
    try:
        popen.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
    process.folder.remove()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
