"""The table of log formats: what a line looks like, which part of it is the time, and which part is the line.

A new format is a row of `TEXT_FORMATS` or `JSON_FORMATS` and a row of the test table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from lokictl.lazy import lazy_pattern
from lokictl.model.log_files.documents import records_of_document
from lokictl.model.log_files.line_times import match_time, number_time, parse_log_time
from lokictl.model.log_files.time_fields import TIME_FIELDS
from lokictl.model.times import match_rfc3339, parse_time, unix_nanoseconds
from lokictl.records import dataclass

NO_LABELS: Mapping[str, str] = MappingProxyType({})


class LogLine(NamedTuple):
    """One line: ``timestamp`` in ns, the text, and the labels and structured metadata that the file itself names."""

    timestamp: int
    line: str
    labels: Mapping[str, str] = NO_LABELS
    metadata: Mapping[str, str] = NO_LABELS


class Part(NamedTuple):
    """A piece of a line that a container runtime has split; pieces of one ``stream`` belong together up to the last."""

    stream: str
    line: LogLine
    is_last: bool


Parsed = LogLine | Part | Sequence[LogLine]


class BadTimeError(ValueError):
    """A line whose time was asked for by name and cannot be read."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How times are read: the field that the user named, and the latest time (ns) that a time without year may mean."""

    time_field: str
    not_after: int


@dataclass(frozen=True, slots=True)
class LogFormat:
    """One format: its name, an example, the test of a line, and the reader, which may still say None."""

    name: str
    example: str
    detect: Callable[[Any], Any]
    """Called with the line (text formats) or the decoded value (JSON formats); what it returns goes to `read`."""
    read: Callable[[str, Any, ReadOptions], Parsed | None]


# --- text -------------------------------------------------------------------------------------------------------

_OPENING = lazy_pattern(r"[\[(<\"']?")
_CRI = lazy_pattern(r"(\S+) (stdout|stderr) ([FP])(?:\S*) (.*)", re.DOTALL)
_LABELED = lazy_pattern(
    r"(\S+) \{((?:[a-zA-Z_]\w*=\"(?:[^\"\\]|\\.)*\"(?:, ?|(?=\})))*)\}(?: +(.*)|$)", re.DOTALL
)
_LABEL = lazy_pattern(r"([a-zA-Z_]\w*)=(\"(?:[^\"\\]|\\.)*\")")
_EXPLORE = lazy_pattern(r"(\d{13})\t(?:\d{4}-\d\d-\d\dT[\d:.]+Z\t)?(.*)", re.DOTALL)
_SYSLOG_PRIORITY = lazy_pattern(r"<\d{1,3}>(?:1 )?")
_ACCESS_TIME = lazy_pattern(r"\[(?=\d\d?/[A-Z][a-z]{2}/\d{4}:\d\d:)")
_PAIR = lazy_pattern(r"([^\s=\"]+)=(?:\"((?:[^\"\\]|\\.)*)\"|(\S*))")
_PAIR_FIRST = lazy_pattern(r"[^\s=\"]+=")
_KNOWN_FIELDS = frozenset(TIME_FIELDS)


def _at_start(text: str, start: int, options: ReadOptions) -> LogLine | None:
    opening = _OPENING.match(text, start)
    found = match_time(text, opening.end() if opening else start, options.not_after)
    return LogLine(found[0], text) if found is not None and _ends_there(text, found[1]) else None


def _ends_there(text: str, end: int) -> bool:
    return end >= len(text) or not (text[end].isalnum() or text[end] == "_")


def _read_cri(text: str, found: re.Match[str], options: ReadOptions) -> Parsed | None:
    moment = match_rfc3339(found[1])
    if moment is None or moment[1] != len(found[1]):
        return None
    return Part(found[2], LogLine(moment[0], found[4]), found[3] == "F")


def _read_labeled(text: str, found: re.Match[str], options: ReadOptions) -> Parsed | None:
    moment = match_rfc3339(found[1])
    if moment is None or moment[1] != len(found[1]):
        return None
    try:
        labels = {name: str(orjson.loads(value)) for name, value in _LABEL.findall(found[2])}
    except orjson.JSONDecodeError:
        return None
    return LogLine(moment[0], found[3] or "", labels)


def _read_explore(text: str, found: re.Match[str], options: ReadOptions) -> Parsed | None:
    return LogLine(unix_nanoseconds(found[1]), found[2])


def _read_syslog(text: str, found: re.Match[str], options: ReadOptions) -> Parsed | None:
    return _at_start(text, found.end(), options)


