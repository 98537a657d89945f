"""Reads log files line by line, in bounded memory."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.durations import DAY, MILLISECOND, SECOND
from lokictl.model.log_files.documents import Record, records_of_document
from lokictl.model.log_files.formats import (
    NO_LABELS,
    BadTimeError,
    LogLine,
    Parsed,
    Part,
    ReadOptions,
    field_time,
    read_after_words,
    read_json,
    read_text,
    texts,
)
from lokictl.model.log_files.opening import open_log, text_lines
from lokictl.model.log_files.time_fields import TIME_FIELDS
from lokictl.model.times import match_rfc3339

WAITING_LINES = 10_000
"""Lines in front of the first time of a file that are kept until it is known."""
MAX_DOCUMENT_LINES = 5_000_000
TIME_COLUMNS = ("tsns", "timestamp", "time", "date")
LINE_COLUMNS = ("line", "body", "message")

_FIRST_FIELD = re.compile(r'\{"([^"\\]+)":\s?"(?=\d{4}-)')
_QUICK_FIELDS = TIME_FIELDS[:9]
_EXPLORE_HEADER = re.compile(r'(Common labels|Line limit|Total bytes processed|Unique labels)[^:]*: (["{].*)')


class LogReader:
    """The lines of one log file ("-": standard input), to be iterated over once.

    ``default_time`` (ns) is what a file without any time gets, plus 1 ms for each line; ``time_field`` names the JSON
    or logfmt field that holds the time; a time without a year is the latest that does not lie behind ``not_after``
    (ns; default: a day after ``default_time``).

    A line without a time has that of the line before it, and lines in front of the first time have that one.
    `without_time` is how many lines got ``default_time``: known at the end, either none or all.

    Iterating raises `LokictlError` for a file that cannot be read or has a line without the named field.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        default_time: int,
        time_field: str = "",
        not_after: int | None = None,
    ) -> None:
        self.path = str(path)
        self.default_time = default_time
        self.options = ReadOptions(time_field, default_time + DAY if not_after is None else not_after)
        self.without_time = 0

    def __iter__(self) -> Iterator[LogLine]:
        with open_log(self.path) as file:
            yield from self.parse(text_lines(file, self.path))

    def parse(self, lines: Iterable[str]) -> Iterator[LogLine]:
        """The log lines among lines of text."""
        parser = LineParser(self.default_time, self.options)
        try:
            yield from parser.parse(iter(lines))
        except BadLineError as error:
            position = Position(self.path, error.number, 1)
            problem = Problem("logs/time", error.message, position=position, source_line=error.line[:200])
            raise LokictlError(problem) from None
        if self.options.time_field and parser.count and not parser.named_field_seen:
            message = f'no line has a time field "{self.options.time_field}"'
            raise LokictlError(Problem("logs/time", message, position=Position(self.path)))
        self.without_time = parser.without_time

    def warning(self, instead: str = "written now, 1 ms apart", hint: str = "") -> Problem | None:
        """What to tell about lines whose time could not be read, once the file has been read."""
        if not self.without_time:
            return None
        lines, they = (
            ("1 line has", "it counts")
            if self.without_time == 1
            else (f"{self.without_time:,} lines have", "they count")
        )
        message = f"{lines} no time that can be read: {they} as {instead}"
        position = Position("<stdin>" if self.path == "-" else self.path)
        return Problem(
            "logs/no-time", message, Severity.WARNING, position, hint if not self.options.time_field else ""
        )


def read_log_file(path: str | Path, *, default_time: int, time_field: str = "") -> list[LogLine]:
    """All lines of a file ("-": standard input); see `LogReader`.  Raises `LokictlError`."""
    return list(LogReader(path, default_time=default_time, time_field=time_field))


def iterate_log_file(path: str | Path, *, default_time: int, time_field: str = "") -> Iterator[LogLine]:
    """The lines of a file of any size, one after the other, in their order there; see `LogReader`."""
    return iter(LogReader(path, default_time=default_time, time_field=time_field))


