"""Whether a panel's queries fit the panel."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.dashboard_json import TIME_SERIES, Json, Target, as_dict, panel_name, targets
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Query, QueryCheck, QueryKind
from lokictl.lint.promql import promql_error
from lokictl.logql.expressions import LogExpr, LogRange, MetricExpr

NEEDS_NUMBERS = (*TIME_SERIES, "gauge", "bargauge", "heatmap", "histogram")


def _is_hidden(query: Query) -> bool:
    return query.target is not None and query.target.get("hide") is True


def _panel(query: Query) -> Json:
    return query.panel or {}


class MetricQueryInLogsPanel(QueryCheck):
    name = "dashboard/metric-query-in-logs-panel"
    severity = Severity.ERROR
    summary = "a metric query in a logs panel: it shows no data"

    def check(self, query: Query) -> Iterator[Finding]:
        if query.kind != QueryKind.PANEL or _panel(query).get("type") != "logs" or _is_hidden(query):
            return
        if isinstance(query.expression, MetricExpr) and not _panel(query).get("transformations"):
            yield self.finding(
                query.place(),
                f"the logs panel {panel_name(_panel(query))} asks for numbers, which it cannot show",
                hint="use a log query ({…} | …), or a time series panel",
            )


class LogQueryInMetricPanel(QueryCheck):
    name = "dashboard/log-query-in-metric-panel"
    severity = Severity.WARNING
    summary = "a log query in a panel that draws numbers"

    def check(self, query: Query) -> Iterator[Finding]:
        panel = _panel(query)
        if query.kind != QueryKind.PANEL or panel.get("type") not in NEEDS_NUMBERS or _is_hidden(query):
            return
        if isinstance(query.expression, LogExpr) and not panel.get("transformations"):
            yield self.finding(
                query.place(),
                f"the {panel.get('type')} panel {panel_name(panel)} asks for lines; it needs numbers",
                hint=f"count them: sum(count_over_time({query.text.strip()[:60]} [$__auto]))"
                if len(query.text.strip()) <= 60
                else "count them: sum(count_over_time(… [$__auto])), or use a logs panel",
            )


class InstantQueryInTimeSeries(DashboardCheck):
    name = "dashboard/instant-query-in-time-series"
    severity = Severity.WARNING
    summary = "an instant query in a time series: it draws one point"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target in targets(dashboard):
            panel = target.panel
            if panel.get("type") not in TIME_SERIES or target.hidden or panel.get("transformations"):
                continue
            if as_dict(panel.get("xaxis")).get("mode", "time") != "time" or not _is_instant(target):
                continue
            key = "queryType" if target.data.get("queryType") == "instant" else "instant"
            yield self.finding(
                dashboard.place(*target.path, key),
                f"query {target.data.get('refId', target.index + 1)} of the time series {panel_name(panel)} is "
                "an instant query: it draws one point",
                hint='make it a range query ("queryType": "range"), or use a stat or table panel',
            )


def _is_instant(target: Target) -> bool:
    if target.type == "loki":
        if target.data.get("queryType"):
            return bool(target.data["queryType"] == "instant")
        return target.data.get("instant") is True and target.data.get("range") is not True
    if target.type == "prometheus":
        return (
            target.data.get("instant") is True
            and target.data.get("range") is not True
            and target.data.get("format") not in ("table", "heatmap")
        )
    return False


class FixedRange(QueryCheck):
    name = "dashboard/fixed-range"
    severity = Severity.INFO
    summary = "a fixed range in a graph, where $__auto follows the zoom"

    def check(self, query: Query) -> Iterator[Finding]:
        panel, target = _panel(query), query.target or {}
        if query.kind != QueryKind.PANEL or panel.get("type") not in TIME_SERIES or _is_hidden(query):
            return
        if target.get("queryType") == "instant" or target.get("step") or panel.get("interval"):
            return
        for log_range in query.nodes(LogRange):
            span = query.original(log_range.span)
            start, end = query.text.rfind("[", 0, span.end), query.text.rfind("]", 0, span.end) + 1
            written = query.text[start:end]
            if log_range.offset or start < 0 or "$" in written:
                continue
            yield self.finding(
                query.source.place(start, end),
                f"the range {written} stays the same however far people zoom: lines between two points are left "
                "out, or counted several times",
                hint="write [$__auto], or give the query a fixed step",
            )


class AnnotationQuery(QueryCheck):
    name = "dashboard/annotation-metric-query"
    severity = Severity.ERROR
    summary = "a metric query as annotation: only log queries make annotations"

    def check(self, query: Query) -> Iterator[Finding]:
        if query.kind == QueryKind.ANNOTATION and isinstance(query.expression, MetricExpr):
            yield self.finding(
                query.place(),
                "an annotation is made of log lines; this query gives numbers",
                hint="use a log query that finds the lines to mark",
            )


class MaxLinesWithoutEffect(QueryCheck):
    name = "dashboard/max-lines-without-effect"
    severity = Severity.INFO
    summary = "a line limit on a metric query, where it does nothing"

    def check(self, query: Query) -> Iterator[Finding]:
        target = query.target or {}
        limit = target.get("maxLines")
        if (
            query.kind == QueryKind.PANEL
            and isinstance(limit, int)
            and isinstance(query.expression, MetricExpr)
        ):
            dashboard = query.dashboard
            where = dashboard.place(*query.path[:-1], "maxLines") if dashboard is not None else query.place()
            yield self.finding(
                where,
                f'"maxLines": {limit} does nothing for a metric query',
                hint="take it out; topk(…) limits series",
            )


class PromQL(DashboardCheck):
    name = "dashboard/promql"
    severity = Severity.WARNING
    summary = "a query to Prometheus that is not PromQL"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        from lokictl.logql.grafana_variables import interpolate, variables

        for target in targets(dashboard):
            expr = target.data.get("expr")
            if target.type != "prometheus" or not isinstance(expr, str) or not expr.strip():
                continue
            # What a dashboard's own variable holds outside of quotes is not known.
            if any(not found.in_text and not found.is_macro for found in variables(expr)):
                continue
            message = promql_error(interpolate(expr).text)
            if message:
                yield self.finding(
                    dashboard.place(*target.path, "expr"),
                    f"this is not PromQL: {message}",
                    hint="try it in Explore",
                )
