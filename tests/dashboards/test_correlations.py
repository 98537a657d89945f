"""Every way from logs, metrics and traces to one another, shown to work on sample logs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from lokictl.engine import Engine, LogStore
from lokictl.logql import parse
from lokictl.logql.grafana_variables import interpolate
from lokictl.project import load
from lokictl.sample import fill_store, generate, project_sources

PROJECT = load(Path(__file__).resolve().parent.parent.parent)
SOURCES = {source.uid: source for source in PROJECT.datasources}
START = 1_767_225_600_000_000_000
END = START + 600_000_000_000


def written(text: str) -> str:
    """A text of a provisioning file as Grafana holds it."""
    return text.replace("$$", "$")


def sample(service: str) -> list[Any]:
    source = next(item for item in project_sources(PROJECT) if item.service.name == service)
    return list(generate(source, START, END, rate=2.0))


SERVICES = [service.name for service in PROJECT.services]


@pytest.mark.parametrize("service", SERVICES)
def test_log_to_trace(service: str) -> None:
    by_line = by_label = 0
    for field in SOURCES["loki"].json_data["derivedFields"]:
        pattern = re.compile(written(field["matcherRegex"]))
        assert field["datasourceUid"] in SOURCES
        assert written(field["url"]) == "${__value.raw}"
        for entry in sample(service):
            if field["matcherType"] == "label":
                by_label += any(pattern.search(name) for name in entry.metadata)
            else:
                found = pattern.search(entry.line)
                by_line += bool(found and re.fullmatch("[0-9a-f]{32}", found[1]))
    assert by_line + by_label, "no line of this service has a trace id that a derived field finds"


def test_some_services_carry_the_id_as_structured_metadata() -> None:
    names = {name for service in SERVICES for entry in sample(service) for name in entry.metadata}
    label_fields = [f for f in SOURCES["loki"].json_data["derivedFields"] if f["matcherType"] == "label"]
    assert any(re.search(written(field["matcherRegex"]), name) for field in label_fields for name in names)


@pytest.mark.parametrize("service", SERVICES)
def test_trace_to_logs(service: str) -> None:
    store = LogStore()
    entries = sample(service)
    fill_store(store, entries)
    ids = [re.search(r'"trace_id": ?"(\w+)"', entry.line) for entry in entries]
    trace_id = next((found[1] for found in ids if found), "")
    trace_id = trace_id or next(
        entry.metadata["trace_id"] for entry in entries if "trace_id" in entry.metadata
    )
    settings = SOURCES["jaeger"].json_data["tracesToLogsV2"]
    assert settings["datasourceUid"] in SOURCES
    label = settings["tags"][0]["value"]
    query = written(settings["query"]).replace("${__tags}", f'{label}="{service}"')
    query = query.replace("${__trace.traceId}", trace_id)
    result = Engine(store).query_range(query, start=START, end=END, limit=100)
    assert result.streams
    assert all(labels["trace_id"] == trace_id for labels, _ in result.streams)


def test_trace_to_metrics() -> None:
    import promql_parser

    settings = SOURCES["jaeger"].json_data["tracesToMetrics"]
    assert settings["datasourceUid"] in SOURCES
    for query in settings["queries"]:
        promql_parser.parse(written(query["query"]).replace("$__tags", 'service="ryot"'))


def test_metric_to_trace() -> None:
    (destination,) = SOURCES["prometheus"].json_data["exemplarTraceIdDestinations"]
    assert destination["name"] == "trace_id"
    assert SOURCES[destination["datasourceUid"]].type == "jaeger"
    with_exemplars = [
        dashboard.uid
        for dashboard in PROJECT.dashboards
        for panel in panels(dashboard.to_json())
        for target in panel.get("targets", [])
        if target.get("exemplar")
    ]
    assert len(set(with_exemplars)) >= 6


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def links() -> Iterator[tuple[str, str]]:
    """(dashboard and panel, URL) of every link on a value."""
    for dashboard in PROJECT.dashboards:
        for panel in panels(dashboard.to_json()):
            config = panel.get("fieldConfig", {})
            found = list(config.get("defaults", {}).get("links", []))
            for override in config.get("overrides", []):
                found += [
                    link for item in override["properties"] if item["id"] == "links" for link in item["value"]
                ]
            for link in found:
                yield f"{dashboard.uid}: {panel['title']}", link["url"]


def test_links_to_dashboards_lead_somewhere_and_keep_the_time() -> None:
    uids = {dashboard.uid for dashboard in PROJECT.dashboards}
    services = set(SERVICES)
    seen = 0
    for place, url in links():
        if not url.startswith("/d/"):
            continue
        seen += 1
        uid = url.removeprefix("/d/").partition("?")[0]
        filled = {re.sub(r"\$\{[^}]*\}", name, uid) for name in services}
        assert filled <= uids, place
        assert "${__url_time_range}" in url, place
    assert seen >= 10


def test_links_to_explore_hold_a_query_that_runs() -> None:
    import promql_parser

    seen = 0
    for place, url in links():
        if not url.startswith("/explore"):
            continue
        seen += 1
        parameters = parse_qs(urlsplit(url).query)
        panes = json.loads(unquote(parameters["panes"][0]))
        pane = panes["a"]
        assert pane["datasource"] in SOURCES, place
        assert pane["range"] == {"from": "${__from}", "to": "${__to}"}, place
        for query in pane["queries"]:
            assert query["datasource"]["uid"] == pane["datasource"], place
            if "expr" not in query:
                assert query["query"] == "${__value.raw}", place
                continue
            text = re.sub(r"\$\{__field\.labels\.\w+\}", "x", query["expr"])
            text = interpolate(text.replace("$pod", ".+").replace("$service", ".+")).text
            parse(text) if SOURCES[pane["datasource"]].type == "loki" else promql_parser.parse(text)
    assert seen >= 20


def test_variables_of_grafana_stay_as_they_are_in_links() -> None:
    with_labels = [url for _, url in links() if "labels" in url]
    assert with_labels
    assert all("${__field.labels." in url for url in with_labels)
    assert not [url for _, url in links() if "%24%7B" in url]
