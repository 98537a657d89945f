"""Nested data that knows where its parts are in the file that the user wrote.

`YamlDocument` and `JsonDocument` read text, `DataDocument` is data that a program made, and `EmbeddedDocument` is
a document inside a string of another one (a rule file in a ConfigMap, a dashboard in a Helm value): its
positions are those of the outer file.  A `Cursor` is one place in a document; readers take cursors and never need
to know what kind of document they read, or how deep it is embedded.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import Position, Problem, suggestion
from lokictl.records import dataclass

Path = tuple[str | int, ...]
Stretch = tuple[int, int]
"""Offsets of some characters in the text of a file: the first, and the one after the last."""


@dataclass(frozen=True)
class SourceText:
    """A text file: its name and its characters, with offsets turned into lines and columns."""

    text: str
    file: str = ""
    first_line: int = 1

    @cached_property
    def line_starts(self) -> list[int]:
        lengths = [len(line) + 1 for line in self.text.split("\n")]
        return [0, *itertools.accumulate(lengths[:-1])]

    def line(self, number: int) -> str:
        """The text of line ``number`` (1-based), without its line end; empty if there is none."""
        index = number - self.first_line
        if not 0 <= index < len(self.line_starts):
            return ""
        end = self.line_starts[index + 1] - 1 if index + 1 < len(self.line_starts) else len(self.text)
        return self.text[self.line_starts[index] : end].rstrip("\r")

    def position(self, start: int, end: int | None = None) -> Position:
        """The position of the characters ``start`` to ``end`` (exclusive; default: one character)."""
        line, column = self._line_column(start)
        end_line, end_column = self._line_column(start + 1 if end is None else max(end, start))
        return Position(self.file, line, column, end_line, end_column)

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column (both from 1)."""
        index = min(max(line - self.first_line, 0), len(self.line_starts) - 1)
        return self.line_starts[index] + max(column - 1, 0)

    def stretch(self, position: Position) -> Stretch:
        """The offsets of the characters at ``position``; the inverse of `position`."""
        start = self.offset(position.line, position.column)
        return start, max(self.offset(position.end_line, position.end_column), start)

    def _line_column(self, offset: int) -> tuple[int, int]:
        offset = min(max(offset, 0), len(self.text))
        index = bisect.bisect_right(self.line_starts, offset) - 1
        return index + self.first_line, offset - self.line_starts[index] + 1


@dataclass(frozen=True)
class Document(ABC):
    """``value`` in plain Python, and the places of all its parts in ``source``, the text of the user's file.

    A path is a tuple of keys and list indexes from the root: ``("groups", 0, "rules", 2, "expr")``.
    """

    value: Any
    source: SourceText

    @abstractmethod
    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        """The characters of the value at ``path`` (``key=True``: its key); its nearest parent when it is missing."""

    @abstractmethod
    def offsets(self, path: Path) -> Sequence[int]:
        """For each character of the string at ``path``, its offset in the file, and the offset after the last.

        Empty where that is not known.
        """

    @abstractmethod
    def scalar_text(self, *path: str | int) -> str:
        """The text of a scalar as written (``1.50`` stays ``1.50``); "" for null and for anything else."""

    @abstractmethod
    def written(self, path: Path, text: str) -> str | None:
        """``text`` as it must be written inside the string at ``path``; None where it cannot be written there."""

    def position(self, *path: str | int, key: bool = False) -> Position:
        """Where the value at ``path`` is (``key=True``: its key); its nearest parent when it is missing."""
        return self.source.position(*self.stretch(*path, key=key))

    def text_position(self, path: Path, start: int, end: int) -> Position:
        """Where the characters ``start`` to ``end`` of the string at ``path`` are in the file."""
        offsets = self.offsets(path)
        if len(offsets) < 2:
            return self.position(*path)
        return self.source.position(*_stretch_within(offsets, self.source.text, start, end))

    def line(self, position: Position) -> str:
        """The line of the file that ``position`` is on."""
        return self.source.line(position.line)

    def has(self, *path: str | int) -> bool:
        """Whether there is a value at exactly this path."""
        return value_at(self.value, path, missing=_MISSING) is not _MISSING

    def problem(
        self, name: str, message: str, *path: str | int, key: bool = False, hint: str = ""
    ) -> Problem:
        """A problem placed at ``path``."""
        position = self.position(*path, key=key)
        return Problem(name, message, position=position, hint=hint, source_line=self.line(position))


