"""The whole road: lines on disk, a collector, Loki, the labels and metrics of the document, a rule, Alertmanager."""

from __future__ import annotations

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lokictl.model.times import format_time, parse_time
from lokictl.sample import SampleEntry
from lokictl.sample.output import push_entries
from services.sigmalang import PANIC
from stack import alloy, collection, promtail
from stack.figures import TENANT
from tests.stack.pipeline import Entry, collect
from tests.stack.road import (
    HEADERS,
    INCIDENTS,
    Road,
    alerts_in,
    expected_alerts,
    incident_logs,
    running,
)
from tests.stack.servers import free_ports, get_json, needs, program, server, wait_for

IDS = {"trace_id", "span_id", "agent_id"}
COLLECTORS = ("alloy", "promtail")


# --- lines on disk ---------------------------------------------------------------------------------------


def write_pods(folder: Path, entries: list[SampleEntry]) -> list[dict[str, str]]:
    """Writes the entries as a container runtime does; the Kubernetes metadata of each pod."""
    targets: dict[str, dict[str, str]] = {}
    for entry in sorted(entries, key=lambda item: item.timestamp):
        labels = entry.labels
        uid = f"uid-{labels['pod']}"
        place = folder / f"{labels['namespace']}_{labels['pod']}_{uid}" / labels["container_name"]
        place.mkdir(parents=True, exist_ok=True)
        with (place / "0.log").open("a") as file:
            for line in as_written(entry).split("\n"):
                file.write(f"{format_time(entry.timestamp)} stdout F {line}\n")
        targets[uid] = {
            "__meta_kubernetes_pod_label_app": labels["service"],
            "__meta_kubernetes_pod_label_tier": labels["tier"],
            "__meta_kubernetes_pod_name": labels["pod"],
            "__meta_kubernetes_namespace": labels["namespace"],
            "__meta_kubernetes_pod_container_name": labels["container_name"],
            "__meta_kubernetes_pod_uid": uid,
            "__meta_kubernetes_pod_node_name": socket.gethostname(),
        }
    return list(targets.values())


def as_written(entry: SampleEntry) -> str:
    """The line as its service wrote it: what is metadata in Loki was a field of the record."""
    if not entry.metadata:
        return entry.line
    return json.dumps({**json.loads(entry.line), **entry.metadata}, ensure_ascii=False)


def test_lines_are_written_as_a_runtime_does(tmp_path: Path) -> None:
    labels = {"service": "s", "tier": "core", "pod": "p", "namespace": "n", "container_name": "c"}
    entry = SampleEntry(labels, parse_time("2026-01-01T00:00:00.5Z"), "one\n  two")
    (target,) = write_pods(tmp_path, [entry])
    assert target["__meta_kubernetes_pod_uid"] == "uid-p"
    # The path that the relabelling makes of the target: */<uid>/<container>/*.log
    (file,) = tmp_path.glob("*uid-p/c/*.log")
    assert file.read_text() == "2026-01-01T00:00:00.5Z stdout F one\n2026-01-01T00:00:00.5Z stdout F   two\n"


# --- the metrics of a collector --------------------------------------------------------------------------


def metric(text: str, name: str, *by: str) -> Counter[tuple[str, ...]]:
    """The values of a metric in the text format, summed by labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        sample = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if sample:
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[1] or ""))
            found[tuple(labels.get(label, "") for label in by)] += float(sample[2])  # type: ignore[assignment]
    return found


def test_metrics_are_summed() -> None:
    text = '# TYPE a counter\na{x="1",pod="p"} 2\na{x="1",pod="q"} 3\na{x="2"} 1\nab{x="1"} 9\n'
    assert metric(text, "a", "x") == {("1",): 5, ("2",): 1}


# --- the road ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Collected:
    """A collector that has read everything: the servers, its metrics, and what was written."""

    road: Road
    metrics: Callable[[], str]
    entries: list[SampleEntry]
    syslog_port: int = 0


def command(name: str, folder: Path, place: collection.Place) -> list[str | Path]:
    """Writes the collector's configuration for this machine; the command that starts it."""
    if name == "alloy":
        file = folder / alloy.CONFIG_FILE
        file.write_text(alloy.configuration(place))
        address = f"--server.http.listen-addr=127.0.0.1:{place.http_port}"
        return ["alloy", "run", file, address, f"--storage.path={place.scratch}", "--disable-reporting"]
    file = folder / promtail.CONFIG_FILE
    file.write_text(yaml.safe_dump(promtail.configuration(place), sort_keys=False))
    return ["promtail", f"-config.file={file}", "-config.expand-env=true"]