def _read_access(text: str, found: re.Match[str], options: ReadOptions) -> Parsed | None:
    return _at_start(text, found.start(), options)


def _read_start(text: str, found: Any, options: ReadOptions) -> Parsed | None:
    return _at_start(text, 0, options)


def _read_logfmt(text: str, found: Any, options: ReadOptions) -> Parsed | None:
    wanted = {options.time_field} if options.time_field else _KNOWN_FIELDS
    times: dict[str, str] = {}
    for pair in _PAIR.finditer(text):
        if pair[1] in wanted and pair[1] not in times:
            times[pair[1]] = pair[2] if pair[2] is not None else pair[3]
    for name in sorted(times, key=_rank):
        moment = _text_time(times[name], options)
        if moment is not None:
            return LogLine(moment, text)
        if options.time_field:
            raise BadTimeError(f'"{times[name]}" in the field "{name}" is not a time')
    return None


def _rank(name: str) -> int:
    return TIME_FIELDS.index(name) if name in _KNOWN_FIELDS else -1


def _is_logfmt(text: str) -> Any:
    return _PAIR_FIRST.match(text) or " ts=" in text or " time=" in text or " t=" in text


TEXT_FORMATS = (
    LogFormat("cri", "2024-03-22T08:42:55.639000000Z stdout F the line", _CRI.fullmatch, _read_cri),
    LogFormat(
        "logcli",
        '2024-03-22T08:42:55.639Z {app="api", level="error"} the line',
        _LABELED.fullmatch,
        _read_labeled,
    ),
    LogFormat(
        "Explore text", "1711096975639\t2024-03-22T08:42:55.639Z\tthe line", _EXPLORE.fullmatch, _read_explore
    ),
    LogFormat(
        "syslog",
        "<34>1 2024-03-22T08:42:55.639Z host app 123 ID47 - the line",
        _SYSLOG_PRIORITY.match,
        _read_syslog,
    ),
    LogFormat("time first", "2024-03-22 08:42:55,639 INFO the line", lambda text: True, _read_start),
    LogFormat(
        "access log",
        '93.180.71.3 - - [22/Mar/2024:08:42:55 +0000] "GET / HTTP/1.1" 200 5',
        _ACCESS_TIME.search,
        _read_access,
    ),
    LogFormat("logfmt", "level=info ts=2024-03-22T08:42:55.639Z msg=x", _is_logfmt, _read_logfmt),
)
"""Formats of lines that are not JSON objects; the first that reads the line decides."""

_WORDS_BEFORE = lazy_pattern(
    r"(?:[^\s\"'=]{1,60}\s+){0,3}?[^\s\"'=\d]{0,40}?[\[(]?(?=\d{4}[-/.]\d\d[-/.]\d\d[T _]|\d{8}[ T]\d\d:"
    r"|\d\d?[/ -][A-Z][a-z]{2}[/ -]\d{4}[: ]|[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:|[A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d"
    r"|\d\d?/\d\d?/\d{4},? \d\d?:|\d{10}\.\d|\d{13}\b)"
)


def read_after_words(text: str, options: ReadOptions) -> LogLine | None:
    """A line whose time is behind up to three words (level, thread, host): ``ERROR [main] 2024-03-22 08:42:55``.

    Only for files whose other lines have no time at a place of their own: a message may hold a time, too.
    """
    words = _WORDS_BEFORE.match(text)
    if words is None:
        return None
    found = match_time(text, words.end(), options.not_after)
    return LogLine(found[0], text) if found is not None and _ends_there(text, found[1]) else None


# --- JSON -------------------------------------------------------------------------------------------------------


def _read_line_object(text: str, value: dict[str, Any], options: ReadOptions) -> Parsed | None:
    timestamp = value.get("timestamp", value.get("ts"))
    if not isinstance(timestamp, int | float | str) or isinstance(timestamp, bool):
        raise BadTimeError(f"{timestamp!r} is not a time")
    metadata = value.get("metadata") or value.get("structured_metadata") or value.get("structuredMetadata")
    labels = value.get("labels") or value.get("fields")
    return LogLine(_exact_time(timestamp), value["line"], texts(labels), texts(metadata))


def _exact_time(value: float | str) -> int:
    try:
        if isinstance(value, str):
            return parse_time(value)
        return unix_nanoseconds(str(value) if isinstance(value, int) else f"{value:f}")
    except ValueError as error:
        raise BadTimeError(str(error)) from None


