"""Ranges against the times at which a query runs."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind
from lokictl.logql import ast
from lokictl.logql.units import format_prometheus_duration, parse_prometheus_duration


class RangeBelowInterval(QueryCheck):
    """Lines between two evaluations that no evaluation sees."""

    name = "logql/range-below-interval"
    severity = Severity.WARNING
    summary = "a range shorter than the time between evaluations, or than the step"
    wants = (ast.LogRange,)

    def check(self, query: Query) -> Iterator[Finding]:
        interval, certain = self._interval(query)
        for log_range in query.nodes(ast.LogRange):
            if 0 < log_range.range < interval and "$" not in query.written(log_range):
                shown, every = map(format_prometheus_duration, (log_range.range, interval))
                message = (
                    f"the range {shown} is shorter than the {every} between evaluations: lines are missed"
                )
                hint = f"use a range of at least {every}"
                severity = None if certain else Severity.INFO
                yield self.finding(query.place(log_range), message, hint=hint, severity=severity)
            elif log_range.range == 0:
                message = "a range of 0 contains no lines"
                yield self.finding(query.place(log_range), message)

    def _interval(self, query: Query) -> tuple[int, bool]:
        if query.kind is QueryKind.PLAIN and query.interval:
            return query.interval, True  # of a Grafana-managed rule
        if query.kind in (QueryKind.ALERT, QueryKind.RECORD):
            return query.interval or self.workspace.default_interval, bool(query.interval)
        step = (query.target or {}).get("step") or (query.panel or {}).get("interval")
        try:
            return parse_prometheus_duration(str(step)) if step else 0, True
        except ValueError:
            return 0, False


class LongRange(QueryCheck):
    """A day of logs, read every minute."""

    name = "logql/long-range"
    severity = Severity.INFO
    summary = "a rule that reads a long range at each evaluation"
    query_kinds = (QueryKind.ALERT, QueryKind.RECORD)
    wants = (ast.LogRange,)
    options = {"longest": "24h"}

    def check(self, query: Query) -> Iterator[Finding]:
        longest = parse_prometheus_duration(str(self.settings["longest"]))
        for log_range in query.nodes(ast.LogRange):
            if log_range.range >= longest:
                every = query.interval or self.workspace.default_interval
                message = (
                    f"{format_prometheus_duration(log_range.range)} of logs are read every "
                    f"{format_prometheus_duration(every)}"
                )
                hint = "record short ranges and alert on the sum, or evaluate the group less often"
                yield self.finding(query.place(log_range), message, hint=hint)


CHECKS = (RangeBelowInterval, LongRange)
