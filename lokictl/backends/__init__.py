"""Where a query can run: the embedded engine, a Loki URL, a Loki binary, a Loki container.

::

    with open_backend("embedded") as backend:              # or "binary", "docker", "http://localhost:3100"
        backend.push([LogStream({"app": "web"}, [LogEntry(time_ns, "line")])])
        backend.query('count_over_time({app="web"}[5m])', time=time_ns).vector
"""

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

__all__ = [
    "Backend",
    "BackendError",
    "EmbeddedBackend",
    "LogEntry",
    "LogStream",
    "QueryError",
    "UnreachableError",
    "open_backend",
]


def open_backend(engine: str = "embedded", *, allow_push: bool = False) -> Backend:
    """The backend of that name: "embedded", "binary", "docker", or the URL of a Loki.

    ``allow_push`` lets logs go to a Loki (by URL) that keeps no tenants apart.  Raises `BackendError` where the
    engine is not known, not there or does not start.
    """
    if engine == "embedded":
        return EmbeddedBackend()
    if engine == "binary":
        return BinaryBackend()
    if engine == "docker":
        return ContainerBackend()
    if engine.startswith(("http://", "https://")):
        backend = UrlBackend(engine, allow_push=allow_push)
        backend.check()
        return backend
    raise BackendError(
        f'there is no engine "{engine}"',
        hint="embedded, docker, binary, or a URL such as http://localhost:3100",
    )
