"""Where a query can run: the embedded engine, a Loki URL, a Loki binary, a Loki container.

::

    with open_backend("embedded") as backend:              # or "binary", "docker", "http://localhost:3100"
        backend.push([LogStream({"app": "web"}, [LogEntry(time_ns, "line")])])
        backend.query('count_over_time({app="web"}[5m])', time=time_ns).vector
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lokictl.backends.embedded import EmbeddedBackend
from lokictl.backends.interface import (
    Backend,
    BackendError,
    LogEntry,
    LogStream,
    QueryError,
    UnreachableError,
)

if TYPE_CHECKING:
    from lokictl.backends.binary import BinaryBackend
    from lokictl.backends.container import ContainerBackend
    from lokictl.backends.url import UrlBackend

# Imported when they are asked for: servers, HTTP and containers are of no use to the embedded engine.
_MODULES = {"BinaryBackend": "binary", "ContainerBackend": "container", "UrlBackend": "url"}

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
        return EmbeddedBackend()
    if engine in ("binary", "docker"):
        made: Backend = _backend_class("BinaryBackend" if engine == "binary" else "ContainerBackend")()
        return made
    if engine.startswith(("http://", "https://")):
        backend: UrlBackend = _backend_class("UrlBackend")(engine, allow_push=allow_push)
        backend.check()
        return backend
    raise BackendError(
        f'unknown engine "{engine}"',
        hint="embedded, docker, binary, or a URL such as http://localhost:3100",
    )


def _backend_class(name: str) -> Any:
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _backend_class(name)
