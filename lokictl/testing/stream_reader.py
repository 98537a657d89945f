"""Reads the input streams of a test: labels, lines, entries, files of real lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from lokictl.backends.interface import LogEntry
from lokictl.backends.repetition import Repetition, Texts, log_entry
from lokictl.diagnostics import LokictlError, Problem, Severity
from lokictl.lazy import lazy, lazy_pattern
from lokictl.model.yaml_source import Path, YamlDocument
from lokictl.testing.lines import line_maker, uses_index, with_index
from lokictl.testing.model import DEFAULT_START, InputStream, Labels
from lokictl.testing.reader import Reader, ReadError

if TYPE_CHECKING:
    from lokictl.model import log_files
else:
    # Few tests read their lines from files.
    log_files = lazy("lokictl.model.log_files")

STREAM_KEYS = ("labels", "structured_metadata", "lines", "entries", "file", "time_field", "arrives_at")
ENTRY_KEYS = ("at", "line", "json", "logfmt", "every", "count", "arrives_at", "structured_metadata")
KINDS = ("line", "json", "logfmt")
GAP = lazy_pattern(r"_(?:x(\d+))?")
MAX_COUNT = 1_000_000
HALF_A_YEAR = 183 * 86_400 * 1_000_000_000


class StreamReader(Reader):
    """Reads the streams of one test, whose ``lines`` are ``interval`` ns apart from its start on."""

    def __init__(
        self, document: YamlDocument, problems: list[Problem], interval: int, start: int | None
    ) -> None:
        super().__init__(document, problems)
        self.interval = interval
        self.given_start = start
        self.start_time = start if start is not None else DEFAULT_START

    def streams(self, value: Any, path: Path) -> tuple[tuple[InputStream, ...], int]:
        """The streams, and where the test starts: without a start of its own, at the first line of its files."""
        items = self.list_of(value, path)
        files = {
            index: self._file_lines(item, (*path, index))
            for index, item in enumerate(items)
            if isinstance(item, dict) and item.get("file") is not None
        }
        first = min((line.timestamp for lines in files.values() for line, _ in lines), default=None)
        if self.given_start is None and first is not None:
            self.start_time = first // self.interval * self.interval
        streams: list[InputStream] = []
        for index, item in enumerate(items):
            streams += self.stream(item, (*path, index), files.get(index, []))
        return tuple(streams), self.start_time

    def stream(
        self, value: Any, path: Path, file_lines: list[tuple[LogEntry, dict[str, str]]]
    ) -> Iterator[InputStream]:
        if not self.mapping(value, path, "a stream", STREAM_KEYS):
            return
        labels = self.labels(value.get("labels"), (*path, "labels"))
        if not labels and value.get("file") is None:
            self.problem("a stream needs `labels`", path, hint='labels: {app: "api"}')
        if not any(key in value for key in ("lines", "entries", "file")):
            self.problem("a stream needs `lines`, `entries` or a `file`", path)
        metadata = self.labels(value.get("structured_metadata"), (*path, "structured_metadata"))
        held = self._arrival(value, path)
        parts: list[Sequence[LogEntry]] = []
        lines = list(self._lines(value.get("lines"), (*path, "lines"), metadata, held))
        if lines:
            parts.append(lines)
        for index, item in enumerate(self.list_of(value.get("entries"), (*path, "entries"))):
            try:
                entry = self._entry(item, (*path, "entries", index), metadata, held)
            except ReadError:
                continue
            if entry:
                parts.append(entry)
        if parts or not file_lines:
            yield InputStream(labels, tuple(parts))
        yield from self._file_streams(file_lines, labels, metadata, held)

    def _arrival(self, value: dict[str, Any], path: Path) -> int | None:
        if value.get("arrives_at") is None:
            return None
        return self.time(value["arrives_at"], (*path, "arrives_at"), self.start_time)

    def _lines(
        self, value: Any, path: Path, metadata: dict[str, str], held: int | None
    ) -> Iterator[LogEntry]:
        items = value.splitlines() if isinstance(value, str) else self.list_of(value, path)
        step = 0
        for index, item in enumerate(items):
            text = self.text(item, (*path, index)) if not isinstance(value, str) else item
            gap = GAP.fullmatch(text.strip()) if item is not None else None
            if item is None or gap is not None:
                step += int(gap[1]) if gap is not None and gap[1] else 1
                continue
            time = self.start_time + step * self.interval
            shown = str(with_index(text, step)) if uses_index(text) else text
            yield log_entry(time, shown, metadata, held)
            step += 1

    def _entry(self, value: Any, path: Path, metadata: dict[str, str], held: int | None) -> Repetition | None:
        if not self.mapping(value, path, "an entry", ENTRY_KEYS):
            return None
        kinds = [kind for kind in KINDS if value.get(kind) is not None]
        if len(kinds) != 1:
            self.problem("an entry needs exactly one of `line`, `json`, `logfmt`", path)
            return None
        if value.get("at") is None:
            self.problem("an entry needs `at`", path, hint="a duration after the start (30s) or a timestamp")
            return None
        first = self.time(value["at"], (*path, "at"), self.start_time)
        every = self.duration(value.get("every"), (*path, "every")) or 0
        count = self.integer(value.get("count"), (*path, "count"), 1)
        if not self._is_repetition(value, path, every, count):
            return None
        if first + every * max(count - 1, 0) >= 1 << 63:
            self.problem("the last line lies after the year 2262", (*path, "every"))
            return None
        own = self._arrival(value, path)
        if own is not None and own < first:
            self.problem("a line cannot arrive before its own time", (*path, "arrives_at"))
            return None
        text = self._maker(kinds[0], value[kinds[0]], (*path, kinds[0]))
        extra = self.labels(value.get("structured_metadata"), (*path, "structured_metadata"))
        both = {**metadata, **extra}
        return Repetition(first, every, count, own if own is not None else held, text, self._metadata(both))

    def _metadata(self, metadata: dict[str, str]) -> Labels | Callable[[int], Labels]:
        if not uses_index(metadata):
            return metadata
        return lambda index: {key: str(value) for key, value in with_index(metadata, index).items()}

    def _is_repetition(self, value: dict[str, Any], path: Path, every: int, count: int) -> bool:
        if count > MAX_COUNT:
            self.problem(f"`count` is at most {MAX_COUNT}", (*path, "count"))
            return False
        if "every" in value and "count" not in value:
            self.problem("`every` needs a `count`: how many lines", (*path, "every"), key=True)
            return False
        if count > 1 and not every and not uses_index(value):
            hint = "give `every: 10s`, or use ${index} in the text"
            self.problem("equal lines at the same time are one line for Loki", (*path, "count"), hint=hint)
            return False
        return True

    def _maker(self, kind: str, value: Any, path: Path) -> Texts:
        if kind == "logfmt" and not isinstance(value, dict):
            self.problem("`logfmt` is a mapping", path)
            raise ReadError
        if kind == "line":
            value = self.text(value, path)
        elif kind == "json" and isinstance(value, str):
            self.problem("`json` is a mapping; use `line` for a string", path)
            raise ReadError
        try:
            maker = line_maker(kind, value)
            # The index is never divided by: what the first line has, all have.
            maker(0)
        except ValueError as error:
            self.problem(str(error), path)
            raise ReadError from None
        return maker

    # --- files of real lines -----------------------------------------------------------------------------

    def _file_lines(self, value: dict[str, Any], path: Path) -> list[tuple[LogEntry, dict[str, str]]]:
        """The lines of a stream's file, each with the labels that the file itself names."""
        name = self.text(value.get("file"), (*path, "file"))
        file = FilePath(self.document.source.file).parent / name
        default = self.given_start if self.given_start is not None else DEFAULT_START
        try:
            reader = log_files.LogReader(
                file,
                default_time=default,
                time_field=self.text(value.get("time_field"), (*path, "time_field")),
                # Times without a year lie around the start of the test, whatever the date of today is.
                not_after=default + HALF_A_YEAR,
            )
            found = list(reader)
        except LokictlError as error:
            for problem in error.problems:
                where = f" ({problem.position})" if problem.position.line else ""
                self.problem(f"{problem.message}{where}: {file}", (*path, "file"))
            return []
        warning = reader.warning("written from the test's start on, 1 ms apart")
        if warning is not None:
            hint = "name the JSON or logfmt field with the timestamp: time_field"
            problem = self.document.problem(
                warning.name, f"{name}: {warning.message}", *path, "file", hint=hint
            )
            self.problems.append(dataclasses.replace(problem, severity=Severity.WARNING))
        return [(LogEntry(item.timestamp, item.line, item.metadata), dict(item.labels)) for item in found]

    def _file_streams(
        self,
        found: list[tuple[LogEntry, dict[str, str]]],
        labels: dict[str, str],
        metadata: dict[str, str],
        held: int | None,
    ) -> Iterator[InputStream]:
        grouped: dict[tuple[tuple[str, str], ...], list[LogEntry]] = {}
        for line, own in found:
            key = tuple(sorted({**own, **labels}.items()))
            grouped.setdefault(key, []).append(
                log_entry(line.timestamp, line.line, {**metadata, **line.metadata}, held)
            )
        for key, lines in grouped.items():
            yield InputStream(dict(key), (lines,))
