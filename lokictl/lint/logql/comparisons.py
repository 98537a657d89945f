"""Thresholds that cannot be crossed, or always are; counts, rates, shares, quantiles and absence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from lokictl.diagnostics import Severity
from lokictl.durations import SECOND
from lokictl.lint.interface import Finding, Query, QueryCheck, QueryKind
from lokictl.logql import ast, semantics
from lokictl.logql.units import format_float, format_prometheus_duration

THRESHOLD = (ast.BinaryOperation, ast.Literal)
MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}


def thresholds(query: Query) -> list[tuple[ast.BinaryOperation, ast.MetricExpr, str, float]]:
    """(operation, expression, operator, number) of each comparison with a number, the number on the right."""
    found = []
    for node in query.nodes(ast.BinaryOperation):
        if node.operator in ast.COMPARISONS:
            if isinstance(node.right, ast.Literal):
                found.append((node, node.left, node.operator, node.right.value))
            elif isinstance(node.left, ast.Literal):
                operator = MIRRORED.get(node.operator, node.operator)
                found.append((node, node.right, operator, node.left.value))
    return found


class NeverTrue(QueryCheck):
    """A comparison that no value meets."""

    name = "logql/never-true"
    severity = Severity.WARNING
    summary = "a comparison that is never true"
    wants = ast.COMPARISONS
    needs = THRESHOLD

    def check(self, query: Query) -> Iterator[Finding]:
        for node, expression, operator, value in thresholds(query):
            if node.return_bool:
                continue
            for reason, hint in self._reasons(query, expression, operator, value):
                shown = f"{operator} {format_float(value)}"
                yield self.finding(query.place(node), f"`{shown}` is never true: {reason}", hint=hint)
                break

    def _reasons(
        self, query: Query, expression: ast.MetricExpr, operator: str, value: float
    ) -> Iterator[tuple[str, str]]:
        if _is_silent(expression, operator, value):
            yield (
                "where no line matches there is no result, not 0",
                f"use {_absent_text(query, expression)}, or compare (sum(…) or vector(0))",
            )
        if _is_absent(expression) and not _holds(1, operator, value):
            yield "absent_over_time is 1 where nothing arrived, and empty otherwise", "compare nothing"
        top = upper_bound(expression)
        if top is not None and (
            (operator in (">", "==") and value >= top and not (operator == "==" and value == top))
            or (operator == ">=" and value > top)
        ):
            scaled = f"{format_float(value / 100)}" if 1 < value <= 100 and top == 1 else ""
            hint = f"for {format_float(value)} % write {operator} {scaled}" if scaled else ""
            yield (
                f"the left side counts a part of what the right side counts: it is at most {format_float(top)}",
                hint,
            )


def _absent_text(query: Query, expression: ast.MetricExpr) -> str:
    """The expression as one that detects silence."""
    ranges = list(expression.find_all(ast.LogRange))
    written = " ".join(query.written(ranges[0]).split()) if len(ranges) == 1 else "{…} [5m]"
    return f"absent_over_time({written})"


def _is_silent(expression: ast.MetricExpr, operator: str, value: float) -> bool:
    """Whether an expression has values where a line matches only, and none of them meets the comparison."""
    if operator not in ("<", "<=", "=="):
        return False
    silent = semantics.is_positive(expression) and semantics.returns_lines_only(expression)
    return silent and not _meets(operator, value, semantics.is_count(expression))


def _meets(operator: str, value: float, whole: bool) -> bool:
    """Whether some value above 0 (at least 1 for whole numbers) meets a comparison."""
    if operator in ("==", "<="):
        return value >= 1 if whole else value > 0
    if operator == "<":
        return value > 1 if whole else value > 0
    return True


def _holds(left: float, operator: str, right: float) -> bool:
    return {
        "==": left == right,
        "!=": left != right,
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
    }[operator]


def _is_absent(expression: ast.MetricExpr) -> bool:
    return isinstance(expression, ast.RangeAggregation) and expression.operation == "absent_over_time"


def upper_bound(expression: ast.MetricExpr) -> float | None:
    """The largest value that a share can have: 1, or 100 when it is multiplied; None for anything else."""
    if not isinstance(expression, ast.BinaryOperation):
        return None
    if expression.operator == "*":
        for share, factor in ((expression.left, expression.right), (expression.right, expression.left)):
            if isinstance(factor, ast.Literal) and factor.value > 0:
                inner = upper_bound(share)
                if inner is not None:
                    return inner * factor.value
    if expression.operator == "/" and is_part_of(expression.left, expression.right):
        return 1.0
    if (
        expression.operator == "/"
        and isinstance(expression.left, ast.BinaryOperation)
        and expression.left.operator == "*"
        and isinstance(expression.left.right, ast.Literal)
        and is_part_of(expression.left.left, expression.right)
    ):
        return expression.left.right.value
    return None


def is_part_of(part: ast.Node, whole: ast.Node) -> bool:
    """Whether the lines that ``part`` counts are among those that ``whole`` counts, in the same groups."""
    if isinstance(part, ast.VectorAggregation) and isinstance(whole, ast.VectorAggregation):
        same = part.operation == whole.operation == "sum" and part.grouping == whole.grouping
        return same and is_part_of(part.inner, whole.inner)
    if not isinstance(part, ast.RangeAggregation) or not isinstance(whole, ast.RangeAggregation):
        return False
    if part.operation != whole.operation or part.operation not in semantics.COUNTING:
        return False
    mine, theirs = part.log_range, whole.log_range
    if (mine.range, mine.offset, mine.unwrap) != (theirs.range, theirs.offset, theirs.unwrap):
        return False
    stages = theirs.log.stages
    return set(theirs.log.selector.matchers) <= set(mine.log.selector.matchers) and (
        mine.log.stages[: len(stages)] == stages
        or all(isinstance(stage, ast.ParserStage) and stage in mine.log.stages for stage in stages)
    )


class SilentAtZero(QueryCheck):
    """``count_over_time(…) < 30``: nothing at all is the worst case, and the alert does not see it."""

    name = "logql/silent-at-zero"
    severity = Severity.INFO
    summary = "an alert on too few lines that stays silent when there are none"
    query_kinds = (QueryKind.ALERT,)
    wants = ("<", "<=", ">", ">=")
    needs = THRESHOLD

    def check(self, query: Query) -> Iterator[Finding]:
        for node, expression, operator, value in thresholds(query):
            if node.return_bool or operator not in ("<", "<="):
                continue
            silent = semantics.is_positive(expression) and semantics.returns_lines_only(expression)
            is_share = any(item.operator == "/" for item in expression.find_all(ast.BinaryOperation))
            if not silent or is_share or not _meets(operator, value, semantics.is_count(expression)):
                continue
            if not self._is_covered(query):
                message = f"with no line at all there is no result: `{operator} {format_float(value)}` does not fire"
                yield self.finding(query.place(node), message, hint=_zero_hint(query, node, expression))

    def _is_covered(self, query: Query) -> bool:
        """Whether this rule, or another one of its file, looks for silence."""
        if any(node.operation == "absent_over_time" for node in query.nodes(ast.RangeAggregation)):
            return True
        file = query.rule.group.file if query.rule is not None else None
        return not self._watched.get(id(file), set()).isdisjoint(query.nodes(ast.StreamSelector))

    @cached_property
    def _watched(self) -> dict[int, set[ast.StreamSelector]]:
        """For each rule file the selectors whose silence an alert looks for."""
        found: dict[int, set[ast.StreamSelector]] = {}
        for rule in self.workspace.rules:
            for node in rule.query.nodes(ast.RangeAggregation):
                if node.operation == "absent_over_time":
                    found.setdefault(id(rule.group.file), set()).add(node.log_range.log.selector)
        return found


def _zero_hint(query: Query, node: ast.BinaryOperation, expression: ast.MetricExpr) -> str:
    has_labels = isinstance(expression, ast.VectorAggregation) and not expression.grouping.labels
    if has_labels and isinstance(node.right, ast.Literal):
        written = " ".join(query.written(expression).split())
        return f"write ({written} or vector(0)) {node.operator} {format_float(node.right.value)}"
    return f"add an alert on {_absent_text(query, expression)}"


class AlwaysTrue(QueryCheck):
    """A comparison that every value meets."""

    name = "logql/always-true"
    severity = Severity.WARNING
    summary = "a comparison that is always true"
    wants = ("<", "<=", ">", ">=")
    needs = THRESHOLD

    def check(self, query: Query) -> Iterator[Finding]:
        for node, expression, operator, value in thresholds(query):
            always = (operator == ">=" and value <= 0) or (operator == ">" and value < 0)
            if always and not node.return_bool and semantics.is_positive(expression):
                least = 1 if semantics.is_count(expression) else 0
                shown = f"{operator} {format_float(value)}"
                message = f"`{shown}` is always true: the value is {'at least 1' if least else 'above 0'}"
                yield self.finding(query.place(node), message, hint="compare with a number above 0")


class CountThreshold(QueryCheck):
    """A count compared with a fraction, or a rate with what looks like a count."""

    name = "logql/rate-or-count"
    severity = Severity.INFO
    summary = "a rate compared with a count, or a count with a fraction"
    query_kinds = (QueryKind.ALERT, QueryKind.PLAIN)
    wants = ast.COMPARISONS
    needs = THRESHOLD

    def check(self, query: Query) -> Iterator[Finding]:
        for node, expression, operator, value in thresholds(query):
            if not value.is_integer() and semantics.is_count(expression):
                message = (
                    f"counts are whole numbers, so comparing with {format_float(value)} is probably a mistake"
                )
                hint = "for lines per second use rate(…); for a share divide by the count of all lines"
                yield self.finding(query.place(node), message, hint=hint, severity=Severity.WARNING)
            elif (
                operator in (">", ">=")
                and value >= 5
                and value.is_integer()
                and (log_range := _line_rate(expression)) is not None
            ):
                lines = int(value * log_range.range / SECOND)
                period = format_prometheus_duration(log_range.range)
                message = f"{operator} {format_float(value)} is lines per second: {lines} lines in {period}"
                hint = f"if {format_float(value)} lines in {period} were meant, use count_over_time"
                yield self.finding(query.place(node), message, hint=hint)


def _line_rate(expression: ast.MetricExpr) -> ast.LogRange | None:
    if not semantics.is_rate(expression):
        return None
    ranges = list(expression.find_all(ast.RangeAggregation))
    lines = all(node.operation == "rate" for node in ranges)
    return ranges[0].log_range if lines and len(ranges) == 1 else None


class QuantileRange(QueryCheck):
    """A quantile outside of 0 to 1."""

    name = "logql/quantile-range"
    severity = Severity.ERROR
    summary = "a quantile outside of 0 to 1"
    wants = ("quantile_over_time",)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.RangeAggregation):
            value = node.parameter
            if node.operation == "quantile_over_time" and value is not None and not 0 <= value <= 1:
                message = f"a quantile lies between 0 and 1; {format_float(value)} gives infinity"
                hint = f"for the {format_float(value)}th percentile write {format_float(value / 100)}"
                yield self.finding(query.place(node), message, hint=hint if value <= 100 else "")


class AbsentOverTime(QueryCheck):
    """What ``absent_over_time`` can and cannot tell."""

    name = "logql/absent-over-time"
    severity = Severity.INFO
    summary = "traps of `absent_over_time`"
    wants = ("absent_over_time",)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.RangeAggregation):
            if node.operation != "absent_over_time":
                continue
            matchers = node.log_range.log.selector.matchers
            for matcher in matchers:
                legs = matcher.value.split("|")
                if (
                    matcher.operator == ast.MatchOperator.REGEX
                    and len(legs) > 1
                    and all(leg and leg.isidentifier() for leg in map(_plain, legs))
                ):
                    message = f"this is true only when all {len(legs)} of {matcher.name} are silent, not when one is"
                    hint = f'write one alert for each, with {matcher.name}="…"'
                    yield self.finding(query.place(matcher), message, hint=hint)
            if not semantics.labels_of(node).names:
                message = "the result has no labels: only `=` matchers of the selector become labels"
                yield self.finding(query.place(node), message, hint="name what is missing with `=`")


def _plain(text: str) -> str:
    return text.replace("-", "_").replace(".", "_")


class Division(QueryCheck):
    """Division by zero is NaN, which no comparison meets; an empty side makes the result empty."""

    name = "logql/division"
    severity = Severity.INFO
    summary = "a division that can be by zero, or vanish"
    wants = ("/", "%")

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.BinaryOperation):
            if node.operator not in ("/", "%"):
                continue
            right = node.right
            if isinstance(right, ast.Literal) and right.value == 0:
                message = "division by zero is NaN, which no comparison meets"
                yield self.finding(query.place(node), message, severity=Severity.WARNING)
            elif _can_be_zero(right):
                message = "where the right side is 0 the result is NaN, which no comparison meets"
                hint = "remove `or vector(0)` on the right: without lines there is no share"
                yield self.finding(query.place(right), message, hint=hint, severity=Severity.WARNING)
        for node, expression, operator, _ in thresholds(query):
            if operator in ("<", "<=") and _vanishes(expression):
                message = (
                    "where no line matches the numerator there is no result: the worst case stays silent"
                )
                hint = "invert it: alert on the share of what should not happen"
                yield self.finding(query.place(node), message, hint=hint)


def _can_be_zero(expression: ast.Node) -> bool:
    return (
        isinstance(expression, ast.BinaryOperation)
        and expression.operator == "or"
        and isinstance(expression.right, ast.VectorFunction)
        and expression.right.value == 0
    )


def _vanishes(expression: ast.MetricExpr) -> bool:
    if isinstance(expression, ast.BinaryOperation) and expression.operator == "*":
        return any(_vanishes(side) for side in (expression.left, expression.right))
    return (
        isinstance(expression, ast.BinaryOperation)
        and expression.operator == "/"
        and is_part_of(expression.left, expression.right)
    )


CHECKS = (NeverTrue, SilentAtZero, AlwaysTrue, CountThreshold, QuantileRange, AbsentOverTime, Division)
