"""Every way from one kind of data to another, clicked in a real Grafana, and what opened compared."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from lokictl.model import AlertingRule
from tests.browser import given
from tests.browser.needs import NEEDS_EVERYTHING
from tests.browser.page import Tab, variables_of
from tests.browser.world import LIVE, World
from tests.dashboards.run import dashboards, panels, project
from tests.stack.servers import get_json, needs, wait_for

pytestmark = NEEDS_EVERYTHING

TRACE_ID = re.compile("[0-9a-f]{32}")


def panel_id(uid: str, title: str) -> int:
    return next(
        int(panel["id"]) for panel in panels(dashboards()[f"neurectomy-{uid}"]) if panel["title"] == title
    )


def open_panel(page: Tab, world: World, uid: str, title: str, window: str = LIVE, **chosen: str) -> None:
    """Opens a dashboard with one panel in full, at the second half of a window."""
    when = world.windows[window].url(last=True)
    variables = variables_of(dashboards()[f"neurectomy-{uid}"], **chosen)
    panel = f"viewPanel=panel-{panel_id(uid, title)}"
    page.open(f"{world.grafana}/d/neurectomy-{uid}?{when}&{panel}&{variables}&kiosk")


def pane(url: str) -> dict[str, Any]:
    """What a link to Explore opens: the data source, the queries and the time."""
    found = parse_qs(urlsplit(url).query)
    if "left" in found:
        left: dict[str, Any] = json.loads(found["left"][0])
        return left
    first: dict[str, Any] = next(iter(json.loads(found["panes"][0]).values()))
    return first


def link(page: Tab, start: str, words: str = "") -> str:
    """The URL of the first link with these words in its text that leads to ``start``, once it is there."""

    def found() -> str:
        return next((url for text, url in page.links(start) if words in text), "")

    return str(page.wait(found, f'no link to {start} says "{words}"', seconds=30))


def explore(page: Tab, words: str) -> str:
    """The URL of a link to Explore."""
    return link(page, "/explore?", words)


def follow(page: Tab, url: str, words: str = "") -> str:
    """Opens a link and waits for ``words``; the text of the page, on which no query failed."""
    page.open(url)
    if words:
        page.page.get_by_text(words).first.wait_for(timeout=60_000)
    assert page.log.queries == []
    return str(page.page.locator("main").first.inner_text())


def shows_trace(text: str, trace_id: str) -> bool:
    """Whether a page shows the spans of a trace: Grafana's view shows the beginning of its id."""
    return trace_id[:7] in text and "Trace" in text and "duration" in text.lower()


