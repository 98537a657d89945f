"""Go's ``time.Time`` for templates: layouts (``2006-01-02 15:04:05``), parsing, and the methods people use.

The zone called *local* is UTC: an answer must not depend on the machine that gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from lokictl.durations import SECOND
from lokictl.lazy import lazy, lazy_pattern
from lokictl.logql.units import format_go_duration
from lokictl.records import dataclass
from lokictl.templates.errors import FunctionError
from lokictl.templates.values import Duration, wrap_int64

if TYPE_CHECKING:
    import zoneinfo
else:
    # Few templates name a zone.
    zoneinfo = lazy("zoneinfo")

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ZERO_SECONDS = -62135596800
"""The first second of year 1: what Go's zero time is."""


@dataclass(frozen=True, slots=True)
class Time:
    """An instant (nanoseconds since the epoch) seen in a zone.  Prints as Go prints a time."""

    nanoseconds: int
    zone: tzinfo = UTC

    def seconds(self) -> int:
        return self.nanoseconds // SECOND

    def fraction(self) -> int:
        """Nanoseconds within the second."""
        return self.nanoseconds % SECOND

    def local(self) -> datetime:
        """The wall clock in the time's zone; years outside 1-9999 are cut to these."""
        seconds = min(max(self.seconds(), ZERO_SECONDS + 86400), 253402214400)
        if self.seconds() == ZERO_SECONDS:
            return datetime(1, 1, 1, tzinfo=UTC)
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(self.zone)

    def offset(self) -> int:
        """Seconds east of UTC."""
        offset = self.local().utcoffset()
        return int(offset.total_seconds()) if offset else 0

    def zone_name(self) -> str:
        return "UTC" if self.zone is UTC else (self.local().tzname() or "")

    def __str__(self) -> str:
        return format_time(self, "2006-01-02 15:04:05.999999999 -0700 MST")


# Longest first where one begins another.
_LAYOUT = lazy_pattern(
    r"January|Jan|Monday|Mon|MST|2006|01|02|03|04|05|002|06|15|PM|pm|__2|_2006|_2"
    r"|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07"
    r"|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5"
)


def _split(layout: str) -> list[tuple[str, bool]]:
    """The layout in pieces: (text, whether it stands for a part of the time)."""
    pieces: list[tuple[str, bool]] = []
    position = start = 0
    while matched := _LAYOUT.search(layout, position):
        piece = matched.group()
        if piece == "Jan" and layout[matched.end() : matched.end() + 1].islower():
            position = matched.start() + 1
            continue
        if piece == "Mon" and layout[matched.end() : matched.end() + 1].islower():
            position = matched.start() + 1
            continue
        if piece == "_2006":
            pieces.append((layout[start : matched.start()] + "_", False))
            pieces.append(("2006", True))
        else:
            if matched.start() > start:
                pieces.append((layout[start : matched.start()], False))
            pieces.append((piece, True))
        position = start = matched.end()
    if start < len(layout):
        pieces.append((layout[start:], False))
    return pieces


def format_time(time: Time, layout: str) -> str:
    """``Time.Format``."""
    return "".join(_part(time, piece) if part else piece for piece, part in _split(layout))


def _offset_text(seconds: int, form: str) -> str:
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, remaining = divmod(rest, 60)
    colon = ":" if ":" in form else ""
    digits = len(form) - form.count(":") - 1
    text = f"{sign}{hours:02d}"
    if digits >= 4:
        text += f"{colon}{minutes:02d}"
    if digits >= 6:
        text += f"{colon}{remaining:02d}"
    return text


def _part(time: Time, piece: str) -> str:
    at = time.local()
    if piece[0] in ".,":
        digits = f"{time.fraction():09d}"[: len(piece) - 1].ljust(len(piece) - 1, "0")
        if piece[1] == "9":
            digits = digits.rstrip("0")
        return piece[0] + digits if digits else ""
    if piece[0] == "Z" and time.offset() == 0:
        return "Z"
    if piece[0] in "Z-":
        return _offset_text(time.offset(), piece)
    hour12 = at.hour % 12 or 12
    parts: dict[str, Callable[[], str]] = {
        "January": lambda: MONTHS[at.month - 1],
        "Jan": lambda: MONTHS[at.month - 1][:3],
        "Monday": lambda: DAYS[at.weekday()],
        "Mon": lambda: DAYS[at.weekday()][:3],
        "MST": time.zone_name,
        "2006": lambda: f"{at.year:04d}",
        "06": lambda: f"{at.year % 100:02d}",
        "01": lambda: f"{at.month:02d}",
        "1": lambda: str(at.month),
        "02": lambda: f"{at.day:02d}",
        "_2": lambda: f"{at.day:2d}",
        "2": lambda: str(at.day),
        "002": lambda: f"{at.timetuple().tm_yday:03d}",
        "__2": lambda: f"{at.timetuple().tm_yday:3d}",
        "15": lambda: f"{at.hour:02d}",
        "03": lambda: f"{hour12:02d}",
        "3": lambda: str(hour12),
        "04": lambda: f"{at.minute:02d}",
        "4": lambda: str(at.minute),
        "05": lambda: f"{at.second:02d}",
        "5": lambda: str(at.second),
        "PM": lambda: "PM" if at.hour >= 12 else "AM",
        "pm": lambda: "pm" if at.hour >= 12 else "am",
    }
    return parts[piece]()


