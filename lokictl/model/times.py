"""Points in time as text: RFC 3339, Unix numbers, and "1h ago".  All results are int nanoseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from lokictl.durations import SECOND
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import parse_prometheus_duration

_RFC3339 = lazy_pattern(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(?:\s?(Z|z|UTC|[+-]\d\d:?\d\d))?"
)


def parse_time(text: str, *, now: int | None = None) -> int:
    """Nanoseconds since the epoch of ``text``.

    Accepted: RFC 3339 (a missing zone is UTC; a date alone is its midnight), a Unix time in seconds,
    milliseconds, microseconds or nanoseconds (told apart by its size, fractions allowed), "now", and a duration
    before now ("1h", "-15m", "2d ago").  Raises ValueError.
    """
    text = text.strip()
    moment = match_rfc3339(text)
    if moment is not None and moment[1] == len(text):
        return moment[0]
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return parse_time(text + "T00:00:00Z")
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return unix_nanoseconds(text)
    if now is not None:
        if text == "now":
            return now
        return now - parse_prometheus_duration(text.removesuffix("ago").strip().removeprefix("-"))
    raise ValueError(f'"{text}" is not a time: use RFC 3339 (2026-01-01T00:00:00Z) or Unix seconds')


def match_rfc3339(text: str, start: int = 0) -> tuple[int, int] | None:
    """The RFC 3339 time that begins at ``start`` of ``text``: (nanoseconds, end offset), or None."""
    found = _RFC3339.match(text, start)
    if found is None:
        return None
    minute_at, zone_at = found.end(5), found.start(8)
    if found[6] is not None:
        # Lines of one minute follow one another: its date is worked out once.
        minute = _minute(text[start:minute_at], found[8] if zone_at >= 0 else None)
        if minute is None or int(found[6]) > 59:
            return None
        fraction = found[7]
        nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
        return (minute + int(found[6])) * SECOND + nanoseconds, found.end()
    minute = _minute(text[start:minute_at], found[8])
    return None if minute is None else (minute * SECOND, found.end())


@lru_cache(maxsize=1024)
def _minute(text: str, zone: str | None) -> int | None:
    """Seconds since the epoch of ``2026-01-01T00:00`` in a zone."""
    offset = "+00:00" if zone in (None, "Z", "z", "UTC") else zone
    try:
        return int(datetime.fromisoformat(f"{text[:10]}T{text[11:]}:00{offset}").timestamp())
    except ValueError:
        return None


def unix_nanoseconds(text: str) -> int:
    """A Unix time given as a number in s, ms, µs or ns (by its size), in nanoseconds."""
    whole, _, fraction = text.partition(".")
    digits = len(whole.lstrip("0"))
    scale = 9 if digits <= 11 else 6 if digits <= 14 else 3 if digits <= 17 else 0
    return int(whole) * int(10**scale) + (
        int(fraction[:scale].ljust(scale, "0")) if fraction and scale else 0
    )


def format_time(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with as many digits as are needed."""
    whole, fraction = divmod(nanoseconds, SECOND)
    text = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"
