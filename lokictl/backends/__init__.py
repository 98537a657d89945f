"""Where a query can run: the embedded engine, a Loki URL, a Loki binary, a Loki container.

::

    with open_backend("embedded") as backend:              # or "binary", "docker", "http://localhost:3100"
        backend.push([LogStream({"app": "web"}, [LogEntry(time_ns, "line")])])
        backend.query('count_over_time({app="web"}[5m])', time=time_ns).vector
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.backends import interface
from lokictl.lazy import lazy, lazy_names

if TYPE_CHECKING:
    from lokictl.backends import binary, container, embedded, url
    from lokictl.backends.binary import BinaryBackend
    from lokictl.backends.container import ContainerBackend
    from lokictl.backends.embedded import EmbeddedBackend
    from lokictl.backends.interface import (
        Backend,
        BackendError,
        LogEntry,
        LogStream,
        QueryError,
        UnreachableError,
    )
    from lokictl.backends.url import UrlBackend
else:
    # Servers, HTTP and containers are of no use to the embedded engine, nor that to them.
    binary, container = lazy("lokictl.backends.binary"), lazy("lokictl.backends.container")
    embedded, url = lazy("lokictl.backends.embedded"), lazy("lokictl.backends.url")

_MODULES = {
    "Backend": "interface",
    "BackendError": "interface",
    "BinaryBackend": "binary",
    "ContainerBackend": "container",
    "EmbeddedBackend": "embedded",
    "LogEntry": "interface",
    "LogStream": "interface",
    "QueryError": "interface",
    "UnreachableError": "interface",
    "UrlBackend": "url",
}

__all__ = [
    "Backend",
    "BackendError",
    "BinaryBackend",
    "ContainerBackend",
    "EmbeddedBackend",
    "LogEntry",
    "LogStream",
    "QueryError",
    "UnreachableError",
    "UrlBackend",
    "open_backend",
]


def open_backend(engine: str = "embedded", *, allow_push: bool = False) -> Backend:
    """The backend of that name: "embedded", "binary", "docker", or the URL of a Loki.

    ``allow_push`` lets logs go to a Loki (by URL) that keeps no tenants apart.  Raises `BackendError` where the
    engine is not known, not there or does not start.
    """
    if engine == "embedded":
        return embedded.EmbeddedBackend()
    if engine == "binary":
        return binary.BinaryBackend()
    if engine == "docker":
        return container.ContainerBackend()
    if engine.startswith(("http://", "https://")):
        backend = url.UrlBackend(engine, allow_push=allow_push)
        backend.check()
        return backend
    raise interface.BackendError(
        f'unknown engine "{engine}"',
        hint="embedded, docker, binary, or a URL such as http://localhost:3100",
    )


__getattr__ = lazy_names(__name__, _MODULES)
