"""A trace API with the traces of sample logs: Jaeger, where it is on PATH, else the part of its API that Grafana asks.

What stands in for it answers as a Jaeger does: the resource's ``service.name`` becomes the name of the process and is
no tag any more, what is left of the resource are the process' tags, and a span that failed has the tag ``error``.
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lokictl.model.sample import SampleEntry
from lokictl.sample.traces import push_traces, to_otlp
from tests.stack.jaeger_server import running
from tests.stack.servers import program

Json = dict[str, Any]
MICROSECONDS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}


class Traces:
    """Traces by id, and in the order in which they begin (microseconds)."""

    def __init__(self) -> None:
        self.by_id: dict[str, Json] = {}
        self.starts: list[tuple[int, str]] = []

    def add(self, message: Json) -> None:
        """Takes in an OTLP message; `sort` when all are in."""
        for item in message["resourceSpans"]:
            tags = _tags(item["resource"]["attributes"])
            service = str(tags.pop("service.name"))
            for span in (span for scope in item["scopeSpans"] for span in scope["spans"]):
                self._add(service, tags, span)

    def sort(self) -> None:
        """Puts the traces into the order of time, for searches."""
        self.starts = sorted(
            (min(span["startTime"] for span in trace["spans"]), trace_id)
            for trace_id, trace in self.by_id.items()
        )

    def _add(self, service: str, tags: Mapping[str, Any], span: Json) -> None:
        trace_id = span["traceId"]
        trace = self.by_id.setdefault(
            trace_id, {"traceID": trace_id, "spans": [], "processes": {}, "warnings": None}
        )
        process = f"p{len(trace['processes']) + 1}"
        trace["processes"][process] = {"serviceName": service, "tags": _jaeger_tags(tags)}
        own: Json = {"span.kind": "server"}
        if span["status"].get("code") == 2:
            own |= {"error": True, "otel.status_code": "ERROR"}
        start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        parent = span.get("parentSpanId")
        reference = {"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent}
        trace["spans"].append(
            {
                "traceID": trace_id,
                "spanID": span["spanId"],
                "flags": 1,
                "operationName": span["name"],
                "references": [reference] if parent else [],
                "startTime": start // 1000,
                "duration": max(1, (end - start) // 1000),
                "tags": _jaeger_tags(own),
                "logs": [
                    {
                        "timestamp": int(event["timeUnixNano"]) // 1000,
                        "fields": _jaeger_tags({"event": event["name"], **_tags(event["attributes"])}),
                    }
                    for event in span["events"]
                ],
                "processID": process,
                "warnings": None,
            }
        )

    def find(self, query: Mapping[str, str]) -> list[Json]:
        """The newest traces that a search asks for."""
        now = time.time() * 1e6
        start, end = int(query.get("start", 0)), float(query.get("end", now))
        limit, found = int(query.get("limit") or 20), []
        tags = json.loads(query.get("tags") or "{}")
        for begin, trace_id in reversed(self.starts[: bisect_right(self.starts, (end, "~"))]):
            if begin < start or len(found) >= limit:
                break
            trace = self.by_id[trace_id]
            if any(_fits(trace, span, query, tags) for span in trace["spans"]):
                found.append(trace)
        return found

    def calls(self, end: float, lookback: float) -> list[Json]:
        """Who calls whom (times in milliseconds)."""
        counted: Counter[tuple[str, str]] = Counter()
        for begin, trace_id in self.starts:
            if not (end - lookback) * 1e3 <= begin <= end * 1e3:
                continue
            trace = self.by_id[trace_id]
            names = {span["spanID"]: _service(trace, span) for span in trace["spans"]}
            for span in trace["spans"]:
                for reference in span["references"]:
                    counted[names[reference["spanID"]], names[span["spanID"]]] += 1
        return [
            {"parent": parent, "child": child, "callCount": count}
            for (parent, child), count in counted.items()
        ]

    def answer(self, path: str, query: Mapping[str, str]) -> Any:
        """What a path of the API answers; None where it answers 404."""
        parts = path.strip("/").split("/")
        every = [(trace, span) for trace in self.by_id.values() for span in trace["spans"]]
        if parts == ["api", "services"]:
            return sorted({_service(trace, span) for trace, span in every})
        if parts[:2] == ["api", "services"]:
            return sorted(
                {span["operationName"] for trace, span in every if _service(trace, span) == parts[2]}
            )
        if parts == ["api", "operations"]:
            return []
        if parts == ["api", "dependencies"]:
            return self.calls(
                float(query.get("endTs", time.time() * 1e3)), float(query.get("lookback", 3.6e6))
            )
        if parts == ["api", "traces"]:
            return self.find(query)
        if parts[:2] == ["api", "traces"] and len(parts) == 3 and parts[2] in self.by_id:
            return [self.by_id[parts[2]]]
        return None


def _tags(attributes: list[Json]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in attributes}


def _jaeger_tags(values: Mapping[str, Any]) -> list[Json]:
    return [
        {"key": key, "type": "bool" if isinstance(value, bool) else "string", "value": value}
        for key, value in values.items()
    ]


def _service(trace: Json, span: Json) -> str:
    return str(trace["processes"][span["processID"]]["serviceName"])


def _fits(trace: Json, span: Json, query: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    own = {tag["key"]: str(tag["value"]).lower() for tag in span["tags"]}
    return (
        _service(trace, span) == query.get("service")
        and query.get("operation") in (None, "", span["operationName"])
        and span["duration"] >= _microseconds(query.get("minDuration", ""))
        and all(own.get(key) == str(value).lower() for key, value in tags.items())
    )


def _microseconds(text: str) -> float:
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * MICROSECONDS[unit] if text else 0


@dataclass(frozen=True)
class TraceStore:
    """Where traces are asked for, where a Jaeger takes more of them, and where its span metrics are ("": nowhere)."""

    url: str
    receiver: str = ""
    metrics: str = ""

    def push(self, entries: Sequence[SampleEntry]) -> None:
        """Sends the traces behind sample logs."""
        if self.receiver and entries:
            push_traces(self.receiver, entries)


@contextmanager
def trace_store(every: Sequence[SampleEntry], now: int, folder: Path) -> Iterator[TraceStore]:
    """A running trace store with the traces behind sample logs up to now (ns); what stands in for it has all."""
    if not program("jaeger"):
        with stand_in(every) as url:
            yield TraceStore(url)
        return
    # As often as Prometheus scrapes it, as on the platform: so every exemplar is seen.
    with running(folder, flush="5s") as found:
        store = TraceStore(
            found.url("jaeger_ui", ""), found.url("otlp_http", ""), found.url("span_metrics", "/metrics")
        )
        store.push([entry for entry in every if entry.timestamp < now])
        yield store


@contextmanager
def stand_in(entries: Iterable[SampleEntry]) -> Iterator[str]:
    """A query API of our own: its URL."""
    traces = Traces()
    for message in to_otlp(entries):
        traces.add(message)
    traces.sort()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            found = traces.answer(url.path, {name: last[-1] for name, last in parse_qs(url.query).items()})
            errors = [{"code": 404, "msg": "trace not found"}] if found is None else None
            body = json.dumps({"data": found, "total": len(found or []), "errors": errors}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing on standard error."""

    api = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=api.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{api.server_port}"
    finally:
        api.shutdown()
        api.server_close()
