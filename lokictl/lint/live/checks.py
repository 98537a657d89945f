"""Checks that ask a running Loki: what is there, what a query would read, how often an alert would have fired."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Position, Severity, suggestion
from lokictl.lint.dashboard_json import as_dict
from lokictl.lint.interface import Finding, Place, Query, QueryKind, RuleItem, Workspace, WorkspaceCheck
from lokictl.lint.loki_client import LiveLoki
from lokictl.lint.schema import matcher_test
from lokictl.lint.stack.coverage import relative_time
from lokictl.logql import ast
from lokictl.logql.ast import MatchOperator
from lokictl.logql.errors import LogQLError
from lokictl.logql.grafana_variables import holds_variable
from lokictl.logql.units import DAY, HOUR, format_prometheus_duration
from lokictl.logql.validation import matches_empty
from lokictl.logql.versions import LokiVersion
from lokictl.loki_api import disagreement
from lokictl.model import AlertingRule
from lokictl.records import dataclass

GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Selected:
    """A log query inside a query, with the part of its selector that is known."""

    query: Query
    log: ast.LogExpr
    matchers: tuple[ast.Matcher, ...]
    log_range: ast.LogRange | None

    @property
    def selector(self) -> str:
        return "{" + ", ".join(map(str, self.matchers)) + "}"


def selected(workspace: Workspace) -> Iterator[Selected]:
    """Every log query whose selector can be asked for, variables left out of it."""
    for query in workspace.all_queries:
        if query.kind == QueryKind.TEST:
            continue
        ranges = {id(item.log): item for item in query.nodes(ast.LogRange)}
        for log in query.nodes(ast.LogExpr):
            known = tuple(
                matcher
                for matcher in log.selector.matchers
                if not holds_variable(matcher.name) and not holds_variable(matcher.value)
            )
            if any(not matches_empty(matcher) for matcher in known):
                yield Selected(query, log, known, ranges.get(id(log)))


class Unreachable(WorkspaceCheck):
    name = "live/unreachable"
    severity = Severity.ERROR
    summary = "the Loki does not answer, so the other checks of this family say nothing"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for loki in workspace.live():
            labels = loki.labels()
            if loki.failure[0]:
                yield self.finding(Place(Position()), loki.failure[0], hint=loki.failure[1], item="--loki")
            elif not labels:
                yield self.finding(
                    Place(Position()),
                    f"{loki.options.url} has had no lines for {_days(loki.options.since)}",
                    hint="is this the right tenant? Give it with --tenant",
                    item="--loki",
                )
                loki.failure = ("no lines", "")


class OtherVersion(WorkspaceCheck):
    name = "live/version"
    severity = Severity.WARNING
    summary = "a Loki of another version than the configured one"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        wanted = LokiVersion.of_minor(*workspace.loki_version) if workspace.names_a_version else None
        for loki in workspace.live():
            message = disagreement(loki.version(), wanted)
            if message:
                hint = "set loki_version to the Loki that you run"
                yield self.finding(Place(Position()), message, hint=hint, item="--loki")


class UnknownLabel(WorkspaceCheck):
    name = "live/unknown-label"
    severity = Severity.WARNING
    summary = "a label that no stream of this Loki has"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for loki in workspace.live():
            known = loki.labels()
            for item in selected(workspace):
                for matcher in item.matchers if known else ():
                    if matcher.name not in known and not matcher.name.startswith("__"):
                        yield self.finding(
                            item.query.place(matcher),
                            f'no stream of the last {_days(loki.options.since)} has the label "{matcher.name}"',
                            hint=suggestion(
                                matcher.name, known, f"there are: {', '.join(sorted(known)[:20])}"
                            ),
                            item=item.query.item,
                        )


class UnknownValue(WorkspaceCheck):
    name = "live/unknown-value"
    severity = Severity.WARNING
    summary = "a value that the label has in no stream of this Loki"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for loki in workspace.live():
            for item in selected(workspace):
                for matcher in item.matchers:
                    values = self._values(loki, matcher)
                    if values and not any(map(matcher_test(matcher.operator, matcher.value), values)):
                        shown = ", ".join(sorted(values)[:12])
                        yield self.finding(
                            item.query.place(matcher),
                            f'the label "{matcher.name}" was never {_wanted(matcher)} in the last '
                            f"{_days(loki.options.since)}",
                            hint=suggestion(matcher.value, values, f"it was {shown}"),
                            item=item.query.item,
                        )

    def _values(self, loki: LiveLoki, matcher: ast.Matcher) -> frozenset[str]:
        positive = matcher.operator in (MatchOperator.EQUAL, MatchOperator.REGEX)
        if not positive or matches_empty(matcher) or matcher.name not in loki.labels():
            return frozenset()
        return loki.values(matcher.name)


def _wanted(matcher: ast.Matcher) -> str:
    return (
        f'"{matcher.value}"'
        if matcher.operator == MatchOperator.EQUAL
        else f'anything like "{matcher.value}"'
    )


class NoSeries(WorkspaceCheck):
    name = "live/no-series"
    severity = Severity.WARNING
    summary = "a selector that finds no stream, although each of its labels and values exists"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for loki in workspace.live():
            for item in selected(workspace):
                if self._explained(loki, item) or loki.has_series(item.selector):
                    continue
                yield self.finding(
                    item.query.place(item.log.selector),
                    f"no stream of the last {_days(loki.options.since)} fits {item.selector}",
                    hint="each label exists; no stream has them all. Ask for fewer, and see which there are",
                    item=item.query.item,
                )

    def _explained(self, loki: LiveLoki, item: Selected) -> bool:
        """Whether one of the matchers fits nothing by itself."""
        known = loki.labels()
        for matcher in item.matchers:
            if matches_empty(matcher):
                continue
            if matcher.name not in known:
                return True
            test = matcher_test(matcher.operator, matcher.value)
            if not any(map(test, loki.values(matcher.name))):
                return True
        return False


class ExpensiveQuery(WorkspaceCheck):
    name = "live/expensive-query"
    severity = Severity.INFO
    summary = "a query that reads a lot of data each time it runs"
    needs_loki = True
    options = {"gigabytes": 10.0}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        limit = float(self.settings["gigabytes"]) * GIGABYTE
        for loki in workspace.live():
            for item in selected(workspace):
                window = window_of(item)
                stats = loki.stats(item.selector, window)
                if stats.bytes <= limit:
                    continue
                largest = [
                    f"{labels} {size / GIGABYTE:.1f} GB"
                    for labels, size in loki.largest(item.selector, window)
                ]
                often = ""
                if item.query.interval and item.query.rule is not None:
                    often = f", every {format_prometheus_duration(item.query.interval)}"
                yield self.finding(
                    item.query.place(item.log.selector),
                    f"this reads {stats.bytes / GIGABYTE:.1f} GB in {stats.streams} streams each time{often}",
                    hint="narrow the selector or the range, or record it"
                    + (f"; most of it: {', '.join(largest)}" if largest else ""),
                    item=item.query.item,
                )


def window_of(item: Selected) -> int:
    """The time (ns) that one evaluation reads: its range, and for panels what the dashboard opens with."""
    own = item.log_range.range if item.log_range is not None else 0
    dashboard = item.query.dashboard
    if dashboard is not None:
        opened = relative_time(str(as_dict(dashboard.data.get("time")).get("from") or "")) or 6 * HOUR
        return max(own, opened)
    return own or HOUR


class TooManyStreams(WorkspaceCheck):
    name = "live/too-many-streams"
    severity = Severity.WARNING
    summary = "a metric query whose result would have more series than Loki allows"
    needs_loki = True
    options = {"series": 500}

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        limit = int(self.settings["series"])
        for loki in workspace.live():
            for item in selected(workspace):
                if item.log_range is None or not _is_bare(item):
                    continue
                streams = loki.stats(item.selector, window_of(item)).streams
                if streams > limit:
                    yield self.finding(
                        item.query.place(item.log.selector),
                        f"{streams} streams, each a series of the answer; Loki refuses more than {limit}",
                        hint="aggregate: sum by (…) (…)",
                        item=item.query.item,
                    )


def _is_bare(item: Selected) -> bool:
    """Whether every stream becomes a series of its own: nothing aggregates, at least not by fewer labels."""
    expression = item.query.expression
    grouped = item.query.nodes(ast.VectorAggregation) or (
        isinstance(expression, ast.RangeAggregation) and expression.grouping is not None
    )
    absent = any(node.operation == "absent_over_time" for node in item.query.nodes(ast.RangeAggregation))
    filters = item.query.nodes(ast.BinaryOperation)
    return not grouped and not absent and not filters


class AlertFrequency(WorkspaceCheck):
    name = "live/alert-frequency"
    severity = Severity.INFO
    summary = "how often an alert would have fired"
    needs_loki = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for loki in workspace.live():
            for rule in workspace.rules:
                if isinstance(rule.rule, AlertingRule) and rule.query.expression is not None:
                    yield from self._rule(loki, rule, rule.rule)

    def _rule(self, loki: LiveLoki, item: RuleItem, rule: AlertingRule) -> Iterator[Finding]:
        interval = item.query.interval or self.workspace.default_interval
        try:
            history = loki.history(rule.expr, interval)
        except (LogQLError, ValueError):
            return
        if history is None:
            return
        series, step = history
        times, longest = firings(series, step, rule.for_)
        if times:
            yield self.finding(
                item.place(),
                f"{rule.name} would have fired {times} time{'s' if times > 1 else ''} in the last "
                f"{_days(loki.options.since)}, the longest for {format_prometheus_duration(longest)}",
                hint=f"looked at every {format_prometheus_duration(step)}",
                item=item.item,
            )


def firings(series: list[dict[int, float]], step: int, held: int) -> tuple[int, int]:
    """(how often, how long at most in ns) an alert fires whose expression has these samples every ``step`` ns.

    ``held`` is how long (ns) the expression must hold before it fires.
    """
    times, longest = 0, 0
    for samples in series:
        began, last = None, None
        for at in sorted(samples):
            if began is None or last is None or at - last > step:
                began = at
            last = at
            lasting = at - began
            if lasting >= held:
                times += lasting - step < held or lasting == 0
                longest = max(longest, lasting - held + step)
    return times, longest


def _days(nanoseconds: int) -> str:
    days = nanoseconds // DAY
    return f"{days} days" if days > 1 and nanoseconds % DAY == 0 else format_prometheus_duration(nanoseconds)
