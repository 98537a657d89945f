"""The building blocks: what becomes of them in the final JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.grafana import (
    AlertList,
    BarGauge,
    CustomVariable,
    Dashboard,
    DashboardLink,
    DataLink,
    DataSourceRef,
    DataSourceVariable,
    Gauge,
    Heatmap,
    JaegerDependencies,
    JaegerSearch,
    JaegerTrace,
    Logs,
    LokiAnnotation,
    LokiLabelValues,
    LokiTarget,
    NodeGraph,
    Override,
    Panel,
    PrometheusTarget,
    QueryVariable,
    Row,
    Stat,
    Table,
    Target,
    Text,
    TextVariable,
    TimeSeries,
    Traces,
    Variable,
    counts_table,
    dashboard_url,
    encoded,
    explore_url,
    trace_url,
    validate,
)

LOKI = DataSourceRef("loki", "loki")
PROMETHEUS = DataSourceRef("prometheus", "prometheus")
JAEGER = DataSourceRef("jaeger", "jaeger")
QUERY = LokiTarget(datasource=LOKI, expr='{app="a"}')

TARGETS: dict[str, tuple[Target, dict[str, Any]]] = {
    "a Loki range query": (
        LokiTarget(datasource=LOKI, expr='rate({app="a"} [$__auto])', legend="{{app}}"),
        {
            "expr": 'rate({app="a"} [$__auto])',
            "queryType": "range",
            "editorMode": "code",
            "legendFormat": "{{app}}",
        },
    ),
    "a Loki instant query": (
        LokiTarget(datasource=LOKI, expr="vector(1)", instant=True),
        {"expr": "vector(1)", "queryType": "instant", "instant": True, "editorMode": "code"},
    ),
    "log lines": (
        LokiTarget(datasource=LOKI, expr='{app="a"}', max_lines=50),
        {"expr": '{app="a"}', "queryType": "range", "editorMode": "code", "maxLines": 50},
    ),
    "Prometheus with exemplars": (
        PrometheusTarget(datasource=PROMETHEUS, expr="up", exemplars=True),
        {
            "expr": "up",
            "range": True,
            "instant": False,
            "format": "time_series",
            "editorMode": "code",
            "exemplar": True,
        },
    ),
    "Prometheus instant": (
        PrometheusTarget(datasource=PROMETHEUS, expr="up", instant=True, exemplars=True, format="table"),
        {"expr": "up", "range": False, "instant": True, "format": "table", "editorMode": "code"},
    ),
    "a trace": (JaegerTrace(datasource=JAEGER, trace_id="$id"), {"query": "$id"}),
    "a search for traces": (
        JaegerSearch(datasource=JAEGER, service="a", tags="error=true", min_duration="1s"),
        {"queryType": "search", "service": "a", "limit": 20, "tags": "error=true", "minDuration": "1s"},
    ),
    "dependencies": (JaegerDependencies(datasource=JAEGER), {"queryType": "dependencyGraph"}),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets(case: str) -> None:
    target, expected = TARGETS[case]
    source = {"type": target.datasource.type, "uid": target.datasource.uid}
    panel = TimeSeries(title="x", targets=[target]).to_json_data()
    assert panel["targets"] == [{"refId": "A", "datasource": source, **expected}]
    assert panel["datasource"] == source


def test_targets_get_names_that_are_free() -> None:
    named = LokiTarget(datasource=LOKI, expr="x", ref_id="A")
    panel = TimeSeries(title="x", targets=[QUERY, named, QUERY]).to_json_data()
    assert [target["refId"] for target in panel["targets"]] == ["B", "A", "C"]


def test_targets_of_several_data_sources_are_mixed() -> None:
    panel = TimeSeries(title="x", targets=[QUERY, PrometheusTarget(datasource=PROMETHEUS, expr="up")])
    assert panel.to_json_data()["datasource"] == {"type": "datasource", "uid": "-- Mixed --"}


PANELS: list[Panel] = [
    TimeSeries(title="a", draw="bars", stack="normal", threshold_lines=True, legend="table", targets=[QUERY]),
    TimeSeries(title="a", legend="hidden"),
    Stat(title="a", graph=True, unit="ms", decimals=1, min=0, max=10.5),
    BarGauge(title="a"),
    Gauge(title="a"),
    Table(title="a", sort_by="Lines", transformations=counts_table(columns={"app": "App"}, value="Lines")),
    Logs(title="a", targets=[QUERY], newest_first=False),
    Traces(title="a", targets=[JaegerTrace(datasource=JAEGER, trace_id="1")]),
    NodeGraph(title="a"),
    Heatmap(title="a", buckets=True),
    Heatmap(title="a"),
    AlertList(title="a", filter='{app="a"}'),
    Text(title="a", content="# b"),
]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.type)
def test_panels_are_valid_and_read_by_an_independent_model(panel: Panel) -> None:
    from grafana_foundation_sdk.models.dashboard import Dashboard as Model

    data = Dashboard(uid="x", title="X", content=[panel]).to_json()
    assert validate(data) == []
    assert len(Model.from_json(data).panels or []) == 1
    assert "null" not in json.dumps({**data, "panels": []})


VARIABLES: list[tuple[Variable, dict[str, Any]]] = [
    (
        LokiLabelValues(name="pod", datasource=LOKI, stream_label="pod", selector='{app="a"}'),
        {"query": 'label_values({app="a"}, pod)', "allValue": ".+", "multi": True, "includeAll": True},
    ),
    (
        QueryVariable(
            name="job", datasource=PROMETHEUS, query="label_values(up, job)", include_all=False, multi=False
        ),
        {"query": "label_values(up, job)", "includeAll": False, "multi": False},
    ),
    (CustomVariable(name="level", values=["a", "b"]), {"query": "a,b", "allValue": ".+"}),
    (CustomVariable(name="level", values=["a", "b"], include_all=False, multi=False), {"query": "a,b"}),
    (TextVariable(name="id", default="1"), {"query": "1", "type": "textbox"}),
    (DataSourceVariable(name="ds", plugin="loki", default="loki"), {"query": "loki", "type": "datasource"}),
]


@pytest.mark.parametrize("variable, expected", VARIABLES)
def test_variables(variable: Variable, expected: dict[str, Any]) -> None:
    data = Dashboard(uid="x", title="X", variables=[variable]).to_json()
    assert validate(data) == []
    (written,) = data["templating"]["list"]
    assert {name: written.get(name) for name in expected} == expected


def test_annotations_and_links() -> None:
    data = Dashboard(
        uid="x",
        title="X",
        annotations=[
            LokiAnnotation(name="deploys", datasource=LOKI, expr='{app="a"} |= "deploy"', tags=["app"])
        ],
        links=[
            DashboardLink(title="All", tags=["a"], dropdown=True),
            DashboardLink(title="One", url="/d/one"),
        ],
    ).to_json()
    assert validate(data) == []
    built_in, own = data["annotations"]["list"]
    assert built_in["builtIn"] == 1
    assert (own["expr"], own["tagKeys"]) == ('{app="a"} |= "deploy"', "app")
    assert [(link["type"], link["url"]) for link in data["links"]] == [("dashboards", ""), ("link", "/d/one")]


def test_thresholds_begin_without_a_value() -> None:
    panel = Stat(
        title="a",
        thresholds=[(0, "green"), (5, "red")],
        overrides=[Override(value="x", properties={"unit": "s"})],
    )
    (written,) = Dashboard(uid="x", title="X", content=[panel]).to_json()["panels"]
    assert written["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": "green", "value": None},
        {"color": "red", "value": 5},
    ]
    assert written["fieldConfig"]["overrides"] == [
        {"matcher": {"id": "byName", "options": "x"}, "properties": [{"id": "unit", "value": "s"}]}
    ]


def test_explore_links_keep_variables_and_the_time_range() -> None:
    url = explore_url(LokiTarget(datasource=LOKI, expr='{app="${__field.labels.app}"} |= "a b"'))
    assert "${__field.labels.app}" in url
    parameters = parse_qs(urlsplit(url).query)
    assert parameters["schemaVersion"] == ["1"]
    pane = json.loads(unquote(parameters["panes"][0]))["a"]
    assert pane["range"] == {"from": "${__from}", "to": "${__to}"}
    assert pane["queries"][0]["expr"] == '{app="${__field.labels.app}"} |= "a b"'
    assert " " not in url


def test_other_links() -> None:
    assert dashboard_url("x") == "/d/x?${__url_time_range}"
    assert dashboard_url("x", {"a": "b c", "id": "${__value.raw}"}) == (
        "/d/x?${__url_time_range}&var-a=b%20c&var-id=${__value.raw}"
    )
    assert "${__value.raw}" in trace_url(JAEGER)
    assert encoded('{"a":"$__from ${b}"}') == "%7B%22a%22%3A%22$__from%20${b}%22%7D"
    assert DataLink(title="a", url="/x").to_json_data() == {"title": "a", "url": "/x", "targetBlank": True}


sizes = st.tuples(st.integers(1, 24), st.integers(1, 20))


@given(
    st.lists(st.tuples(st.lists(sizes, max_size=6), st.booleans()), max_size=4), st.lists(sizes, max_size=3)
)
def test_nothing_overlaps(
    rows: list[tuple[list[tuple[int, int]], bool]], loose: list[tuple[int, int]]
) -> None:
    def texts(found: list[tuple[int, int]]) -> list[Panel]:
        return [Text(title="t", content="", width=width, height=height) for width, height in found]

    content: list[Row | Panel] = [
        *texts(loose),
        *(Row("r", texts(found), collapsed=shut) for found, shut in rows),
    ]
    data = Dashboard(uid="x", title="X", content=content).to_json()
    assert validate(data) == []
    every = [panel for outer in data["panels"] for panel in (outer, *outer.get("panels", []))]
    assert (
        len({panel["id"] for panel in every})
        == len(every)
        == len(loose) + sum(len(found) + 1 for found, _ in rows)
    )
    cells: set[tuple[int, int]] = set()
    for panel in data["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own


@pytest.mark.parametrize("width", [0, 25])
def test_panels_that_do_not_fit_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match="a panel is 1 to 24 columns wide"):
        Dashboard(uid="x", title="X", content=[Text(title="t", content="", width=width)]).to_json()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no title": ({"uid": "x", "schemaVersion": 42, "panels": []}, "'title' is missing"),
    "a bad uid": ({"uid": "a b", "title": "x", "schemaVersion": 42, "panels": []}, 'uid: "a b" does not fit'),
    "an old panel": (
        {
            "uid": "x",
            "title": "x",
            "schemaVersion": 42,
            "panels": [{"type": "graph", "title": "x", "gridPos": {"h": 1, "w": 1, "x": 0, "y": 0}}],
        },
        "panels[0].type",
    ),
    "a panel beyond the grid": (
        {
            "uid": "x",
            "title": "x",
            "schemaVersion": 42,
            "panels": [{"type": "logs", "title": "x", "gridPos": {"h": 1, "w": 30, "x": 0, "y": 0}}],
        },
        "panels[0].gridPos.w",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses(case: str) -> None:
    data, message = REFUSED[case]
    problems = validate(data)
    assert problems
    assert any(message in problem.message for problem in problems), [problem.message for problem in problems]


def test_the_same_code_gives_the_same_bytes() -> None:
    def made() -> str:
        return Dashboard(uid="x", title="X", content=[Row("r", PANELS)]).to_text()

    assert made() == made()
