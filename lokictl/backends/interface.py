"""What every backend can do: take log lines, answer queries about them, and be closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from lokictl.diagnostics import LokictlError, Problem
from lokictl.durations import Duration, Time
from lokictl.engine.result import LogLine, Result
from lokictl.logql.ast import Expr
from lokictl.records import dataclass

__all__ = [
    "Backend",
    "BackendError",
    "LogEntry",
    "LogLine",
    "LogStream",
    "QueryError",
    "Result",
    "UnreachableError",
]


class LogEntry(NamedTuple):
    """One line: ``timestamp`` in ns, its text, structured metadata.

    ``arrives_at`` (ns) is set for a late line: queries for an earlier time do not see it.
    """

    timestamp: int
    line: str
    metadata: Mapping[str, str] = MappingProxyType({})
    arrives_at: int | None = None


@dataclass(frozen=True, slots=True)
class LogStream:
    """Lines with one label set; a stream may be pushed in parts."""

    labels: Mapping[str, str]
    entries: Sequence[LogEntry] = ()


class BackendError(LokictlError):
    """The backend cannot be used: it does not start, is out of reach, or refuses the lines."""

    def __init__(self, message: str, *, hint: str = "", name: str = "backend/unusable") -> None:
        super().__init__(Problem(name, message, hint=hint))


class UnreachableError(BackendError):
    """The server of the backend is out of reach; nothing else can be asked of it either."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, name="backend/unreachable")


class QueryError(BackendError):
    """A query that the backend refuses or cannot answer; ``text`` is Loki's own message."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text, name="backend/query")
        self.text = text
        self.status = status


class Backend(ABC):
    """A place where queries run.  Also a context manager that closes it.

    Times are ns since the epoch or `datetime`s with a time zone.  Queries may come in any order of time as long as no
    pushed line is late; with late lines (`LogEntry.arrives_at`) a real Loki must be asked in the order of time.
    """

    name: str = ""
    discovers_service_name: bool = False
    discovers_log_levels: bool = False
    """Whether it adds ``service_name`` and ``detected_level`` to lines itself, as a Loki with its defaults does."""

    @abstractmethod
    def push(self, streams: Iterable[LogStream]) -> None:
        """Adds lines; when it returns they can be queried.  Raises `BackendError`."""

    @abstractmethod
    def query(self, expression: Expr | str, *, time: Time) -> Result:
        """The answer of an instant query at ``time``.  Raises `QueryError`, `BackendError`."""

    @abstractmethod
    def query_range(
        self,
        expression: Expr | str,
        *,
        start: Time,
        end: Time,
        step: Duration = 0,
        limit: int = 100,
        direction: str = "backward",
    ) -> Result:
        """The answer of a range query, as of ``end`` (late lines).  Raises `QueryError`, `BackendError`."""

    @abstractmethod
    def fresh(self, *, discover_service_name: bool = False, discover_log_levels: bool = False) -> Backend:
        """A backend without lines on the same server, for the next test; closing it leaves the server running.

        With ``discover_…`` the server itself adds those to the lines, if it can: `discovers_service_name`.
        """

    def expect(self, expression: str, start: int, end: int, step: int = 0) -> None:  # noqa: B027 - only a hint
        """A hint that ``expression`` will be asked at instants from ``start`` to ``end``, every ``step`` if given."""

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Gives back what the backend holds (processes, containers, connections); safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def storable(text: str) -> str:
    """``text`` with U+FFFD for each half of a surrogate pair, which is not a character.

    Surrogates that stand for bytes that are not UTF-8 (Python's surrogateescape) stay.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return text
