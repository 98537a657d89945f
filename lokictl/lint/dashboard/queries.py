"""Whether a panel's queries fit the panel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity, suggestion
from lokictl.lint.dashboard_json import TIME_SERIES, Json, Target, as_dict, panel_name, targets
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Query, QueryCheck, QueryKind
from lokictl.lint.promql import promql_error
from lokictl.logql import semantics
from lokictl.logql.expressions import LogExpr, LogRange, MetricExpr
from lokictl.logql.grafana_variables import STAND_IN, interpolate, variables

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


class RangeInRangeQuery(QueryCheck):
    name = "dashboard/range-in-range-query"
    severity = Severity.WARNING
    summary = "[$__range] in a range query: every point of it reads the whole time range again"

    def check(self, query: Query) -> Iterator[Finding]:
        target, panel = query.target or {}, _panel(query)
        if query.kind != QueryKind.PANEL or _is_hidden(query) or not isinstance(query.expression, MetricExpr):
            return
        if target.get("queryType") == "instant" or (target.get("instant") and not target.get("queryType")):
            return
        found = next(
            (item for item in query.filled.variables if item.in_range and item.name.startswith("__range")),
            None,
        )
        if found is None:
            return
        drawn = panel.get("type") in TIME_SERIES
        what = "each point counts a whole time range" if drawn else "the panel shows one point of it"
        hint = "write [$__auto]" if drawn else 'make the query instant ("queryType": "instant")'
        yield self.finding(
            query.source.place(*found.span),
            f"a range query with {found.text} reads the whole time range for every point, and {what}",
            hint=hint,
        )


class NumericStep(DashboardCheck):
    name = "dashboard/numeric-step"
    severity = Severity.WARNING
    summary = "a step that is a number, which the Loki data source of Grafana 10 and newer refuses"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target in targets(dashboard):
            step = target.data.get("step")
            if target.type == "loki" and isinstance(step, int | float) and not isinstance(step, bool):
                yield self.finding(
                    dashboard.place(*target.path, "step"),
                    f'"step": {step} is a number; Grafana 10 and newer read a string there, and the panel fails',
                    hint=f'write "step": "{step}s", or take it out',
                )


_LEGEND_LABEL = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class LegendLabel(QueryCheck):
    name = "dashboard/legend-label"
    severity = Severity.WARNING
    summary = "a legend that names a label which the query does not return"

    def check(self, query: Query) -> Iterator[Finding]:
        legend = (query.target or {}).get("legendFormat")
        if query.kind != QueryKind.PANEL or not isinstance(legend, str) or _is_hidden(query):
            return
        if not isinstance(query.expression, MetricExpr) or query.dashboard is None:
            return
        labels = semantics.labels_of(query.expression)
        if labels.open or any(name.startswith(STAND_IN) for name in labels.names):
            return
        for found in _LEGEND_LABEL.finditer(legend):
            name = found[1]
            if labels.lacks(name) and not name.startswith("__"):
                returned = ", ".join(sorted(labels.names)) or "no labels"
                yield self.finding(
                    query.dashboard.text_place((*query.path[:-1], "legendFormat"), *found.span()),
                    f"the legend names {name}, which the query does not return (it returns {returned})",
                    hint=suggestion(
                        name, sorted(labels.names), f"add {name} to the grouping, or leave it out"
                    ),
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
