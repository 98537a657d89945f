"""Whether a rule's expression makes an alert, and what the rest of the rule makes of its result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import Finding, RuleCheck, RuleItem
from lokictl.logql import ast, semantics
from lokictl.logql.units import format_prometheus_duration
from lokictl.model.rules import AlertingRule


class LogQueryRule(RuleCheck):
    """A query for lines, where the ruler needs numbers."""

    name = "rule/log-query"
    severity = Severity.ERROR
    summary = "a rule whose expression the ruler cannot evaluate: lines, or nothing to read"

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        expression = rule.query.expression
        if isinstance(expression, ast.LogExpr):
            message = "this is a log query; rules need a metric query, so every evaluation fails"
            written = " ".join(rule.query.text.split())
            yield self.finding(rule.query.place(), message, hint=f"write: count_over_time({written} [5m])")
            return
        for node in rule.query.nodes(ast.VectorAggregation):
            if isinstance(node.inner, ast.Literal):
                message = f"`{node.operation}` of a plain number cannot be evaluated"
                yield self.finding(
                    rule.query.place(node), message, hint="use the number itself, or vector(…)"
                )


class AlertWithoutComparison(RuleCheck):
    """Nothing in the expression looks at a value."""

    name = "rule/alert-without-comparison"
    severity = Severity.WARNING
    summary = "an alert whose expression compares nothing, and fires on any result"
    only_alerts = True
    wants = (ast.MetricExpr,)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        expression = rule.query.expression
        if not isinstance(expression, ast.MetricExpr):
            return
        if semantics.is_filtering(expression):
            return
        if semantics.returns_bool(expression):
            message = "with `bool` the result is 0 or 1 and never empty: the alert always fires"
            yield self.finding(rule.query.place(), message, hint="remove `bool`")
        elif isinstance(expression, ast.Literal | ast.VectorFunction):
            message = "this result is never empty: the alert always fires"
            yield self.finding(rule.query.place(), message, severity=Severity.INFO)
        elif _exists_for_lines_only(expression):
            message = "the alert fires as soon as one line matches, however few"
            hint = "write `> 0` to say so, or compare with a threshold"
            yield self.finding(rule.query.place(), message, severity=Severity.INFO, hint=hint)
        else:
            message = "nothing here compares a value: the alert fires on any result, also on 0"
            yield self.finding(rule.query.place(), message, hint="compare with a threshold: … > 5")


def _exists_for_lines_only(expression: ast.MetricExpr) -> bool:
    if isinstance(expression, ast.BinaryOperation) and expression.operator == "or":
        return all(
            semantics.is_filtering(side) or _exists_for_lines_only(side)
            for side in (expression.left, expression.right)
        )
    return semantics.is_positive(expression) and semantics.returns_lines_only(expression)


class Unaggregated(RuleCheck):
    """One alert per full set of labels."""

    name = "rule/unaggregated"
    severity = Severity.WARNING
    summary = "an alert for each set of parsed labels, since nothing aggregates"
    needs = (ast.RangeAggregation, ast.ParserStage)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        expression = rule.query.expression
        if not isinstance(expression, ast.MetricExpr):
            return
        for node in _bare(expression):
            if node.operation == "absent_over_time" or node.grouping is not None:
                continue
            parser = next((stage for stage in node.log_range.log.stages if _extracts_all(stage)), None)
            kept = any(isinstance(stage, ast.KeepLabels) for stage in node.log_range.log.stages)
            if parser is not None and not kept:
                what = "alert" if rule.is_alert else "series"
                message = (
                    f"there is one {what} for each combination of all the labels that "
                    f"`{rule.query.written(parser)}` extracts"
                )
                hint = f"aggregate: sum by (…) ({node.operation}(…))"
                yield self.finding(rule.query.place(node), message, hint=hint)


def _bare(expression: ast.Node) -> Iterator[ast.RangeAggregation]:
    """Range aggregations whose labels reach the result as they are."""
    match expression:
        case ast.RangeAggregation():
            yield expression
        case ast.BinaryOperation():
            if expression.matching is None:
                yield from _bare(expression.left)
                if expression.operator not in ("and", "unless"):
                    yield from _bare(expression.right)
        case ast.LabelReplace():
            yield from _bare(expression.inner)
        case ast.VectorAggregation():
            if expression.operation in ("topk", "bottomk", "sort", "sort_desc"):
                yield from _bare(expression.inner)


def _extracts_all(stage: ast.Stage) -> bool:
    return isinstance(stage, ast.ParserStage) and semantics.extracted(stage) is None


class ForAndRange(RuleCheck):
    """A burst leaves the window before ``for`` has passed."""

    name = "rule/for-and-range"
    severity = Severity.INFO
    summary = "a `for` longer than the range, which a single burst can never outlast"
    only_alerts = True
    wants = (ast.LogRange,)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        if not isinstance(rule.rule, AlertingRule) or not rule.rule.for_:
            return
        ranges = [node.range for node in rule.query.nodes(ast.LogRange)]
        # A value that is measured, as a queue's length, may well stay high for longer than the range.
        counts = all(node.operation in semantics.COUNTING for node in rule.query.nodes(ast.RangeAggregation))
        if ranges and counts and rule.rule.for_ > max(ranges):
            shown, lasts = map(format_prometheus_duration, (max(ranges), rule.rule.for_))
            message = f"a burst stays in the range for {shown}, and the alert waits for {lasts}"
            hint = "only what goes on for that long fires; widen the range, or shorten `for`, if that is not meant"
            yield self.finding(rule.place("for"), message, hint=hint)


class LabelOverwrites(RuleCheck):
    """A rule's label that makes different results one."""

    name = "rule/label-overwrites"
    severity = Severity.WARNING
    summary = "a rule label that overwrites the label that distinguishes results"
    wants = ("by",)

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        groupings = [node for node in rule.query.nodes(ast.Grouping) if not node.without]
        for name, value in rule.rule.labels.items():
            if not any(name in grouping.labels for grouping in groupings):
                continue
            expression, labels = rule.query.expression, rule.query.labels
            if not isinstance(expression, ast.MetricExpr) or labels.open or name not in labels.names:
                continue
            if name in semantics.pinned_labels(expression) or ("{{" in value and rule.is_alert):
                continue
            message = (
                f"the expression groups by `{name}`, and this sets it to one value: two results become the "
                "same, and the whole rule fails"
            )
            hint = f"rename the label, or leave {name} out of the grouping"
            yield self.finding(rule.place("labels", name, key=True), message, hint=hint)


