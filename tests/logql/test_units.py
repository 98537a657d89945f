"""Numbers, durations and sizes are read and written as Go and Prometheus do."""

from __future__ import annotations

import math

import pytest

from lokictl.logql.units import (
    HOUR,
    MILLISECOND,
    MINUTE,
    SECOND,
    format_bytes,
    format_float,
    format_go_duration,
    format_prometheus_duration,
    format_value,
    parse_bytes,
    parse_float,
    parse_go_duration,
    parse_prometheus_duration,
    quote,
)

PROMETHEUS = [
    ("0", 0, "0s"),
    ("1ms", MILLISECOND, "1ms"),
    ("90s", 90 * SECOND, "1m30s"),
    ("5m", 5 * MINUTE, "5m"),
    ("1h30m", 90 * MINUTE, "1h30m"),
    ("24h", 24 * HOUR, "1d"),
    ("7d", 168 * HOUR, "1w"),
    ("8d", 192 * HOUR, "8d"),
    ("365d", 365 * 24 * HOUR, "1y"),
    ("1y1d", 366 * 24 * HOUR, "366d"),
]


@pytest.mark.parametrize("text, nanoseconds, printed", PROMETHEUS)
def test_prometheus_durations(text: str, nanoseconds: int, printed: str) -> None:
    assert parse_prometheus_duration(text) == nanoseconds
    assert format_prometheus_duration(nanoseconds) == printed
    assert parse_prometheus_duration(printed) == nanoseconds


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "empty duration string"),
        ("5", 'not a valid duration string: "5"'),
        ("m", 'not a valid duration string: "m"'),
        ("1m1h", 'not a valid duration string: "1m1h"'),
        ("1.5h", 'unknown unit "." in duration "1.5h"'),
        ("-5m", 'not a valid duration string: "-5m"'),
        ("5us", 'unknown unit "us" in duration "5us"'),
        ("300y", "duration out of range"),
    ],
)
def test_bad_prometheus_durations(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared below
        parse_prometheus_duration(text)
    assert str(caught.value) == message


GO = [
    ("0", 0, "0s"),
    ("1ns", 1, "1ns"),
    ("1.5us", 1500, "1.5µs"),
    ("1500µs", 1_500_000, "1.5ms"),
    ("1.5s", 1500 * MILLISECOND, "1.5s"),
    ("90s", 90 * SECOND, "1m30s"),
    ("1h", HOUR, "1h0m0s"),
    ("1h0.5s", HOUR + 500 * MILLISECOND, "1h0m0.5s"),
    ("-5m", -5 * MINUTE, "-5m0s"),
    ("1m1h", 61 * MINUTE, "1h1m0s"),
    (".5h", 30 * MINUTE, "30m0s"),
]


@pytest.mark.parametrize("text, nanoseconds, printed", GO)
def test_go_durations(text: str, nanoseconds: int, printed: str) -> None:
    assert parse_go_duration(text) == nanoseconds
    assert format_go_duration(nanoseconds) == printed
    assert parse_go_duration(printed) == nanoseconds


@pytest.mark.parametrize(
    "text, message",
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("s", 'time: invalid duration "s"'),
        ("300000h1h9999999h", 'time: invalid duration "300000h1h9999999h"'),
    ],
)
def test_bad_go_durations(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared below
        parse_go_duration(text)
    assert str(caught.value) == message


SIZES = [
    ("0", 0, "0B"),
    ("5", 5, "5B"),
    ("10b", 10, "10B"),
    ("1kB", 1000, "1.0kB"),
    ("1KiB", 1024, "1.0kB"),
    ("1,000", 1000, "1.0kB"),
    ("1.5 MB", 1_500_000, "1.5MB"),
    ("20MiB", 20 << 20, "21MB"),
    ("999999", 999_999, "1000kB"),
    ("1G", 10**9, "1.0GB"),
    ("1eib", 1 << 60, "1.2EB"),
]


@pytest.mark.parametrize("text, size, printed", SIZES)
def test_sizes(text: str, size: int, printed: str) -> None:
    assert parse_bytes(text) == size
    assert format_bytes(size) == printed


@pytest.mark.parametrize("text", ["", "x", "5x", "1.2.3", "kB", "99EB"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"unhandled size name|invalid syntax|too large"):
        parse_bytes(text)


FLOATS = [
    (0.0, "0", "0"),
    (-0.0, "-0", "-0"),
    (1.0, "1", "1"),
    (0.1, "0.1", "0.1"),
    (-2.5, "-2.5", "-2.5"),
    (1e20, "100000000000000000000", "100000000000000000000"),
    (1e21, "1e+21", "1000000000000000000000"),
    (1e-4, "0.0001", "0.0001"),
    (1e-5, "1e-05", "0.00001"),
    (1.2345e-7, "1.2345e-07", "0.00000012345"),
    (123456789.125, "123456789.125", "123456789.125"),
    (math.inf, "+Inf", "+Inf"),
    (-math.inf, "-Inf", "-Inf"),
    (math.nan, "NaN", "NaN"),
]


@pytest.mark.parametrize("value, shortest, plain", FLOATS)
def test_floats_are_written_as_go_writes_them(value: float, shortest: str, plain: str) -> None:
    assert format_float(value) == shortest
    assert format_value(value) == plain


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1.0),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("1_000", 1000.0),
        ("0x1p4", 16.0),
        ("+Inf", math.inf),
        ("-inf", -math.inf),
    ],
)
def test_numbers_are_read_as_go_reads_them(text: str, value: float) -> None:
    assert parse_float(text) == value


@pytest.mark.parametrize("text", ["", "x", "1__0", "_1", "0x1", "1e", "1e400", "9" * 400, "--1", "١"])
def test_bad_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=r"^strconv.ParseFloat: parsing "):
        parse_float(text)


@pytest.mark.parametrize(
    "text, quoted",
    [
        ("", '""'),
        ("plain", '"plain"'),
        ('say "x"', r'"say \"x\""'),
        ("a\\b", r'"a\\b"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("ünï 🙂", '"ünï 🙂"'),
        ("\u200b", r'"\u200b"'),
        ("\udcff", r'"\xff"'),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    assert quote(text) == quoted