def parse_log_lines(lines: Iterable[str], *, default_time: int, time_field: str = "") -> Iterator[LogLine]:
    """The log lines among lines of text; see `LogReader`."""
    return LogReader("", default_time=default_time, time_field=time_field).parse(lines)


class BadLineError(ValueError):
    """A line whose time cannot be read although its field was named."""

    def __init__(self, number: int, line: str, message: str) -> None:
        super().__init__(message)
        self.number, self.line, self.message = number + 1, line, message


class LineParser:
    """The state of reading one file."""

    def __init__(self, default_time: int, options: ReadOptions) -> None:
        self.default_time = default_time
        self.options = options
        self.last: int | None = None
        self.time_after_words: bool | None = None
        """Whether the file's times stand behind words; None until its first time is known."""
        self.common_labels: Mapping[str, str] = NO_LABELS
        self.named_field_seen = False
        self.count = 0
        self.without_time = 0
        self._parts: dict[str, list[str]] = {}
        self._quick_fields = (options.time_field,) if options.time_field else _QUICK_FIELDS

    def parse(self, lines: Iterator[str]) -> Iterator[LogLine]:
        head = list(islice(lines, 1))
        while head and not head[-1].strip():
            following = list(islice(lines, 1))
            if not following:
                return
            head += following
        if not head:
            return
        first = head[-1]
        columns = _csv_columns(first)
        if columns is not None:
            yield from self._csv(columns, lines)
        elif _starts_document(first):
            yield from self._document([*head, *lines])
        elif _EXPLORE_HEADER.match(first):
            yield from self._explore(chain(head, lines))
        else:
            yield from self._lines(chain(head, lines))
        yield from self._unfinished()

    def _lines(self, lines: Iterable[str]) -> Iterator[LogLine]:
        waiting: list[tuple[int, str]] = []
        for number, raw in enumerate(lines):
            text = raw.rstrip("\r")
            if not text:
                continue
            self.count += 1
            parsed = self.read_line(text, number)
            if parsed is None:
                if self.last is not None:
                    yield LogLine(self.last, text, self.common_labels)
                    continue
                waiting.append((number, text))
                if len(waiting) > WAITING_LINES:
                    yield from self._untimed(waiting)
                continue
            if isinstance(parsed, LogLine):
                self.last = parsed.timestamp
                yield from self._at(waiting, parsed.timestamp)
                yield parsed if not self.common_labels else self._labeled(parsed)
            else:
                finished = self._join(parsed) if isinstance(parsed, Part) else parsed
                for line in finished:
                    self.last = line.timestamp
                    yield from self._at(waiting, line.timestamp)
                    yield line
        yield from self._untimed(waiting)

    def _labeled(self, line: LogLine) -> LogLine:
        return line._replace(labels={**self.common_labels, **line.labels})

    def _at(self, waiting: list[tuple[int, str]], timestamp: int) -> Iterator[LogLine]:
        if waiting:
            yield from (LogLine(timestamp, text) for _, text in waiting)
            waiting.clear()

    def _untimed(self, waiting: list[tuple[int, str]]) -> Iterator[LogLine]:
        for number, text in waiting:
            self.without_time += 1
            yield LogLine(self.default_time + number * MILLISECOND, text)
        waiting.clear()

    def read_line(self, text: str, number: int = 0) -> Parsed | None:
        """What one line says by itself; None where it has no time."""
        if text[0] == "{":
            quick = self._quick_json_line(text)
            if quick is not None:
                return quick
        return self._parse(text, number)

    def _parse(self, text: str, number: int) -> Parsed | None:
        try:
            parsed = self._parse_line(text)
        except BadTimeError as error:
            raise BadLineError(number, text, str(error)) from None
        if parsed is None and self.time_after_words is not False:
            parsed = read_after_words(text, self.options)
            if parsed is not None:
                self.time_after_words = True
        elif parsed is not None and self.time_after_words is None:
            self.time_after_words = False
        return parsed

    def _parse_line(self, text: str) -> Parsed | None:
        value = _json_value(text) if text[0] in "{[" else None
        options = self.options
        if isinstance(value, dict):
            parsed = read_json(value, text, options)
            self.named_field_seen = self.named_field_seen or parsed is not None
            return parsed
        if isinstance(value, list):
            records = records_of_document(value)
            return self._all_timed(records) if records else None
        parsed = read_text(text, options)
        if options.time_field and not self.named_field_seen:
            self.named_field_seen = parsed is not None and f"{options.time_field}=" in text
        return parsed

    def _quick_json_line(self, text: str) -> LogLine | None:
        """A line whose first field is its time: it need not be decoded; None where that is not certain."""
        found = _FIRST_FIELD.match(text)
        if found is None:
            return None
        name, wanted = found[1], self._quick_fields
        if name not in wanted or (name == "timestamp" and '"line"' in text):
            return None
        # A field that would come before this one decides, wherever it stands.
        if any(f'"{other}"' in text for other in wanted[: wanted.index(name)]):
            return None
        if name == "time" and '"log"' in text:
            return None
        moment = match_rfc3339(text, found.end())
        if moment is None or text[moment[1] : moment[1] + 1] != '"':
            return None
        self.named_field_seen, self.time_after_words = True, False
        return LogLine(moment[0], text)

    # --- lines in pieces ----------------------------------------------------------------------------------

    def _join(self, part: Part) -> Iterator[LogLine]:
        """The line once its last piece is there."""
        if not part.is_last:
            self._parts.setdefault(part.stream, []).append(part.line.line)
            self.last = part.line.timestamp
            return
        pieces = self._parts.pop(part.stream, None)
        yield part.line if pieces is None else part.line._replace(line="".join((*pieces, part.line.line)))

    def _unfinished(self) -> Iterator[LogLine]:
        for pieces in self._parts.values():
            yield LogLine(self.last or self.default_time, "".join(pieces))

    # --- exports ------------------------------------------------------------------------------------------

    def _all_timed(self, records: Iterable[Record]) -> list[LogLine] | None:
        lines = []
        for record in records:
            moment = field_time(record.time, self.options)
            if moment is None:
                return None
            lines.append(LogLine(moment, record.line, record.labels, record.metadata))
        return lines

    def _document(self, lines: list[str]) -> Iterator[LogLine]:
        """A file that is one JSON value over many lines, or several of them in a row; else its lines."""
        values = _json_values("\n".join(lines)) if len(lines) <= MAX_DOCUMENT_LINES else None
        if values is None:
            yield from self._lines(lines)
            return
        plain: list[str] = []
        for value in values:
            records = records_of_document(value)
            timed = self._all_timed(records) if records else None
            if timed:
                self.count += len(timed)
                yield from timed
                continue
            items = value if isinstance(value, list) else [value]
            plain += (orjson.dumps(item).decode() for item in items)
        if plain:
            yield from self._lines(plain)

    def _explore(self, lines: Iterable[str]) -> Iterator[LogLine]:
        """Explore's text download: a head with the common labels, then ``<time>\\t<line>``."""
        following = iter(lines)
        for line in following:
            found = _EXPLORE_HEADER.match(line)
            if found is None and line.strip():
                following = chain([line], following)
                break
            if found is not None and found[1] == "Common labels":
                value = _json_value(found[2])
                self.common_labels = texts(value)
        yield from self._lines(_without_iso_column(line) for line in following)

    def _csv(self, columns: list[str], lines: Iterator[str]) -> Iterator[LogLine]:
        """Explore's and the inspector's CSV download: a column with the time, one with the line, perhaps labels."""
        csv.field_size_limit(1 << 30)
        names = [name.lower() for name in columns]
        time_at = [names.index(name) for name in TIME_COLUMNS if name in names]
        line_at = next(names.index(name) for name in LINE_COLUMNS if name in names)
        for number, row in enumerate(csv.reader(line + "\n" for line in lines), start=1):
            if len(row) != len(names):
                continue
            self.count += 1
            moments = (field_time(row[at], self.options) for at in time_at)
            moment = next((found for found in moments if found is not None), self.last)
            if moment is None:
                moment = self.default_time + number * MILLISECOND
                self.without_time += 1
            else:
                self.last = moment
            labels = _json_value(row[names.index("labels")]) if "labels" in names else None
            yield LogLine(moment, row[line_at].removesuffix("\n"), texts(labels))


