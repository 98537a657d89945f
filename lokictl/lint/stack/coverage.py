"""Services that nobody watches, and times for which there are no lines any more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import as_dict
from lokictl.lint.interface import DashboardItem, Finding, Place, Query, QueryKind, Workspace, WorkspaceCheck
from lokictl.lint.more_queries import rule_test_streams
from lokictl.lint.schema import Pipeline
from lokictl.logql.units import DAY, HOUR, MINUTE, SECOND, WEEK, YEAR, format_prometheus_duration
from lokictl.model import Service


class UncoveredService(WorkspaceCheck):
    name = "stack/uncovered-service"
    severity = Severity.WARNING
    summary = "a service without alerts, dashboards or rule tests"
    needs_services = True
    options = {"except": []}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        project = workspace.project
        if project is None or not workspace.is_whole_project:
            return
        found = {
            "alert": self._reached(workspace, (QueryKind.ALERT,)),
            "dashboard": self._reached(workspace, (QueryKind.PANEL,)),
            "rule test": self._tested(workspace),
        }
        present = {
            "alert": bool(workspace.rules),
            "dashboard": bool(workspace.dashboards),
            "rule test": bool(project.test_files),
        }
        for service in workspace.services:
            if service.name in self.settings["except"]:
                continue
            missing = [kind for kind, names in found.items() if service.name not in names]
            for kind in missing:
                yield self.finding(
                    self._place(workspace, service),
                    f"the service {service.name} has no {kind}",
                    hint=_WHAT_TO_DO[kind],
                    severity=None if present[kind] and kind != "rule test" else Severity.INFO,
                    item=f"service {service.name}",
                )

    def _reached(self, workspace: Workspace, kinds: tuple[QueryKind, ...]) -> set[str]:
        return {
            service.name
            for query in workspace.rule_and_panel_queries
            if query.kind in kinds
            for pipeline in workspace.pipelines(query)
            for service in pipeline.services
        }

    def _tested(self, workspace: Workspace) -> set[str]:
        return {
            str(as_dict(stream.get("labels")).get("service"))
            for document in workspace.rule_tests
            for _, stream in rule_test_streams(document)
        }

    def _place(self, workspace: Workspace, service: Service) -> Place:
        """Where the service is defined."""
        pattern = rf"name=[\"']{re.escape(service.name)}[\"']"
        return workspace.module_place("services", pattern, first=service.name)


_WHAT_TO_DO = {
    "alert": "write an alert for it, or name it in the setting `except`",
    "dashboard": "add a dashboard or a panel for it, or name it in the setting `except`",
    "rule test": "add a test with its streams, or name it in the setting `except`",
}


class RetentionTooShort(WorkspaceCheck):
    name = "stack/retention-too-short"
    severity = Severity.WARNING
    summary = "a query or dashboard that looks further back than lines are kept"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for query in workspace.all_queries:
            for pipeline in workspace.pipelines(query):
                yield from self._range(query, pipeline)
        for dashboard in workspace.dashboards:
            yield from self._dashboard(workspace, dashboard)

    def _range(self, query: Query, pipeline: Pipeline) -> Iterator[Finding]:
        log_range = pipeline.log_range
        if log_range is None or not pipeline.services:
            return
        back = log_range.range + log_range.offset
        kept, service = shortest_retention(pipeline)
        if back > kept:
            yield self.finding(
                query.place(log_range),
                f"this looks {_text(back)} back; lines of {service.name} are kept for {_text(kept)}",
                hint="shorten the range, or keep the lines longer",
                item=query.item,
            )

    def _dashboard(self, workspace: Workspace, dashboard: DashboardItem) -> Iterator[Finding]:
        back = relative_time(str(as_dict(dashboard.data.get("time")).get("from") or ""))
        if back is None:
            return
        shortest: tuple[int, Service] | None = None
        for query in dashboard.queries:
            for pipeline in workspace.pipelines(query) if query.kind == QueryKind.PANEL else ():
                if pipeline.services:
                    found = shortest_retention(pipeline)
                    shortest = found if shortest is None or found[0] < shortest[0] else shortest
        if shortest is not None and back > shortest[0]:
            yield self.finding(
                dashboard.place("time", "from"),
                f"the dashboard opens with {_text(back)}; lines of {shortest[1].name} are kept for "
                f"{_text(shortest[0])}",
                hint="open it with a shorter time, or keep the lines longer",
                item=dashboard.item,
            )


def shortest_retention(pipeline: Pipeline) -> tuple[int, Service]:
    """How long (ns) the lines are kept that a log query reads: of the service that keeps them shortest."""
    debug_only = any(
        matcher.name == "level" and matcher.operator == "=" and matcher.value == "debug"
        for matcher in pipeline.log.selector.matchers
    )
    kept = [
        (service.debug_retention if debug_only else service.retention, number)
        for number, service in enumerate(pipeline.services)
    ]
    shortest, number = min(kept)
    return shortest, pipeline.services[number]


_RELATIVE = lazy_pattern(r"now-(\d+)([smhdwMy])")
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "M": 30 * DAY, "y": YEAR}


def relative_time(text: str) -> int | None:
    """How far back (ns) ``now-7d`` is; None for other forms."""
    found = _RELATIVE.match(text.strip())
    return int(found[1]) * _UNITS[found[2]] if found else None


def _text(nanoseconds: int) -> str:
    days, rest = divmod(nanoseconds, DAY)
    return f"{days} days" if days > 1 and not rest else format_prometheus_duration(nanoseconds)
