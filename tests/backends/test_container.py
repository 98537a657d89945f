"""A Loki container, on a Docker daemon that is played by a small HTTP server."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lokictl.backends import BackendError, LogEntry, LogStream, open_backend
from lokictl.backends.container import HOST_LABEL, IMAGE, LABEL, LOCK_LABEL, ContainerBackend
from lokictl.backends.leftovers import RunFolder

START = 1_767_225_600_000_000_000


class FakeDocker:
    """As much of the Docker API as one container needs; its Loki is at ``loki_url``."""

    def __init__(self, loki_url: str) -> None:
        self.loki_port = urlsplit(loki_url).port
        self.images = {IMAGE}
        self.can_pull = False
        self.pulled: list[str] = []
        self.status = "running"
        self.created: list[dict[str, Any]] = []
        self.names: dict[str, dict[str, str]] = {}
        """The labels of the containers that are there, by name."""
        self.made_at = clock.time()
        self.removed = 0
        self.seen: Callable[[str], None] = lambda request: None
        """Called with each request before it is answered."""
        self.archives: list[bytes] = []
        self.start_answer: tuple[int, str] = (204, "")

    def handle(
        self, method: str, path: str, parameters: dict[str, str], tenant: str | None, body: bytes
    ) -> tuple[int, str]:
        _, _, rest = path.lstrip("/").partition("/")
        self.seen(f"{method} {rest}")
        if path.endswith("/_ping"):
            return 200, "OK"
        if path.endswith("/version"):
            return 200, json.dumps({"ApiVersion": "1.45"})
        if rest.startswith("images/create"):
            return self._pull(parameters)
        if rest.startswith("images/"):
            name = rest.removeprefix("images/").removesuffix("/json")
            known = name in self.images
            return (200, json.dumps({"Id": name})) if known else (404, '{"message": "No such image"}')
        return self._container(method, rest, parameters, body)

    def _pull(self, parameters: dict[str, str]) -> tuple[int, str]:
        self.pulled.append(f"{parameters['fromImage']}:{parameters['tag']}")
        if not self.can_pull:
            return 500, '{"message": "no route to the registry"}'
        self.images.update(self.pulled)
        return 200, "{}"

    def _container(self, method: str, rest: str, parameters: dict[str, str], body: bytes) -> tuple[int, str]:
        if rest == "containers/json":
            return 200, json.dumps(
                [
                    {"Id": name, "Names": [f"/{name}"], "Labels": labels, "Created": self.made_at}
                    for name, labels in self.names.items()
                ]
            )
        if rest == "containers/create":
            self.created.append(json.loads(body))
            name = parameters["name"]
            self.names[name] = self.created[-1]["Labels"]
            return 201, json.dumps({"Id": name})
        name = rest.split("/")[1]
        if name not in self.names:
            return 404, '{"message": "No such container"}'
        if method == "DELETE":
            self.removed += 1
            del self.names[name]
            return 204, ""
        if method == "PUT":
            self.archives.append(body)
            return 200, ""
        if rest.endswith("/start"):
            return self.start_answer
        if rest.endswith("/logs"):
            return 200, ""
        ports = {"3100/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(self.loki_port)}]}
        state = {"Status": self.status}
        shown = {"Id": name, "Name": f"/{name}", "State": state, "Config": {"Tty": True}}
        return 200, json.dumps({**shown, "NetworkSettings": {"Ports": ports}})


@pytest.fixture
def docker(serve: Callable[[Any], str], fake_loki: Any, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker(fake_loki.url)
    monkeypatch.setenv("DOCKER_HOST", serve(fake).replace("http://", "tcp://"))
    return fake


def test_created_used_and_removed(docker: FakeDocker) -> None:
    with open_backend("docker") as backend:
        backend.push([LogStream({"app": "web"}, [LogEntry(START, "a")])])
        assert backend.query('count_over_time({app="web"}[1m])', time=START).vector == [({"app": "web"}, 1.0)]
        assert docker.removed == 0
    assert docker.removed == 1
    assert docker.pulled == []
    (created,) = docker.created
    assert created["Image"] == IMAGE == "grafana/loki:3.7.6"
    assert created["Cmd"] == ["-config.file=/etc/loki/lokictl.yaml"]
    with tarfile.open(fileobj=io.BytesIO(docker.archives[0])) as archive:
        member = archive.extractfile("etc/loki/lokictl.yaml")
        assert member is not None
        configuration = json.loads(member.read())
    assert configuration["auth_enabled"] is True
    assert configuration["server"]["http_listen_port"] == 3100


def test_removed_after_an_error_in_the_block(docker: FakeDocker) -> None:
    with pytest.raises(ZeroDivisionError), ContainerBackend():
        raise ZeroDivisionError
    assert docker.removed == 1


def test_the_image_is_pulled_where_it_is_missing(docker: FakeDocker) -> None:
    docker.images.clear()
    docker.can_pull = True
    with ContainerBackend():
        assert docker.pulled == [IMAGE]


def problem_of(run: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(BackendError) as failed:
        run()
    (problem,) = failed.value.problems
    return problem.message, problem.hint


def test_an_image_that_cannot_be_had(docker: FakeDocker) -> None:
    docker.images.clear()
    message, hint = problem_of(ContainerBackend)
    assert message == f"cannot pull the image {IMAGE}: no route to the registry"
    assert hint == "load it into the daemon, or use another engine"
    message, hint = problem_of(lambda: ContainerBackend(pull=False))
    assert (message, hint) == (
        f"the Docker daemon does not have the image {IMAGE}",
        f"docker pull {IMAGE}",
    )
    assert docker.created == []


def test_a_container_that_does_not_start_is_removed(docker: FakeDocker) -> None:
    docker.start_answer = (500, '{"message": "no space left on device"}')
    message, _ = problem_of(ContainerBackend)
    assert message == "cannot start the container: no space left on device"
    assert docker.removed == 1


def test_a_loki_that_is_never_ready_is_removed(docker: FakeDocker, fake_loki: Any) -> None:
    fake_loki.ready = False
    message, _ = problem_of(lambda: ContainerBackend(start_seconds=0.1))
    assert message.startswith("Loki was not ready after 0.1 s")
    assert docker.removed == 1


def test_a_loki_that_ends_at_once_is_removed(docker: FakeDocker) -> None:
    docker.status, docker.loki_port = "exited", 1
    message, _ = problem_of(ContainerBackend)
    assert message.startswith("Loki ended at once in its container")
    assert docker.removed == 1


def test_no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    message, hint = problem_of(ContainerBackend)
    assert message == f"no Docker daemon answers at unix://{tmp_path}/none.sock: its socket does not exist"
    assert hint == "correct DOCKER_HOST, or use another engine"


ADDRESSES = {
    "tcp://127.0.0.1:1": "the connection is refused",
    "tcp://no-such-host.invalid:2375": "its host's name is not known",
    "bogus://x": "that is not an address",
    "http://": "that is not an address",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_where_no_daemon_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    message, _ = problem_of(ContainerBackend)
    assert message == f"no Docker daemon answers at {address}: {ADDRESSES[address]}"


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    message, hint = problem_of(ContainerBackend)
    assert message == "the engine docker needs the Python package `docker`, which is not installed"
    assert hint.startswith("pip install 'lokictl[docker]'")


# --- nothing is left behind ------------------------------------------------------------------------------------

USER = """
from lokictl.backends import open_backend
with open_backend("docker") as backend:
    print("open", flush=True)
    input()
