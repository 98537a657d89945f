"""Log files and times."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.durations import SECOND
from lokictl.model.log_files import LogLine, parse_log_lines, read_log_file
from lokictl.model.times import format_time, parse_time

T = 1_767_225_600_000_000_000

TIMES = {
    "2026-01-01T00:00:00Z": T,
    "2026-01-01T01:00:00+01:00": T,
    "2026-01-01 00:00:00.5": T + SECOND // 2,
    "2026-01-01T00:00:00.123456789Z": T + 123_456_789,
    "2026-01-01": T,
    "1767225600": T,
    "1767225600.25": T + SECOND // 4,
    "1767225600123": T + 123_000_000,
    "1767225600123456": T + 123_456_000,
    "1767225600123456789": T + 123_456_789,
}


@pytest.mark.parametrize("text, nanoseconds", TIMES.items())
def test_times(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


def test_relative_times() -> None:
    assert parse_time("now", now=T) == T
    assert parse_time("1h30m ago", now=T) == T - 5400 * SECOND
    assert parse_time("-15m", now=T) == T - 900 * SECOND
    with pytest.raises(ValueError, match="not a time"):
        parse_time("yesterday")


@pytest.mark.parametrize(
    "nanoseconds, text", [(T, "2026-01-01T00:00:00Z"), (T + 120_000_000, "2026-01-01T00:00:00.12Z")]
)
def test_format_time(nanoseconds: int, text: str) -> None:
    assert format_time(nanoseconds) == text
    assert parse_time(text) == nanoseconds


LINES = {
    "json with a time field": (
        '{"ts":"2026-01-01T00:00:00Z","msg":"x"}',
        T,
        '{"ts":"2026-01-01T00:00:00Z","msg":"x"}',
    ),
    "json with unix seconds": ('{"time":1767225600.5}', T + SECOND // 2, '{"time":1767225600.5}'),
    "json with nanoseconds": ('{"time":1767225600000000001}', T + 1, '{"time":1767225600000000001}'),
    "logcli": ('{"labels":{"a":"b"},"line":"x","timestamp":"2026-01-01T00:00:00Z"}', T, "x"),
    "container runtime": ("2026-01-01T00:00:00.0Z stdout F hello", T, "hello"),
    "text": ("2026-01-01T00:00:00Z hello", T, "2026-01-01T00:00:00Z hello"),
    "no time at all": ("hello", 7, "hello"),
    "not quite json": ("{hello", 7, "{hello"),
    "the first field is the time": (
        '{"ts": "2026-01-01T00:00:01Z", "msg": "x"}',
        T + SECOND,
        '{"ts": "2026-01-01T00:00:01Z", "msg": "x"}',
    ),
    "a later field that comes first in the list": (
        '{"ts":"2026-01-01T00:00:09Z","timestamp":"2026-01-01T00:00:01Z"}',
        T + SECOND,
        '{"ts":"2026-01-01T00:00:09Z","timestamp":"2026-01-01T00:00:01Z"}',
    ),
    "a record that is cut off has its own time": (
        '{"ts":"2026-01-01T00:00:01.5Z","msg":"cut',
        T + SECOND * 3 // 2,
        '{"ts":"2026-01-01T00:00:01.5Z","msg":"cut',
    ),
}


@pytest.mark.parametrize("raw, timestamp, line", LINES.values(), ids=LINES.keys())
def test_lines(raw: str, timestamp: int, line: str) -> None:
    (found,) = parse_log_lines([raw], default_time=7)
    assert (found.timestamp, found.line) == (timestamp, line)


def test_lines_without_a_time_stay_with_the_record_before_them() -> None:
    lines = ["2026-01-01T00:00:00Z panic", "  at main", "2026-01-01T00:00:01Z next"]
    assert [line.timestamp - T for line in parse_log_lines(lines, default_time=0)] == [0, 0, SECOND]


def test_labels_and_metadata_of_the_file() -> None:
    raw = '{"timestamp":"2026-01-01T00:00:00Z","line":"x","labels":{"a":"b"},"metadata":{"trace_id":"1"}}'
    assert list(parse_log_lines([raw], default_time=0)) == [LogLine(T, "x", {"a": "b"}, {"trace_id": "1"})]


def test_problems_have_a_place(tmp_path: Path) -> None:
    file = tmp_path / "x.ndjson"
    file.write_text('{"ts":"2026-01-01T00:00:00Z"}\n{"ts":"soon"}\n')
    with pytest.raises(LokictlError, match="not a time") as caught:
        read_log_file(file, default_time=0, time_field="ts")
    assert caught.value.problems[0].position.line == 2
    with pytest.raises(LokictlError, match="cannot read"):
        read_log_file(tmp_path / "none", default_time=0)
