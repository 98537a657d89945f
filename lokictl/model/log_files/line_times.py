"""The times that programs write in front of their log lines, one row of `TIME_FORMS` per way of writing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from lokictl.durations import SECOND
from lokictl.lazy import lazy_pattern
from lokictl.model.times import match_rfc3339, unix_nanoseconds

EARLIEST_UNIX_SECONDS = 100_000_000
"""A smaller number in front of a line or in a JSON field (before March 1973) is a count or a duration, not a time."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_HOURS_OF_ZONES = {
    0: "UTC GMT WET Z",
    1: "CET BST WEST MET",
    2: "CEST EET MEST",
    3: "EEST MSK",
    5.5: "IST",
    9: "JST KST",
    10: "AEST",
    11: "AEDT",
    -4: "EDT",
    -5: "EST CDT",
    -6: "CST MDT",
    -7: "MST PDT",
    -8: "PST",
}
_ZONES = {"": 0.0, **{zone: hours for hours, zones in _HOURS_OF_ZONES.items() for zone in zones.split()}}

_MONTH = r"(?P<month_name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAY = r"(?P<day>[0-3]?\d)"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9})\d*)?"
_HALF = r"(?:\s?(?P<half>[AP]M))?"
_ZONE = r"(?:\s?(?P<zone>Z\b|[+-]\d\d:?\d\d|" + "|".join(name for name in _ZONES if len(name) > 1) + r")\b)?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"


class TimeForm(NamedTuple):
    """One way to write a time: its name, an example, and the pattern with the parts as named groups."""

    name: str
    example: str
    pattern: str

    def match(self, text: str, start: int) -> re.Match[str] | None:
        """The time that begins at ``start``; the pattern is compiled when it is first needed."""
        return _compiled(self.pattern).match(text, start)


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


TIME_FORMS = (
    TimeForm(
        "iso",
        "2024-03-22 08:42:55,639",
        rf"(?P<year>\d{{4}})(?P<gap>[-/.])(?P<month>\d\d)(?P=gap){_DAY}(?:[Tt _:]|, |\t){_CLOCK}{_HALF}{_ZONE}",
    ),
    TimeForm(
        "compact",
        "20240322 08:42:55.639",
        r"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)[T -]"
        r"(?P<hour>\d\d):?(?P<minute>\d\d):?(?P<second>\d\d)"
        rf"(?:[.,](?P<fraction>\d{{1,9}})\d*)?{_ZONE}",
    ),
    TimeForm(
        "day first",
        "22/Mar/2024:08:42:55 +0000",
        rf"{_WEEKDAY}{_DAY}(?:[/ -]){_MONTH}(?:[/ -])(?P<year>\d{{4}})[: ,]\s?{_CLOCK}{_HALF}{_ZONE}",
    ),
    TimeForm(
        "year last",
        "Fri Mar 22 08:42:55.639 2024",
        rf"{_WEEKDAY}{_MONTH} {{1,2}}{_DAY} {_CLOCK}{_ZONE} (?P<year>\d{{4}})\b",
    ),
    TimeForm(
        "month first",
        "Mar 22, 2024 8:42:55 AM",
        rf"{_WEEKDAY}{_MONTH} {{1,2}}{_DAY},? (?P<year>\d{{4}}),? {_CLOCK}{_HALF}{_ZONE}",
    ),
    TimeForm("no year", "Mar 22 08:42:55", rf"{_WEEKDAY}{_MONTH} {{1,2}}{_DAY} {_CLOCK}{_ZONE}"),
    TimeForm(
        "klog",
        "I0322 08:42:55.639000",
        rf"[IWEFD](?P<year>(?:19|20)\d\d)?(?P<month>[01]\d)(?P<day>[0-3]\d) {_CLOCK}",
    ),
    TimeForm(
        "numbers, day or month first",
        "03/22/2024 08:42:55",
        rf"(?P<either>[0-3]?\d)(?P<gap>[/.-])(?P<other>[0-3]?\d)(?P=gap)(?P<year>\d{{4}}),?[ T:]{_CLOCK}{_HALF}{_ZONE}",
    ),
    TimeForm(
        "two-digit year",
        "24/03/22 08:42:55",
        rf"(?P<short_year>\d\d)[/-](?P<month>[01]\d)[/-](?P<day>[0-3]\d) {_CLOCK}{_ZONE}",
    ),
    TimeForm(
        "month and day",
        "03-22 08:42:55.639",
        rf"(?P<month>[01]\d)-(?P<day>[0-3]\d) (?=\d\d:\d\d:\d\d\.){_CLOCK}",
    ),
)
"""Tried in this order; the first whose pattern fits and whose parts are a real date is the time."""

