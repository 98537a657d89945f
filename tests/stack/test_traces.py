"""Jaeger with the rendered configuration: every way in, the traces it gives back, and metrics with exemplars."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from stack import jaeger
from tests.stack.jaeger_server import Jaeger, running
from tests.stack.servers import get_json, needs, wait_for

pytestmark = [pytest.mark.slow, needs("jaeger")]

MILLISECOND = 1_000_000


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    with running(tmp_path_factory.mktemp("jaeger")) as found:
        yield found


def send_otlp(found: Jaeger, trace_id: str, service: str, milliseconds: int) -> None:
    """A span by OpenTelemetry's protocol, over HTTP."""
    now = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": trace_id[:16],
        "name": "GET /api",
        "kind": 2,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + milliseconds * MILLISECOND),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    answer = requests.post(found.url("otlp_http", "/v1/traces"), json=body, timeout=60)
    assert answer.ok, answer.text


# --- Thrift, as Jaeger's old clients send it -------------------------------------------------------------------

STRING, LIST, STRUCT, I64, I32 = 8, 9, 12, 6, 5


def varint(number: int) -> bytes:
    text = b""
    while number > 0x7F:
        text += bytes([number & 0x7F | 0x80])
        number >>= 7
    return text + bytes([number])


def compact(*fields: tuple[int, int, Any]) -> bytes:
    """A struct in Thrift's compact protocol: (number, type, value) in the order of the numbers."""
    text, last = b"", 0
    for number, kind, value in fields:
        text += bytes([(number - last) << 4 | kind])
        last = number
        if kind == STRING:
            text += varint(len(value.encode())) + value.encode()
        elif kind in (I64, I32):
            text += varint(value << 1)
        elif kind == LIST:
            text += bytes([len(value) << 4 | STRUCT]) + b"".join(value)
        else:
            text += value
    return text + b"\0"


def binary_batch(service: str, trace: int, span: int) -> bytes:
    """A batch in Thrift's binary protocol, as 14268 takes it."""

    def text(number: int, value: str) -> bytes:
        return struct.pack(">bhi", 11, number, len(value.encode())) + value.encode()

    def i64(number: int, value: int) -> bytes:
        return struct.pack(">bhq", 10, number, value)

    start = time.time_ns() // 1000
    item = i64(1, trace) + i64(2, 0) + i64(3, span) + i64(4, 0) + text(5, "job")
    item += struct.pack(">bhi", 8, 7, 1) + i64(8, start) + i64(9, 5000) + b"\0"
    process = struct.pack(">bh", 12, 1) + text(1, service) + b"\0"
    return process + struct.pack(">bhbi", 15, 2, 12, 1) + item + b"\0"


def test_spans_by_udp_as_the_document_has_it(traces: Jaeger) -> None:
    span = compact(
        *((1, I64, 0x1234), (2, I64, 0), (3, I64, 0x77), (4, I64, 0), (5, STRING, "compile"), (7, I32, 1)),
        *((8, I64, time.time_ns() // 1000), (9, I64, 5000)),
    )
    batch = compact((1, STRUCT, compact((1, STRING, "sigmalang"))), (2, LIST, [span]))
    message = b"\x82\x81\x01\x09emitBatch" + compact((1, STRUCT, batch))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(message, ("127.0.0.1", traces.ports.jaeger_compact_udp))
    (found,) = wait_for(lambda: traces.trace("1234"))
    assert (found["operationName"], found["duration"]) == ("compile", 5000)


def test_spans_by_http_as_the_document_has_it(traces: Jaeger) -> None:
    answer = requests.post(
        traces.url("jaeger_collector", "/api/traces"),
        data=binary_batch("agents", 0x5678, 0x78),
        headers={"Content-Type": "application/x-thrift"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    (found,) = wait_for(lambda: traces.trace("5678"))
    assert found["operationName"] == "job"


def test_spans_by_opentelemetry(traces: Jaeger) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    send_otlp(traces, trace_id, "ryot", 42)
    (found,) = wait_for(lambda: traces.trace(trace_id))
    assert (found["operationName"], found["duration"]) == ("GET /api", 42_000)
    assert "ryot" in get_json(traces.url("jaeger_ui", "/api/services"))["data"]


def test_traces_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        send_otlp(first, "ab" * 16, "ryot", 1)
        wait_for(lambda: first.trace("ab" * 16))
    with running(tmp_path) as second:
        assert wait_for(lambda: second.trace("ab" * 16))


def test_span_metrics_have_exemplars_that_lead_to_traces(traces: Jaeger) -> None:
    send_otlp(traces, "cd" * 16, "sigmavault", 42)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}

    def exemplars() -> list[str]:
        text = requests.get(traces.url("span_metrics", "/metrics"), headers=accept, timeout=60).text
        name = "traces_span_metrics_duration_milliseconds_bucket{"
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return [line for line in lines if 'service_name="sigmavault"' in line and "# {" in line]

    (line,) = wait_for(exemplars)
    assert f'trace_id="{"cd" * 16}"' in line.partition("# {")[2]


def test_its_own_metrics(traces: Jaeger) -> None:
    send_otlp(traces, "ef" * 16, "ryot", 1)
    wait_for(
        lambda: (
            "otelcol_receiver_accepted_spans" in requests.get(traces.url("jaeger_metrics", "/metrics")).text
        )
    )


def test_the_rendered_file_differs_in_addresses_only() -> None:
    here = json.dumps(jaeger.configuration("/x", host="127.0.0.1"))
    rendered = json.dumps(jaeger.configuration())
    assert here.replace("/x", jaeger.DATA).replace("127.0.0.1", jaeger.ANY_ADDRESS) == rendered
