"""What a panel shows of its answer: one row of a table, a color of health, a string for no data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import Json, as_dict, as_list, is_text, panel_name
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Place, QueryKind
from lokictl.lint.promql import filled, is_zero_for_nothing, returned_labels
from lokictl.logql import ast

REDUCED = ("stat", "gauge", "bargauge", "piechart")
"""Panels that show one value of each field, or all rows with ``reduceOptions.values``."""

COLORED = ("stat", "gauge", "bargauge")
WITHOUT_NO_VALUE = (
    *("logs", "heatmap", "histogram", "nodeGraph", "traces", "flamegraph", "trend", "geomap", "canvas"),
    *("alertlist", "annolist"),
)
STATES = ("state-timeline", "status-history")
"""Panels that show it for an empty answer of Loki, and not for one of Prometheus, which has no field of times."""

HEALTHY = (
    *("green", "dark-green", "semi-dark-green", "light-green", "super-light-green"),
    *("#73bf69", "#299c46", "#37872d", "#56a64b", "#96d98d", "rgba(50, 172, 45, 0.97)"),
)


def is_instant(target: Json) -> bool:
    """Whether a query to Loki is an instant query."""
    if target.get("queryType"):
        return bool(target["queryType"] == "instant")
    return target.get("instant") is True and target.get("range") is not True


STAYS_A_TABLE = frozenset(
    (
        "organize",
        "renameByRegex",
        "merge",
        "convertFieldType",
        "filterFieldsByName",
        "sortBy",
    )
)
"""Transformations that leave one table with its rows."""


def shows_one_row(panel: Json, target: Json) -> bool:
    """Whether a panel reduces the table that a query answers with to its last row."""
    if panel.get("type") not in REDUCED:
        return False
    transformations = [as_dict(item) for item in as_list(panel.get("transformations"))]
    reduce = as_dict(as_dict(panel.get("options")).get("reduceOptions"))
    fields = str(reduce.get("fields") or "")
    return (
        target.get("hide") is not True
        and all(item.get("disabled") is True or item.get("id") in STAYS_A_TABLE for item in transformations)
        and reduce.get("values") is not True
        # A field that is chosen by name is text to show, such as a version.
        and (not fields or "Value" in fields or fields == "/.*/")
    )


class ReducedTable(DashboardCheck):
    name = "dashboard/reduced-table"
    severity = Severity.WARNING
    summary = "a bar gauge, stat or gauge that shows one nameless number of an instant query with many"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for query in dashboard.queries:
            panel, target = query.panel or {}, query.target or {}
            if query.kind != QueryKind.PANEL or not shows_one_row(panel, target) or not is_instant(target):
                continue
            if isinstance(query.expression, ast.MetricExpr) and (query.labels.names or query.labels.open):
                yield self._finding(query.place(), panel, "an instant query", item=query.item)
        for metric in dashboard.targets:
            data = metric.data
            if metric.type != "prometheus" or data.get("format") != "table" or not is_instant(data):
                continue
            # A metric as it is may well have one series, of one machine for instance.
            if shows_one_row(metric.panel, data) and returned_labels(
                filled(str(data.get("expr") or "")).text
            ):
                place = dashboard.place(*metric.path, "format")
                yield self._finding(place, metric.panel, "a query in the format table")

    def _finding(self, place: Place, panel: Json, query: str, *, item: str = "") -> Finding:
        return self.finding(
            place,
            f"Grafana makes one table of {query}, and the {panel.get('type')} {panel_name(panel)} "
            "shows its last row only, without a name",
            hint='set options.reduceOptions to {"values": true, "calcs": [], "fields": "/^Value/"}',
            item=item,
        )


class NoDataLooksHealthy(DashboardCheck):
    name = "dashboard/no-data-looks-healthy"
    severity = Severity.WARNING
    summary = "a panel that looks healthy when there is no data"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        healthy = [(path, panel) for path, panel in dashboard.panels if _shows_health(panel)]
        if not healthy:
            return
        for path, panel in healthy:
            found = _text_without_data(panel)
            if found is not None:
                where, text = found
                background = str(as_dict(panel.get("options")).get("colorMode", "")).startswith("background")
                certain = background and _SILENCE.search(text) is not None
                yield self.finding(
                    dashboard.place(*path, *where),
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
                    hint="remove it and map null to a neutral color, or show 0 only where the service writes lines",
                    severity=Severity.INFO,
                    item=query.item,
                )
        for metric in dashboard.targets:
            if metric.type != "prometheus" or not _shows_health(metric.panel):
                continue
            if is_zero_for_nothing(filled(str(metric.data.get("expr") or "")).text):
                yield self.finding(
                    dashboard.place(*metric.path, "expr"),
                    f"`or vector(0)` makes 0 of no data, and 0 is the color of health in {panel_name(metric.panel)}",
                    hint="remove it and map null to a neutral color, or show 0 only where its parent has data",
                    severity=Severity.INFO,
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


def _text_without_data(panel: Json) -> tuple[Path, str] | None:
    """(where, text) that a panel shows for a value that is not there, unless a mapping gives it a neutral color."""
    defaults = as_dict(as_dict(panel.get("fieldConfig")).get("defaults"))
    here: Path = ("fieldConfig", "defaults")
    for index, mapping in enumerate(as_list(defaults.get("mappings"))):
        options = as_dict(as_dict(mapping).get("options"))
        match = str(options.get("match", ""))
        if as_dict(mapping).get("type") != "special" or not ("null" in match or match == "empty"):
            continue
        result = as_dict(options.get("result"))
        color, text = str(result.get("color") or "").lower(), result.get("text")
        if color and color not in HEALTHY:
            return None
        if is_text(text):
            return (*here, "mappings", index), str(text)
    text = defaults.get("noValue")
    return ((*here, "noValue"), str(text)) if is_text(text) else None


_SILENCE = lazy_pattern(
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
            if not is_text(text):
                continue
            if panel.get("type") in WITHOUT_NO_VALUE or _shows_states_of_metrics(dashboard, path, panel):
                yield self.finding(
                    dashboard.place(*path, "fieldConfig", "defaults", "noValue"),
                    f'a panel of type {panel.get("type")} never shows "{text}": it has its own words for no data',
                    hint="remove it, and say in the description what an empty panel means",
                )


def _shows_states_of_metrics(dashboard: DashboardItem, path: Path, panel: Json) -> bool:
    return panel.get("type") in STATES and any(
        target.type == "prometheus" and target.panel_path == path for target in dashboard.targets
    )
