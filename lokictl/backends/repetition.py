"""Lines that are made when they are asked for, and many at once where nothing asks for one by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol, overload

from lokictl.backends.interface import LogEntry
from lokictl.records import dataclass

Metadata = Mapping[str, str]


class Texts(Protocol):
    """The texts of many lines."""

    def __call__(self, index: int) -> str:
        """The text of one line."""

    def first(self, count: int) -> list[str]:
        """The texts of the first ``count`` lines."""


@dataclass(frozen=True, slots=True)
class Repetition(Sequence[LogEntry]):
    """``total`` lines ``every`` ns from ``first`` on.

    ``arrival`` (ns) None: they arrive in time.  ``metadata`` is that of all lines, or gives that of one.
    """

    first: int
    every: int
    total: int
    arrival: int | None
    text: Texts
    metadata: Metadata | Callable[[int], Metadata]

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, index: int) -> LogEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogEntry]: ...
    def __getitem__(self, index: int | slice) -> LogEntry | Sequence[LogEntry]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.total))]
        number = range(self.total)[index]
        return self._entry(number, self.text(number))

    def __iter__(self) -> Iterator[LogEntry]:
        return map(self._entry, range(self.total), self.text.first(self.total))

    def _entry(self, number: int, text: str) -> LogEntry:
        metadata = self.metadata if isinstance(self.metadata, Mapping) else self.metadata(number)
        return log_entry(self.first + number * self.every, text, metadata, self.arrival)

    @property
    def is_regular(self) -> bool:
        """Whether each line is in time, later than the one before, and has the same metadata."""
        in_time = self.arrival is None or self.arrival <= self.first
        return in_time and isinstance(self.metadata, Mapping) and (self.every > 0 or self.total < 2)

    @property
    def times(self) -> range:
        """The times of regular lines (ns)."""
        return range(self.first, self.first + self.total * max(self.every, 1), max(self.every, 1))


@dataclass(frozen=True, slots=True)
class Joined(Sequence[LogEntry]):
    """The lines of several sequences, one after the other."""

    parts: tuple[Sequence[LogEntry], ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @overload
    def __getitem__(self, index: int) -> LogEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogEntry]: ...
    def __getitem__(self, index: int | slice) -> LogEntry | Sequence[LogEntry]:
        return list(self)[index]

    def __iter__(self) -> Iterator[LogEntry]:
        return chain.from_iterable(self.parts)


def parts_of(entries: Sequence[LogEntry]) -> tuple[Sequence[LogEntry], ...]:
    """What joined lines are joined of; others are one part."""
    return entries.parts if isinstance(entries, Joined) else (entries,)


def metadata_of(entries: Sequence[LogEntry]) -> Iterator[Metadata]:
    """The structured metadata of lines; what is the same for many comes once for these."""
    for part in parts_of(entries):
        if isinstance(part, Repetition) and isinstance(part.metadata, Mapping):
            yield part.metadata
        else:
            yield from (entry.metadata for entry in part)


def log_entry(time: int, text: str, metadata: Metadata, arrival: int | None) -> LogEntry:
    """A line that reaches Loki at ``arrival``, or in time."""
    return LogEntry(time, text, metadata, arrival if arrival is not None and arrival > time else None)
