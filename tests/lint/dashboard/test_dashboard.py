"""Checks of dashboards: for each one, dashboards that it minds (with its words) and dashboards that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lokictl.lint import Settings, lint_text
from lokictl.lint.dashboard import CHECKS
from tests.lint.dashboard.cases import LOKI, PROMETHEUS, dashboard, lint_dashboard, panel, target

Case = tuple[str, dict[str, Any], list[str]]


def at(x: int, y: int, w: int = 12, h: int = 8, **more: Any) -> dict[str, Any]:
    number = more.pop("id", x + 100 * y + 1)
    return panel(
        **{
            "kind": "timeseries",
            "id": number,
            "title": f"P{number}",
            "gridPos": {"x": x, "y": y, "w": w, "h": h},
            **more,
        }
    )


def variable(name: str, kind: str = "query", **more: Any) -> dict[str, Any]:
    base = {"name": name, "type": kind, "query": "label_values(app)", "refresh": 2, "datasource": LOKI}
    return {**base, **more}


def promql(expr: str) -> dict[str, Any]:
    return {"refId": "A", "datasource": PROMETHEUS, "expr": expr}


TOP = 'topk(5, sum by (module) (count_over_time({app="a"}[5m])))'
NULL_IS_GRAY = {"type": "special", "options": {"match": "null", "result": {"text": "-", "color": "text"}}}


def health(*targets: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """A stat that is green below its threshold."""
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 5}]
    config = {"unit": "short", "thresholds": {"mode": "absolute", "steps": steps}, **defaults}
    return panel(
        "stat",
        *targets,
        options={"colorMode": "background"},
        fieldConfig={"defaults": config, "overrides": []},
    )


ESTIMATE = promql("histogram_quantile(0.99, sum by (le) (rate(d_bucket[5m])))")


BY_LEVEL = target('sum by (level) (rate({app="a"}[$__auto]))')
ALL = {**target('sum(rate({app="a"}[$__auto]))'), "refId": "B"}
METRIC = {**promql("sum(rate(lines_total[5m]))"), "refId": "C"}
LEVEL_LINK = '/explore?q={app="a", level="${__field.labels.level}"}'


def links_to(url: str, *, other: str = "") -> dict[str, Any]:
    """The settings of a panel whose values link to a URL, those of the query ``other`` to another one."""
    defaults = {"unit": "ms", "links": [{"title": "Lines", "url": url}]}
    return {"fieldConfig": {"defaults": defaults, "overrides": [own_links(other, "/x")] if other else []}}


def override_links_to(query: str, url: str) -> dict[str, Any]:
    """The settings of a panel in which the values of one query link to a URL."""
    return {"fieldConfig": {"defaults": {"unit": "ms"}, "overrides": [own_links(query, url)]}}


def own_links(query: str, url: str) -> dict[str, Any]:
    properties = [{"id": "links", "value": [{"title": "Lines", "url": url}]}]
    return {"matcher": {"id": "byFrameRefID", "options": query}, "properties": properties}


USES_APP = panel("timeseries", target('sum(rate({app=~"$app"}[$__auto]))'))

CASES: list[Case] = [
    ("dashboard/uid", dashboard(), []),
    ("dashboard/uid", dashboard(uid=None), ["has no uid"]),
    ("dashboard/uid", dashboard(uid="a b"), ['Grafana refuses the uid "a b"']),
    ("dashboard/uid", dashboard(uid="x" * 41), ["Grafana refuses the uid"]),
    ("dashboard/title", dashboard(), []),
    ("dashboard/title", dashboard(title=" "), ["has no title"]),
    ("dashboard/server-id", dashboard(), []),
    ("dashboard/server-id", dashboard(id=17), ["the id 17 belongs to the server"]),
    ("dashboard/panel-id", dashboard(at(0, 0, id=1), at(12, 0, id=2)), []),
    ("dashboard/panel-id", dashboard(at(0, 0, id=1), at(12, 0, id=1)), ["has the id 1 of the panel"]),
    (
        "dashboard/panel-id",
        dashboard({"type": "row", "id": 5, "collapsed": True, "panels": [at(0, 1, id=5)]}),
        ["has the id 5 of the panel row 5"],
    ),
    ("dashboard/panel-id", dashboard(panel(id=None), panel(id=None)), ["and 1 more has no id"]),
    ("dashboard/ref-id", dashboard(panel("timeseries", target(refId="A"), target(refId="B"))), []),
    (
        "dashboard/ref-id",
        dashboard(panel("timeseries", target(), target())),
        ['2 queries of the panel "Panel" have the refId "A"'],
    ),
    (
        "dashboard/ref-id",
        dashboard(panel("timeseries", target(), target(refId=""))),
        ["query 2 of the panel"],
    ),
    ("dashboard/ref-id", dashboard(panel("timeseries", target(refId=""))), []),
    ("dashboard/overlapping-panels", dashboard(at(0, 0), at(12, 0), at(0, 8)), []),
    ("dashboard/overlapping-panels", dashboard(at(0, 0), at(6, 7)), ["overlaps the panel"]),
    ("dashboard/overlapping-panels", dashboard(at(0, 0, w=24, h=1, kind="row", id=1), at(0, 0, id=2)), []),
    ("dashboard/overlapping-panels", dashboard(at(16, 0)), ["ends at column 28; the grid has 24"]),
    (
        "dashboard/overlapping-panels",
        dashboard(
            at(0, 0, id=1),
            {
                "type": "row",
                "id": 2,
                "collapsed": True,
                "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1},
                "panels": [at(0, 9, id=3), at(12, 9, id=4)],
            },
            at(0, 9, id=5),
        ),
        [],
    ),
    (
        "dashboard/overlapping-panels",
        dashboard({"type": "row", "id": 2, "collapsed": True, "panels": [at(0, 9, id=3), at(0, 9, id=4)]}),
        ["overlaps the panel"],
    ),
    ("dashboard/panel-title", dashboard(), []),
    ("dashboard/panel-title", dashboard(panel(title="")), ["the timeseries panel 1 has no title"]),
    ("dashboard/panel-title", dashboard(panel("text", title="", targets=[])), []),
    ("dashboard/panel-description", dashboard(), []),
    ("dashboard/panel-description", dashboard(panel(description="")), ["has no description"]),
    ("dashboard/panel-unit", dashboard(), []),
    (
        "dashboard/panel-unit",
        dashboard(panel(fieldConfig={"defaults": {}})),
        ["shows numbers without a unit"],
    ),
    ("dashboard/panel-unit", dashboard(panel("logs", fieldConfig={"defaults": {}})), []),
    ("dashboard/panel-unit", dashboard(panel("graph", fieldConfig={}, yaxes=[{"format": "ms"}])), []),
    (
        "dashboard/panel-unit",
        dashboard(panel("stat", fieldConfig={"defaults": {"mappings": [{"type": "value"}]}})),
        [],
    ),
    (
        "dashboard/panel-unit",
        dashboard(
            panel(fieldConfig={"defaults": {}, "overrides": [{"properties": [{"id": "unit", "value": "s"}]}]})
        ),
        [],
    ),
    ("dashboard/panel-without-queries", dashboard(), []),
    ("dashboard/panel-without-queries", dashboard(panel(targets=[])), ["has no query, so it stays empty"]),
    ("dashboard/panel-without-queries", dashboard(panel("text", targets=[])), []),
    ("dashboard/panel-without-queries", dashboard(panel(targets=[], libraryPanel={"uid": "x"})), []),
    ("dashboard/panel-without-queries", dashboard(panel("someones-panel", targets=[])), []),
    ("dashboard/too-many-panels", dashboard(), []),
    ("dashboard/too-many-panels", dashboard(*[at(0, 8 * y) for y in range(41)]), ["has 41 panels"]),
    ("dashboard/removed-panel", dashboard(), []),
    ("dashboard/removed-panel", dashboard(panel("graph"), panel("graph")), ["(and 1 more) is of the type"]),
    ("dashboard/metric-query-in-logs-panel", dashboard(panel("logs")), []),
    ("dashboard/metric-query-in-logs-panel", dashboard(panel("logs", target())), ["asks for numbers"]),
    ("dashboard/metric-query-in-logs-panel", dashboard(panel("logs", target(hide=True))), []),
    ("dashboard/log-query-in-metric-panel", dashboard(), []),
    (
        "dashboard/log-query-in-metric-panel",
        dashboard(panel("timeseries", target('{app="a"}'))),
        ["asks for lines"],
    ),
    (
        "dashboard/log-query-in-metric-panel",
        dashboard(panel("timeseries", target('{app="a"}'), transformations=[{"id": "extractFields"}])),
        [],
    ),
    ("dashboard/log-query-in-metric-panel", dashboard(panel("table", target('{app="a"}'))), []),
    ("dashboard/log-query-in-metric-panel", dashboard(panel("stat", target('{app="a"}'))), []),
    ("dashboard/instant-query-in-time-series", dashboard(), []),
    (
        "dashboard/instant-query-in-time-series",
        dashboard(panel("timeseries", target(queryType="instant"))),
        ["query A of the time series"],
    ),
    ("dashboard/instant-query-in-time-series", dashboard(panel("stat", target(queryType="instant"))), []),
    ("dashboard/instant-query-in-time-series", dashboard(panel("timeseries", target(instant=True))), []),
    (
        "dashboard/instant-query-in-time-series",
        dashboard(
            panel("timeseries", {"refId": "B", "datasource": PROMETHEUS, "expr": "up", "instant": True})
        ),
        ["query B"],
    ),
    (
        "dashboard/instant-query-in-time-series",
        dashboard(panel("graph", target(queryType="instant"), xaxis={"mode": "series"})),
        [],
    ),
    ("dashboard/fixed-range", dashboard(), []),
    (
        "dashboard/fixed-range",
        dashboard(panel("timeseries", target('rate({app="a"}[5m])'))),
        ["the range [5m] stays"],
    ),
    ("dashboard/fixed-range", dashboard(panel("timeseries", target('rate({app="a"}[5m])', step="5m"))), []),
    ("dashboard/fixed-range", dashboard(panel("stat", target('rate({app="a"}[5m])'))), []),
    ("dashboard/fixed-range", dashboard(panel("timeseries", target('rate({app="a"}[$window])'))), []),
    ("dashboard/fixed-range", dashboard(panel("timeseries", target('rate({app="a"}[5m] offset 1d)'))), []),
    (
        "dashboard/annotation-metric-query",
        dashboard(annotations={"list": [{"name": "x", "datasource": LOKI, "expr": 'rate({app="a"}[5m])'}]}),
        ["this query gives numbers"],
    ),
    (
        "dashboard/annotation-metric-query",
        dashboard(annotations={"list": [{"name": "x", "datasource": LOKI, "expr": '{app="a"} |= "deploy"'}]}),
        [],
    ),
    ("dashboard/max-lines-without-effect", dashboard(), []),
    (
        "dashboard/max-lines-without-effect",
        dashboard(panel("timeseries", target(maxLines=10))),
        ["does nothing"],
    ),
    ("dashboard/max-lines-without-effect", dashboard(panel("logs", target('{app="a"}', maxLines=10))), []),
    (
        "dashboard/promql",
        dashboard(panel("stat", {"datasource": PROMETHEUS, "expr": "sum(rate(x[$__rate_interval])) by (y"})),
        ["this is not PromQL"],
    ),
    (
        "dashboard/promql",
        dashboard(
            panel("stat", {"datasource": PROMETHEUS, "expr": 'sum(rate(x{a="$app"}[$__rate_interval]))'})
        ),
        [],
    ),
    (
        "dashboard/promql",
        dashboard(panel("stat", {"datasource": PROMETHEUS, "expr": "$metric > $limit ("})),
        [],
    ),
    ("dashboard/undefined-variable", dashboard(USES_APP, variables=[variable("app")]), []),
    (
        "dashboard/undefined-variable",
        dashboard(USES_APP, variables=[variable("apps")]),
        ['no variable "app"'],
    ),
    ("dashboard/undefined-variable", dashboard(panel(datasource={"uid": "${ds}"})), ['no variable "ds"']),
    ("dashboard/undefined-variable", dashboard(panel(datasource="${DS}"), __inputs=[{"name": "DS"}]), []),
    (
        "dashboard/undefined-variable",
        dashboard(panel("logs", target('{a="b"} | line_format "{{ $x := .y }}"'))),
        [],
    ),
    ("dashboard/undefined-variable", dashboard(panel("logs", target('{a="b"} |~ "error$" |= "US$5"'))), []),
    (
        "dashboard/undefined-variable",
        dashboard(panel("stat", {"datasource": {"type": "mysql"}, "expr": "$x"})),
        [],
    ),
    ("dashboard/undefined-variable", dashboard(panel(repeat="host")), ['no variable "host"']),
    (
        "dashboard/undefined-variable",
        dashboard(panel("logs", target('{a="$__user"} |= "${__from:date}"'))),
        [],
    ),
    ("dashboard/unused-variable", dashboard(USES_APP, variables=[variable("app")]), []),
    ("dashboard/unused-variable", dashboard(variables=[variable("app")]), ['uses the variable "app"']),
    ("dashboard/unused-variable", dashboard(panel(repeat="app"), variables=[variable("app")]), []),
    ("dashboard/unused-variable", dashboard(panel(title="of [[app]]"), variables=[variable("app")]), []),
    ("dashboard/unused-variable", dashboard(variables=[variable("f", "adhoc")]), []),
    ("dashboard/unused-variable", dashboard(variables=[variable("app")], links=[{"includeVars": True}]), []),
    (
        "dashboard/unused-variable",
        dashboard(
            USES_APP, variables=[variable("env"), variable("app", query='label_values({env="$env"}, app)')]
        ),
        [],
    ),
    (
        "dashboard/multi-value-in-equality",
        dashboard(panel("logs", target('{app="$app"}')), variables=[variable("app", multi=True)]),
        ['"$app" can be several values'],
    ),
    (
        "dashboard/multi-value-in-equality",
        dashboard(
            panel("logs", target('{x="y", app!="${app}"}')), variables=[variable("app", includeAll=True)]
        ),
        ['"$app" can be All'],
    ),
    (
        "dashboard/multi-value-in-equality",
        dashboard(
            panel("logs", target('{app="a"} | json | x="$app"')),
            variables=[variable("app", "custom", multi=True)],
        ),
        ['"$app" can be several values'],
    ),
    (
        "dashboard/multi-value-in-equality",
        dashboard(
            panel("logs", target('{app="a"} |= "$app" != "${app}" |~ "$app" |= "${app:pipe}"')),
            variables=[variable("app", "custom", multi=True)],
        ),
        ['"$app" can be several values', "!= looks for that text"],
    ),
    (
        "dashboard/range-in-range-query",
        dashboard(panel("stat", target('sum(count_over_time({app="a"}[$__range]))'))),
        ["the panel shows one point of it"],
    ),
    (
        "dashboard/range-in-range-query",
        dashboard(panel("timeseries", target('sum(count_over_time({app="a"}[${__range_s}s]))'))),
        ["each point counts a whole time range"],
    ),
    (
        "dashboard/range-in-range-query",
        dashboard(panel("stat", target('sum(count_over_time({app="a"}[$__range]))', queryType="instant"))),
        [],
    ),
    (
        "dashboard/range-in-range-query",
        dashboard(panel("stat", target('sum(count_over_time({app="a"}[$__auto])) / $__range_s'))),
        [],
    ),
    *(
        (
            "dashboard/reduced-table",
            dashboard(panel(kind, target(TOP, queryType="instant"))),
            ["its last row only"],
        )
        for kind in ("bargauge", "stat", "gauge", "piechart")
    ),
    (
        "dashboard/reduced-table",
        dashboard(panel("stat", target(TOP, instant=True, queryType=""))),
        ["last row"],
    ),
    ("dashboard/reduced-table", dashboard(panel("bargauge", target(TOP))), []),
    ("dashboard/reduced-table", dashboard(panel("table", target(TOP, queryType="instant"))), []),
    ("dashboard/reduced-table", dashboard(panel("stat", target(queryType="instant"))), []),
    (
        "dashboard/reduced-table",
        dashboard(
            panel("stat", target(TOP, queryType="instant"), options={"reduceOptions": {"values": True}}),
            panel("stat", target(TOP, queryType="instant"), transformations=[{"id": "labelsToFields"}]),
        ),
        [],
    ),
    *(
        (
            "dashboard/reduced-table",
            dashboard(panel("stat", target(TOP, queryType="instant"), transformations=[item])),
            ["its last row only"],
        )
        for item in ({"id": "organize"}, {"id": "labelsToFields", "disabled": True})
    ),
    (
        "dashboard/reduced-table",
        dashboard(panel("bargauge", {**promql("sum by (job) (up)"), "format": "table", "instant": True})),
        ["one table of a query in the format table"],
    ),
    (
        "dashboard/reduced-table",
        dashboard(
            panel("bargauge", {**promql("sum by (job) (up)"), "instant": True}),
            panel("bargauge", {**promql("sum(up)"), "format": "table", "instant": True}),
            panel("table", {**promql("sum by (job) (up)"), "format": "table", "instant": True}),
            panel("stat", {**promql("sum by (job) (up)"), "format": "table"}),
            panel("gauge", {**promql('up{instance="$node"}'), "format": "table", "instant": True}),
            panel(
                "gauge",
                {**promql("sum by (job) (up)"), "format": "table", "instant": True},
                transformations=[{"id": "calculateField"}],
            ),
            panel(
                "stat",
                {**promql("build_info"), "format": "table", "instant": True},
                options={"reduceOptions": {"fields": "/^version$/", "calcs": ["lastNotNull"]}},
            ),
        ),
        [],
    ),
    ("dashboard/no-data-looks-healthy", dashboard(health(noValue="silent")), ['shows "silent"']),
    ("dashboard/no-data-looks-healthy", dashboard(health(noValue="silent", mappings=[NULL_IS_GRAY])), []),
    ("dashboard/no-data-looks-healthy", dashboard(health(noValue="silent", color={"mode": "fixed"})), []),
    ("dashboard/no-data-looks-healthy", dashboard(health()), []),
    (
        "dashboard/no-data-looks-healthy",
        dashboard(health(target('sum(count_over_time({app="a"}[5m])) or vector(0)'))),
        ["makes 0 of no data"],
    ),
    (
        "dashboard/no-data-looks-healthy",
        dashboard(panel("timeseries", target('sum(count_over_time({app="a"}[5m])) or vector(0)'))),
        [],
    ),
    *(
        ("dashboard/no-data-looks-healthy", dashboard(health(mappings=[mapping])), expected)
        for mapping, expected in (
            # A mapping without a color leaves that of the first threshold.
            ({"type": "special", "options": {"match": "null", "result": {"text": "N/A"}}}, ['shows "N/A"']),
            (
                {
                    "type": "special",
                    "options": {"match": "null+nan", "result": {"text": "-", "color": "green"}},
                },
                ['shows "-"'],
            ),
            ({"type": "special", "options": {"match": "nan", "result": {"text": "N/A"}}}, []),
            ({"type": "value", "options": {"0": {"text": "none"}}}, []),
        )
    ),
    *(
        ("dashboard/no-data-looks-healthy", dashboard(health(promql(expr))), expected)
        for expr, expected in (
            ("sum(rate(a[5m])) or vector(0)", ["makes 0 of no data"]),
            ("sum(rate(a[5m]) or vector(0))", ["makes 0 of no data"]),
            ('sum(rate(a{b="$c"}[$__rate_interval])) OR on() vector(0)', ["makes 0 of no data"]),
            ("sum(rate(a[5m])) or vector(1)", []),
            ("sum(rate(a[5m])) or sum(rate(b[5m])) * 0", []),
        )
    ),
    # Each was looked at in Grafana 12.2, with an empty answer of Loki and of Prometheus.
    *(
        (
            "dashboard/no-value-not-shown",
            dashboard(panel(kind, *queries, fieldConfig={"defaults": {"noValue": "all is well"}})),
            expected,
        )
        for kinds, queries, expected in (
            (
                ("logs", "heatmap", "histogram", "nodeGraph", "traces", "flamegraph", "alertlist"),
                (),
                ['never shows "all is well"'],
            ),
            (("stat", "gauge", "bargauge", "timeseries", "table", "barchart", "piechart"), (), []),
            (("state-timeline", "status-history"), (), []),
            (("state-timeline", "status-history"), (promql("up"),), ['never shows "all is well"']),
        )
        for kind in kinds
    ),
    (
        "dashboard/too-many-series",
        dashboard(panel("table", target('topk(5, max by (trace_id) (rate({app="a"}[5m])))'))),
        ["grouping by trace_id"],
    ),
    ("dashboard/too-many-series", dashboard(panel("table", target(TOP))), []),
    *(
        ("dashboard/too-many-series", dashboard(panel("timeseries", target(expr))), expected)
        for expr, expected in (
            ('count_over_time({app="a"} | json [$__auto])', ["each combination of the parsed fields"]),
            (
                'topk(5, max_over_time({app="a"} | logfmt | unwrap d [$__auto]))',
                ["each combination of the parsed"],
            ),
            ('sum by (a) (count_over_time({app="a"} | json [$__auto]))', []),
            ('max_over_time({app="a"} | json | unwrap d [$__auto]) by (a)', []),
            ('count_over_time({app="a"} | json level="level" [$__auto])', []),
            ('count_over_time({app="a"} | json | keep level [$__auto])', []),
            ('absent_over_time({app="a"} | json [$__auto])', []),
            ('rate({app="a"} [$__auto])', []),
        )
    ),
    (
        "dashboard/unfilled-variable",
        dashboard(panel("traces", {"refId": "A", "datasource": {"type": "jaeger"}, "query": "$trace"})),
        ["asks Jaeger for the trace $trace"],
    ),
    (
        "dashboard/unfilled-variable",
        dashboard(panel("traces", {"refId": "A", "datasource": {"type": "tempo"}, "query": "$trace"})),
        [],
    ),
    (
        "dashboard/encoded-variable",
        dashboard(
            panel(links=[{"url": "/explore?q=%24app&r=%24%7Bapp%7D&s=%24other&t=${app}"}]),
            variables=[variable("app")],
        ),
        ["%24app is plain text", "%24%7Bapp is plain text"],
    ),
    ("dashboard/encoded-variable", dashboard(panel(links=[{"url": "/explore?q=%24other&t=${app}"}])), []),
    (
        "dashboard/encoded-variable",
        dashboard(
            panel(links=[{"url": "/explore?q=%5B%5Bapp%5D%5D&r=%24%7B__value.raw%7D"}]),
            variables=[variable("app")],
        ),
        ["%5B%5Bapp is plain text", "%24%7B__value is plain text"],
    ),
    # Explore itself fills the macros of a query.
    (
        "dashboard/encoded-variable",
        dashboard(
            panel(links=[{"url": "/explore?q=%5B%24__auto%5D&r=%5B%24__interval%5D&s=%24%7B__range_s%7D"}])
        ),
        [],
    ),
    (
        "dashboard/estimate-in-link",
        dashboard(
            panel(
                "timeseries",
                promql("histogram_quantile(0.99, sum by (le) (rate(d_bucket[5m])))"),
                links=[{"url": "/x?q=d%20%3E%20${__value.numeric}"}, {"url": "/x?q=d > 5000"}],
            )
        ),
        ["is a quantile estimated from buckets"],
    ),
    (
        "dashboard/estimate-in-link",
        dashboard(panel("timeseries", promql("max(d)"), links=[{"url": "/x?q=d > ${__value.numeric}"}])),
        [],
    ),
    *(
        ("dashboard/estimate-in-link", dashboard(panel(kind, *targets, **where)), expected)
        for kind, targets, where, expected in (
            # The value goes along in other words, and beside queries that are exact.
            ("stat", [ESTIMATE], links_to("/d/x?var-slower_than=${__value.raw}"), ["estimated from buckets"]),
            (
                "timeseries",
                [ESTIMATE, {**promql("max(d)"), "refId": "B"}],
                links_to("/x?q=d > ${__value.raw}"),
                ["estimated"],
            ),
            (
                "timeseries",
                [ESTIMATE],
                links_to("/explore?minDuration%22%3A%22${__value.text}ms"),
                ["estimated"],
            ),
            ("timeseries", [ESTIMATE], links_to("/x?from=${__value.time}&q=d > 5000"), []),
            ("table", [ESTIMATE], links_to("/d/x?var-service=${__value.raw}"), []),
            (
                "timeseries",
                [ESTIMATE, {**promql("max(d)"), "refId": "B"}],
                override_links_to("B", "/x?q=d > ${__value.raw}"),
                [],
            ),
            (
                "timeseries",
                [ESTIMATE, {**promql("max(d)"), "refId": "B"}],
                override_links_to("A", "/x?q=d > ${__value.raw}"),
                ["estimated"],
            ),
        )
    ),
    (
        "dashboard/annotation-line-limit",
        dashboard(
            annotations={"list": [{"datasource": LOKI, "expr": '{a="b"}', "maxLines": 100, "enable": True}]}
        ),
        ["the newest 100 lines only"],
    ),
    (
        "dashboard/annotation-line-limit",
        dashboard(annotations={"list": [{"datasource": LOKI, "expr": '{a="b"}', "enable": True}]}),
        [],
    ),
    (
        "dashboard/legend-label",
        dashboard(panel("timeseries", {**promql("sum by (x) (rate(a[5m]))"), "legendFormat": "{{pod}}"})),
        ["the legend names pod"],
    ),
    (
        "dashboard/legend-label",
        dashboard(panel("timeseries", {**promql("sum(rate(a[5m])) by (x)"), "legendFormat": "{{pod}}"})),
        ["the legend names pod"],
    ),
    (
        "dashboard/legend-label",
        dashboard(
            panel(
                "timeseries",
                {**promql("sum by (x) (a) / on (x) group_left (pod) (b)"), "legendFormat": "{{pod}}"},
            )
        ),
        [],
    ),
    *(
        (
            "dashboard/legend-label",
            dashboard(panel("timeseries", {**promql(expr), "legendFormat": "{{pod}}"})),
            [f"it returns {labels}"] if labels else [],
        )
        for expr, labels in (
            ("sum(rate(a[5m]))", "no labels"),
            ("topk(5, sum by (x) (a))", "x"),
            ("100 * sum by (x) (a) / sum by (x) (b)", "x"),
            ("sum by (x) (a) / on (x) sum by (x, pod) (b)", "x"),
            ("histogram_quantile(0.9, sum by (le, x) (rate(a_bucket[$__rate_interval])))", "x"),
            ("sum by (x, pod) (a) / ignoring (pod) sum by (x) (b)", "x"),
            ('label_replace(sum by (x) (a), "y", "$1", "x", "(.*)")', "x, y"),
            ('count_values("version", a)', "version"),
            ("sum by (x) (a) or sum by (y) (b)", "x, y"),
            ("sum by (x) (a) > 5", "x"),
            # These have it, or may have it.
            ("rate(a[5m])", ""),
            ("sum without (x) (a)", ""),
            ("topk(5, a)", ""),
            ("sum by (x) (a) * on (x) group_left (pod) b", ""),
            ('label_replace(sum by (x) (a), "pod", "$1", "x", "(.*)")', ""),
            ("sum by (x) (a) or b", ""),
            ("sum by ($by) (a)", ""),
            ("a / ignoring (x) b", ""),
        )
    ),
    *(
        ("dashboard/link-label", dashboard(panel("timeseries", *queries, **where)), expected)
        for queries, where, expected in (
            ([BY_LEVEL, ALL], links_to(LEVEL_LINK), ['query B of "Panel" returns no label level']),
            ([BY_LEVEL, METRIC], links_to(LEVEL_LINK), ['query C of "Panel" returns no label level']),
            ([BY_LEVEL, ALL], override_links_to("B", LEVEL_LINK), ["query B"]),
            ([BY_LEVEL, ALL], override_links_to("A", LEVEL_LINK), []),
            ([BY_LEVEL], links_to(LEVEL_LINK), []),
            ([BY_LEVEL, ALL], links_to(LEVEL_LINK, other="B"), []),
            ([BY_LEVEL, ALL], links_to(LEVEL_LINK, other="A"), ["query B"]),
            ([BY_LEVEL, {**ALL, "hide": True}], links_to(LEVEL_LINK), []),
            ([target('rate({app="a"}[$__auto])')], links_to(LEVEL_LINK), []),
            ([ALL], links_to("/x?q=${__value.raw}"), []),
        )
    ),
    ("dashboard/numeric-step", dashboard(panel("timeseries", target(step=10))), ['"step": 10 is a number']),
    ("dashboard/numeric-step", dashboard(panel("timeseries", target(step="10s"))), []),
    ("dashboard/numeric-step", dashboard(panel("timeseries", {**promql("up"), "step": 10})), []),
    (
        "dashboard/legend-label",
        dashboard(
            panel("timeseries", target('sum by (x) (rate({app="a"}[$__auto]))', legendFormat="{{pod}}"))
        ),
        ["the legend names pod, which the query does not return (it returns x)"],
    ),
    (
        "dashboard/legend-label",
        dashboard(panel("timeseries", target(legendFormat="{{ pod }} lines"))),
        ["it returns no labels"],
    ),
    (
        "dashboard/legend-label",
        dashboard(panel("timeseries", target('sum by (x) (rate({app="a"}[$__auto]))', legendFormat="{{x}}"))),
        [],
    ),
    (
        "dashboard/legend-label",
        dashboard(
            panel("timeseries", target('sum by ($by) (rate({app="a"}[$__auto]))', legendFormat="{{pod}}"))
        ),
        [],
    ),
    (
        "dashboard/legend-label",
        dashboard(panel("timeseries", target('rate({app="a"}[$__auto])', legendFormat="{{pod}}"))),
        [],
    ),
    ("dashboard/multi-value-in-equality", dashboard(USES_APP, variables=[variable("app", multi=True)]), []),
    (
        "dashboard/multi-value-in-equality",
        dashboard(panel("logs", target('{app="$app"}')), variables=[variable("app")]),
        [],
    ),
    (
        "dashboard/all-value-matches-empty",
        dashboard(USES_APP, variables=[variable("app", includeAll=True, allValue=".*")]),
        ['when "All" is chosen for "app" (.*)'],
    ),
    (
        "dashboard/all-value-matches-empty",
        dashboard(USES_APP, variables=[variable("app", includeAll=True, allValue=".+")]),
        [],
    ),
    (
        "dashboard/all-value-matches-empty",
        dashboard(
            panel("logs", target('{app=~"$app", env="prod"}')),
            variables=[variable("app", includeAll=True, allValue=".*")],
        ),
        [],
    ),
    (
        "dashboard/all-value-matches-empty",
        dashboard(USES_APP, variables=[variable("app", includeAll=True)]),
        [],
    ),
    ("dashboard/variable-refresh", dashboard(USES_APP, variables=[variable("app")]), []),
    (
        "dashboard/variable-refresh",
        dashboard(USES_APP, variables=[variable("app", refresh=1)]),
        ["keeps its values"],
    ),
    (
        "dashboard/variable-refresh",
        dashboard(variables=[variable("x", refresh=1, datasource=PROMETHEUS)]),
        [],
    ),
    ("dashboard/datasource-by-name", dashboard(), []),
    (
        "dashboard/datasource-by-name",
        dashboard(panel(datasource="Loki"), panel(datasource="Loki")),
        ['"Loki" is chosen'],
    ),
    ("dashboard/datasource-by-name", dashboard(panel(datasource="-- Mixed --"), panel(datasource="$ds")), []),
    (
        "dashboard/broken-link",
        dashboard(links=[{"title": "x", "type": "link", "url": "https://example.com"}]),
        [],
    ),
    (
        "dashboard/broken-link",
        dashboard(links=[{"title": "x", "type": "link", "url": ""}]),
        ['the link "x" has no url'],
    ),
    ("dashboard/broken-link", dashboard(links=[{"type": "dashboards", "tags": ["loki"]}]), []),
    ("dashboard/broken-link", dashboard(panel(links=[{"url": "/d/elsewhere"}])), []),
    ("dashboard/datasource-variable", dashboard(), ['"loki" is written into the panels']),
    (
        "dashboard/datasource-variable",
        dashboard(panel("stat", target(datasource={"uid": "${ds}"}), datasource={"uid": "${ds}"})),
        [],
    ),
    ("dashboard/editable", dashboard(), ["lose their work with the next upload"]),
    ("dashboard/editable", dashboard(editable=False), []),
    ("dashboard/required-matchers", dashboard(), []),
    (
        "dashboard/rate-interval",
        dashboard(panel("timeseries", promql("rate(x[5m])"))),
        ["[5m] stays the same"],
    ),
    ("dashboard/rate-interval", dashboard(panel("timeseries", promql("rate(x[$__rate_interval])"))), []),
    ("dashboard/rate-interval", dashboard(panel("stat", promql("rate(x[5m])"))), []),
    (
        "dashboard/counter-without-rate",
        dashboard(panel("timeseries", promql("sum(x_total)"))),
        ["x_total is a counter"],
    ),
    ("dashboard/counter-without-rate", dashboard(panel("timeseries", promql("rate(x_total[5m])"))), []),
    ("dashboard/counter-without-rate", dashboard(panel("timeseries", promql('up{a="x_total"}'))), []),
    ("dashboard/counter-without-rate", dashboard(panel("stat", promql("sum(x_total)"))), []),
]


@pytest.mark.parametrize(
    "check, data, expected", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_case(check: str, data: dict[str, Any], expected: list[str]) -> None:
    messages = lint_dashboard(data, check)
    assert len(messages) == len(expected), messages
    for message, part in zip(messages, expected, strict=True):
        assert part in message


def test_labels_that_every_query_must_name() -> None:
    options = {"labels": ["app", "env"]}
    messages = lint_dashboard(dashboard(), "dashboard/required-matchers", options)
    assert messages == ["the selector does not name env"]
    good = dashboard(panel("logs", target('{app="a", env=~"$env"}')))
    assert lint_dashboard(good, "dashboard/required-matchers", options) == []


CONFIGURED = {"dashboard/required-matchers"}
IN_PROJECTS = {
    "dashboard/duplicate-uid",
    "dashboard/import-placeholder",
    "dashboard/unknown-datasource",
    "dashboard/unknown-library-panel",
}


def test_every_check_has_a_failing_and_a_passing_case() -> None:
    assert CHECKS
    for check in CHECKS:
        cases = [case for case in CASES if case[0] == check.name]
        if check.name not in IN_PROJECTS:
            assert any(case[2] for case in cases) or check.name in CONFIGURED, check.name
            assert any(not case[2] for case in cases), check.name


PLACES = [
    ("dashboard/uid", dashboard(uid="a b"), '"a b"'),
    ("dashboard/fixed-range", dashboard(panel("timeseries", target('rate({app="a"}[5m])'))), "[5m]"),
    ("dashboard/undefined-variable", dashboard(USES_APP), "$app"),
    ("dashboard/ref-id", dashboard(panel("timeseries", target(), target())), '"A"'),
    (
        "dashboard/multi-value-in-equality",
        dashboard(panel("logs", target('{x="y", app="$app"}')), variables=[variable("app", multi=True)]),
        'app=\\"$app\\"',
    ),
]


@pytest.mark.parametrize("check, data, expected", PLACES, ids=[case[0] for case in PLACES])
def test_findings_point_at_the_part_they_speak_of(check: str, data: dict[str, Any], expected: str) -> None:
    text = json.dumps(data, indent=1)
    (finding,) = lint_text(text, "d.json", Settings(select=(check,))).findings
    position = finding.position
    assert position.line == position.end_line
    assert text.splitlines()[position.line - 1][position.column - 1 : position.end_column - 1] == expected


def test_a_good_dashboard_has_no_findings_at_all() -> None:
    good = dashboard(at(0, 0, id=1), at(12, 0, id=2), at(0, 8, id=3), variables=[])
    settings = Settings(select=("dashboard",), ignore=("dashboard/datasource-variable", "dashboard/editable"))
    report = lint_text(json.dumps(good), "good.json", settings)
    assert [finding.message for finding in report.findings] == []