_PARSED = {
    "January": "(?P<month_name>" + "|".join(MONTHS) + ")",
    "Jan": "(?P<month_name>" + "|".join(name[:3] for name in MONTHS) + ")",
    "Monday": "(?:" + "|".join(DAYS) + ")",
    "Mon": "(?:" + "|".join(name[:3] for name in DAYS) + ")",
    "MST": r"(?P<zone>UTC|[A-Z]{3,4}|[+-]\d\d)",
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short_year>\d{2})",
    "01": r"(?P<month>\d{2})",
    "1": r"(?P<month>\d{1,2})",
    "02": r"(?P<day>\d{2})",
    "_2": r"(?P<day> ?\d{1,2})",
    "2": r"(?P<day>\d{1,2})",
    "002": r"(?P<year_day>\d{3})",
    "__2": r"(?P<year_day> {0,2}\d{1,3})",
    "15": r"(?P<hour>\d{2})",
    "03": r"(?P<hour12>\d{2})",
    "3": r"(?P<hour12>\d{1,2})",
    "04": r"(?P<minute>\d{2})",
    "4": r"(?P<minute>\d{1,2})",
    "05": r"(?P<second>\d{2})(?P<fraction>[.,]\d+)?",
    "5": r"(?P<second>\d{1,2})(?P<fraction>[.,]\d+)?",
    "PM": r"(?P<half>AM|PM)",
    "pm": r"(?P<half>am|pm)",
}