_NAMED_ZONE = lazy_pattern(r"\s?(?:[AP]M|" + "|".join(name for name in _ZONES if len(name) > 1) + r")\b")
_UNIX = lazy_pattern(r"(\d{10}(?:\.\d+)?|\d{13}(?:\.\d+)?|\d{16}|\d{19})(?![\w.])")
_SCIENTIFIC = lazy_pattern(r"\d\.\d+[eE]\+?(?:09|9|1[258])(?![\w.])")
Found = tuple[int, int]
"""A time: nanoseconds since the epoch, and the offset behind it."""


def match_time(text: str, start: int, not_after: int) -> Found | None:
    """The time that begins at ``start`` of ``text``, in any of `TIME_FORMS` or as Unix time.

    A time without a year gets the latest one that does not lie behind ``not_after`` (ns); one without a zone is UTC.
    """
    found = match_rfc3339(text, start)
    if found is not None and _NAMED_ZONE.match(text, found[1]) is None:
        return found
    for form in TIME_FORMS:
        match = form.match(text, start)
        if match is not None:
            nanoseconds = _moment(match, not_after)
            if nanoseconds is not None:
                return nanoseconds, match.end()
    return found or match_unix_time(text, start)


def match_unix_time(text: str, start: int = 0) -> Found | None:
    """The Unix time (s, ms, µs or ns) that begins at ``start`` of ``text``."""
    match = _UNIX.match(text, start)
    if match is not None:
        return unix_nanoseconds(match[0]), match.end()
    match = _SCIENTIFIC.match(text, start)
    return (unix_nanoseconds(f"{float(match[0]):f}"), match.end()) if match is not None else None


def parse_log_time(text: str, not_after: int) -> int | None:
    """The time that ``text`` is as a whole, in nanoseconds; None where it is not one."""
    text = text.strip().strip("[]")
    found = match_time(text, 0, not_after)
    return found[0] if found is not None and found[1] == len(text) else None


def number_time(value: float) -> int | None:
    """A number of a log line as Unix time in nanoseconds; None where it is too small or too large to be one."""
    if not EARLIEST_UNIX_SECONDS <= value < 1 << 63:
        return None
    return unix_nanoseconds(str(value) if isinstance(value, int) else f"{value:f}")


def _moment(match: re.Match[str], not_after: int) -> int | None:
    parts = match.groupdict("")
    month, day = _month_and_day(parts)
    hour = int(parts["hour"])
    if parts.get("half"):
        hour = hour % 12 + (12 if parts["half"] == "PM" else 0)
    fraction = parts.get("fraction", "")
    rest = int(parts["second"]) * SECOND + (int(fraction.ljust(9, "0")) if fraction else 0)
    if rest >= 61 * SECOND:
        return None
    zone = parts.get("zone", "")
    if parts.get("year"):
        return _shifted(_minute(int(parts["year"]), month, day, hour, int(parts["minute"]), zone), rest)
    if parts.get("short_year"):
        year = 2000 + int(parts["short_year"])
        return _shifted(_minute(year, month, day, hour, int(parts["minute"]), zone), rest)
    latest = datetime.fromtimestamp(not_after // SECOND, UTC).year
    # 29 February comes every fourth year, at times every eighth.
    for year in range(latest, latest - 9, -1):
        found = _shifted(_minute(year, month, day, hour, int(parts["minute"]), zone), rest)
        if found is not None and found <= not_after:
            return found
    return None


def _month_and_day(parts: dict[str, str]) -> tuple[int, int]:
    if parts.get("month_name"):
        return _MONTHS[parts["month_name"].lower()], int(parts["day"])
    if parts.get("either"):
        first, second = int(parts["either"]), int(parts["other"])
        # 22.03.2024 is written day first, as is whatever cannot be a month; 03/22/2024 is month first.
        day_first = parts["gap"] == "." or first > 12
        return (second, first) if day_first else (first, second)
    return int(parts["month"]), int(parts["day"])


def _shifted(minute: int | None, rest: int) -> int | None:
    return None if minute is None else minute * SECOND + rest


@lru_cache(maxsize=4096)
def _minute(year: int, month: int, day: int, hour: int, minute: int, zone: str) -> int | None:
    """Seconds since the epoch at the start of a minute; lines of one minute follow one another."""
    try:
        return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) - _offset(zone)
    except ValueError:
        return None


def _offset(zone: str) -> int:
    if zone[:1] in ("+", "-"):
        seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        return -seconds if zone[0] == "-" else seconds
    return int(_ZONES[zone] * 3600)
