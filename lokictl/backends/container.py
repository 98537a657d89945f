"""A throwaway Loki container as a backend: the image of one version, always removed."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import tarfile
import time as clock
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lokictl.backends import container_watcher
from lokictl.backends.configuration import (
    NEW_IN_3_0,
    OVERRIDES_FILE,
    Discovery,
    loki_configuration,
    overrides,
)
from lokictl.backends.http import LokiClient
from lokictl.backends.interface import BackendError
from lokictl.backends.leftovers import RunFolder, is_held, remove_dead_folders
from lokictl.backends.throwaway import ThrowawayBackend
from lokictl.logql.versions import DEFAULT, LokiVersion, target

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LOGGER = logging.getLogger(__name__)

REPOSITORY = "grafana/loki"
IMAGE = f"{REPOSITORY}:{DEFAULT}"
PORT = 3100
LOOPBACK = "127.0.0.1"
CONFIGURATION_DIRECTORY = "etc/loki"
CONFIGURATION_FILE = "lokictl.yaml"
DATA_DIRECTORY = "/tmp/loki"  # noqa: S108 - inside the container
START_SECONDS = 90.0
LABEL = "lokictl.throwaway"
HOST_LABEL = "lokictl.host"
LOCK_LABEL = "lokictl.lock"
FOREIGN_SECONDS = 86_400
"""A container that was started on another machine is left alone for this long: its run cannot be asked."""
CONNECTION_WORDS = {
    r"FileNotFoundError|No such file": "its socket does not exist",
    r"PermissionError|Permission denied": "this user may not use its socket",
    r"ConnectionRefusedError|Connection refused|Errno 111\b": "the connection is refused",
    r"NameResolutionError|Name or service not known|getaddrinfo|nodename nor servname": "its host's name is not known",
    r"timed out|Timeout": "it does not answer in time",
    r"No route to host|Network is unreachable": "there is no way to its host",
    r"Invalid bind address|Invalid URL|Unsupported|scheme|Invalid port|Failed to parse": "that is not an address",
    r"certificate|SSL|TLS": "the TLS connection fails",
    r"Connection aborted|RemoteDisconnected|BadStatusLine|JSONDecodeError|Expecting value": "that is not Docker",
}
"""What the Docker library and those below it say, as a pattern, and the same as text."""


class ContainerBackend(ThrowawayBackend):
    """Runs ``image`` on the Docker daemon of the environment, with a configuration for tests.

    The default is the image of the Loki that this run is for.  It is pulled where the daemon does not have it (unless
    ``pull`` is False).  Raises `BackendError` if there is no daemon or image, or Loki does not become ready within
    ``start_seconds``.
    """

    name = "docker"

    def __init__(
        self,
        image: str = "",
        *,
        pull: bool = True,
        start_seconds: float = START_SECONDS,
        wait_seconds: float = 30.0,
    ) -> None:
        version = target()
        image = image or f"{REPOSITORY}:{version}"
        self._unknown = NEW_IN_3_0 if version < LokiVersion(3, 0) else ()
        docker = connect()
        try:
            remove_dead_folders()
            remove_dead_containers(docker)
            ensure_image(docker, image, pull=pull)
            host = _host(docker)
        except BaseException:
            docker.close()
            raise
        run = _Run()
        try:
            container = _create(docker, image, host, run, self._unknown)
        except BaseException:
            run.end(removed=False)
            docker.close()
            raise
        self._container = container
        self._finalizer = weakref.finalize(self, _remove, docker, container, run)
        try:
            url = _start(container, host)
            _wait_until_ready(container, url, start_seconds)
        except BaseException:
            self._finalizer()
            raise
        LOGGER.info("started a container of %s: ready at %s", image, url)
        super().__init__(url, wait_seconds=wait_seconds)

    def write_overrides(self, tenants: Mapping[str, Discovery]) -> None:
        """Changes the limits of some tenants."""
        self._container.put_archive("/", _archive(OVERRIDES_FILE, overrides(tenants, self._unknown)))

    def close(self) -> None:
        """Stops the container and removes it with its data."""
        super().close()
        self._finalizer()
        LOGGER.info("removed the container and its data")


class _Run:
    """What belongs to a container on this machine: its name, a lock that says the run lives, and its watcher."""

    def __init__(self) -> None:
        self.folder = RunFolder()
        self.name = f"lokictl-{os.getpid()}-{secrets.token_hex(4)}"
        self.labels = {
            LABEL: "true",
            HOST_LABEL: socket.gethostname(),
            LOCK_LABEL: str(self.folder.lock_path),
        }
        # Started before the folder and the container are made: there is no moment at which nobody would remove it.
        # -P: the modules next to the program are not those of the standard library that have the same names.
        self.watcher = subprocess.Popen(
            [sys.executable, "-P", container_watcher.__file__, self.name, str(self.folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.folder.make()
        except BaseException:
            self.end(removed=True)
            raise

    def end(self, *, removed: bool) -> None:
        """Gives the folder back; the watcher removes what was not ``removed``."""
        assert self.watcher.stdin is not None
        with contextlib.suppress(OSError):
            if removed:
                self.watcher.stdin.write(b"done")
            self.watcher.stdin.close()
        self.watcher.wait()
        self.folder.remove()


def remove_dead_containers(docker: DockerClient) -> list[str]:
    """Removes the containers of runs that are over; the names of those."""
    errors = _errors()

    removed = []
    with contextlib.suppress(errors.DockerException):
        for container in docker.containers.list(
            all=True, filters={"label": [LABEL, LOCK_LABEL]}, sparse=True
        ):
            if _is_dead(container.attrs):
                with contextlib.suppress(errors.DockerException):
                    container.remove(force=True, v=True)
                    removed.append(str(container.attrs["Names"][0]).lstrip("/"))
    return removed


def _is_dead(listed: dict[str, Any]) -> bool:
    labels = listed["Labels"]
    if labels.get(HOST_LABEL) == socket.gethostname():
        return not is_held(Path(labels[LOCK_LABEL]))
    return bool(clock.time() - listed["Created"] > FOREIGN_SECONDS)


def connect() -> DockerClient:
    """The Docker daemon of the environment.  Raises `BackendError` if there is none."""
    try:
        import docker  # noqa: PLC0415 - slow to import, and only containers need it
        from docker.errors import DockerException  # noqa: PLC0415 - slow to import, and only containers need it
    except ImportError:
        message = "the engine docker needs the Python package `docker`, which is not installed"
        raise BackendError(message, hint="pip install 'lokictl[docker]', or use another engine") from None
    import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

    address = os.environ.get("DOCKER_HOST", "")
    at = f" at {address}" if address else ""
    try:
        client = docker.from_env()
        client.ping()
    except (DockerException, requests.exceptions.RequestException, ValueError, OSError) as error:
        message = f"no Docker daemon answers{at}: {_words(error)}"
        hint = "correct DOCKER_HOST" if address else "start Docker, or set DOCKER_HOST"
        raise BackendError(message, hint=f"{hint}, or use another engine") from None
    return client


def ensure_image(docker: DockerClient, image: str, *, pull: bool = True) -> None:
    """Makes sure that the daemon has ``image``.  Raises `BackendError` where it cannot be had."""
    errors = _errors()

    try:
        docker.images.get(image)
        return
    except errors.ImageNotFound:
        pass
    except errors.DockerException as error:
        raise BackendError(f"cannot list the images of the Docker daemon: {_words(error)}") from None
    if not pull:
        raise BackendError(f"the Docker daemon does not have the image {image}", hint=f"docker pull {image}")
    try:
        LOGGER.info("pulling the image %s", image)
        docker.images.pull(image)
    except errors.DockerException as error:
        message = f"cannot pull the image {image}: {_words(error)}"
        raise BackendError(message, hint="load it into the daemon, or use another engine") from None


def _errors() -> ModuleType:
    """The exceptions of the Docker library, once `connect` has found it."""
    import docker.errors  # noqa: PLC0415 - slow to import, and only containers need it

    return docker.errors


def _host(docker: DockerClient) -> str:
    """Where the daemon's published ports are: on this machine, or on that of DOCKER_HOST."""
    address = str(docker.api.base_url)
    return LOOPBACK if address.startswith("http+") else urlsplit(address).hostname or LOOPBACK


