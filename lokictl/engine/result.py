"""Answers, and Loki's JSON for them."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from lokictl.logql.units import format_value
from lokictl.records import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log query: ``timestamp`` in ns; the categories of its labels for the categorised answer."""

    timestamp: int
    line: str
    stream: Labels = ()
    metadata: Labels = ()
    parsed: Labels = ()


@dataclass(frozen=True)
class Result:
    """An answer of kind "streams", "vector", "matrix" or "scalar"; the other kinds' fields are empty.

    ``vector``: (labels, value) in order.  ``matrix``: (labels, [(time ns, value), …]) by labels.
    ``streams``: (labels, lines).  ``scalar``: (time ns, value).  ``categories``: whether this Loki can show them.
    """

    kind: str
    time: int = 0
    vector: list[tuple[dict[str, str], float]] = field(default_factory=list)
    matrix: list[tuple[dict[str, str], list[tuple[int, float]]]] = field(default_factory=list)
    streams: list[tuple[dict[str, str], list[LogLine]]] = field(default_factory=list)
    scalar: float | None = None
    categories: bool = True

    def to_loki(self, *, categorize: bool = False) -> dict[str, Any]:
        """The ``data`` object of Loki's HTTP answer, without statistics."""
        if self.kind == "streams":
            return self._streams(categorize)
        result: Any
        if self.kind == "scalar":
            result = [_seconds(self.time), format_value(self.scalar if self.scalar is not None else 0.0)]
        elif self.kind == "vector":
            time = _seconds(self.time)
            result = [
                {"metric": dict(labels), "value": [time, format_value(value)]}
                for labels, value in self.vector
            ]
        else:
            result = [
                {
                    "metric": dict(labels),
                    "values": [[_seconds(time), format_value(value)] for time, value in samples],
                }
                for labels, samples in self.matrix
            ]
        return {"resultType": self.kind, "result": result}

    def _streams(self, categorize: bool) -> dict[str, Any]:
        if not categorize or not self.categories:
            result = [
                {"stream": dict(labels), "values": [[str(item.timestamp), item.line] for item in lines]}
                for labels, lines in self.streams
            ]
            return {"resultType": "streams", "result": result}
        result = [
            {"stream": dict(labels), "values": [_categorized(item) for item in lines]}
            for labels, lines in self.streams
        ]
        return {"resultType": "streams", "encodingFlags": ["categorize-labels"], "result": result}


def _categorized(item: LogLine) -> list[Any]:
    extra = {}
    if item.metadata:
        extra["structuredMetadata"] = dict(item.metadata)
    if item.parsed:
        extra["parsed"] = dict(item.parsed)
    return [str(item.timestamp), item.line, extra]


def _seconds(nanoseconds: int) -> float | int:
    milliseconds = nanoseconds // 1_000_000 if nanoseconds >= 0 else -(-nanoseconds // 1_000_000)
    whole, rest = divmod(milliseconds, 1000)
    return whole if rest == 0 else milliseconds / 1000
