"""Durations and times: the units, and what public signatures take as people write it.

Inside, a duration is a whole number of nanoseconds; at the edges it may also be a string ("5m", "1d12h") or a
`datetime.timedelta`.  A time is nanoseconds since the epoch, at the edges also a `datetime.datetime`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, overload

from lokictl.logql.units import (
    DAY,
    HOUR,
    MICROSECOND,
    MILLISECOND,
    MINUTE,
    NANOSECOND,
    SECOND,
    WEEK,
    format_prometheus_duration,
    parse_prometheus_duration,
)

__all__ = [
    "DAY",
    "HOUR",
    "MICROSECOND",
    "MILLISECOND",
    "MINUTE",
    "NANOSECOND",
    "SECOND",
    "WEEK",
    "Duration",
    "DurationField",
    "Time",
    "epoch_nanoseconds",
    "format_prometheus_duration",
    "nanoseconds",
]

Duration: TypeAlias = int | str | timedelta
"""Nanoseconds, a string such as "5m" or "1d12h", or a `timedelta`."""


def nanoseconds(value: Duration) -> int:
    """``value`` in nanoseconds.  Raises `ValueError` for a string that is not a duration."""
    if isinstance(value, str):
        return parse_prometheus_duration(value)
    if isinstance(value, timedelta):
        return (value.days * 86_400 + value.seconds) * SECOND + value.microseconds * MICROSECOND
    return value


Time: TypeAlias = int | datetime
"""Nanoseconds since the epoch, or a `datetime` with a time zone."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_nanoseconds(value: Time) -> int:
    """``value`` in nanoseconds since the epoch.  Raises `ValueError` for a `datetime` without a time zone."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone: use datetime(…, tzinfo=timezone.utc)")
    return nanoseconds(value - _EPOCH)


class DurationField:
    """A field of a dataclass that takes any `Duration` and gives nanoseconds.

    Not for classes with ``__slots__``.
    """

    def __init__(self, default: Duration = 0) -> None:
        self.default = nanoseconds(default)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> int: ...
    @overload
    def __get__(self, instance: object, owner: type) -> int: ...
    def __get__(self, instance: object | None, owner: type) -> int:
        if instance is None:
            return self.default
        value: int = instance.__dict__[self.name]
        return value

    def __set__(self, instance: Any, value: Duration) -> None:
        instance.__dict__[self.name] = nanoseconds(value)
