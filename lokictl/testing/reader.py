"""Reads the plain values of a test file: strings, durations, times, labels; collects problems with their places."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lokictl.diagnostics import Problem
from lokictl.logql import LogQLError
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.times import parse_time
from lokictl.model.yaml_source import Path, YamlDocument, unknown_keys
from lokictl.testing.labels import parse_labels


class ReadError(Exception):
    """What is left cannot be read; the problem has been noted."""


class Reader:
    """The document, and the problems found so far (shared between readers of one file)."""

    def __init__(self, document: YamlDocument, problems: list[Problem] | None = None) -> None:
        self.document = document
        self.problems: list[Problem] = problems if problems is not None else []

    def problem(
        self, message: str, path: Path, *, hint: str = "", key: bool = False, name: str = "test/syntax"
    ) -> None:
        """Notes a problem at ``path``."""
        self.problems.append(self.document.problem(name, message, *path, key=key, hint=hint))

    def mapping(self, value: Any, path: Path, what: str, keys: Collection[str]) -> bool:
        """Whether ``value`` is a mapping; its unknown keys are noted."""
        if not isinstance(value, dict):
            self.problem(f"{what} is a mapping", path, hint=f"known keys: {', '.join(keys)}")
            return False
        if not all(map(keys.__contains__, value)):
            self.problems += unknown_keys(self.document, keys, *path, name="test/unknown-key", what=what)
        return True

    def list_of(self, value: Any, path: Path) -> list[Any]:
        """The items of a list; None is an empty one."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(f"`{path[-1]}` is a list", path, hint="begin each item with `- `")
            return []
        return value

    def scalar(self, value: Any, path: Path) -> str:
        """A scalar as written."""
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        return self.document.scalar_text(*path) or str(value)

    def text(self, value: Any, path: Path) -> str:
        """A string; numbers and booleans count as their source text."""
        if isinstance(value, dict | list):
            self.problem(f"`{path[-1]}` must be a string", path)
            return ""
        return self.scalar(value, path)

    def texts(self, value: Any, path: Path) -> list[str]:
        """A list of strings; a single one is a list of one."""
        if isinstance(value, str):
            return [value]
        return [self.text(item, (*path, index)) for index, item in enumerate(self.list_of(value, path))]

    def boolean(self, value: Any, path: Path) -> bool:
        """true or false."""
        if value is None or isinstance(value, bool):
            return bool(value)
        self.problem(f"`{path[-1]}` is true or false", path)
        return False

    def integer(self, value: Any, path: Path, default: int) -> int:
        """A whole number that is not negative."""
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.problem(f"`{path[-1]}` is a whole number", path)
            return default
        return value

    def number(self, value: Any, path: Path) -> float:
        """A sample value: a number, NaN, +Inf, -Inf."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        try:
            return float(str(value)) if isinstance(value, str) else _not_a_number(value)
        except ValueError:
            self.problem(f"{self.scalar(value, path)!r} is not a number", path)
            return 0.0

    def duration(self, value: Any, path: Path) -> int | None:
        """A Prometheus duration in ns; None if there is none."""
        if value is None:
            return None
        text = self.text(value, path)
        try:
            return parse_prometheus_duration(text)
        except (LogQLError, ValueError):
            self.problem(f"{text!r} is not a duration", path, hint="write 30s, 5m, 1h30m or 0")
            return None

    def time(self, value: Any, path: Path, start: int) -> int:
        """A point in time: a duration after ``start``, or a timestamp.  Raises `ReadError`."""
        text = self.text(value, path).strip()
        try:
            return _checked(start + parse_prometheus_duration(text))
        except (LogQLError, ValueError):
            pass
        try:
            return _checked(parse_time(text))
        except (ValueError, OverflowError):
            self.problem(
                f"{text!r} is not a point in time",
                path,
                hint="write a duration after the start (30s, 5m, 1h30m, 0) or 2026-01-01T00:00:00Z",
            )
            raise ReadError from None

    def labels(self, value: Any, path: Path) -> dict[str, str]:
        """Labels: a mapping, or ``{name="value"}``."""
        if value is None:
            return {}
        if isinstance(value, str):
            try:
                return parse_labels(value)
            except ValueError as error:
                self.problem(str(error), path, hint='write {name="value", …}, or a mapping')
                return {}
        if not isinstance(value, dict):
            self.problem(f"`{path[-1]}` is a mapping of names and values", path)
            return {}
        return {str(key): self.text(item, (*path, key)) for key, item in value.items()}


def _checked(time: int) -> int:
    """A time that Loki can hold: 64 bits of nanoseconds since the epoch."""
    if not 0 <= time < 1 << 63:
        raise ValueError(time)
    return time


def _not_a_number(value: Any) -> float:
    raise ValueError(str(value))