@pytest.mark.parametrize("name", COLLECTORS)
def test_the_configuration_of_this_machine_differs_in_addresses_only(name: str, tmp_path: Path) -> None:
    command(name, tmp_path, collection.CLUSTER)
    module = {"alloy": alloy, "promtail": promtail}[name]
    (file,) = tmp_path.iterdir()
    rendered = module.COMPONENT.configuration_text(file.name)
    same = (
        file.read_text() == rendered
        if name == "alloy"
        else yaml.safe_load(file.read_text()) == yaml.safe_load(rendered)
    )
    assert same
    place = collection.Place(
        "http://127.0.0.1:1/loki/api/v1/push", "/pods", "/targets.json", "/scratch", 2, 3
    )
    command(name, tmp_path, place)
    text = file.read_text()
    for changed in (place.push_url, "/pods/*$1/*.log", place.targets_file):
        assert changed in text
    assert "kubernetes_sd_configs" not in text
    assert "discovery.kubernetes" not in text


SERVERS = (
    pytest.mark.slow,
    pytest.mark.real_loki,
    needs("loki"),
    needs("alertmanager", "prometheus-alertmanager"),
)
STAGES = "stages"
"""No collector: the stages of the rendered configuration, read by `tests.stack.pipeline`, and a push."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(STAGES, marks=SERVERS),
        *(pytest.param(name, marks=[needs(name), *SERVERS]) for name in COLLECTORS),
    ],
)
def collected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collected]:
    """The logs of four incidents on disk, read by a collector into Loki."""
    folder = tmp_path_factory.mktemp(request.param)
    entries = [entry for name in INCIDENTS for entry in incident_logs(name)]
    pods = write_pods(folder / "pods", entries)
    targets = [{"targets": ["localhost"], "labels": item} for item in pods]
    (folder / "targets.json").write_text(json.dumps(targets))
    (folder / "scratch").mkdir()
    http, syslog = free_ports(2)
    with running(folder) as road:
        place = collection.Place(
            push_url=f"{road.loki}/loki/api/v1/push",
            pod_logs=str(folder / "pods"),
            targets_file=str(folder / "targets.json"),
            scratch=str(folder / "scratch"),
            http_port=http,
            syslog_port=syslog,
        )
        if request.param == STAGES:
            read, counted = collect(promtail.configuration(place), pods)
            push_entries(road.loki, map(as_sample, read), tenant=TENANT)
            yield Collected(road, counted.text, entries)
            return
        url = f"http://127.0.0.1:{http}"
        ready = f"{url}/-/ready" if request.param == "alloy" else f"{url}/ready"
        start = command(request.param, folder, place)
        start[0] = program(request.param) or ""
        with server(start, ready, folder / "collector.log"):
            wait_for(lambda: lines_in(road) == lines_by_service(entries), seconds=240)
            yield Collected(road, lambda: requests.get(f"{url}/metrics", timeout=60).text, entries, syslog)


def as_sample(entry: Entry) -> SampleEntry:
    return SampleEntry(entry.labels, entry.timestamp, entry.line, entry.metadata)


def lines_by_service(entries: list[SampleEntry]) -> dict[str, int]:
    return dict(Counter(entry.labels["service"] for entry in entries))


def query(road: Road, text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get_json(
        f"{road.loki}/loki/api/v1/query", headers=HEADERS, params={"query": text}
    )["data"]["result"]
    return found


def lines_in(road: Road) -> dict[str, int]:
    found = query(road, 'sum by (service) (count_over_time({service=~".+"}[2h]))')
    return {item["metric"]["service"]: int(item["value"][1]) for item in found}


def lines_of(
    road: Road, selector: str, limit: int = 1000
) -> list[tuple[dict[str, str], int, str, dict[str, str]]]:
    """(labels, time, line, structured metadata) of the newest lines."""
    answer = get_json(
        f"{road.loki}/loki/api/v1/query_range",
        headers={**HEADERS, "X-Loki-Response-Encoding-Flags": "categorize-labels"},
        params={"query": selector, "since": "2h", "limit": limit},
    )
    return [
        (
            stream["stream"],
            int(value[0]),
            value[1],
            (value[2] if len(value) > 2 else {}).get("structuredMetadata", {}),
        )
        for stream in answer["data"]["result"]
        for value in stream["values"]
    ]


def test_streams_have_the_labels_of_the_document(collected: Collected) -> None:
    answer = get_json(
        f"{collected.road.loki}/loki/api/v1/series", headers=HEADERS, params={"match[]": '{service=~".+"}'}
    )
    allowed = set(collection.STREAM_LABELS)
    assert all(set(stream) <= allowed for stream in answer["data"])
    assert {
        (stream["service"], stream.get("level", "")) for stream in answer["data"] if "level" in stream
    } == {(entry.labels["service"], entry.labels["level"]) for entry in collected.entries}


@pytest.mark.parametrize("service, ids", [("ryot", {"trace_id", "span_id"}), ("agents", IDS)])
def test_ids_are_structured_metadata(collected: Collected, service: str, ids: set[str]) -> None:
    found = lines_of(collected.road, f'{{service="{service}"}} |= "trace_id"')
    assert found
    for labels, _, line, metadata in found:
        record = json.loads(line)
        assert not IDS & set(labels)
        assert {name: metadata.get(name) for name in ids if record.get(name)} == {
            name: record[name] for name in ids if record.get(name)
        }


def test_records_of_several_lines_stay_together(collected: Collected) -> None:
    panics = lines_of(collected.road, f'{{service="sigmalang", level="error"}} |= "{PANIC}"')
    written = [entry.line for entry in collected.entries if entry.line.startswith(PANIC)]
    assert sorted(line for _, _, line, _ in panics) == sorted(written)


def test_the_compiler_says_when_it_wrote_a_line(collected: Collected) -> None:
    found = lines_of(collected.road, '{service="sigmalang"} |= "phase finished"')
    assert found
    assert all(parse_time(json.loads(line)["ts"]) == timestamp for _, timestamp, line, _ in found)


def test_the_metrics_of_the_document(collected: Collected) -> None:
    text = collected.metrics()
    lines = Counter((entry.labels["service"], entry.labels["level"]) for entry in collected.entries)
    assert metric(text, "log_lines_total", "service", "level") == lines
    records = [json.loads(entry.line) for entry in collected.entries if entry.line.startswith("{")]
    durations = [record["duration_ms"] for record in records if "duration_ms" in record]
    buckets = metric(text, "log_durations_bucket", "le")
    assert buckets[("10000",)] == sum(duration <= 10_000 for duration in durations)
    assert buckets[("+Inf",)] == len(durations)
    errors = Counter(record.get("module", "") for record in records if record["level"] == "error")
    found = metric(text, "log_errors_total", "module")
    assert {key[0]: value for key, value in found.items() if key[0]} == {
        key: errors[key] for key in errors if key
    }
    assert metric(text, "agents_queue_depth", "service")[("agents",)] >= 0


def test_a_rule_fires_and_alertmanager_has_the_alert(collected: Collected) -> None:
    wait_for(lambda: expected_alerts() <= set(alerts_in(collected.road.alertmanager)), seconds=240)


def test_syslog_of_machines_arrives(collected: Collected) -> None:
    """By UDP, as RFC 5424 has it; last, for it brings a service of its own."""
    if not collected.syslog_port:
        pytest.skip("the reader of stages has no listener")
    # RFC 5424 knows no fractions below a microsecond.
    now = format_time(time.time_ns() // 1000 * 1000)
    message = f"<11>1 {now} router-1 firewall 17 - - link down"

    def arrived() -> list[tuple[dict[str, str], int, str, dict[str, str]]]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), ("127.0.0.1", collected.syslog_port))
        return lines_of(collected.road, '{service="syslog"}')

    labels, _, line, _ = wait_for(arrived)[0]
    assert line == "link down"
    assert labels == {
        "service": "syslog",
        "tier": "infrastructure",
        "namespace": "none",
        "level": "error",
        "pod": "router-1",
        "container_name": "firewall",
    }
