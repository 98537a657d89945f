"""Checks that ask a running Loki."""

from __future__ import annotations

from lokictl.lint.interface import Check
from lokictl.lint.live.checks import (
    AlertFrequency,
    ExpensiveQuery,
    NoSeries,
    OtherVersion,
    TooManyStreams,
    UnknownLabel,
    UnknownValue,
    Unreachable,
)

CHECKS: tuple[type[Check], ...] = (
    Unreachable,
    OtherVersion,
    UnknownLabel,
    UnknownValue,
    NoSeries,
    ExpensiveQuery,
    TooManyStreams,
    AlertFrequency,
)
