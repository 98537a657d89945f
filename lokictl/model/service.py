"""What is watched: a service, its stream labels and the fields of its log lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class FieldType(StrEnum):
    """How a field's value is to be read."""

    STRING = "string"
    NUMBER = "number"
    DURATION = "duration"
    BYTES = "bytes"
    BOOLEAN = "boolean"
    IP = "ip"


@dataclass(frozen=True, slots=True)
class StreamLabel:
    """A label that the collectors set on the stream.

    ``values`` are all values that can occur (empty: any); ``example`` stands in for them in sample logs.
    """

    name: str
    description: str = ""
    values: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class LogField:
    """A field of the log line, parsed at query time (or carried as structured metadata).

    ``unit`` is Grafana's unit name for numbers ("ms", "bytes", "short"); ``values`` as in `StreamLabel`.
    """

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    unit: str = ""
    values: tuple[str, ...] = ()
    example: str | int | float | bool = ""
    structured_metadata: bool = False
    high_cardinality: bool = False


@dataclass(frozen=True, slots=True)
class Objectives:
    """What is good enough: ``error_ratio`` 0–1, ``p99_duration`` in nanoseconds."""

    error_ratio: float = 0.05
    p99_duration: int = 5 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One watched service: the only place where its labels and fields are named.

    ``name`` is the value of the ``service`` label; ``retention`` and ``debug_retention`` in nanoseconds;
    ``line_format`` is "json", "logfmt" or "text"; ``monthly_storage`` in bytes, compressed.
    """

    name: str
    title: str
    tier: str
    namespace: str
    description: str = ""
    labels: tuple[StreamLabel, ...] = ()
    fields: tuple[LogField, ...] = ()
    line_format: str = "json"
    retention: int = 30 * DAY
    debug_retention: int = 3 * DAY
    objectives: Objectives = field(default_factory=Objectives)
    monthly_storage: int = 0

    def label(self, name: str) -> StreamLabel:
        """The stream label called ``name``; raises KeyError."""
        return _named(self.labels, name)

    def field(self, name: str) -> LogField:
        """The log field called ``name``; raises KeyError."""
        return _named(self.fields, name)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def selector(self) -> str:
        """The stream selector that finds this service's logs."""
        return f'{{service="{self.name}"}}'


_Named = TypeVar("_Named", StreamLabel, LogField)


def _named(items: tuple[_Named, ...], name: str) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