def _create(docker: DockerClient, image: str, host: str, run: _Run, unknown: Collection[str]) -> Container:
    errors = _errors()

    path = f"/{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}"
    configuration = loki_configuration(
        DATA_DIRECTORY,
        overrides_directory=f"/{CONFIGURATION_DIRECTORY}",
        address="0.0.0.0",  # noqa: S104 - inside the container
        http_port=PORT,
        unknown=unknown,
    )
    try:
        container = docker.containers.create(
            image,
            command=[f"-config.file={path}"],
            ports={f"{PORT}/tcp": (LOOPBACK if host == LOOPBACK else "0.0.0.0", 0)},  # noqa: S104
            name=run.name,
            labels=run.labels,
            detach=True,
        )
    except errors.DockerException as error:
        raise BackendError(f"cannot create a container of {image}: {_words(error)}") from None
    try:
        container.put_archive("/", _archive(CONFIGURATION_FILE, configuration))
        container.put_archive("/", _archive(OVERRIDES_FILE, overrides({})))
    except BaseException as error:
        container.remove(force=True, v=True)
        if isinstance(error, errors.DockerException):
            raise BackendError(f"cannot write into the container: {_words(error)}") from None
        raise
    return container


def _archive(name: str, value: object) -> bytes:
    """A file of Loki's configuration as an archive that a container takes; JSON is YAML."""
    data = json.dumps(value).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(f"{CONFIGURATION_DIRECTORY}/{name}")
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _start(container: Container, host: str) -> str:
    """Starts the container; the URL of its Loki."""
    errors = _errors()

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
    except errors.DockerException as error:
        raise BackendError(f"cannot start the container: {_words(error)}") from None


def _wait_until_ready(container: Container, url: str, seconds: float) -> None:
    client = LokiClient(url, timeout=5, attempts=1)
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


def _remove(docker: DockerClient, container: Container, run: _Run) -> None:
    errors = _errors()

    removed = False
    try:
        with contextlib.suppress(errors.NotFound):
            container.remove(force=True, v=True)
        removed = True
    except errors.DockerException as error:
        message = f"cannot remove the container {run.name}: {_words(error)}"
        raise BackendError(message, hint=f"docker rm --force {run.name}") from None
    finally:
        run.end(removed=removed)
        docker.close()


def _words(error: Exception) -> str:
    """What went wrong, without the names of Python's exceptions."""
    explanation = getattr(error, "explanation", None)
    text = " ".join(str(explanation or error).split())
    if explanation is None:
        for pattern, words in CONNECTION_WORDS.items():
            if re.search(pattern, text):
                return words
    return text[:300]