_ISO_COLUMN = re.compile(r"(?=\d{4}-\d\d-\d\dT[\d:.]+Z\t)")


def _without_iso_column(line: str) -> str:
    """``<RFC 3339>\\t<line>`` in the form that Explore writes today, with the time in ms in front."""
    if _ISO_COLUMN.match(line) is None:
        return line
    time, _, rest = line.partition("\t")
    moment = match_rfc3339(time)
    return f"{moment[0] // MILLISECOND}\t{time}\t{rest}" if moment is not None else line


def _starts_document(first: str) -> bool:
    """Whether a JSON value begins that goes on over the following lines."""
    return first[0] in "[{" and first.rstrip()[-1] in ",[{" and not _is_json(first)


def _csv_columns(first: str) -> list[str] | None:
    lowered = first.lower()
    if "," not in first or not any(name in lowered for name in LINE_COLUMNS):
        return None
    columns = next(csv.reader([first.rstrip("\r").lstrip("\ufeff")]), [])
    names = {name.lower() for name in columns}
    has_both = names & set(TIME_COLUMNS) and names & set(LINE_COLUMNS)
    return columns if has_both and all(re.fullmatch(r"[\w .@-]*", name) for name in names) else None


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False
    return True


def _json_value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None


def _json_values(text: str) -> list[Any] | None:
    """JSON values one after the other; None where anything else is between or behind them."""
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = 0
    try:
        while (at := _skip_space(text, at)) < len(text):
            value, at = decoder.raw_decode(text, at)
            if not isinstance(value, dict | list):
                return None
            values.append(value)
    except (ValueError, RecursionError):
        return None
    return values


