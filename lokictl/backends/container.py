"""A throwaway Loki container as a backend: pinned image, always removed."""

from __future__ import annotations

import io
import json
import tarfile
import time as clock
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lokictl.backends.configuration import loki_configuration
from lokictl.backends.http import LokiClient
from lokictl.backends.interface import BackendError
from lokictl.backends.url import UrlBackend

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

IMAGE = "grafana/loki:3.7.6"
PORT = 3100
LOOPBACK = "127.0.0.1"
CONFIGURATION_DIRECTORY = "/etc/loki"
CONFIGURATION_FILE = "lokictl.yaml"
DATA_DIRECTORY = "/tmp/loki"  # noqa: S108 - inside the container
START_SECONDS = 90.0
LABEL = "lokictl.throwaway"
CONNECTION_WORDS = {
    "FileNotFoundError": "its socket does not exist",
    "PermissionError": "its socket may not be used by this user",
    "ConnectionRefusedError": "the connection is refused",
}


class ContainerBackend(UrlBackend):
    """Runs ``image`` on the Docker daemon of the environment, with a configuration for tests.

    The image is pulled where the daemon does not have it (unless ``pull`` is False).  Raises `BackendError` where
    there is no daemon or image, or Loki does not become ready within ``start_seconds``.
    """

    name = "docker"
    flushes = False

    def __init__(
        self,
        image: str = IMAGE,
        *,
        pull: bool = True,
        start_seconds: float = START_SECONDS,
        wait_seconds: float = 30.0,
    ) -> None:
        docker = connect()
        try:
            ensure_image(docker, image, pull=pull)
            host = _host(docker)
            container = _create(docker, image, host)
        except BaseException:
            docker.close()
            raise
        self._finalizer = weakref.finalize(self, _remove, docker, container)
        try:
            url = _start(container, host)
            _wait_until_ready(container, url, start_seconds)
        except BaseException:
            self._finalizer()
            raise
        super().__init__(url, wait_seconds=wait_seconds)

    def close(self) -> None:
        """Stops the container and removes it with its data."""
        super().close()
        self._finalizer()


def connect() -> DockerClient:
    """The Docker daemon of the environment.  Raises `BackendError` where there is none."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        message = f"no Docker daemon answers: {_words(error)}"
        raise BackendError(message, hint="start Docker, or set DOCKER_HOST, or use another engine") from None
    return client


def ensure_image(docker: DockerClient, image: str, *, pull: bool = True) -> None:
    """Makes sure that the daemon has ``image``.  Raises `BackendError` where it cannot be had."""
    from docker.errors import DockerException, ImageNotFound

    try:
        docker.images.get(image)
        return
    except ImageNotFound:
        pass
    except DockerException as error:
        raise BackendError(f"the Docker daemon does not tell its images: {_words(error)}") from None
    if not pull:
        raise BackendError(f"the Docker daemon does not have the image {image}", hint=f"docker pull {image}")
    try:
        docker.images.pull(image)
    except DockerException as error:
        message = f"cannot pull the image {image}: {_words(error)}"
        raise BackendError(message, hint="load it into the daemon, or use another engine") from None


def _host(docker: DockerClient) -> str:
    """Where the daemon's published ports are: on this machine, or on that of DOCKER_HOST."""
    address = str(docker.api.base_url)
    return LOOPBACK if address.startswith("http+") else urlsplit(address).hostname or LOOPBACK


def _create(docker: DockerClient, image: str, host: str) -> Container:
    from docker.errors import DockerException

    path = f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"
    try:
        container = docker.containers.create(
            image,
            command=[f"-config.file={path}"],
            ports={f"{PORT}/tcp": (LOOPBACK if host == LOOPBACK else "0.0.0.0", 0)},  # noqa: S104
            labels={LABEL: "true"},
            detach=True,
        )
    except DockerException as error:
        raise BackendError(f"cannot create a container of {image}: {_words(error)}") from None
    try:
        container.put_archive("/", _archive(path.lstrip("/")))
    except BaseException as error:
        container.remove(force=True, v=True)
        if isinstance(error, DockerException):
            raise BackendError(f"cannot write into the container: {_words(error)}") from None
        raise
    return container


def _archive(path: str) -> bytes:
    configuration = loki_configuration(DATA_DIRECTORY, address="0.0.0.0", http_port=PORT)  # noqa: S104
    # JSON is YAML.
    data = json.dumps(configuration, indent=2).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _start(container: Container, host: str) -> str:
    """Starts the container; the URL of its Loki."""
    from docker.errors import DockerException

    try:
        container.start()
        deadline = clock.monotonic() + 10
        while True:
            container.reload()
            bindings: list[dict[str, Any]] | None = container.ports.get(f"{PORT}/tcp")
            if bindings:
                return f"http://{host}:{bindings[0]['HostPort']}"
            if container.status == "exited" or clock.monotonic() > deadline:
                raise BackendError(f"the container of Loki did not start:\n{_last_words(container)}")
            clock.sleep(0.05)
    except DockerException as error:
        raise BackendError(f"cannot start the container: {_words(error)}") from None


def _wait_until_ready(container: Container, url: str, seconds: float) -> None:
    client = LokiClient(url, timeout=5)
    deadline = clock.monotonic() + seconds
    try:
        while True:
            try:
                if client.is_ready():
                    return
            except BackendError:
                container.reload()
                if container.status == "exited":
                    message = f"Loki ended at once in its container:\n{_last_words(container)}"
                    raise BackendError(message) from None
            if clock.monotonic() > deadline:
                message = f"Loki was not ready after {seconds:g} s:\n{_last_words(container)}"
                raise BackendError(message)
            clock.sleep(0.05)
    finally:
        client.close()


def _last_words(container: Container) -> str:
    return str(container.logs(tail=5).decode("utf-8", "replace"))[:2_000]


def _remove(docker: DockerClient, container: Container) -> None:
    from docker.errors import DockerException, NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except DockerException as error:
        message = f"cannot remove the container {container.name}: {_words(error)}"
        raise BackendError(message, hint=f"docker rm --force {container.name}") from None
    finally:
        docker.close()


def _words(error: Exception) -> str:
    for kind, words in CONNECTION_WORDS.items():
        if kind in str(error):
            return words
    explanation = getattr(error, "explanation", None)
    return " ".join(str(explanation or error).split())[:300]
