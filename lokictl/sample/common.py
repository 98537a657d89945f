"""What can go wrong with any service: it floods errors, falls silent, or writes lines that do not parse."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.model import Service
from lokictl.model.sample import Incident, SampleEntry, SampleRequest
from lokictl.model.times import format_time

ERRORS = "errors"
SILENCE = "silence"
GARBAGE = "garbage"

COMMON_INCIDENTS = (
    Incident(ERRORS, "more than a quarter of the lines, and at least two a second, are errors", ()),
    Incident(SILENCE, "the service writes nothing any more", ()),
    Incident(GARBAGE, "every five seconds a line is cut off in the middle", ()),
)


def line_time(service: Service, timestamp: int) -> dict[str, str]:
    """The field in which a line of the service says its own time (ns since the epoch); empty if it has none."""
    return {service.time_field.name: format_time(timestamp)} if service.time_field else {}


def with_common_incidents(
    service: Service, request: SampleRequest, entries: Iterator[SampleEntry]
) -> Iterator[SampleEntry]:
    """``entries`` with the effect of a common incident."""
    for entry in entries:
        if not request.during(SILENCE, entry.timestamp):
            yield entry
    if request.incident == ERRORS:
        for timestamp, number in request.every(min(0.5, 2 / request.rate), since=request.incident_start):
            trace_id = f"{request.random('error', number).getrandbits(128):032x}"
            fields = {**line_time(service, timestamp), "trace_id": trace_id}
            line = service.example_line(level="error", msg="upstream unavailable", **fields)
            yield SampleEntry(service.stream(level="error"), timestamp, line)
    if request.incident == GARBAGE:
        for timestamp, number in request.every(5, since=request.incident_start):
            line = service.example_line(msg=f"response {number}", **line_time(service, timestamp))
            yield SampleEntry(service.stream(), timestamp, line[: len(line) * 2 // 3])
