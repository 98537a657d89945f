"""A `loki` on PATH: started, waited for, always stopped; with scripts that play Loki."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time as clock
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.backends import BackendError, open_backend
from lokictl.backends.binary import BinaryBackend, free_ports

PATIENCE = 60.0
"""Seconds to wait for what takes a moment on an idle machine."""

READY = """
import http.server, json, os, pathlib, sys
file = sys.argv[1].split("=", 1)[1]
configuration = json.loads(pathlib.Path(file).read_text())
pathlib.Path(os.environ["NOTES"]).write_text(json.dumps({"pid": os.getpid(), "file": file}))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ready")
    def log_message(self, *arguments): pass
server = configuration["server"]
http.server.HTTPServer((server["http_listen_address"], server["http_listen_port"]), Handler).serve_forever()
"""


@pytest.fixture
def loki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `loki` on PATH that runs a Python text; the file where it leaves notes."""
    notes = tmp_path / "notes.json"

    def write(source: str) -> Path:
        program = tmp_path / "program.py"
        program.write_text(source)
        command = tmp_path / "loki"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setenv("NOTES", str(notes))
        return notes

    return write


def is_gone(process: int) -> bool:
    """Whether the process ends within some seconds."""
    deadline = clock.monotonic() + PATIENCE
    while clock.monotonic() < deadline:
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        clock.sleep(0.02)
    return False


OLD = (
    """
import json, pathlib, sys
limits = json.loads(pathlib.Path(sys.argv[1].split("=", 1)[1]).read_text())["limits_config"]
unknown = [name for name in limits if name.startswith("discover_")]
if unknown:
    print(*(f"  line 7: field {name} not found in type validation.plain" for name in unknown), sep="\\n")
    sys.exit(1)
"""
    + READY
)


def test_an_old_loki_that_does_not_know_every_limit(loki: Callable[[str], Path]) -> None:
    notes = loki(OLD)
    with open_backend("binary"):
        file = Path(json.loads(notes.read_text())["file"])
        limits = json.loads(file.read_text())["limits_config"]
        assert "max_line_size" in limits
        assert "discover_log_levels" not in limits


def test_stopped_and_removed(loki: Callable[[str], Path]) -> None:
    notes = loki(READY)
    with open_backend("binary"):
        running = json.loads(notes.read_text())
        os.kill(running["pid"], 0)
        assert Path(running["file"]).exists()
    assert is_gone(running["pid"])
    assert not Path(running["file"]).parent.exists()


def test_stopped_when_nobody_closes_it(loki: Callable[[str], Path]) -> None:
    notes = loki(READY)
    backend = BinaryBackend()
    del backend
    gc.collect()
    assert is_gone(json.loads(notes.read_text())["pid"])


USER = """
import sys
from lokictl.backends.binary import BinaryBackend
print("opening", flush=True)
with BinaryBackend() as backend:
    print("open", flush=True)
    input()
    print("closing", flush=True)
print("closed", flush=True)
input()
"""

MOMENTS = {
    "before it starts": "opening",
    "while it starts": "started",
    "while it is used": "open",
    "while it is removed": "closing",
    "afterwards": "closed",
}


def leftovers(folder: Path) -> list[Path]:
    """What is left after some seconds."""
    deadline = clock.monotonic() + PATIENCE
    while list(folder.glob("lokictl*")) and clock.monotonic() < deadline:
        clock.sleep(0.05)
    return list(folder.glob("lokictl*"))


@pytest.mark.parametrize(
    "sent, group", [(signal.SIGTERM, False), (signal.SIGKILL, True)], ids=["terminated", "its group killed"]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_stopped_when_this_process_dies(
    loki: Callable[[str], Path], moment: str, sent: signal.Signals, group: bool, tmp_path: Path
) -> None:
    notes = loki(READY)
    folder = tmp_path / "tmp"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", USER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(folder)},
    ) as user:
        assert user.stdout is not None
        assert user.stdin is not None
        for line in user.stdout:
            if line.strip() == MOMENTS[moment]:
                break
            if moment == "while it starts" and line == "opening\n":
                while not notes.exists() or not notes.read_text():
                    clock.sleep(0.005)
                break
            if line == "open\n":
                user.stdin.write("\n")
                user.stdin.flush()
        (os.killpg if group else os.kill)(user.pid, sent)
    assert user.returncode == -sent
    if notes.exists():
        assert is_gone(json.loads(notes.read_text())["pid"])
    assert leftovers(folder) == []


def test_the_next_run_removes_what_a_dead_one_left(
    loki: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = loki(READY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, young = tmp_path / "lokictl-loki-1-x", tmp_path / "lokictl-loki-1-y"
    for folder in (dead, young):
        folder.mkdir()
        (folder / "lock").touch()
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)", str(dead)],
        stdout=subprocess.PIPE,
    ) as left:
        assert left.stdout is not None
        # Until its program is loaded, a new process has no command line by which it could be recognized.
        assert left.stdout.readline() == b"\n"
        (dead / "pid").write_text(str(left.pid))
        os.utime(dead, (0, 0))
        try:
            with BinaryBackend():
                assert notes.exists()
                assert left.wait(60) == -signal.SIGKILL
                assert not dead.exists()
                assert young.exists()
        finally:
            left.kill()


FAILURES = [
    (
        "import sys; print('level=error msg=\"bad key\"'); sys.exit(3)",
        'loki ended at once with status 3:\nlevel=error msg="bad key"',
        PATIENCE,
    ),
    (
        "import time; print('looking for friends', flush=True); time.sleep(600)",
        "loki was not ready after 1 s:",
        1.0,
    ),
]


@pytest.mark.parametrize("source, message, seconds", FAILURES)
def test_failures_are_explained(
    loki: Callable[[str], Path], source: str, message: str, seconds: float
) -> None:
    loki(source)
    with pytest.raises(BackendError) as failed:
        BinaryBackend(start_seconds=seconds)
    assert str(failed.value).startswith(message)


def test_a_port_that_was_taken_is_given_up(loki: Callable[[str], Path], tmp_path: Path) -> None:
    taken = f"""
import pathlib, sys
if not pathlib.Path({str(tmp_path / "second")!r}).exists():
    pathlib.Path({str(tmp_path / "second")!r}).touch()
    sys.exit("listen tcp 127.0.0.1: bind: address already in use")
"""
    notes = loki(taken + READY)
    with BinaryBackend():
        assert notes.exists()


def test_no_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match="there is no `loki` on PATH"):
        open_backend("binary")


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