_SPACE = re.compile(r"\s*")


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class NotPlainError(Exception):
    """A file whose lines cannot be read each by itself as they stand: `LogReader` reads it."""


HEAD_LINES = 200


class LineClock:
    """The times of single lines of a file in which the whole string is the line, read by what its head looks like.

    Raises `NotPlainError` for a head, and for a line, of any other kind.
    """

    def __init__(self, head: bytes) -> None:
        lines = [line.rstrip("\r") for line in _decoded(head[:65_536]).split("\n")[:HEAD_LINES]]
        first = next((line for line in lines if line), "")
        if not first or _is_export(first):
            raise NotPlainError
        self.parser = LineParser(0, ReadOptions("", time.time_ns() + DAY))
        times = [self._own_time(line) for line in lines if line]
        self.before = next((found for found in times if found is not None), -1)
        """The time of the last line before the block."""
        if self.before < 0:
            raise NotPlainError
        self.is_json = first[0] == "{"
        self.block = b""
        self._quick = _QuickTimes(first)

    def start(self, block: bytes) -> None:
        """Begins with the next block of lines."""
        self.block = block

    def span(self) -> tuple[int, int] | None:
        """Two times between which all lines of the block lie, where that is quick to tell."""
        return self._quick.span(self.block)

    def finish(self) -> None:
        """Ends the block: its last time is that of lines without one in front of the next."""
        self.before = self._time_before(len(self.block))

    def time_of(self, line: bytes, start: int) -> int:
        """The time of the line that begins at ``start`` of the block."""
        own = self._quick.of(line)
        if own is None:
            own = self._own_time(_decoded(line))
        return own if own is not None else self._time_before(start)

    def _own_time(self, text: str) -> int | None:
        found = self.parser.read_line(text)
        if found is None:
            return None
        if not isinstance(found, LogLine) or found.line is not text or found.labels:
            raise NotPlainError
        return found.timestamp

    def _time_before(self, end: int) -> int:
        """The time of the last line before ``end`` that has one."""
        while end > 0:
            start = self.block.rfind(b"\n", 0, end - 1) + 1
            text = _decoded(self.block[start:end].rstrip(b"\r\n"))
            own = self._own_time(text) if text else None
            if own is not None:
                return own
            end = start
        return self.before


