"""Sample logs: seeded, ordered, the same for every part of the time, and in the shape that others read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.durations import MINUTE, SECOND
from lokictl.model import FieldType, LogField, Service, StreamLabel
from lokictl.model.log_files import parse_log_lines
from lokictl.project import load
from lokictl.sample import choose_sources, default_source, generate, project_sources
from lokictl.sample.generate import generate_all
from lokictl.sample.output import push_body, to_ndjson, to_text

START = 1_700_000_000 * SECOND
ROOT = Path(__file__).resolve().parents[2]

WEB = Service(
    name="web",
    title="Web",
    tier="front",
    namespace="shop",
    labels=(
        StreamLabel("service", values=("web",)),
        StreamLabel("level"),
        StreamLabel("pod", example="web-1"),
    ),
    fields=(
        LogField("level", values=("info", "error")),
        LogField("msg", example="served"),
        LogField("trace_id", high_cardinality=True),
        LogField("duration_ms", FieldType.NUMBER, example=20.0),
        LogField("client", FieldType.IP, example="10.0.0.1"),
        LogField("path", values=("/", "/cart")),
    ),
)


def test_a_description_is_enough() -> None:
    entries = list(generate(WEB, START, START + 10 * MINUTE, rate=2))
    assert 1_150 < len(entries) < 1_250
    records = [json.loads(entry.line) for entry in entries]
    assert set(records[0]) == set(WEB.field_names)
    assert {record["path"] for record in records} == {"/", "/cart"}
    assert all(10 <= record["duration_ms"] <= 30 for record in records)
    assert all(
        entry.labels["level"] == record["level"] for entry, record in zip(entries, records, strict=True)
    )
    assert entries[0].labels.keys() >= {"service", "level", "pod", "namespace", "tier"}


INCIDENTS = {
    "errors": lambda entries: sum(entry.labels["level"] == "error" for entry in entries) > 300,
    "silence": lambda entries: not entries,
    "garbage": lambda entries: sum(not entry.line.endswith("}") for entry in entries) == 60,
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_common_incidents_begin_half_way(name: str) -> None:
    middle, end = START + 5 * MINUTE, START + 10 * MINUTE
    entries = list(generate(WEB, START, end, incident=name))
    healthy = list(generate(WEB, START, end))
    before = [entry for entry in entries if entry.timestamp < middle]
    assert before == [entry for entry in healthy if entry.timestamp < middle]
    assert INCIDENTS[name]([entry for entry in entries if entry.timestamp >= middle])
    assert not INCIDENTS[name]([entry for entry in healthy if entry.timestamp >= middle])


@pytest.fixture(scope="module")
def project():
    return load(ROOT)


def test_the_same_seed_gives_the_same_lines(project) -> None:
    cases = list(project_sources(project))
    assert cases
    for source in cases:
        first, again, other = (
            list(generate(source, START, START + 5 * MINUTE, seed=seed)) for seed in (1, 1, 2)
        )
        assert first
        assert first == again
        assert first != other
        assert [entry.timestamp for entry in first] == sorted(entry.timestamp for entry in first)


def test_a_part_of_the_time_gives_that_part_of_the_lines(project) -> None:
    begin, end = START + 4 * MINUTE, START + 8 * MINUTE
    cases = list(project_sources(project))
    assert cases
    for source in cases:
        whole = list(generate(source, START, START + 12 * MINUTE))
        part = list(generate(source, begin, end))
        assert part
        inside = [entry for entry in whole if begin <= entry.timestamp < end]
        # Requests that began before `begin` may still end after it.
        assert set(map(str, part)) <= set(map(str, inside))
        assert len(inside) - len(part) < 20


def test_services_share_traces(project) -> None:
    traces: dict[str, set[str]] = {}
    for entry in generate_all(project_sources(project), START, START + 10 * MINUTE):
        record = json.loads(entry.line)
        trace_id = record.get("trace_id") or entry.metadata.get("trace_id")
        if trace_id:
            traces.setdefault(trace_id, set()).add(entry.labels["service"])
    assert {"ryot", "sigmavault", "sigmalang"} in traces.values()
    assert any("agents" in services and len(services) > 1 for services in traces.values())


def test_lines_contain_what_the_services_describe(project) -> None:
    cases = list(project_sources(project))
    assert cases
    for source in cases:
        service = source.service
        entries = list(generate(source, START, START + 20 * MINUTE))
        assert entries
        for entry in entries:
            record = json.loads(entry.line)
            assert set(record) <= set(service.field_names)
            assert set(entry.labels) == set(service.label_names)
            for label in service.labels:
                assert not label.values or entry.labels[label.name] in label.values
            for name, value in record.items():
                known = service.field(name).values
                assert not known or value in known or value == ""
                if service.field(name).type is FieldType.NUMBER:
                    assert isinstance(value, int | float)


def test_ndjson_is_what_query_reads(project) -> None:
    entries = list(generate_all(project_sources(project), START, START + 2 * MINUTE))
    read = list(parse_log_lines(to_ndjson(entries), default_time=0))
    assert [(line.timestamp, line.line, dict(line.labels), dict(line.metadata)) for line in read] == [
        (entry.timestamp, entry.line, dict(entry.labels), dict(entry.metadata)) for entry in entries
    ]
    assert list(to_text(entries)) == [entry.line for entry in entries]


def test_push_body_contains_every_line_once(project) -> None:
    entries = list(generate_all(project_sources(project), START, START + MINUTE))
    streams = push_body(entries)["streams"]
    pushed = sorted((value[0], value[1], str(value[2:])) for stream in streams for value in stream["values"])
    assert pushed == sorted(
        (str(entry.timestamp), entry.line, str([dict(entry.metadata)] if entry.metadata else []))
        for entry in entries
    )


@pytest.mark.parametrize(
    "services, incident, message",
    [
        (["ryo"], "", 'unknown service "ryo"'),
        ([], "slow-request", 'unknown incident "slow-request"'),
        (["agents"], "brute-force", 'unknown incident "brute-force"'),
    ],
)
def test_wrong_names(project, services: list[str], incident: str, message: str) -> None:
    with pytest.raises(LokictlError, match=message):
        choose_sources(project, services, incident)


def test_services_without_the_incident_stay_healthy(project) -> None:
    others = [source for source in project_sources(project) if source.incident("brute-force") is None]
    assert others
    for source in others:
        healthy = list(generate(source, START, START + 4 * MINUTE))
        assert healthy
        assert list(generate(source, START, START + 4 * MINUTE, incident="brute-force")) == healthy


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(LokictlError, match="more than 0"):
        generate(default_source(WEB), START, START + MINUTE, rate=0)
