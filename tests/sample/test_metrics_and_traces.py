"""The metrics and traces that go with sample logs."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lokictl.cli.sample import command
from lokictl.diagnostics import LokictlError
from lokictl.model.log_metric import LogMetric
from lokictl.model.sample import SampleEntry
from lokictl.project import load
from lokictl.sample import generate, project_sources
from lokictl.sample.metrics import SCRAPE_INTERVAL, Collector, Labels, Scrape, scrapes, to_open_metrics
from lokictl.sample.remote_write import push_metrics, snappy, write_request
from lokictl.sample.traces import push_traces, to_otlp
from tests.stack.servers import program

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
SOURCES = project_sources(PROJECT)
SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
END = START + 600 * SECOND

PROMTOOL = program("promtool")


def lines(service: str) -> list[SampleEntry]:
    (source,) = [item for item in SOURCES if item.service.name == service]
    return list(generate(source, START, END, rate=2.0))


def last(found: list[Scrape], name: str, **labels: str) -> dict[str, float]:
    """The values of a metric at the last scrape, by what is left of its labels."""
    result = {}
    for key, value in found[-1].series.items():
        known = dict(key)
        if known.pop("__name__") == name and all(
            known.pop(label, None) == text for label, text in labels.items()
        ):
            rest = [f"{label}={text}" for label, text in known.items() if label in ("level", "le", "module")]
            result[",".join(rest)] = value
    return result


@pytest.mark.parametrize("service", [service.name for service in PROJECT.services])
def test_counters_count_the_lines(service: str) -> None:
    entries = lines(service)
    found = list(scrapes(SOURCES, entries, START, END))
    levels = Counter(entry.labels["level"] for entry in entries)
    assert last(found, "log_lines_total", service=service) == {
        f"level={level}": count for level, count in levels.items()
    }
    errors = last(found, "log_errors_total", service=service)
    assert sum(errors.values()) == levels["error"]


def test_histograms_are_cumulative() -> None:
    entries = lines("ryot")
    found = list(scrapes(SOURCES, entries, START, END))
    durations = [float(value) for entry in entries if (value := json.loads(entry.line).get("duration_ms"))]
    buckets = last(found, "log_durations_bucket", service="ryot")
    assert buckets
    for text, count in buckets.items():
        bound = float(text.removeprefix("le=").replace("+Inf", "inf"))
        assert count == sum(duration <= bound for duration in durations), text
    assert last(found, "log_durations_count", service="ryot") == {"": len(durations)}
    assert last(found, "log_durations_sum", service="ryot")[""] == pytest.approx(sum(durations))


def test_scrapes_are_regular_and_only_know_the_past() -> None:
    entries = lines("ryot")
    found = list(scrapes(SOURCES, entries, START, END))
    assert [scrape.time for scrape in found] == list(range(START, END + 1, SCRAPE_INTERVAL))
    middle = found[len(found) // 2]
    count = sum(value for labels, value in middle.series.items() if ("__name__", "log_lines_total") in labels)
    assert count == sum(entry.timestamp < middle.time for entry in entries)
    assert all(value == 1 for labels, value in middle.series.items() if ("__name__", "up") in labels)


@pytest.mark.parametrize(
    "line, expected",
    [('{"depth": 7}', 7.0), ('{"depth": "9"}', 9.0), ('{"depth": "deep"}', None), ("no JSON", None)],
)
def test_gauges_contain_the_last_number(line: str, expected: float | None) -> None:
    gauge = LogMetric("gauge", "queue_", "depth", "", ("service",), "depth")
    collector = Collector({"web": (gauge,)})
    collector.count(SampleEntry({"service": "web"}, 1, line))
    values = [value for labels, value in collector.values.items() if ("__name__", "queue_depth") in labels]
    assert values == ([] if expected is None else [expected])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH")
def test_promtool_reads_the_text(tmp_path: Path) -> None:
    text = "\n".join(to_open_metrics(scrapes(SOURCES, lines("ryot"), START, END))) + "\n"
    (tmp_path / "metrics.txt").write_text(text)
    command = [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "blocks"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "BLOCK ULID" in done.stdout


def unpacked(data: bytes) -> bytes:
    """The content of snappy's block format, if it has only literals."""
    length, position = varint(data, 0)
    result = bytearray()
    while position < len(data):
        assert data[position] == 61 << 2
        (size,) = struct.unpack_from("<H", data, position + 1)
        result += data[position + 3 : position + 4 + size]
        position += 4 + size
    assert len(result) == length
    return bytes(result)


def varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return number, position


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: number and value."""
    position = 0
    while position < len(data):
        key, position = varint(data, position)
        if key & 7 == 2:
            size, position = varint(data, position)
            yield key >> 3, data[position : position + size]
            position += size
        elif key & 7 == 1:
            yield key >> 3, struct.unpack_from("<d", data, position)[0]
            position += 8
        else:
            number, position = varint(data, position)
            yield key >> 3, number


def test_the_message_of_remote_write() -> None:
    labels: Labels = (("__name__", "up"), ("job", "ä"))
    message = write_request([Scrape(3_000_000_000, {labels: 1.5}), Scrape(200_000_000_000, {labels: 2.0})])
    ((number, series),) = fields(message)
    assert number == 1
    pairs = [dict(fields(value)) for name, value in fields(series) if name == 1]
    assert [(pair[1].decode(), pair[2].decode()) for pair in pairs] == list(labels)
    assert [dict(fields(value)) for name, value in fields(series) if name == 2] == [
        {1: 1.5, 2: 3000},
        {1: 2.0, 2: 200_000},
    ]


@pytest.mark.parametrize("size", [0, 1, 60, 65_535, 65_536, 65_537, 200_000])
def test_the_block_format_of_snappy(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert unpacked(snappy(data)) == data


def test_a_trace_has_a_span_of_each_service() -> None:
    entries = sorted(
        (entry for source in SOURCES for entry in lines(source.service.name)), key=lambda e: e.timestamp
    )
    several = 0
    cases = list(to_otlp(entries))
    assert cases
    for message in cases:
        spans = [item["scopeSpans"][0]["spans"][0] for item in message["resourceSpans"]]
        names = [
            {item["key"]: item["value"]["stringValue"] for item in resource["resource"]["attributes"]}[
                "service.name"
            ]
            for resource in message["resourceSpans"]
        ]
        assert len({span["traceId"] for span in spans}) == 1
        assert all(re.fullmatch("[0-9a-f]{16}", span["spanId"]) for span in spans)
        parents = [span["spanId"] for span in spans if "parentSpanId" not in span]
        assert len(parents) == 1
        assert {span.get("parentSpanId", parents[0]) for span in spans} == set(parents)
        for span in spans:
            assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
            failed = any(event["name"] == "error" for event in span["events"])
            assert (span["status"]["code"] == 2) is failed
        several += len(set(names)) > 1
    assert several > 100


class Receiver(BaseHTTPRequestHandler):
    """Answers with ``status`` and remembers what it gets."""

    requests: list[tuple[str, bytes]]
    status: int
    answer: str

    def do_POST(self) -> None:
        self.requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.answer.encode())

    def log_message(self, *arguments: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("OneReceiver", (Receiver,), {"requests": [], "status": 204, "answer": ""})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


SCRAPES = [Scrape(SECOND, {(("__name__", "up"),): 1.0})]
ENTRY = SampleEntry({"service": "web"}, SECOND, '{"msg": "a", "trace_id": "01", "span_id": "02"}')


def test_where_they_are_pushed_to(receiver) -> None:
    url, handler = receiver
    assert push_metrics(url, SCRAPES) == 1
    assert push_metrics(f"{url}/api/v1/push", SCRAPES) == 1
    assert push_traces(url, [ENTRY]) == 1
    assert [path for path, _ in handler.requests] == ["/api/v1/write", "/api/v1/push", "/v1/traces"]


@pytest.mark.parametrize(
    "status, answer, hint",
    [
        (404, "remote write receiver needs to be enabled", "--web.enable-remote-write-receiver"),
        (400, "out of order sample", "shorten --since"),
        (500, "broken", ""),
    ],
)
def test_refused_metrics(receiver, status: int, answer: str, hint: str) -> None:
    url, handler = receiver
    handler.status, handler.answer = status, answer
    with pytest.raises(LokictlError) as error:
        push_metrics(url, SCRAPES)
    (problem,) = error.value.problems
    assert answer in problem.message
    assert hint in problem.hint


def test_refused_traces(receiver) -> None:
    url, handler = receiver
    handler.status, handler.answer = 415, "not supported"
    with pytest.raises(LokictlError, match=r"refused the traces \(415\): not supported"):
        push_traces(url, [ENTRY])


def test_a_closed_port() -> None:
    for push in (
        lambda: push_metrics("http://127.0.0.1:1", SCRAPES),
        lambda: push_traces("http://127.0.0.1:1", [ENTRY]),
    ):
        with pytest.raises(LokictlError, match="cannot reach"):
            push()


def test_the_command_writes_files(tmp_path: Path) -> None:
    arguments = ["--project", str(ROOT), "--service", "ryot", "--since", "5m"]
    arguments += ["--metrics", str(tmp_path / "m.txt"), "--traces", str(tmp_path / "t.ndjson")]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "m.txt").read_text().endswith("# EOF\n")
    traces = (tmp_path / "t.ndjson").read_text().splitlines()
    assert traces
    assert all("resourceSpans" in json.loads(line) for line in traces)
    assert f"wrote {len(traces)} traces" in done.output


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    arguments = ["--project", str(ROOT), "--service", "ryot", "--since", "1m"]
    arguments += ["--metrics", str(tmp_path / "no/m.txt")]
    with pytest.raises(LokictlError, match="cannot write"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
