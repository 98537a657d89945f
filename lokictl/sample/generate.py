"""Makes sample logs: from a project's own sources, or from a service's description alone."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.model import FieldType, LogField, Service
from lokictl.model.sample import SampleEntry, SampleRequest, SampleSource
from lokictl.sample.common import COMMON_INCIDENTS, line_time, with_common_incidents

if TYPE_CHECKING:
    from lokictl.engine import LogStore
    from lokictl.project import Project


def generate(
    source: SampleSource | Service,
    start: int,
    end: int,
    *,
    rate: float = 1.0,
    incident: str = "",
    incident_start: int | None = None,
    seed: int = 0,
) -> Iterator[SampleEntry]:
    """The logs of one service from ``start`` to ``end`` (ns, the end exclusive), in the order of time.

    ``rate`` is requests per second.  An incident that the service does not have leaves it healthy; one it has
    begins at ``incident_start`` (default: half-way) and lasts to the end.
    """
    if isinstance(source, Service):
        source = default_source(source)
    if rate <= 0:
        raise LokictlError(Problem("sample/rate", "the rate must be more than 0 requests per second"))
    begin = (start + end) // 2 if incident_start is None else incident_start
    known = incident if source.incident(incident) else ""
    request = SampleRequest(start, end, rate, known, begin, seed)
    entries = [entry for entry in source.write(request) if start <= entry.timestamp < end]
    entries.sort(key=attrgetter("timestamp"))
    return iter(entries)


def generate_all(
    sources: Iterable[SampleSource],
    start: int,
    end: int,
    *,
    rate: float = 1.0,
    incident: str = "",
    seed: int = 0,
) -> Iterator[SampleEntry]:
    """The logs of several services, merged in the order of time."""
    streams = (generate(source, start, end, rate=rate, incident=incident, seed=seed) for source in sources)
    return heapq.merge(*streams, key=attrgetter("timestamp"))


def project_sources(project: Project) -> tuple[SampleSource, ...]:
    """One source for each service of the project, in its order."""
    own = {source.service.name: source for source in project.samples}
    return tuple(own.get(service.name) or default_source(service) for service in project.services)


def choose_sources(
    project: Project, services: Sequence[str] = (), incident: str = ""
) -> tuple[SampleSource, ...]:
    """The sources of the named services (default: all).

    Raises `LokictlError` for a service that does not exist, and for an incident that none of them has.
    """
    for name in services:
        project.service(name)
    chosen = [
        source for source in project_sources(project) if not services or source.service.name in services
    ]
    names = sorted({known.name for source in chosen for known in source.incidents})
    if incident and incident not in names:
        hint = suggestion(incident, names, f"known incidents: {', '.join(names)}")
        raise LokictlError(Problem("sample/incident", f'unknown incident "{incident}"', hint=hint))
    return tuple(chosen)


def fill_store(store: LogStore, entries: Iterable[SampleEntry]) -> int:
    """Pushes the entries into a log store, stream by stream; the number of lines."""
    streams: dict[tuple[tuple[str, str], ...], list[SampleEntry]] = {}
    for entry in entries:
        streams.setdefault(tuple(entry.labels.items()), []).append(entry)
    for labels, lines in streams.items():
        store.push(dict(labels), [(entry.timestamp, entry.line, dict(entry.metadata)) for entry in lines])
    return sum(map(len, streams.values()))


def default_source(service: Service) -> SampleSource:
    """A source made from the description alone: every field takes its known values, or varies its example."""

    def write(request: SampleRequest) -> Iterator[SampleEntry]:
        for trace in request.traces():
            chance = request.random(service.name, trace.number)
            level = chance.choices(("info", "debug", "warn", "error"), (90, 7, 2, 1))[0]
            record = {
                item.name: _vary(item, chance.randrange(1_000), trace.trace_id)
                for item in service.fields
                if item.name != "level"
            }
            line = service.example_line(level=level, **record | line_time(service, trace.start))
            yield SampleEntry(service.stream(level=level), trace.start, line)

    def with_incidents(request: SampleRequest) -> Iterator[SampleEntry]:
        return with_common_incidents(service, request, write(request))

    return SampleSource(service, with_incidents, COMMON_INCIDENTS)


def _vary(item: LogField, number: int, trace_id: str) -> str | int | float | bool:
    """A value of the field: one that is known, or something like its example."""
    if item.name == "trace_id":
        return trace_id
    if item.values:
        return item.values[number % len(item.values)]
    if item.type is FieldType.NUMBER and isinstance(item.example, int | float):
        return round(item.example * (0.5 + number / 1_000), 3)
    if item.type is FieldType.IP:
        return f"10.0.{number // 250}.{number % 250 + 1}"
    return item.example
