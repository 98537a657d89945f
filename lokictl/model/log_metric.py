"""Metrics that collectors make from log lines."""

from __future__ import annotations

from lokictl.records import dataclass


@dataclass(frozen=True)
class LogMetric:
    """A metric made from log lines: its name is ``prefix + name``, its labels are exactly ``labels``.

    ``kind`` is "counter", "gauge" or "histogram" (with upper bounds ``buckets``); ``source`` is the field it reads (""
    counts lines); ``extracted`` are fields that become labels of the metric only; ``only_level`` restricts it to lines
    of a level.
    """

    kind: str
    prefix: str
    name: str
    description: str
    labels: tuple[str, ...]
    source: str = ""
    extracted: tuple[str, ...] = ()
    only_level: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        return self.prefix + self.name
