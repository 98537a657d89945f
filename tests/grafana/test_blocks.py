"""The building blocks: what becomes of them in the final JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import attr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokictl.grafana import (
    NEUTRAL,
    TAGS,
    TRACE_OF_SPAN,
    AlertAnnotation,
    AlertList,
    BarGauge,
    Block,
    Column,
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
    StateTimeline,
    Table,
    Target,
    Text,
    TextVariable,
    TimeSeries,
    Traces,
    TraceStore,
    Variable,
    correlation,
    counts_table,
    dashboard_url,
    encoded,
    explore_url,
    series_color,
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
        {"query": 'label_values({app="a"}, pod)', "allValue": "..*", "multi": True, "includeAll": True},
    ),
    (
        QueryVariable(
            name="job", datasource=PROMETHEUS, query="label_values(up, job)", include_all=False, multi=False
        ),
        {"query": "label_values(up, job)", "includeAll": False, "multi": False},
    ),
    (CustomVariable(name="level", values=["a", "b"]), {"query": "a,b", "allValue": "..*"}),
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
    assert encoded("a $b [[c]] $__interval $__range_ms") == "a%20$b%20[[c]]%20%24__interval%20%24__range_ms"
    assert encoded('{"a":"$__from ${b}"}') == "%7B%22a%22%3A%22$__from%20${b}%22%7D"
    assert DataLink(title="a", url="/x").to_json_data() == {"title": "a", "url": "/x", "targetBlank": True}


IN_EXPLORE = {
    '{pod=~"$pod.*"}': '{pod=~"${pod:pipe}.*"}',
    '{pod=~"${pod}"}': '{pod=~"${pod:pipe}"}',
    "|~ `${search:raw}`": "|~ `${search:raw}`",
    '{app="${__field.labels.app}"}': '{app="${__field.labels.app}"}',
    'rate({app="a"}[$__interval])': 'rate({app="a"}[%24__interval])',
    "|~ `a$`": "|~ `a%24`",
}


@pytest.mark.parametrize("expr", IN_EXPLORE)
def test_variables_in_links_to_explore(expr: str) -> None:
    """Grafana fills those of the dashboard and the value, in forms that do not break the JSON; Explore the macros."""
    url = explore_url(LokiTarget(datasource=LOKI, expr=expr))
    shown = unquote(url.replace("%24", "%2524"))
    assert json.loads(shown.partition("panes=")[2])["a"]["queries"][0]["expr"] == IN_EXPLORE[expr]


def test_links_from_elsewhere_have_grafanas_url_and_a_time() -> None:
    hour = {"from": "now-1h", "to": "now"}
    url = explore_url(QUERY, time_range=hour, base="https://grafana.example")
    assert url.startswith("https://grafana.example/explore?")
    assert json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]["range"] == hour


INSTANT = LokiTarget(datasource=LOKI, expr="sum by (app) (rate({a=`b`}[5m]))", legend="now", instant=True)
RANGE = LokiTarget(datasource=LOKI, expr="sum by (app) (rate({a=`b`}[5m]))", legend="{{app}}")
REDUCED = (Stat, BarGauge, Gauge)


@pytest.mark.parametrize("kind", REDUCED)
def test_values_of_instant_queries_are_rows_of_a_table(kind: type[Stat | BarGauge | Gauge]) -> None:
    """Reduced, they would be one number without a name."""
    link = DataLink(title="x", url="/d/${__field.labels.app}")
    rows = kind(title="a", targets=[INSTANT], links=[link]).to_json_data()
    assert rows["options"]["reduceOptions"] == {"calcs": [], "fields": "", "values": True, "limit": 25}
    assert rows["fieldConfig"]["defaults"]["links"][0]["url"] == "/d/${__data.fields.app}"
    series = kind(title="a", targets=[RANGE], links=[link]).to_json_data()
    assert series["options"]["reduceOptions"] == {"calcs": ["lastNotNull"], "fields": "", "values": False}
    assert series["fieldConfig"]["defaults"]["links"][0]["url"] == "/d/${__field.labels.app}"


def test_bars_of_instant_queries_are_sorted() -> None:
    transformations = BarGauge(title="a", targets=[INSTANT]).to_json_data()["transformations"]
    assert transformations[-1] == {"id": "sortBy", "options": {"sort": [{"field": "Value #A", "desc": True}]}}
    metric = PrometheusTarget(datasource=PROMETHEUS, expr="up", instant=True, format="table")
    transformations = BarGauge(title="a", targets=[metric]).to_json_data()["transformations"]
    assert transformations[-1] == {"id": "sortBy", "options": {"sort": [{"field": "Value", "desc": True}]}}
    assert BarGauge(title="a", targets=[RANGE]).to_json_data()["transformations"] == []


def test_the_edge_of_a_bar_without_a_value_is_neutral() -> None:
    panel = BarGauge(title="a", thresholds=[(0, "green"), (5, "red")]).to_json_data()
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": NEUTRAL, "value": None},
        {"color": "green", "value": 0},
        {"color": "red", "value": 5},
    ]


def test_bars_have_the_names_of_their_rows() -> None:
    """A single bar would have none otherwise."""
    expr = 'topk(5, sum by (app, job) (count_over_time({a="b"} [$__range])))'
    query = attr.evolve(INSTANT, expr=expr, legend="{{app}} of {{ job }}")
    defaults = BarGauge(title="a", targets=[query]).to_json_data()["fieldConfig"]["defaults"]
    assert defaults["displayName"] == "${__data.fields.app} of ${__data.fields.job}"
    assert "displayName" not in BarGauge(title="a", targets=[RANGE]).to_json_data()["fieldConfig"]["defaults"]


def test_values_of_stats_have_the_names_of_their_queries() -> None:
    panel = Stat(title="a", targets=[INSTANT, attr.evolve(INSTANT, legend="range")]).to_json_data()
    assert panel["fieldConfig"]["overrides"] == [
        {
            "matcher": {"id": "byFrameRefID", "options": name},
            "properties": [{"id": "displayName", "value": legend}],
        }
        for name, legend in (("A", "now"), ("B", "range"))
    ]


@pytest.mark.parametrize("kind", [*REDUCED, TimeSeries, Table])
def test_no_data_has_no_color_of_health(kind: type[Panel]) -> None:
    panel = kind(title="a", no_data="silent", thresholds=[(0, "green"), (1, "red")]).to_json_data()
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert mapping["options"]["match"] == "null+nan"
    assert mapping["options"]["result"]["color"] == NEUTRAL
    assert panel["fieldConfig"]["defaults"]["noValue"] == "silent"


@pytest.mark.parametrize("kind", [Stat, Gauge, BarGauge])
@pytest.mark.parametrize("zero", ["or vector(0)", "or on() vector( 0 )", "OR vector(0)"])
def test_silence_in_a_color_of_health_is_refused(kind: type[Stat | BarGauge | Gauge], zero: str) -> None:
    target = PrometheusTarget(datasource=PROMETHEUS, expr=f"(sum(rate(a[5m])) {zero})")
    with pytest.raises(ValueError, match="is green where its query finds nothing"):
        kind(title="a", targets=[target], thresholds=[(0, "green"), (1, "red")])
    kind(title="a", targets=[target], thresholds=[(0, "text"), (1, "red")])


@pytest.mark.parametrize(
    "expr, legend, missing",
    [
        ('sum by (service) (rate({a="b"}[$__auto]))', "{{pod}}", "pod"),
        ('sum(rate({a="b"}[5m]))', "lines of {{ service }}", "service"),
        ('sum by (service) (rate({a="b"}[$__auto]))', "{{service}}", ""),
        ('sum by ($by) (rate({a="b"}[$__auto]))', "{{pod}}", ""),
        ('rate({a="b"}[5m])', "{{pod}}", ""),
        ('sum by (service) (rate({a="b"[5m]))', "{{pod}}", ""),
    ],
)
def test_a_legend_names_labels_of_the_query(expr: str, legend: str, missing: str) -> None:
    if missing:
        with pytest.raises(ValueError, match=f"names {missing}, which the query does not return"):
            LokiTarget(datasource=LOKI, expr=expr, legend=legend)
    else:
        LokiTarget(datasource=LOKI, expr=expr, legend=legend)


def test_a_tag_that_no_span_of_jaeger_has_is_refused() -> None:
    store = TraceStore(traces="jaeger", uid="j")
    queries = {"logs": LOKI, "logs_query": "{}", "metrics": PROMETHEUS, "metrics_queries": {}}
    with pytest.raises(ValueError, match=r"no span in Jaeger has the tag service\.name"):
        store.settings(**queries, tags=[("service.name", "service")])


@pytest.mark.parametrize("kind", [Logs, Heatmap, NodeGraph, Traces, AlertList, StateTimeline])
def test_a_string_that_would_never_be_shown_is_refused(kind: type[Panel]) -> None:
    with pytest.raises(ValueError, match='the panel "a" never shows its no_data'):
        kind(title="a", no_data="nothing")


def test_metrics_beside_logs_are_dashed() -> None:
    metrics = PrometheusTarget(datasource=PROMETHEUS, expr="up", legend="{{app}} (metrics)")
    (override,) = TimeSeries(title="a", targets=[RANGE, metrics]).to_json_data()["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byFrameRefID", "options": "B"}
    assert {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 4]}} in override["properties"]
    for alone in ([RANGE], [metrics]):
        assert TimeSeries(title="a", targets=alone).to_json_data()["fieldConfig"]["overrides"] == []


@pytest.mark.parametrize(
    "name, same", [("ryot", True), ("ryot (metrics)", True), ("ryot2", False), ("a ryot", False)]
)
def test_a_color_is_for_logs_and_metrics_of_one_name(name: str, same: bool) -> None:
    pattern = series_color("ryot", "blue").value
    assert bool(re.search(pattern.strip("/"), name)) is same


def test_alerts_are_regions_in_the_graphs() -> None:
    data = Dashboard(
        uid="x", title="X", annotations=[AlertAnnotation(datasource=PROMETHEUS, matchers='service="a"')]
    ).to_json()
    assert validate(data) == []
    _, own = data["annotations"]["list"]
    assert own["expr"] == 'max by (service) (ALERTS{alertstate="firing", service="a"})'
    assert own["enable"] is True


def test_a_mark_for_each_line_is_off_at_first() -> None:
    assert LokiAnnotation(name="a", datasource=LOKI, expr='{app="a"}').to_json_data()["enable"] is False


STORES = {
    "jaeger": (
        {"query": "$id"},
        {"queryType": "search", "service": "a", "limit": 20, "tags": "error=true", "minDuration": "1s"},
        {"queryType": "dependencyGraph"},
    ),
    "tempo": (
        {"queryType": "traceql", "query": "$id", "tableType": "traces", "limit": 20},
        {
            "queryType": "traceql",
            "query": '{ resource.service.name =~ "a" && trace:duration >= 1s && status = error }',
            "tableType": "traces",
            "limit": 20,
        },
        {"queryType": "serviceMap"},
    ),
}


@pytest.mark.parametrize("kind", STORES)
def test_stores_of_traces(kind: Literal["jaeger", "tempo"]) -> None:
    store = TraceStore(traces=kind, uid="t")
    found = (store.trace("$id"), store.search("a", min_duration="1s", failed=True), store.calls())
    assert tuple(target.query_json() for target in found) == STORES[kind]
    assert {target.datasource for target in found} == {DataSourceRef(kind, "t")}
    pane = json.loads(parse_qs(urlsplit(store.url()).query)["panes"][0])["a"]
    assert (pane["datasource"], pane["queries"][0]["query"]) == ("t", "${__value.raw}")


@pytest.mark.parametrize("kind", STORES)
def test_settings_of_stores_of_traces(kind: Literal["jaeger", "tempo"]) -> None:
    store = TraceStore(traces=kind, uid="t")
    field = store.derived_field("Trace", "^trace_id$", label=True)
    assert (field["matcherType"], field["matcherRegex"], field["url"]) == (
        "label",
        "^trace_id$$",
        "$${__value.raw}",
    )
    destination = store.exemplar_destination("trace_id")
    assert ("url" in destination) is (kind == "jaeger")
    data = store.settings(
        logs=LOKI,
        logs_query=f'{{a="b"}} | trace_id="{TRACE_OF_SPAN}"',
        metrics=PROMETHEUS,
        metrics_queries={"Up": f"up{{{TAGS}}}"},
        tags=[("app", "job")],
    )
    assert data["tracesToLogsV2"]["query"] == '{a="b"} | trace_id="$${__trace.traceId}"'
    assert data["tracesToLogsV2"]["tags"] == []
    assert data["tracesToMetrics"]["queries"] == [{"name": "Up", "query": "up{$$__tags}"}]
    assert data["tracesToMetrics"]["tags"] == [{"key": "app", "value": "job"}]
    assert ("serviceMap" in data) is (kind == "tempo")


def test_other_stores_of_traces_are_refused() -> None:
    with pytest.raises(ValueError, match="zipkin"):
        TraceStore(traces="zipkin", uid="t")  # type: ignore[arg-type]


def test_correlations_of_data_sources() -> None:
    """As Grafana's provisioning wants them: a label and a description, variables with two dollar signs."""
    found = correlation(
        PrometheusTarget(datasource=PROMETHEUS, expr='up{app="${app}"}'),
        field="labels",
        label="Up",
        patterns={"app": '"app":"(.+)"$'},
    )
    assert (found["targetUID"], found["label"], found["description"]) == ("prometheus", "Up", "")
    config = found["config"]
    assert found["type"] == config["type"] == "query"
    assert config["target"]["expr"] == 'up{app="$${app}"}'
    assert config["transformations"] == [
        {"type": "regex", "field": "labels", "expression": '"app":"(.+)"$$', "mapValue": "app"}
    ]
    alone = correlation(LokiTarget(datasource=LOKI, expr="{}"), field="app", label="Lines")
    assert "transformations" not in alone["config"]


