"""Long stretches of sample logs with incidents at known times."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.durations import SECOND
from lokictl.logql.units import parse_prometheus_duration
from lokictl.model.sample import SampleEntry, SampleRequest, SampleSource
from lokictl.model.times import format_time, parse_time
from lokictl.records import dataclass

DEFAULT_LENGTH = 3600 * SECOND
PIECE = 6 * 3600 * SECOND
"""Logs are made in pieces of this length, so that weeks of them need no more memory than hours."""
LEAD = 120 * SECOND
"""A request takes a while: lines of a piece may belong to one that began this much earlier."""
FORM = "[SERVICE:]NAME@TIME[/LENGTH], such as ryot:errors@2026-01-03T10:00:00Z/40m"


@dataclass(frozen=True)
class ScheduledIncident:
    """An incident of one service (``service`` "": of all that have it) from ``start`` to ``end`` (ns)."""

    name: str
    start: int
    end: int
    service: str = ""

    def hits(self, source: SampleSource) -> bool:
        """Whether it happens to the service of a source."""
        return self.service in ("", source.service.name) and source.incident(self.name) is not None


def parse_incident(text: str, *, now: int) -> ScheduledIncident:
    """``[SERVICE:]NAME@TIME[/LENGTH]``: LENGTH is a duration or the time of the end, by default an hour.

    ``now`` is what "1d" (before) counts from.  Raises `LokictlError`.
    """
    name, _, when = text.partition("@")
    service, colon, own = name.rpartition(":")
    start_text, _, length = when.partition("/")
    try:
        start = parse_time(start_text, now=now)
        end = start + DEFAULT_LENGTH if not length else _end(length, start)
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    if end <= start:
        raise _wrong(text, "it ends before it starts")
    return ScheduledIncident(own if colon else name, start, end, service)


def _end(text: str, start: int) -> int:
    try:
        return start + parse_prometheus_duration(text)
    except ValueError:
        return parse_time(text)


def _wrong(text: str, reason: str) -> LokictlError:
    return LokictlError(
        Problem("sample/incident", f'"{text}" is not an incident with its time: {reason}', hint=FORM)
    )


def check_incidents(incidents: Sequence[ScheduledIncident], sources: Sequence[SampleSource]) -> None:
    """Raises `LokictlError` for an incident that no service has, and for two at once in one service."""
    names = sorted({known.name for source in sources for known in source.incidents})
    services = [source.service.name for source in sources]
    for incident in incidents:
        if incident.service and incident.service not in services:
            hint = suggestion(incident.service, services, f"known services: {', '.join(services)}")
            message = f'unknown service "{incident.service}"'
            raise LokictlError(Problem("sample/incident", message, hint=hint))
        if not any(incident.hits(source) for source in sources):
            hint = suggestion(incident.name, names, f"known incidents: {', '.join(names)}")
            raise LokictlError(Problem("sample/incident", f'unknown incident "{incident.name}"', hint=hint))
    for source in sources:
        own = sorted((one for one in incidents if one.hits(source)), key=attrgetter("start"))
        for first, second in pairwise(own):
            if second.start < first.end:
                message = (
                    f"{source.service.name} has two incidents at once: {first.name} until "
                    f"{format_time(first.end)}, and {second.name} from {format_time(second.start)}"
                )
                raise LokictlError(Problem("sample/incident", message, hint="move one, or shorten the first"))


def generate_schedule(
    sources: Iterable[SampleSource],
    start: int,
    end: int,
    incidents: Sequence[ScheduledIncident],
    *,
    rate: float = 1.0,
    seed: int = 0,
) -> Iterator[SampleEntry]:
    """The logs of several services from ``start`` to ``end`` (ns), healthy but for the incidents, in order of time."""
    if rate <= 0:
        raise LokictlError(Problem("sample/rate", "the rate must be more than 0 requests per second"))
    chosen = list(sources)
    streams = [_of_source(source, start, end, incidents, rate, seed) for source in chosen]
    return heapq.merge(*streams, key=attrgetter("timestamp"))


def _of_source(
    source: SampleSource,
    start: int,
    end: int,
    incidents: Sequence[ScheduledIncident],
    rate: float,
    seed: int,
) -> Iterator[SampleEntry]:
    own = [one for one in incidents if one.hits(source)]
    edges = {start, end, *range((start // PIECE + 1) * PIECE, end, PIECE)}
    edges.update(time for one in own for time in (one.start, one.end) if start < time < end)
    ordered = sorted(edges)
    for low, high in pairwise(ordered):
        incident = next((one for one in own if one.start <= low < one.end), None)
        request = SampleRequest(
            low - LEAD,
            high,
            rate,
            incident.name if incident else "",
            incident.start if incident else 0,
            seed,
        )
        entries = [entry for entry in source.write(request) if low <= entry.timestamp < high]
        entries.sort(key=attrgetter("timestamp"))
        yield from entries


def incidents_yaml(incidents: Sequence[ScheduledIncident], sources: Sequence[SampleSource]) -> str:
    """The incidents as `lokictl backtest --incidents` reads them, with the alerts that they trip."""
    lines = ["incidents:"]
    for incident in sorted(incidents, key=attrgetter("start")):
        hit = [source for source in sources if incident.hits(source)]
        found = [source.incident(incident.name) for source in hit]
        alerts = [alert for one in found if one is not None for alert in one.alerts]
        services = ", ".join(source.service.name for source in hit)
        lines += [
            f'  - name: "{services}: {incident.name}"',
            f"    start: {format_time(incident.start)}",
            f"    end: {format_time(incident.end)}",
        ]
        if alerts:
            lines.append(f"    alerts: [{', '.join(dict.fromkeys(alerts))}]")
    return "\n".join(lines) + "\n"
