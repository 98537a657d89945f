"""The traces behind sample logs, as OpenTelemetry sends them (OTLP in JSON): one span for each service of a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import islice
from typing import Any

from lokictl.diagnostics import LokictlError, Problem
from lokictl.durations import MILLISECOND
from lokictl.http import HttpClient, HttpError, access_of
from lokictl.model.sample import SampleEntry
from lokictl.records import dataclass
from lokictl.sample.lines import fields_of
from lokictl.secrets import without_password

BATCH = 500
TIMEOUT_SECONDS = 30

RESOURCE = {
    "service": "service.name",
    "namespace": "k8s.namespace.name",
    "pod": "k8s.pod.name",
    "container_name": "k8s.container.name",
}
"""Stream label -> attribute of the resource, as OpenTelemetry's SDKs send it from Kubernetes."""

NAMES = ("task", "phase", "action")
"""Fields that name an operation, the first that a line has; a message does if there is none."""


@dataclass
class Span:
    """The part of one service in a trace: from its first line's begin to its last line (ns)."""

    trace_id: str
    span_id: str
    labels: dict[str, str]
    start: int
    end: int
    name: str = ""
    failed: bool = False
    events: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, entry: SampleEntry, known: dict[str, Any]) -> None:
        """Takes in one more line."""
        duration = known.get("duration_ms")
        took = round(duration * MILLISECOND) if isinstance(duration, (int, float)) else 0
        self.start = min(self.start, entry.timestamp - took)
        self.end = max(self.end, entry.timestamp)
        level, message = entry.labels.get("level", ""), str(known.get("msg", ""))
        self.failed |= level == "error"
        if not self.name or took:
            self.name = next((str(known[name]) for name in NAMES if known.get(name)), message)
        self.events.append((entry.timestamp, level, message))


def spans_of(entries: Iterable[SampleEntry]) -> list[list[Span]]:
    """The spans of each trace, the parent first, in the order in which traces begin."""
    traces: dict[str, dict[str, Span]] = {}
    for entry in entries:
        known = dict(fields_of(entry))
        trace_id, span_id = str(known.get("trace_id", "")), str(known.get("span_id", ""))
        if not trace_id or not span_id:
            continue
        spans = traces.setdefault(trace_id, {})
        if span_id not in spans:
            spans[span_id] = Span(trace_id, span_id, dict(entry.labels), entry.timestamp, entry.timestamp)
        spans[span_id].add(entry, known)
    found = [sorted(spans.values(), key=lambda span: (span.start, span.span_id)) for spans in traces.values()]
    return sorted(found, key=lambda spans: spans[0].start)


def to_otlp(entries: Iterable[SampleEntry]) -> Iterator[dict[str, Any]]:
    """One OTLP message (``ExportTraceServiceRequest``) for each trace: its first span is the parent of the others."""
    for spans in spans_of(entries):
        parent = spans[0]
        # A parent lasts at least as long as what it waits for.
        parent.end = max(span.end for span in spans)
        yield {
            "resourceSpans": [
                _resource_span(span, "" if span is parent else parent.span_id) for span in spans
            ]
        }


def _resource_span(span: Span, parent: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": 2,
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "status": {"code": 2 if span.failed else 1},
        "events": [
            {
                "timeUnixNano": str(time),
                "name": level or "log",
                "attributes": [_attribute("message", message)],
            }
            for time, level, message in span.events
        ],
    }
    if parent:
        data["parentSpanId"] = parent
    attributes = [
        _attribute(RESOURCE[name], value) for name, value in span.labels.items() if name in RESOURCE
    ]
    return {
        "resource": {"attributes": attributes},
        "scopeSpans": [{"scope": {"name": "lokictl sample"}, "spans": [data]}],
    }


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def push_traces(url: str, entries: Iterable[SampleEntry]) -> int:
    """Pushes the traces to an OTLP receiver over HTTP (Jaeger, Tempo, a collector); the number of traces.

    Raises `LokictlError` when it cannot be reached or refuses them.
    """
    access, redactor = access_of(url)
    client = HttpClient(access, redactor, timeout=TIMEOUT_SECONDS)
    path = "" if access.url.endswith("/v1/traces") else "/v1/traces"
    remaining, count = to_otlp(entries), 0
    while batch := list(islice(remaining, BATCH)):
        body = {"resourceSpans": [item for message in batch for item in message["resourceSpans"]]}
        try:
            client.request("POST", path, body=body, expect_json=False)
        except HttpError as error:
            raise LokictlError(_problem(without_password(url), error)) from None
        count += len(batch)
    return count


def _problem(url: str, error: HttpError) -> Problem:
    if not error.status:
        hint = "is there a receiver for OTLP over HTTP (usually on port 4318)?"
        return Problem("sample/push", f"cannot reach {url}: {error.message}", hint=hint)
    return Problem("sample/push", f"{url} refused the traces ({error.status}): {error.message}")
