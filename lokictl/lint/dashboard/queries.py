"""Whether a panel's queries fit the panel."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Severity, suggestion
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import TIME_SERIES, Json, Target, as_dict, panel_name
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Query, QueryCheck, QueryKind
from lokictl.lint.promql import filled, promql_error, returned_labels
from lokictl.logql import semantics
from lokictl.logql.ast import (
    BinaryOperation,
    Expr,
    Grouping,
    JsonParser,
    KeepLabels,
    LabelReplace,
    LogExpr,
    LogfmtParser,
    LogRange,
    MetricExpr,
    Node,
    RangeAggregation,
    UnpackParser,
    VectorAggregation,
)
from lokictl.logql.grafana_variables import STAND_IN, variables

NEEDS_NUMBERS = (*TIME_SERIES, "gauge", "bargauge", "heatmap", "histogram")


def _is_hidden(query: Query) -> bool:
    return query.target is not None and query.target.get("hide") is True


def _panel(query: Query) -> Json:
    return query.panel or {}


class MetricQueryInLogsPanel(QueryCheck):
    name = "dashboard/metric-query-in-logs-panel"
    severity = Severity.ERROR
    summary = "a metric query in a logs panel: it shows no data"
    query_kinds = (QueryKind.PANEL,)
    wants = (MetricExpr,)

    def check(self, query: Query) -> Iterator[Finding]:
        if _panel(query).get("type") != "logs" or _is_hidden(query):
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
    query_kinds = (QueryKind.PANEL,)

    def check(self, query: Query) -> Iterator[Finding]:
        panel = _panel(query)
        if panel.get("type") not in NEEDS_NUMBERS or _is_hidden(query):
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
        for target in dashboard.targets:
            panel = target.panel
            if panel.get("type") not in TIME_SERIES or target.hidden or panel.get("transformations"):
                continue
            if not _is_instant(target) or as_dict(panel.get("xaxis")).get("mode", "time") != "time":
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
    query_kinds = (QueryKind.PANEL,)
    wants = (LogRange,)

    def check(self, query: Query) -> Iterator[Finding]:
        panel, target = _panel(query), query.target or {}
        if panel.get("type") not in TIME_SERIES or _is_hidden(query):
            return
        if target.get("queryType") == "instant" or target.get("step") or panel.get("interval"):
            return
        if query.text.count("[") == query.text.count("[$"):
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
    query_kinds = (QueryKind.PANEL,)
    wants = (MetricExpr,)

    def check(self, query: Query) -> Iterator[Finding]:
        target, panel = query.target or {}, _panel(query)
        if _is_hidden(query) or not isinstance(query.expression, MetricExpr):
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
        for target in dashboard.targets:
            step = target.data.get("step")
            if target.type == "loki" and isinstance(step, int | float) and not isinstance(step, bool):
                yield self.finding(
                    dashboard.place(*target.path, "step"),
                    f'"step": {step} is a number; Grafana 10 and newer read a string there, and the panel fails',
                    hint=f'write "step": "{step}s", or remove it',
                )


_LEGEND_LABEL = lazy_pattern(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class LegendLabel(DashboardCheck):
    name = "dashboard/legend-label"
    severity = Severity.WARNING
    summary = "a legend that names a label which the query does not return"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target in dashboard.targets:
            legend = target.data.get("legendFormat")
            if not isinstance(legend, str) or "{{" not in legend or target.hidden:
                continue
            names = labels_of_target(target, dashboard.expression_of(target))
            if names is None:
                continue
            for found in _LEGEND_LABEL.finditer(legend):
                name = found[1]
                if name not in names and not name.startswith("__"):
                    returned = ", ".join(sorted(names)) or "no labels"
                    yield self.finding(
                        dashboard.text_place((*target.path, "legendFormat"), *found.span()),
                        f"the legend names {name}, which the query does not return (it returns {returned})",
                        hint=suggestion(name, sorted(names), f"add {name} to the grouping, or remove it"),
                        item=f"{dashboard.item}, panel {target.panel.get('title') or target.panel.get('id')}",
                    )


def labels_of_target(target: Target, expression: Expr | None) -> frozenset[str] | None:
    """The labels that a query returns; None where that is not known."""
    text = target.data.get("expr")
    if isinstance(expression, MetricExpr):
        labels = semantics.labels_of(expression)
        names = None if labels.open else labels.names
    elif target.type == "prometheus" and isinstance(text, str):
        names = returned_labels(filled(text).text)
    else:
        return None
    unknown = names is None or any("$" in name or name.startswith(STAND_IN) for name in names)
    return None if unknown else names


class AnnotationQuery(QueryCheck):
    name = "dashboard/annotation-metric-query"
    severity = Severity.ERROR
    summary = "a metric query as annotation: only log queries make annotations"
    query_kinds = (QueryKind.ANNOTATION,)
    wants = (MetricExpr,)

    def check(self, query: Query) -> Iterator[Finding]:
        if isinstance(query.expression, MetricExpr):
            yield self.finding(
                query.place(),
                "an annotation is made of log lines; this query gives numbers",
                hint="use a log query that finds the lines to mark",
            )


class AnnotationLineLimit(QueryCheck):
    name = "dashboard/annotation-line-limit"
    severity = Severity.WARNING
    summary = "an annotation of log lines with a limit: it marks the newest ones only"
    query_kinds = (QueryKind.ANNOTATION,)

    def check(self, query: Query) -> Iterator[Finding]:
        target = query.target or {}
        limit = target.get("maxLines")
        if not isinstance(limit, int) or query.dashboard is None:
            return
        if isinstance(query.expression, MetricExpr):
            return  # reported by dashboard/annotation-metric-query
        yield self.finding(
            query.dashboard.place(*query.path[:-1], "maxLines"),
            f"the annotation marks the newest {limit} lines only: what began earlier seems to begin with them",
            hint="mark alerts instead of lines, or let the query find few lines",
            severity=None if target.get("enable", True) is True else Severity.INFO,
        )


UNBOUNDED = frozenset(
    (
        *("trace_id", "traceid", "span_id", "spanid", "request_id", "requestid", "req_id", "correlation_id"),
        *("transaction_id", "message_id", "uuid", "guid"),
    )
)
"""Labels with a value of its own for nearly every line."""


class TooManySeries(QueryCheck):
    name = "dashboard/too-many-series"
    severity = Severity.WARNING
    summary = "a series for each request, more than Loki returns"
    query_kinds = (QueryKind.PANEL,)
    wants = (MetricExpr,)

    def check(self, query: Query) -> Iterator[Finding]:
        if not isinstance(query.expression, MetricExpr):
            return
        for grouping in query.nodes(Grouping):
            found = next((name for name in grouping.labels if name.lower() in UNBOUNDED), None)
            if found is not None and not grouping.without:
                yield self.finding(
                    query.place(grouping),
                    f"grouping by {found} makes a series for each request; Loki refuses more than "
                    "max_query_series (500 by default), also inside topk",
                    hint="use a log query with a line limit in a table, which sorts by the value",
                )
                return
        for node in _ungrouped(query.expression):
            if _extracts_every_field(node.log_range.log):
                yield self.finding(
                    query.place(node),
                    "without a grouping each combination of the parsed fields is a series; Loki refuses more than "
                    "max_query_series (500 by default)",
                    hint=f"write sum by (…) ({node.operation}(…)), with the labels that the panel shows"
                    if node.operation in semantics.COUNTING
                    else "add by (…), with the labels that the panel shows",
                    severity=Severity.INFO,
                )
                return


def _ungrouped(node: Node | None) -> Iterator[RangeAggregation]:
    """The range aggregations whose own labels are those of the answer."""
    match node:
        case RangeAggregation(grouping=None):
            if node.operation != "absent_over_time":
                yield node
        case VectorAggregation():
            if node.operation in semantics.SELECTING:
                yield from _ungrouped(node.inner)
        case BinaryOperation():
            yield from _ungrouped(node.left)
            yield from _ungrouped(node.right)
        case LabelReplace():
            yield from _ungrouped(node.inner)


def _extracts_every_field(log: LogExpr) -> bool:
    """Whether all fields of a line become labels, and stay."""
    if any(isinstance(stage, KeepLabels) for stage in log.stages):
        return False
    return any(
        isinstance(stage, UnpackParser)
        or (isinstance(stage, JsonParser | LogfmtParser) and not stage.extractions)
        for stage in log.stages
    )


class UnfilledVariable(DashboardCheck):
    name = "dashboard/unfilled-variable"
    severity = Severity.INFO
    summary = "a variable in a query whose data source does not fill it"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target in dashboard.targets:
            text = target.data.get("query")
            if target.type != "jaeger" or not isinstance(text, str) or target.data.get("queryType"):
                continue
            for found in variables(text):
                yield self.finding(
                    dashboard.text_place((*target.path, "query"), *found.span),
                    f"Grafana 12.0 to 12.3 asks Jaeger for the trace {found.text} as it is written",
                    hint="add a link to Explore: a variable in a URL is filled",
                )


class MaxLinesWithoutEffect(QueryCheck):
    name = "dashboard/max-lines-without-effect"
    severity = Severity.INFO
    summary = "a line limit on a metric query, where it does nothing"
    query_kinds = (QueryKind.PANEL,)
    wants = (MetricExpr,)

    def check(self, query: Query) -> Iterator[Finding]:
        target = query.target or {}
        limit = target.get("maxLines")
        if isinstance(limit, int) and isinstance(query.expression, MetricExpr):
            dashboard = query.dashboard
            where = dashboard.place(*query.path[:-1], "maxLines") if dashboard is not None else query.place()
            yield self.finding(
                where,
                f'"maxLines": {limit} does nothing for a metric query',
                hint="remove it; topk(…) limits series",
            )


class PromQL(DashboardCheck):
    name = "dashboard/promql"
    severity = Severity.WARNING
    summary = "a query to Prometheus that is not PromQL"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target in dashboard.targets:
            expr = target.data.get("expr")
            if target.type != "prometheus" or not isinstance(expr, str) or not expr.strip():
                continue
            # What a dashboard's own variable holds outside of quotes is not known.
            query = filled(expr)
            if any(not found.in_text and not found.is_macro for found in query.variables):
                continue
            message = promql_error(query.text)
            if message:
                yield self.finding(
                    dashboard.place(*target.path, "expr"),
                    f"this is not PromQL: {message}",
                    hint="try it in Explore",
                )
