"""What a rule test file says, as plain typed objects.  Times are ns since the epoch, durations ns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import Any

from lokictl.backends.interface import LogEntry
from lokictl.backends.repetition import Joined
from lokictl.diagnostics import Problem
from lokictl.durations import MINUTE
from lokictl.model.documents import Cursor
from lokictl.model.yaml_source import YamlDocument
from lokictl.records import dataclass

DEFAULT_INTERVAL = MINUTE
DEFAULT_START = 1_767_225_600 * 1_000_000_000
"""2026-01-01T00:00:00Z: where time begins in a test that does not say so."""

Labels = Mapping[str, str]


@dataclass(frozen=True)
class InputStream:
    """A stream of a test: labels, and its lines in the order of the file."""

    labels: Labels
    parts: tuple[Sequence[LogEntry], ...] = ()

    @property
    def lines(self) -> Sequence[LogEntry]:
        """The lines, created when they are asked for."""
        return self.parts[0] if len(self.parts) == 1 else Joined(self.parts)

    @property
    def count(self) -> int:
        """How many lines there are."""
        return sum(map(len, self.parts))


@dataclass(frozen=True)
class ExpectedAlert:
    """An alert that must fire: all of its labels (without ``alertname``), and its annotations unless None.

    ``some_labels`` and ``some_annotations``: those given, whatever others the alert has.
    """

    labels: Labels
    annotations: Labels | None = None
    some_labels: bool = False
    some_annotations: bool = False

    def fits(self, labels: Labels, annotations: Labels) -> bool:
        """Whether an alert is the expected one."""
        return _fits(self.labels, labels, some=self.some_labels) and (
            self.annotations is None or _fits(self.annotations, annotations, some=self.some_annotations)
        )


def _fits(expected: Labels, actual: Labels, *, some: bool) -> bool:
    return expected.items() <= actual.items() if some else dict(expected) == dict(actual)


@dataclass(frozen=True)
class AlertExpectation:
    """What is expected of one alert at some points in time (ns since the epoch).

    ``alerts`` None: not compared; ``state`` "": not compared; ``fires_within`` and ``resolves_within`` in ns or None;
    ``error``: a part of the message with which the evaluation must fail.
    """

    alertname: str
    times: tuple[int, ...]
    alerts: tuple[ExpectedAlert, ...] | None = None
    state: str = ""
    fires_within: int | None = None
    resolves_within: int | None = None
    error: str = ""
    place: Cursor | None = field(default=None, compare=False, repr=False)

    @property
    def last_time(self) -> int:
        """The last point in time that decides."""
        span = (self.fires_within or 0) + (self.resolves_within or 0)
        return max(self.times) + span


@dataclass(frozen=True)
class ExpectedSample:
    """A sample (one value) or a series (a value per step, None for a gap)."""

    labels: Labels
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class RecordingExpectation:
    """The samples that a recording rule must write at some points in time; empty means none."""

    record: str
    times: tuple[int, ...]
    samples: tuple[ExpectedSample, ...] = ()
    error: str = ""
    place: Cursor | None = field(default=None, compare=False, repr=False)

    @property
    def last_time(self) -> int:
        """The last point in time that decides."""
        return max(self.times)


@dataclass(frozen=True)
class ExpectedLog:
    """A line of a log query's answer: ``labels`` None and ``timestamp`` None are not compared."""

    line: str
    labels: Labels | None = None
    timestamp: int | None = None


@dataclass(frozen=True)
class QueryExpectation:
    """A query and its answer.

    An instant query at each of ``times``; with ``step``, ``start`` and ``end`` a range query.  ``samples``, ``logs``
    and ``error`` say what is expected; None is not compared.
    """

    expr: str
    _: KW_ONLY
    times: tuple[int, ...] = ()
    start: int = 0
    end: int = 0
    step: int = 0
    limit: int = 1000
    direction: str = "forward"
    samples: tuple[ExpectedSample, ...] | None = None
    logs: tuple[ExpectedLog, ...] | None = None
    error: str | None = None
    place: Cursor | None = field(default=None, compare=False, repr=False)

    @property
    def is_range(self) -> bool:
        """Whether this is a range query (of samples or lines)."""
        return not self.times

    @property
    def last_time(self) -> int:
        """The last point in time that decides."""
        return max(self.times) if self.times else self.end


@dataclass(frozen=True)
class TestCase:
    """One test: lines go in, alert states, recorded samples and query answers are compared.

    ``discover_service_name`` and ``discover_log_levels`` add what a Loki with its defaults adds to lines: the stream
    label ``service_name`` and the structured metadata ``detected_level``.
    """

    __test__ = False  # pytest: this is not a test class

    name: str
    _: KW_ONLY
    start: int
    interval: int
    streams: tuple[InputStream, ...] = ()
    alerts: tuple[AlertExpectation, ...] = ()
    recordings: tuple[RecordingExpectation, ...] = ()
    queries: tuple[QueryExpectation, ...] = ()
    external_labels: Labels = field(default_factory=dict)
    external_url: str = ""
    discover_service_name: bool = False
    discover_log_levels: bool = False
    place: Cursor | None = field(default=None, compare=False, repr=False)

    @property
    def last_time(self) -> int:
        """The last point in time at which anything is looked at."""
        return max((item.last_time for item in self.expectations()), default=self.start)

    def expectations(self) -> Iterator[AlertExpectation | RecordingExpectation | QueryExpectation]:
        """Everything that is expected, in the order of its kinds."""
        yield from self.alerts
        yield from self.recordings
        yield from self.queries

    @property
    def rule_names(self) -> set[str]:
        """The names of the rules that the test looks at."""
        return {item.alertname for item in self.alerts} | {item.record for item in self.recordings}


@dataclass(frozen=True)
class MutationException:
    """A change that no test needs to notice: the rule's name, a glob over the change's text, and why."""

    rule: str
    change: str
    reason: str
    place: Cursor | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class TestFile:
    """A test file.  ``rule_files`` are globs relative to it; empty means the content project's rules."""

    __test__ = False

    path: str
    tests: Sequence[TestCase] = ()
    rule_files: tuple[str, ...] = ()
    evaluation_interval: int = DEFAULT_INTERVAL
    group_eval_order: tuple[str, ...] = ()
    fuzzy_compare: bool = False
    mutation_exceptions: tuple[MutationException, ...] = ()
    warnings: tuple[Problem, ...] = ()
    document: YamlDocument | None = field(default=None, compare=False, repr=False)


Plain = Any
"""A value as YAML gives it."""