def _pattern(layout: str) -> str:
    parts: list[str] = []
    seen: set[str] = set()
    pieces = _split(layout)
    for index, (piece, part) in enumerate(pieces):
        if not part:
            parts.append(re.sub(r"(?:\\ )+", r" *" if piece.isspace() else r" +", re.escape(piece)))
            continue
        if piece[0] in ".,":
            text = (
                rf"(?P<fraction>[.,]\d{{{len(piece) - 1}}})" if piece[1] == "0" else r"(?P<fraction>[.,]\d+)?"
            )
        elif piece[0] in "Z-":
            digits = len(piece) - piece.count(":") - 1
            minutes = (":" if ":" in piece else "") + r"\d\d"
            text = r"[+-]\d\d" + minutes * (digits // 2 - 1)
            text = f"(?P<offset>{'Z|' if piece[0] == 'Z' else ''}{text})"
        else:
            text = _PARSED[piece]
            if piece in ("05", "5") and index + 1 < len(pieces) and pieces[index + 1][0][0] in ".,":
                text = text.partition("(?P<fraction>")[0]
        for name in re.findall(r"\?P<(\w+)>", text):
            text = text.replace(f"?P<{name}>", "?:") if name in seen else text
            seen.add(name)
        parts.append(text)
    return "".join(parts)


def parse_time(layout: str, text: str, zone: tzinfo = UTC) -> Time:
    """``time.ParseInLocation``.  Raises `FunctionError` where the text does not fit the layout."""
    matched = re.fullmatch(_pattern(layout), text)
    if matched is None:
        raise FunctionError(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "{layout}"')
    found = {name: value for name, value in matched.groupdict().items() if value is not None}
    try:
        return _assembled(found, zone)
    except (ValueError, OverflowError):
        raise FunctionError(f'parsing time "{text}": out of range') from None


def _assembled(found: dict[str, str], zone: tzinfo) -> Time:
    year = int(found.get("year", "1" if "short_year" not in found else "0"))
    if "short_year" in found:
        short = int(found["short_year"])
        year = short + (1900 if short >= 69 else 2000)
    month = int(found.get("month", 1))
    if "month_name" in found:
        month = 1 + [name[:3] for name in MONTHS].index(found["month_name"][:3])
    hour = int(found.get("hour", found.get("hour12", 0)))
    if "half" in found:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    day = int(found.get("day", 1))
    if "offset" in found or found.get("zone") == "UTC":
        zone = _zone(found.get("offset", "Z"))
    minute, second = int(found.get("minute", 0)), int(found.get("second", 0))
    year = year or 1
    at = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    if "year_day" in found and "month" not in found and "month_name" not in found:
        at = at.replace(month=1, day=1) + timedelta(days=int(found["year_day"]) - 1)
    fraction = int(found.get("fraction", ".0")[1:].ljust(9, "0")[:9])
    reading = at.replace(tzinfo=UTC)
    since = reading - _offset(reading, zone) - datetime(1970, 1, 1, tzinfo=UTC)
    return Time((since.days * 86400 + since.seconds) * SECOND + fraction, zone)


def _offset(reading: datetime, zone: tzinfo) -> timedelta:
    """What a clock of ``zone`` is ahead of UTC when it shows ``reading``.

    Of the two offsets of an hour that a clock shows twice (or never) it is the one that Go finds: it looks at the
    reading as if it were UTC first, and then at what follows from that.
    """
    guess = reading.astimezone(zone).utcoffset() or timedelta()
    return (reading - guess).astimezone(zone).utcoffset() or timedelta()


def _zone(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    return timezone(timedelta(seconds=-seconds if text[0] == "-" else seconds), " ") if seconds else UTC


def location(name: str) -> tzinfo:
    """A zone by its name; UTC for ``""``, ``UTC``, ``Local`` and names that nobody knows."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return UTC


Method = tuple[tuple[str, ...], Callable[..., Any]]


def _add(time: Time, duration: int) -> Time:
    return Time(time.nanoseconds + duration, time.zone)


METHODS: dict[str, Method] = {
    "Format": (("string",), format_time),
    "String": ((), str),
    "UTC": ((), lambda time: Time(time.nanoseconds, UTC)),
    "Local": ((), lambda time: Time(time.nanoseconds, UTC)),
    "Year": ((), lambda time: time.local().year),
    "Month": ((), lambda time: Named(time.local().month, MONTHS[time.local().month - 1])),
    "Day": ((), lambda time: time.local().day),
    "Weekday": ((), lambda time: Named((time.local().weekday() + 1) % 7, DAYS[time.local().weekday()])),
    "YearDay": ((), lambda time: time.local().timetuple().tm_yday),
    "Hour": ((), lambda time: time.local().hour),
    "Minute": ((), lambda time: time.local().minute),
    "Second": ((), lambda time: time.local().second),
    "Nanosecond": ((), lambda time: time.fraction()),
    "Unix": ((), lambda time: _int64(time.seconds())),
    "UnixMilli": ((), lambda time: _int64(time.nanoseconds // 1_000_000)),
    "UnixMicro": ((), lambda time: _int64(time.nanoseconds // 1_000)),
    "UnixNano": ((), lambda time: _int64(time.nanoseconds)),
    "IsZero": ((), lambda time: time.nanoseconds == ZERO_SECONDS * SECOND),
    "Add": (("time.Duration",), _add),
    "Sub": (("time.Time",), lambda time, other: Duration(time.nanoseconds - other.nanoseconds)),
    "After": (("time.Time",), lambda time, other: time.nanoseconds > other.nanoseconds),
    "Before": (("time.Time",), lambda time, other: time.nanoseconds < other.nanoseconds),
    "Equal": (("time.Time",), lambda time, other: time.nanoseconds == other.nanoseconds),
}
"""The methods of a time that templates may call: parameter types and what they do."""

DURATION_METHODS: dict[str, Method] = {
    "Seconds": ((), lambda duration: _count(duration, SECOND)),
    "Minutes": ((), lambda duration: _count(duration, 60 * SECOND)),
    "Hours": ((), lambda duration: _count(duration, 3600 * SECOND)),
    "Milliseconds": ((), lambda duration: _int64(int(duration / 1_000_000))),
    "Microseconds": ((), lambda duration: _int64(int(duration / 1_000))),
    "Nanoseconds": ((), lambda duration: _int64(int(duration))),
    "String": ((), lambda duration: _duration_text(duration)),
}


def _count(duration: int, unit: int) -> float:
    """How many units a duration is, the whole ones and the rest apart, as Go computes it."""
    sign = -1 if duration < 0 else 1
    whole, rest = divmod(abs(duration), unit)
    return float(sign * whole) + float(sign * rest) / float(unit)


class Named(int):
    """A ``time.Month`` or ``time.Weekday``: a number that prints as its name."""

    name: str

    def __new__(cls, value: int, name: str) -> Named:
        named = super().__new__(cls, value)
        named.name = name
        return named

    def __str__(self) -> str:
        return self.name


def _int64(value: int) -> int:
    return wrap_int64(value)


def _duration_text(duration: int) -> str:
    return format_go_duration(duration)