@pytest.mark.parametrize(
    "service, words",
    [("ryot", "Database connection timeout"), ("agents", "task finished"), ("sigmavault", "allow")],
)
def test_line_to_trace_and_to_metrics(page: Tab, filled: World, service: str, words: str) -> None:
    open_panel(page, filled, service, "Lines")
    page.page.get_by_text(words).first.click()
    url = explore(page, "Trace")
    found = pane(url)
    assert found["datasource"] == "jaeger"
    trace_id = found["queries"][0]["query"]
    assert TRACE_ID.fullmatch(trace_id)
    metrics = pane(explore(page, "Metrics"))
    assert metrics["datasource"] == "prometheus"
    assert f'service="{service}"' in metrics["queries"][0]["expr"]
    window = filled.windows[LIVE]
    assert metrics["range"] == {"from": str(window.middle // 10**6), "to": str(window.end // 10**6)}
    assert "error" in follow(page, explore(page, "Metrics")) or service != "ryot"
    assert shows_trace(follow(page, url), trace_id)


def some_trace(world: World) -> str:
    """The trace of a time-out."""
    query = '{service="ryot", level="error"} | json | trace_id!=""'
    window = world.windows[LIVE]
    params: dict[str, Any] = {"query": query, "start": window.middle, "end": window.end, "limit": 1}
    answer = get_json(
        f"{world.road.loki}/loki/api/v1/query_range", params=params, headers={"X-Scope-OrgID": "neurectomy"}
    )
    return str(answer["data"]["result"][0]["stream"]["trace_id"])


def explore_trace(page: Tab, world: World, trace_id: str) -> None:
    """Opens a trace in Explore."""
    in_explore(page, world, "jaeger", {"query": trace_id})


def span_links(page: Tab) -> list[str]:
    """The titles of the links of the first span, in its open menu."""
    page.page.get_by_test_id("SpanLinksMenu").first.click()
    link(page, "/explore?left=")
    return [text for text, url in page.links("/explore?left=")]


def follow_span(page: Tab, title: str) -> tuple[dict[str, Any], str]:
    """Follows a link of the first span: what Explore opens, and the text of the page."""
    url = explore(page, title)
    return pane(url), follow(page, url)


def test_trace_to_lines(page: Tab, filled: World) -> None:
    trace_id = some_trace(filled)
    explore_trace(page, filled, trace_id)
    titles = span_links(page)
    assert "Related logs" in titles
    opened, text = follow_span(page, "Related logs")
    assert opened["datasource"] == "loki"
    assert opened["queries"][0]["expr"] == f'{{namespace="neurectomy"}} | json | trace_id="{trace_id}"'
    assert "Database connection timeout" in text


@pytest.mark.parametrize(
    "title, shown",
    [
        ("Lines by service and level", 'service="ryot"'),
        ("Errors by service", "ryot"),
        ("p99 of durations by service", "ryot"),
    ],
)
def test_trace_to_metrics(page: Tab, filled: World, title: str, shown: str) -> None:
    explore_trace(page, filled, some_trace(filled))
    assert title in span_links(page)
    opened, text = follow_span(page, title)
    assert opened["datasource"] == "prometheus"
    assert "by (service" in opened["queries"][0]["expr"] or "service)" in opened["queries"][0]["expr"]
    assert shown in text
    window = filled.windows[LIVE]
    start, end = int(opened["range"]["from"]), int(opened["range"]["to"])
    assert window.middle // 10**6 - 31 * 60_000 <= start < end


def test_table_to_trace(page: Tab, filled: World) -> None:
    open_panel(page, filled, "correlation", "Traces of errors")
    page.page.get_by_text(TRACE_ID).first.click()
    dashboard = link(page, "/d/neurectomy-trace", "Spans, lines and metrics")
    (trace_id,) = parse_qs(urlsplit(dashboard).query)["var-trace_id"]
    assert TRACE_ID.fullmatch(trace_id)
    url = explore(page, "Trace in Explore")
    assert pane(url)["queries"][0]["query"] == trace_id
    assert shows_trace(follow(page, url), trace_id)
    text = follow(page, dashboard)
    assert "Database connection timeout" in text
    links = [url for text, url in page.links("/explore?") if "spans" in text]
    assert [pane(url)["queries"][0]["query"] for url in links] == [trace_id]


BARS = {
    "Failures by task": (
        "agents",
        "failing-tasks",
        "sync-metadata",
        'task="sync-metadata" | status="failed"',
    ),
    "Failed logins by address": ("sigmavault", "brute-force", "203.0.113.66", 'source_ip="203.0.113.66"'),
}


@pytest.mark.parametrize("title", BARS)
def test_bar_to_lines(page: Tab, filled: World, title: str) -> None:
    uid, window, name, stages = BARS[title]
    open_panel(page, filled, uid, title, window)
    url = explore(page, name)
    found = pane(url)
    assert found["queries"][0]["expr"] == f'{{service="{uid}"}} | json | {stages}'
    text = follow(page, url)
    assert name in text
    assert "No logs found" not in text


@pytest.mark.parametrize(
    "chosen, pods", [({}, "..*.*"), ({"pod": "ryot-7d9f8b6c5d-abc12"}, "ryot-7d9f8b6c5d-abc12.*")]
)
def test_number_to_lines(page: Tab, filled: World, chosen: dict[str, str], pods: str) -> None:
    """The dashboard's variables are filled in."""
    open_panel(page, filled, "ryot", "Errors a minute", **chosen)
    url = explore(page, "now")
    assert pane(url)["queries"][0]["expr"] == f'{{service="ryot", level="error", pod=~"{pods}"}}'
    follow(page, url, "Database connection timeout")


def graph_links(page: Tab) -> list[tuple[str, str]]:
    """The links in the tooltip of a graph, pinned where a series has a point: it is searched from top to bottom."""
    box = page.page.locator(".u-over").first.bounding_box()
    assert box
    for part in range(1, 40):
        x, y = box["x"] + box["width"] * 0.8, box["y"] + box["height"] * part / 40
        page.page.mouse.move(x - 3, y)
        page.page.mouse.move(x, y)
        page.page.wait_for_timeout(100)
        page.page.mouse.down()
        page.page.mouse.up()
        page.page.wait_for_timeout(200)
        found = page.links("/explore?")
        if found:
            return found
        # A second click takes the tooltip away again.
        page.page.mouse.down()
        page.page.mouse.up()
    return []


GRAPHS = {
    # Of one level, or (dashed, from metrics) of all.
    "Lines by level": ('{service="ryot"', "lines"),
    "Durations": ("duration_ms > 5000", "objective"),
    "Database time-outs": ("time(d[ -]?|-)?out", "time-outs"),
}


@pytest.mark.parametrize("title", GRAPHS)
def test_graph_to_lines(page: Tab, filled: World, title: str) -> None:
    words, name = GRAPHS[title]
    open_panel(page, filled, "ryot", title)
    links = graph_links(page)
    url = next(url for text, url in links if name in text.lower())
    found = pane(url)
    assert found["datasource"] == "loki"
    assert words in found["queries"][0]["expr"]
    window = filled.windows[LIVE]
    assert found["range"] == {"from": str(window.middle // 10**6), "to": str(window.end // 10**6)}
    assert "No logs found" not in follow(page, url)


ALERTS = {rule.alert: rule for rule in project().rules if isinstance(rule, AlertingRule)}


def firing(world: World) -> dict[str, Any]:
    """The alert about time-outs, as Alertmanager has it."""

    def found() -> dict[str, Any] | None:
        every = get_json(f"{world.road.alertmanager}/api/v2/alerts")
        return next(
            (alert for alert in every if alert["labels"]["alertname"] == "RyotDatabaseTimeouts"), None
        )

    return wait_for(found, seconds=120) or {}


def test_alert_to_panel_and_lines(page: Tab, filled: World) -> None:
    annotations = firing(filled)["annotations"]
    url = annotations["dashboard_url"].replace("https://grafana.neurectomy.example", filled.grafana)
    text = follow(page, url)
    assert [panel.title for panel in page.panels()] == ["Database time-outs"]
    assert "Panel not found" not in text
    url = annotations["lines_url"].replace("https://grafana.neurectomy.example", filled.grafana)
    follow(page, url, "Database connection timeout")


def test_alert_list_to_rule_and_its_dashboard(page: Tab, filled: World) -> None:
    """Grafana's page of the rule knows the dashboard by the annotations with two underscores."""
    firing(filled)
    open_panel(page, filled, "ryot", "Alerts now")
    url = link(page, "/alerting/", "View alert rule")
    page.open(url)
    assert link(page, "/d/neurectomy-ryot")


def test_alerts_are_marked(filled: World) -> None:
    """The ruler writes its alerts to Prometheus, where annotations and the timeline of the overview read them."""
    firing(filled)
    query = 'ALERTS{alertname="RyotDatabaseTimeouts", alertstate="firing"}'
    answer = wait_for(
        lambda: get_json(f"{filled.road.prometheus}/api/v1/query", params={"query": query})["data"]["result"]
    )
    assert answer[0]["metric"]["service"] == "ryot"


@needs("jaeger")
def test_exemplar_to_trace(page: Tab, filled: World) -> None:
    """Jaeger makes metrics of the spans that arrive now, with exemplars; Prometheus keeps them."""
    found = f"{filled.road.prometheus}/api/v1/query_exemplars"
    asked = {"query": "traces_span_metrics_duration_milliseconds_bucket", "start": str(time.time() - 900)}
    known = wait_for(lambda: get_json(found, params={**asked, "end": str(time.time())})["data"])
    ids = {item["labels"]["trace_id"] for series in known for item in series["exemplars"]}
    variables = variables_of(dashboards()["neurectomy-correlation"])
    panel = f"viewPanel=panel-{panel_id('correlation', 'Spans')}"
    page.open(f"{filled.grafana}/d/neurectomy-correlation?from=now-15m&to=now&{panel}&{variables}&kiosk")
    page.page.get_by_test_id("data-testid Exemplar marker").first.click(force=True)
    url = explore(page, "Trace")
    trace_id = pane(url)["queries"][0]["query"]
    assert pane(url)["datasource"] == "jaeger"
    assert trace_id in ids
    assert shows_trace(follow(page, url), trace_id)


CORRELATIONS = [("loki", "prometheus"), ("prometheus", "loki")]


def test_correlations_are_there(filled: World) -> None:
    url = f"{filled.grafana}/api/datasources/correlations"
    found = get_json(url, headers=given.headers() if given.URL else {})["correlations"]
    assert sorted((item["sourceUID"], item["targetUID"]) for item in found) == CORRELATIONS


def in_explore(page: Tab, world: World, source: str, query: dict[str, Any]) -> None:
    """Opens a query in Explore, at the second half of the last window."""
    window = world.windows[LIVE]
    when = {"from": str(window.middle // 10**6), "to": str(window.end // 10**6)}
    first = {"refId": "A", "datasource": {"type": source, "uid": source}, **query}
    panes = {"a": {"datasource": source, "queries": [first], "range": when}}
    page.open(f"{world.grafana}/explore?schemaVersion=1&orgId=1&panes={quote(json.dumps(panes))}")


def test_correlation_from_a_line_to_metrics(page: Tab, filled: World) -> None:
    in_explore(page, filled, "loki", {"expr": '{service="ryot", level="error"}', "queryType": "range"})
    page.page.get_by_text("Database connection timeout").first.click()
    found = pane(explore(page, "p99 of its service"))
    assert found["datasource"] == "prometheus"
    assert 'service="ryot"' in found["queries"][0]["expr"]
    assert found["range"]["from"] == str(filled.windows[LIVE].middle // 10**6)


def test_correlation_from_a_metric_to_lines(page: Tab, filled: World) -> None:
    query = {"expr": "sum by (service) (log_lines_total)", "instant": True, "range": False, "format": "table"}
    in_explore(page, filled, "prometheus", query)
    page.page.locator('label:has-text("Table")').last.click(force=True)
    found = pane(explore(page, "ryot"))
    assert found["datasource"] == "loki"
    assert found["queries"][0]["expr"] == '{namespace="neurectomy", service="ryot"}'
