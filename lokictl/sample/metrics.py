"""The metrics that collectors would make of sample logs: scraped every 15 seconds, for Prometheus."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from lokictl.durations import SECOND
from lokictl.model.log_metric import LogMetric
from lokictl.model.sample import SampleEntry, SampleSource
from lokictl.records import dataclass
from lokictl.sample.lines import fields_of

SCRAPE_INTERVAL = 15 * SECOND

TARGET = {"job": "collector", "instance": "10.42.1.7:9080", "pod": "collector-x7k2p", "node": "node-a"}
"""The labels of the one collector that is scraped."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape found: ``time`` in ns, and the value of each series (labels with ``__name__``, sorted)."""

    time: int
    series: Mapping[Labels, float]


@dataclass
class Collector:
    """Counts lines as a collector does, from the moment when it starts."""

    metrics: Mapping[str, tuple[LogMetric, ...]]
    values: dict[Labels, float] = field(default_factory=dict)

    def count(self, entry: SampleEntry) -> None:
        """Adds one line to the metrics of its service."""
        known = fields_of(entry)
        for metric in self.metrics.get(entry.labels.get("service", ""), ()):
            if metric.only_level and entry.labels.get("level") != metric.only_level:
                continue
            number = _number(known.get(metric.source)) if metric.source else 1.0
            if number is None:
                continue
            values = {name: str(known.get(name, entry.labels.get(name, ""))) for name in metric.labels}
            self._observe(metric, {name: value for name, value in values.items() if value}, number)

    def scrape(self, time: int) -> Scrape:
        """Its metrics at ``time``; the collector itself is ``up``."""
        return Scrape(time, {_series("up", {}): 1.0, **self.values})

    def _observe(self, metric: LogMetric, labels: Mapping[str, str], number: float) -> None:
        if metric.kind == "gauge":
            self.values[_series(metric.full_name, labels)] = number
        elif metric.kind == "counter":
            self._add(metric.full_name, labels, number)
        else:
            self._add(f"{metric.full_name}_sum", labels, number)
            self._add(f"{metric.full_name}_count", labels, 1)
            first = bisect_left(metric.buckets, number)
            for index, bound in enumerate((*metric.buckets, math.inf)):
                text = "+Inf" if bound == math.inf else repr(float(bound))
                self._add(f"{metric.full_name}_bucket", {**labels, "le": text}, 1 if index >= first else 0)

    def _add(self, name: str, labels: Mapping[str, str], number: float) -> None:
        key = _series(name, labels)
        self.values[key] = self.values.get(key, 0) + number


def scrapes(
    sources: Iterable[SampleSource],
    entries: Iterable[SampleEntry],
    start: int,
    end: int,
    *,
    collector: Collector | None = None,
) -> Iterator[Scrape]:
    """What Prometheus would scrape of the collector (by default one that starts now) from ``start`` to ``end`` (ns).

    ``entries`` are the lines of that time, in its order.  A scrape sees the lines that were written before it.
    """
    collector = collector or Collector({source.service.name: source.metrics for source in sources})
    time = -(-start // SCRAPE_INTERVAL) * SCRAPE_INTERVAL
    for entry in entries:
        while entry.timestamp >= time:
            yield collector.scrape(time)
            time += SCRAPE_INTERVAL
        collector.count(entry)
    while time <= end:
        yield collector.scrape(time)
        time += SCRAPE_INTERVAL


def to_open_metrics(found: Iterable[Scrape]) -> Iterator[str]:
    """Scrapes as OpenMetrics with times, which ``promtool tsdb create-blocks-from openmetrics`` reads."""
    families: dict[str, dict[Labels, list[str]]] = {}
    for scrape in found:
        seconds = f"{scrape.time / SECOND:.3f}"
        for labels, value in scrape.series.items():
            name = dict(labels)["__name__"]
            text = ",".join(f'{key}="{_escaped(item)}"' for key, item in labels if key != "__name__")
            line = f"{name}{{{text}}} {value!r} {seconds}"
            families.setdefault(name, {}).setdefault(labels, []).append(line)
    for name, series in sorted(families.items()):
        yield f"# TYPE {name} unknown"
        for lines in series.values():
            yield from lines
    yield "# EOF"


def _series(name: str, labels: Mapping[str, str]) -> Labels:
    return tuple(sorted({"__name__": name, **TARGET, **labels}.items()))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
