"""What a panel shows of its answer: one row of a table, a color of health, a text for no data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.dashboard_json import Json, as_dict, as_list, is_text, panel_name
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Query, QueryCheck, QueryKind
from lokictl.logql import ast

REDUCED = ("stat", "gauge", "bargauge", "piechart")
"""Panels that show one value of each field, or all rows with ``reduceOptions.values``."""

COLORED = ("stat", "gauge", "bargauge")
WITHOUT_NO_VALUE = ("logs", "heatmap", "nodeGraph", "traces", "alertlist")
HEALTHY = (
    *("green", "dark-green", "semi-dark-green", "light-green", "super-light-green"),
    *("#73bf69", "#299c46", "#37872d", "#56a64b", "#96d98d", "rgba(50, 172, 45, 0.97)"),
)


def is_instant(target: Json) -> bool:
    """Whether a query to Loki is an instant query."""
    if target.get("queryType"):
        return bool(target["queryType"] == "instant")
    return target.get("instant") is True and target.get("range") is not True


class ReducedTable(QueryCheck):
    name = "dashboard/reduced-table"
    severity = Severity.WARNING
    summary = "a bar gauge, stat or gauge that shows one nameless number of an instant query with many"

    def check(self, query: Query) -> Iterator[Finding]:
        panel, target = query.panel or {}, query.target or {}
        if query.kind != QueryKind.PANEL or panel.get("type") not in REDUCED or target.get("hide") is True:
            return
        if not is_instant(target) or panel.get("transformations") or query.dashboard is None:
            return
        if as_dict(as_dict(panel.get("options")).get("reduceOptions")).get("values") is True:
            return
        if not isinstance(query.expression, ast.MetricExpr):
            return
        labels = query.labels
        if labels.names or labels.open:
            yield self.finding(
                query.place(),
                f"Grafana makes one table of an instant query, and the {panel.get('type')} {panel_name(panel)} "
                "shows its last row only, without a name",
                hint='set options.reduceOptions to {"values": true, "calcs": [], "fields": "/^Value/"}',
            )


class NoDataLooksHealthy(DashboardCheck):
    name = "dashboard/no-data-looks-healthy"
    severity = Severity.WARNING
    summary = "a panel that shows the color of health when there is no data"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            if not _shows_health(panel):
                continue
            defaults = as_dict(as_dict(panel.get("fieldConfig")).get("defaults"))
            text = defaults.get("noValue")
            if is_text(text) and not _maps_null(defaults):
                background = str(as_dict(panel.get("options")).get("colorMode", "")).startswith("background")
                certain = background and _SILENCE.search(str(text)) is not None
                yield self.finding(
                    dashboard.place(*path, "fieldConfig", "defaults", "noValue"),
                    f'without data the {panel.get("type")} {panel_name(panel)} shows "{text}" in the color of health',
                    hint='add a mapping of null to a neutral color: {"type": "special", "options": '
                    '{"match": "null", "result": {"text": "…", "color": "text"}}}',
                    severity=None if certain else Severity.INFO,
                )
        for query in dashboard.queries:
            panel = query.panel or {}
            if query.kind == QueryKind.PANEL and _shows_health(panel) and _zero_for_nothing(query.expression):
                yield self.finding(
                    query.place(),
                    f"`or vector(0)` makes 0 of no data, and 0 is the color of health in {panel_name(panel)}",
                    hint="leave it out and map null to a neutral color, or show 0 only where the service writes lines",
                    severity=Severity.INFO,
                    item=query.item,
                )


def _shows_health(panel: Json) -> bool:
    """Whether a panel is green below its first threshold."""
    if panel.get("type") not in COLORED:
        return False
    defaults = as_dict(as_dict(panel.get("fieldConfig")).get("defaults"))
    if as_dict(defaults.get("color")).get("mode", "thresholds") != "thresholds":
        return False
    if panel.get("type") == "stat" and as_dict(panel.get("options")).get("colorMode", "value") == "none":
        return False
    steps = [as_dict(step) for step in as_list(as_dict(defaults.get("thresholds")).get("steps"))]
    return len(steps) > 1 and str(steps[0].get("color", "")).lower() in HEALTHY


def _maps_null(defaults: Json) -> bool:
    for mapping in as_list(defaults.get("mappings")):
        match = str(as_dict(as_dict(mapping).get("options")).get("match", ""))
        if as_dict(mapping).get("type") == "special" and ("null" in match or match == "empty"):
            return True
    return False


_SILENCE = re.compile(
    r"silen|\bno (?:data|logs?|lines?|metrics?|values?|signal)\b|unknown|missing|\bdown\b|offline|n/?a\b|^[-–—?]+$",
    re.IGNORECASE,
)
"""Words for an absence; "no errors" may well be green."""


def _zero_for_nothing(expression: ast.Node | None) -> bool:
    match expression:
        case ast.BinaryOperation(operator="or"):
            return isinstance(expression.right, ast.VectorFunction) and expression.right.value == 0
        case ast.VectorAggregation():
            return _zero_for_nothing(expression.inner)
    return False


class NoValueNotShown(DashboardCheck):
    name = "dashboard/no-value-not-shown"
    severity = Severity.INFO
    summary = "text for no data in a panel type that never shows it"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, panel in dashboard.panels:
            text = as_dict(as_dict(panel.get("fieldConfig")).get("defaults")).get("noValue")
            if panel.get("type") in WITHOUT_NO_VALUE and is_text(text):
                yield self.finding(
                    dashboard.place(*path, "fieldConfig", "defaults", "noValue"),
                    f'a panel of type {panel.get("type")} never shows "{text}": it has its own words for no data',
                    hint="take it out, and say in the description what an empty panel means",
                )