_METRIC = lazy_pattern(r"(?<![\w:\"`=$])[A-Za-z_:][\w:]*")


class UsesRecordingRule(RuleCheck):
    """Recorded series are in Prometheus, where no LogQL can ask for them."""

    name = "rule/uses-recording-rule"
    severity = Severity.ERROR
    summary = "a rule that queries a recorded series, which only Prometheus has"
    supersedes = ("logql/syntax",)
    only_errors = True

    def check(self, rule: RuleItem) -> Iterator[Finding]:
        recorded = {item.rule.name: item for item in self.workspace.rules if not item.is_alert}
        text = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', lambda found: "_" * len(found[0]), rule.query.text)
        for found in _METRIC.finditer(text):
            name = found[0]
            recorder = recorded.get(name)
            if recorder is not None:
                by = f"`{name}` is recorded by the group {recorder.group.group.name}, and written to Prometheus"
            elif re.fullmatch(r"[A-Za-z_]\w*(?::\w+)+", name):
                by = f"`{name}` looks like a recorded series, which no rule here records, and which is in Prometheus"
            else:
                continue
            hint = "repeat the expression here, or move the alert to Prometheus's rules"
            place = rule.query.place(ast.Span(found.start(), found.end()))
            yield self.finding(place, f"{by}: a Loki rule cannot query it", hint=hint)


CHECKS = (
    *(LogQueryRule, AlertWithoutComparison, Unaggregated, ForAndRange, LabelOverwrites, UsesRecordingRule),
)