def _read_docker(text: str, value: dict[str, Any], options: ReadOptions) -> Parsed | None:
    moment = _text_time(value["time"], options)
    if moment is None:
        return None
    line: str = value["log"]
    return Part(str(value.get("stream", "")), LogLine(moment, line.removesuffix("\n")), line.endswith("\n"))


def _read_records(text: str, records: Any, options: ReadOptions) -> Parsed | None:
    lines = []
    for record in records:
        moment = field_time(record.time, options)
        if moment is None:
            return None
        lines.append(LogLine(moment, record.line, record.labels, record.metadata))
    return lines


def _read_fields(text: str, value: dict[str, Any], options: ReadOptions) -> Parsed | None:
    if options.time_field:
        found = _named_field(value, options.time_field)
        if found is None:
            raise BadTimeError(f'the line has no time field "{options.time_field}"')
        moment = field_time(found, options, exact=True)
        if moment is None:
            raise BadTimeError(f'{found!r} in the field "{options.time_field}" is not a time')
        return LogLine(moment, text)
    for name in TIME_FIELDS:
        if name in value:
            moment = field_time(value[name], options)
            if moment is not None:
                return LogLine(moment, text)
    return None


def _named_field(value: dict[str, Any], name: str) -> Any:
    if name in value or "." not in name:
        return value.get(name)
    outer, _, inner = name.partition(".")
    below = value.get(outer)
    return _named_field(below, inner) if isinstance(below, dict) else None


def _is_line_object(value: Any) -> bool:
    return isinstance(value.get("line"), str) and "timestamp" in value


def _is_docker(value: Any) -> bool:
    return isinstance(value.get("log"), str) and isinstance(value.get("time"), str) and "stream" in value


JSON_FORMATS = (
    LogFormat(
        "line object",
        '{"labels":{"app":"api"},"line":"the line","timestamp":"2024-03-22T08:42:55.639Z"}',
        _is_line_object,
        _read_line_object,
    ),
    LogFormat(
        "docker json-file",
        '{"log":"the line\\n","stream":"stdout","time":"2024-03-22T08:42:55.639Z"}',
        _is_docker,
        _read_docker,
    ),
    LogFormat(
        "records in one object",
        '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1711096975639000000","body":'
        '{"stringValue":"the line"}}]}]}]}',
        records_of_document,
        _read_records,
    ),
    LogFormat(
        "JSON with a time field",
        '{"level":"info","ts":1711096975.639,"msg":"x"}',
        lambda value: True,
        _read_fields,
    ),
)
"""Formats of lines that are JSON objects; the first that reads the line decides."""

FORMATS = (*JSON_FORMATS, *TEXT_FORMATS)


def read_json(value: dict[str, Any], text: str, options: ReadOptions) -> Parsed | None:
    """What a JSON object says; None where it has no time.  Raises `BadTimeError`."""
    if options.time_field and _named_field(value, options.time_field) is not None:
        return _read_fields(text, value, options)
    return _first(JSON_FORMATS, value, text, options)


def read_text(text: str, options: ReadOptions) -> Parsed | None:
    """What a line of text says; None where it has no time.  Raises `BadTimeError`."""
    if options.time_field and f"{options.time_field}=" in text:
        parsed = _read_logfmt(text, None, options)
        if parsed is not None:
            return parsed
    return _first(TEXT_FORMATS, text, text, options)


def _first(formats: Sequence[LogFormat], value: Any, text: str, options: ReadOptions) -> Parsed | None:
    for form in formats:
        found = form.detect(value)
        if found:
            parsed = form.read(text, value if found is True else found, options)
            if parsed is not None:
                return parsed
    return None


def field_time(value: Any, options: ReadOptions, *, exact: bool = False) -> int | None:
    """The time that a JSON value is, in ns; ``exact``: it was named, so that any number is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _exact_time(value) if exact and value >= 0 else number_time(value)
    if isinstance(value, str):
        return _text_time(value, options)
    if isinstance(value, dict):
        if "$date" in value:
            return field_time(value["$date"], options)
        for seconds, rest in (("seconds", "nanos"), ("epochSecond", "nanoOfSecond")):
            if isinstance(value.get(seconds), int | str):
                return int(value[seconds]) * 10**9 + int(value.get(rest, 0))
    return None


def _text_time(text: str, options: ReadOptions) -> int | None:
    return parse_log_time(text, options.not_after)


def texts(value: Any) -> dict[str, str]:
    """A JSON object as labels; anything else is not a label set."""
    if not isinstance(value, dict):
        return {}
    return {
        str(key): item if isinstance(item, str) else orjson.dumps(item).decode()
        for key, item in value.items()
    }