_MISSING = object()


def _stretch_within(offsets: Sequence[int], text: str, start: int, end: int) -> Stretch:
    last = len(offsets) - 1
    start = min(max(start, 0), last - 1)
    final = min(max(end - 1, start), last - 1)
    stop = offsets[final + 1]
    if "\n" in text[offsets[final] : stop]:
        stop = offsets[final] + 1
    return offsets[start], max(stop, offsets[start] + 1)


def value_at(value: Any, path: Path, missing: Any = None) -> Any:
    """The part of nested mappings and lists at ``path``; ``missing`` if there is none."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return missing
    return value


@dataclass(frozen=True)
class DataDocument(Document):
    """Plain data that a program made: it has a file at most."""

    value: Any
    source: SourceText = SourceText("")

    @classmethod
    def of(cls, value: Any, file: str = "") -> DataDocument:
        """The data as a document of ``file``."""
        return cls(value, SourceText("", file))

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        return 0, 0

    def offsets(self, path: Path) -> Sequence[int]:
        return ()

    def scalar_text(self, *path: str | int) -> str:
        value = value_at(self.value, path)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    def written(self, path: Path, text: str) -> str | None:
        return None

    def position(self, *path: str | int, key: bool = False) -> Position:
        return Position(self.source.file)


@dataclass(frozen=True)
class ModuleDocument(DataDocument):
    """Data that a Python module made: a place is the line of the module that names the part, or its first line."""

    @classmethod
    def of(cls, value: Any, file: str = "") -> ModuleDocument:
        """The data as made by the module ``file``."""
        return cls(value, SourceText(_text_of(file), file))

    def position(self, *path: str | int, key: bool = False) -> Position:
        return (
            self.source.position(*self.stretch(*path, key=key))
            if self.source.text
            else Position(self.source.file)
        )

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        for text in self._names(path):
            start = self.source.text.find(text)
            if start >= 0:
                return start, start + len(text)
        first = self.source.text.find("\n")
        return 0, first if first >= 0 else len(self.source.text)

    def _names(self, path: Path) -> Iterator[str]:
        """Strings that the module may hold for the part: its own, then the names of what it is in."""
        for length in range(len(path), -1, -1):
            value = value_at(self.value, path[:length])
            named = (
                [value.get(name) for name in ("title", "name", "uid")] if isinstance(value, dict) else [value]
            )
            yield from (
                json.dumps(item, ensure_ascii=False) for item in named if isinstance(item, str) and item
            )


@functools.lru_cache(maxsize=256)
def _text_of(file: str) -> str:
    try:
        return FilePath(file).read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError):
        return ""


@dataclass(frozen=True)
class PlainDocument(Document):
    """A document that is one string: a query in a file of its own.  Its only path is ``()``."""

    @classmethod
    def of(cls, source: SourceText) -> PlainDocument:
        return cls(source.text, source)

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        return 0, len(self.source.text)

    def offsets(self, path: Path) -> Sequence[int]:
        return range(len(self.source.text) + 1)

    def scalar_text(self, *path: str | int) -> str:
        return self.source.text

    def written(self, path: Path, text: str) -> str | None:
        return text


@dataclass(frozen=True)
class EmbeddedDocument(Document):
    """A document inside the string at ``path`` of another document.

    ``source`` is the text of the outer file.  Where the string is encoded (base64, gzip: ``encoded``), its
    characters have no place of their own, and every position is that of the whole string.
    """

    inner: Document = field(repr=False)
    outer: Document = field(repr=False)
    path: Path
    encoded: bool = False

    @classmethod
    def of(cls, inner: Document, outer: Cursor, *, encoded: bool = False) -> EmbeddedDocument:
        """``inner`` as a document of the file of ``outer``, the string that it was read from."""
        return cls(inner.value, outer.document.source, inner, outer.document, outer.path, encoded)

    @cached_property
    def _outer_offsets(self) -> Sequence[int]:
        return () if self.encoded else self.outer.offsets(self.path)

    def stretch(self, *path: str | int, key: bool = False) -> Stretch:
        return self._outward(self.inner.stretch(*path, key=key))

    def _outward(self, inner: Stretch) -> Stretch:
        offsets = self._outer_offsets
        if len(offsets) < 2:
            return self.outer.stretch(*self.path, key=self.encoded)
        return _stretch_within(offsets, self.source.text, *inner)

    def offsets(self, path: Path) -> Sequence[int]:
        outer = self._outer_offsets
        if len(outer) < 2:
            return ()
        return [outer[min(offset, len(outer) - 1)] for offset in self.inner.offsets(path)]

    def scalar_text(self, *path: str | int) -> str:
        return self.inner.scalar_text(*path)

    def written(self, path: Path, text: str) -> str | None:
        inner = self.inner.written(path, text)
        return None if inner is None or self.encoded else self.outer.written(self.path, inner)

    def outward(self, problem: Problem) -> Problem:
        """A problem of the inner text as a problem of the outer file."""
        position = self.source.position(*self._outward(self.inner.source.stretch(problem.position)))
        return dataclasses.replace(problem, position=position, source_line=self.line(position))


@dataclass(frozen=True)
class Cursor:
    """One place in a document."""

    document: Document = field(repr=False)
    path: Path = ()

    @cached_property
    def value(self) -> Any:
        """The value here; None when it is missing."""
        return value_at(self.document.value, self.path)

    @property
    def text(self) -> str:
        """The scalar here as written; "" for null, for mappings and lists, and when it is missing."""
        value = self.value
        if isinstance(value, str):
            return value
        return "" if value is None else self.document.scalar_text(*self.path)

    def member_text(self, key: str) -> str:
        """As `text`, of a member of the mapping that is here."""
        value = self.value.get(key)
        return value if isinstance(value, str) else self.child(key).text

    def child(self, *parts: str | int) -> Cursor:
        """A place below this one."""
        return Cursor(self.document, (*self.path, *parts))

    def children(self) -> Iterator[Cursor]:
        """The items of a list, the values of a mapping; nothing for anything else."""
        value = self.value
        if isinstance(value, dict):
            yield from (self.child(key) for key in value)
        elif isinstance(value, list):
            yield from (self.child(index) for index in range(len(value)))

    def position(self, *path: str | int, key: bool = False) -> Position:
        """Where a part of this is (``key=True``: its key)."""
        return self.document.position(*self.path, *path, key=key)

    def text_position(self, path: Path, start: int, end: int) -> Position:
        """Where some characters of a string below are."""
        return self.document.text_position((*self.path, *path), start, end)

    def line(self, position: Position) -> str:
        """The line of the file that ``position`` is on."""
        return self.document.line(position)

    def problem(
        self, name: str, message: str, *path: str | int, key: bool = False, hint: str = ""
    ) -> Problem:
        """A problem placed here, or at a part of this."""
        return self.document.problem(name, message, *self.path, *path, key=key, hint=hint)

    def unknown_keys(
        self, known: Iterable[str], *, name: str = "yaml/unknown-key", what: str = ""
    ) -> Iterator[Problem]:
        """One problem for each key of this mapping that is not known, with the nearest known one."""
        value = self.value
        if not isinstance(value, dict):
            return
        known = list(known)
        where = f" in {what}" if what else ""
        for key in value:
            if key not in known:
                hint = suggestion(str(key), known, f"known keys: {', '.join(known)}")
                yield self.problem(name, f'unknown key "{key}"{where}', key, key=True, hint=hint)