class _QuickTimes:
    """RFC 3339 times in UTC at one place of all lines: in front, or in a JSON line's first field."""

    def __init__(self, first: str) -> None:
        found = _FIRST_FIELD.match(first)
        name = found[1] if found is not None else ""
        self.is_json = name in _QUICK_FIELDS
        self.prefix = found[0].encode() if found is not None and self.is_json else b""
        # A field that would come before this one decides, wherever it stands; so does a line inside the line.
        others = _QUICK_FIELDS[: _QUICK_FIELDS.index(name)] if self.is_json else ()
        inside = {"timestamp": ("line",), "time": ("log",)}.get(name, ())
        self.others = tuple(f'"{other}"'.encode() for other in (*others, *inside))
        self.start, self.end = len(self.prefix), len(self.prefix) + 19
        self.known: dict[bytes, int | None] = {}
        behind = b'"' if self.is_json else rb" (?!std|\{)"
        form = rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z"
        self.every = re.compile(b"^" + re.escape(self.prefix) + form + behind, re.MULTILINE)

    def of(self, line: bytes) -> int | None:
        """The time of the line; None where only a full look at it can tell."""
        if not line.startswith(self.prefix):
            return None
        for other in self.others:
            if other in line:
                return None
        text = line[self.start : self.end]
        second = self.known[text] if text in self.known else self._second(text)
        end = line.find(b"Z", self.end, self.end + 11)
        if second is None or end < 0 or not self._ends(line, end + 1):
            return None
        if end == self.end:
            return second
        digits = line[self.end + 1 : end]
        if line[self.end] != 0x2E or not digits.isdigit():
            return None
        fraction: int = int(digits) * _POWERS[len(digits)]
        return second + fraction

    def span(self, block: bytes) -> tuple[int, int] | None:
        """The first and the last second of all lines of a block; None unless every line has its time at that place."""
        if any(other in block for other in self.others):
            return None
        found = self.every.findall(block)
        if not found or len(found) != block.count(b"\n") + (not block.endswith(b"\n")):
            return None
        first, last = self._second(min(found)), self._second(max(found))
        return None if first is None or last is None else (first, last + SECOND)

    def _second(self, text: bytes) -> int | None:
        found = match_rfc3339(_decoded(text))
        if len(self.known) > MAX_KNOWN_SECONDS:
            self.known.clear()
        value: int | None = found[0] if found is not None and found[1] == 19 and text.isascii() else None
        self.known[text] = value
        return value

    def _ends(self, line: bytes, end: int) -> bool:
        if self.is_json:
            return line[end : end + 1] == b'"'
        return (
            line[end : end + 1] == b" "
            and line[end + 1 : end + 4] != b"std"
            and line[end + 1 : end + 2] != b"{"
        )


_POWERS = [10 ** (9 - digits) for digits in range(10)]
MAX_KNOWN_SECONDS = 100_000


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _is_export(first: str) -> bool:
    """Whether the first line of a file says that its lines cannot be read one by one."""
    return (
        _csv_columns(first) is not None or _EXPLORE_HEADER.match(first) is not None or _starts_document(first)
    )
