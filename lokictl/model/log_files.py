"""Log lines as they lie on disk: text with a time in front, NDJSON, container logs, and logcli's JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.times import match_rfc3339, parse_time, unix_nanoseconds

TIME_FIELDS = ("timestamp", "ts", "time", "@timestamp", "t", "date", "datetime", "eventTime", "asctime")
MILLISECOND = 1_000_000


_NONE: Mapping[str, str] = MappingProxyType({})


class LogLine(NamedTuple):
    """One line: ``timestamp`` in ns, the text, and the labels and structured metadata that the file itself names."""

    timestamp: int
    line: str
    labels: Mapping[str, str] = _NONE
    metadata: Mapping[str, str] = _NONE


def read_log_file(path: str | Path, *, default_time: int, time_field: str = "") -> list[LogLine]:
    """All lines of a file ("-": standard input); see `parse_log_lines`.  Raises `LokictlError`."""
    try:
        if str(path) == "-":
            import sys

            text = sys.stdin.buffer.read()
        else:
            text = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read the log file: {error.strerror or error}"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    try:
        return list(parse_log_lines(lines, default_time=default_time, time_field=time_field))
    except _BadLineError as error:
        position = Position(str(path), error.number, 1)
        problem = Problem("logs/time", error.message, position=position, source_line=error.line[:200])
        raise LokictlError(problem) from None


def parse_log_lines(lines: Iterable[str], *, default_time: int, time_field: str = "") -> Iterator[LogLine]:
    """Log lines with their times.

    Per line, the first that fits:

    * an object with ``line`` and ``timestamp`` (and ``labels``, ``metadata``): logcli's ``-o jsonl`` and
      ``lokictl sample``; the inner line is the line;
    * a JSON object with a time field (``time_field``, or one of `TIME_FIELDS`): the whole text is the line;
    * a container runtime's line (``<time> stdout F <line>``): the inner line is the line;
    * a text that begins with an RFC 3339 time: the whole text is the line;
    * anything else keeps the time of the line before it, so that several lines of one record stay together;
      before the first known time: ``default_time`` (ns) plus 1 ms per line.
    """
    last: int | None = None
    for number, raw in enumerate(lines):
        text = raw.rstrip("\r")
        if not text:
            continue
        if text[0] == "{":
            found = _quick_json_line(text, time_field) or _json_line(text, time_field, number)
        else:
            found = _text_line(text)
        if found is None:
            found = LogLine(last if last is not None else default_time + number * MILLISECOND, text)
        else:
            last = found.timestamp
        yield found


_FIRST_FIELD = re.compile(r'\{"([^"\\]+)":\s?"(?=\d{4}-)')


def _quick_json_line(text: str, time_field: str) -> LogLine | None:
    """A line whose first field is its time: it need not be decoded; None where that is not certain."""
    found = _FIRST_FIELD.match(text)
    if found is None:
        return None
    name = found[1]
    wanted = (time_field,) if time_field else TIME_FIELDS
    if name not in wanted or (name == "timestamp" and '"line"' in text):
        return None
    # A field that would come before this one decides, wherever it stands.
    if any(f'"{other}"' in text for other in wanted[: wanted.index(name)]):
        return None
    moment = match_rfc3339(text, found.end())
    return LogLine(moment[0], text) if moment is not None and text[moment[1] : moment[1] + 1] == '"' else None


class _BadLineError(ValueError):
    def __init__(self, number: int, line: str, message: str) -> None:
        super().__init__(message)
        self.number, self.line, self.message = number + 1, line, message


def _json_line(text: str, time_field: str, number: int) -> LogLine | None:
    import orjson

    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    if isinstance(value.get("line"), str) and "timestamp" in value:
        return LogLine(
            _time(value["timestamp"], number, text),
            value["line"],
            _texts(value.get("labels")),
            _texts(
                value.get("metadata") or value.get("structured_metadata") or value.get("structuredMetadata")
            ),
        )
    for name in (time_field,) if time_field else TIME_FIELDS:
        if name in value:
            return LogLine(_time(value[name], number, text), text)
    if time_field:
        raise _BadLineError(number, text, f'the line has no time field "{time_field}"')
    return None


def _text_line(text: str) -> LogLine | None:
    found = match_rfc3339(text)
    if found is None:
        return None
    timestamp, end = found
    for stream in (" stdout F ", " stderr F ", " stdout P ", " stderr P "):
        if text.startswith(stream, end):
            return LogLine(timestamp, text[end + len(stream) :])
    return LogLine(timestamp, text)


def _time(value: Any, number: int, text: str) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{value!r} is not a time")
        return (
            parse_time(value)
            if isinstance(value, str)
            else unix_nanoseconds(str(value) if isinstance(value, int) else f"{value:f}")
        )
    except ValueError as error:
        raise _BadLineError(number, text, str(error)) from None


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}