def text(width: int, height: int) -> Text:
    return Text(title="t", content="", width=width, height=height)


FILLED: dict[str, tuple[list[Block], list[tuple[int, int, int, int]]]] = {
    "a line is filled": (
        [text(4, 4)] * 5,
        [(0, 0, 5, 4), (5, 0, 5, 4), (10, 0, 5, 4), (15, 0, 5, 4), (20, 0, 4, 4)],
    ),
    "the highest gives the height": ([text(8, 8), text(16, 12)], [(0, 0, 8, 12), (8, 0, 16, 12)]),
    "a column beside a tall panel": (
        [text(16, 12), Column([text(8, 3), text(8, 6)])],
        [(0, 0, 16, 12), (16, 0, 8, 4), (16, 4, 8, 8)],
    ),
    "a column gives the height": (
        [Column([text(6, 4), text(6, 4)], width=12), text(12, 5)],
        [(0, 0, 12, 4), (0, 4, 12, 4), (12, 0, 12, 8)],
    ),
    "what does not fit begins a new line": (
        [text(16, 4), text(16, 4)],
        [(0, 0, 24, 4), (0, 4, 24, 4)],
    ),
}


@pytest.mark.parametrize("case", FILLED)
def test_lines_are_filled(case: str) -> None:
    blocks, expected = FILLED[case]
    data = Dashboard(uid="x", title="X", content=blocks).to_json()
    places = [panel["gridPos"] for panel in data["panels"]]
    assert [(place["x"], place["y"], place["w"], place["h"]) for place in places] == expected


def test_two_panels_of_one_id_are_refused() -> None:
    panels = [attr.evolve(text(8, 4), id=7)] * 2
    with pytest.raises(ValueError, match="two panels have the id 7"):
        Dashboard(uid="x", title="X", content=panels).to_json()


def test_columns_without_panels_are_refused() -> None:
    with pytest.raises(ValueError, match="a column has no panels"):
        Dashboard(uid="x", title="X", content=[Column([])]).to_json()


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
    assert len(cells) == 24 * len({y for _, y in cells}), "a line is not filled"


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