"""

MOMENTS = {
    "before the container is made": "GET images/",
    "while it is made": "POST containers/create",
    "while it starts": "/start",
    "while it is used": "",
    "while it is removed": "DELETE ",
}


def until(condition: Callable[[], bool]) -> bool:
    deadline = clock.monotonic() + 60
    while not condition() and clock.monotonic() < deadline:
        clock.sleep(0.05)
    return condition()


@pytest.mark.parametrize(
    "sent, group", [(signal.SIGTERM, False), (signal.SIGKILL, True)], ids=["terminated", "its group killed"]
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(docker: FakeDocker, moment: str, sent: signal.Signals, group: bool, tmp_path: Path) -> None:
    processes: list[subprocess.Popen[str]] = []

    def kill() -> None:
        process = processes[0]
        (os.killpg if group else os.kill)(process.pid, sent)
        process.wait()

    def seen(request: str) -> None:
        if MOMENTS[moment] and MOMENTS[moment] in request and processes and processes[0].poll() is None:
            kill()

    docker.seen = seen
    processes.append(
        subprocess.Popen(
            [sys.executable, "-c", USER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(tmp_path)},
        )
    )
    with processes[0] as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if process.stdout.readline() == "open\n":
            if moment == "while it is used":
                kill()
            else:
                process.stdin.close()
        process.wait()
    assert process.returncode == -sent
    assert until(lambda: not docker.names and not list(tmp_path.iterdir())), (
        docker.names,
        list(tmp_path.iterdir()),
    )


def test_the_next_run_removes_what_a_dead_one_left(
    docker: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, held = RunFolder(), RunFolder()
    dead.make()
    held.make()
    dead.path.joinpath("pid").write_text("1")
    old = clock.time() - 60
    for folder in (dead, held):
        os.utime(folder.path, (old, old))
    dead.give_up()
    here = {LABEL: "true", HOST_LABEL: socket.gethostname()}
    there = {LABEL: "true", HOST_LABEL: "another.machine", LOCK_LABEL: "/gone"}
    docker.names = {
        "dead": {**here, LOCK_LABEL: str(dead.lock_path)},
        "without-folder": {**here, LOCK_LABEL: str(tmp_path / "gone" / "lock")},
        "running": {**here, LOCK_LABEL: str(held.lock_path)},
        "of-another-machine": there,
    }
    with ContainerBackend():
        assert [name for name in docker.names if not name.startswith("lokictl-")] == [
            "running",
            "of-another-machine",
        ]
    assert not dead.path.exists()
    assert held.path.exists()
    held.remove()


def test_a_container_of_another_machine_is_removed_after_a_day(docker: FakeDocker) -> None:
    docker.names = {"x": {LABEL: "true", HOST_LABEL: "another.machine", LOCK_LABEL: "/gone"}}
    docker.made_at = clock.time() - 100_000
    with ContainerBackend():
        assert "x" not in docker.names
