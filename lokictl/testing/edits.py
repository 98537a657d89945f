"""Changes to expressions, one at a time: what coverage takes away and what mutation tries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from lokictl.logql import LogQLError, ast, parse
from lokictl.logql.ast import ComparisonOperator, LineFilterOperator, MatchOperator, Span
from lokictl.logql.semantics import is_count, is_positive
from lokictl.logql.units import format_float, format_prometheus_duration
from lokictl.records import dataclass

WHOLE_STEP_BELOW = 100
"""Whole thresholds below this move by 1, others by a fifth."""


@dataclass(frozen=True)
class Edit:
    """One change: its ``kind`` ("threshold", "matcher", …), the part before and after, where, and the result."""

    kind: str
    before: str
    after: str
    span: Span
    expression: ast.Expr

    def __str__(self) -> str:
        return f"{self.kind}: {self.before} → {self.after or '(removed)'}"


@dataclass(frozen=True)
class _Change:
    """A change not yet applied: ``target`` becomes ``new``; None takes it out of the tuple it is in."""

    kind: str
    target: ast.Node
    new: ast.Node | None
    before: str
    after: str
    span: Span | None = None


def mutations(expression: ast.Expr) -> list[Edit]:
    """Every change of the kinds that tests should notice."""
    return _applied(expression, [change for node in expression.walk() for change in _mutations_of(node)])


def removals(expression: ast.Expr) -> list[Edit]:
    """The expression without each of its filters, matchers, comparisons and branches of and/or/unless."""
    return _applied(expression, [change for node in expression.walk() for change in _removals_of(node)])


def _applied(expression: ast.Expr, changes: list[_Change]) -> list[Edit]:
    original = str(expression)
    edits: dict[tuple[str, str, str, Span], Edit] = {}
    for change in changes:
        text = str(expression.replace(change.target, change.new))
        if text == original:
            continue
        try:
            changed = parse(text)
        except LogQLError:
            continue
        span = change.span or change.target.span
        edit = Edit(change.kind, change.before, change.after, span, changed)
        edits.setdefault((edit.kind, edit.before, edit.after, span), edit)
    return list(edits.values())


# --- what can be taken away --------------------------------------------------------------------------------


def _removals_of(node: ast.Node) -> Iterator[_Change]:
    if isinstance(node, ast.StreamSelector):
        for matcher in node.matchers:
            yield _Change("matcher", matcher, None, _matcher_text(matcher), "")
    elif isinstance(node, ast.LogExpr):
        for stage in node.stages:
            if isinstance(stage, ast.LineFilter):
                yield from _line_filter_removals(stage)
            elif isinstance(stage, ast.LabelFilterStage):
                yield from _label_filter_removals(stage, stage.filter, None)
    elif isinstance(node, ast.Unwrap):
        for item in node.filters:
            yield from _label_filter_removals(item, item, None)
    elif isinstance(node, ast.BinaryOperation):
        yield from _branch_removals(node)


def _matcher_text(matcher: ast.Matcher) -> str:
    return "{" + str(matcher) + "}"


def _line_filter_removals(stage: ast.LineFilter) -> Iterator[_Change]:
    if len(stage.legs) == 1 or stage.operator.is_negative:
        yield _Change("line filter", stage, None, str(stage), "")
        return
    for index, leg in enumerate(stage.legs):
        rest = dataclasses.replace(stage, legs=stage.legs[:index] + stage.legs[index + 1 :])
        yield _Change("line filter", stage, rest, str(stage), str(rest), leg.span)


def _label_filter_removals(
    target: ast.Node, node: ast.LabelFilter, replacement: ast.Node | None
) -> Iterator[_Change]:
    """Takes ``node`` out: ``target`` is what goes, ``replacement`` what stays in its place."""
    if isinstance(node, ast.AndLabelFilter | ast.OrLabelFilter):
        yield from _label_filter_removals(node, node.left, node.right)
        yield from _label_filter_removals(node, node.right, node.left)
    else:
        span = node.span if node.span != ast.NO_SPAN else target.span
        yield _Change("label filter", target, replacement, f"| {node}", "", span)


def _branch_removals(node: ast.BinaryOperation) -> Iterator[_Change]:
    if node.operator in ast.SET_OPERATORS:
        yield _Change("branch", node, node.left, f"{node.operator} {node.right}", "", node.right.span)
        if node.operator == "or":
            yield _Change("branch", node, node.right, f"{node.left} or", "", node.left.span)
        elif node.operator == "and":
            yield _Change("branch", node, node.right, f"{node.left} and", "", node.left.span)
    elif node.operator in ast.COMPARISONS and not node.return_bool:
        if isinstance(node.right, ast.Literal):
            if always_holds(node.operator, node.left, node.right.value):
                return
            text = f"{node.operator} {format_float(node.right.value)}"
            yield _Change("comparison", node, node.left, text, "", node.right.span)
        elif isinstance(node.left, ast.Literal):
            text = f"{format_float(node.left.value)} {node.operator}"
            yield _Change("comparison", node, node.right, text, "", node.left.span)
        else:
            yield _Change("comparison", node, node.left, f"{node.operator} {node.right}", "", node.right.span)


# --- what can be changed -----------------------------------------------------------------------------------


def _mutations_of(node: ast.Node) -> Iterator[_Change]:
    yield from _removals_without_comparisons(node)
    if isinstance(node, ast.StreamSelector):
        for matcher in node.matchers:
            flipped = dataclasses.replace(matcher, operator=OPPOSITE_MATCH[matcher.operator])
            yield _Change("matcher", matcher, flipped, _matcher_text(matcher), _matcher_text(flipped))
    elif isinstance(node, ast.LineFilter):
        negated = dataclasses.replace(node, operator=OPPOSITE_LINE[node.operator])
        yield _Change("line filter", node, negated, str(node), str(negated))
    elif isinstance(node, ast.LabelFilter):
        yield from _label_filter_mutations(node)
    elif isinstance(node, ast.LogRange):
        yield from _range_mutations(node)
    elif isinstance(node, ast.Grouping):
        yield from _grouping_mutations(node)
    elif isinstance(node, ast.RangeAggregation):
        yield from _range_aggregation_mutations(node)
    elif isinstance(node, ast.VectorAggregation):
        yield from _vector_aggregation_mutations(node)
    elif isinstance(node, ast.BinaryOperation):
        yield from _operation_mutations(node)


def _removals_without_comparisons(node: ast.Node) -> Iterator[_Change]:
    # A rule without its comparison is not a small change; the changes of the comparison itself say more.
    return (change for change in _removals_of(node) if change.kind != "comparison")


OPPOSITE_MATCH = {
    MatchOperator.EQUAL: MatchOperator.NOT_EQUAL,
    MatchOperator.NOT_EQUAL: MatchOperator.EQUAL,
    MatchOperator.REGEX: MatchOperator.NOT_REGEX,
    MatchOperator.NOT_REGEX: MatchOperator.REGEX,
}
OPPOSITE_LINE = {
    LineFilterOperator.CONTAINS: LineFilterOperator.NOT_CONTAINS,
    LineFilterOperator.NOT_CONTAINS: LineFilterOperator.CONTAINS,
    LineFilterOperator.REGEX: LineFilterOperator.NOT_REGEX,
    LineFilterOperator.NOT_REGEX: LineFilterOperator.REGEX,
    LineFilterOperator.PATTERN: LineFilterOperator.NOT_PATTERN,
    LineFilterOperator.NOT_PATTERN: LineFilterOperator.PATTERN,
}
CHANGED_COMPARISON = {
    ">": (">=", "<"),
    ">=": (">", "<"),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    "==": ("!=",),
    "!=": ("==",),
}
CHANGED_RANGE = {
    "count_over_time": "rate",
    "rate": "count_over_time",
    "bytes_over_time": "count_over_time",
    "bytes_rate": "rate",
    "sum_over_time": "max_over_time",
    "avg_over_time": "max_over_time",
    "max_over_time": "min_over_time",
    "min_over_time": "max_over_time",
    "first_over_time": "last_over_time",
    "last_over_time": "first_over_time",
    "stddev_over_time": "stdvar_over_time",
    "stdvar_over_time": "stddev_over_time",
    "absent_over_time": "count_over_time",
}
CHANGED_VECTOR = {
    "sum": "max",
    "max": "min",
    "min": "max",
    "avg": "max",
    "count": "sum",
    "topk": "bottomk",
    "bottomk": "topk",
    "stddev": "stdvar",
    "stdvar": "stddev",
}
CHANGED_OPERATOR = {"+": "-", "-": "+", "*": "/", "/": "*", "and": "unless", "unless": "and", "or": "and"}


def _label_filter_mutations(node: ast.LabelFilter) -> Iterator[_Change]:
    if isinstance(node, ast.StringLabelFilter | ast.IpLabelFilter):
        flipped = dataclasses.replace(node, operator=OPPOSITE_MATCH[node.operator])
        yield _Change("label filter", node, flipped, f"| {node}", f"| {flipped}")
    elif isinstance(node, ast.NumberLabelFilter | ast.DurationLabelFilter | ast.BytesLabelFilter):
        for operator in CHANGED_COMPARISON[node.operator.value]:
            changed = dataclasses.replace(node, operator=ComparisonOperator(operator))
            yield _Change("label filter", node, changed, f"| {node}", f"| {changed}")
        for value in thresholds(float(node.value)):
            moved: ast.LabelFilter
            if isinstance(node, ast.NumberLabelFilter):
                moved = dataclasses.replace(node, value=value)
            else:
                moved = dataclasses.replace(node, value=int(value))
            yield _Change("threshold", node, moved, f"| {node}", f"| {moved}")
    elif isinstance(node, ast.AndLabelFilter):
        either = ast.OrLabelFilter(node.left, node.right, span=node.span)
        yield _Change("label filter", node, either, f"| {node}", f"| {either}")
    elif isinstance(node, ast.OrLabelFilter):
        both = ast.AndLabelFilter(node.left, node.right, span=node.span)
        yield _Change("label filter", node, both, f"| {node}", f"| {both}")


def _range_mutations(node: ast.LogRange) -> Iterator[_Change]:
    for width in (node.range * 2, node.range // 2):
        changed = dataclasses.replace(node, range=width)
        yield _Change("range", node, changed, _bracket(node.range), _bracket(width))
    if node.offset:
        now = dataclasses.replace(node, offset=0)
        yield _Change("range", node, now, f"offset {format_prometheus_duration(node.offset)}", "")


def _bracket(width: int) -> str:
    return f"[{format_prometheus_duration(width)}]"


def _grouping_mutations(node: ast.Grouping) -> Iterator[_Change]:
    for index in range(len(node.labels)):
        rest = dataclasses.replace(node, labels=node.labels[:index] + node.labels[index + 1 :])
        before = _grouping_text(node)
        yield _Change("grouping", node, rest, before, _grouping_text(rest))


def _grouping_text(node: ast.Grouping) -> str:
    return f"{'without' if node.without else 'by'} ({', '.join(node.labels)})"


def _range_aggregation_mutations(node: ast.RangeAggregation) -> Iterator[_Change]:
    if node.operation == "quantile_over_time" and node.parameter is not None:
        for value in sorted({1.0, max(0.0, round(node.parameter - 0.09, 6))} - {node.parameter}):
            changed = dataclasses.replace(node, parameter=value)
            before = f"quantile_over_time({format_float(node.parameter)}, …)"
            after = f"quantile_over_time({format_float(value)}, …)"
            yield _Change("aggregation", node, changed, before, after)
        return
    other = CHANGED_RANGE.get(node.operation)
    if other is None or (other == "rate" and node.log_range.unwrap is not None):
        return
    changed = dataclasses.replace(node, operation=other)
    yield _Change("aggregation", node, changed, node.operation, other)


def _vector_aggregation_mutations(node: ast.VectorAggregation) -> Iterator[_Change]:
    other = CHANGED_VECTOR.get(node.operation)
    if other is not None:
        changed = dataclasses.replace(node, operation=other)
        yield _Change("aggregation", node, changed, node.operation, other)
    if node.parameter is not None:
        for value in (node.parameter + 1, node.parameter - 1):
            if value > 0:
                moved = dataclasses.replace(node, parameter=value)
                text = f"{node.operation}({node.parameter})"
                yield _Change("threshold", node, moved, text, f"{node.operation}({value})")


def _operation_mutations(node: ast.BinaryOperation) -> Iterator[_Change]:
    if node.operator in CHANGED_OPERATOR:
        other = CHANGED_OPERATOR[node.operator]
        changed = dataclasses.replace(node, operator=other)
        yield _Change("operator", node, changed, node.operator, other, node.right.span)
        return
    if node.operator not in CHANGED_COMPARISON:
        return
    literal = node.right if isinstance(node.right, ast.Literal) else node.left
    value = literal.value if isinstance(literal, ast.Literal) else None
    shown = f" {format_float(value)}" if value is not None else ""
    for operator in CHANGED_COMPARISON[node.operator]:
        if not (value == 0 and operator in (">", ">=") and is_positive(node.left)):
            changed = dataclasses.replace(node, operator=operator)
            before, after = node.operator + shown, operator + shown
            yield _Change("comparison", node, changed, before, after, literal.span)
    if not isinstance(literal, ast.Literal):
        return
    for moved in thresholds(literal.value):
        if node.operator == ">=" and moved <= 0 and is_positive(node.left):
            continue
        new = dataclasses.replace(literal, value=moved)
        before, after = f"{node.operator}{shown}", f"{node.operator} {format_float(moved)}"
        yield _Change("threshold", literal, new, before, after)


def thresholds(value: float) -> list[float]:
    """Values near a threshold, above and below: the next whole ones, or a fifth away."""
    if value == 0:
        return [1.0]
    if value == int(value) and abs(value) < WHOLE_STEP_BELOW:
        return [value + 1, value - 1]
    moved = [float(f"{value * factor:.12g}") for factor in (1.2, 0.8)]
    return [float(round(item)) if value == int(value) else item for item in moved]


def always_holds(operator: str, node: ast.Node, value: float) -> bool:
    """Whether a comparison is only written for readers: a count that exists is above zero and at least one."""
    if not is_positive(node):
        return False
    least = 1 if is_count(node) else 0
    return (operator == ">" and value <= 0) or (operator == ">=" and value <= least)
