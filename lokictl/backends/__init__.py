"""Where a query can run: the embedded engine, a Loki URL, a Loki binary, a Loki container."""

from lokictl.backends.embedded import EmbeddedBackend
from lokictl.backends.interface import Backend, BackendError, LogEntry, LogStream, QueryError

__all__ = ["Backend", "BackendError", "EmbeddedBackend", "LogEntry", "LogStream", "QueryError"]
