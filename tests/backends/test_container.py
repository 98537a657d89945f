"""A Loki container, on a Docker daemon that is played by a small HTTP server."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from lokictl.backends import BackendError, LogEntry, LogStream, open_backend
from lokictl.backends.container import IMAGE, ContainerBackend

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
        self.removed = 0
        self.archive = b""
        self.start_answer: tuple[int, str] = (204, "")

    def handle(
        self, method: str, path: str, parameters: dict[str, str], tenant: str | None, body: bytes
    ) -> tuple[int, str]:
        _, _, rest = path.lstrip("/").partition("/")
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
        return self._container(method, rest, body)

    def _pull(self, parameters: dict[str, str]) -> tuple[int, str]:
        self.pulled.append(f"{parameters['fromImage']}:{parameters['tag']}")
        if not self.can_pull:
            return 500, '{"message": "no route to the registry"}'
        self.images.update(self.pulled)
        return 200, "{}"

    def _container(self, method: str, rest: str, body: bytes) -> tuple[int, str]:
        if rest == "containers/create":
            self.created.append(json.loads(body))
            return 201, json.dumps({"Id": "c1"})
        if method == "DELETE":
            self.removed += 1
            return 204, ""
        if method == "PUT":
            self.archive = body
            return 200, ""
        if rest.endswith("/start"):
            return self.start_answer
        if rest.endswith("/logs"):
            return 200, ""
        ports = {"3100/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(self.loki_port)}]}
        state = {"Status": self.status}
        shown = {"Id": "c1", "Name": "/c1", "State": state, "Config": {"Tty": True}}
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
    with tarfile.open(fileobj=io.BytesIO(docker.archive)) as archive:
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
    assert message == "no Docker daemon answers: its socket does not exist"
    assert hint == "start Docker, or set DOCKER_HOST, or use another engine"
