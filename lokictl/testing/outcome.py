"""What came of an expectation, of a test, and of a whole run."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from lokictl.diagnostics import Position, Problem
from lokictl.records import dataclass
from lokictl.testing.model import (
    AlertExpectation,
    QueryExpectation,
    RecordingExpectation,
    TestCase,
    TestFile,
)

Expectation = AlertExpectation | RecordingExpectation | QueryExpectation


@dataclass(frozen=True)
class Failure:
    """One expectation that does not hold.

    ``message`` is one line; ``details`` are lines of text (expected and actual side by side, the timeline, the last
    values, the lines that counted).  ``expected`` and ``actual`` are plain data.
    """

    message: str
    position: Position = Position()
    source_line: str = ""
    details: tuple[str, ...] = ()
    expected: Any = None
    actual: Any = None


@dataclass(frozen=True)
class Observation:
    """What really was at ``time`` where ``expectation`` looked; ``failure`` None where that is what it expects.

    ``actual`` is a list of alerts ``(labels without alertname, annotations)``, of samples ``(labels, value)``, or a
    `lokictl.testing.execution.Answer`.
    """

    expectation: Expectation
    time: int
    actual: Any = None
    state: str = ""
    failure: Failure | None = None


@dataclass
class TestResult:
    """The outcome of one test; ``seconds`` is how long it took; ``engine`` is where it ran.

    ``observations`` are those of a test with failures.
    """

    __test__ = False

    file: TestFile
    test: TestCase
    engine: str = "embedded"
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    skipped: str = ""
    observations: list[Observation] = field(default_factory=list, repr=False)
    differences: list[Failure] = field(default_factory=list, repr=False)
    """Where Loki's ruler and Grafana do not do the same with a rule; no failures."""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures and not self.skipped

    @property
    def outcome(self) -> str:
        """ "passed", "failed" or "skipped"."""
        return "failed" if self.failures else "skipped" if self.skipped else "passed"

    @property
    def name(self) -> str:
        """The file and the test's name."""
        return f"{self.file.path}: {self.test.name}"


@dataclass
class Report:
    """A run: its results, warnings (what Loki drops), and problems of files that cannot be read.

    ``unreadable``: whether there are such files.
    """

    results: list[TestResult] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unreadable: bool = False
    seconds: float = 0.0

    @property
    def failed(self) -> list[TestResult]:
        """The results with failures."""
        return [result for result in self.results if result.failures]

    @property
    def passed(self) -> bool:
        """Whether no test failed and every file could be read."""
        return not self.failed and not self.problems

    def count(self, outcome: str) -> int:
        """How many results have an outcome ("passed", "failed", "skipped")."""
        return sum(result.outcome == outcome for result in self.results)
