"""House rules for dashboards that are shared, as mixins have them; off until a project asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard.sources import chosen_sources
from lokictl.lint.dashboard_json import TIME_SERIES, Target, as_dict, is_text, panel_name
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Query, QueryKind
from lokictl.logql.ast import StreamSelector


class DataSourceVariable(DashboardCheck):
    name = "dashboard/datasource-variable"
    severity = Severity.INFO
    summary = "a data source written into the panels, where a variable would let people choose"
    on_by_default = False

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        told: set[str] = set()
        for path, name, _ in chosen_sources(dashboard):
            if name not in told:
                told.add(name)
                yield self.finding(
                    dashboard.place(*path),
                    f'"{name}" is written into the panels: the dashboard works with no other data source',
                    hint='add a variable of the type "datasource", and use {"uid": "${datasource}"}',
                )


class Editable(DashboardCheck):
    name = "dashboard/editable"
    severity = Severity.INFO
    summary = "a dashboard that people can edit in Grafana, where the next upload overwrites them"
    on_by_default = False

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if dashboard.data.get("editable") is not False:
            yield self.finding(
                dashboard.place("editable", key=True),
                "people can edit this dashboard in Grafana, and lose their work with the next upload",
                hint='write "editable": false',
            )


class RequiredMatchers(DashboardCheck):
    name = "dashboard/required-matchers"
    severity = Severity.WARNING
    summary = "a query without a label that every query of the project must name"
    options = {"labels": []}

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for query in dashboard.queries if self.settings["labels"] else ():
            if query.kind == QueryKind.PANEL:
                yield from self._missing(query)

    def _missing(self, query: Query) -> Iterator[Finding]:
        for selector in query.nodes(StreamSelector):
            names = {matcher.name for matcher in selector.matchers}
            missing = [str(label) for label in self.settings["labels"] if label not in names]
            if missing and not query.has_variable(query.written(selector).partition("=")[0]):
                yield self.finding(
                    query.place(selector),
                    f"the selector does not name {', '.join(missing)}",
                    hint=f'add {missing[0]}="…" (or =~"${missing[0]}")',
                    item=query.item,
                )


def _graphed_promql(dashboard: DashboardItem) -> Iterator[tuple[Target, str]]:
    """The targets of time series that query a Prometheus, with their expressions."""
    for target in dashboard.targets:
        expr = target.data.get("expr")
        if target.type == "prometheus" and is_text(expr) and target.panel.get("type") in TIME_SERIES:
            yield target, str(expr)


_FIXED_RATE = lazy_pattern(r"\b(rate|irate|increase)\s*\([^()\[\]]*\[(\d+[smhdwy][^\]$]*)\]")


class RateInterval(DashboardCheck):
    name = "dashboard/rate-interval"
    severity = Severity.INFO
    summary = "a fixed range in a rate from Prometheus, where $__rate_interval follows the zoom"
    on_by_default = False

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target, expr in _graphed_promql(dashboard):
            for found in _FIXED_RATE.finditer(expr):
                yield self.finding(
                    dashboard.text_place((*target.path, "expr"), found.start(2) - 1, found.end(2) + 1),
                    f"[{found[2]}] stays the same however far people zoom",
                    hint="write [$__rate_interval]",
                )


_COUNTER = lazy_pattern(r"\b[a-zA-Z_:][\w:]*_total\b")
_COUNTED = lazy_pattern(r"\b(?:rate|irate|increase|resets|changes|count|absent\w*|group|\w+_over_time)\b")


class CounterWithoutRate(DashboardCheck):
    name = "dashboard/counter-without-rate"
    severity = Severity.INFO
    summary = "a counter from Prometheus graphed without `rate`: it only ever grows"
    on_by_default = False

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for target, expr in _graphed_promql(dashboard):
            text = re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: " " * len(found[0]), expr)
            counter = _COUNTER.search(text)
            # A function named after the counter's place may be anything; inside braces it is a label.
            if counter and not _COUNTED.search(text) and not as_dict(target.panel).get("transformations"):
                yield self.finding(
                    dashboard.text_place((*target.path, "expr"), counter.start(), counter.end()),
                    f"{counter[0]} is a counter: the graph {panel_name(target.panel)} only ever grows",
                    hint=f"rate({counter[0]}{{…}}[$__rate_interval])",
                )
