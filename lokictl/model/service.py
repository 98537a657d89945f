"""What is watched: a service, its stream labels and the fields of its log lines."""

from __future__ import annotations

import json
from dataclasses import field
from enum import StrEnum
from typing import TypeVar

from lokictl.durations import DurationField
from lokictl.records import dataclass


class FieldType(StrEnum):
    """How a field's value should be read; a TIME (RFC 3339) is the time of the line itself."""

    STRING = "string"
    NUMBER = "number"
    DURATION = "duration"
    BYTES = "bytes"
    BOOLEAN = "boolean"
    IP = "ip"
    TIME = "time"


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
    ``structured_metadata``: the collectors may carry it as structured metadata instead of in the line.
    """

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    unit: str = ""
    values: tuple[str, ...] = ()
    example: str | int | float | bool = ""
    structured_metadata: bool = False
    high_cardinality: bool = False


@dataclass(frozen=True)
class Objectives:
    """What is good enough.

    ``error_ratio`` 0–1; ``p99_duration`` takes any `lokictl.durations.Duration` and is nanoseconds afterwards;
    ``errors_per_minute`` and ``unparsed_lines`` (in 10 minutes) are the counts up to which nobody need look.
    """

    error_ratio: float = 0.05
    p99_duration: DurationField = DurationField("5s")
    errors_per_minute: int = 50
    unparsed_lines: int = 5


@dataclass(frozen=True, kw_only=True)
class Service:
    """One monitored service: the single place that names its labels and fields.

    ``name`` is the value of the ``service`` label; ``retention`` and ``debug_retention`` take any
    `lokictl.durations.Duration` and are nanoseconds afterwards;
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
    retention: DurationField = DurationField("30d")
    debug_retention: DurationField = DurationField("3d")
    objectives: Objectives = field(default_factory=Objectives)
    monthly_storage: int = 0

    def label(self, name: str) -> StreamLabel:
        """The stream label called ``name``; raises KeyError."""
        return _named(self.labels, name)

    def field(self, name: str) -> LogField:
        """The log field called ``name``; raises KeyError."""
        return _named(self.fields, name)

    @property
    def time_field(self) -> LogField | None:
        """The field with the time at which the service wrote the line, if its lines have one."""
        return next((item for item in self.fields if item.type is FieldType.TIME), None)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def selector(self) -> str:
        """The stream selector that finds this service's logs."""
        return self.select()

    def select(self, **equal: str) -> str:
        """The stream selector of this service with more labels pinned: ``select(level="error")``.

        Raises KeyError for a label that the service does not have, ValueError for a value it cannot have.
        """
        for name, value in equal.items():
            values = self.label(name).values
            if values and value not in values:
                raise ValueError(f'the label {name} of {self.name} cannot be "{value}": {", ".join(values)}')
        matchers = {"service": self.name, **equal}
        return "{" + ", ".join(f'{name}="{value}"' for name, value in matchers.items()) + "}"

    def stream(self, **labels: str) -> dict[str, str]:
        """The labels of a typical stream of this service, with the given ones in place of the typical."""
        typical = {label.name: label.example or (label.values or ("",))[0] for label in self.labels}
        typical |= {"service": self.name, "tier": self.tier, "namespace": self.namespace}
        return {name: value for name, value in (typical | labels).items() if value}

    def example_record(self, **fields: str | int | float | bool) -> dict[str, str | int | float | bool]:
        """A log record with every field's example (or first known value), overridden by ``fields``."""
        record = {item.name: item.example or (item.values or ("",))[0] for item in self.fields}
        return {**record, **fields}

    def example_line(self, **fields: str | int | float | bool) -> str:
        """`example_record` as the text of a log line, in the service's format."""
        record = self.example_record(**fields)
        if self.line_format == "json":
            return json.dumps(record, ensure_ascii=False)
        return " ".join(f"{name}={_logfmt(value)}" for name, value in record.items())


def _logfmt(value: str | int | float | bool) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text and not any(character in text for character in ' "=\n\t'):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


_Named = TypeVar("_Named", StreamLabel, LogField)


def _named(items: tuple[_Named, ...], name: str) -> _Named:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
