"""What a query gave at each step of a grid of evaluation times."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from lokictl.records import dataclass

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Grid:
    """Evaluation times: ``start``, ``start + step``, … (ns), ``count`` of them.

    The times are whole multiples of the step, so that a Loki that aligns range queries leaves them alone, and so
    that runs over different ranges ask for the same times.
    """

    start: int
    step: int
    count: int

    @classmethod
    def between(cls, start: int, end: int, step: int) -> Grid:
        """The multiples of ``step`` from ``start`` to ``end`` (both inclusive)."""
        first = -(-start // step) * step
        return cls(first, step, max((end - first) // step + 1, 0))

    @property
    def end(self) -> int:
        """The last evaluation time (ns)."""
        return self.start + (self.count - 1) * self.step

    def time(self, index: int) -> int:
        """The time of an evaluation (ns)."""
        return self.start + index * self.step

    def index(self, time: int) -> int:
        """The evaluation in force at ``time``: the last one at or before it; -1 before the first."""
        return max(min((time - self.start) // self.step, self.count - 1), -1)


@dataclass(slots=True)
class Column:
    """The samples of one series: rising step numbers, and the values there."""

    indexes: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def append(self, index: int, value: float) -> None:
        """Adds the sample of the next step."""
        self.indexes.append(index)
        self.values.append(value)

    def __len__(self) -> int:
        return len(self.indexes)


@dataclass(frozen=True, slots=True)
class Gap:
    """Steps ``first`` to ``last`` (inclusive) that nobody answered, and why."""

    first: int
    last: int
    reason: str


@dataclass
class Answers:
    """What a query gave on a grid.

    ``series``: its samples by label set.  ``failures``: steps at which the query failed, with the text of the error.
    ``gaps``: steps without any answer.  ``refusal``: why the query can never be answered, "" where it can.
    """

    series: dict[Labels, Column] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    refusal: str = ""

    def add(self, labels: Labels, samples: Iterable[tuple[int, float]]) -> None:
        """Adds samples (step number, value) of steps behind those that the series has."""
        column = self.series.get(labels)
        if column is None:
            column = self.series[labels] = Column()
        for index, value in samples:
            column.append(index, value)

    def extend(self, later: Answers) -> None:
        """Adds the answers of later steps."""
        for labels, column in later.series.items():
            own = self.series.get(labels)
            if own is None:
                self.series[labels] = Column(column.indexes[:], column.values[:])
            else:
                own.indexes.extend(column.indexes)
                own.values.extend(column.values)
        self.failures.update(later.failures)
        self.gaps += later.gaps
        self.refusal = self.refusal or later.refusal

    def shifted(self, offset: int) -> Answers:
        """The same answers with ``offset`` added to every step number."""
        if not offset:
            return self
        series = {
            labels: Column(array("q", [index + offset for index in column.indexes]), column.values)
            for labels, column in self.series.items()
        }
        failures = {index + offset: text for index, text in self.failures.items()}
        gaps = [Gap(gap.first + offset, gap.last + offset, gap.reason) for gap in self.gaps]
        return Answers(series, failures, gaps, self.refusal)

    def rows(self) -> dict[int, list[Sample]]:
        """The elements of the vector at each step that has any."""
        found: dict[int, list[Sample]] = {}
        for labels, column in self.series.items():
            for index, value in zip(column.indexes, column.values, strict=True):
                row = found.get(index)
                if row is None:
                    found[index] = [(labels, value)]
                else:
                    row.append((labels, value))
        return found

    @classmethod
    def of_rows(cls, rows: Mapping[int, Iterable[Sample]]) -> Answers:
        """The opposite of `rows`."""
        answers = cls()
        for index in sorted(rows):
            for labels, value in rows[index]:
                column = answers.series.get(labels)
                if column is None:
                    column = answers.series[labels] = Column()
                column.append(index, value)
        return answers

    def present(self) -> set[int]:
        """The steps at which some series has a sample."""
        return set().union(*(column.indexes for column in self.series.values())) if self.series else set()

    def missing(self) -> set[int]:
        """The steps without an answer."""
        return {index for gap in self.gaps for index in range(gap.first, gap.last + 1)}


def merged_gaps(*answers: Answers) -> list[Gap]:
    """The gaps of several answers in order, touching ones of one reason joined."""
    found: list[Gap] = []
    for gap in sorted((gap for one in answers for gap in one.gaps), key=lambda gap: (gap.first, gap.last)):
        last = found[-1] if found else None
        if last is not None and gap.first <= last.last + 1 and gap.reason == last.reason:
            found[-1] = Gap(last.first, max(last.last, gap.last), last.reason)
        else:
            found.append(gap)
    return found


def runs(indexes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Stretches of consecutive numbers in rising ``indexes``, as (first, last)."""
    first = last = None
    for index in indexes:
        if last is not None and index <= last + 1:
            last = index
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = index
    if first is not None and last is not None:
        yield first, last
