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


def derived_fields(leads_to: str) -> list[dict[str, str]]:
    """The derived fields that lead to traces, or to metrics."""
    every = SOURCES["loki"].json_data["derivedFields"]
    return [field for field in every if (leads_to == "traces") == ("datasourceUid" in field)]


@pytest.mark.parametrize("service", SERVICES)
def test_log_to_trace(service: str) -> None:
    by_line = by_label = 0
    cases = list(derived_fields("traces"))
    assert cases
    for field in cases:
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


@pytest.mark.parametrize(
    "line, expected",
    [
        ('{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}', "4bf92f3577b34da6a3ce929d0e0e4736"),
        ('{"trace_id":"4bf9"}', "4bf9"),
        ("    12.5 ms  api  GET / 200   trace_id=4bf9", "4bf9"),
        ("the trace_id is missing", None),
    ],
)
def test_ids_in_lines(line: str, expected: str | None) -> None:
    (field,) = [item for item in derived_fields("traces") if item["matcherType"] == "regex"]
    found = re.search(written(field["matcherRegex"]), line)
    assert (found[1] if found else None) == expected


@pytest.mark.parametrize("service", SERVICES)
def test_log_to_metrics(service: str) -> None:
    """A URL, as a query of Prometheus is no text that a derived field could hold."""
    import promql_parser

    (field,) = derived_fields("metrics")
    (name,) = [name for name in sample(service)[0].labels if re.search(written(field["matcherRegex"]), name)]
    url = written(field["url"]).replace("${__value.raw}", dict(sample(service)[0].labels)[name])
    pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]
    assert SOURCES[pane["datasource"]].type == "prometheus"
    assert f'service="{service}"' in pane["queries"][0]["expr"]
    promql_parser.parse(pane["queries"][0]["expr"])


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
    query = written(settings["query"]).replace("${__trace.traceId}", trace_id)
    assert "$" not in query, "the link disappears for spans without the tag that this variable wants"
    result = Engine(store).query_range(query, start=START, end=END, limit=100)
    assert result.streams
    assert all(labels["trace_id"] == trace_id for labels, _ in result.streams)


def test_trace_to_metrics() -> None:
    import promql_parser

    settings = SOURCES["jaeger"].json_data["tracesToMetrics"]
    assert settings["datasourceUid"] in SOURCES
    for query in settings["queries"]:
        for tags in ('service="ryot"', ""):
            promql_parser.parse(written(query["query"]).replace("$__tags", tags))
        assert "service" in query["name"], "without tags, it shows all services: its title must say so"


def test_exemplars_lead_to_traces() -> None:
    """By a URL: the query that Grafana makes of a data source alone is one of Tempo, which Jaeger refuses."""
    (destination,) = SOURCES["prometheus"].json_data["exemplarTraceIdDestinations"]
    assert destination["name"] == "trace_id"
    assert "datasourceUid" not in destination
    pane = json.loads(parse_qs(urlsplit(written(destination["url"])).query)["panes"][0])["a"]
    assert SOURCES[pane["datasource"]].type == "jaeger"
    assert [item["query"] for item in pane["queries"]] == ["${__value.raw}"]
    assert not [item for item in pane["queries"] if "queryType" in item]


def test_exemplars_are_asked_of_span_metrics_only() -> None:
    """Collectors cannot write any for what they count in lines; Jaeger does for the metrics that it makes of spans."""
    asked = [
        target["expr"]
        for dashboard in PROJECT.dashboards
        for panel in panels(dashboard.to_json())
        for target in panel.get("targets", [])
        if target.get("exemplar")
    ]
    assert asked
    assert all("traces_span_metrics_duration_milliseconds_bucket" in query for query in asked)


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
    cases = list(links())
    assert cases
    for place, url in cases:
        if not url.startswith("/d/"):
            continue
        seen += 1
        uid = url.removeprefix("/d/").partition("?")[0]
        filled = {re.sub(r"\$\{[^}]*\}", name, uid) for name in services}
        assert filled <= uids, place
        assert "${__url_time_range}" in url, place
    assert seen >= 10


def test_links_to_explore_contain_a_query_that_runs() -> None:
    import promql_parser

    seen = 0
    cases = list(links())
    assert cases
    for place, url in cases:
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
            text = re.sub(r"\$\{__(?:field\.labels|data\.fields)\.\w+\}", "x", query["expr"])
            assert not re.search(r"\$(?!\{)\w", text), f"{place}: {text}"
            text = interpolate(re.sub(r"\$\{\w+:pipe\}", ".+", text)).text
            parse(text) if SOURCES[pane["datasource"]].type == "loki" else promql_parser.parse(text)
    assert seen >= 20


def test_variables_of_grafana_stay_as_they_are_in_links() -> None:
    with_labels = [url for _, url in links() if "labels" in url]
    assert with_labels
    assert all("${__field.labels." in url for url in with_labels)
    assert not [url for _, url in links() if "%24%7B" in url]
    assert not [url for _, url in links() if re.search(r"%24(?!%22)\w", url)]


def test_links_do_not_use_estimates() -> None:
    """The value of an estimated quantile finds no line: the objective does."""
    assert not [place for place, url in links() if "__value.numeric" in url]
