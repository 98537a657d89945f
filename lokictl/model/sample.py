"""What a generator of sample logs is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from random import Random
from typing import NamedTuple

from lokictl.durations import SECOND
from lokictl.model.log_metric import LogMetric
from lokictl.model.service import Service
from lokictl.records import dataclass


class SampleEntry(NamedTuple):
    """One log line: its stream's labels, its time in ns, its text, its structured metadata."""

    labels: Mapping[str, str]
    timestamp: int
    line: str
    metadata: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Trace:
    """A request that passes through several services: each writes lines with the same ``trace_id``.

    ``number`` counts traces since the epoch at the given rate; ``start`` in ns.
    """

    number: int
    trace_id: str
    start: int


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Which logs are wanted: from ``start`` to ``end`` (ns), ``rate`` requests per second, and an incident.

    The incident begins at ``incident_start`` (ns) and lasts to the end.  The same request always gives the same
    lines, and a request for part of the time the same lines for that part.
    """

    start: int
    end: int
    rate: float = 1.0
    incident: str = ""
    incident_start: int = 0
    seed: int = 0

    def during(self, name: str, timestamp: int) -> bool:
        """Whether the incident called ``name`` is on at ``timestamp``."""
        return self.incident == name and timestamp >= self.incident_start

    def random(self, *key: object) -> Random:
        """Chance that depends on the seed and the key only."""
        return Random(":".join(map(str, (self.seed, *key))))  # noqa: S311 - sample logs, not secrets

    def traces(self) -> Iterator[Trace]:
        """The requests of the time, the same ones for every service."""
        period = max(1, round(SECOND / self.rate))
        for number in range(-(-self.start // period), -(-self.end // period)):
            chance = self.random("trace", number)
            start = number * period + chance.randrange(max(1, period // 2))
            if start < self.end:
                yield Trace(number, f"{chance.getrandbits(128):032x}", start)

    def every(self, seconds: float, *, since: int | None = None) -> Iterator[tuple[int, int]]:
        """(time in ns, number) at a fixed pace, on a grid that does not depend on where the request starts."""
        period = round(seconds * SECOND)
        start = self.start if since is None else max(self.start, since)
        for number in range(-(-start // period), -(-self.end // period)):
            yield number * period, number


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that goes wrong: its name, what it looks like, and the alerts it trips."""

    name: str
    description: str
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class SampleSource:
    """The sample logs of one service.

    ``write`` yields the entries of a request in any order; it knows the incidents that are listed here.  ``metrics``
    are those that the collectors make of the lines.
    """

    service: Service
    write: Callable[[SampleRequest], Iterator[SampleEntry]]
    incidents: tuple[Incident, ...] = field(default=())
    metrics: tuple[LogMetric, ...] = field(default=())

    def incident(self, name: str) -> Incident | None:
        """The incident called ``name``, if this service has it."""
        return next((incident for incident in self.incidents if incident.name == name), None)
