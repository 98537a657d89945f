"""Where the history of logs is: what a backtest asks of a Loki or of log files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lokictl.backtest.series import Answers, Grid
from lokictl.records import dataclass
from lokictl.ruler.expansion import Vector

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """A query to be answered at every step of a grid; ``lookback`` is how far before a step its lines begin (ns)."""

    query: str
    grid: Grid
    lookback: int = 0


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """The answers to one request; ``complete`` where nothing is missing."""

    request: RangeRequest
    answers: Answers

    @property
    def complete(self) -> bool:
        """Whether every step was answered (failures are answers)."""
        return not self.answers.gaps and not self.answers.refusal


@dataclass(frozen=True, slots=True)
class LinesRequest:
    """Up to ``limit`` lines of a log query with ``start < time <= end`` (ns); the newest ones where there are more."""

    query: str
    start: int
    end: int
    limit: int


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A log line with the labels of its stream; ``metadata`` is its structured metadata."""

    timestamp: int
    line: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)


Recall = Callable[[str], Any]
"""What was kept under a name; None where nothing was."""
Keep = Callable[[str, Any], None]


class History(ABC):
    """A place that knows the logs of the past.  Times are ns.

    ``identity`` tells histories apart in the cache; ``description`` names it in reports; ``requests`` counts what
    was asked, ``bytes_read`` what had to be read for it (None where not known).
    """

    identity: str = ""
    description: str = ""
    requests: int = 0
    bytes_read: int | None = None
    max_series: int = 500

    def prepare(self, recall: Recall, keep: Keep) -> None:  # noqa: B027 - most histories need nothing
        """Finds out what must be known beforehand; ``recall`` and ``keep`` save finding it out twice."""

    @abstractmethod
    def extent(self) -> tuple[int, int] | None:
        """The times of the first and the last line; None where that is not known, or if there are no lines."""

    @abstractmethod
    def answer(self, requests: Sequence[RangeRequest], progress: Progress) -> Iterator[RangeAnswer]:
        """The answers to all requests, in any order, each as soon as it is complete.

        Raises `BackendError` where the history cannot be used at all; what fails later is a gap of the answers.
        """

    @abstractmethod
    def lines(self, requests: Sequence[LinesRequest]) -> list[list[FoundLine]]:
        """The lines of each request in the order of time.  Raises `QueryError`, `BackendError`."""

    @abstractmethod
    def instant(self, query: str, time: int) -> Vector:
        """The answer to an instant query, for the template function ``query``.  Raises `BackendError`."""

    def volume(self, selector: str, start: int, end: int) -> int | None:
        """How many bytes of lines a stream selector has in a range of time; None where that is not known."""
        return None

    def has_logs(self, selector: str, start: int, end: int) -> bool | None:
        """Whether a stream selector has any lines in a range of time; None where that is not known."""
        volume = self.volume(selector, start, end)
        return None if volume is None else volume > 0

    def close(self) -> None:  # noqa: B027 - most histories hold nothing
        """Gives back connections and files."""


def no_progress(what: str, done: int, total: int) -> None:
    """Shows nothing."""
